"""Loops, the series that their laps leave behind, and plain names."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from torchreel.records import Loop, Trace
from torchreel.tracer.curves import LONGEST, Curve
from torchreel.tracer.laps import names_bound

LOOPS = """
import torch
from math import pi

# %% nested
history = torch.zeros(6)
for epoch in range(3):
    seen = 0
    for batch in range(7):
        seen += 1
        loss = torch.tensor(epoch + batch / 10)
        pair = torch.ones(2)
        flag = batch > 3
        if batch == 5:
            continue
        double = loss.item() * 2
    mean = loss * seen

# %% ends
n = 0
while n >= 0:
    n = n + 1
    if n == 12:
        break
def count(m):
    global last
    for i in range(m):
        half = i / 2
        last = i
        if i == 4:
            raise ValueError
try:
    count(9)
except ValueError:
    pass
count(2)
def forever():
    k = 0
    while True:
        k += 1
        yield k
for value in forever():
    root = value ** 0.5
    if value > 49:
        break

# %% plain
shape = torch.ones(2, 3).shape
device = torch.device("cpu")
dtype = torch.float64
text, number = "a" * 500, 3
number = torch.ones(1)
number = 4.5
rows = [1, 2]
def area(number):
    width = number * 2
    return width
size = area(7)

# %% hooked
def note(step):
    global noted
    noted = torch.tensor(step * 0.5)
noted = torch.tensor(-1.0)
for outer in range(3):
    for step in range(4):
        note(step)
for idle in range(5):
    pass

# %% training
torch.manual_seed(11)
weight = torch.ones(3, requires_grad=True)
layer = torch.nn.Linear(3, 1, bias=False)
optimizer = torch.optim.SGD([weight, *layer.parameters()], lr=0.125)
for step in range(300):
    optimizer.zero_grad()
    cost = (layer(weight) - 1).pow(2).sum() * (float("inf") if step == 9 else 1)
    cost.backward()
    optimizer.step()
    with torch.no_grad():
        weight.fill_(1 / (step + 1))
        layer.weight.fill_(2 / (step + 1))
"""


@pytest.fixture(scope="module")
def loops(trace: Callable[..., Trace]) -> Trace:
    traced: Trace = trace(LOOPS)
    assert traced.error is None
    return traced


def curve(trace: Trace, cell: str, name: str, kind: str = "name") -> list[NDArray[Any]]:
    return [
        trace.arrays[each.array]
        for each in trace.series
        if (each.cell, each.name, each.kind) == (cell, name, kind)
    ]


def only(trace: Trace, cell: str, name: str) -> list[tuple[float, float]]:
    (points,) = curve(trace, cell, name)
    return [(float(lap), float(number)) for lap, number in points]


def loop(trace: Trace, cell: str, header: str) -> Loop:
    numbers = {s.text: s.number for s in trace.cell(cell).statements}
    (found,) = [
        each for each in trace.loops if (each.cell, each.statement) == (cell, numbers[header])
    ]
    return found


def test_laps_are_counted_over_all_runs_of_a_loop(loops: Trace) -> None:
    assert loop(loops, "nested", "for epoch in range(3):").kept == (1, 2, 3)
    inner = loop(loops, "nested", "for batch in range(7):")
    assert (inner.laps, inner.kept) == (21, (1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 17, 21))
    assert loop(loops, "ends", "while n >= 0:").laps == 12
    assert loop(loops, "ends", "for i in range(m):").laps == 7
    assert loop(loops, "ends", "for value in forever():").laps == 50
    long = loop(loops, "training", "for step in range(300):")
    assert (long.laps, long.kept) == (300, (1, 2, 3, 10, 30, 100, 300))


def test_every_lap_leaves_the_numbers_of_the_names_that_its_body_binds(loops: Trace) -> None:
    laps = [(epoch, batch) for epoch in range(3) for batch in range(7)]
    losses = [torch.tensor(epoch + batch / 10).item() for epoch, batch in laps]
    assert only(loops, "nested", "loss") == [(i + 1, loss) for i, loss in enumerate(losses)]
    seen = curve(loops, "nested", "seen")
    assert seen[0].tolist() == [[1, 7], [2, 7], [3, 7]], "of the outer loop"
    assert seen[1][:, 1].tolist() == [1, 2, 3, 4, 5, 6, 7] * 3, "of the inner one"
    means = [(epoch + 1, (torch.tensor(losses[epoch * 7 + 6]) * 7).item()) for epoch in range(3)]
    assert only(loops, "nested", "mean") == means
    double = [number for _, number in only(loops, "nested", "double")]
    assert double[5] == double[4], "the lap that went on holds what the one before it left"
    named = {(each.cell, each.name) for each in loops.series}
    for name in ("epoch", "batch", "pair", "flag"):
        assert ("nested", name) not in named


def test_break_exceptions_functions_and_generators_end_a_lap(loops: Trace) -> None:
    assert only(loops, "ends", "n") == [(lap, lap) for lap in range(1, 13)]
    assert [number for _, number in only(loops, "ends", "half")] == [0, 0.5, 1, 1.5, 2, 0, 0.5]
    assert [number for _, number in only(loops, "ends", "last")] == [0, 1, 2, 3, 4, 0, 1]
    assert only(loops, "ends", "root") == [(lap, lap**0.5) for lap in range(1, 51)]
    assert only(loops, "ends", "k") == [(lap, lap) for lap in range(1, 51)]


def test_gradients_and_updates_are_measured_as_torch_would(loops: Trace) -> None:
    """Run the cell without the tracer; of each lap take the norms."""
    norms: dict[tuple[str, str], dict[int, float]] = {}
    source = LOOPS.partition("# %% training")[2]
    scope: dict[str, Any] = {"torch": torch}

    def told(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, each in zip(("weight", "layer"), parameters(scope), strict=True):
            was = before[name]
            norms.setdefault((name, "gradient"), {})[lap()] = each.grad.norm().item()
            norms.setdefault((name, "update"), {})[lap()] = (each.detach() - was).norm().item()

    def lap() -> int:
        return int(scope["step"]) + 1

    def keep(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, each in zip(("weight", "layer"), parameters(scope), strict=True):
            before[name] = each.detach().clone()

    before: dict[str, torch.Tensor] = {}
    handles = [
        register_optimizer_step_pre_hook(keep),
        register_optimizer_step_post_hook(told),
    ]
    exec(source, scope)
    for handle in handles:
        handle.remove()
    for kind in ("gradient", "update"):
        variable, layer = curve(loops, "training", "weight", kind)
        for points, name in ((variable, "weight"), (layer, "layer")):
            expected = norms[name, kind]
            assert points[:16, 0].tolist() == list(range(1, 17))
            last = points[15 + 8 + 8 + 9 + 8 :, 0].tolist()  # of the nine, lap 100 is kept anyway
            assert last == [256, 288, 300], "every 32nd, and what is kept anyway"
            for number, value in points:
                assert value == pytest.approx(expected[int(number)], rel=1e-4, nan_ok=True)


def parameters(scope: dict[str, Any]) -> list[Any]:
    return [scope["weight"], scope["layer"].weight]


def test_norms_that_are_not_finite_are_not_told(loops: Trace) -> None:
    lap = next(step for step in loops.optimizers if step.updates[0].gradient_norm is None)
    assert lap is loops.optimizers[3], "the one of lap 10"
    assert all(math.isfinite(u.norm or 0.0) for step in loops.optimizers for u in step.updates)


def test_names_of_plain_values_come_with_their_text(loops: Trace) -> None:
    plain = [dict(run.plain) for run in loops.runs if run.cell == "plain" and run.plain]
    assert plain == [
        {"shape": "(2, 3)"},
        {"device": "device(type='cpu')"},
        {"dtype": "torch.float64"},
        {"text": "'" + "a" * 198 + "…", "number": "3"},
        {"number": "4.5"},
        {"number": "7", "width": "14"},
        {"number": "4.5", "size": "14"},
    ]
    assert [run.plain for run in loops.runs if "pi" in run.plain] == [{"pi": repr(math.pi)}]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("for i in x:\n a = 1\n b, (c, *d) = 2, (3, 4)", "a b c d"),
        ("for i in x:\n i = i + 1\n a += i", "a"),
        ("while (n := f()):\n n = 1\n m = 2", "m"),
        ("for i in x:\n for j in y:\n  a = 1\n else:\n  b = 2\n c = 3", "b c"),
        ("for i in x:\n def f():\n  a = 1\n b = [c for c in d]\n self.e = 1\n g[0] = 1", "b"),
        ("for i in x:\n with y as a:\n  if z: b = 1\n  else: c = (d := 2)", "a b c d"),
        ("if x:\n a = 1", ""),
    ],
)
def test_the_names_that_a_body_binds(source: str, names: str) -> None:
    assert names_bound(ast.parse(source).body[0]) == tuple(names.split())


def test_a_long_curve_keeps_the_least_and_the_greatest_of_equal_stretches() -> None:
    numbers = np.sin(np.arange(100_001) ** 1.5)
    numbers[70_000] = math.nan
    made = Curve()
    for lap, number in enumerate(numbers[1:], start=1):
        made.add(lap, number)
    points = made.points()
    assert len(points) <= LONGEST
    stretch = 32
    assert np.all(np.diff(points[:, 0]) > 0)
    assert np.array_equal(points[:, 1], numbers[points[:, 0].astype(int)], equal_nan=True)
    for first in range(1, 100_001, stretch):
        own = numbers[first : first + stretch]
        kept = points[(points[:, 0] >= first) & (points[:, 0] < first + stretch), 1]
        assert np.nanmin(kept) == np.nanmin(own)
        assert np.isnan(kept).any() if np.isnan(own).any() else kept.max() == own.max()


def test_an_integer_too_large_for_a_float_is_infinite() -> None:
    made = Curve()
    made.add(1, 10**400)
    assert made.points().tolist() == [[1.0, math.inf]]


def test_a_global_that_a_function_binds_is_a_series_of_the_loop_that_calls_it(loops: Trace) -> None:
    (points,) = curve(loops, "hooked", "noted")
    assert points[:, 0].tolist() == list(range(1, 13))
    assert points[:, 1].tolist() == [0.0, 0.5, 1.0, 1.5] * 3
    (series,) = [each for each in loops.series if each.name == "noted"]
    assert series.statement == next(
        each.number for each in loops.cell("hooked").statements if "step in" in each.text
    )


INSIDE = """
import torch

def halves(n):
    for k in range(n):
        yield torch.full((1,), k / 2)

def doubled(part):
    with torch.no_grad():
        twice = part * 2
    return twice

# %% inside
for epoch in range(4):
    for part in halves(5):
        whole = doubled(part)
    last = whole + epoch
after = last + 1

# %% own
def inner(rows):
    for row in rows:
        if row[0] > 1:
            lit = row * 3
for outer in range(3):
    inner(torch.arange(4.0).reshape(4, 1))
"""


def test_a_run_tells_the_laps_it_is_in(trace: Callable[..., Trace]) -> None:
    """In functions and blocks too; what waits in a generator's own loop is not in that."""
    traced = trace(INSIDE)
    assert traced.error is None

    def laps(cell: str, text: str, *headers: str) -> list[tuple[int, ...]]:
        numbers = {each.text: each.number for each in traced.cell(cell).statements}
        return [
            tuple(run.lap_of(numbers[header]) for header in headers)
            for run in traced.runs
            if (run.cell, run.statement) == (cell, numbers[text]) and run.changed
        ]

    epochs, parts = "for epoch in range(4):", "for part in halves(5):"
    assert laps("inside", "last = whole + epoch", epochs, parts) == [(k, 0) for k in (1, 2, 3, 4)]
    kept = [(k, 5 * (k - 1) + j) for k in (1, 2, 3, 4) for j in (1, 2, 3)]
    assert set(laps("inside", "whole = doubled(part)", epochs, parts)) == set(kept)
    assert laps("inside", "after = last + 1", epochs, parts) == [(0, 0)]
    lit = laps("own", "lit = row * 3", "for outer in range(3):", "for row in rows:")
    assert lit == [(k, 4 * (k - 1) + j) for k in (1, 2, 3) for j in (3, 4)]
