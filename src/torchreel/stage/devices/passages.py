"""Which lines of a cell concern two devices: they are played on boards, all others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torchreel.records import Step, Trace
from torchreel.stage.devices.fleet import Fleet

_BOARDS = 2


@dataclass(frozen=True)
class Passage:
    """Steps of lines that follow each other and concern two devices.

    ``devices`` maps these two, the CPU first, to a tensor of each.
    """

    steps: tuple[Step, ...]
    devices: dict[str, int]

    def since(self, step: Step) -> tuple[Step, ...]:
        """Return the steps from this one on."""
        return self.steps[self.steps.index(step) :]


def passages(trace: Trace, fleet: Fleet) -> list[Passage]:
    """Return the passages of a cell: lines in which something goes from one device to another, or
    a call raises because of them; and the calls of models that come next, with what went over."""
    found, now = list[Passage](), list[Step]()
    for line in _lines(trace):
        crosses = any(_concerns_two(trace, step) for step in line)
        if not crosses and not (now and _calls_over_there(trace, fleet, line)):
            now = []
            continue
        devices = _devices(trace, [*now, *line])
        if len(devices) > _BOARDS:
            now, devices = [], _devices(trace, line)
        elif now:
            found.pop()
        now = [*now, *line]
        if len(devices) == _BOARDS:
            found.append(Passage(tuple(now), devices))
        else:
            now = []
    return found


def tensors_of(step: Step) -> list[int]:
    """Return the records of what a step was given and what it made."""
    return [*(each.tensor for each in step.operands if each.tensor is not None), *step.results]


def _lines(trace: Trace) -> Iterator[list[Step]]:
    for run in trace.runs:
        if run.steps:
            yield [trace.steps[number] for number in run.steps]


def _devices(trace: Trace, steps: Sequence[Step]) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in steps:
        for tensor in tensors_of(step):
            found.setdefault(trace.tensor(tensor).device, tensor)
    return dict(sorted(found.items(), key=lambda each: each[0] != "cpu"))


def _concerns_two(trace: Trace, step: Step) -> bool:
    if step.clash is not None:
        return step.clash.kind == "device" and len(step.clash.facts) == _BOARDS
    given = {trace.tensor(each.tensor).device for each in step.operands if each.tensor is not None}
    made = {trace.tensor(each).device for each in step.results}
    return bool(given) and bool(made - given)


def _calls_over_there(trace: Trace, fleet: Fleet, line: Sequence[Step]) -> bool:
    """Tell whether all that a line does is to call models that are not on the CPU."""
    for step in line:
        root = trace.outermost_call(step)
        if root is None or step.clash is not None or not fleet.knows(fleet.root_of(root.module)):
            return False
        if any(trace.tensor(each).device == "cpu" for each in tensors_of(step)):
            return False
    return True
