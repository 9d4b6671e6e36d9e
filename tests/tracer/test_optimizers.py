"""Optimizers in the trace, against the parameters and gradients of an untraced run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from torchreel.records import OptimizerStep, Step, Trace

Tracing = Callable[..., Trace]

TRAINING = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

# %% net
class SimpleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))

model = SimpleNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
criterion = nn.CrossEntropyLoss()
data = TensorDataset(torch.rand(24, 784), torch.randint(0, 10, (24,)))
for images, labels in DataLoader(data, batch_size=8, shuffle=True):
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()

# %% forward
prediction = model(images)
cost = criterion(prediction, labels)

# %% update
optimizer.zero_grad()
cost.backward()
optimizer.step()

# %% groups
w = torch.tensor([1.0, -2.0], requires_grad=True)
b = torch.tensor([0.5], requires_grad=True)
idle = torch.tensor([7.0], requires_grad=True)
groups = [{"params": [w], "lr": 0.5}, {"params": [b, idle]}]
sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
schedule = torch.optim.lr_scheduler.StepLR(sgd, step_size=1, gamma=0.1)
for _ in range(3):
    (w * 3 + b).pow(2).sum().backward()
    nn.utils.clip_grad_norm_([w, b], 1.0)
    sgd.step()
    schedule.step()
    sgd.zero_grad(set_to_none=False)
model.zero_grad()

# %% still
calm = torch.tensor([3.0], requires_grad=True)
resting = torch.optim.Adagrad([calm], lr=0.1)
calm.grad = torch.zeros(1)
resting.step()

# %% closure
corner = torch.tensor([-1.0, 2.0], requires_grad=True)
lbfgs = torch.optim.LBFGS([corner], max_iter=2)

def closure():
    lbfgs.zero_grad()
    height = (corner ** 2).sum()
    height.backward()
    return height

lbfgs.step(closure)

# %% own
class Halving(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(0.5)

own = Halving([b], lr=1.0)
b.grad = torch.tensor([0.25])
own.step()
lengths = []
for _ in range(8):
    was = b.detach().clone()
    own.step()
    lengths.append((b.detach() - was).norm().item())
print(lengths)

# %% failing
broken = torch.optim.LBFGS([corner])
try:
    broken.step()
except TypeError:
    print("a closure is missing")
end = torch.rand(2) + corner
"""


@pytest.fixture(scope="module")
def training(trace: Tracing) -> Trace:
    traced = trace(TRAINING, "training")
    assert traced.error is None
    return traced


class Log(list[tuple[str, list[torch.Tensor], list[torch.Tensor], list[torch.Tensor | None]]]):
    """What every ``step()`` of an untraced run did: parameters before and after, gradients."""

    def hook(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self.append((type(optimizer).__name__, values(optimizer), [], gradients(optimizer)))

    def ended(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self[-1][2].extend(values(optimizer))
        if args or kwargs:  # a closure made them
            self[-1][3][:] = gradients(optimizer)


def parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [each for group in optimizer.param_groups for each in group["params"]]


def values(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [each.detach().clone() for each in parameters(optimizer)]


def gradients(optimizer: torch.optim.Optimizer) -> list[torch.Tensor | None]:
    return [None if each.grad is None else each.grad.clone() for each in parameters(optimizer)]


@pytest.fixture(scope="module")
def untraced() -> tuple[Log, dict[str, Any]]:
    log, scope = Log(), {"__name__": "training"}
    handles = [
        register_optimizer_step_pre_hook(log.hook),
        register_optimizer_step_post_hook(log.ended),
    ]
    try:
        exec(TRAINING, scope)
    finally:
        for handle in handles:
            handle.remove()
    return log, scope


def equal(trace: Trace, record: int | None, tensor: torch.Tensor | None) -> bool:
    """Tell whether a record holds the very bytes of a tensor."""
    if record is None or tensor is None:
        return record is None and tensor is None
    kept, array = trace.values[record], tensor.detach().numpy()
    return kept.dtype == array.dtype and kept.tobytes() == array.tobytes()


def steps(trace: Trace, op: str) -> list[Step]:
    return [step for step in trace.steps if step.op == op]


def named(trace: Trace, kind: str) -> list[OptimizerStep]:
    return [each for each in trace.optimizers if each.kind == kind]


def test_every_update_is_the_one_of_an_untraced_run(
    training: Trace, untraced: tuple[Log, dict[str, Any]]
) -> None:
    # Of the script's own optimizer hooks hear the step() that it calls, too.
    log = [each for each in untraced[0] if each[2] and each[0] != "Halving"]
    recorded = [each for each in training.optimizers if each.kind != "Halving"]
    assert [each.kind for each in recorded] == [each[0] for each in log]
    assert len(recorded) == 9
    for made, (kind, before, after, grads) in zip(recorded, log, strict=True):
        trained = [index for index, each in enumerate(grads) if each is not None]
        assert len(made.updates) == len(trained), kind
        for update, index in zip(made.updates, trained, strict=True):
            assert equal(training, update.before, before[index]), kind
            assert equal(training, update.after, after[index]), kind
            assert equal(training, update.gradient, grads[index]), kind
            gradient = grads[index]
            assert gradient is not None
            assert update.norm == pytest.approx(float(before[index].norm()), rel=1e-5)
            assert update.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-5)
            moved = float((after[index] - before[index]).norm())
            assert update.update_norm == pytest.approx(moved, rel=1e-5)


def test_a_step_is_one_step_that_writes_the_parameters(training: Trace) -> None:
    for made in training.optimizers:
        step = training.steps[made.step]
        assert step.written
        assert step.results == tuple(update.after for update in made.updates)
        assert {update.before for update in made.updates} <= {o.tensor for o in step.operands}
    adam = steps(training, "torch.optim.Adam.step")
    assert [step.expression for step in adam] == ["optimizer.step()"] * 4
    assert {step.op for step in training.steps if step.expression == "optimizer.step()"} == {
        "torch.optim.Adam.step"
    }, "what runs inside is no step"
    names = [update.name for update in named(training, "Adam")[0].updates]
    assert names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def test_settings_are_the_first_groups_and_follow_the_schedule(training: Trace) -> None:
    assert named(training, "Adam")[0].settings["betas"] == "(0.9, 0.999)"
    rates = [float(each.settings["lr"]) for each in named(training, "SGD")]
    assert rates == pytest.approx([0.5, 0.05, 0.005])
    assert all(each.settings["momentum"] == "0.9" for each in named(training, "SGD"))
    assert "params" not in named(training, "SGD")[0].settings


def test_a_step_by_zero_gradients_writes_what_was_there(training: Trace) -> None:
    (step,) = steps(training, "torch.optim.Adagrad.step")
    assert step.written
    assert [training.values[each].tolist() for each in step.results] == [[3.0]]


def test_zero_grad_tells_what_becomes_of_the_gradients(training: Trace) -> None:
    none = steps(training, "torch.optim.Adam.zero_grad")
    accumulated = {made.after for each in training.backwards for made in each.accumulations}
    assert [len(step.operands) for step in none] == [0, 4, 4, 4]
    assert all({each.tensor for each in step.operands} <= accumulated for step in none)
    assert not any(step.results for step in none)
    for zeroed in steps(training, "torch.optim.SGD.zero_grad"):
        assert zeroed.written
        assert len(zeroed.results) == 2
        assert not any(training.values[each].any() for each in zeroed.results)
    (whole,) = steps(training, "torch.nn.Module.zero_grad")
    assert (len(whole.operands), whole.results) == (4, ())


def test_clipping_is_one_step_of_the_gradients(training: Trace) -> None:
    for clip in steps(training, "torch.nn.utils.clip_grad_norm_"):
        *after, total = clip.results
        before = [each.tensor for each in clip.operands if each.tensor is not None]
        norm = float(training.values[total])
        assert clip.written
        assert norm > 1
        for old, new in zip(before, after, strict=True):
            scaled = torch.from_numpy(training.values[old]) / (norm + 1e-6)
            assert torch.allclose(torch.from_numpy(training.values[new]), scaled)
    assert {step.op for step in training.steps if "clip_grad" in step.expression} == {
        "torch.nn.utils.clip_grad_norm_"
    }


def test_what_a_closure_calls_are_steps_before_the_one_that_called_it(training: Trace) -> None:
    (made,) = named(training, "LBFGS")
    inner = [step for step in training.steps if step.expression == "height.backward()"]
    assert len(inner) == 2
    assert all(step.number < made.step for step in inner)
    assert [each.step for each in training.backwards][-2:] == [step.number for step in inner]
    own = [number for run in training.runs if run.cell == "closure" for number in run.steps]
    assert own[-1] == made.step


def test_an_optimizer_of_the_scripts_own_is_one_step_too(training: Trace) -> None:
    made = named(training, "Halving")[0]
    step = training.steps[made.step]
    assert (step.op, step.expression) == ("Halving.step", "own.step()")
    (update,) = made.updates
    moved = (float(training.values[update.before][0]) - 1.0 * 0.25) / 2
    assert float(training.values[update.after][0]) == pytest.approx(moved)


def test_in_laps_that_are_not_kept_a_step_is_measured_once(
    training: Trace, untraced: tuple[Log, dict[str, Any]]
) -> None:
    """Though the script's own ``step()`` calls that of its base."""
    (curve,) = [
        training.arrays[each.array]
        for each in training.series
        if (each.cell, each.kind, each.name) == ("own", "update", "b")
    ]
    assert curve[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert curve[:, 1] == pytest.approx(untraced[1]["lengths"])


def test_a_step_that_raises_leaves_the_tracer_awake(training: Trace) -> None:
    assert not [
        each for each in training.optimizers if each.step > named(training, "Halving")[-1].step
    ]
    (last,) = [step for step in training.steps if step.expression == "torch.rand(2) + corner"]
    assert last.results == (training.names_after("failing")["end"],)


def test_fetching_a_batch_makes_no_steps(training: Trace) -> None:
    texts = {step.expression for step in training.steps if "DataLoader" in step.expression}
    assert texts == set()
    names = training.names_after("net")
    assert {"images", "labels"} <= set(names)


def test_the_script_ends_as_without_the_tracer(
    training: Trace, untraced: tuple[Log, dict[str, Any]]
) -> None:
    names = training.names_after("failing")
    held = {key: each for key, each in untraced[1].items() if isinstance(each, torch.Tensor)}
    assert set(names) == set(held)
    for name, tensor in held.items():
        assert equal(training, names[name], tensor), name


def test_a_cell_that_updates_what_another_computed(training: Trace) -> None:
    cell = training.of_cell("update")
    ops = ["torch.optim.Adam.zero_grad", "torch.Tensor.backward", "torch.optim.Adam.step"]
    assert [step.op for step in cell.steps] == ops
    (backward,), (made,) = cell.backwards, cell.optimizers
    assert (backward.step, made.step) == (1, 2)
    assert all(node.step is None for node in backward.nodes), "recorded in the cell before"
    assert backward.nodes[0].tensor == cell.names["cost"]
    added = {each.after for each in backward.accumulations}
    assert {update.gradient for update in made.updates} == added
    assert {cell.tensor(update.before).name for update in made.updates} == {
        *("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
    }
    whole = named(training, "Adam")[-1]
    for mine, true in zip(made.updates, whole.updates, strict=True):
        assert (cell.values[mine.after] == training.values[true.after]).all()


LAST = """
import torch

torch.manual_seed(0)
x = torch.randn(12, 3)
begun, left = [], []

def made(kind, weight, rate):
    return getattr(torch.optim, kind)([weight], lr=rate)

def one(weight, optimizer):
    loss = (x @ weight - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    begun.append(weight.tolist())
    left.append(weight.grad.tolist())
    optimizer.step()
    return loss.item()

# %% while
weight = torch.zeros(3, requires_grad=True)
optimizer = made("Adam", weight, 0.1)
lap = 0
while lap < 45:
    one(weight, optimizer)
    lap += 1

# %% break
weight = torch.zeros(3, requires_grad=True)
optimizer = made("SGD", weight, 0.05)
for lap in range(1000):
    if one(weight, optimizer) < 0.0 or lap == 40:
        break

# %% generator
weight = torch.zeros(3, requires_grad=True)
optimizer = made("SGD", weight, 0.05)
def batches():
    for part in x.split(2):
        yield part
for epoch in range(5):
    for part in batches():
        cost = (part @ weight - 1).square().mean()
        optimizer.zero_grad()
        cost.backward()
        begun.append(weight.tolist())
        left.append(weight.grad.tolist())
        optimizer.step()

# %% summed
weight = torch.zeros(3, requires_grad=True)
optimizer = made("SGD", weight, 0.05)
for lap in range(23):
    (x @ weight - 1).square().mean().backward()
    if lap % 4 == 3:
        begun.append(weight.tolist())
        left.append(weight.grad.tolist())
        optimizer.step()
        optimizer.zero_grad()
    after = weight.tolist()
"""


@pytest.mark.parametrize(
    ("cell", "lap"), [("while", 45), ("break", 41), ("generator", 30), ("summed", 20)]
)
def test_the_last_step_of_a_loop_is_told_though_nobody_knew_that_it_is(
    trace: Callable[..., Trace], cell: str, lap: int
) -> None:
    """Replays it: the weight before and after the last step, the gradient where it is left."""
    traced = trace(LAST)
    assert traced.error is None
    names: dict[str, Any] = {}
    exec(LAST[: LAST.find("# %%", LAST.find(f"# %% {cell}") + 4)], names)
    part = traced.of_cell(cell)
    last = part.optimizers[-1]
    (update,) = last.updates
    step = part.steps[last.step]
    run = part.runs[step.run]
    assert (run.lap, step.expression) == (lap, "optimizer.step()")
    assert update.gradient is not None
    expected = names["begun"][-1], names["weight"].tolist(), names["left"][-1]
    for record, numbers in zip(
        (update.before, update.after, update.gradient), expected, strict=True
    ):
        assert part.values[record].tolist() == pytest.approx(numbers, rel=1e-5)
    assert part.tensor(update.before).storage == part.tensor(update.after).storage
    text = next(s.text for s in part.cells[0].statements if s.number == run.statement)
    assert text == {
        "break": "if one(weight, optimizer) < 0.0 or lap == 40:",
        "summed": "if lap % 4 == 3:",
    }.get(cell, "one(weight, optimizer)" if cell == "while" else "optimizer.step()")
