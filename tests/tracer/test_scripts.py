"""Scripts as people write them: equal bit for bit with and without the tracer, and truly told.

Each script ends by printing the sha256 of every tensor, gradient and optimizer state that it holds
and of torch's random state (``scripts/fingerprint.py``).
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torchreel.records import Backward, Loop, ModuleCall, Step, Trace
from torchreel.tracer import trace_script

SCRIPTS = Path(__file__).parent / "scripts"
ROOT = Path(__file__).parents[2]
IMPORTED = ("fingerprint", "digits")
Tracing = Callable[[str], Trace]


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads add up in another order than one: both runs have one, in any environment."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@pytest.fixture
def traced(
    one_thread: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tracing:
    """Trace a script, and run it here without the tracer: both must come to the same end."""

    def run(name: str) -> Trace:
        script = SCRIPTS / f"{name}.py"
        trace = trace_script(script, root=ROOT)
        assert trace.error is None
        monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
        capsys.readouterr()
        runpy.run_path(str(script), run_name="__main__")
        for module in IMPORTED:
            monkeypatch.delitem(sys.modules, module, raising=False)
        plain = iter(capsys.readouterr().out.splitlines())
        printed = "".join(run.printed for run in trace.runs).splitlines()
        assert all(line in plain for line in printed), "printed in this order, or not at all"
        assert next(plain, None) is None, "the last line is the fingerprint"
        return trace

    return run


def ops(trace: Trace, *lines: int) -> list[str]:
    """Return the short names of the ops of these lines of the file, in order."""
    return [step.op.rpartition(".")[2] for step in trace.steps if step.line in lines]


def line(trace: Trace, text: str) -> int:
    """Return the only line of the script that holds ``text``."""
    found = [
        number
        for number, each in enumerate((ROOT / trace.script).read_text().splitlines(), start=1)
        if text in each
    ]
    assert len(found) == 1, f"{text!r} is on the lines {found}"
    return found[0]


def steps(trace: Trace, text: str) -> list[Step]:
    """Return the steps of the line that holds ``text``."""
    number = line(trace, text)
    return [step for step in trace.steps if step.line == number]


def only(trace: Trace, text: str) -> Step:
    """Return the only step of the line that holds ``text``."""
    (step,) = steps(trace, text)
    return step


def made(trace: Trace, step: Step) -> tuple[int, ...]:
    """Return the shape of a step's only result."""
    (result,) = step.results
    return trace.tensors[result].shape


def held(trace: Trace, name: str, cell: str | None = None) -> NDArray[Any]:
    """Return the values of what a name holds at the end of a cell (the script's last one)."""
    return np.asarray(trace.values[trace.names_after(cell or trace.cells[-1].name)[name]])


def loop(trace: Trace, text: str) -> Loop:
    """Return the loop whose header holds ``text``."""
    (found,) = (
        loop
        for loop in trace.loops
        for cell in trace.cells
        if cell.name == loop.cell and text in cell.statements[loop.statement - 1].text
    )
    return found


def calls(trace: Trace, kind: str) -> list[ModuleCall]:
    """Return the calls of modules of a class."""
    return [call for call in trace.calls if trace.modules[call.module].kind == kind]


def chain(trace: Trace, root: ModuleCall) -> list[str]:
    """Return the classes of the modules that were called in a call, in order."""
    inside = {root.number}
    kinds = []
    for call in trace.calls:
        if call.parent in inside:
            inside.add(call.number)
            kinds.append(trace.modules[call.module].kind)
    return kinds


def backward(trace: Trace, step: Step) -> Backward:
    """Return the backward pass of a step."""
    (found,) = (each for each in trace.backwards if each.step == step.number)
    return found


def test_the_fingerprint_sees_the_last_bit_and_the_random_state(one_thread: None) -> None:
    fingerprint = runpy.run_path(str(SCRIPTS / "fingerprint.py"))["fingerprint"]
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    prints = [fingerprint({"layer": layer, "optimizer": optimizer})]
    layer(torch.ones(2)).sum().backward()
    prints.append(fingerprint({"layer": layer, "optimizer": optimizer}))
    optimizer.step()
    prints.append(fingerprint({"optimizer": optimizer}))
    next(iter(optimizer.state.values()))["exp_avg"].view(-1)[0].nextafter_(torch.tensor(9.0))
    prints.append(fingerprint({"optimizer": optimizer}))
    torch.rand(1)
    prints.append(fingerprint({"optimizer": optimizer}))
    assert len(set(prints)) == len(prints)


def test_linear_regression_by_hand(traced: Tracing) -> None:
    trace = traced("regression")
    epochs = loop(trace, "for epoch in range(120)")
    assert (epochs.laps, epochs.kept) == (120, (1, 2, 3, 10, 30, 100, 120))
    passes = [backward(trace, step) for step in steps(trace, "loss.backward()")]
    assert len(passes) == 7
    for each in passes:
        assert {trace.tensors[added.tensor].shape for added in each.accumulations} == {(1,)}
        assert each.nodes[0].name == "MeanBackward0"
    (losses,) = (each for each in trace.series if (each.name, each.kind) == ("loss", "name"))
    laps, values = trace.arrays[losses.array].T
    assert laps.tolist() == list(range(1, 121))
    assert values[0] == pytest.approx(7.2777, abs=1e-4)
    assert values[-1] == held(trace, "loss")
    assert all(step.written for step in steps(trace, "w -= ") if step.op.endswith("__isub__"))


def test_a_cnn_on_digits(traced: Tracing) -> None:
    trace = traced("cnn")
    first, *_ = calls(trace, "Net")
    assert chain(trace, first) == ["Conv2d", "Conv2d", "Dropout", "Linear"]
    (given,) = (operand.tensor for operand in first.operands)
    assert given is not None
    assert trace.tensors[given].shape == (32, 1, 28, 28)
    assert [trace.tensors[result].shape for result in first.results] == [(32, 10)]
    assert not calls(trace, "Net")[-1].training
    assert loop(trace, "in enumerate(loader)").laps == 16
    assert {step.kind for step in trace.optimizers} == {"SGD"}
    assert trace.optimizers[0].settings["momentum"] == "0.9"
    assert {update.name for update in trace.optimizers[0].updates} == {
        f"{layer}.{part}" for layer in ("conv1", "conv2", "fc") for part in ("weight", "bias")
    }
    assert "lessons/digits.py" in trace.inputs
    assert made(trace, steps(trace, "correct = ")[0]) == (357, 1)


def test_an_lstm(traced: Tracing) -> None:
    trace = traced("lstm")
    lstm, *_ = calls(trace, "LSTM")
    assert [trace.tensors[result].shape for result in lstm.results] == [
        (1, 31, 16),
        (2, 1, 16),
        (2, 1, 16),
    ]
    assert {step.kind for step in trace.optimizers} == {"RMSprop"}
    assert loop(trace, "for step in range(12)").laps == 12
    assert loop(trace, "for _ in range(5)").laps == 5
    assert made(trace, steps(trace, "torch.multinomial(")[-1]) == (1, 1)


def test_attention(traced: Tracing) -> None:
    trace = traced("attention")
    scores = [trace.tensors[step.results[0]].shape for step in steps(trace, "F.softmax(scores")]
    assert scores == [(2, 2, 5, 5), (2, 4, 4)]
    assert all(step.view for step in steps(trace, "chunk(3, dim=-1)") if "chunk" in step.op)
    product, *_ = steps(trace, "scores = query @")
    assert product.view
    assert {"matmul", "truediv", "div"} & set(ops(trace, product.line))
    (block,) = calls(trace, "SelfAttention")
    assert chain(trace, block) == ["Linear", "Linear"]
    kept = held(trace, "weights")
    assert np.allclose(kept.sum(-1), 1)
    (each,) = trace.backwards
    assert "SoftmaxBackward0" in [node.name for node in each.nodes]
    assert len(calls(trace, "TransformerEncoder")) == 1


def test_a_small_gpt(traced: Tracing) -> None:
    trace = traced("gpt")
    first, *_ = calls(trace, "GPT")
    assert chain(trace, first)[:2] == ["Embedding", "Embedding"]
    assert chain(trace, first).count("Block") == 2
    paths = {module.path for module in trace.modules}
    assert {"wte", "blocks.0.attn", "blocks.1.mlp.2", "lm_head"} <= paths
    storages = {
        trace.tensors[module.parameters["weight"]].storage
        for module in trace.modules
        if module.path in ("wte", "lm_head")
    }
    assert len(storages) == 1, "the weights are tied"
    assert made(trace, steps(trace, "x = self.wte(idx) + ")[-1])[-1] == 16
    assert {step.kind for step in trace.optimizers} == {"AdamW"}
    assert loop(trace, "for i in range(4)").laps == 4


def test_a_vae(traced: Tracing) -> None:
    trace = traced("vae")
    asked, *_ = steps(trace, "torch.autograd.grad(")
    assert not backward(trace, asked).accumulations
    whole = backward(trace, only(trace, "loss.backward()"))
    assert len(whole.accumulations) == len(list(torch.nn.Linear(1, 1).parameters())) * 5
    assert "BinaryCrossEntropyBackward0" in {node.name for node in whole.nodes}
    (call,) = calls(trace, "VAE")
    assert [trace.tensors[result].shape for result in call.results] == [(6, 64), (6, 4), (6, 4)]
    ran = ops(trace, line(trace, "return mu + torch.randn_like(std) * std"))
    assert ran[0] == "randn_like"


def test_a_function_of_ones_own(traced: Tracing) -> None:
    trace = traced("function")
    whole = backward(trace, steps(trace, "y.sum().backward()")[-1])
    assert [node.name for node in whole.nodes] == [
        "SumBackward0",
        "LegendrePolynomial3Backward",
        "AccumulateGrad",
    ]
    (added,) = whole.accumulations
    x = torch.from_numpy(trace.values[added.tensor])
    assert np.allclose(trace.values[added.after], 1.5 * (5 * x**2 - 1))
    (hooked,) = backward(trace, steps(trace, "Round.apply(w)")[-1]).accumulations
    assert trace.values[hooked.after].tolist() == [2, 20]


def test_a_schedule_and_clipped_gradients(traced: Tracing) -> None:
    trace = traced("schedule")
    assert loop(trace, "for epoch in range(6)").laps == 6
    assert loop(trace, "in train_loader").laps == 24
    assert loop(trace, "in val_loader").laps == 6
    rates = {step.settings["lr"] for step in trace.optimizers}
    assert rates <= {"0.01", "0.005", "0.0025"}
    assert "0.01" in rates
    assert chain(trace, calls(trace, "Sequential")[0]) == [
        "Linear",
        "BatchNorm1d",
        "ReLU",
        "Dropout",
        "Linear",
    ]
    assert {call.training for call in calls(trace, "Sequential")} == {True, False}


def test_einsum(traced: Tracing) -> None:
    trace = traced("einsum")
    told = {
        name: (made(trace, step), step.view)
        for name in ("trace", "diagonal", "transposed", "total", "outer", "permuted")
        for step in [only(trace, f"{name} = torch.einsum")]
    }
    assert told == {
        "trace": ((), False),
        "diagonal": ((4,), True),
        "transposed": ((4, 3), True),
        "total": ((), False),
        "outer": ((4, 4), False),
        "permuted": ((2, 4, 3), True),
    }
    assert only(trace, "diagonal = ").op == "torch.einsum"
    assert [cell.name for cell in trace.cells] == [
        "the usual ones",
        "attention in one line",
        "bilinear and ellipsis",
    ]
    v = held(trace, "v", "the usual ones")
    assert np.array_equal(held(trace, "outer", "the usual ones"), np.outer(v, v))


def test_indexing(traced: Tracing) -> None:
    trace = traced("indexing")
    views = {"corner": True, "column": True, "rows": False, "checker": False, "last": True}
    views |= {"box": True, "picked": False}
    for name, view in views.items():
        assert steps(trace, f"{name} = x")[-1].view is view, name
    assert held(trace, "big", "reading").tolist() == [18, 19, 20, 21, 22, 23]
    assert held(trace, "counts").tolist() == [2, 0, 3]
    assert steps(trace, "y[1:3, 1:3] = ")[-1].written
    window = [step for step in steps(trace, "window += 100") if step.written]
    assert len(window) == 1
    assert held(trace, "y")[0].tolist() == [7, 101, 102, 103, 104, 105]
    assert held(trace, "board").tolist() == [[1, 5, 0], [0, 5, 0], [0, 5, 1]]
    (clash,) = (step.clash for step in trace.steps if step.clash)
    assert (clash.type, clash.message) == (
        "IndexError",
        "index 4 is out of bounds for dimension 0 with size 4",
    )


def test_the_code_of_the_article(traced: Tracing) -> None:
    trace = traced("article")
    assert [cell.name for cell in trace.cells] == [
        "tensors",
        "reshape",
        "autograd",
        "network",
        "training",
        "device",
    ]
    names = trace.names_after("tensors")
    shapes = [
        trace.tensors[names[n]].shape for n in ("scalar", "vector", "matrix", "image", "batch")
    ]
    assert shapes == [(), (3,), (3, 4), (28, 32, 3), (2, 28, 32, 3)]
    assert held(trace, "scalar", "tensors") == np.float32(3.14)

    names = trace.names_after("reshape")
    assert {trace.tensors[names[name]].storage for name in "xyzab"} == {
        trace.tensors[names["x"]].storage
    }

    (added,) = backward(trace, only(trace, "z.backward()")).accumulations
    assert (added.before, trace.values[added.after].tolist()) == (None, [3, 3])

    training = loop(trace, "for images, labels in train_loader")
    assert training.laps == 1800
    first, *_ = calls(trace, "SimpleNet")
    assert chain(trace, first) == ["Linear", "ReLU", "Linear"]
    assert [trace.tensors[result].shape for result in first.results] == [(8, 10)]
    (losses,) = (
        each
        for each in trace.series
        if (each.name, each.kind, each.statement) == ("loss", "name", training.statement)
    )
    laps, values = trace.arrays[losses.array].T
    assert laps.tolist() == list(range(1, 1801))
    assert values[:20].mean() > 10 * values[-20:].mean()
    assert {update.name for update in trace.optimizers[0].updates} == {
        f"{layer}.{part}" for layer in ("layer1", "layer2") for part in ("weight", "bias")
    }
    assert trace.optimizers[0].settings["lr"] == "0.001"
