"""What a trace tells of a training loop: its stations, laps, losses and weights (no Manim here)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreel.records import (
    Backward,
    Drawn,
    OptimizerStep,
    ParameterUpdate,
    Run,
    Statement,
    Trace,
)
from torchreel.spelling import bare_name
from torchreel.stage import numerals
from torchreel.stage.nets.links import chain_of
from torchreel.stage.nets.sample import Floats, sample_of, weight_of

MOST_LINKS = 16
_LAYERS = 5
SLOW_LAPS = 3
"""So many laps are shown station by station."""


@dataclass(frozen=True)
class Training:
    """A loop of a cell in which an optimizer steps.

    ``statement`` is the innermost such loop's, ``loss`` and ``share`` positions in ``Trace.series``
    (of what the backward pass began at, and of a number from 0 to 1 such as an accuracy), ``laps``
    how many laps ran in all, ``weight`` the name of the first matrix that is updated.
    """

    statement: int
    body: frozenset[int]
    laps: int
    loss: int | None
    share: int | None
    weight: str


def training_of(trace: Trace) -> Training | None:
    """Return the first training loop of a cell's trace; None where there is none."""
    statements = {each.number: each for each in trace.cells[0].statements}
    for step in trace.optimizers:
        run = trace.runs[trace.steps[step.step].run]
        loop = _loop_around(statements, run.statement)
        if loop is None:
            continue
        body = frozenset(number for number in statements if _inside(statements, number, loop))
        laps = sum(each.laps for each in trace.loops if each.statement == loop)
        loss = _loss(trace, loop)
        first = first_matrix(trace, step)
        weight = first.name if first is not None else ""
        return Training(loop, body, laps, loss, _share(trace, loop, loss), weight)
    return None


def points_of(trace: Trace, series: int) -> Floats:
    """Return a series as an array (n, 2) of lap and value."""
    return np.asarray(trace.arrays[trace.series[series].array], dtype=float)


def pass_of(trace: Trace, run: Run) -> Backward | None:
    """Return the backward pass that a run works for: its own, that of the loss that it makes, else
    the next one; None where none follows."""
    made = {tensor for number in run.steps for tensor in trace.steps[number].results}
    for each in trace.backwards:
        if each.step in run.steps or any(each.nodes[root].tensor in made for root in each.roots):
            return each
    return next((each for each in trace.backwards if each.step > max(run.steps, default=-1)), None)


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
    text = _text(float(values.item()))
    return name, None if text is None else Drawn(0, text, "value", tensor=root.tensor, index=index)


def norm_of(trace: Trace, began: Backward) -> Drawn | None:
    """Return the norm of the gradient that a pass left of the weight that is stepped next.

    Between the pass and the step the gradient may have changed (clipped, added to): then the norm
    that the optimizer met is not the pass's, and there is one only where all values are known.
    """
    left = {each.tensor: each.after for each in began.accumulations}
    for step in trace.optimizers:
        update = first_matrix(trace, step)
        if step.step < began.step or update is None or update.before not in left:
            continue
        gradient = left[update.before]
        norm = update.gradient_norm if update.gradient == gradient else None
        if norm is None and gradient in trace.values:
            norm = float(np.linalg.norm(trace.values[gradient].astype(float)))
        text = None if norm is None else _text(norm)
        return None if text is None else Drawn(0, text, "norm", tensor=gradient)
    return None


def classes_of(trace: Trace, series: int) -> Drawn | None:
    """Return among how many classes the op that made a loss lets guess; None where that is unknown.

    Who gives each of them the same chance has their number's logarithm as a loss: of the mean cross
    entropy with the classes' numbers as targets, and of that of two classes, with no weights.
    """
    name = trace.series[series].name
    roots = (each.nodes[root] for each in trace.backwards for root in each.roots)
    made = next((each.step for each in roots if name in each.names), None)
    if made is None:
        return None
    step = trace.steps[made]
    plain = {each.name: each.literal for each in step.operands if each.name is not None}
    tensors = [trace.tensor(each.tensor) for each in step.operands if each.tensor is not None]
    asked = [plain.get(key, "None") for key in ("size_average", "reduce")]
    if plain.get("reduction") != "'mean'" or asked != ["None"] * 2 or len(tensors) != 2:
        return None
    scores, targets = tensors
    if bare_name(step.op) in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        return Drawn(0, "2", "sign")
    if bare_name(step.op) == "cross_entropy" and targets.dtype == "int64":
        dim = min(1, len(scores.shape) - 1)
        return Drawn(0, str(scores.shape[dim]), "size", tensor=scores.id, index=(dim,))
    return None


def _text(value: float) -> str | None:
    return numerals.write(value, 6) or numerals.write(value, 6, 1)


def versions_of(trace: Trace, training: Training) -> list[tuple[int, Floats]]:
    """Return the laps after which the weight is known, and its versions; lap 0 is before them."""
    found: list[tuple[int, Floats]] = []
    memories: set[int] = set()  # two models may have parameters of one name
    for step in trace.optimizers:
        run = trace.runs[trace.steps[step.step].run]
        update = next((each for each in step.updates if each.name == training.weight), None)
        if update is None or run.statement not in training.body:
            continue
        storages = {trace.tensor(each).storage for each in (update.before, update.after)}
        if memories and not memories & storages:
            continue
        memories |= storages
        before, after = weight_of(trace, update.before), weight_of(trace, update.after)
        if before is not None and not found:
            found.append((run.lap - 1, before))
        if after is not None:
            found.append((run.lap, after))
    return [each for each in found if each[1].shape == found[0][1].shape]


def laps_of(trace: Trace, training: Training) -> dict[int, int]:
    """Return the lap of the loop that each run of its body belongs to, by the run's ``id``.

    A statement of the body itself runs in every lap; one in a condition or in a loop within may
    have run less often, or more.
    """
    direct = {
        each.number for each in trace.cells[0].statements if each.parent == training.statement
    }
    lap, found = 1, {}
    for run in trace.runs:
        if run.statement in training.body:
            lap = max(lap, run.lap) if run.statement in direct else lap
            found[id(run)] = lap
    return found


def shown_runs(trace: Trace, training: Training, runs: list[Run]) -> list[Run]:
    """Return the runs that are shown one by one: those outside the loop, and of its first laps.

    Where more laps ran, one run of the loop's own statement stands for them, after the first ones.
    """
    laps = laps_of(trace, training)
    body = [at for at, run in enumerate(runs) if run.statement in training.body]
    late = [at for at in body if laps[id(runs[at])] > SLOW_LAPS]
    hidden = {*late, *(at for at, run in enumerate(runs) if _is_header(trace, run, training))}
    shown = [(at, run) for at, run in enumerate(runs) if at not in hidden]
    if training.laps > SLOW_LAPS:
        steps = tuple(step for at in late for step in runs[at].steps)
        rest = Run(runs[body[0]].cell, training.statement, SLOW_LAPS + 1, steps)
        place = late[0] if late else body[-1] + 1
        shown.insert(sum(at < place for at, _ in shown), (place, rest))
    return [run for _, run in shown]


def _is_header(trace: Trace, run: Run, training: Training) -> bool:
    """Tell whether a run is of the training loop's own line or of one around it: no cue of its
    own."""
    statements = {each.number: each for each in trace.cells[0].statements}
    own = run.statement == training.statement
    return own or _inside(statements, training.statement, run.statement)


def _loop_around(statements: dict[int, Statement], number: int) -> int | None:
    at = statements[number].parent if number in statements else None
    while at is not None:
        if statements[at].kind == "loop":
            return at
        at = statements[at].parent
    return None


def _inside(statements: dict[int, Statement], number: int, outer: int) -> bool:
    at = statements[number].parent
    while at is not None:
        if at == outer:
            return True
        at = statements[at].parent
    return False


def _losses(trace: Trace) -> set[str]:
    """Return the names of what backward passes began at."""
    return {
        name for each in trace.backwards for root in each.roots for name in each.nodes[root].names
    }


def _loss(trace: Trace, loop: int) -> int | None:
    names = _losses(trace)
    named = [at for at, each in enumerate(trace.series) if each.kind == "name"]
    own = [at for at in named if trace.series[at].statement == loop]
    return next((at for at in own if trace.series[at].name in names), next(iter(own), None))


def _share(trace: Trace, loop: int, loss: int | None) -> int | None:
    """Return a series of the loop, no loss, whose values all are from 0 to 1."""
    losses = _losses(trace)
    for at, each in enumerate(trace.series):
        named = each.kind == "name" and each.name not in losses
        if named and each.statement == loop and at != loss:
            values = points_of(trace, at)[:, 1]
            if len(values) and values.min() >= 0 and values.max() <= 1 and np.ptp(values) > 0:
                return at
    return None


def first_matrix(trace: Trace, step: OptimizerStep) -> ParameterUpdate | None:
    """Return the update of the first matrix that a step changed, else of its first parameter."""
    for update in step.updates:
        if len(trace.tensor(update.before).shape) >= 2:
            return update
    return next(iter(step.updates), None)


def station_of(trace: Trace, run: Run) -> int | None:
    """Return the station of a run: 0 forward, 1 loss, 2 backward, 3 step; None: none of them."""
    stepping = {each.step for each in trace.optimizers}
    roots = {
        each.nodes[root].tensor for each in trace.backwards for root in each.roots if each.nodes
    }
    for number in run.steps:
        if number in stepping:
            return 3
        if bare_name(trace.steps[number].op) == "backward":
            return 2
    results = {tensor for number in run.steps for tensor in trace.steps[number].results}
    if results & roots:
        return 1
    called = any(trace.steps[number].call is not None for number in run.steps)
    learning = any(trace.tensor(tensor).requires_grad for tensor in results)
    return 0 if called and learning else None


def features_of(trace: Trace, training: Training) -> list[int]:
    """Return the features of the layers that data passes in the first lap, ends included."""
    call = next(
        (
            each
            for each in trace.calls
            if each.parent is None and each.results and each.first is not None
        ),
        None,
    )
    if call is None:
        return [1, 1]
    chain = chain_of(trace, call, MOST_LINKS)
    layers = [sample_of(trace, chain.operand).features]
    layers += [
        sample_of(trace, link.result).features for link in chain.links if link.has_parameters
    ]
    return layers if len(layers) <= _LAYERS else [*layers[: _LAYERS - 1], layers[-1]]
