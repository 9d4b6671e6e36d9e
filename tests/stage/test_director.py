"""The director stages any of these cells, on both artboards, with every text true and readable."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from manim import Animation

from tests.stage.conftest import CELLS, Staged, play_cell, write_cells
from torchreel.records import Drawn, TorchReelError, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.director import LessonScene
from torchreel.stage.frame import Parts
from torchreel.stage.numerals import MINUS
from torchreel.stage.stage import Stage
from torchreel.tracer import trace_script


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_no_text_is_cut_small_or_covered(staged: Staged, cell: str, artboard: str) -> None:
    assert staged(cell, artboard).warnings == []


@pytest.mark.parametrize("cell", CELLS)
def test_each_statement_has_one_cue_in_order(staged: Staged, trace: Trace, cell: str) -> None:
    scene = staged(cell)
    statements = [statement.number for statement in trace.cell(cell).statements]
    assert [cue.statement for cue in scene.cues] == statements
    assert scene.cues[0].start == 0
    for before, after in zip(scene.cues, scene.cues[1:], strict=False):
        assert before.end == after.start
    assert all(cue.end > cue.start for cue in scene.cues)
    assert 0 < scene.poster_time < scene.cues[-1].end


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_drawn_is_what_torch_did(staged: Staged, trace: Trace, cell: str) -> None:
    """Replays the script without the tracer, statement by statement, and compares every text."""
    scene = staged(cell, "film")
    slice_ = trace.of_cell(cell)
    tensors = _replayed(slice_, cell)
    checked = 0
    for drawn in scene.drawn:
        if drawn.source == "op":
            assert drawn.step is not None
            line = slice_.steps[drawn.step].expression
            assert all(part in line for part in drawn.text.split()), "as the reader types it"
        elif drawn.source == "code":
            assert drawn.text in CELLS[cell]
        elif drawn.source == "literal":
            assert drawn.step is not None
            literal = slice_.steps[drawn.step].operands[drawn.index[0]].literal
            assert literal is not None
            assert literal in slice_.steps[drawn.step].expression
            assert drawn.text.replace(MINUS, "-") == literal
        elif drawn.source == "product":
            _compare_product(drawn, slice_, tensors)
        elif drawn.tensor in tensors:
            _compare(drawn, tensors[drawn.tensor])
            checked += 1
    assert checked > 0


def _replayed(trace: Trace, cell: str) -> dict[int, torch.Tensor]:
    """Return the tensor of each record that a name was bound to, from a run without the tracer."""
    scope: dict[str, object] = {"torch": torch}
    names = list(CELLS)
    for before in names[: names.index(cell)]:
        exec(CELLS[before], scope)
    tensors = {record: deepcopy(scope[name]) for name, record in trace.names.items()}
    statements = {each.number: each.text for each in trace.cells[0].statements}
    for run in trace.runs:
        exec(statements[run.statement], scope)
        tensors |= {
            record: deepcopy(scope[name])  # as it is now: it may be written in place later
            for name, record in run.changed.items()
            if record is not None
        }
    return {key: value for key, value in tensors.items() if isinstance(value, torch.Tensor)}


def _compare(drawn: Drawn, tensor: torch.Tensor) -> None:
    if drawn.source == "value":
        value = tensor[drawn.index].item()
        assert _reads_as(drawn.text, value), f"{drawn.text} is drawn for {value}"
    elif drawn.source == "size":
        size = tensor.shape[drawn.index[0]] if drawn.index else tensor.numel()
        assert int(drawn.text) == size
    elif drawn.source == "stride":
        assert int(drawn.text) == tensor.stride()[drawn.index[0]]
    elif drawn.source == "shape":
        assert drawn.text == str(tuple(tensor.shape))
    elif drawn.source == "dtype":
        assert drawn.text == str(tensor.dtype).removeprefix("torch.")
    elif drawn.source == "device":
        assert drawn.text == str(tensor.device)
    elif drawn.source == "requires_grad":
        assert tensor.requires_grad


def _compare_product(drawn: Drawn, trace: Trace, tensors: dict[int, torch.Tensor]) -> None:
    assert drawn.step is not None
    first, place, second, other = drawn.index
    operands = [each.tensor for each in trace.steps[drawn.step].operands]
    a, b = (tensors.get(operands[each] or 0) for each in (first, second))
    if a is None or b is None:  # no name was bound to it
        return
    value = (a.flatten()[place] * b.flatten()[other]).item()
    assert _reads_as(drawn.text, value), f"{drawn.text} is drawn for {value}"


def _reads_as(text: str, value: float | int | bool) -> bool:
    if isinstance(value, bool):
        return text in (str(bool(value)), str(bool(value))[0])
    if value != value:
        return text == "nan"
    number = float(text.replace(MINUS, "-"))
    if "e" in text:
        exponent = int(text.replace(MINUS, "-").split("e")[1])
        return abs(number - value) <= 0.51 * 10.0**exponent
    decimals = re.search(r"\.(\d*)$", text)
    return number == value or (
        decimals is not None and number == pytest.approx(value, abs=0.51 * 10 ** -len(decimals[1]))
    )


def test_arithmetic_that_comes_again_is_told_shortly(staged: Staged) -> None:
    """Two lines of arithmetic, or a loop of it, are no longer than can be looked at."""
    first, second = staged("scaled").cues[1:3]
    assert second.end - second.start < 0.75 * (first.end - first.start)
    assert staged("arithmetic").cues[2].start < 8


def test_a_loop_of_arithmetic_is_told_shortly(tmp_path: Path) -> None:
    lines = "x = torch.tensor([1.0, 2.0])\nfor i in range(100):\n    x = x * 0.5 + 1"
    script = write_cells(tmp_path, {"laps": lines})
    scene = play_cell(trace_script(script, root=tmp_path), "laps")
    assert scene.warnings == []
    assert scene.cues[-1].end < 15
    laps = [cue.end - cue.start for cue in scene.cues[1:4]]
    assert laps == sorted(laps, reverse=True)


LAST_LAPS = {
    "left": "for i in range(5):\n    x = torch.full((2,), i)\n    if i == 3:\n        break\n"
    "    for j in range(2):\n        x = x * 2 + j",
    "skipped": "for i in range(7):\n    x = torch.full((2,), i)\n    if i > 1:\n        continue\n"
    "    for j in range(3):\n        x = x * 2 + j",
    "renamed": "y = torch.tensor([5, 6])\nx = torch.tensor([1, 2])\nfor i in range(5):\n"
    "    if i == 3:\n        x = y\n        break\n    for j in range(2):\n        x = x * 2 + j",
    "deep": "x = torch.ones(2)\nfor i in range(4):\n    if i == 3:\n        x = x + 100\n"
    "        break\n    for j in range(1):\n        for k in range(1):\n            x = x + k",
}
"""Loops whose last lap does not come to the loop in it."""


@pytest.mark.parametrize("cell", LAST_LAPS)
def test_what_stands_when_a_loop_ends_is_what_its_names_hold(tmp_path: Path, cell: str) -> None:
    lines = LAST_LAPS[cell]
    held: dict[str, Any] = {"torch": torch}
    exec(lines, held)  # the oracle: torch without the tracer
    script = write_cells(tmp_path, {"laps": f"{lines}\nprint(x)"})
    scene = play_cell(trace_script(script, root=tmp_path), "laps")
    shown = scene.trace.values[scene.block("x").record.id]
    assert shown.tolist() == held["x"].tolist()
    laps = held["i"] + 1
    last = [each.text for each in scene.drawn if each.text.endswith(f"/{laps}")]
    assert last[-1] == f"{laps}/{laps}"
    assert scene.cues[-2].laps == laps - 3
    assert scene.warnings == []


def test_every_element_and_size_of_the_lesson_is_drawn(staged: Staged) -> None:
    scene = staged("lesson")
    second = [drawn for drawn in scene.drawn if drawn.cue == 2]
    values = {drawn.index: drawn.text for drawn in second if drawn.tensor == 1 and drawn.index}
    elements = {index: text for index, text in values.items() if len(index) == 2}
    assert elements == {(i, j): str(4 * i + j) for i in range(3) for j in range(4)}
    sizes = {drawn.index: drawn.text for drawn in second if drawn.source == "size"}
    assert sizes == {(0,): "3", (1,): "4"}
    assert {drawn.text for drawn in second if drawn.source == "shape"} == {"(12,)", "(3, 4)"}


def test_the_sentence_names_the_real_operand(staged: Staged) -> None:
    """z is made from x, not from y, though y is what stood on stage before it."""
    third = [drawn for drawn in staged("lesson").drawn if drawn.cue == 3]
    assert [drawn.text for drawn in third if drawn.source == "name"] == ["x", "z"]


def test_a_dimension_of_size_one_is_labelled_in_the_new_tensor(staged: Staged) -> None:
    scene = staged("lesson2")
    sizes = {d.index: d.text for d in scene.drawn if d.cue == 1 and d.source == "size"}
    assert sizes == {(0,): "1", (1,): "3", (2,): "4"}
    sizes = {d.index: d.text for d in scene.drawn if d.cue == 2 and d.source == "size"}
    assert sizes == {(0,): "3", (1,): "4"}


def test_the_cells_of_a_long_row_fall_one_by_one(
    monkeypatch: pytest.MonkeyPatch, staged: Staged
) -> None:
    shown: list[int] = []
    play = Stage.play

    def watch(self: Stage, *animations: Animation) -> None:
        for each in animations:
            if isinstance(each, BlockAnimation) and isinstance(each.mobject, TensorBlock):
                each.interpolate(0.2)
                shown.append(int(each.mobject.pose.shown.sum()))
        play(self, *animations)

    monkeypatch.setattr(Stage, "play", watch)
    block = staged("large", until="x").block("x")
    assert block.pose.shown.all()
    assert 0 < shown[0] < len(block.elements) < block.record.numel


def test_cells_in_frames_keep_their_digits(staged: Staged) -> None:
    block = staged("cell_frames", until="a").block("a")
    assert len(block.boxes) == 1
    assert block.fitted()[0] is not None


def test_a_bracket_above_makes_way_for_the_back_of_the_wire(staged: Staged) -> None:
    block = staged("wrapped").block("a")
    (wire,) = block.boxes
    above = [each for each in block.brackets if each.is_above]
    assert len(above) == 1
    assert above[0].get_bottom()[1] > wire.behind.get_top()[1]


def test_wire_frames_leave_the_cells_where_they_were(staged: Staged) -> None:
    for cell in ("lesson2", "row_frames", "cell_frames"):
        scene = staged(cell)
        assert scene.stage.block is not None
        home = scene.stage.placement(scene.stage.block.record).pose
        assert scene.stage.block.pose.corners == pytest.approx(home.corners)
        assert scene.stage.block.pose.size == pytest.approx(home.size)


def test_the_clip_without_memory_to_show_has_no_tape(staged: Staged) -> None:
    assert staged("lesson").stage.tape is not None
    assert staged("lesson2").stage.tape is None
    assert staged("joined").stage.tape is None


def test_a_reshape_that_had_to_copy_has_memory_of_its_own(staged: Staged) -> None:
    stage = staged("copy").stage
    assert stage.tape is not None
    assert stage.block is not None
    assert stage.tape_holds(stage.block.record)
    assert [label.text for label in stage.tape.digits] == [
        str(each) for each in torch.arange(12).reshape(3, 4).t().flatten().tolist()
    ]


@pytest.mark.parametrize(("line", "cues"), [("y", 2), ("y = x.reshape(3, 4)", 2), ("z", 3)])
def test_play_line_goes_as_far_as_the_line(
    trace: Trace, monkeypatch: pytest.MonkeyPatch, staged: Staged, line: str, cues: int
) -> None:
    monkeypatch.setattr(LessonScene, "construct", lambda self: self.play_line(line))
    assert len(staged("lesson").cues) == cues


@pytest.mark.parametrize(("cell", "line"), [("lesson", "nothing"), ("reused", "x")])
def test_play_line_names_the_lines_there_are(
    monkeypatch: pytest.MonkeyPatch, staged: Staged, cell: str, line: str
) -> None:
    monkeypatch.setattr(LessonScene, "construct", lambda self: self.play_line(line))
    with pytest.raises(TorchReelError) as raised:
        staged(cell)
    assert repr(line) in raised.value.problem.what
    assert CELLS[cell].splitlines()[0] in raised.value.problem.remedy


def test_block_returns_what_is_on_stage(staged: Staged) -> None:
    scene = staged("lesson")
    assert scene.block("z").record.shape == (2, 2, 3)
    with pytest.raises(TorchReelError, match="no block named 'y' is on stage"):
        scene.block("y")


def _names(scene: LessonScene, cue: int) -> set[tuple[str, int | None]]:
    return {
        (each.text, each.tensor) for each in scene.drawn if (each.cue, each.source) == (cue, "name")
    }


def test_a_tensor_that_loses_its_name_shows_it_struck_through(
    staged: Callable[..., LessonScene],
) -> None:
    scene = staged("reused")
    old, new = (run.changed["x"] or 0 for run in scene.trace.runs[:2])
    assert _names(scene, 2) == {("x", old), ("x", new)}
    assert {tensor for _, tensor in _names(scene, 3)} == {scene.trace.runs[2].changed["x"]}
    struck = staged("reused", until="x = x.reshape(2, 2)").stage
    assert struck.former == {old: "x"}
    assert struck.named(struck.record(old)).former
    assert not struck.named(struck.record(new)).former


def test_what_is_written_in_place_keeps_its_name(staged: Callable[..., LessonScene]) -> None:
    for line in ("n[0, 1] = 40", "k += 1"):
        assert staged("sliced_write", until=line).stage.former == {}


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ("a = torch.ones(2)\nb = a * 3\na += 1", [2.0, 2.0]),
        ("a = torch.ones(2)\nb = a * 3\nb[0] = 7", [7.0, 3.0]),
        ("z = torch.tensor([1 + 2j, 3 - 1j])\nz.real[0] = 9", [9.0, 3.0]),
    ],
)
def test_an_equation_leaves_when_a_side_of_it_is_written(
    tmp_path: Path, lines: str, values: list[float]
) -> None:
    script = write_cells(tmp_path, {"row": lines})
    scene = play_cell(trace_script(script, root=tmp_path), "row")
    (block,) = scene.stage.blocks
    held = scene.trace.steps[-1].results[0]
    assert scene.trace.values[held].tolist() == values
    assert block.record.storage == scene.trace.tensor(held).storage
    assert not block.record.dtype.startswith("complex")
    signs = [each.text for each in Parts.of(scene.mobjects).labels if each.text in ("×", "=")]
    assert signs == []


def test_what_is_written_without_a_name_keeps_the_code_that_made_it(tmp_path: Path) -> None:
    lines = "x = torch.arange(6).reshape(2, 3)\nx[0].mul_(2)"
    script = write_cells(tmp_path, {"row": lines})
    scene = play_cell(trace_script(script, root=tmp_path), "row")
    (read,) = [each for each in scene.trace.steps if each.expression == "x[0]"]
    strip = [each.text for each in scene.drawn if (each.cue, each.source) == (2, "code")]
    assert strip.count(read.expression) >= 2


def test_one_number_without_a_name_goes_by_its_value_in_the_strip(tmp_path: Path) -> None:
    script = write_cells(tmp_path, {"sum": "x = torch.tensor([2.0, 3.5])\nx.sum()"})
    scene = play_cell(trace_script(script, root=tmp_path), "sum")
    (total,) = scene.trace.steps[-1].results
    last = [each for each in scene.drawn if each.cue == 2]
    after = last[[each.source for each in last].index("op") + 1]
    value = torch.tensor([2.0, 3.5]).sum().item()
    assert (after.source, after.tensor, after.text) == ("value", total, f"{value:.2f}")


def test_a_new_module_is_not_told_as_the_line_before(tmp_path: Path) -> None:
    script = write_cells(tmp_path, {"net": "x = torch.ones(2)\nnet = torch.nn.Linear(2, 1)"})
    scene = play_cell(trace_script(script, root=tmp_path), "net")
    assert [[each.cue, each.text] for each in scene.drawn if each.source == "op"] == [[1, "ones"]]


def test_a_tensor_without_a_name_shows_the_code_that_made_it(
    staged: Callable[..., LessonScene],
) -> None:
    scene = staged("squashed", until="g = (u > 0).any(1)")
    (step,) = [each for each in scene.trace.steps if each.expression == "u > 0"]
    shown = [each for each in scene.drawn if each.source == "code" and each.step == step.number]
    assert {each.text for each in shown} == {"u > 0"}


STANDING = {
    "row_again": ("x = torch.arange(12)\ny = x.reshape(3, 4)", "x.unsqueeze(0)"),
    "ones": ("x = torch.arange(4).reshape(2, 2, 1)\ny = x.reshape(-1)", "x.squeeze(-1)"),
    "copied": ("x = torch.arange(12)\ny = x.reshape(3, 4)", "x.contiguous()"),
    "parted": ("x = torch.arange(12)\ny = x.reshape(3, 4)", "x.split(6)[1]"),
    "no_turn": ("x = torch.arange(6).reshape(3, 2)", "x.permute(0, 1)"),
    "no_move": ("x = torch.arange(9).reshape(3, 3)\ny = x + 1", "y.transpose(-2, 0)"),
    "grown": ("x = torch.arange(2.0).reshape(2)\ny = x.resize_(4)", "y.fill_(1)"),
}
"""What is on stage in another shape than the last line needs it, or stays as it is."""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a cell for each of these."""
    cells = {name: f"{made}\nz = {line}" for name, (made, line) in STANDING.items()}
    script = write_cells(tmp_path_factory.mktemp("standing"), cells)
    return trace_script(script, root=script.parent)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", STANDING)
def test_what_stands_in_another_shape_is_taken_from_there(
    standing: Trace, cell: str, artboard: str
) -> None:
    made, line = STANDING[cell]
    names: dict[str, Any] = {"torch": torch}
    exec(f"{made}\nz = {line}", names)
    scene = play_cell(standing, cell, artboard)
    block = scene.block("z")
    assert block.record.shape == tuple(names["z"].shape)
    assert block.values is not None
    assert block.values.tolist() == names["z"].flatten().tolist()
    assert len(np.unique(block.pose.corners.round(), axis=0)) == names["z"].numel()
    assert not scene.warnings
