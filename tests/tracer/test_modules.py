"""Modules in the trace, against PyTorch's own hooks and ``named_modules`` in an untraced run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks

from torchreel.records import ModuleRecord, Step, Trace

Tracing = Callable[..., Trace]

NETS = """\
import copy
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)

# %% simple
class SimpleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        hidden = self.relu(self.fc1(x))
        return self.fc2(hidden)

model = SimpleNet()
images = torch.rand(8, 784)
logits = model(images)
loss = nn.CrossEntropyLoss()(logits, torch.arange(8))
model.eval()
again = model(x=images[:2])
alone = model.fc2(torch.ones(128))
functional = F.linear(images, model.fc1.weight)

# %% tree
class Block(nn.Module):
    def __init__(self, size, *, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((size,), scale))
        self.register_buffer("shift", torch.zeros(size))
        layers = []
        for _ in range(20):
            layers.append(nn.Linear(size, size, bias=False))
        self.net = nn.Sequential(*layers[:2])
        self.twice = self.net[0]
        self.head = nn.Linear(size, size)
        self.head.weight = self.net[1].weight

    def forward(self, x, *, flip=False):
        y = self.twice(self.net(x)) * self.scale + self.shift
        return {"out": self.head(y) + x, "flip": flip}

block = Block(3, scale=2.0)
out = block(torch.ones(1, 3), flip=True)["out"]
block.net[1] = nn.Linear(3, 3)
changed = block(torch.ones(1, 3))["out"]
whole = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Tanh())
used = whole(torch.ones(2, 2, 2))
direct = nn.Linear(2, 1)(used)

def build(size):
    made = nn.Linear(size, size)
    return made

built = build(2)
loose = [nn.Linear(1, 1), nn.Linear(1, 2)]
try:
    nn.Linear(2, "x")
except TypeError:
    print("no such layer")
try:
    whole(torch.ones(1, 3))
except RuntimeError:
    print("no such input")

# %% library
lstm = nn.LSTM(2, 3, batch_first=True)
states, (hidden, cell) = lstm(torch.randn(1, 4, 2))
conv = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU())
picture = torch.randn(2, 1, 4, 4)
maps = conv(picture) + picture
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
words = torch.randn(2, 3, 8)
trained = encoder(words)
encoder.eval()
with torch.no_grad():
    read = encoder(words)
    attention, weights = encoder.layers[0].self_attn(words, words, words)
lazy = nn.LazyLinear(2)
shaped = lazy(torch.ones(3, 4))
mapped = torch.vmap(whole[1])(torch.ones(2, 4))
swapped = torch.func.functional_call(whole, {"1.bias": torch.ones(2)}, (torch.ones(2, 4),))

# %% whole
state = lstm.state_dict()
lstm.load_state_dict({name: value * 2 for name, value in state.items()})
conv.double()
conv.requires_grad_(False)
twin = copy.deepcopy(lazy)
same = twin(torch.ones(3, 4))
end = torch.rand(3)
"""


@dataclass
class Heard:
    """A call as PyTorch's hooks tell it."""

    kind: str
    path: str
    training: bool
    parent: int | None
    given: list[torch.Tensor]
    returned: list[torch.Tensor]


@pytest.fixture(scope="module")
def nets(trace: Tracing) -> Trace:
    traced = trace(NETS, "nets")
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def untraced() -> dict[str, Any]:
    """The names that the script leaves behind, run with neither tracer nor hooks."""
    scope: dict[str, Any] = {"__name__": "nets"}
    exec(NETS, scope)
    return scope


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    """The calls that global hooks hear in an untraced run."""
    calls: list[Heard] = []
    stack: list[tuple[nn.Module, int]] = []

    def path(module: nn.Module) -> str:
        root = stack[0][0] if stack else module
        found: str = next(name for name, each in root.named_modules() if each is module)
        return found

    def before(module: nn.Module, args: Any) -> None:
        if torch._C._functorch.peek_interpreter_stack() is not None:
            stack.append((module, -1))  # what vmap runs is no call of the script's
            return
        parent = stack[-1][1] if stack else None
        given = tensors(args)
        kind = type(module).__name__
        calls.append(Heard(kind, path(module), module.training, parent, given, []))
        stack.append((module, len(calls) - 1))

    def after(module: nn.Module, args: Any, result: Any) -> None:
        called, number = stack.pop()
        assert called is module
        if number >= 0:
            calls[number].returned = tensors(result)

    handles = [
        hooks.register_module_forward_pre_hook(before),
        hooks.register_module_forward_hook(after, always_call=True),
    ]
    try:
        exec(NETS, {"__name__": "nets"})
    finally:
        for handle in handles:
            handle.remove()
    return calls


def tensors(value: Any) -> list[torch.Tensor]:
    """Return copies of the tensors of a value."""
    if isinstance(value, torch.Tensor):
        return [value.detach().clone()]
    parts = value.values() if isinstance(value, dict) else value
    return [each for part in parts for each in tensors(part)] if is_nest(value) else []


def is_nest(value: Any) -> bool:
    return isinstance(value, dict | tuple)


def equal(trace: Trace, record: int, tensor: torch.Tensor) -> bool:
    """Tell whether a record holds the very bytes of a tensor."""
    value, array = trace.values[record], tensor.detach().numpy()
    return value.dtype == array.dtype and value.tobytes() == array.tobytes()


def step_of(trace: Trace, expression: str) -> Step:
    (step,) = [step for step in trace.steps if step.expression == expression]
    return step


def step_by_op(trace: Trace, op: str) -> Step:
    (step,) = [step for step in trace.steps if step.op == op]
    return step


def root_of(trace: Trace, module: ModuleRecord) -> ModuleRecord:
    while module.parent is not None:
        module = trace.modules[module.parent]
    return module


def tree(trace: Trace, name: str) -> dict[str, ModuleRecord]:
    """Return the modules of a root by their paths; of a path that was given again the last."""
    return {each.path: each for each in trace.modules if root_of(trace, each).name == name}


def kind_of(trace: Trace, call: int) -> str:
    return trace.modules[trace.calls[call].module].kind


def test_every_call_is_the_one_that_hooks_hear(nets: Trace, heard: list[Heard]) -> None:
    assert len(nets.calls) == len(heard) > 40
    seen = 0
    for call, true in zip(nets.calls, heard, strict=True):
        module = nets.modules[call.module]
        assert (module.kind, call.training, call.parent) == (true.kind, true.training, true.parent)
        given = [each.tensor for each in call.operands if each.tensor is not None and not each.name]
        pairs = [*zip(given, true.given, strict=True)]
        pairs += zip(call.results, true.returned, strict=True)
        for record, tensor in pairs:
            if tensor.numel():
                assert equal(nets, record, tensor), (module.kind, call.number)
                seen += 1
    assert seen > 80


def test_a_call_is_told_by_its_path_in_the_tree(nets: Trace, heard: list[Heard]) -> None:
    for call, true in zip(nets.calls, heard, strict=True):
        if call.parent is not None:
            assert nets.modules[call.module].path == true.path


def test_a_tree_is_what_named_modules_shows(nets: Trace, untraced: dict[str, Any]) -> None:
    for name in ("model", "block", "whole", "lstm", "conv", "encoder"):
        records = tree(nets, name)
        modules = dict(untraced[name].named_modules())
        assert set(records) == set(modules), name
        for path, module in modules.items():
            record = records[path]
            assert (record.kind, record.detail) == (type(module).__name__, module.extra_repr())
            assert list(record.parameters) == [
                key for key in module._parameters if own(module, key)
            ]
            assert list(record.buffers) == list(module._buffers)


def own(module: nn.Module, name: str) -> bool:
    return module._parameters[name] is not None


def test_a_lazy_module_is_told_as_it_was_when_it_was_built(nets: Trace) -> None:
    (lazy,) = tree(nets, "lazy").values()
    assert (lazy.kind, lazy.detail) == ("LazyLinear", "in_features=0, out_features=2, bias=True")
    assert nets.tensor(lazy.parameters["weight"]).shape == (0,)
    (linear,) = [each for each in nets.steps if each.expression == "lazy(torch.ones(3, 4))"]
    weight = nets.tensor(linear.operands[1].tensor or 0)
    assert (weight.shape, weight.name) == ((2, 4), "weight")


def test_parameters_and_buffers_have_their_names_in_the_tree(
    nets: Trace, untraced: dict[str, Any]
) -> None:
    for name in ("model", "conv", "encoder"):
        records = tree(nets, name).values()
        seen = {
            nets.tensor(each).name
            for record in records
            for each in (*record.parameters.values(), *record.buffers.values())
        }
        module = untraced[name]
        assert seen == {key for key, _ in (*module.named_parameters(), *module.named_buffers())}
    step = step_of(nets, "F.linear(images, model.fc1.weight)")
    assert nets.tensor(step.operands[1].tensor or 0).name == "fc1.weight"
    assert nets.tensor(step.results[0]).name == ""


def test_what_is_shared_has_one_place_in_the_tree(nets: Trace) -> None:
    block = tree(nets, "block")
    tied = block["head"].parameters["weight"]
    assert nets.tensor(tied).name == "net.1.weight"
    first = next(each for each in nets.modules if each.path == "net.1")
    assert first.parameters["weight"] == tied
    assert "twice" not in block


BUILT = {
    "SimpleNet()": ("SimpleNet", []),
    "Block(3, scale=2.0)": ("Block", [("3", None), ("2.0", "scale")]),
    "nn.Linear(3, 3)": ("torch.nn.Linear", [("3", None), ("3", None)]),
    "nn.Linear(2, 1)": ("torch.nn.Linear", [("2", None), ("1", None)]),
    "nn.Linear(size, size)": ("torch.nn.Linear", [("2", None), ("2", None)]),
    "nn.Linear(1, 2)": ("torch.nn.Linear", [("1", None), ("2", None)]),
    "nn.LazyLinear(2)": ("torch.nn.LazyLinear", [("2", None)]),
}


def test_building_a_module_is_one_step(nets: Trace) -> None:
    for expression, (op, operands) in BUILT.items():
        step = step_of(nets, expression)
        assert step.op == op
        assert [(each.literal, each.name) for each in step.operands] == operands
    assert not [step for step in nets.steps if step.op == "torch.nn.CrossEntropyLoss"], (
        "it holds no tensor: nothing is seen"
    )
    names = [nets.tensor(each).name for each in step_of(nets, "SimpleNet()").results]
    assert names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert [step.op for step in nets.steps if "nn.Flatten()" in step.expression] == [
        "torch.nn.Sequential"
    ], "what one statement builds is built as a whole"
    inner = ("init", "empty", "uniform", "fill", "zeros_like")
    assert not [step for step in nets.steps if any(word in step.op for word in inner)]
    line = step_of(nets, "torch.full((size,), scale)")
    assert line.number < step_of(nets, "Block(3, scale=2.0)").number, "the script's own lines"


def test_a_module_is_built_before_it_is_used_and_only_if_it_is(nets: Trace) -> None:
    built, used = step_of(nets, "nn.Linear(2, 1)"), step_of(nets, "nn.Linear(2, 1)(used)")
    assert built.number + 1 == used.number
    assert used.call is not None
    assert kind_of(nets, used.call) == "Linear"
    assert not [step for step in nets.steps if step.expression == 'nn.Linear(2, "x")']
    assert tree(nets, "made"), "a name in a function is a name"


def test_steps_name_the_innermost_call_and_calls_their_steps(nets: Trace) -> None:
    for step in nets.steps:
        around = [
            call.number
            for call in nets.calls
            if call.first is not None
            and call.last is not None
            and call.first <= step.number <= call.last
        ]
        assert step.call == (around[-1] if around else None), step.expression
    relu = next(step for step in nets.steps if step.op == "torch.nn.functional.relu")
    assert relu.call is not None
    assert nets.modules[nets.calls[relu.call].module].path == "relu"
    assert kind_of(nets, nets.calls[relu.call].parent or 0) == "SimpleNet"
    assert step_of(nets, "F.linear(images, model.fc1.weight)").call is None


def test_keywords_of_a_call_are_kept(nets: Trace) -> None:
    (first, _) = [call for call in nets.calls if kind_of(nets, call.number) == "Block"]
    assert [(each.literal, each.name) for each in first.operands[1:]] == [("True", "flip")]
    (_, second) = [call for call in nets.calls if kind_of(nets, call.number) == "SimpleNet"]
    assert [each.name for each in second.operands] == ["x"]
    assert not second.training


def test_a_call_that_raises_has_no_results(nets: Trace) -> None:
    failed = [call.number for call in nets.calls if not call.results]
    assert [kind_of(nets, number) for number in failed] == ["Sequential", "Linear"]
    (clash,) = [step for step in nets.steps if step.clash is not None]
    assert clash.call == failed[1]


def test_a_module_that_takes_anothers_place_is_a_new_one(nets: Trace) -> None:
    old, new = [
        each
        for each in nets.modules
        if each.path == "net.1" and root_of(nets, each).name == "block"
    ]
    assert (set(old.parameters), set(new.parameters)) == ({"weight"}, {"weight", "bias"})
    first = min(call.number for call in nets.calls if call.module == new.number)
    last = max(call.number for call in nets.calls if call.module == old.number)
    assert last < first


def test_what_is_done_to_every_tensor_of_a_module_is_one_step(nets: Trace) -> None:
    read = step_by_op(nets, "torch.nn.Module.state_dict")
    assert read.view
    loaded = step_by_op(nets, "torch.nn.Module.load_state_dict")
    assert loaded.written
    for operand, after in zip(loaded.operands, loaded.results, strict=False):
        assert (nets.values[after] == nets.values[operand.tensor or 0] * 2).all()
    double = step_by_op(nets, "torch.nn.Module.double")
    assert not double.written
    assert {nets.tensor(each).dtype for each in double.results} == {"float64", "int64"}
    frozen = step_by_op(nets, "torch.nn.Module.requires_grad_")
    assert not any(nets.tensor(each).requires_grad for each in frozen.results)


def test_a_deep_copy_is_one_step(nets: Trace) -> None:
    copied = step_of(nets, "copy.deepcopy(lazy)")
    assert copied.op == "copy.deepcopy"
    given = [each.tensor for each in copied.operands if each.tensor is not None]
    assert [nets.values[each].tolist() for each in copied.results] == [
        nets.values[each].tolist() for each in given
    ]
    storages = {nets.tensor(each).storage for each in (*given, *copied.results)}
    assert len(storages) == len(given) + len(copied.results) == 4
    assert [each.name for each in nets.modules if each.name == "twin"] == ["twin"]


def test_attention_takes_the_path_that_it_takes_untraced(nets: Trace) -> None:
    ops = {step.op for step in nets.steps if step.expression == "encoder(words)"}
    assert "torch._transformer_encoder_layer_fwd" in ops, "in evaluation"
    assert "torch.nn.functional.multi_head_attention_forward" in ops, "in training"


def test_the_script_ends_as_without_the_tracer(nets: Trace, untraced: dict[str, Any]) -> None:
    """Bit for bit: every tensor that a name holds, parameters, buffers, the next random numbers."""
    names = nets.names_after("whole")
    held = {key: each for key, each in untraced.items() if isinstance(each, torch.Tensor)}
    assert set(names) == set(held)
    for name, tensor in held.items():
        assert equal(nets, names[name], tensor), name
    conv = untraced["conv"]
    double = step_by_op(nets, "torch.nn.Module.double")
    for record, tensor in zip(double.results, (*conv.parameters(), *conv.buffers()), strict=True):
        assert equal(nets, record, tensor)


def test_a_cells_slice_keeps_its_trees_and_calls(nets: Trace) -> None:
    cell = nets.of_cell("library")
    roots = {each.name for each in cell.modules if each.parent is None}
    assert {"lstm", "conv", "encoder", "lazy", "whole"} <= roots
    assert "model" not in roots
    steps = {number for run in nets.runs if run.cell == "library" for number in run.steps}
    mine = [call for call in nets.calls if call.first in steps]
    assert len(cell.calls) == len(mine) > 20
    for call, whole in zip(cell.calls, mine, strict=True):
        module, true = cell.modules[call.module], nets.modules[whole.module]
        assert (module.path, module.kind, module.detail) == (true.path, true.kind, true.detail)
        assert call.first is not None
        assert whole.first is not None
        assert cell.steps[call.first].expression == nets.steps[whole.first].expression
        for part, record in zip(call.results, whole.results, strict=True):
            assert cell.tensor(part).shape == nets.tensor(record).shape
