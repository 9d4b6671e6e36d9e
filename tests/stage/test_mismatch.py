"""Two tensors that are not broadcast: the sizes that torch names are bracketed on the operands."""

from __future__ import annotations

import re

import pytest
import torch
from manim import VMobject

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.tracer import trace_script

MADE = {
    "columns": ((3, 2), (4,)),
    "rows": ((3, 4), (2, 1)),
    "slices": ((2, 3, 4), (3, 3, 4)),
    "large": ((32, 784), (32,)),
}
SIZES = re.compile(r"tensor a \((\d+)\) must match .* tensor b \((\d+)\) at .* dimension (\d+)")


@pytest.fixture(scope="module")
def clashes(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a script that catches what torch raises."""
    cells = {
        name: f"a = torch.ones{one}\nb = torch.ones{other}\n"
        "try:\n    c = a + b\nexcept RuntimeError as error:\n    print(error)\nd = a + 1"
        for name, (one, other) in MADE.items()
    }
    script = write_cells(tmp_path_factory.mktemp("clashes"), cells)
    return trace_script(script, root=script.parent)


def red(scene: LessonScene) -> list[Label]:
    """Return the texts on stage in the colour of errors."""
    error = tuple(scene.canvas.theme.error.round(3))
    parts = [part for each in scene.mobjects for part in each.get_family()]
    labels = [each for each in parts if isinstance(each, Label)]
    return [each for each in labels if tuple(each.fill_rgbas[0, :3].round(3)) == error]


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", MADE)
def test_what_torch_says_is_bracketed_on_the_operands(
    clashes: Trace, cell: str, artboard: str
) -> None:
    one, other = (torch.ones(shape) for shape in MADE[cell])
    with pytest.raises(RuntimeError) as raised:
        one + other
    found = SIZES.search(str(raised.value))
    assert found is not None
    first, second, dim = (int(each) for each in found.groups())
    rank = max(one.dim(), other.dim())
    scene = play_cell(clashes, cell, artboard, until="c = a + b")
    a, b = scene.block("a"), scene.block("b")
    told = {
        (each.source.tensor, each.source.index): each.text for each in red(scene) if each.source
    }
    assert told[a.record.id, (dim - rank + one.dim(),)] == str(first)
    assert told[b.record.id, (dim - rank + other.dim(),)] == str(second)
    assert f"dim {dim - rank}" in [each.text for each in red(scene)]
    assert not scene.warnings


def test_what_is_red_goes_with_the_next_line_and_the_operand_stays(clashes: Trace) -> None:
    scene = play_cell(clashes, "columns")
    assert not red(scene)
    assert not scene.warnings
    lines = [part for each in scene.mobjects for part in each.get_family()]
    error = tuple(scene.canvas.theme.error.round(3))
    strokes = [each for each in lines if isinstance(each, VMobject) and each.stroke_width]
    assert error not in {tuple(each.stroke_rgbas[0, :3].round(3)) for each in strokes}
    assert scene.block("a").record.shape == MADE["columns"][0]
