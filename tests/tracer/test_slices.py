"""A cell's slice of the trace, and the lesson that is in the house."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from torchreel.records import Trace
from torchreel.store import trace_digest
from torchreel.tracer import trace_script

Tracing = Callable[..., Trace]

BASE = """
import torch

# %% other
w = torch.ones(5)
w = w + 1

# %% shape
x = torch.arange(12)
y = x.reshape(3, 4)  # fold
print(y.shape)
"""

MOVED = """
import torch
import math

# A comment.
base = torch.zeros(2, 2)

# %% shape
x = torch.arange(12)

# Another comment.
y = x.reshape(3, 4)  # into three rows
print(y.shape)

# %% other
w = torch.zeros(9)
"""


@pytest.fixture(scope="module")
def digest(trace: Tracing) -> str:
    return trace_digest(trace(BASE).of_cell("shape"))


def test_comments_other_cells_and_moving_leave_a_slice_equal(trace: Tracing, digest: str) -> None:
    assert trace_digest(trace(MOVED).of_cell("shape")) == digest


def test_another_number_in_the_cell_changes_its_slice(trace: Tracing, digest: str) -> None:
    edited = trace(BASE.replace("reshape(3, 4)", "reshape(2, 6)"))
    assert trace_digest(edited.of_cell("shape")) != digest
    assert edited.tensor(edited.names_after("shape")["y"]).shape == (2, 6)


def test_the_shape_lesson() -> None:
    root = Path(__file__).parents[2]
    trace: Trace = trace_script(Path("lessons/shape/lesson.py"), root=root)
    assert trace.error is None
    assert trace.script == "lessons/shape/lesson.py"
    assert list(trace.inputs) == [trace.script]
    tensors = {name: trace.tensor(id) for name, id in trace.names_after("unsqueeze").items()}
    assert {name: (t.shape, t.stride) for name, t in tensors.items()} == {
        "x": ((12,), (1,)),
        "y": ((3, 4), (4, 1)),
        "z": ((2, 2, 3), (6, 3, 1)),
        "a": ((1, 3, 4), (12, 4, 1)),
        "b": ((3, 4), (4, 1)),
    }
    assert len({t.storage for t in tensors.values()}) == 1
    assert [(step.op, step.view) for step in trace.steps] == [
        ("torch.arange", False),
        ("torch.Tensor.reshape", True),
        ("torch.Tensor.reshape", True),
        ("torch.Tensor.unsqueeze", True),
        ("torch.Tensor.squeeze", True),
    ]
