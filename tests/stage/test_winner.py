"""What a max or argmax chooses is lit, written out, and named by its ruler, as torch chose it."""

from __future__ import annotations

import pytest
import torch

from tests.stage.conftest import Staged
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.rulers import IndexRulers
from torchreel.stage.title import Name

LONG = [[-0.04, 0.005, -0.2, 0.02, -0.3, 0.01, 0.05, 0.1, 0.07, -0.03]]
TABLE = [[1.0, 5.0, 2.0], [0.0, 7.0, 9.0]]
CELLS = {
    "long": f"z = torch.tensor({LONG})\nfirst_guess = z.argmax()",
    "rows": f"z = torch.tensor({TABLE})\nk = z.argmax(dim=1)",
    "columns": f"z = torch.tensor({TABLE})\nk = z.argmin(0)",
    "flat": f"z = torch.tensor({TABLE})\nk = z.argmax()",
    "greatest": f"z = torch.tensor({LONG})\nk = z.max()",
    "operands": "picture = torch.ones(4, 6)\ndigit = torch.ones(4, 6)\n"
    "product_of_both = picture * digit",
}


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize(
    ("cell", "winner", "indices"),
    [
        ("long", (0, int(torch.tensor(LONG).argmax())), [int(torch.tensor(LONG).argmax())]),
        ("rows", (1, int(torch.tensor(TABLE)[1].argmax())), [int(torch.tensor(TABLE)[1].argmax())]),
        ("columns", (int(torch.tensor(TABLE)[:, 1].argmin()), 1), None),
        ("flat", divmod(int(torch.tensor(TABLE).argmax()), 3), []),
        ("greatest", (0, int(torch.tensor(LONG).argmax())), []),
    ],
)
def test_what_wins_is_lit_and_written_out(
    played: Staged,
    cell: str,
    artboard: str,
    winner: tuple[int, int],
    indices: list[int] | None,
) -> None:
    scene = played(cell, artboard)
    assert scene.warnings == []
    z = scene.stage.blocks[0]
    row, column = winner
    cell_of = z.cells_of([row * z.record.shape[1] + column])
    x, y = z.pose.corners[cell_of[0]]
    (lit,) = scene.stage._lights[id(z)]._boxes
    assert lit[0] <= x < lit[0] + lit[2] < x + 2 * z.pose.size
    assert lit[1] <= y < lit[1] + lit[3] < y + 2 * z.pose.size
    line = scene.stage._line
    assert line is not None
    told = [each.source for each in line.get_family() if isinstance(each, Label)]
    assert (z.record.id, winner) in [(each.tensor, each.index) for each in told if each is not None]
    rulers = [prop for prop in scene.stage._props if isinstance(prop, IndexRulers)]
    assert bool(rulers) == (indices != [])
    focus = scene.canvas.theme.focus
    for each in rulers:
        bright = [
            index
            for _, index, label in each._labels
            if tuple(label.fill_rgbas[0, :3].round(3)) == tuple(focus.round(3))
        ]
        assert bright == ([row] if indices is None else indices)


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_name_takes_the_room_beside_it(played: Staged, artboard: str) -> None:
    scene = played("long", artboard)
    title = scene.stage.blocks[1].title
    assert isinstance(title, Name)
    texts = [each.text for each in title.get_family() if isinstance(each, Label)]
    assert texts[0] == "first_guess"


def test_an_operand_is_named_where_its_shape_has_no_room(played: Staged) -> None:
    assert scene_text(played("operands")) == "picture digit * product_of_both (4, 6)"


def scene_text(scene: LessonScene) -> str:
    assert scene._strip is not None
    return scene._strip.text
