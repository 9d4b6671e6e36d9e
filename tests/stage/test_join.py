"""Tensors that are joined: their blocks become one, each number where torch has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.stage.conftest import Staged, play_cell, write_cells
from tests.stage.test_director import _reads_as
from torchreel.records import Drawn
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.bracket import Bracket
from torchreel.stage.cast import Cast
from torchreel.stage.director import LessonScene
from torchreel.tracer import trace_script

PAIR = "a = torch.arange(6).reshape(2, 3)\nb = torch.arange(6, 12).reshape(2, 3)\n"
CELLS = {
    "rows": PAIR + "y = torch.cat([a, b], dim=0)",
    "columns": PAIR + "y = torch.cat([a, b[:, :2]], dim=-1)",
    "stacked": PAIR + "y = torch.stack([a, b])",
    "woven": PAIR + "y = torch.stack([a, b], -1)",
    "numbers": "u = torch.tensor([0.5, float('nan'), -1.0])\n"
    "y = torch.cat([u, u, torch.tensor([True, False])])",
    "turned": "u = torch.tensor([1.0, 2.0])\ny = torch.stack([u, -u, u * 0], dim=1)",
    "scalars": "y = torch.stack([torch.tensor(1.0), torch.tensor(2.0)])",
    "one": "u = torch.tensor([1, 2])\ny = torch.stack([u])\nz = y.unsqueeze(0)",
    "skipped": "u = torch.ones(2)\ny = torch.cat([torch.tensor([]), u])",
    "nothing": "y = torch.cat([torch.zeros(0, 3), torch.zeros(0, 3)])",
    "mixed": "y = torch.vstack([torch.arange(3), torch.ones(2, 3, dtype=torch.int64)])",
    "ones": "u = torch.arange(1)\ny = torch.hstack([u, u + 1, u + 2, torch.arange(3)])",
    "deep": "a = torch.arange(12).reshape(2, 2, 3)\ny = torch.cat([a, a[:1] + 50])",
    "deeper": "a = torch.arange(12).reshape(2, 2, 3)\ny = torch.stack([a, a + 12], 1)",
    "slabs": "a = torch.ones(40, 50)\ny = torch.cat([a, a[:20]])",
    "many": "u = torch.arange(3)\ny = torch.stack([u] * 9)",
}


def _scope(cell: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"torch": torch}
    exec(CELLS[cell], scope)
    return scope


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_frame_can_be_read_and_is_what_torch_made(
    played: Staged, cell: str, artboard: str
) -> None:
    scene, made = played(cell, artboard), _scope(cell)["y"]
    assert scene.warnings == []
    block = scene.stage.block
    assert block is not None
    assert block.pose.shown.all()
    values = [d for d in scene.drawn if d.source == "value" and d.tensor == _record(scene, "y")]
    for drawn in values:
        assert _reads_as(drawn.text, made[drawn.index].item())
    assert values or cell in ("nothing", "slabs", "many")


def _record(scene: LessonScene, name: str) -> int:
    return scene.stage.names[name]


@pytest.mark.parametrize(
    ("cell", "sizes"),
    [("rows", ["2", "2"]), ("columns", ["3", "2"]), ("numbers", ["3", "3", "2"])],
)
def test_what_is_joined_is_as_long_as_its_parts(
    played: Staged, cell: str, sizes: list[str]
) -> None:
    scene = played(cell)
    lit = _lit(scene)
    assert [each.text for each in lit] == sizes
    signs = [drawn.text for drawn in scene.drawn if drawn.cue == len(scene.cues)]
    assert signs.count("+") == len(sizes) - 1
    record = scene.stage.record(_record(scene, "y"))
    dim = lit[0].index[0]
    assert sum(int(each.text) for each in lit) == record.shape[dim]
    own = [scene.stage.record(each.tensor or 0).shape[dim] for each in lit]
    assert own == [int(each) for each in sizes], "each size is that of an operand"


@pytest.mark.parametrize(("cell", "dim"), [("stacked", 0), ("woven", 2), ("turned", 1)])
def test_a_new_dimension_is_lit_whole(played: Staged, cell: str, dim: int) -> None:
    (lit,) = _lit(played(cell))
    assert lit.tensor == _record(played(cell), "y")
    assert lit.index == (dim,)
    assert int(lit.text) == _scope(cell)["y"].shape[dim]


def _lit(scene: LessonScene) -> list[Drawn]:
    """Return the sizes in focus, from the lit brackets."""
    family = [each for prop in scene.stage._props for each in prop.get_family()]
    return [each.label.source for each in family if isinstance(each, Bracket) and each.label.source]


def test_the_parts_stand_apart_by_a_seam(played: Staged) -> None:
    (block,) = played("columns").stage.blocks
    x = block.pose.corners.reshape(2, 5, 2)[0, :, 0]
    gaps = np.diff(x) - block.pose.size
    assert gaps[2] == pytest.approx(ARTBOARDS["page"].px(14))
    assert np.delete(gaps, 2) == pytest.approx(0)


def test_cells_set_out_from_where_they_stood(
    played: Staged, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    stood: list[Any] = []
    merge = Cast.merge

    def watched(self: Cast, record: Any, home: Any, starts: Any) -> None:
        blocks = [(self.values(each.record), each.pose.corners) for each in self.blocks]
        stood.extend((blocks, self.values(record), starts))
        merge(self, record, home, starts)

    monkeypatch.setattr(Cast, "merge", watched)
    path = write_cells(tmp_path, {"woven": CELLS["woven"]})
    play_cell(trace_script(path, root=path.parent), "woven")
    blocks, made, starts = stood
    where = {
        int(value): corner.tolist()
        for values, corners in blocks
        for value, corner in zip(values.ravel(), corners, strict=True)
    }
    assert [where[int(value)] for value in made.ravel()] == starts.tolist()


def test_what_takes_a_joined_tensor_finds_it_without_its_lights(played: Staged) -> None:
    assert [block.record.shape for block in played("one").stage.blocks] == [(1, 1, 2)]
