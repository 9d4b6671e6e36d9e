#!/usr/bin/env python
"""What a clip costs: seconds of film, and the processor's time a frame, by what it is spent on.

Cells of a script are traced once and rendered on both artboards, in turns, with both files that a
page has (MP4 and GIF). Time is the processor's on all its threads, so what else runs on the machine
counts little:

- Cairo: filling and stroking outlines.
- encoding: all that other threads do (x264's), and what the film's files take of this one.
- Python: the rest, that is the stage, and Manim's way from mobjects to Cairo.

The last row is a scene of stock Manim, 12 squares with a number that go from a row to a table, and
what Manim's own writer makes of it: an MP4. It is rendered at the size of the page, and the ratios
are over it.

    .venv/bin/python benchmarks/frame_cost.py
    .venv/bin/python benchmarks/frame_cost.py --script lessons/shape/lesson.py --rounds 3
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from manim import RIGHT, UP, Scene, Square, Text, VGroup, tempconfig
from manim.camera.camera import Camera

from torchreel.records import Trace
from torchreel.render.job import Job, Look
from torchreel.render.movie import Movie
from torchreel.render.stock import render
from torchreel.stage.artboard import ARTBOARDS, FRAME_HEIGHT
from torchreel.tracer import trace_script

CELLS = """
import torch

# %% reshape
x = torch.arange(12)
y = x.reshape(3, 4)

# %% matmul
A = torch.tensor([[1, 2, 0], [0, 1, 3]])
B = torch.tensor([[2, 0, 1, 1], [1, 3, 0, 2], [0, 1, 2, 1]])
C = A @ B

# %% slabs
images = torch.rand(4, 3, 32, 32)
brighter = images + 1
"""

CAIRO = ("apply_fill", "apply_stroke")
"""What of Manim's camera does nothing but fill and stroke."""

FILES = ("write", "__exit__")
"""What of a movie writes its files."""


@dataclass(frozen=True)
class Cost:
    """Seconds of film, its frames, and seconds of the processor: in all, and of these in Cairo and
    in encoding."""

    length: float
    frames: int
    whole: float
    cairo: float
    encoding: float

    @property
    def frame(self) -> float:
        """Milliseconds a frame."""
        return 1e3 * self.whole / self.frames


class Clock:
    """Adds up this thread's time in the functions that it is put around."""

    def __init__(self) -> None:
        self.spent = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, clocked; calls within a call are not counted twice."""

        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            before, started = self.spent, time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent = before + time.thread_time() - started

        return clocked


def main() -> None:
    """Run the rounds and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="torchreel-benchmark-") as folder:
        trace = _trace(options.script, Path(folder))
        cells = options.cells or _cells(trace)
        tasks: dict[tuple[str, str], Callable[[], Cost]] = {
            (cell, board): functools.partial(
                _clip, trace, cell, Look(board, quality=options.quality)
            )
            for cell in cells
            for board in ARTBOARDS
        }
        tasks["stock Manim", "page"] = functools.partial(_stock, Look(quality=options.quality))
        costs: dict[tuple[str, str], list[Cost]] = {each: [] for each in tasks}
        next(iter(tasks.values()))()  # whatever is done once is done
        for number in range(options.rounds):
            for task, run in tasks.items():
                costs[task].append(run())
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    print(_table(costs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--script", type=Path, help="another script than three small cells")
    parser.add_argument("--cells", nargs="+", metavar="CELL", help="of it (default: all)")
    parser.add_argument(
        "--quality", choices=("draft", "standard", "final"), default="standard", help="of the clips"
    )
    return parser.parse_args()


def _trace(script: Path | None, folder: Path) -> Trace:
    if script is not None:
        return trace_script(script, root=Path.cwd())
    script = folder / "script.py"
    script.write_text(CELLS)
    return trace_script(script, root=folder)


def _cells(trace: Trace) -> list[str]:
    shown = {run.cell for run in trace.runs if run.steps or run.printed}
    return [cell.name for cell in trace.cells if cell.name in shown]


def _clip(trace: Trace, cell: str, look: Look) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(trace.of_cell(cell), look)
        return _cost(lambda: render(job, Path(folder)).duration, look.fps)


class Table(Scene):
    """Twelve numbers in squares go from a row to a table."""

    def construct(self) -> None:
        """Play a second, four seconds of motion, and another second."""
        cells = VGroup(*(VGroup(Square(0.9), Text(str(each), font_size=30)) for each in range(12)))
        self.add(cells.arrange(RIGHT, buff=0))
        self.wait(1, frozen_frame=False)
        table = cells.copy().arrange_in_grid(3, 4, buff=0).shift(UP * 0.5)
        self.play(*(a.animate.become(b) for a, b in zip(cells, table, strict=True)), run_time=4)
        self.wait(1, frozen_frame=False)


def _stock(look: Look) -> Cost:
    width, height = look.size
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "pixel_width": width,
            "pixel_height": height,
            "frame_rate": look.fps,
            "frame_height": FRAME_HEIGHT,
            "frame_width": FRAME_HEIGHT * width / height,
            "media_dir": folder,
            "progress_bar": "none",
            "verbosity": "ERROR",
            "disable_caching": True,
        }

        def film() -> float:
            with tempconfig(options):
                scene = Table()
                scene.render()
                return float(scene.renderer.time)

        return _cost(film, look.fps)


def _cost(film: Callable[[], float], fps: int) -> Cost:
    """Return what it costs to make a film; ``film`` returns its length."""
    cairo, encoding = Clock(), Clock()
    with (
        mock.patch.multiple(
            Camera, **{name: cairo.around(getattr(Camera, name)) for name in CAIRO}
        ),
        mock.patch.multiple(
            Movie, **{name: encoding.around(getattr(Movie, name)) for name in FILES}
        ),
    ):
        thread, process = time.thread_time(), time.process_time()
        length = film()
        whole = time.process_time() - process
        others = whole - (time.thread_time() - thread)
    return Cost(length, round(length * fps), whole, cairo.spent, encoding.spent + others)


def _table(costs: dict[tuple[str, str], list[Cost]]) -> str:
    """Return a line for each clip: medians of its rounds, and the ratio to stock Manim a frame."""
    heads = ("film s", "CPU s", "ms a frame", "over stock", "Cairo", "encoding", "Python")
    rows = [f"{'':22} {'':6}" + "".join(f"{head:>11}" for head in heads)]
    stock = median(each.frame for each in costs["stock Manim", "page"])
    for (name, board), found in costs.items():
        middle = sorted(found, key=lambda each: each.whole)[len(found) // 2]
        cairo, encoding = middle.cairo / middle.whole, middle.encoding / middle.whole
        numbers = [middle.length, middle.whole, middle.frame, middle.frame / stock]
        row = "".join(f"{number:11.2f}" for number in numbers)
        row += "".join(f"{share:11.0%}" for share in (cairo, encoding, 1 - cairo - encoding))
        rows.append(f"{name:22} {board:6}{row}")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
