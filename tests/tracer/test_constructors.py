"""Tensors that a class makes are steps as those of a function are; against PyTorch untraced."""

from __future__ import annotations

from typing import Any

import pytest

from torchreel.records import Step, Trace

SCRIPT = """\
import copy
from copy import copy as duplicate
import torch
from torch import nn
from torch import LongTensor as Whole
from torch import DoubleTensor

class Labels(torch.Tensor):
    pass

class FloatTensor(list):
    pass

a = torch.Tensor([1, 2])
b = torch.FloatTensor([[1, 2], [3, 4]])
c = DoubleTensor((3, 4))
p = nn.Parameter(a)
q = nn.Parameter(a, requires_grad=False)
e = copy.copy(a)
f = duplicate(b)
g = torch.Tensor(a)
h = a.new([5.0, 6.0])
raw = torch.Tensor(2, 3)
sized = torch.Tensor(torch.Size([2]))
long = torch.LongTensor(3)
fresh = a.new(2, 2)
kept = nn.Parameter(raw)
permuted = torch.empty_permuted((2, 3), (1, 0))
none = FloatTensor([1])
own = Labels([1.0])
r = torch.vmap(lambda x: a)(b)
s = torch.vmap(lambda x: torch.zeros(2))(b)
listed = copy.copy([a])
try:
    torch.IntTensor("x")
except TypeError as error:
    print(error)
print(isinstance(a, torch.FloatTensor), isinstance(p, nn.Parameter), type(own).__name__)
"""

SHOWN = {
    "a": ("torch.Tensor", False),
    "b": ("torch.FloatTensor", False),
    "c": ("torch.DoubleTensor", False),
    "p": ("torch.nn.Parameter", True),
    "q": ("torch.nn.Parameter", True),
    "e": ("copy.copy", True),
    "f": ("copy.copy", True),
    "g": ("torch.Tensor", True),
    "h": ("torch.Tensor.new", False),
    "r": ("torch.func.vmap", True),
    "s": ("torch.func.vmap", False),
}
RAW = {
    "raw": "torch.Tensor",
    "sized": "torch.Tensor",
    "long": "torch.LongTensor",
    "fresh": "torch.Tensor.new",
    "kept": "torch.nn.Parameter",
    "permuted": "torch.empty_permuted",
}


@pytest.fixture(scope="module")
def made(trace: Any) -> Trace:
    traced: Trace = trace(SCRIPT)
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(SCRIPT, names)
    return names


def held(trace: Trace, name: str) -> int:
    return next(
        record for run in reversed(trace.runs) if (record := run.changed.get(name)) is not None
    )


def maker(trace: Trace, record: int) -> Step:
    return next(step for step in trace.steps if record in step.results)


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_class_makes_is_a_step(made: Trace, plain: dict[str, Any], name: str) -> None:
    record = held(made, name)
    step = maker(made, record)
    assert (step.op, step.view) == SHOWN[name]
    assert made.values[record].tolist() == plain[name].tolist()
    assert made.tensors[record].requires_grad == plain[name].requires_grad
    is_shared = plain[name].untyped_storage().data_ptr() in (
        plain[other].untyped_storage().data_ptr() for other in "ab" if other != name
    )
    assert step.view == is_shared


@pytest.mark.parametrize("name", RAW)
def test_memory_that_nothing_wrote_has_no_values(
    made: Trace, plain: dict[str, Any], name: str
) -> None:
    record = held(made, name)
    assert maker(made, record).op == RAW[name]
    assert made.tensors[record].shape == tuple(plain[name].shape)
    assert record not in made.values


def test_where_elements_went_is_known(made: Trace) -> None:
    for name in "pefg":
        step = maker(made, held(made, name))
        assert [each.kind for each in step.provenance] == ["moves"]


def test_the_rest_is_as_it_was(made: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    exec(SCRIPT, {"__name__": "__main__"})
    assert "".join(run.printed for run in made.runs) == capsys.readouterr().out
    clash = next(step for step in made.steps if step.clash)
    assert (clash.op, clash.expression) == ("torch.IntTensor", 'torch.IntTensor("x")')
