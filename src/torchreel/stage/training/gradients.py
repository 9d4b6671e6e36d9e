"""What passes left for the step: how many are in it, and how long all of it is together."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from torchreel.records import Backward, Drawn, Run, Trace
from torchreel.stage.training.facts import Training, points_of
from torchreel.stage.training.passes import first_matrix, norm_text, step_of, weight_left


@dataclass(frozen=True)
class Left:
    """A gradient that a pass left: its record and memory, its norm, if it is known, and how many
    passes are in it."""

    tensor: int
    memory: int
    norm: float | None
    passes: int = 1


def weight_moved(trace: Trace, began: Backward) -> int:
    """Return the memory of the weight that the gradients of a pass move first; where no optimizer
    steps, of the first matrix that has one (-1: there is none)."""
    step = step_of(trace, began)
    update = None if step is None else first_matrix(trace, step)
    if update is not None:
        return trace.tensor(update.before).storage
    found = weight_left(trace, began)
    return -1 if found is None else found.storage


def moved(trace: Trace, began: Backward) -> dict[int, str]:
    """Return the memories and names of all parameters that the next step uses the gradients of, of
    those that a pass left some for where no optimizer steps."""
    step = step_of(trace, began)
    updates = () if step is None else step.updates
    used = [(each.before, each.name) for each in updates if each.gradient is not None]
    left = [(each.tensor, trace.tensor(each.tensor).name) for each in began.accumulations]
    return {trace.tensor(each).storage: name for each, name in used or left}


def gradients_of(trace: Trace, began: Backward, before: Mapping[int, Left]) -> dict[int, Left]:
    """Return the gradients that a pass left, by the memories of the weights that have them;
    ``before`` are those that were there when it began.

    Between the pass and the step a gradient may have changed (clipped, added to): then the norm
    that the optimizer met is not the pass's, and there is one only where all values are known.
    """
    found = {}
    for each in began.accumulations:
        memory = trace.tensor(each.tensor).storage
        empty = each.before is None or not trace.values.get(each.before, np.ones(1)).any()
        passes = 1 if empty or memory not in before else before[memory].passes + 1
        found[memory] = replace(as_met(trace, each.after), passes=passes)
    return found


def rewritten(trace: Trace, run: Run, before: Mapping[int, Left]) -> dict[int, Left]:
    """Return those of the gradients that are there that a run writes to (clips them, for one), as
    they are then; by the memories of their weights."""
    steps = [trace.steps[number] for number in run.steps]
    made = {trace.tensor(each).storage: each for step in steps for each in step.results}
    return {
        memory: replace(as_met(trace, made[left.memory]), passes=left.passes)
        for memory, left in before.items()
        if left.memory in made
    }


def together(lefts: Sequence[Left]) -> Drawn | None:
    """Return the norm of gradients as if they were one, as it is written; None where that of one of
    them is not known."""
    known = [each.norm for each in lefts if each.norm is not None]
    if not known or len(known) < len(lefts):
        return None
    first, *others = (each.tensor for each in lefts)
    text = norm_text(math.hypot(*known))
    return None if text is None else Drawn(0, text, "norm", tensor=first, index=tuple(others))


def together_at(
    trace: Trace, training: Training, names: Collection[str], lap: int, place: tuple[int, int]
) -> Drawn | None:
    """Return the norm of the gradients of so named parameters, as if they were one, in the last lap
    kept before ``lap``; None where it is not known.

    ``place`` is that of the model among so many whose parameters may have the same names.
    """
    own, count = place
    numbers, squares, laps = list[int](), 0.0, set[int]()
    for name in names:
        found = [
            number
            for number, each in enumerate(trace.series)
            if (each.kind, each.name, each.statement) == ("gradient", name, training.statement)
        ]
        if len(found) not in (1, count):
            return None
        numbers.append(found[own if len(found) == count else 0])
        points = points_of(trace, numbers[-1])
        at = int(np.searchsorted(points[:, 0], lap, side="right")) - 1
        laps.add(int(points[at, 0]) if at >= 0 else 0)
        squares += float(points[at, 1]) ** 2
    if len(laps) != 1 or 0 in laps:
        return None
    text = norm_text(math.sqrt(squares))
    return None if text is None else Drawn(0, text, "norm", index=(*laps, *numbers))


def as_met(trace: Trace, gradient: int) -> Left:
    """Return a gradient with its norm: as an optimizer met it, or of its values."""
    updates = (update for step in trace.optimizers for update in step.updates)
    norm = next((each.gradient_norm for each in updates if each.gradient == gradient), None)
    if norm is None and gradient in trace.values:
        norm = float(np.linalg.norm(trace.values[gradient].astype(float)))
    return Left(gradient, trace.tensor(gradient).storage, norm)
