"""What a trace tells of a backward pass of a training loop, and of what leads to it and follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torchreel.records import (
    Backward,
    Drawn,
    ModuleCall,
    OptimizerStep,
    ParameterUpdate,
    Run,
    TensorRecord,
    Trace,
)
from torchreel.spelling import bare_name
from torchreel.stage import numerals
from torchreel.stage.nets.links import chain_of
from torchreel.stage.nets.sample import sample_of

MOST_LINKS = 16
_LAYERS = 6


def pass_of(trace: Trace, run: Run) -> Backward | None:
    """Return the backward pass that a run works for: its own, the next one that goes through what
    it makes, else the next one; None where none follows."""
    made = {tensor for number in run.steps for tensor in trace.steps[number].results}
    for each in trace.backwards:
        if each.step in run.steps or any(node.tensor in made for node in each.nodes):
            return each
    return next((each for each in trace.backwards if each.step > max(run.steps, default=-1)), None)


def step_of(trace: Trace, began: Backward) -> OptimizerStep | None:
    """Return the optimizer's step that uses what a pass left first, if there is one."""
    left = {each.tensor for each in began.accumulations}
    return next(
        (
            each
            for each in trace.optimizers
            if each.step > began.step and any(update.before in left for update in each.updates)
        ),
        None,
    )


@dataclass(frozen=True)
class Path:
    """The models that data passes on its way to a loss: their numbers, and how many features it
    has before the first layer and after each; (1, 1) where it passes unlike ones side by side."""

    modules: tuple[int, ...] = ()
    features: tuple[int, ...] = (1, 1)


def path_of(trace: Trace, began: Backward, run: Run | None = None) -> Path:
    """Return the models that a pass goes through to the script's first data, those alone that
    ``run`` calls, if it is given and calls one."""
    called, beside = list[ModuleCall](), list[ModuleCall]()
    for call in reversed([each for each in trace.calls if each.parent is None]):
        nodes = [node.number for node in began.nodes if node.tensor in call.results]
        if nodes and _layers(trace, call):
            (called if _leads_to(began, called, nodes) else beside).insert(0, call)
    both = sorted([*called, *beside], key=lambda call: call.number)
    own = [call for call in both if run is not None and call.first in run.steps] or both
    if not own:
        return Path()
    if len(own) > 1 and any(call in beside for call in own):
        layers, *others = (_layers(trace, call) for call in own)
        features = layers if all(each == layers for each in others) else [1, 1]
        own = list({call.module: call for call in own}.values())
    else:
        features = []
        for call in own:
            layers = _layers(trace, call)
            features += layers if features[-1:] != layers[:1] else layers[1:]
    if len(features) > _LAYERS:
        features = [*features[: _LAYERS - 1], features[-1]]
    return Path(tuple(call.module for call in own), tuple(features))


def _leads_to(began: Backward, called: Sequence[ModuleCall], nodes: Sequence[int]) -> bool:
    """Tell whether what the first of these calls made comes from one of the nodes."""
    if not called:
        return True
    reached = {node.number for node in began.nodes if node.tensor in called[0].results}
    waiting = list(reached)
    while waiting:
        source = waiting.pop()
        further = {edge.target for edge in began.edges if edge.source == source} - reached
        reached |= further
        waiting += further
    return not reached.isdisjoint(nodes)


def _layers(trace: Trace, call: ModuleCall) -> list[int]:
    """Return the features of what goes into a call, and after each of its layers; empty where it
    has no layers."""
    if not call.results or call.first is None:
        return []
    chain = chain_of(trace, call, MOST_LINKS)
    layers = [sample_of(trace, link.result).features for link in chain.links if link.has_parameters]
    return [sample_of(trace, chain.operand).features, *layers] if layers else []


def loss_of(trace: Trace, began: Backward, now: int) -> tuple[Drawn | None, Drawn | None]:
    """Return the name and the value of what a pass began at, as far as step ``now`` knows them."""
    if not began.roots:
        return None, None
    root = began.nodes[began.roots[0]]
    if root.tensor is None:
        return None, None
    name = Drawn(0, root.names[0], "name", tensor=root.tensor) if root.names else None
    values = trace.values.get(root.tensor)
    if values is None or values.size != 1 or root.step is None or root.step > now:
        return name, None
    index = (0,) * len(trace.tensor(root.tensor).shape)
    text = norm_text(float(values.item()))
    return name, None if text is None else Drawn(0, text, "value", tensor=root.tensor, index=index)


def weight_left(trace: Trace, began: Backward) -> TensorRecord | None:
    """Return the first matrix to which a pass adds a gradient, else the first parameter."""
    left = [trace.tensor(each.tensor) for each in reversed(began.accumulations)]
    return next((each for each in left if len(each.shape) > 1), next(iter(left), None))


def station_of(trace: Trace, run: Run) -> int | None:
    """Return the station of a run: 0 forward, 1 loss, 2 backward, 3 step; None: none of them."""
    stepping = {each.step for each in trace.optimizers}
    moved = {update.after for each in trace.optimizers for update in each.updates}
    roots = {
        each.nodes[root].tensor for each in trace.backwards for root in each.roots if each.nodes
    }
    for number in run.steps:
        if number in stepping or moved & {*trace.steps[number].results}:
            return 3
        if bare_name(trace.steps[number].op) == "backward":
            return 2
    results = {tensor for number in run.steps for tensor in trace.steps[number].results}
    if results & roots:
        return 1
    called = any(trace.steps[number].call is not None for number in run.steps)
    learning = any(trace.tensor(tensor).requires_grad for tensor in results)
    leads = any(node.tensor in results for each in trace.backwards for node in each.nodes)
    return 0 if (called or leads) and learning else None


def first_matrix(trace: Trace, step: OptimizerStep) -> ParameterUpdate | None:
    """Return the update of the first matrix that a step changed, else of its first parameter."""
    for update in step.updates:
        if len(trace.tensor(update.before).shape) >= 2:
            return update
    return next(iter(step.updates), None)


def norm_text(value: float) -> str | None:
    """Return a loss or a norm as it is written."""
    return numerals.write(value, 6) or numerals.write(value, 6, 1)
