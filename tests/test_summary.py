"""A trace as lines of text, from records: what the tracer fills them with is tested with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from torchreel.records import (
    Accumulation,
    Backward,
    Cell,
    Clash,
    Environment,
    GraphNode,
    Loop,
    ModuleCall,
    ModuleRecord,
    Operand,
    OptimizerStep,
    ParameterUpdate,
    Provenance,
    Run,
    Series,
    Statement,
    Step,
    TensorRecord,
    Trace,
)
from torchreel.summary import summary


def tensor(id: int, *shape: int, device: str = "cpu", name: str = "") -> TensorRecord:
    stride = tuple(np.cumprod([1, *shape[:0:-1]])[::-1].tolist()) if shape else ()
    return TensorRecord(id, shape, stride, "float32", device, id, 0, 0, name=name)


def step(number: int, op: str, operands: tuple[int, ...], results: tuple[int, ...]) -> Step:
    taken = tuple(Operand(tensor=operand) for operand in operands)
    return Step(number, number, op, "", taken, results, line=number + 2)


CALLED = (
    step(0, "torch.nn.functional.linear", (0, 1), (2,)),
    step(1, "torch.Tensor.backward", (2,), ()),
    step(2, "torch.optim.SGD.step", (), ()),
)
STATEMENTS = (
    Statement(1, (1, 3), "for x in data:", kind="loop"),
    Statement(2, (2, 2), "y = model(x)", parent=1),
    Statement(3, (3, 3), "y.backward()", parent=1),
    Statement(4, (4, 4), "opt.step()", parent=1),
)
TRACE = Trace(
    script="a.py",
    cells=(Cell("a", 1, "", STATEMENTS),),
    runs=tuple(Run("a", number + 2, lap=1, steps=(number,)) for number in range(3)),
    steps=CALLED,
    tensors=(tensor(0, 8, 3), tensor(1, 2, 3, name="0.weight"), tensor(2, 8, 2)),
    environment=Environment("3.11", "2.13", "cuda", "NVIDIA H100", seed=7),
)


def said(trace: Trace, width: int = 100) -> list[str]:
    """Return the lines, each with single spaces, without the last ones about the words."""
    lines = [" ".join(str(line).split()) for line in summary(trace, width)]
    words = [i for i, line in enumerate(lines) if line.startswith(("run:", "memory:"))]
    return lines[: words[0]] if words else lines


def test_the_title_names_device_and_seed() -> None:
    assert said(TRACE)[0] == "a.py: 3 ops in 1 cell, torch 2.13 on cuda (NVIDIA H100), seed 7"


def test_a_trace_without_ops_says_so() -> None:
    empty = replace(TRACE, steps=(), runs=(Run("a", 2, printed="hello\n"),))
    assert said(empty)[1:] == ["No torch op ran.", "", "# %% a", "> hello"]


def test_a_call_of_a_module_holds_the_steps_that_ran_in_it() -> None:
    trace = replace(
        TRACE,
        steps=(replace(CALLED[0], call=1), *CALLED[1:]),
        modules=(
            ModuleRecord(0, "", "Sequential", name="model"),
            ModuleRecord(1, "0", "Linear", parent=0),
        ),
        calls=(
            ModuleCall(0, 0, (Operand(tensor=0),), (2,)),
            ModuleCall(1, 1, (Operand(tensor=0),), (2,), parent=0),
        ),
    )
    lines = [str(line) for line in summary(trace, 100)]
    shown = lines.index("# %% a")
    assert [line[6:23].rstrip() for line in lines[shown + 1 : shown + 4]] == [
        "model: Sequential",
        "  0: Linear",
        "    linear",
    ]
    assert lines[shown + 1].split()[-4:] == ["(8,", "3)", "(8,", "2)"]


def test_a_backward_pass_names_the_gradients_it_left() -> None:
    nodes = (
        GraphNode(0, "MulBackward0", step=0, tensor=2, gradient=2),
        GraphNode(1, "AccumulateGrad", tensor=1, gradient=1),
        GraphNode(2, "AccumulateGrad", tensor=0, names=("x",), gradient=0),
        GraphNode(3, "NotReached"),
    )
    added = (Accumulation(1, None, 1, 1), Accumulation(0, None, 0, 0))
    trace = replace(TRACE, backwards=(Backward(1, (0,), nodes, (), added),))
    assert "backward through 3 nodes: 0.weight.grad (2, 3), x.grad (8, 3)" in said(trace)


def test_an_optimizer_step_says_how_far_each_parameter_moved() -> None:
    settings = {"lr": "0.1", "foreach": "None", "nesterov": "False", "weight_decay": "0"}
    update = ParameterUpdate("0.weight", 1, 1, 1, 1.0, 0.5, 0.01234)
    trace = replace(TRACE, optimizers=(OptimizerStep(2, "SGD", settings, (update,)),))
    assert "SGD(lr=0.1) moved 0.weight by 0.0123" in said(trace)


def test_an_optimizer_tells_of_a_parameter_without_a_name_by_its_shape() -> None:
    updates = (
        ParameterUpdate("", 1, 1, 1, 1.0, 0.0, 0.0),
        ParameterUpdate("", 0, 0, 0, 1.0, None, None),
    )
    trace = replace(TRACE, optimizers=(OptimizerStep(2, "SGD", {}, updates),))
    told = "a parameter (2, 3) by 0, a parameter (8, 3) to what is no finite number"
    assert f"SGD() moved {told}" in said(trace)


def test_a_loop_says_which_of_its_laps_are_below() -> None:
    trace = replace(TRACE, loops=(Loop("a", 1, 40, (1, 2, 3, 10, 30)),))
    assert said(trace)[3:5] == ["# %% a", "for x in data: 40 laps, below: 1, 2, 3, 10, 30"]
    trace = replace(TRACE, loops=(Loop("a", 1, 40, tuple(range(1, 31))),))
    assert "for x in data: 40 laps, below: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more" in said(trace)
    trace = replace(TRACE, loops=(Loop("a", 1, 2, (1, 2)),))
    assert "for x in data: 2 laps" in said(trace)


def test_a_series_is_told_by_its_ends_and_extremes() -> None:
    trace = replace(
        TRACE,
        series=(Series("a", 1, "loss", "name", "s"), Series("a", 1, "w", "gradient", "g")),
        arrays={"s": np.array([[1, 2.5], [2, 9], [3, 0.5]]), "g": np.array([[1, 2.0]])},
    )
    lines = said(trace)
    assert "loss in 3 laps: 2.5 to 0.5 (least 0.5, greatest 9)" in lines
    assert "and 1 series of the norms of gradients and updates (--json)" in lines


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([2, np.nan, -1, np.nan], "2 to nan (least -1, greatest 2 of the finite ones; 2 NaN)"),
        ([np.inf, 3], "inf to 3 (least 3, greatest 3 of the finite ones; 1 infinite)"),
        ([np.nan, -np.inf], "nan to -inf (1 NaN; 1 infinite)"),
    ],
)
def test_a_series_counts_what_is_no_number(values: list[float], told: str) -> None:
    laps = np.arange(1, len(values) + 1)
    trace = replace(
        TRACE,
        series=(Series("a", 1, "loss", "name", "s"),),
        arrays={"s": np.stack([laps, values], axis=1)},
    )
    assert f"loss in {len(values)} laps: {told}" in said(trace)


def test_an_op_that_raised_shows_what_did_not_fit() -> None:
    clash = Clash("RuntimeError", "shapes differ", "shape", ("28", "784"))
    failed = replace(CALLED[0], results=(), clash=clash)
    lines = said(replace(TRACE, steps=(failed, *CALLED[1:])))
    assert "2 linear (8, 3), (2, 3) raised cpu" in lines
    assert "RuntimeError: shapes differ" in lines
    assert "28 ≠ 784" in lines


@pytest.mark.parametrize(
    ("change", "memory"),
    [
        ({"view": True}, "view"),
        ({"written": True}, "in place"),
        ({"shared": True}, "shared"),
        ({"provenance": (Provenance("moves", array="moved"),)}, "copy"),
        ({"provenance": (Provenance("moves", array="constant"),)}, "new"),
        ({"provenance": (Provenance("feeds"),)}, "new"),
        ({"op": "torch.Tensor.grad.__get__"}, "read"),
    ],
)
def test_the_memory_of_a_result(change: dict[str, object], memory: str) -> None:
    changed = replace(CALLED[0], **change)  # type: ignore[arg-type]
    arrays = {"moved": np.array([[0, 1], [-1, -1]]), "constant": np.array([[-1, -1]])}
    trace = replace(TRACE, steps=(changed,), runs=TRACE.runs[:1], arrays=arrays)
    row = next(line for line in said(trace)[4:])
    assert row.endswith(f"(8, 2) {memory} cpu")


def test_nothing_is_said_of_memory_that_cannot_be_looked_at() -> None:
    """A sparse tensor has several memories, and none with strides."""
    sparse = replace(TRACE.tensors[0], stride=())
    trace = replace(TRACE, tensors=(sparse, *TRACE.tensors[1:]), runs=TRACE.runs[:1])
    assert said(trace)[4].endswith("(8, 2) cpu")


def test_equal_rows_are_counted() -> None:
    twice = tuple(replace(CALLED[0], number=number) for number in range(2))
    trace = replace(TRACE, steps=twice, runs=(Run("a", 2, steps=(0, 1)),))
    assert "2 linear ×2 (8, 3), (2, 3) (8, 2) new cpu" in said(trace)


def test_a_cell_is_named_above_its_rows() -> None:
    trace = replace(
        TRACE,
        cells=(*TRACE.cells, Cell("b", 4, "", STATEMENTS)),
        runs=(Run(None, 1, steps=(0,)), Run("a", 2, steps=(1,)), Run("b", 2), Run("a", 3)),
    )
    assert [line for line in said(trace) if line.startswith("#")] == ["# %% a"]


def test_no_line_is_wider_than_the_terminal() -> None:
    many = tuple(tensor(number, 128, 784) for number in range(12))
    large = step(0, "torch.cat", tuple(range(11)), (11,))
    trace = replace(TRACE, tensors=many, steps=(large,), runs=(Run("a", 2, steps=(0,)),))
    lines = [str(line) for line in summary(trace, 80)]
    assert max(map(len, lines)) <= 80
    assert sum(line.count("(128, 784)") for line in lines) == 12
