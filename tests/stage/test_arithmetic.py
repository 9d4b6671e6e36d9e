"""Arithmetic on stage: each number stands where torch's result has it, in the right order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from manim import Animation

from tests.stage.conftest import Staged
from torchreel.records import Drawn
from torchreel.stage import motion
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.seen import Seen, ghosts_of, stretched
from torchreel.stage.shaperows import ShapeRows


def written(scene: LessonScene, cue: int) -> list[str]:
    """Return the line that is written out at the end of a cue, left to right."""
    scene_line = scene.stage._line
    assert scene_line is not None
    assert len(scene.cues) == cue
    return [label.text for label in scene_line.get_family() if isinstance(label, Label)]


def test_both_operands_and_the_result_are_told_element_by_element(staged: Staged) -> None:
    scene = staged("broadcast")
    assert written(scene, 3) == ["10", "+", "3", "=", "13"]
    a, b, c = scene.stage.blocks
    assert [each.record.shape for each in (a, b, c)] == [(3, 4)] * 3
    assert c.pose.shown.all()
    assert a.pose.size == b.pose.size == c.pose.size


@pytest.mark.parametrize(
    ("cell", "line", "most"), [("matmul", "C", 6.2), ("arithmetic", "v", 5), ("squashed", "a", 6)]
)
def test_the_first_op_of_a_kind_is_told_in_some_six_seconds(
    staged: Staged, cell: str, line: str, most: float
) -> None:
    scene = staged(cell, until=line)
    rest = motion.BEAT if line == "C" else 0  # at the end of the clip
    assert 3 < scene.cues[-1].end - scene.cues[-1].start - rest <= most


@pytest.mark.parametrize("artboard", ["page", "film"])
@pytest.mark.parametrize(
    ("cell", "shapes"),
    [
        ("broadcast", [(3, 1), (4,)]),
        ("stretched", [(2, 1, 2), (3, 1)]),
        ("one_number", [(2, 3), ()]),
        ("slabs_added", [(40, 50), (50,)]),
        ("nothing_added", [(0, 3), (3,)]),
    ],
)
def test_shapes_stand_axis_under_axis_and_what_is_stretched_is_lit(
    staged: Staged,
    monkeypatch: pytest.MonkeyPatch,
    cell: str,
    shapes: list[tuple[int, ...]],
    artboard: str,
) -> None:
    shown: list[ShapeRows] = []
    light = ShapeRows.light

    def watched(self: ShapeRows) -> Animation:
        shown.append(self)
        return light(self)

    monkeypatch.setattr(ShapeRows, "light", watched)
    scene = staged(cell, artboard)
    assert scene.warnings == []
    rows = shown[0]
    sizes = [each for each in rows if isinstance(each, Label) and _source(each) == "size"]
    assert [int(each.text) for each in sizes] == [size for shape in shapes for size in shape]
    column: dict[int, list[float]] = {}
    number = iter(sizes)
    for shape in shapes:
        for axis in range(-len(shape), 0):
            column.setdefault(axis, []).append(float(next(number).get_center()[0]))
    assert all(np.ptp(each) < 0.1 for each in column.values()), "axis under axis, from the right"
    whole = np.broadcast_shapes(*shapes)
    lacking = [(-axis, None) for s in shapes for axis in range(len(whole), len(s), -1)]
    ones = [s for s in shapes for axis in range(-len(s), 0) if s[axis] != whole[axis]]
    lit = [label for _, label in rows.stretched]
    assert lit.count(None) == len(lacking)
    assert [label.text for label in lit if label is not None] == ["1"] * len(ones)
    focus = scene.canvas.theme.focus
    for box, label in rows.stretched:
        assert box.stroke_rgbas[0, :3] == pytest.approx(focus)
        assert label is None or label.fill_rgbas[0, :3] == pytest.approx(focus)


def _source(label: Label) -> str:
    return "" if label.source is None else label.source.source


def test_a_broadcast_shows_each_real_cell_once_and_ghosts_of_it(staged: Staged) -> None:
    a, b, _ = staged("broadcast").stage.blocks
    assert a.rest.reshape(3, 4).tolist() == [[0, 1, 1, 1]] * 3
    assert b.rest.reshape(3, 4).tolist() == [[0] * 4, [1] * 4, [1] * 4]
    texts, _ = a.fitted()
    assert texts == [text for text in ("0", "10", "20") for _ in range(4)]
    sources = {source.index for _, source, _ in a.digits()}
    assert sources == {(0, 0), (1, 0), (2, 0)}, "a ghost is an element of the tensor itself"


def test_a_number_stands_where_the_script_wrote_it(staged: Staged) -> None:
    scene = staged("scaled")
    signs = [[d.text for d in scene.drawn if d.cue == cue] for cue in (2, 3, 4)]
    literal = [
        [d.text for d in scene.drawn if d.cue == cue and d.source == "literal"] for cue in (2, 3, 4)
    ]
    assert literal == [["10", "10"], ["2", "2"], ["2", "2"]]
    assert "−" in signs[0]
    assert "×" in signs[1]
    assert "**" in signs[2]
    assert written(scene, 4) == ["3.", "**", "2", "=", "9."]


@pytest.mark.parametrize(
    ("small", "wide"),
    [((3, 1), (3, 4)), ((4,), (3, 4)), ((), (2, 3)), ((2, 1, 2), (2, 3, 2)), ((3, 4), (3, 4))],
)
def test_a_stretched_tensor_is_what_torch_expands_it_to(
    staged: Staged, small: tuple[int, ...], wide: tuple[int, ...]
) -> None:
    tensor = torch.arange(int(np.prod(small))).reshape(small)
    record = next(iter(staged("broadcast").trace.tensors))
    own = replace(record, shape=small, stride=tensor.stride(), offset=0)
    seen = stretched(own, wide)
    expanded = tensor.expand(wide)
    assert seen.shape == wide
    if small == wide:
        assert seen is own
        return
    assert isinstance(seen, Seen)
    assert seen.stride == expanded.stride()
    assert seen.origin.tolist() == expanded.tolist()
    assert np.count_nonzero(ghosts_of(seen)) == seen.numel - tensor.numel()


@pytest.mark.parametrize("cell", ["slabs_added", "nothing_added"])
def test_what_has_no_cells_is_added_all_the_same(staged: Staged, cell: str) -> None:
    scene = staged(cell)
    assert scene.stage.blocks[-1].pose.shown.all()
    shapes = {d.text for d in scene.drawn if d.cue == 2 and d.source == "shape"}
    assert len(shapes) >= 1


def test_the_line_never_says_a_number_that_torch_did_not_compute(staged: Staged) -> None:
    scene = staged("not_numbers")
    line = [d for d in scene.drawn if d.cue == 3 and d.source == "value"]
    assert {d.text for d in line} <= {"nan", "inf", "1.", "2."}
    assert all(isinstance(each, Drawn) for each in line)


def _fronts(scene: LessonScene, index: int) -> tuple[float, float, float, float]:
    return scene.stage.blocks[index].pose.front


def test_a_squashed_row_leaves_a_column_beside_it(staged: Staged) -> None:
    shapes: dict[str, tuple[str, list[int]]] = {}
    for statement, word in (("b = u.sum(dim=-1)", "column"), ("a = u.sum(0)", "row")):
        scene = _until(staged, "squashed", statement)
        source, made = scene.stage.blocks
        shapes[word] = (made.mode, made.record.shape if made.record.shape else [])  # type: ignore[assignment]
        corners = made.pose.corners
        if word == "column":
            assert np.ptp(corners[:, 0]) == 0, "one below the other"
            rows = source.pose.corners.reshape(2, 3, 2)[:, 0, 1]
            assert corners[:, 1] == pytest.approx(rows), "each beside the row that it sums"
        else:
            assert np.ptp(corners[:, 1]) == 0
            columns = source.pose.corners.reshape(2, 3, 2)[0, :, 0]
            assert corners[:, 0] == pytest.approx(columns), "each below the column that it sums"
            assert corners[:, 1].min() > source.pose.front[3]
    assert shapes["column"][0] == "column"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("a = u.sum(0)", ["−1.", "+", "4.", "=", "3."]),
        ("b = u.sum(dim=-1)", ["0.50", "+", "4.", "+", "1.", "=", "5.50"]),
        ("c = u.mean(1, keepdim=True)", ["(", "0.50", "+", "4.", "+", "1.", ")", "÷", "3", "=",
                                         "1.83"]),
        ("d = u.max(dim=1).values", ["max", "(", "0.50", ",", "4.", ",", "1.", ")", "=", "4."]),
        ("e = u.argmax(0)", ["argmax", "(", "−1.", ",", "4.", ")", "=", "1"]),
        ("g = (u > 0).any(1)", ["True", "|", "True", "|", "True", "=", "True"]),
    ],
)  # fmt: skip
def test_the_line_says_how_the_second_result_came_about(
    staged: Staged, line: str, parts: list[str]
) -> None:
    scene = _until(staged, "squashed", line)
    written_line = scene.stage._line
    assert written_line is not None
    said = [each.text for each in written_line.get_family() if isinstance(each, Label)]
    assert said == parts


def test_products_and_their_sum_are_those_of_row_and_column(staged: Staged) -> None:
    scene = staged("matmul")
    products = [d for d in scene.drawn if d.source == "product"]
    a = torch.tensor([[1, 2, 0], [0, 1, 3]])
    b = torch.tensor([[2, 0, 1, 1], [1, 3, 0, 2], [0, 1, 2, 1]])
    assert [int(each.text) for each in products] == (a[1] * b[:, 2]).tolist()
    left, above, made = scene.stage.blocks
    assert left.pose.corners[0, 1] == pytest.approx(made.pose.corners[0, 1])
    assert above.pose.corners[0, 0] == pytest.approx(made.pose.corners[0, 0])


def test_a_layer_sees_its_weight_turned(staged: Staged) -> None:
    scene = staged("layer")
    turned = scene.stage.blocks[1]
    assert turned.record.shape == (2, 3)
    weight = torch.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 0.0]])
    texts, _ = turned.fitted()
    assert texts is not None
    assert [float(text.replace("−", "-")) for text in texts] == weight.T.flatten().tolist()
    assert "W.T" in {d.text for d in scene.drawn if d.source == "name"}


def _until(staged: Staged, cell: str, line: str) -> LessonScene:
    return staged(cell, until=line)
