"""Measuring provenance is not noticed by the script: it prints the same with and without.

The script prints all that could give the measuring away: values, versions and gradients, the states
of every generator, what its own hooks, modes and warnings heard, which tensors are alive.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from torchreel.records import Trace
from torchreel.tracer import trace_script
from torchreel.tracer.process import ENVIRONMENT

SCRIPT = '''\
import functools
import gc
import hashlib
import random
import sys
import warnings
import weakref

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

print = functools.partial(print, file=open("told.txt", "w"), flush=True)
np.seterr(all="raise")
torch.manual_seed(3)
random.seed(3)
np.random.seed(3)
own = torch.Generator().manual_seed(5)
warnings.showwarning = lambda message, *rest: print("warned", str(message)[:40])


def tell():
    """Print the state of everything."""
    with torch._C.DisableTorchFunction():
        for name, value in sorted(globals().items()):
            if isinstance(value, torch.Tensor):
                sha = hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()
                version = None if value.is_inference() else value._version
                grad = None if not value.is_leaf or value.grad is None else value.grad.tolist()
                print(name, sha[:12], version, value.requires_grad, grad)
        for state in (torch.get_rng_state(), own.get_state()):
            print(hashlib.sha256(state.numpy().tobytes()).hexdigest()[:12])
        print(random.random(), np.random.rand(), torch.is_grad_enabled(), torch.get_num_threads())
        gc.collect()
        print(sum(isinstance(each, torch.Tensor) for each in gc.get_objects()), "tensors live")
        print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])


x = torch.randn(3, 4)
y = torch.randn(3, 4, requires_grad=True)
i = torch.tensor([2, 0])
m = x > 0
tell()

# %% random
a = F.dropout(x, 0.5)
b = torch.rand_like(x) + torch.bernoulli(x.sigmoid())
c = torch.multinomial(x.abs()[0], 2, generator=own)
d = torch.normal(x, 1.0, generator=own)
e = nn.init.uniform_(torch.zeros(3))
f = F.rrelu(x, training=True)
g = torch.randperm(6)[torch.randint(0, 6, (3,))]
tell()

# %% moves and feeds
a = x.T.reshape(2, 6)[:, i]
b = torch.where(m, x, y)
c = y.softmax(1) @ x.T
d = x.sort(dim=1).values.cumsum(0)
e = F.cross_entropy(c, torch.tensor([0, 2, 1]))
f = x.max(dim=1).indices
tell()

# %% in place
a = x.clone()
a.add_(1)
a[0] = a[1]
a[1:] += x[1:]
view = a.view(12)
view.mul_(2)
torch.mul(x, x, out=b.detach())
with torch.no_grad():
    y += 1
tell()

# %% normalization keeps what it has seen
norm = nn.BatchNorm1d(4)
a = norm(x)
b = norm(x)
seen, spread, batches = norm.running_mean, norm.running_var, norm.num_batches_tracked
tell()

# %% gradients
loss = (y * x).relu().sum()
loss.backward()
heard = []
with torch.autograd.graph.saved_tensors_hooks(lambda t: heard.append(1) or t, lambda t: t):
    loss = (y * x).exp().sum()
print(len(heard))
loss.backward()
y.register_hook(lambda gradient: heard.append(2))
z = (y * 2).pow(2)
z.sum().backward()
print(heard)
gone = weakref.ref(z)
del z
print(gone() is None)
tell()

# %% modes
class Counting(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        heard.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Dispatching(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ("mul", "sort", "relu"):
            heard.append(func.__name__)
        return func(*args, **(kwargs or {}))


heard.clear()
with Counting():
    a = x * 3
    b = a.relu()
print(heard)
tell()

# %% inference and transforms
with torch.inference_mode():
    a = x * 2
    b = a.softmax(0)
c = torch.func.grad(lambda t: (t ** 2).sum())(x)
d = torch.vmap(lambda row: row.cumsum(0) * 2)(x)
with torch.autocast("cpu"):
    f = (x @ x.T).float()
tell()

# %% warnings
for _ in range(3):
    F.mse_loss(x, x[:1])
    warnings.warn("mine")
np.seterr(all="warn")
tell()

# %% swapping
one, other = torch.ones(2), torch.zeros(3)
torch.utils.swap_tensors(one, other)
print(one.tolist(), other.tolist(), weakref.getweakrefcount(one))
layer = nn.Linear(2, 2)
layer(one[:2]).sum().backward()
torch.__future__.set_swap_module_params_on_conversion(True)
print(nn.Linear(2, 2).double().weight.dtype, layer.load_state_dict(layer.state_dict()))
torch.__future__.set_swap_module_params_on_conversion(False)
tell()

# %% dispatching
heard.clear()
with Dispatching():
    a = (x * 3).relu().sort(0).values
print(heard)
with torch.profiler.profile() as profiler:
    b = x.relu()
print(sum(each.key == "aten::relu" for each in profiler.key_averages()))
'''


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, list[str], list[str]]:
    """The trace, and what was told with and without the tracer."""
    folder = tmp_path_factory.mktemp("project")
    script, told = folder / "script.py", folder / "told.txt"
    script.write_text(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # idle threads that spin make it slow
        trace = trace_script(script, root=folder)
        traced = told.read_text().splitlines()
        command = [sys.executable, str(script)]
        subprocess.run(command, cwd=folder, env=os.environ | ENVIRONMENT, check=True)
    return trace, traced, told.read_text().splitlines()


@pytest.fixture(scope="module")
def trace(both: tuple[Trace, list[str], list[str]]) -> Trace:
    return both[0]


def test_the_script_tells_the_same(both: tuple[Trace, list[str], list[str]]) -> None:
    trace, traced, plain = both
    assert trace.error is None
    assert traced == plain
    assert sum("tensors live" in line for line in plain) == 10


def of_line(trace: Trace, text: str) -> list[Any]:
    number = next(n for n, each in enumerate(SCRIPT.splitlines(), 1) if each.strip() == text)
    return [each for step in trace.steps if step.line == number for each in step.provenance]


def test_it_was_measured_all_the_same(trace: Trace) -> None:
    assert [each.kind for each in of_line(trace, "c = y.softmax(1) @ x.T")] == [
        "feeds",
        "moves",
        "feeds",
    ]
    lines = (
        "a = norm(x)",
        "view.mul_(2)",
        "y += 1",
        "a = x * 2",
        "b = a.softmax(0)",
        "b = x.relu()",
    )
    for line in lines:
        assert {each.kind for each in of_line(trace, line)} == {"feeds"}, line


def test_what_would_be_noticed_is_not_measured(trace: Trace) -> None:
    for line, why in (
        ("a = F.dropout(x, 0.5)", "random"),
        ("d = torch.normal(x, 1.0, generator=own)", "random"),
        ("d = torch.vmap(lambda row: row.cumsum(0) * 2)(x)", "transform"),
        ("a = (x * 3).relu().sort(0).values", "dispatch mode"),
    ):
        found = of_line(trace, line)
        assert found, line
        assert {each.kind for each in found} == {"opaque"}, line
        assert any(why in each.reason for each in found), (line, found)
    reasons = {each.reason for step in trace.steps for each in step.provenance}
    assert not [reason for reason in reasons if "failed" in reason]
