"""Boards are for lines that concern two devices; all others, errors and prints play as always."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.block import TensorBlock
from torchreel.stage.devices.board import Board
from torchreel.stage.director import LessonScene
from torchreel.stage.nets.thing import ModelThing, Thing
from torchreel.tracer import trace_script

HEAD = "import torch\nfrom torch import nn\n\ntorch.manual_seed(0)\n"
CELLS = {
    "once": "x = torch.arange(6).reshape(2, 3)\nm = torch.empty(9, 9, device='meta')\n"
    "s = (m @ m).shape\nprint(s)\nz = x.sum(dim=1)\ntry:\n    z + x\nexcept RuntimeError as e:\n"
    "    print(e)\nw = x * 2\nprint(w)",
    "clash": "p = torch.ones(2, 3)\nq = torch.ones(2, 3, device='meta')\nr = p + 1\nk = q.T\n"
    "try:\n    p + q\nexcept RuntimeError as e:\n    print(e)\nu = p * 2\nprint(u)",
    "over": "net = nn.Linear(3, 2)\ngiven = torch.ones(4, 3)\nnet.to('meta')\n"
    "there = given.to('meta')\nout = net(there)\nlast = given + 1",
    "twice": "a = torch.ones(2, 3)\nb = a.to('meta')\nc = a + 1\nd = c.to('meta')\ne = c.T",
    "stay": "a = torch.arange(6).reshape(2, 3)\nb = a.to('cpu')\nc = b.cpu()",
    "model": "net = nn.Linear(3, 2)\nnet.to('cpu')\nfar = nn.Linear(4, 2).to(torch.float32)",
}
BOARDS = {
    "once": set[str](),
    "clash": {"p + q", "print(e)"},
    "over": {"net.to('meta')", "there = given.to('meta')", "out = net(there)"},
    "twice": {"b = a.to('meta')", "d = c.to('meta')"},
    "stay": set[str](),
    "model": set[str](),
}
"""The lines during which something is on its way between devices, or clashes because of them."""


class Seen(LessonScene):
    """Notes which lines end with boards on stage, and what stands on them."""

    lines: ClassVar[dict[str, list[str]]] = {}

    def _end_cue(self, *args: Any) -> None:
        super()._end_cue(*args)
        texts = {each.number: each.text for each in self.trace.cells[0].statements}
        boards = [each for each in self.mobjects if isinstance(each, Board)]
        things = [each.label.text for each in self.mobjects if isinstance(each, Thing)]
        if boards:
            Seen.lines[texts[self.cues[-1].statement].strip()] = things


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    script = write_cells(tmp_path_factory.mktemp("devices"), CELLS, HEAD)
    traced = trace_script(script, root=script.parent)
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def replay() -> dict[str, Any]:
    """What the names hold when the same lines have run without a tracer."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(HEAD + "\n".join(CELLS.values()), names)
    return names


Play = Callable[..., LessonScene]


@pytest.fixture(scope="module")
def play(trace: Trace) -> Play:
    def seen(cell: str, artboard: str = "page") -> LessonScene:
        Seen.lines = {}
        return play_cell(trace, cell, artboard, kind=Seen)

    return seen


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_only_lines_of_two_devices_are_on_boards(play: Play, cell: str, artboard: str) -> None:
    scene = play(cell, artboard)
    assert set(Seen.lines) == BOARDS[cell]
    assert scene.warnings == []


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", ["once", "clash"])
def test_what_is_printed_and_what_clashes_is_always_shown(
    play: Play, trace: Trace, cell: str, artboard: str
) -> None:
    scene = play(cell, artboard)
    runs = [run for run in trace.of_cell(cell).runs if run.steps or run.printed]
    for cue, run in zip(scene.cues, runs, strict=True):
        told = {each.source for each in scene.drawn if each.cue == cue.number}
        raised = any(trace.of_cell(cell).steps[step].clash for step in run.steps)
        assert ("printed" in told) == bool(run.printed)
        assert "clash" in told or not raised


def test_the_two_that_clash_stand_on_the_boards_and_not_what_came_before(
    play: Play, replay: dict[str, Any]
) -> None:
    play("clash")
    assert set(Seen.lines["p + q"]) == {"p", "q"}
    with pytest.raises(RuntimeError):
        replay["p"] + replay["q"]


def test_what_went_over_before_is_there_when_the_boards_come_again(play: Play) -> None:
    play("twice")
    assert Seen.lines == {"b = a.to('meta')": ["a", "b"], "d = c.to('meta')": ["c", "d"]}


def test_what_has_nothing_to_do_gives_back_one_tensor(play: Play, replay: dict[str, Any]) -> None:
    assert replay["a"].to("cpu") is replay["a"]
    scene = play("stay")
    blocks = [each for each in scene.mobjects if isinstance(each, TensorBlock)]
    assert [each.record.shape for each in blocks] == [(2, 3)]
    last = [each.text for each in scene.drawn if each.cue == 3 and each.source == "name"]
    assert last == ["b", "c"]


def test_a_model_that_is_there_already_stays_as_it_is(play: Play, replay: dict[str, Any]) -> None:
    net = replay["net"]
    assert net.to("cpu") is net
    scene = play("model")
    (model,) = [each for each in scene.mobjects if isinstance(each, ModelThing)]
    assert model.label.text == "far"
    assert not [each for each in scene.drawn if each.source == "op"]


def test_a_call_over_there_is_ticked_on_the_board_of_its_result(
    play: Play, replay: dict[str, Any]
) -> None:
    assert replay["out"].device == torch.device("meta")
    play("over")
    assert Seen.lines["out = net(there)"][-2:] == ["net", "there"]
