"""Where a mask chooses: each element comes from the operand that torch took it from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.stage.conftest import Staged, play_cell
from tests.stage.test_unary import check_result
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.landing import Landing

X = "x = torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])\nm = x > 0\n"
CELLS = {
    "number": X + "y = torch.where(m, x, 0.0)",
    "method": X + "b = torch.tensor([7.0, 8.0, 9.0])\ny = x.where(m, b)",
    "named": X + "y = torch.where(m, other=-x, input=x)",
    "numbers": "u = torch.tensor([True, False, True])\ny = torch.where(u, 1, 0)",
    "stretched": "u = torch.tensor([[True], [False]])\nv = torch.tensor([float('nan'), 2.0])\n"
    "y = torch.where(u, v, torch.tensor(5))",
    "never": "x = torch.tensor([1.0, 2.0])\ny = torch.where(x > 9, x, -1.5)",
    "scalar": "t = torch.tensor(True)\ny = torch.where(t, torch.tensor(1.0), torch.tensor(2.0))",
    "deep": "t = torch.arange(24).reshape(2, 3, 4)\ny = torch.where(t % 2 == 0, t, -t)",
    "slab": "x = torch.linspace(-1, 1, 2000).reshape(40, 50)\ny = torch.where(x > 0, x, 0.0)",
    "empty": "z = torch.zeros(0, 3)\ny = torch.where(z > 0, z, z)",
    "short": "k = torch.arange(50.0)\ny = torch.where(k > 3, k, -k)",
    "places": "x = torch.tensor([0.0, 2.0])\n(y,) = torch.where(x > 1)",
}


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_frame_can_be_read_and_is_what_torch_made(
    played: Staged, cell: str, artboard: str
) -> None:
    check_result(played(cell, artboard), CELLS[cell])


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("number", "where ( False , −2. , 0.0 ) = 0."),
        ("method", "where ( False , −2. , 8. ) = 8."),
        ("named", "where ( False , −2. , 2. ) = 2."),
        ("numbers", "where ( False , 1 , 0 ) = 0"),
        ("stretched", "where ( False , nan , 5 ) = 5."),
        ("never", "where ( False , 1. , −1.5 ) = −1.50"),
        ("scalar", "where ( True , 1. , 2. ) = 1."),
    ],
)
def test_the_last_choice_is_written_out(played: Staged, cell: str, line: str) -> None:
    written = played(cell).stage._line
    assert written is not None
    assert " ".join(each.text for each in written.get_family() if isinstance(each, Label)) == line


def test_each_element_flies_from_where_it_was_chosen(
    played: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    flown: dict[int, tuple[float, float]] = {}
    fly = Landing.fly

    def watched(
        self: Landing, block: Any, starts: Any, elements: Any, *args: Any, **more: Any
    ) -> Any:
        there = [each for each in self.scene.mobjects if each in self.blocks]
        assert there[0] is block, "what travels passes below what stands"
        flown.update(zip(elements.tolist(), map(tuple, starts.tolist()), strict=True))
        return fly(self, block, starts, elements, *args, **more)

    monkeypatch.setattr(Landing, "fly", watched)
    trace = played("method").trace
    scene = play_cell(trace, trace.cells[0].name)
    _, x, b, made = scene.stage.blocks
    chosen = torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]]).flatten() > 0
    expected = {
        element: tuple((x if truth else b).pose.corners[element].tolist())
        for element, truth in enumerate(chosen.tolist())
    }
    assert flown == expected
    for element, start in flown.items():
        way = np.array(start) - made.pose.corners[element]
        assert np.isclose(way, 0).any(), "along a row or a column of cells"
