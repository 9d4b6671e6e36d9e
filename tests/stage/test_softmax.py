"""Softmax and cross entropy as bars and a curve: drawn to torch's scale, no number made up."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import numpy as np
import pytest
from manim import Mobject

from tests.stage.conftest import Staged
from tests.stage.test_director import _reads_as
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.bars import Bars
from torchreel.stage.canvas import Label
from torchreel.stage.curve import LossCurve
from torchreel.stage.director import LessonScene

HEAD = "import torch\nimport torch.nn.functional as F\n"
Z = "z = torch.tensor([[2.0, 1.0, -1.0], [-3.0, 0.5, 1.5]])\ny = torch.tensor([0, 2])\n"
CELLS = {
    "row": "z = torch.tensor([2.0, 1.0, -1.0, 0.5])\np = z.softmax(dim=-1)",
    "rows": Z + "p = F.softmax(z, dim=1)",
    "columns": Z + "p = torch.softmax(z, 0)",
    "middle": "z = torch.linspace(-1, 1, 24).reshape(2, 3, 4)\np = z.softmax(-2)",
    "never": "z = torch.tensor([float('-inf'), 1.0, -1.0])\np = z.softmax(0)",
    "nan": "z = torch.tensor([float('nan'), 1.0])\np = z.softmax(0)",
    "one": "z = torch.tensor([-3.0])\np = z.softmax(0)",
    "scalar": "z = torch.tensor(2.0)\np = z.softmax(0)",
    "empty": "z = torch.zeros(0, 3)\np = z.softmax(1)",
    "narrow": "z = torch.linspace(-2, 2, 20)\np = z.softmax(0)",
    "long": "z = torch.linspace(-2, 2, 120).reshape(3, 40)\np = z.softmax(1)",
    "loss": "z = torch.tensor([2.0, 1.0, -1.0, 0.5])\ny = torch.tensor(1)\np = z.softmax(-1)\n"
    "loss = F.cross_entropy(z, y)",
    "losses": Z + "loss = F.cross_entropy(z, y, reduction='none')",
    "mean": Z + "loss = F.cross_entropy(z, y)",
    "weighted": Z + "w = torch.tensor([1.0, 2.0, 3.0])\n"
    "loss = F.cross_entropy(z, y, weight=w, reduction='none')",
    "smooth": Z + "loss = F.cross_entropy(z, y, reduction='none', label_smoothing=0.1)",
    "ignored": Z + "loss = F.cross_entropy(z, torch.tensor([0, -100]), reduction='none')",
    "shares": Z + "loss = F.cross_entropy(z, torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))",
    "pixels": "z = torch.zeros(2, 3, 4)\ny = torch.ones(2, 4, dtype=torch.int64)\n"
    "loss = F.cross_entropy(z, y)",
}
SHARES = [cell for cell, lines in CELLS.items() if "cross_entropy" not in lines]

_Kind = TypeVar("_Kind", bound=Mobject)


@functools.cache
def _scope(cell: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(HEAD + CELLS[cell], scope)
    return scope


def _props(scene: LessonScene, kind: type[_Kind]) -> list[_Kind]:
    return [prop for prop in scene.stage._props if isinstance(prop, kind)]


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_number_is_one_that_torch_holds(played: Staged, cell: str, artboard: str) -> None:
    scene, scope = played(cell, artboard), _scope(cell)
    assert scene.warnings == []
    assert scene.stage.blocks[-1].pose.shown.all()
    named = {record: name for name, record in scene.stage.names.items()}
    for drawn in scene.drawn:
        if drawn.source == "value" and drawn.tensor in named:
            assert _reads_as(drawn.text, scope[named[drawn.tensor]][drawn.index].item())
        elif drawn.source == "sign":
            assert not any(each.isdigit() for each in drawn.text), "a number says what it is of"


@pytest.mark.parametrize("cell", ["row", "rows", "columns", "middle", "never", "one", "narrow"])
def test_the_bars_are_as_long_as_the_shares(played: Staged, cell: str) -> None:
    scene = played(cell)
    (bars,) = _props(scene, Bars)
    z = _scope(cell)["z"]
    dim = {"columns": 0, "middle": 1}.get(cell, -1)
    row = z.softmax(dim).movedim(dim, -1).reshape(-1, z.shape[dim])[0]
    heights = bars.boxes[:, 3]
    assert heights / heights.sum() == pytest.approx(row.numpy(), abs=1e-5)
    column = scene.stage._props[-1]
    parts = [np.ptp(part.points[:, 1]) for part, share in zip(column, row, strict=True) if share]
    whole = bars.room.height * scene.canvas.artboard.unit
    assert sum(parts) == pytest.approx(whole, rel=0.03), "all shares together are the whole"


@pytest.mark.parametrize("cell", ["nan", "empty", "long"])
def test_what_has_no_shares_has_no_column(played: Staged, cell: str) -> None:
    assert len(_props(played(cell), Bars)) == (cell == "nan")


@pytest.mark.parametrize("cell", ["loss", "losses"])
def test_a_loss_lies_on_the_curve_at_its_height(played: Staged, cell: str) -> None:
    (curve,) = _props(played(cell), LossCurve)
    losses = _scope(cell)["loss"].reshape(-1)
    labels = [each.source for each in curve.get_family() if isinstance(each, Label)]
    loss = played(cell).stage.names["loss"]
    (text,) = (each.text for each in labels if each is not None and each.tensor == loss)
    assert _reads_as(text, losses[-1].item())
    axes, line, _, dot, *_ = curve.submobjects
    low, left = axes.points[:, 1].min(), axes.points[:, 0].min()
    width = axes.points[:, 0].max() - left
    x, y = dot.get_center()[:2]
    assert (x - left) / width == pytest.approx(np.exp(-losses[-1].item()), abs=0.01)
    near = line.points[np.abs(line.points[:, 0] - x).argmin()]
    assert y == pytest.approx(near[1], abs=0.15)
    assert y > low


def test_the_share_under_a_loss_is_that_of_the_softmax_before(played: Staged) -> None:
    scene, p = played("loss"), _scope("loss")["p"]
    told = [d for d in scene.drawn if d.cue == 4 and d.tensor == scene.stage.names["p"]]
    assert [(d.index, _reads_as(d.text, p[1].item())) for d in told] == [((1,), True)]


@pytest.mark.parametrize("cell", ["mean", "weighted", "smooth", "ignored", "shares", "pixels"])
def test_no_curve_is_drawn_for_a_loss_that_does_not_lie_on_it(played: Staged, cell: str) -> None:
    assert _props(played(cell), LossCurve) == []


@pytest.mark.parametrize(("cell", "lit"), [("losses", 2), ("mean", 2), ("ignored", None)])
def test_the_bar_of_the_right_class_is_lit(played: Staged, cell: str, lit: int | None) -> None:
    (bars,) = _props(played(cell), Bars)
    bright = np.flatnonzero(bars.dims == 0).tolist()
    assert bright == ([0, 1, 2] if lit is None else [lit])
