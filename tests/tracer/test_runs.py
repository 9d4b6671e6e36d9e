"""Statements that run: names, laps, functions, generators, and which step belongs to which."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from torchreel.records import Run, Step, Trace

Tracing = Callable[..., Trace]

NAMES = """
import torch

# %% names
x = torch.arange(3)
x = x + 1
a, (b, *c) = x, torch.eye(2)
first, second = torch.ones(2), torch.zeros(2)
x += 1
for row in torch.eye(2): last = row
if (found := x.sum()) > 2: pass
alias = x
x = "no tensor"
del alias
a = [a]

# %% scopes
k = torch.ones(1)

def double(k):
    '''Stays a docstring.'''
    inner = k * 2
    return inner + 1

assert double.__doc__ == "Stays a docstring."
two = double(torch.zeros(2)); three = double(k) + double(k)

class Net(torch.nn.Module):
    scale = torch.tensor(2.0)
    def forward(self, x):
        return x * self.scale

out = Net()(k)
squares = [row ** 2 for row in torch.eye(2)]
later = lambda t: t.neg()
minus = later(k)
with torch.no_grad() as off:
    inside = k.exp()
chain = (k
    .reshape(1, 1)
    .t())
def bind():
    global made
    made = torch.ones(4)
bind()
try:
    k @ torch.ones(2, 2)
except RuntimeError as error:
    print("caught", type(error).__name__)
print("one", end=" "); print("two")

# %% odd
import asyncio

n = 40
ELIFS

DEEP

async def wait():
    z = torch.ones(2)
    for _ in range(5):
        await asyncio.sleep(0)
        z = z + 1
    return z

waited = asyncio.run(wait())

def square(x):
    y = x ** 2
    return y.sum()

slope = torch.func.grad(square)(torch.ones(3))
rows = torch.vmap(square)(torch.ones(2, 3))
double = torch.compile(lambda x: x * 2)
compiled = double(torch.ones(2))
"""
ELIFS = "if n == 0: pass\n" + "\n".join(f"elif n == {i}: pass" for i in range(1, 30))
ELIFS += "\nelif torch.tensor(n) > 30: branch = torch.ones(3)"
DEEP = "\n".join(" " * i + f"for i{i} in [1]:" for i in range(14)) + "\n"
DEEP += " " * 14 + "deep = torch.ones(1) * i13"
NAMES = NAMES.replace("ELIFS", ELIFS).replace("DEEP", DEEP)


@pytest.fixture(scope="module")
def names(trace: Tracing) -> Trace:
    traced = trace(NAMES)
    assert traced.error is None
    return traced


def changes(trace: Trace, cell: str, text: str) -> list[dict[str, int | None]]:
    (number,) = [s.number for s in trace.cell(cell).statements if s.text == text]
    found = [run.changed for run in trace.runs if (run.cell, run.statement) == (cell, number)]
    return [dict(changed) for changed in found if changed]


def held(trace: Trace, cell: str, text: str) -> set[str]:
    (number,) = [s.number for s in trace.cell(cell).statements if s.text == text]
    return set(trace.names_after(cell, number))


def values(trace: Trace, cell: str, name: str) -> object:
    return trace.values[trace.names_after(cell)[name]].tolist()


def statement(trace: Trace, run: Run) -> str:
    assert run.cell is not None
    return trace.cell(run.cell).statements[run.statement - 1].text


def owner(trace: Trace, step: Step) -> str:
    return statement(trace, trace.runs[step.run])


def test_a_name_used_again_and_written_in_place_holds_other_records(names: Trace) -> None:
    ids = [
        changes(names, "names", text)[0]["x"]
        for text in ("x = torch.arange(3)", "x = x + 1", "x += 1")
    ]
    assert len(set(ids)) == 3
    assert [names.values[i].tolist() for i in ids if i is not None] == [
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
    ]


def test_every_way_of_binding_a_name_is_seen(names: Trace) -> None:
    assert set(changes(names, "names", "a, (b, *c) = x, torch.eye(2)")[0]) == {"a", "b"}
    text = "first, second = torch.ones(2), torch.zeros(2)"
    assert set(changes(names, "names", text)[0]) == {"first", "second"}
    assert "row" in changes(names, "names", "for row in torch.eye(2):")[0]
    assert "found" in held(names, "names", "if (found := x.sum()) > 2:")
    assert set(changes(names, "scopes", "made = torch.ones(4)")[0]) == {"made"}
    assert values(names, "scopes", "made") == [1.0] * 4


def test_a_name_that_is_deleted_or_holds_no_tensor_any_more_goes(names: Trace) -> None:
    assert changes(names, "names", 'x = "no tensor"') == [{"x": None}]
    assert changes(names, "names", "del alias") == [{"alias": None}]
    assert changes(names, "names", "a = [a]") == [{"a": None}]
    assert set(names.names_after("names")) == {"b", "first", "second", "row", "last", "found"}


def test_names_of_a_function_come_with_its_run_and_go_with_it(names: Trace) -> None:
    inner = [set(changed) for changed in changes(names, "scopes", "inner = k * 2")]
    assert inner == [{"k", "inner"}, {"inner"}, {"inner"}], "the caller's k is passed unchanged"
    assert "inner" not in names.names_after("scopes")
    first = changes(names, "scopes", "two = double(torch.zeros(2))")[-1]
    assert first["inner"] is None
    k = names.names_after("scopes", 1)["k"]
    assert first["k"] == k, "the script's own k shows again"


def test_long_elif_chains_deep_nesting_coroutines_and_transforms_run(names: Trace) -> None:
    assert values(names, "odd", "branch") == [1.0] * 3
    assert values(names, "odd", "deep") == [1.0]
    assert values(names, "odd", "waited") == [6.0, 6.0]
    assert values(names, "odd", "slope") == [2.0] * 3
    assert values(names, "odd", "rows") == [3.0, 3.0]
    assert values(names, "odd", "compiled") == [2.0, 2.0]
    (step,) = [step for step in names.steps if step.expression == "torch.tensor(n)"]
    assert owner(names, step) == "if n == 0:", "an elif belongs to its if"


def test_steps_belong_to_the_innermost_statement_that_runs(names: Trace) -> None:
    owners = {step.expression: owner(names, step) for step in names.steps}
    assert owners["k * 2"] == "inner = k * 2"
    assert owners["inner + 1"] == "return inner + 1"
    assert owners["double(k) + double(k)"] == "three = double(k) + double(k)"
    assert owners["x * self.scale"] == "return x * self.scale"
    assert owners["row ** 2"] == "squares = [row ** 2 for row in torch.eye(2)]"
    assert owners["t.neg()"] == "minus = later(k)", "a lambda's op runs where it is called"
    assert owners["k.exp()"] == "inside = k.exp()"


def test_runs_come_in_the_order_in_which_things_happened(names: Trace) -> None:
    numbers = [number for run in names.runs for number in run.steps]
    assert numbers == sorted(numbers) == [step.number for step in names.steps]
    assert all(names.steps[n].run == i for i, run in enumerate(names.runs) for n in run.steps)


def test_a_chain_over_several_lines_has_its_whole_text(names: Trace) -> None:
    texts = [step.expression for step in names.steps]
    assert "k\n    .reshape(1, 1)" in texts
    assert "k\n    .reshape(1, 1)\n    .t()" in texts


def test_two_calls_on_one_line_have_each_their_own_text(names: Trace) -> None:
    texts = [step.expression for step in names.steps]
    assert {"torch.ones(2)", "torch.zeros(2)"} <= set(texts)
    assert texts.count("k * 2") == 3


def test_what_is_printed_is_in_the_run_that_printed_it(names: Trace) -> None:
    printed = [(statement(names, run), run.printed) for run in names.runs if run.printed]
    assert printed == [
        ('print("caught", type(error).__name__)', "caught RuntimeError\n"),
        ('print("one", end=" ")', "one "),
        ('print("two")', "two\n"),
    ]


LOOPS = """
import torch

# %% long
x = torch.zeros(1)
for i in range(1000):
    x = x + 1
    y = x * 2
    if i % 2:
        z = -x
end = x + y

# %% nested
total = torch.zeros(())
for i in range(50):
    for j in range(20):
        total += 1
    outer = total.clone()

# %% break
n = torch.zeros(())
while True:
    n = n + 1
    if n > 41:
        break

# %% generator
def numbers():
    i = 0
    while True:
        yield torch.tensor(i)
        i += 1

stream = numbers()
for k in range(20):
    number = next(stream)
after = number + 1

# %% recursive
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
f = fib(torch.tensor(18))
g = f + 1

# %% modes
with torch.device("cpu"):
    for i in range(20):
        inner = torch.ones(1) * i
    for i in range(6):
        with torch.device("meta"):
            away = torch.ones(1)
home = torch.ones(1)
for i in range(9):
    try:
        if i > 5: raise ValueError
        before = torch.ones(i)
    except ValueError:
        break
done = torch.ones(9)
"""


@pytest.fixture(scope="module")
def loops(trace: Tracing) -> Trace:
    traced = trace(LOOPS)
    assert traced.error is None
    return traced


def laps(trace: Trace, cell: str, text: str) -> list[int]:
    (number,) = [s.number for s in trace.cell(cell).statements if s.text == text]
    return [run.lap for run in trace.runs if (run.cell, run.statement) == (cell, number)]


def test_a_long_loop_keeps_its_first_and_log_spaced_laps(loops: Trace) -> None:
    kept = [1, 2, 3, 10, 30, 100, 300, 1000]
    assert laps(loops, "long", "x = x + 1") == kept
    assert laps(loops, "long", "y = x * 2") == kept
    assert laps(loops, "long", "z = -x") == [1, 5, 15, 50, 150, 500], "its own runs are counted"
    seen = [
        loops.values[run.changed["x"] or 0].tolist()
        for run in loops.runs
        if run.cell == "long" and run.statement == 3
    ]
    assert seen == [[float(lap)] for lap in kept]


def test_at_the_end_of_a_loop_the_names_are_right(loops: Trace) -> None:
    assert values(loops, "long", "x") == [1000.0]
    assert values(loops, "long", "y") == [2000.0]
    assert values(loops, "long", "end") == [3000.0]
    assert values(loops, "nested", "total") == 1000
    assert values(loops, "nested", "outer") == 1000
    assert values(loops, "break", "n") == 42
    (last,) = [run for run in loops.runs if run.cell == "long" and run.statement == 7]
    assert len(last.steps) == 1


def test_nested_loops_keep_laps_of_both(loops: Trace) -> None:
    inner = [1, 2, 3, 10, 20]
    outer = [1, 2, 3, 10, 30, 50]
    expected = [20 * (lap - 1) + step for lap in outer for step in inner]
    assert laps(loops, "nested", "total += 1") == expected


LAST = """
import torch
from torch.utils.data import DataLoader

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        print("asked")
        return 35

    def __getitem__(self, i):
        return torch.full((1,), float(i))

def drawn(n):
    for k in range(n):
        yield k

# %% range
total = torch.zeros(1)
for i in range(7, 50):
    a = total + i
# %% loader
for x in DataLoader(Rows(), batch_size=5):
    b = x * 2
# %% enumerate
for i, x in enumerate(DataLoader(Rows(), batch_size=5), start=1):
    c = x * 2
# %% zip
for x, y in zip(torch.arange(9.0), [1] * 8, strict=False):
    d = x * y
# %% reversed
for x in reversed([1.0, 2.0, 3.0, 4.0, 5.0]):
    e = total + x
# %% generator
for k in drawn(8):
    f = total + k
# %% break
for k in range(8):
    g = total + k
    if k == 5:
        break
# %% none
for k in []:
    h = total
"""


def test_the_last_lap_is_kept_where_a_loop_goes_over_what_has_a_length(
    trace: Callable[..., Trace],
) -> None:
    traced = trace(LAST)
    assert traced.error is None
    kept = {each.cell: each.kept for each in traced.loops if each.cell is not None}
    first = (1, 2, 3)
    assert kept == {
        "range": (*first, 10, 30, 43),
        "loader": (*first, 7),
        "enumerate": (*first, 7),
        "zip": (*first, 8),
        "reversed": (*first, 5),
        "generator": first,
        "break": first,
    }
    assert values(traced, "range", "a") == [49.0]
    assert values(traced, "loader", "b") == [[2.0 * i] for i in range(30, 35)]


def test_a_generator_that_waits_in_its_loop_puts_nobody_to_sleep(loops: Trace) -> None:
    assert values(loops, "generator", "number") == 19
    assert values(loops, "generator", "after") == 20
    assert laps(loops, "generator", "number = next(stream)")[-2:] == [10, 20]


def test_a_deep_recursion_is_cut_and_what_follows_is_not(loops: Trace) -> None:
    assert values(loops, "recursive", "f") == 2584
    steps = [step for step in loops.steps if loops.runs[step.run].cell == "recursive"]
    assert 9_000 < len(steps) < 10_010
    assert steps[-1].expression == "f + 1"


def test_modes_of_the_script_keep_their_order(loops: Trace) -> None:
    names = loops.names_after("modes")
    assert loops.tensor(names["away"]).device == "meta"
    assert loops.tensor(names["home"]).device == "cpu"
    assert values(loops, "modes", "inner") == [19.0]
    assert values(loops, "modes", "before") == [1.0] * 5
    assert any(step.expression == "torch.ones(9)" for step in loops.steps)


def test_lines_before_the_first_mark_run_in_no_cell(trace: Tracing) -> None:
    traced = trace(
        """
        import torch
        data = torch.ones(2)
        print("hello")

        # %% only
        y = data + 1
        """
    )
    assert [(run.cell, run.statement) for run in traced.runs] == [(None, 2), (None, 3), ("only", 1)]
    assert set(traced.of_cell("only").names) == {"data"}


def test_what_a_function_of_another_cell_does_is_of_the_statement_that_called_it(
    trace: Tracing,
) -> None:
    traced = trace(
        """
        import torch

        def twice(x):
            y = x + x
            return y * 1

        # %% model
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(2, 3)

            def forward(self, x):
                x = self.layer(x)
                return torch.relu(x)

        # %% own
        model = Net()
        data = torch.ones(1, 2)
        out = twice(model(data))
        """
    )
    own = [run for run in traced.runs if run.cell == "own"]
    assert [run.statement for run in own] == [1, 2, 3]
    ops = [traced.steps[number].op.split(".")[-1] for number in own[-1].steps]
    assert ops == ["linear", "relu", "add", "mul"]
    assert own[-1].changed.keys() == {"out"}
    assert [call.parent for call in traced.of_cell("own").calls] == [None, 0]
    assert all(traced.runs[step.run].cell == "own" for step in traced.steps[-4:])
