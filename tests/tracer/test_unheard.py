"""Calls of which torch tells no mode are steps: what comes of them is what torch made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from torchreel.records import Step, Trace
from torchreel.spelling import bare_name

SHARED = """
import copy, io, pickle
import numpy as np
import torch
from torch.utils import dlpack

# %% from_numpy
a = np.arange(6.0).reshape(2, 3)
t = torch.from_numpy(a)
a[0, 0] = 9.0
after = t + 0
# %% as_tensor
same = torch.as_tensor(a)
other = torch.as_tensor(a, dtype=torch.float32)
new = torch.tensor(a)
# %% numpy
n = t.numpy()
f = t.numpy(force=True).copy()
# %% large
big = torch.zeros(20_000)
view = big.numpy()
view[7] = 1
seven = big + 0
# %% buffer
b = torch.frombuffer(bytearray(b"abc"), dtype=torch.uint8)
# %% dlpack
y = torch.ones(4)
d = torch.from_dlpack(a)
c = torch.from_dlpack(a, copy=True)
e = dlpack.from_dlpack(dlpack.to_dlpack(y))
g = torch.from_dlpack(y)
y[0] = 5
# %% set
x = torch.zeros(3)
x.set_(y)
y[1] = 7
x.set_(y.untyped_storage(), 1, (2,))
x.set_()
# %% shape
p = torch.arange(4.0)
p.resize_(2, 2)
p.unsqueeze_(0)
p.squeeze_()
p.t_()
p.add_(1)
longer = torch.arange(4.0)
longer.resize_(8)
longer.zero_()
# %% out
joined = torch.zeros(0)
torch.cat([y, y], out=joined)
added = torch.zeros(0)
torch.add(y, 1, out=added)
product = torch.zeros(0)
torch.mm(torch.ones(2, 3), torch.ones(3, 2), out=product)
# %% nested
nest = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
# %% load
file = io.BytesIO()
torch.save(y, file)
file.seek(0)
loaded = torch.load(file)
twin = copy.copy(y)
other = pickle.loads(pickle.dumps(y))
"""

TRANSFORMS = """
import torch

W = torch.arange(6.0).reshape(2, 3)
X = torch.arange(12.0).reshape(4, 3)
x = torch.arange(3.0)
w = torch.ones(3, requires_grad=True)

def total(v):
    y = v * 2
    return y.sum()

# %% made
vmapped = torch.vmap(lambda v: W @ v)(X)
per = torch.func.vmap(total)
sums = per(X)
slope = torch.func.grad(lambda v: (v**3).sum())(x)
slope2, value = torch.func.grad_and_value(total)(x)
each = torch.func.vmap(torch.func.grad(total))(X)
jacobian = torch.func.jacrev(torch.sin)(x)
out, pull = torch.func.vjp(lambda v: v * v, x)
(pulled,) = pull(torch.ones(3))
loss = torch.vmap(torch.dot, in_dims=(0, None))(X, w).sum()
loss.backward()
# %% raised
try:
    torch.vmap(torch.dot)(X, W)
except ValueError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def shared(trace: Callable[..., Trace]) -> Trace:
    return trace(SHARED, "shared")


@pytest.fixture(scope="module")
def transforms(trace: Callable[..., Trace]) -> Trace:
    return trace(TRANSFORMS, "transforms")


def plain(source: str) -> dict[str, Any]:
    """Return what the names of a script hold that runs without the tracer."""
    names: dict[str, Any] = {"__name__": "plain"}
    exec(source, names)
    return names


def steps(trace: Trace, cell: str) -> list[Step]:
    return [trace.steps[number] for run in trace.runs if run.cell == cell for number in run.steps]


def memory(trace: Trace, cell: str) -> list[str]:
    """Return the op of each step with what is told of its memory, nothing of new memory."""
    flags = ("written", "view", "shared")
    return [
        " ".join([bare_name(step.op), *(flag for flag in flags if getattr(step, flag))])
        for step in steps(trace, cell)
    ]


def assert_names_hold(trace: Trace, source: str) -> None:
    """After each cell the names hold, by the trace, what they hold without it."""
    assert trace.error is None
    names = plain(source)
    last = trace.cells[-1].name
    told = trace.names_after(last)
    held = {name for name, value in names.items() if type(value) is torch.Tensor}
    told.pop("nest", None)  # of a subclass, without one shape
    assert held == set(told)
    for name in held:
        expected = names[name]
        assert trace.tensor(told[name]).shape == tuple(expected.shape), name
        value = trace.values[told[name]]
        assert np.array_equal(value, expected.detach().numpy()), name


def test_the_names_hold_what_they_hold_without_the_tracer(shared: Trace, transforms: Trace) -> None:
    assert_names_hold(shared, SHARED)
    assert_names_hold(transforms, TRANSFORMS)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("from_numpy", ["from_numpy shared", "add"]),
        ("as_tensor", ["as_tensor shared", "as_tensor", "tensor"]),
        ("numpy", ["numpy shared", "numpy shared"]),
        ("buffer", ["frombuffer shared"]),
        (
            "dlpack",
            [
                *("ones", "from_dlpack shared", "from_dlpack", "to_dlpack shared"),
                *("from_dlpack shared", "from_dlpack shared", "__setitem__ written"),
            ],
        ),
        ("set", ["zeros", "set_ view", "__setitem__ written", "set_ view shared", "set_"]),
        (
            "shape",
            [
                *("arange", "resize_ view", "unsqueeze_ view", "squeeze_ view", "t_ view"),
                *("add_ written", "arange", "resize_ view", "zero_ written"),
            ],
        ),
        (
            "out",
            [
                *("zeros", "cat written", "zeros", "add written"),
                *("zeros", "ones", "ones", "mm written"),
            ],
        ),
        ("nested", ["ones", "ones", "nested_tensor"]),
        ("load", ["load", "copy view"]),
    ],
)
def test_the_memory_of_what_came_from_elsewhere(shared: Trace, cell: str, told: list[str]) -> None:
    assert memory(shared, cell) == told


def test_what_numpy_writes_later_is_seen(shared: Trace) -> None:
    """In small tensors and in larger ones, whose values are compared for that reason alone."""
    (made, _), (_, seven) = steps(shared, "from_numpy"), steps(shared, "large")[-2:]
    assert shared.values[made.results[0]][0, 0] == 0
    assert shared.values[shared.names_after("from_numpy")["t"]][0, 0] == 9
    (operand,) = [each.tensor for each in seven.operands if each.tensor is not None]
    assert shared.values[operand][7] == 1
    assert shared.tensor(operand).numel == 20_000


def test_set_points_to_the_memory_of_another(shared: Trace) -> None:
    _, first, _, second, third = steps(shared, "set")
    y = shared.names_after("set")["y"]
    assert shared.tensor(first.results[0]).storage == shared.tensor(y).storage
    told = [shared.tensor(step.results[0]) for step in (first, second, third)]
    assert [(each.shape, each.offset) for each in told] == [((4,), 0), ((2,), 1), ((0,), 0)]
    assert not any(step.written for step in (first, second, third))


def test_a_transform_is_one_step_with_the_true_shapes(transforms: Trace) -> None:
    names = plain(TRANSFORMS)
    told = transforms.names_after("made")
    made = {id: step for step in steps(transforms, "made") for id in step.results}
    ops = {
        "torch.func.vmap": ("vmapped", "sums", "each"),
        "torch.func.grad": ("slope",),
        "torch.func.grad_and_value": ("slope2", "value"),
        "torch.func.jacrev": ("jacobian",),
        "torch.func.vjp": ("out",),
        "torch.func.vjp.vjp_fn": ("pulled",),
    }
    for op, results in ops.items():
        for name in results:
            step = made[told[name]]
            assert step.op == op, name
            assert transforms.tensor(told[name]).shape == tuple(names[name].shape)
            assert {each.kind for each in step.provenance} <= {"opaque"}
    counted = [step.op for step in steps(transforms, "made")]
    assert len(counted) == 12  # ones, sum, backward and the transforms: nothing within
    taken = [
        transforms.tensor(each.tensor).shape
        for each in made[told["vmapped"]].operands
        if each.tensor is not None
    ]
    assert taken == [(4, 3)]


def test_gradients_flow_through_a_transform(transforms: Trace) -> None:
    names = plain(TRANSFORMS)
    (backward,) = transforms.backwards
    (added,) = backward.accumulations
    assert np.array_equal(transforms.values[added.after], names["w"].grad.numpy())
    steps_of_nodes = [transforms.steps[node.step].op for node in backward.nodes if node.step]
    assert "torch.func.vmap" in steps_of_nodes


def test_a_transform_that_raises_is_a_step_that_raised(transforms: Trace) -> None:
    (step,) = steps(transforms, "raised")
    assert step.op == "torch.func.vmap"
    assert step.clash is not None
    (run,) = [run for run in transforms.runs if run.printed]
    assert run.printed.strip() == step.clash.message
