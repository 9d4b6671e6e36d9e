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
torch.manual_seed(0)
layer = torch.nn.Linear(4, 2)
e = torch.empty(50)
e = e.fill_(1)
"""

MOVED = """
import torch
import math

# A comment.
base = torch.zeros(2, 2)
junk = torch.full((50,), 7.0)
del junk

# %% shape
x = torch.arange(12)

# Another comment.
y = x.reshape(3, 4)  # into three rows
print(y.shape)
torch.manual_seed(0)
layer = torch.nn.Linear(4, 2)
e = torch.empty(50)
e = e.fill_(1)

# %% other
w = torch.zeros(9)
"""


@pytest.fixture(scope="module")
def base(trace: Tracing) -> Trace:
    return trace(BASE)


@pytest.fixture(scope="module")
def digest(base: Trace) -> str:
    return trace_digest(base.of_cell("shape"))


def test_comments_other_cells_and_moving_leave_a_slice_equal(trace: Tracing, digest: str) -> None:
    assert trace_digest(trace(MOVED).of_cell("shape")) == digest


def test_memory_that_was_never_written_has_no_values(base: Trace) -> None:
    """What it holds differs from run to run, and so would the slice."""
    (step,) = [step for step in base.steps if step.expression == "torch.empty(50)"]
    (filled,) = [step for step in base.steps if step.expression == "e.fill_(1)"]
    assert step.results[0] not in base.values
    assert base.values[filled.results[0]].tolist() == [1.0] * 50


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
    first = trace.steps[:5]
    assert [(step.op, step.view) for step in first] == [
        ("torch.arange", False),
        ("torch.Tensor.reshape", True),
        ("torch.Tensor.reshape", True),
        ("torch.Tensor.unsqueeze", True),
        ("torch.Tensor.squeeze", True),
    ]
