"""What a trace tells of a training loop: its laps, losses and weights."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import numpy as np

from torchreel.records import Backward, Drawn, ParameterUpdate, Run, Trace
from torchreel.spelling import bare_name
from torchreel.stage.nets.sample import Floats, weight_of
from torchreel.stage.printout import lines_of
from torchreel.stage.training.byhand import BY_HAND
from torchreel.stage.training.passes import first_matrix, weight_left
from torchreel.syntax import parse

_LOOKED_AT = 200
"""So many different values of a series are looked at to tell what it is."""

SLOW_LAPS = 3
"""So many laps are shown station by station."""


@dataclass(frozen=True)
class Learner:
    """A matrix that an optimizer of a loop moves (or would, if it stepped), as it is before.

    ``memory`` is its storage's, ``loss`` the position in ``Trace.series`` of what the pass before
    began at.
    """

    name: str
    first: int
    memory: int
    loss: int | None


@dataclass(frozen=True)
class Training:
    """A loop of a cell in which gradients are made for an optimizer.

    ``statement`` is the innermost such loop's, ``losses`` and ``share`` positions in
    ``Trace.series`` (of what its backward passes began at, and of a number from 0 to 1 such as an
    accuracy), ``laps`` how many laps ran in all. ``steps`` tells whether an optimizer steps in it:
    who forgets that has gradients and no change.
    """

    statement: int
    laps: int
    losses: tuple[int, ...]
    share: int | None
    learners: tuple[Learner, ...]
    steps: bool = True


def training_of(trace: Trace) -> Training | None:
    """Return the first training loop of a cell's trace; None where there is none."""
    moments = [(each.step, True) for each in trace.optimizers] or [
        (each.step, False) for each in trace.backwards
    ]
    for number, steps in moments:
        loops = [each for each, _ in reversed(trace.runs[trace.steps[number].run].laps)]
        loop = next((each for each in loops if _has_pass(trace, each)), None)
        if loop is None:
            continue
        runs = {at for at, run in enumerate(trace.runs) if id(run) in laps_of(trace, loop)}
        if not steps and not _waits_for_step(trace, runs):
            continue
        laps = sum(each.laps for each in trace.loops if each.statement == loop)
        passes = [each for each in trace.backwards if trace.steps[each.step].run in runs]
        losses = _losses(trace, loop, passes)
        learners = _learners(trace, runs, passes, losses)
        if not steps and not learners:
            continue
        share = _share(trace, loop, losses)
        return Training(loop, laps, losses, share, learners, steps)
    return None


def targets_of(header: str) -> set[str]:
    """Return the names that a loop's header binds: ``epoch`` of ``for epoch in range(epochs):``."""
    try:
        target = getattr(parse(f"{header} pass").body[0], "target", None)
    except SyntaxError:
        return set()
    return {each.id for each in ast.walk(target or ast.Pass()) if isinstance(each, ast.Name)}


def points_of(trace: Trace, series: int) -> Floats:
    """Return a series as an array (n, 2) of lap and value."""
    return np.asarray(trace.arrays[trace.series[series].array], dtype=float)


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
        return Drawn(0, "2", "guess")
    if bare_name(step.op) == "cross_entropy" and targets.dtype == "int64":
        dim = min(1, len(scores.shape) - 1)
        return Drawn(0, str(scores.shape[dim]), "size", tensor=scores.id, index=(dim,))
    return None


@dataclass(frozen=True)
class Seen:
    """Up to which lap each of a loop's losses is known (by position in ``Trace.series``), its share
    and each of its weights (by memory); 0: not even the first."""

    losses: Mapping[int, int]
    share: int
    weights: Mapping[int, int]


def seen_at(training: Training, lap: int) -> Seen:
    """Return what is known when a whole lap of the loop has ended."""
    learned = {learner.memory: lap for learner in training.learners}
    return Seen(dict.fromkeys(training.losses, lap), lap, learned)


def seen_after(trace: Trace, training: Training, run: Run) -> Seen:
    """Return what is known when a run of the loop has ended."""
    laps = laps_of(trace, training.statement)
    share = None if training.share is None else trace.series[training.share].name
    making = {each: _making(trace, training, each) for each in training.losses}
    moving = {
        learner.memory: {step for step, _ in _updates(trace, training, learner)}
        for learner in training.learners
    }
    losses, weights, share_lap = dict.fromkeys(making, 0), dict.fromkeys(moving, 0), 0
    for each in trace.runs:
        lap, steps = laps.get(id(each), 0), {*each.steps}
        if lap:
            losses |= {loss: lap for loss, made in making.items() if made & steps}
            weights |= {memory: lap for memory, moved in moving.items() if moved & steps}
            share_lap = lap if share in each.plain or share in each.changed else share_lap
        if each is run:
            break
    return Seen(losses, share_lap, weights)


def loss_from(trace: Trace, training: Training, began: Backward) -> int | None:
    """Return the position in ``Trace.series`` of what a pass began at."""
    return _loss(trace, [began], training.losses)


def versions_of(trace: Trace, training: Training, learner: Learner) -> list[tuple[int, Floats]]:
    """Return the laps after which a matrix is known, and its versions; lap 0 is before them."""
    return [(lap, numbers) for lap, numbers, _ in records_of(trace, training, learner)]


def records_of(trace: Trace, training: Training, learner: Learner) -> list[tuple[int, Floats, int]]:
    """Return the versions of a matrix with their laps and the records that hold them."""
    laps, known = laps_of(trace, training.statement), [(0, learner.first)]
    for step, update in _updates(trace, training, learner):
        known.append((laps[id(trace.runs[trace.steps[step].run])], update.after))
    found = [(lap, weight_of(trace, each), each) for lap, each in known]
    there = [(lap, numbers, each) for lap, numbers, each in found if numbers is not None]
    return [each for each in there if each[1].shape == there[0][1].shape]


def _updates(
    trace: Trace, training: Training, learner: Learner
) -> list[tuple[int, ParameterUpdate]]:
    """Return what the loop's steps did to a matrix, with the number of each."""
    memories = {learner.memory}  # a new memory may be given to a parameter
    laps = laps_of(trace, training.statement)
    found = []
    for step in trace.optimizers:
        inside = id(trace.runs[trace.steps[step.step].run]) in laps
        for update in step.updates if inside else ():
            storages = {_memory(trace, each) for each in (update.before, update.after)}
            follows = memories & storages or (step.kind == BY_HAND and update.name)
            if update.name == learner.name and follows:
                memories |= storages
                found.append((step.step, update))
    return found


def _making(trace: Trace, training: Training, loss: int) -> set[int]:
    """Return the steps that made what the passes began at that belong to a loss."""
    passes = (each for each in trace.backwards if loss_from(trace, training, each) == loss)
    roots = (each.nodes[root].step for each in passes for root in each.roots)
    return {step for step in roots if step is not None}


def laps_of(trace: Trace, loop: int) -> dict[int, int]:
    """Return the lap of a loop that each run in it belongs to, by the run's ``id``; what functions
    do that its body calls is of the lap, too."""
    return {id(run): lap for run in trace.runs if (lap := run.lap_of(loop))}


def loops_around(trace: Trace, loop: int) -> set[int]:
    """Return the loops that a loop runs in, also where a function of it is called there."""
    inside = ([other for other, _ in run.laps] for run in trace.runs if run.lap_of(loop))
    return {other for loops in inside for other in loops[: loops.index(loop)]}


def shown_runs(trace: Trace, training: Training, runs: list[Run]) -> list[Run]:
    """Return the runs that are shown one by one: those outside the loop, and of its first laps.

    Where more laps ran, one run of the loop's own statement stands for them, after the first ones;
    what ran between the later laps, in a loop around, is not shown: it would come after the end.
    """
    laps, around = laps_of(trace, training.statement), loops_around(trace, training.statement)
    body = [at for at, run in enumerate(runs) if id(run) in laps]
    late = [at for at in body if laps[id(runs[at])] > SLOW_LAPS]
    blocks = (each.number for each in trace.cells[0].around(training.statement))
    headers = {training.statement, *around, *blocks}
    hidden = {*late, *(at for at, run in enumerate(runs) if run.statement in headers)}
    shown = [(at, run) for at, run in enumerate(runs) if at not in hidden]
    if training.laps > SLOW_LAPS:
        steps = tuple(step for at in late for step in runs[at].steps)
        rest = Run(runs[body[0]].cell, training.statement, SLOW_LAPS + 1, steps)
        place = late[0] if late else body[-1] + 1
        shown = [
            (at, run)
            for at, run in shown
            if at < place or not any(run.lap_of(loop) for loop in around)
        ]
        shown.insert(sum(at < place for at, _ in shown), (place, rest))
    return [run for _, run in shown]


def printed_by(trace: Trace, training: Training, lap: int) -> Run | None:
    """Return the run that printed last, of those after the first laps that no cue shows, by the end
    of a lap; None where none did."""
    laps = laps_of(trace, training.statement)
    around = loops_around(trace, training.statement)
    now, found = 0, None
    for run in trace.runs:
        now = laps.get(id(run), now)
        own = id(run) in laps or any(run.lap_of(loop) for loop in around)
        if SLOW_LAPS < now <= lap and own and lines_of(run):
            found = run
    return found


def _has_pass(trace: Trace, loop: int) -> bool:
    """Tell whether a backward pass is in the laps of a loop."""
    laps = laps_of(trace, loop)
    return any(id(trace.runs[trace.steps[each.step].run]) in laps for each in trace.backwards)


def _memory(trace: Trace, tensor: int) -> int:
    return trace.tensor(tensor).storage


def _waits_for_step(trace: Trace, runs: set[int]) -> bool:
    """Tell whether an optimizer's gradients are emptied in a loop, and nothing writes parameters:
    its step is missing."""
    steps = [each for each in trace.steps if each.run in runs]
    empties = any(
        each.op.startswith("torch.optim.") and bare_name(each.op) == "zero_grad" for each in steps
    )
    left = {each.tensor for began in trace.backwards for each in began.accumulations}
    memories = {_memory(trace, each) for each in left}
    written = {_memory(trace, made) for each in steps if each.written for made in each.results}
    return empties and bool(memories) and memories.isdisjoint(written)


def _names(passes: Iterable[Backward]) -> list[str]:
    """Return the names of what passes began at, in order."""
    roots = (each.nodes[root].names for each in passes for root in each.roots)
    return list(dict.fromkeys(chain.from_iterable(roots)))


def _losses(trace: Trace, loop: int, passes: Iterable[Backward]) -> tuple[int, ...]:
    own = {
        kind: {
            each.name: at
            for at, each in enumerate(trace.series)
            if each.kind == kind and each.statement == loop
        }
        for kind in ("name", "loss")
    }
    named = own["name"] | own["loss"]
    began = dict.fromkeys([*_names(passes), *own["loss"]])
    found = tuple(named[name] for name in began if name in named)
    return found or tuple(own["name"].values())[:1]


def _learners(
    trace: Trace, runs: set[int], passes: list[Backward], losses: tuple[int, ...]
) -> tuple[Learner, ...]:
    """Return the first matrix that each of the optimizers of a loop moves; where none steps, the
    first that has a gradient."""
    found: list[Learner] = []
    known: set[int] = set()
    for step in trace.optimizers:
        update = first_matrix(trace, step)
        if update is None or trace.steps[step.step].run not in runs:
            continue
        memories = {_memory(trace, each) for each in (update.before, update.after)}
        namesake = step.kind == BY_HAND and update.name in {each.name for each in found}
        if known.isdisjoint(memories) and not namesake:
            before = [each for each in passes if each.step < step.step]
            memory = _memory(trace, update.before)
            loss = _loss(trace, [each for each in before if _moves(trace, each, memory)], losses)
            found.append(Learner(update.name, update.before, memory, loss))
        known |= memories
    if trace.optimizers or not passes:
        return tuple(found)
    first = weight_left(trace, passes[0])
    if first is None:
        return ()
    loss = _loss(trace, passes[:1], losses)
    return (Learner(first.name or "", first.id, first.storage, loss),)


def _moves(trace: Trace, began: Backward, memory: int) -> bool:
    return any(_memory(trace, each.tensor) == memory for each in began.accumulations)


def _loss(trace: Trace, passes: list[Backward], losses: tuple[int, ...]) -> int | None:
    names = _names(passes[-1:])
    if passes and not names and len(losses) == 1:
        return losses[0]
    return next((each for each in losses if trace.series[each].name in names), None)


def _share(trace: Trace, loop: int, losses: tuple[int, ...]) -> int | None:
    """Return a series of the loop, no loss, whose values all are from 0 to 1."""
    others = {*_names(trace.backwards), *_moved_names(trace)}
    for at, each in enumerate(trace.series):
        named = each.kind == "name" and each.name not in others
        own = named and each.statement == loop and at not in losses
        if own and _are_shares(points_of(trace, at)[:, 1]):
            return at
    return None


def _are_shares(values: Floats) -> bool:
    """Tell whether numbers say which part of how many, of rows that are right for one: all are
    fractions from 0 to 1 with whole numbers below, as a loss or a weight is not, and they do not
    only fall, as a learning rate does."""
    if not len(values) or not (values.min() >= 0 and values.max() <= 1 and np.ptp(values) > 0):
        return False
    some = np.unique(values)[:_LOOKED_AT]
    rises = bool((np.diff(values) > 0).any())
    return rises and all(_is_fraction(float(each)) for each in some)


def _is_fraction(value: float) -> bool:
    """Tell whether a number, a double or rounded to a float32, has a whole number below that is
    small for its precision: chance finds one for few of others."""
    return any(
        abs(value - Fraction(value).limit_denominator(below)) <= precision
        for below, precision in ((100_000, 1e-13), (1_000, 6e-8))
    )


def _moved_names(trace: Trace) -> set[str]:
    """Return the names that hold what steps move: parameters, however small."""
    moved = {
        _memory(trace, made)
        for each in trace.optimizers
        for update in each.updates
        for made in (update.before, update.after)
    }
    changed = (pair for run in trace.runs for pair in run.changed.items())
    return {name for name, held in changed if held is not None and _memory(trace, held) in moved}
