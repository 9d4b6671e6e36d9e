"""Each write is a step, also those that torch does not count; against PyTorch untraced."""

from __future__ import annotations

from typing import Any

import pytest

from torchreel.records import Step, Trace

SCRIPT = """\
import torch
from torch.nn import functional as F

# %% norms
x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
mean = torch.zeros(2)
var = torch.ones(2)
y = F.batch_norm(x, mean, var, training=True)
z = F.batch_norm(x, mean, var)
n = F.instance_norm(x[None], mean, var)

# %% rows
i = torch.tensor([0, 0])
w = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
r = F.embedding(i, w, max_norm=1.0)
v = torch.tensor([[0.0, 5.0], [0.1, 0.0]])
b = F.embedding_bag(i, v, torch.tensor([0]), max_norm=2.0)
s = F.embedding(i, w)

# %% grown
g = torch.arange(4.0)
g.resize_(2)
grown = g.resize_(6)
part = g[:3]
g.fill_(3)

# %% inference
with torch.inference_mode():
    a = torch.tensor([-1.0, 2.0])
    a.relu_()
    a.abs_()
    c = a.contiguous()
    d = torch.ones(70, 70)
    d[0] = 5
    d.add_(1)
    torch.mul(d, 2, out=d)
    F.relu(d, inplace=True)
    d.unsqueeze_(0)
"""


@pytest.fixture(scope="module")
def writes(trace: Any) -> Trace:
    made: Trace = trace(SCRIPT)
    return made


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SCRIPT, names)
    return names


def steps_of(trace: Trace, text: str) -> list[Step]:
    return [step for step in trace.steps if step.expression.startswith(text)]


def told(steps: list[Step]) -> list[tuple[str, bool, int]]:
    return [(step.op.rpartition(".")[2], step.written, len(step.results)) for step in steps]


def names_held(trace: Trace, cell: str) -> dict[str, int]:
    runs = [run for run in trace.runs if run.cell == cell]
    return {name: held for run in runs for name, held in run.changed.items() if held is not None}


NORMS = [
    ("F.batch_norm(x, mean, var, training=True)", "batch_norm", 2),
    ("F.batch_norm(x, mean, var)", "batch_norm", 0),
    ("F.instance_norm", "instance_norm", 2),
    ("F.embedding(i, w, max_norm=1.0)", "embedding", 1),
    ("F.embedding_bag", "embedding_bag", 1),
    ("F.embedding(i, w)", "embedding", 0),
]


@pytest.mark.parametrize(("text", "op", "count"), NORMS)
def test_what_a_call_writes_beside_its_result_is_told_before_it(
    writes: Trace, text: str, op: str, count: int
) -> None:
    steps = steps_of(writes, text)
    first = "embedding_renorm_" if "embedding" in op else op
    assert told(steps) == [(first, True, 1)] * count + [(op, False, 1)]
    read = [each.tensor for each in steps[-1].operands]
    for step in steps[:-1]:
        before, after = step.operands[0].tensor, step.results[0]
        assert before is not None
        assert writes.tensors[before].storage == writes.tensors[after].storage
        assert before not in read
        assert after in read


@pytest.mark.parametrize(("cell", "names"), [("norms", "mean var y z n"), ("rows", "w r v b s")])
def test_names_hold_what_was_written(
    writes: Trace, plain: dict[str, Any], cell: str, names: str
) -> None:
    held = names_held(writes, cell)
    for name in names.split():
        assert writes.values[held[name]].tolist() == plain[name].tolist()
    known = {record for step in writes.steps for record in step.results}
    assert set(held.values()) <= known, "each came of a step"


def test_in_inference_mode_writes_are_told(writes: Trace, plain: dict[str, Any]) -> None:
    steps = [step for step in writes.of_cell("inference").steps if step.op != "torch.ones"][1:]
    assert told(steps) == [
        *(
            ("relu_", True, 1),
            ("abs_", True, 1),
            ("contiguous", False, 1),
            ("__setitem__", True, 1),
        ),
        *(("add_", True, 1), ("mul", True, 1), ("relu", True, 1), ("unsqueeze_", False, 1)),
    ]
    held = names_held(writes, "inference")
    assert writes.values[held["a"]].tolist() == plain["a"].tolist() == [0.0, 2.0]
    assert writes.values[held["d"]].tolist() == plain["d"].tolist()
    assert len({step.results for step in steps}) == len(steps) - 1, "only contiguous made no other"


def test_memory_that_a_tensor_grew_by_is_not_told_before_it_is_written(
    writes: Trace, plain: dict[str, Any]
) -> None:
    (shrunk,) = steps_of(writes, "g.resize_(2)")
    (grown,) = steps_of(writes, "g.resize_(6)")
    (part,) = steps_of(writes, "g[:3]")
    (filled,) = steps_of(writes, "g.fill_")
    assert writes.values[shrunk.results[0]].tolist() == [0, 1]
    assert [writes.values.get(each.results[0]) for each in (grown, part)] == [None, None]
    assert not grown.written
    assert writes.values[filled.results[0]].tolist() == plain["g"].tolist()
