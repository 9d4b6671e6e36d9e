"""Look-ups in a table: each row that is told is the one that PyTorch copies, or adds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from tests.stage.test_director import _reads_as
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.nets.cells import Cells
from torchreel.stage.ops import embedding
from torchreel.tracer import trace_script

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
TABLE = "w = torch.arange(28.0).reshape(7, 4).sin()\n"
CELLS = {
    "module": "m = nn.Embedding(7, 4)\nids = torch.tensor([3, 1, 3])\ny = m(ids)",
    "function": TABLE + "ids = torch.tensor([6, 0])\ny = F.embedding(ids, w)",
    "batch": TABLE + "ids = torch.tensor([[0, 6, 2], [2, 2, 5]])\ny = F.embedding(ids, w)",
    "scalar": TABLE + "ids = torch.tensor(4)\ny = F.embedding(ids, w)",
    "many": TABLE + "ids = torch.arange(12) % 7\ny = F.embedding(ids, w)",
    "large": "m = nn.Embedding(1000, 64)\nids = torch.tensor([3, 999, 500])\ny = m(ids)",
    "none": TABLE + "ids = torch.zeros(0, dtype=torch.int64)\ny = F.embedding(ids, w)",
    "scaled": "w = torch.ones(3, 2)\nids = torch.tensor([1, 0])\n"
    "y = F.embedding(ids, w, max_norm=1.0)",
    "bag": "m = nn.EmbeddingBag(5, 3)\nids = torch.tensor([[0, 2], [4, 1]])\ny = m(ids)",
    "sums": "m = nn.EmbeddingBag(5, 3, mode='sum')\nids = torch.tensor([0, 2, 4, 1, 1])\n"
    "o = torch.tensor([0, 3])\ny = m(ids, o)",
    "weighted": TABLE + "ids = torch.tensor([[0, 2]])\nu = torch.tensor([[0.5, 2.0]])\n"
    "y = F.embedding_bag(ids, w, per_sample_weights=u, mode='sum')",
}
TOLD = {
    "module": [[3], [1], [3]],
    "function": [[6], [0]],
    "batch": [[0], [6], [2]],
    "scalar": [[4]],
    "large": [[3], [999], [500]],
    "bag": [[0, 2], [4, 1]],
    "sums": [[0, 2, 4], [1, 1]],
    "scaled": [],
    "weighted": [],
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    head = HEAD + "torch.manual_seed(0)\n"
    script = write_cells(tmp_path_factory.mktemp("embedding"), CELLS, head)
    return trace_script(script, root=script.parent)


@functools.cache
def _scopes() -> dict[str, dict[str, Any]]:
    """Return what the names hold after each cell, in a run without the tracer."""
    scope: dict[str, Any] = {}
    exec(HEAD + "torch.manual_seed(0)", scope)
    after = {}
    for cell, lines in CELLS.items():
        exec(lines, scope)
        after[cell] = dict(scope)
    return after


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_number_is_one_that_torch_holds(trace: Trace, cell: str, artboard: str) -> None:
    scene, scope = play_cell(trace, cell, artboard), _scopes()[cell]
    assert scene.warnings == []
    assert scene.stage.blocks[-1].pose.shown.all()
    named = {record: name for name, record in scene.stage.names.items() if name in scope}
    for drawn in scene.drawn:
        if drawn.source == "value" and drawn.tensor in named:
            assert _reads_as(drawn.text, scope[named[drawn.tensor]][drawn.index].item())


@pytest.mark.parametrize("cell", TOLD)
def test_what_is_looked_up_is_what_torch_reads(
    trace: Trace, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    look_up = embedding._look_up

    def spied(stage: Any, blocks: Any, lookups: Any, **kwargs: Any) -> None:
        found.extend(lookups)
        look_up(stage, blocks, lookups, **kwargs)

    monkeypatch.setattr(embedding, "_look_up", spied)
    play_cell(trace, cell)
    scope = _scopes()[cell]
    assert [list(rows) for _, rows, _ in found] == TOLD[cell]
    table = scope["m"].weight if "m = " in CELLS[cell] else scope["w"]
    made, ids = scope["y"].flatten(), scope["ids"].flatten()
    for places, rows, elements in found:
        assert ids[list(places)].tolist() == list(rows)
        read = table[list(rows)]
        whole = read.sum(0) if cell == "sums" else read.mean(0)
        assert torch.equal(made[elements], whole) or torch.allclose(made[elements], whole)


@pytest.mark.parametrize("cell", ["module", "bag", "sums"])
def test_nothing_that_is_looked_up_is_lit_as_an_answer(trace: Trace, cell: str) -> None:
    scene = play_cell(trace, cell)
    assert not any(isinstance(each, Cells) for each in scene.mobjects)
    words = [drawn for drawn in scene.drawn if drawn.source == "module"]
    assert {each.text for each in words} == {"m"}, "over the arrow stands what the line calls"


def test_a_line_is_written_only_of_the_rows_that_make_the_result(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Any] = []
    line = embedding._line

    def spied(*args: Any) -> Any:
        lines.append(line(*args))
        return lines[-1]

    monkeypatch.setattr(embedding, "_line", spied)
    play_cell(trace, "sums", "film")
    y, weight = _scopes()["sums"]["y"], _scopes()["sums"]["m"].weight
    assert [each[0] for each in lines] == ["sum", "sum"]
    for row, parts in enumerate(lines):
        elements = [element for _, element in (each for each in parts if isinstance(each, tuple))]
        *terms, made = elements
        assert made == row * 3
        assert np.isclose(weight.flatten()[terms].sum().item(), y.flatten()[made].item())
