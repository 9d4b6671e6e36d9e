"""One function of each element: its line is written out, and every result is torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.stage.conftest import Staged
from tests.stage.test_director import _reads_as
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene

CELLS = {
    "relu": "x = torch.tensor([[-2.0, 0.5, 3.0], [1.0, -4.0, 0.25]])\ny = x.relu()",
    "exp": "x = torch.tensor([0.0, 1.0, -1.0, 2.0])\ny = torch.exp(x)",
    "minus": "x = torch.tensor([1, -2, 3])\ny = -x",
    "root": "x = torch.tensor([-1.0, 4.0])\ny = x.sqrt()",
    "scalar": "x = torch.tensor(-2.5)\ny = torch.abs(x)",
    "deep": "x = torch.linspace(-3, 3, 24).reshape(2, 3, 4)\ny = x.sigmoid()",
    "slab": "x = torch.linspace(-3, 3, 4000).reshape(40, 100)\ny = x.tanh()",
    "empty": "x = torch.zeros(0, 3)\ny = x.abs()",
    "complex": "x = torch.tensor([3 + 4j, -1j])\ny = x.abs()",
    "in_place": "x = torch.tensor([-1.0, 2.0])\ny = torch.nn.functional.relu(x, inplace=True)",
}


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_frame_can_be_read_and_is_what_torch_made(
    played: Staged, cell: str, artboard: str
) -> None:
    check_result(played(cell, artboard), CELLS[cell])


def check_result(scene: LessonScene, code: str) -> None:
    """Check that nothing was warned of, and that ``y`` is whole and as a plain run makes it."""
    scope: dict[str, Any] = {"torch": torch}
    exec(code, scope)
    assert scene.warnings == []
    block = scene.block("y")
    assert block.pose.shown.all()
    for drawn in scene.drawn:
        if drawn.source == "value" and drawn.tensor == block.record.id:
            assert _reads_as(drawn.text, scope["y"][drawn.index].item())


def test_a_complex_number_is_not_written_out(played: Staged) -> None:
    assert played("complex", "page").stage._line is None


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("relu", ["relu", "(", "3.", ")", "=", "3."]),
        ("minus", ["-", "(", "3", ")", "=", "−3"]),
        ("root", ["sqrt", "(", "4.", ")", "=", "2."]),
        ("scalar", ["abs", "(", "−2.50", ")", "=", "2.50"]),
    ],
)
def test_the_last_line_is_written_out(played: Staged, cell: str, line: list[str]) -> None:
    written = played(cell, "page").stage._line
    assert written is not None
    assert [each.text for each in written.get_family() if isinstance(each, Label)] == line
