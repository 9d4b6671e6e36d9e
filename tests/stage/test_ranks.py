"""The overview of ranks: which cells have one, where each tensor stands, and what is written."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.stage.conftest import Staged
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.frame import Parts
from torchreel.stage.ranks import places

SHAPES = [(), (3,), (3, 4), (3, 3, 4), (3, 2, 3, 3)]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_tensors_of_many_ranks_stand_side_by_side_over_their_shapes(
    staged: Staged, artboard: str
) -> None:
    scene = staged("many_ranks", artboard)
    assert not scene.warnings
    blocks = Parts.of(scene.mobjects).blocks
    assert [each.record.shape for each in blocks] == SHAPES
    assert scene.cues[-1].tensors == tuple(each.record.id for each in blocks)
    for cue, shape in enumerate(SHAPES, 1):
        written = [d.text for d in scene.drawn if d.cue == cue and d.source == "shape"]
        assert written == [str(tuple(torch.zeros(each).shape)) for each in SHAPES[:cue]]
        assert written[-1] == str(shape)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("shapes", [SHAPES, [(), (2,), (2, 2)], [(9, 9), (1,), (2, 2, 2)] * 2])
def test_pictures_of_a_row_stand_on_one_line_and_apart(
    artboard: str, shapes: list[tuple[int, ...]]
) -> None:
    board = ARTBOARDS[artboard]
    found = places(shapes, board)
    for solid in (False, True):
        row = [each for each in found if (len(each.shape) > 2) == solid]
        boxes = sorted(each.pose.box for each in row)
        assert all(left[2] < right[0] for left, right in itertools.pairwise(boxes))
        assert all(box[0] >= 0 and box[2] <= board.width for box in boxes)
        assert all(box[3] <= board.strip.y for box in boxes)
        floors = {round(each.pose.box[3], 3) for each in row if len(each.shape) < 4}
        assert len(floors) <= 1


def test_two_ranks_are_shown_one_after_the_other(staged: Staged) -> None:
    scene = staged("bools")
    (block,) = scene.stage.blocks
    assert block.record.shape == (3,)
