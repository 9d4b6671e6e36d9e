"""Weights that a script moves itself: told as the steps of an optimizer are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torchreel.records import Backward, OptimizerStep, ParameterUpdate, Step, TensorId, Trace
from torchreel.spelling import bare_name
from torchreel.stage.training.passes import first_matrix

BY_HAND = ""
"""The kind of such a step: no optimizer made it."""

_SCALING = ("mul", "add_", "sub_")


def with_steps_by_hand(trace: Trace) -> Trace:
    """Return the trace with a step more for each backward pass after which lines of the script
    move, by what comes from the gradients that it left, the parameters that have them."""
    moved = _Moves(trace).steps()
    if not moved:
        return trace
    steps = sorted((*trace.optimizers, *moved), key=lambda each: each.step)
    return replace(trace, optimizers=tuple(steps))


def step_until(trace: Trace, step: OptimizerStep, now: int) -> OptimizerStep:
    """Return a step as it is told at step ``now``: one by hand is what the last line did that had
    moved a weight by then; what moves its first matrix, where none had."""
    if step.kind != BY_HAND:
        return step
    afters = {update.after for update in step.updates}
    made = {each: one for one in reversed(trace.steps) for each in one.results if each in afters}
    done = [made[each.after] for each in step.updates if made[each.after].number <= now]
    last = done[-1].run if done else trace.steps[step.step].run
    updates = tuple(each for each in step.updates if made[each.after].run == last)
    told = replace(step, updates=updates)
    first = first_matrix(trace, told)
    return told if first is None else replace(told, step=made[first.after].number)


@dataclass
class _Moved:
    """What one line did to a parameter; ``step`` is a step of the trace."""

    step: int
    update: ParameterUpdate
    rate: str | None


@dataclass
class _Pass:
    """The parameters to which a pass added, by memory: their records and their gradients', as they
    are now, and what moved since."""

    tensors: dict[int, TensorId]
    gradients: dict[int, TensorId]
    moved: list[_Moved] = field(default_factory=list)


class _Moves:
    """Reads the steps of a trace in order and notes what comes from gradients, by memories."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._pass = _Pass({}, {})
        self._passes: list[_Pass] = []
        self._from: set[int] = set()
        self._rates: dict[int, str | None] = {}
        self._names = {
            self._memory(tensor): name
            for run in reversed(trace.runs)  # a loop's own name for it comes later
            for name, tensor in run.changed.items()
            if tensor is not None
        }
        self._made: dict[int, tuple[_Pass, _Moved]] = {}

    def steps(self) -> list[OptimizerStep]:
        """Return what moved after each pass, as one step: that of its first matrix."""
        began = {each.step: each for each in self.trace.backwards}
        known = {each.step for each in self.trace.optimizers}
        for step in self.trace.steps:
            if step.number in began:
                self._begin(began[step.number])
            elif step.number not in known:
                self._read(step)
        return [self._told(each.moved) for each in self._passes if each.moved]

    def _told(self, moved: list[_Moved]) -> OptimizerStep:
        def is_matrix(each: _Moved) -> bool:
            return len(self.trace.tensor(each.update.before).shape) > 1

        first = next(filter(is_matrix, moved), moved[0])
        settings = {} if first.rate is None else {"lr": first.rate}
        return OptimizerStep(first.step, BY_HAND, settings, tuple(each.update for each in moved))

    def _begin(self, began: Backward) -> None:
        added = {self._memory(each.tensor): each for each in began.accumulations}
        tensors = {memory: each.tensor for memory, each in added.items()}
        self._pass = _Pass(tensors, {memory: each.after for memory, each in added.items()})
        self._passes.append(self._pass)
        self._from |= {self._memory(each.after) for each in added.values()}
        self._from -= added.keys()

    def _read(self, step: Step) -> None:
        self._keep_made(step)
        given = [each.tensor for each in step.operands if each.tensor is not None]
        memories = [self._memory(each) for each in given]
        moving = next((each for each in memories if each in self._pass.tensors), None)
        comes = [each for each in memories if each in self._from]
        for result in step.results if comes else ():
            memory = self._memory(result)
            gradients = {self._memory(each): at for at, each in self._pass.gradients.items()}
            if step.written and memory in gradients:  # clipped, or emptied
                self._pass.gradients[gradients[memory]] = result
            elif moving is None:
                self._from.add(memory)
                self._rates[memory] = self._rate(step)
            elif memory == moving or bare_name(step.op) == "data":
                self._move(self._moved(step, moving, result, comes), moving)
            elif memory not in memories:
                moved = self._moved(step, moving, result, comes)
                self._made[memory] = self._pass, moved
                self._from.add(memory)
                self._rates[memory] = moved.rate

    def _keep_made(self, step: Step) -> None:
        """A tensor that was made of a parameter and its gradient is a parameter from now on."""
        for result in step.results:
            record = self.trace.tensor(result)
            if record.storage in self._made and record.leaf and record.requires_grad:
                began, moved = self._made.pop(record.storage)
                began.moved.append(moved)

    def _move(self, moved: _Moved, memory: int) -> None:
        now, after = self._pass, self._memory(moved.update.after)
        now.moved.append(moved)
        now.tensors[after], now.gradients[after] = moved.update.after, now.gradients[memory]
        self._from.discard(after)
        self._made.pop(after, None)

    def _moved(self, step: Step, memory: int, result: TensorId, comes: list[int]) -> _Moved:
        before, gradient = self._pass.tensors[memory], self._pass.gradients[memory]
        rates = (self._rates.get(each) for each in comes)
        rate = next(filter(None, rates), None) or self._rate(step)
        name = self.trace.tensor(before).name or self._names.get(self._memory(before), "")
        update = ParameterUpdate(name, before, result, gradient, None, None, None)
        return _Moved(step.number, update, rate)

    def _rate(self, step: Step) -> str | None:
        """Return by what an op multiplies what comes from a gradient, without a sign."""
        if bare_name(step.op) not in _SCALING:
            return None
        for each in step.operands:
            text = each.literal
            if each.tensor is not None and self._memory(each.tensor) not in self._from:
                values = self.trace.values.get(each.tensor)
                text = str(values.item()) if values is not None and values.size == 1 else None
            try:
                return f"{abs(float(text or '')):g}"
            except ValueError:
                continue
        return None

    def _memory(self, tensor: TensorId) -> int:
        return self.trace.tensor(tensor).storage
