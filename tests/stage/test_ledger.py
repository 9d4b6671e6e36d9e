"""What a device costs: bytes and multiplications are those that PyTorch counts, or are not told."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import TensorRecord, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.devices.ledger import products
from torchreel.stage.director import LessonScene
from torchreel.tracer import trace_script

CELLS = {
    "mixed": "m = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), nn.ReLU(), nn.Flatten(), "
    "nn.Linear(144, 5)).double()\nm.to('meta')\np = torch.rand(2, 3, 8, 8).double()\n"
    "q = p.to('meta')\nout = m(q)",
    "grouped": "g = nn.Conv2d(4, 8, 3, groups=2, stride=2)\ng.to('meta')\n"
    "u = torch.rand(1, 4, 9, 9).to('meta')\nout = g(u)",
    "sequence": "s = nn.Linear(6, 3)\ns.to('meta')\nv = torch.rand(2, 5, 6).to('meta')\nout = s(v)",
    "unknown": "n = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))\nn.to('meta')\n"
    "w = torch.rand(2, 4).to('meta')\nout = n(w)",
    "half": "h = torch.rand(7).bfloat16()\nk = h.to('meta')\nb = torch.rand(9) > 0.5\n"
    "c = b.to('meta')\ni = torch.arange(5)\nj = i.to('meta')\nf = torch.rand(3).to('meta')",
}

Play = Callable[..., LessonScene]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = "import torch\nfrom torch import nn\n"
    return write_cells(tmp_path_factory.mktemp("ledger"), CELLS, head)


@pytest.fixture(scope="module")
def trace(script: Path) -> Trace:
    traced = trace_script(script, root=script.parent)
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def play(trace: Trace) -> Play:
    return functools.cache(functools.partial(play_cell, trace))


@pytest.fixture(scope="module")
def names(script: Path) -> dict[str, Any]:
    """What the names hold when the same script has run without the tracer."""
    held: dict[str, Any] = {}
    exec(script.read_text(), held)
    return held


def told(scene: LessonScene, source: str) -> list[str]:
    return list(dict.fromkeys(each.text for each in scene.drawn if each.source == source))


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_no_text_is_cut_small_or_covered(play: Play, cell: str, artboard: str) -> None:
    assert play(cell, artboard).warnings == []


@pytest.mark.parametrize(
    ("cell", "model", "given"), [("mixed", "m", "q"), ("grouped", "g", "u"), ("sequence", "s", "v")]
)
def test_pytorch_counts_as_many_multiplications(
    play: Play, names: dict[str, Any], cell: str, model: str, given: str
) -> None:
    with FlopCounterMode(display=False) as counter:
        names[model](names[given])
    (text,) = told(play(cell, "film"), "products")
    assert text.rpartition("= ")[2] == f"{counter.get_total_flops() // 2:,}"


def test_a_row_is_as_many_bytes_as_pytorch_counts(play: Play, names: dict[str, Any]) -> None:
    parameters = list(names["m"].parameters())
    numel, total = sum(p.numel() for p in parameters), sum(p.nbytes for p in parameters)
    moved = [f"{numel:,} × 8 B = {total:,} B", f"384 × 8 B = {names['p'].nbytes:,} B"]
    assert told(play("mixed", "page"), "bytes") == moved
    bits = {"h": 2, "b": 1, "i": 8}
    rows = [f"{names[n].numel()} × {size} B = {names[n].nbytes} B" for n, size in bits.items()]
    assert told(play("half", "page"), "bytes") == [*rows, "3 × 4 B = 12 B"]


def test_what_is_not_known_is_not_told(play: Play, trace: Trace) -> None:
    assert told(play("unknown", "page"), "products") == []
    own = trace.of_cell("unknown")
    assert [products(own, call) for call in own.calls if call.parent is None] == [None]


@pytest.mark.parametrize("dtype", [d for d in vars(torch).values() if isinstance(d, torch.dtype)])
def test_the_bytes_of_an_element_are_pytorchs(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    if re.match(r"q|bits|u?int[1-7]$|float4", name):  # quantized or packed: no tensor of a lesson
        return
    record = TensorRecord(0, (3,), (1,), name, "cpu", 0, 0, 3)
    assert record.nbytes == 3 * dtype.itemsize
