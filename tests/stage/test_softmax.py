"""Softmax and cross entropy as bars and a curve: drawn to torch's scale, no number made up."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from manim import Mobject

from tests.stage.conftest import Staged
from tests.stage.test_director import _reads_as
from torchreel.records import Drawn
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
    "pixels": "z = torch.linspace(-2, 2, 24).reshape(2, 3, 4)\n"
    "y = torch.tensor([[0, 1, 2, 0], [1, 1, 0, 2]])\nloss = F.cross_entropy(z, y)",
    "pixel": "z = torch.linspace(-2, 2, 24).reshape(2, 3, 4)\n"
    "y = torch.tensor([[0, 1, 2, 0], [1, 1, 0, 2]])\n"
    "loss = F.cross_entropy(z, y, reduction='none')",
    "added": Z + "loss = F.cross_entropy(z, y, reduction='sum')",
    "ten": "z = torch.linspace(-2, 4, 20).reshape(2, 10)\ny = torch.tensor([3, 9])\n"
    "loss = F.cross_entropy(z, y)",
    "unlikely": "z = torch.tensor([[0.0, float('-inf')], [800.0, 0.0]])\n"
    "loss = F.cross_entropy(z, torch.tensor([1, 1]), reduction='none')",
    "masked": "z = torch.arange(9.0).reshape(3, 3).sin()\n"
    "m = torch.ones(3, 3).triu(1).bool()\nz = z.masked_fill(m, float('-inf'))\np = z.softmax(-1)",
    "logs": Z + "p = F.log_softmax(z, dim=1)",
    "log_columns": Z + "p = z.log_softmax(0)",
    "implicit": Z + "p = F.softmax(z)",
    "implicit_deep": "z = torch.linspace(-1, 1, 24).reshape(2, 3, 4)\np = F.softmax(z)",
    "whole": Z + "p = z.double().softmax(-1)",
}
COMPUTED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "share": lambda row: row.softmax(0),
    "loss": lambda row: -row.log_softmax(0),
    "sum": lambda row: row.sum().expand(len(row)),
    "powersum": lambda row: row.exp().sum().expand(len(row)),
}

_Kind = TypeVar("_Kind", bound=Mobject)


@functools.cache
def _scope(cell: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a dimension that is not named
        exec(HEAD + CELLS[cell], scope)
    return scope


def _props(scene: LessonScene, kind: type[_Kind]) -> list[_Kind]:
    return [prop for prop in scene.stage._props if isinstance(prop, kind)]


def _computed(drawn: Drawn, held: torch.Tensor) -> float:
    """Return what PyTorch makes of the row in which an element is, at its place."""
    dim, *index = drawn.index
    rows = held.movedim(dim, -1) if held.dim() else held.reshape(1)
    place = index.pop(dim) if index else 0
    return float(COMPUTED[drawn.source](rows[tuple(index)])[place])


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
        elif drawn.source == "power" and drawn.tensor in named:
            assert _reads_as(drawn.text, scope[named[drawn.tensor]][drawn.index].exp().item())
        elif drawn.source in COMPUTED and drawn.tensor in named:
            assert _reads_as(drawn.text, _computed(drawn, scope[named[drawn.tensor]]))
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
    column = scene.stage._props[-2]
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
    (text,) = (each.text for each in labels if each is not None and each.source == "loss")
    assert _reads_as(text, losses[-1].item())
    axes, line, _, dot, *_ = curve.submobjects
    low, left = axes.points[:, 1].min(), axes.points[:, 0].min()
    width = axes.points[:, 0].max() - left
    x, y = dot.get_center()[:2]
    assert (x - left) / width == pytest.approx(np.exp(-losses[-1].item()), abs=0.01)
    near = line.points[np.abs(line.points[:, 0] - x).argmin()]
    assert y == pytest.approx(near[1], abs=0.15)
    assert y > low


def test_the_row_that_is_masked_least_is_told(played: Staged) -> None:
    scene, p = played("masked"), _scope("masked")["p"]
    (bars,) = _props(scene, Bars)
    heights = bars.boxes[:, 3]
    assert heights / heights.sum() == pytest.approx(p[2].numpy(), abs=1e-5)


def test_a_row_tells_its_powers_and_that_its_shares_are_one_whole(played: Staged) -> None:
    """At the end of the step the column stands beside the bars, with the sum of what it is of."""
    scene = played("row")
    last = [d for d in scene.drawn if d.cue == 2]
    assert [d.text for d in last if d.source == "sum"] == ["1."]
    assert {d.text for d in last if d.source == "value" and d.tensor == scene.stage.names["p"]}


@pytest.mark.parametrize(("cell", "row", "right"), [("loss", 0, 1), ("losses", 1, 2)])
def test_the_share_of_the_right_class_lies_under_its_loss(
    played: Staged, cell: str, row: int, right: int
) -> None:
    (curve,) = _props(played(cell), LossCurve)
    labels = [each.source for each in curve.get_family() if isinstance(each, Label)]
    (share,) = [each.text for each in labels if each is not None and each.source == "share"]
    z = _scope(cell)["z"]
    assert _reads_as(share, z.reshape(-1, z.shape[-1])[row].softmax(0)[right].item())


@pytest.mark.parametrize(
    ("cell", "terms", "rows"), [("mean", 2, "2"), ("pixels", 3, "8"), ("added", 2, None)]
)
def test_a_mean_of_losses_is_written_out(
    played: Staged, cell: str, terms: int, rows: str | None
) -> None:
    last = [d for d in played(cell).drawn if d.cue == len(played(cell).cues)]
    losses = [d for d in last if d.source == "loss"]
    z, y = _scope(cell)["z"], _scope(cell)["y"]
    own = torch.nn.functional.cross_entropy(z, y, reduction="none").flatten().tolist()
    assert len(losses) == terms
    assert all(_reads_as(d.text, loss) for d, loss in zip(losses, own, strict=False))
    counted = [d.text for d in last if d.source == "size"]
    assert counted == ([] if rows is None else [rows])


@pytest.mark.parametrize("cell", ["weighted", "smooth", "ignored", "shares"])
def test_no_curve_is_drawn_for_a_loss_that_does_not_lie_on_it(played: Staged, cell: str) -> None:
    assert _props(played(cell), LossCurve) == []


@pytest.mark.parametrize(("cell", "lit"), [("losses", 2), ("loss", 1), ("ignored", None)])
def test_the_bar_of_the_right_class_is_lit(played: Staged, cell: str, lit: int | None) -> None:
    (bars,) = _props(played(cell), Bars)
    bright = np.flatnonzero(bars.dims == 0).tolist()
    assert bright == ([0, 1, 2] if lit is None else [lit])
