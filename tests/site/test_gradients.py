"""What pages tell of gradients, moment by moment, against PyTorch without the tracer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from torchreel.records import Cue, Trace
from torchreel.site.facts import quote
from torchreel.site.literals import data_text, printed
from torchreel.site.payload import GRADED_LIMIT, payload
from torchreel.site.references import Moment, Target
from torchreel.tracer import trace_script

LINES = """x = torch.tensor([2.0, 3.0], requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.5)
(x * 3).sum().backward()
(x * x).sum().backward()
optimizer.step()
optimizer.zero_grad(set_to_none=False)
(x * x).sum().backward()
x.grad.zero_()
(x * 4).sum().backward()
optimizer.zero_grad()
(x * 5).sum().backward()
x.grad = None
(x * 6).sum().backward()"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("gradients")
    (folder / "script.py").write_text(f"import torch\n\n# %% cell\n{LINES}\n")
    return trace_script(folder / "script.py", root=Path(folder))


@pytest.mark.parametrize("statement", range(1, len(LINES.splitlines()) + 1))
def test_a_gradient_is_what_it_was_at_the_moment(trace: Trace, statement: int) -> None:
    scope: dict[str, object] = {"torch": torch}
    exec("\n".join(LINES.splitlines()[:statement]), scope)
    x = scope["x"]
    assert isinstance(x, torch.Tensor)
    expected = "None" if x.grad is None else data_text(x.grad.numpy())
    runs = [run.statement for run in trace.runs]
    if statement not in runs:  # a line that ran no op ends no moment
        statement = max(each for each in runs if each <= statement)
    moment = Moment("script.py", "cell", statement)
    assert quote(trace, moment, Target(None, None, "x.grad"), "page:1") == expected


def beside(trace: Trace, line: str) -> dict[str, Any]:
    """Return what stands beside the first line of the cell that has this text."""
    cell = trace.cell("cell")
    number = next(each.number for each in cell.statements if line in each.text)
    return payload(trace, cell, Cue(1, 0.0, 1.0, number))


def traced(folder: Path, lines: str) -> Trace:
    (folder / "script.py").write_text(f"import torch\n\n# %% cell\n{lines}")
    return trace_script(folder / "script.py", root=folder)


@pytest.mark.parametrize("statement", range(1, len(LINES.splitlines()) + 1))
def test_beside_a_line_stands_the_gradient_that_it_changed(trace: Trace, statement: int) -> None:
    if statement not in {run.statement for run in trace.runs}:
        return  # a line that ran no op has no cue
    scope: dict[str, Any] = {"torch": torch}
    seen: list[torch.Tensor | None] = []
    for lines in (LINES.splitlines()[: statement - 1], [LINES.splitlines()[statement - 1]]):
        exec("\n".join(lines), scope)
        grad = scope["x"].grad if "x" in scope else None
        seen.append(None if grad is None else grad.clone())
    before, after = seen
    told = payload(trace, trace.cell("cell"), Cue(1, 0.0, 1.0, statement))
    if before is None and after is None:
        same = True
    else:
        same = before is not None and after is not None and before.equal(after)
    assert told.get("graded", []) == ([] if same else ["x"])
    if not same:
        (x,) = [each for each in told["vars"] if each["name"] == "x"]
        assert x["grad"] == ("None" if after is None else printed(after.numpy()))


def test_what_a_line_does_not_name_stands_beside_it_with_its_gradient(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        "x = torch.tensor([2.0, 3.0], requires_grad=True)\n"
        "big = torch.ones(9, 9, requires_grad=True)\n"
        "y = x * 3\nz = y.sum() + big.sum()\nz.backward()\nx.grad.add_(x.grad)\n",
    )
    told = beside(trace, "z.backward()")
    assert told["changed"] == []
    assert [(each["name"], each.get("grad")) for each in told["vars"]] == [
        ("x", ["3.", "3."]),
        ("big", "(9, 9)"),
        ("z", None),
    ]
    assert "graded" not in beside(trace, "y = x * 3")
    (x,) = beside(trace, "add_")["vars"]
    assert x["grad"] == ["6.", "6."]


def test_of_a_model_the_first_parameters_stand_beside_the_pass(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        "model = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(3)])\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for lap in range(30):\n    optimizer.zero_grad()\n"
        "    loss = model(torch.ones(1, 2)).sum()\n    loss.backward()\n    optimizer.step()\n",
    )
    told = beside(trace, "loss.backward()")
    names = ["model.0.weight", "model.0.bias", "model.1.weight", "model.1.bias"]
    assert told["graded"] == names
    assert [each["name"] for each in told["vars"]] == [*names, "loss", "…"]
    assert told["vars"][-1]["text"] == f"+{6 - GRADED_LIMIT} .grad"
    assert all("grad" in each and "data" not in each for each in told["vars"][:GRADED_LIMIT])


@pytest.mark.parametrize(
    "values",
    [
        torch.tensor(3.0),
        torch.tensor([3.0, -3.0]),
        torch.tensor([[0.5, 3.0], [0.03125, 1 / 3]]),
        torch.tensor([1e-5, 1.0]),
        torch.tensor([1e-5]),
        torch.tensor([2.0, 3000.0]),
        torch.tensor([3e8]),
        torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0, -0.0]),
        torch.tensor([float("nan"), 0.5]),
        torch.zeros(2),
        torch.zeros(0),
        torch.tensor([1, -20]),
        torch.tensor([True, False]),
        torch.tensor([1 + 2j, 0.5 - 1j]),
        torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
        torch.tensor([0.1, 0.2], dtype=torch.bfloat16),
    ],
    ids=str,
)
def test_a_number_is_written_as_torch_prints_it(values: torch.Tensor) -> None:
    wide = values.float() if values.dtype == torch.bfloat16 else values
    told = str(printed(wide.numpy())).replace("'", "")
    text = str(values).removeprefix("tensor(").partition(", dtype")[0].partition(", size")[0]
    assert "".join(told.split()) == "".join(text.removesuffix(")").split())
