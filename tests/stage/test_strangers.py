"""Scripts that no lesson uses are staged without a scene of their own: readable, and true.

All of them are traced in one run, as cells of one script; the one that raises comes last.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from tests.stage.conftest import Staged, play_cell
from tests.stage.test_director import _compare
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.tracer import trace_script

SCRIPTS = {path.stem: path.read_text() for path in Path(__file__).parent.glob("strangers/*.py")}
NAMES = sorted(SCRIPTS, key=lambda name: (name == "errors", name))
BOARDS = {name: list(ARTBOARDS)[number % 2] for number, name in enumerate(NAMES)}
BOARDS |= dict.fromkeys(("decay", "doubling"), "page")
"""Each script is staged once: half of them on the page, half on the film."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strangers") / "script.py"
    path.write_text("\n".join(f"# %% {name}\n{SCRIPTS[name]}" for name in NAMES))
    return path


@pytest.fixture(scope="module")
def trace(script: Path) -> Trace:
    return trace_script(script, root=script.parent)


@pytest.fixture(scope="module")
def staged(trace: Trace) -> Staged:
    return functools.cache(functools.partial(play_cell, trace))


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_can_be_read(staged: Staged, name: str) -> None:
    scene = staged(name, BOARDS[name])
    assert scene.warnings == []
    assert len(scene.cues) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_what_a_run_without_the_tracer_gives(
    trace: Trace, staged: Staged, replayed: Replay, name: str
) -> None:
    scene = staged(name, BOARDS[name])
    tensors = _tensors(trace, name, replayed)
    checked = 0
    for drawn in scene.drawn:
        tensor = tensors.get(drawn.tensor) if drawn.tensor is not None else None
        if tensor is not None and drawn.source in ("value", "size", "shape", "dtype", "device"):
            _compare(drawn, tensor)
            checked += 1
    assert checked >= 4


def test_a_loop_of_many_laps_is_told_in_few_cues(staged: Staged) -> None:
    scene = staged("decay", "page")
    assert [cue.lap for cue in scene.cues] == [1, 1, 1, 2, 2, 3, 3, 4, 1]
    assert [cue.laps for cue in scene.cues] == [1, 1, 1, 1, 1, 1, 1, 97, 1]
    counters = [(each.cue, each.text) for each in scene.drawn if each.source == "lap"]
    laps = ["1/100", "1/100", "2/100", "2/100", "3/100", "3/100", "100/100"]
    assert counters == list(enumerate(laps, 2))


def test_laps_get_faster_and_end_with_what_the_names_hold(staged: Staged) -> None:
    scene = staged("doubling", "page")
    first, second, third, rest = scene.cues[1:5]
    assert second.end - second.start < 0.8 * (first.end - first.start)
    assert third.end - third.start < second.end - second.start
    assert rest.laps == 2
    values = [each.text for each in scene.drawn if each.cue == rest.number]
    assert {"32.", "96."} <= set(values)
    stage = scene.stage
    assert stage.fills.kind(stage.record(stage.names["x"])) == "value"


Replay = dict[tuple[int, int], dict[str, torch.Tensor]]
"""What names held when the nth run of a line had ended, by line and n."""


@pytest.fixture(scope="module")
def replayed(script: Path) -> Replay:
    """What a run without the tracer leaves behind, line by line."""
    seen: Replay = {}
    counts: dict[int, int] = {}
    last: dict[int, tuple[int, int]] = {}

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != str(script):
            return None
        if event in ("line", "return"):
            if id(frame) in last:
                seen[last.pop(id(frame))] = {
                    name: value.clone()
                    for name, value in frame.f_locals.items()
                    if isinstance(value, torch.Tensor)
                }
            if event == "line":
                counts[frame.f_lineno] = counts.get(frame.f_lineno, 0) + 1
                last[id(frame)] = (frame.f_lineno, counts[frame.f_lineno])
        return watch

    code = compile(script.read_text(), str(script), "exec")
    before = sys.gettrace()
    sys.settrace(watch)
    try:
        exec(code, {"__name__": "__main__"})
    except RuntimeError:
        pass  # the last script ends with one
    finally:
        sys.settrace(before)
    return seen


def _tensors(trace: Trace, name: str, replayed: Replay) -> dict[int, torch.Tensor]:
    """Return the tensor of each record of a cell's slice that a plain statement bound."""
    cell, slice_ = trace.cell(name), trace.of_cell(name)
    lines = {each.number: cell.line + each.lines[0] - 1 for each in cell.statements}
    plain = {each.number for each in cell.statements if each.kind == "plain"}
    found: dict[int, torch.Tensor] = {}
    for run in slice_.runs:
        if run.statement in plain:
            held = replayed.get((lines[run.statement], run.lap), {})
            found |= {
                record: held[key]
                for key, record in run.changed.items()
                if record is not None and key in held
            }
    return found
