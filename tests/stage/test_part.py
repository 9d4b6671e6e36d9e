"""A tensor that is parted: every part is there, each number where torch has it, or their count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.tracer import trace_script

CELLS = {
    "halves": "x.chunk(2)",
    "columns": "x.split(1, dim=1)",
    "uneven": "x.split([1, 3])",
    "rows": "x.unbind(0)",
    "slices": "x.reshape(2, 2, 3).unbind(1)",
    "numbers": "torch.arange(12).unbind(0)",
    "slabs": "torch.zeros(12, 40, 50).unbind(0)",
    "many_cells": "torch.arange(160).reshape(4, 4, 10).unbind(0)",
}


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a script that parts tensors."""
    cells = {
        name: f"x = torch.arange(12).reshape(4, 3)\nparts = {line}" for name, line in CELLS.items()
    }
    script = write_cells(tmp_path_factory.mktemp("parted"), cells)
    return trace_script(script, root=script.parent)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_each_part_is_there_or_how_many_there_are(parted: Trace, cell: str, artboard: str) -> None:
    scene = play_cell(parted, cell, artboard)
    parts = eval(CELLS[cell], {"torch": torch, "x": torch.arange(12).reshape(4, 3)})
    assert not scene.warnings
    results = parted.of_cell(cell).steps[-1].results
    blocks = {block.record.id: block for block in scene.stage.blocks}
    there = [
        (part, blocks[each]) for part, each in zip(parts, results, strict=True) if each in blocks
    ]
    counts = [each.text for each in scene.drawn if each.source == "count"]
    assert counts == ([] if len(there) == len(parts) else [str(len(parts))])
    assert there[0][0] is parts[0]
    assert there[-1][0] is parts[-1]
    for part, block in there:
        assert block.record.shape == tuple(part.shape)
        assert block.pose.shown.all()
        values = scene.stage.values(block.record)
        assert values is None or np.array_equal(values, part.numpy())
        assert {text for text, _, _ in block.digits()} <= {str(int(each)) for each in part.ravel()}


def test_many_that_are_joined_are_counted(tmp_path: Path) -> None:
    lines = "parts = [torch.full((2,), i) for i in range(12)]\ny = torch.cat(parts)"
    slabs = lines.replace("(2,)", "(28, 28)").replace("cat", "stack")
    cells = {"cat": lines, "stack": lines.replace("cat", "stack"), "slabs": slabs}
    trace = trace_script(write_cells(tmp_path, cells), root=tmp_path)
    for cell in cells:
        scene = play_cell(trace, cell)
        assert not scene.warnings
        assert [each.text for each in scene.drawn if each.source == "count"] == ["12"]
        assert scene.block("y").pose.shown.all()
        assert len(scene.stage.blocks) < 12
