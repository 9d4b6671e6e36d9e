"""What a trace tells of torch calls that raise, against torch's own exceptions."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from itertools import accumulate
from operator import mul
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own alias)
from torch import nn

from torchreel.records import Clash, Step, Trace

CASES = {
    # statement: kind and facts
    "ones(1, 28) @ ones(784, 128)": ("shape", "28", "784"),
    "F.linear(ones(1, 28), ones(128, 784), ones(128))": ("shape", "28", "784"),
    "nn.Linear(784, 128)(ones(1, 28))": ("shape", "28", "784"),
    "torch.mm(ones(2, 3), ones(2, 3))": ("shape", "3", "2"),
    "torch.bmm(ones(2, 3, 4), ones(3, 4, 5))": ("shape", "2", "3"),
    "torch.matmul(ones(2, 3, 4), ones(3, 4, 5))": ("shape", "2", "3"),
    "torch.addmm(ones(2), ones(2, 3), ones(4, 5))": ("shape", "3", "4"),
    "torch.dot(ones(3), ones(4))": ("shape", "3", "4"),
    "ones(3) @ torch.tensor(2.0)": ("shape", "1D", "0D"),
    'torch.einsum("ij,jk->ik", ones(2, 3), ones(4, 5))': ("shape", "3", "4"),
    "ones(2) + ones(4)": ("shape", "2", "4"),
    "ones(2, 3) * ones(4, 3)": ("shape", "2", "4"),
    "ones(2, 4) > ones(2, 3)": ("shape", "4", "3"),
    "torch.where(ones(2) > 0, ones(2), ones(3))": ("shape", "2", "3"),
    "ones(3).add_(ones(2, 3))": ("shape", "(3,)", "(2, 3)"),
    "torch.zeros(3).copy_(ones(4))": ("shape", "3", "4"),
    "torch.arange(12).reshape(5, 3)": ("shape", "12", "15"),
    "torch.arange(12).view((5, 3))": ("shape", "12", "15"),
    "torch.arange(12).reshape(5, -1)": ("shape", "12", "(5, -1)"),
    "ones(3).expand(2, 4)": ("shape", "3", "4"),
    "ones(2, 3).permute(0, 1, 2)": ("shape", "2", "3"),
    "ones(12).split([5, 5])": ("shape", "12", "10"),
    "ones(2, 3).sum(dim=2)": ("shape", "dim 2", "2D"),
    "torch.cat([ones(2, 3), ones(2, 4)])": ("shape", "3", "4"),
    "torch.cat([ones(2, 3), ones(2, 3), ones(3, 3)], dim=1)": ("shape", "2", "3"),
    "torch.stack([ones(3), ones(4)])": ("shape", "3", "4"),
    "ones(3)[3]": ("shape", "index 3", "size 3"),
    "ones(3, 4)[1, -7]": ("shape", "index -7", "size 4"),
    "ones(3, 4)[..., 9]": ("shape", "index 9", "size 4"),
    "ones(3, 4)[:, torch.tensor([0, 9])]": ("shape", "index 9", "size 4"),
    "ones(3, 4)[1, 2, 3]": ("shape", "3", "2"),
    "ones(3)[torch.tensor([True, False])]": ("shape", "2", "3"),
    "ones(3)[torch.tensor([0.5])]": ("dtype", "float32", "int64"),
    "ones(3)[1.5]": ("other",),
    "ones(3, 4)[0] = ones(2)": ("shape", "4", "2"),
    "ones(3)[5] = 1": ("shape", "index 5", "size 3"),
    "torch.gather(ones(2, 3), 1, torch.tensor([[5]]))": ("shape", "index 5", "size 3"),
    "ones(2, 3).item()": ("shape", "6", "1"),
    "bool(ones(2))": ("shape", "2", "1"),
    "torch.tensor([[1, 2], [3]])": ("shape", "2", "1"),
    "nn.Conv2d(3, 8, 3)(ones(1, 1, 28, 28))": ("shape", "1", "3"),
    "nn.Conv1d(4, 8, 3, groups=2)(ones(1, 6, 9))": ("shape", "6", "4"),
    "nn.Conv2d(1, 8, 5)(ones(1, 1, 3, 3))": ("shape", "3", "5"),
    "nn.Conv2d(1, 8, 5)(ones(28, 28))": ("shape", "2D", "4D"),
    "nn.Embedding(10, 4)(torch.tensor([1, 10]))": ("shape", "index 10", "size 10"),
    "nn.Embedding(10, 4)(torch.tensor([1.0]))": ("dtype", "float32", "int64"),
    "F.layer_norm(ones(2, 3), (4,))": ("shape", "3", "4"),
    "nn.BatchNorm1d(4)(ones(2, 3))": ("shape", "3", "4"),
    "F.mse_loss(ones(2, 3), ones(2, 4))": ("shape", "3", "4"),
    "F.cross_entropy(ones(8, 10), torch.zeros(4, dtype=torch.long))": ("shape", "8", "4"),
    "F.cross_entropy(ones(2, 3), torch.tensor([0, 3]))": ("shape", "index 3", "size 3"),
    "F.cross_entropy(ones(8, 10), torch.zeros(8))": ("dtype", "float32", "int64"),
    "torch.arange(6).reshape(2, 3) @ ones(3, 2)": ("dtype", "int64", "float32"),
    "nn.Linear(4, 2)(torch.arange(4))": ("dtype", "int64", "float32"),
    "F.linear(ones(1, 4).double(), ones(2, 4))": ("dtype", "float64", "float32"),
    "nn.Conv2d(1, 1, 1)(ones(1, 1, 2, 2).double())": ("dtype", "float64", "float32"),
    "torch.arange(3).add_(1.5)": ("dtype", "int64", "float32"),
    "torch.arange(3).mean()": ("dtype", "int64", "floating point"),
    'nn.Linear(784, 128, device="meta")(ones(1, 784))': ("device", "cpu", "meta"),
    'ones(2, device="meta") + ones(2)': ("device", "meta", "cpu"),
    "ones(2).backward()": ("other",),
    "ones(2, 3).t().view(6)": ("other",),
    "torch.zeros(3, 3).inverse()": ("other",),
    "torch.zeros(10**14)": ("other",),
}
HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
from torch import ones
"""


LAPS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 128)

    def forward(self, x):
        return self.layer(x)

net = Net()
caught = []
def checked(n):
    if n % 2:
        raise ValueError("my own")
    return int("x")

# %% laps
for i in range(40):
    x, y = ones(2, i % 7 + 3), ones(2, 3)
    try:
        if i % 10 == 4:
            z = torch.cat([x, y], dim=0)
        elif i % 10 == 5:
            z = net(x)
        elif i % 10 == 6:
            x += y
        elif i % 10 == 7:
            z = x.view(
                5, 3)
        elif i % 10 == 8:
            checked(i)
        elif i == 19:
            checked(i)
        else:
            z = x[:, :3] * y
    except (RuntimeError, ValueError) as error:
        caught.append(str(error))
after = ones(3)

# %% many
for i in range(2000):
    try:
        ones(2) + ones(3) if i < 1000 else y + ones(4)
    except RuntimeError:
        pass
    try:
        y + x
    except RuntimeError:
        pass
"""


@pytest.fixture(scope="module")
def lapses(trace: Callable[..., Trace]) -> Trace:
    traced: Trace = trace(HEAD + LAPS, "lapses")
    assert traced.error is None
    return traced


def test_a_call_that_raises_in_a_lap_that_is_not_kept_is_told_by_its_traceback(
    lapses: Trace,
) -> None:
    """Run the script without the tracer: what it caught is what the trace tells."""
    scope: dict[str, Any] = {}
    exec(HEAD + LAPS.partition("# %% many")[0], scope)
    raised = [
        step
        for step in lapses.steps
        if step.clash is not None and lapses.runs[step.run].cell == "laps"
    ]
    messages = [step.clash.message for step in raised if step.clash is not None]
    own = ("my own", "invalid literal for int() with base 10: 'x'")
    assert messages == [text for text in scope["caught"] if text not in own]
    assert len(messages) > 8
    told = {(step.expression, step.op) for step in raised}
    assert told == {
        ("torch.cat([x, y], dim=0)", "torch.cat"),
        ("self.layer(x)", "torch.nn.functional.linear"),
        ("x += y", "torch.Tensor.add_"),
        ("x.view(\n    5, 3)", "torch.Tensor.view"),
    }
    for step in raised:
        assert step.clash is not None
        assert step.clash.facts, step
        shapes = [lapses.tensor(each.tensor).shape for each in step.operands if each.tensor]
        assert shapes[0][0] == 2
        assert step.line > 0
    assert {lapses.runs[step.run].statement for step in raised} == {1}, "the loop's"


def test_of_many_that_raise_the_first_ones_are_told(lapses: Trace) -> None:
    raised = [step for step in lapses.steps if step.clash is not None]
    many = [step for step in raised if lapses.runs[step.run].cell == "many"]
    assert 50 < len(many) < 320


@pytest.fixture(scope="module")
def clashes(trace: Callable[..., Trace]) -> dict[str, tuple[Trace, Step]]:
    """The step of each case that raised in the traced script."""
    tries = "".join(f"try:\n    {case}\nexcept Exception:\n    pass\n" for case in CASES)
    traced: Trace = trace(HEAD + tries)
    assert traced.error is None
    raised = [step for step in traced.steps if step.clash is not None]
    assert len(raised) == len(CASES)
    return dict(zip(CASES, ((traced, step) for step in raised), strict=True))


def exception_of(case: str) -> Exception:
    scope = {"torch": torch, "F": F, "nn": nn, "ones": torch.ones}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mse_loss warns before it raises
        try:
            exec(case, scope)
        except Exception as error:
            return error
    raise AssertionError(f"torch allows {case}")


def clash_of(step: Step) -> Clash:
    assert step.clash is not None
    return step.clash


@pytest.mark.parametrize("case", CASES)
def test_a_call_that_raises_is_a_step_with_torchs_own_exception(
    clashes: dict[str, tuple[Trace, Step]], case: str
) -> None:
    _, step = clashes[case]
    error = exception_of(case)
    assert (clash_of(step).type, clash_of(step).message) == (type(error).__name__, str(error))
    assert step.results == ()
    assert step.expression in case or step.expression == case


@pytest.mark.parametrize("case", CASES)
def test_the_facts_are_those_of_the_operands(
    clashes: dict[str, tuple[Trace, Step]], case: str
) -> None:
    traced, step = clashes[case]
    clash = clash_of(step)
    assert (clash.kind, *clash.facts) == CASES[case]
    assert len(clash.dims) in (0, len(clash.facts))
    for number in numbers(" ".join(clash.facts) if clash.kind == "shape" else ""):
        assert number in {*numbers(clash.message), *told(traced, step)}
    for fact, operand in zip(clash.facts, clash.operands, strict=False):
        record = step.operands[operand].tensor
        if clash.kind != "shape":
            assert record is not None
            assert fact in (traced.tensor(record).dtype, traced.tensor(record).device)
    for fact, operand, dim in zip(clash.facts, clash.operands, clash.dims, strict=False):
        record = step.operands[operand].tensor
        if dim >= 0:
            assert record is not None
            assert traced.tensor(record).shape[dim] == numbers(fact)[0]


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def told(traced: Trace, step: Step) -> set[int]:
    """Every number that the operands have: sizes, counts, and those that the call was given."""
    found = {1}  # what item() wants
    literals = [number for each in step.operands for number in numbers(each.literal or "")]
    found |= {*literals, sum(literals), *accumulate(literals, mul), len(literals)}
    for operand in step.operands:
        if operand.tensor is not None:
            tensor = traced.tensor(operand.tensor)
            found |= {*tensor.shape, len(tensor.shape), tensor.numel}
            if operand.tensor in traced.values and tensor.dtype == "int64":
                found.update(traced.values[operand.tensor].reshape(-1).tolist())
    return found
