"""What is written about a block alone on stage: brackets, titles and badges have room."""

from __future__ import annotations

import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.bracket import Bracket
from torchreel.stage.title import Title
from torchreel.tracer import trace_script

CELLS = {
    "wide": "w = torch.rand(128, 784, requires_grad=True)",
    "plate": "x = torch.rand(30, 40)",
    "deep": "b = torch.rand(4, 24, 24, dtype=torch.float64)",
}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    script = write_cells(tmp_path_factory.mktemp("labels"), CELLS)
    return trace_script(script, root=script.parent)


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_wide_parameter_and_its_brackets_keep_the_margin(traced: Trace, artboard: str) -> None:
    scene = play_cell(traced, "wide", artboard)
    assert not scene.warnings
    (block,) = scene.stage.blocks
    assert block.framed
    sizes = [each.label.text for each in block.brackets if isinstance(each, Bracket)]
    assert sorted(sizes) == sorted(map(str, torch.rand(128, 784).shape))


@pytest.mark.parametrize("cell", ["plate", "deep"])
def test_a_tall_slab_on_film_has_its_title_beside_it_and_its_badge_below_that(
    traced: Trace, cell: str
) -> None:
    scene = play_cell(traced, cell, "film")
    (block,) = scene.stage.blocks
    assert isinstance(block.title, Title)
    assert not scene.warnings
    canvas = scene.canvas
    *words, badge = block.title.submobjects
    left = canvas.pixel(badge.get_left())[0]
    assert left == pytest.approx(min(canvas.pixel(each.get_left())[0] for each in words), abs=4)
    assert left > block.pose.box[2]
    assert canvas.pixel(badge.get_top())[1] > canvas.pixel(words[-1].get_bottom())[1]
    told = {each.text for each in scene.drawn if each.source == "dtype"}
    assert told == {str(block.record.dtype)}
