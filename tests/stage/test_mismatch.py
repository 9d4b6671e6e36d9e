"""Two tensors that are not broadcast: the sizes that torch names are bracketed on the operands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from manim import VMobject

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.code import CodeBand
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


PYTHON = "x = torch.arange(4)\ny = x * 2\nfor lap in range(5):\n    z = x + lap\n"
ENDED = {
    "key": ("z = x * {}['lr']", "KeyError: 'lr'"),
    "method": ("y.reshap(2, 2)", "AttributeError: 'Tensor' object has no attribute 'reshap'"),
    "loop": ("for n in [1, 0]:\n    z = x * (1 // n)", "ZeroDivisionError: integer division"),
    "torch": ("y.view(3)", "RuntimeError: shape '[3]' is invalid for input of size 4"),
}


@pytest.mark.parametrize("name", ENDED)
def test_what_ends_a_script_is_told_at_its_line(name: str, tmp_path: Path) -> None:
    code, message = ENDED[name]
    (tmp_path / "s.py").write_text(f"import torch\n# %% end\n{PYTHON}{code}\nw = x + 1\n")
    traced = trace_script(tmp_path / "s.py", root=tmp_path)
    assert traced.error is not None
    with pytest.raises(Exception, match=re.escape(message.partition(": ")[2])):
        exec((tmp_path / "s.py").read_text(), {})
    scene = play_cell(traced, "end", "film")
    assert scene.warnings == []
    texts = {each.number: each.text for each in traced.cell("end").statements}
    assert texts[scene.cues[-1].statement].strip() == code.splitlines()[-1].strip()
    told = "".join(each.text for each in scene.drawn if each.source == "raised")
    assert told.startswith(message)
    assert {each.cue for each in scene.drawn if each.source == "raised"} == {len(scene.cues)}
    (band,) = [each for each in scene.mobjects if isinstance(each, CodeBand)]
    assert band.failed == 1.0
    assert scene.cues[-1].lap == (2 if name == "loop" else 1)


def test_what_no_act_draws_is_told_by_the_class_and_on_film_by_the_message(tmp_path: Path) -> None:
    code = "x = torch.arange(12).reshape(3, 4)\ny = x.T\nz = y.view(12)\n"
    (tmp_path / "s.py").write_text(f"import torch\n# %% view\n{code}")
    traced = trace_script(tmp_path / "s.py", root=tmp_path)
    with pytest.raises(RuntimeError) as raised:
        torch.arange(12).reshape(3, 4).T.view(12)
    for artboard in ARTBOARDS:
        scene = play_cell(traced, "view", artboard)
        assert scene.warnings == []
        seen = scene.sources_on_stage()
        told = "".join(each.text for each in seen if each.source == "raised")
        chips = [each.text for each in seen if each.source == "clash"]
        if artboard == "film":
            assert told == f"RuntimeError: {raised.value}"
        else:
            assert (told, chips) == ("", ["RuntimeError"])
            assert ("y", "name") in {(each.text, each.source) for each in seen}


def test_a_message_that_is_printed_is_whole(clashes: Trace) -> None:
    scene = play_cell(clashes, "columns", until="print(error)")
    with pytest.raises(RuntimeError) as raised:
        torch.ones(3, 2) + torch.ones(4)
    rows = [each.text for each in scene.sources_on_stage() if each.source == "printed"]
    assert " ".join(row.strip() for row in rows) == str(raised.value)


@pytest.mark.parametrize("laps", [2, 10])
def test_what_raises_in_a_training_loop_ends_the_film(laps: int, tmp_path: Path) -> None:
    code = (
        f"data = [torch.ones(4, 2)] * {laps} + [torch.ones(4, 3)]\n"
        "w = torch.zeros(2, requires_grad=True)\nsgd = torch.optim.SGD([w], lr=0.1)\n"
        "for batch in data:\n    sgd.zero_grad()\n    loss = (batch @ w - 1).square().mean()\n"
        "    loss.backward()\n    sgd.step()\n"
    )
    (tmp_path / "s.py").write_text(f"import torch\n# %% train\n{code}")
    traced = trace_script(tmp_path / "s.py", root=tmp_path)
    with pytest.raises(RuntimeError) as raised:
        torch.ones(4, 3) @ torch.zeros(2)
    scene = play_cell(traced, "train", "film")
    assert scene.warnings == []
    told = [each for each in scene.drawn if each.source == "raised"]
    assert "".join(each.text for each in told) == f"RuntimeError: {raised.value}"
    assert {each.cue for each in told} == {len(scene.cues)}
    assert scene.cues[-1].lap == laps + 1
