"""Arithmetic on stage: each number stands where torch's result has it, in the right order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from torchreel.records import Drawn
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.seen import Seen, ghosts_of, stretched

Staged = Callable[..., LessonScene]


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
