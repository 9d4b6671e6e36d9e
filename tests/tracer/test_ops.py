"""What the trace says of tensors, against PyTorch itself running the same lines untraced."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from torchreel.records import Step, TensorRecord, Trace
from torchreel.store import read_trace, trace_digest, write_trace

OPS = """\
import torch

x = torch.arange(12)
y = x.reshape(3, 4)
v = x.view(2, 6)
turned = y.t()
copied = turned.reshape(12)
u = y.unsqueeze(0)
s = u.squeeze(0)
swapped = y.transpose(0, 1)
p = u.permute(2, 0, 1)
packed = swapped.contiguous()
same = y.contiguous()
c = y.clone()
part = y[1:, ::2]
row = y[1]
one = y[1, 2]
picked = y[torch.tensor([2, 0])]
masked = y[y > 5]
T = y.T
wide = torch.ones(3, 1).expand(3, 4)
joined = torch.cat([y, y], dim=1)
stack = torch.stack((y, c))
floats = y.to(torch.float32)
noop = floats.to(torch.float32)
product = floats @ floats.T
matmul = torch.matmul(floats, floats.mT)
total = floats.sum(dim=1)
everything = floats.sum()
positive = torch.nn.functional.relu(floats - 5)
left, middle, right = y.split(1)
top, *rest = floats.unbind(0)
values, indices = floats.max(dim=1)
c.add_(1)
c[0] = 1
c[1:, 0] = torch.tensor([7, 8])
c += 2
part.mul_(10)
x.data[0] = 99
floats = floats * 2
bf = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
eighth = bf.to(torch.float8_e5m2)
half = bf.half()
pairs = torch.tensor([1 + 2j, 3 - 1j])
conj = pairs.conj()
truth = y > 3
legacy = torch.Tensor([1, 2, 3])
weight = torch.nn.Parameter(torch.ones(2, 2))
bent = (weight * 3).relu()
loss = bent.mean()
loss.backward()
g = weight.grad
empty = torch.zeros(0, 3)
scalar = torch.tensor(3.5)
nothing = torch.ones(2, device="meta")
few = torch.eye(3).to_sparse()
mapped = torch.vmap(lambda row: row * 2)(floats)
large = torch.zeros(100, 100)
large.fill_(2)
out = torch.empty(2).fill_(0)
torch.add(scalar, torch.ones(2), out=out)
arrays = torch.from_numpy(__import__("numpy").zeros(3))
arrays.numpy()[1] = 5
nan = torch.tensor([float("nan"), -0.0])
del right
"""


@pytest.fixture(scope="module")
def ops(trace: Any) -> Trace:
    traced: Trace = trace(OPS, "ops")
    assert traced.error is None
    return traced


def same_values(kept: Any, tensor: torch.Tensor) -> bool:
    """Compare what is on disk with the tensor: the bytes, widened as the contract says."""
    read = tensor.detach().resolve_conj()
    if read.is_complex():
        read = torch.view_as_real(read)
    if read.dtype in (torch.bfloat16, torch.float8_e5m2):
        read = read.float()
    array = read.numpy()
    alike = kept.dtype == array.dtype and kept.shape == array.shape
    return bool(alike and kept.tobytes() == array.tobytes())


def check(record: TensorRecord, kept: Any, tensor: torch.Tensor) -> None:
    assert record.shape == tuple(tensor.shape)
    assert f"torch.{record.dtype}" == str(tensor.dtype)
    assert record.device == str(tensor.device)
    assert (record.requires_grad, record.leaf) == (tensor.requires_grad, tensor.is_leaf)
    assert record.numel == tensor.numel()
    if tensor.layout != torch.strided:
        assert (record.stride, kept) == ((), None)
        return
    assert record.stride == tensor.stride()
    assert record.offset == tensor.storage_offset()
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    assert record.storage_size == size
    if tensor.is_meta:
        assert kept is None
    else:
        assert same_values(kept, tensor)


def test_after_every_statement_the_names_hold_what_torch_says(ops: Trace) -> None:
    """Run the lines one by one without the tracer; after each compare every name."""
    (cell,) = ops.cells
    scope: dict[str, Any] = {}
    seen = 0
    for statement in cell.statements:
        exec(statement.text, scope)
        names = ops.names_after(cell.name, statement.number)
        if not any(run.statement == statement.number for run in ops.runs):
            continue  # nothing happened in it: an import
        held = {name: value for name, value in scope.items() if isinstance(value, torch.Tensor)}
        assert set(names) == set(held), statement.text
        for name, tensor in held.items():
            check(ops.tensor(names[name]), ops.values.get(names[name]), tensor)
            seen += 1
        readable = [name for name in held if held[name].layout == torch.strided]
        for one, other in combinations(readable, 2):
            shared = held[one].untyped_storage()._cdata == held[other].untyped_storage()._cdata
            records = ops.tensor(names[one]), ops.tensor(names[other])
            assert (records[0].storage == records[1].storage) == shared, (one, other)
    assert seen > 1500


def step_of(trace: Trace, expression: str) -> Step:
    (step,) = [step for step in trace.steps if step.expression == expression]
    return step


@pytest.mark.parametrize(
    ("expression", "op", "view"),
    [
        ("torch.arange(12)", "torch.arange", False),
        ("x.reshape(3, 4)", "torch.Tensor.reshape", True),
        ("turned.reshape(12)", "torch.Tensor.reshape", False),
        ("x.view(2, 6)", "torch.Tensor.view", True),
        ("y.unsqueeze(0)", "torch.Tensor.unsqueeze", True),
        ("u.squeeze(0)", "torch.Tensor.squeeze", True),
        ("y.transpose(0, 1)", "torch.Tensor.transpose", True),
        ("u.permute(2, 0, 1)", "torch.Tensor.permute", True),
        ("swapped.contiguous()", "torch.Tensor.contiguous", False),
        ("y.contiguous()", "torch.Tensor.contiguous", True),
        ("y.clone()", "torch.Tensor.clone", False),
        ("y[1:, ::2]", "torch.Tensor.__getitem__", True),
        ("y[torch.tensor([2, 0])]", "torch.Tensor.__getitem__", False),
        ("y[y > 5]", "torch.Tensor.__getitem__", False),
        ("y.T", "torch.Tensor.T.__get__", True),
        ("torch.ones(3, 1).expand(3, 4)", "torch.Tensor.expand", True),
        ("torch.cat([y, y], dim=1)", "torch.cat", False),
        ("y.to(torch.float32)", "torch.Tensor.to", False),
        ("floats.to(torch.float32)", "torch.Tensor.to", True),
        ("floats.sum(dim=1)", "torch.Tensor.sum", False),
        ("torch.nn.functional.relu(floats - 5)", "torch.nn.functional.relu", False),
        ("y.split(1)", "torch.Tensor.split", True),
        ("c.add_(1)", "torch.Tensor.add_", False),
        ("c[0] = 1", "torch.Tensor.__setitem__", False),
        ("c += 2", "torch.Tensor.add_", False),
        ("part.mul_(10)", "torch.Tensor.mul_", False),
        ("x.data[0] = 99", "torch.Tensor.__setitem__", False),
    ],
)
def test_a_step_knows_its_op_its_text_and_whether_it_is_a_view(
    ops: Trace, expression: str, op: str, view: bool
) -> None:
    step = step_of(ops, expression)
    assert (step.op, step.view) == (op, view)
    assert expression in OPS.splitlines()[step.line - 1]


def test_operands_are_tensors_and_literals_in_order_with_keywords(ops: Trace) -> None:
    y = step_of(ops, "x.reshape(3, 4)").results[0]
    cat = step_of(ops, "torch.cat([y, y], dim=1)").operands
    assert [(o.tensor, o.literal, o.name) for o in cat] == [
        (y, None, None),
        (y, None, None),
        (None, "1", "dim"),
    ]
    index = step_of(ops, "y[1:, ::2]").operands
    assert index[1].literal == "1:, ::2"
    assert step_of(ops, "y.to(torch.float32)").operands[1].literal == "torch.float32"


def test_several_results_are_all_in_the_step(ops: Trace) -> None:
    split = step_of(ops, "y.split(1)")
    assert [ops.tensor(record).offset for record in split.results] == [0, 4, 8]
    assert len(step_of(ops, "floats.max(dim=1)").results) == 2


def test_writing_in_place_makes_a_new_version_in_the_same_storage(ops: Trace) -> None:
    for expression in ("c.add_(1)", "c[0] = 1", "c += 2", "part.mul_(10)", "large.fill_(2)"):
        step = step_of(ops, expression)
        before, (after,) = step.operands[0].tensor, step.results
        assert before is not None
        assert before != after
        assert ops.tensor(before).storage == ops.tensor(after).storage


def test_writing_through_a_view_changes_every_name_that_shows_the_elements(ops: Trace) -> None:
    (run,) = [run for run in ops.runs if step_of(ops, "part.mul_(10)").number in run.steps]
    assert {"x", "y", "v", "part", "turned"} <= set(run.changed)
    assert "copied" not in run.changed
    assert "row" in run.changed
    assert "left" not in run.changed, "its elements are the ones that part does not hold"


def test_past_the_version_counter_the_values_are_true_all_the_same(ops: Trace) -> None:
    names = ops.names_after("ops")
    assert ops.values[names["x"]][0] == 99
    assert ops.values[names["arrays"]].tolist() == [0, 5, 0]


def test_questions_are_no_steps(trace: Any) -> None:
    traced: Trace = trace(
        """
        import torch
        x = torch.ones(2)
        x.shape, x.dim(), len(x), x.dtype, x.device, x.is_contiguous(), x.stride()
        print(x, f"{x.shape}")
        x.sum().item()
        """
    )
    assert [step.op for step in traced.steps] == [
        "torch.ones",
        "torch.Tensor.sum",
        "torch.Tensor.item",
    ]
    assert [run.printed for run in traced.runs if run.printed] == [
        "tensor([1., 1.]) torch.Size([2])\n"
    ]


def test_a_trace_survives_the_store(ops: Trace, tmp_path: Path) -> None:
    write_trace(ops, tmp_path)
    again = read_trace(tmp_path)
    assert trace_digest(again) == trace_digest(ops)
    assert again.runs == ops.runs
    assert again.steps == ops.steps
