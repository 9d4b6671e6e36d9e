"""A small course with artifacts made by hand: what pages are tested against without a render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import markdown
import numpy as np
from PIL import Image

from torchreel.records import (
    Cell,
    Clip,
    Cue,
    Environment,
    Operand,
    Problem,
    Run,
    Shape,
    Statement,
    Step,
    TensorRecord,
    Trace,
)
from torchreel.site.extension import TorchReelExtension
from torchreel.store import Index, Store, write_clip, write_trace

SCRIPT = "lessons/shape/lesson.py"
PAGE = "lessons/shape/index.md"
PAGE_JA = "lessons/shape/index.ja.md"
SOURCES = {
    "reshape": "x = torch.arange(12)\ny = x.reshape(3, 4)\nz = x.reshape(2, 2, 3)",
    "unsqueeze": "a = y.unsqueeze(0)\nb = a.squeeze(0)",
    "loop": "for i in range(2):\n    t = y / 3\n    s = t.sum()\nprint(s)",
}


def _tensor(id: int, shape: Shape, dtype: str = "int64") -> TensorRecord:
    stride = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    return TensorRecord(id, shape, stride, dtype, "cpu", 0, 0, 12)


def _cell(name: str, line: int, *statements: Statement) -> Cell:
    return Cell(name, line, SOURCES[name], statements)


def _step(number: int, run: int, op: str, expression: str, source: int | None, to: int) -> Step:
    operands = () if source is None else (Operand(tensor=source),)
    return Step(number, run, f"torch.Tensor.{op}", expression, operands, (to,))


def trace() -> Trace:
    """Return the trace of the lesson: reshape, unsqueeze, and a loop of two laps that prints."""
    twelve = np.arange(12)
    thirds = (twelve / 3).astype(np.float32).reshape(3, 4)
    return Trace(
        script=SCRIPT,
        cells=(
            _cell(
                "reshape",
                4,
                Statement(1, (1, 1), "x = torch.arange(12)"),
                Statement(2, (2, 2), "y = x.reshape(3, 4)"),
                Statement(3, (3, 3), "z = x.reshape(2, 2, 3)"),
            ),
            _cell(
                "unsqueeze",
                9,
                Statement(1, (1, 1), "a = y.unsqueeze(0)"),
                Statement(2, (2, 2), "b = a.squeeze(0)"),
            ),
            _cell(
                "loop",
                13,
                Statement(1, (1, 3), "for i in range(2):", kind="loop"),
                Statement(2, (2, 2), "t = y / 3", parent=1),
                Statement(3, (3, 3), "s = t.sum()", parent=1),
                Statement(4, (4, 4), "print(s)"),
            ),
        ),
        runs=(
            Run("reshape", 1, steps=(0,), changed={"x": 0}),
            Run("reshape", 2, steps=(1,), changed={"y": 1}),
            Run("reshape", 3, steps=(2,), changed={"z": 2}),
            Run("unsqueeze", 1, steps=(3,), changed={"a": 3}),
            Run("unsqueeze", 2, steps=(4,), changed={"b": 4}),
            Run("loop", 2, 1, steps=(5,), changed={"t": 5}),
            Run("loop", 3, 1, steps=(6,), changed={"s": 6}),
            Run("loop", 2, 2, steps=(7,), changed={"t": 7}),
            Run("loop", 3, 2, steps=(8,), changed={"s": 8}),
            Run("loop", 4, printed="tensor(22.)\n"),
        ),
        steps=(
            _step(0, 0, "arange", "torch.arange(12)", None, 0),
            _step(1, 1, "reshape", "x.reshape(3, 4)", 0, 1),
            _step(2, 2, "reshape", "x.reshape(2, 2, 3)", 0, 2),
            _step(3, 3, "unsqueeze", "y.unsqueeze(0)", 1, 3),
            _step(4, 4, "squeeze", "a.squeeze(0)", 3, 4),
            _step(5, 5, "div", "y / 3", 1, 5),
            _step(6, 6, "sum", "t.sum()", 5, 6),
            _step(7, 7, "div", "y / 3", 1, 7),
            _step(8, 8, "sum", "t.sum()", 7, 8),
        ),
        tensors=(
            _tensor(0, (12,)),
            _tensor(1, (3, 4)),
            _tensor(2, (2, 2, 3)),
            _tensor(3, (1, 3, 4)),
            _tensor(4, (3, 4)),
            _tensor(5, (3, 4), "float32"),
            _tensor(6, (), "float32"),
            _tensor(7, (3, 4), "float32"),
            _tensor(8, (), "float32"),
        ),
        environment=Environment("3.11", "2.13"),
        values={
            0: twelve,
            1: twelve.reshape(3, 4),
            2: twelve.reshape(2, 2, 3),
            5: thirds,
            6: np.array(np.nan, dtype=np.float32),
            7: thirds,
            8: np.array(22, dtype=np.float32),
        },
    )


CUES = {
    "reshape": (Cue(1, 0, 0.5, 1), Cue(2, 0.5, 1, 2), Cue(3, 1, 1.5, 3)),
    "unsqueeze": (Cue(1, 0, 0.5, 1), Cue(2, 0.5, 1, 2)),
    "loop": (Cue(1, 0, 0.5, 2), Cue(2, 0.5, 1, 3), Cue(3, 1, 1.5, 2, 2, 9), Cue(4, 1.5, 2, 4)),
}


def write_artifacts(
    root: Path, made: Trace | None = None, problems: dict[str, Problem] | None = None
) -> Store:
    """Fill ``build/`` with the trace and a stand-in clip of each of its cells."""
    store, made = Store(root / "build"), made or trace()
    with store.writing(store.trace_folder("t" * 64)) as folder:
        write_trace(made, folder)
    clips = {}
    for number, name in enumerate(CUES):
        digest = f"{number}" * 64
        with store.writing(store.clip_folder(digest)) as folder:
            files = _movie(folder)
            clip = Clip(
                SCRIPT, name, "page", "dark", "standard", 320, 200, 10, 2.0, CUES[name], (),
                files, digest,
            )  # fmt: skip
            write_clip(clip, folder)
        clips[Store.clip_key(SCRIPT, name)] = digest
    store.write_index(Index({SCRIPT: "t" * 64}, clips, problems or {}))
    return store


def without_clip(store: Store, cell: str, problem: Problem) -> None:
    """Let the first render of a cell have failed."""
    index, key = store.index(), Store.clip_key(SCRIPT, cell)
    clips = {name: digest for name, digest in index.clips.items() if name != key}
    store.write_index(replace(index, clips=clips, problems={key: problem}))


def render(
    root: Path,
    text: str,
    page: str = PAGE,
    extensions: tuple[str, ...] = ("attr_list", "admonition", "toc", "pymdownx.superfences"),
    **options: object,
) -> tuple[str, list[Problem]]:
    """Return the HTML of a page and the problems that were reported."""
    problems: list[Problem] = []
    report: Callable[[Problem], None] = problems.append
    ours = TorchReelExtension(page=page, project=root, report=report, **options)
    return markdown.markdown(text, extensions=[*extensions, ours]), problems


def _movie(folder: Path) -> dict[str, str]:
    frames = [Image.new("RGB", (320, 200), (12, 18 + 4 * i, 32)) for i in range(20)]
    frames[-1].save(folder / "poster.webp")
    frames[0].save(folder / "opening.webp")
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:4])
    with av.open(str(folder / "clip.mp4"), "w", options={"movflags": "faststart"}) as movie:
        stream = movie.add_stream("libx264", Fraction(10), options={"crf": "40"})
        stream.width, stream.height, stream.pix_fmt = 320, 200, "yuv420p"
        for frame in frames:
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
        movie.mux(stream.encode(None))
    stills = {"poster": "poster.webp", "opening": "opening.webp"}
    return {"mp4": "clip.mp4", "gif": "clip.gif", **stills}
