"""What a script's names held at a moment of its run: tensors, plain values, gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torchreel.records import Run, Trace


@dataclass(frozen=True)
class State:
    """What held when the run with this index of ``Trace.runs`` had ended (-1: before the first)."""

    trace: Trace
    index: int

    @classmethod
    def after(cls, trace: Trace, cell: str, statement: int | None = None) -> State:
        """Return the state at the end of a cell, or after the last run of one of its statements."""
        last = -1
        for index, run in enumerate(trace.runs):
            if run.cell == cell and statement in (None, run.statement):
                last = index
        return cls(trace, last)

    @property
    def run(self) -> Run | None:
        """The run that had just ended."""
        return self.trace.runs[self.index] if self.index >= 0 else None

    @cached_property
    def tensors(self) -> dict[str, int]:
        """The names that held tensors, with the ids of their records."""
        names = dict(self.trace.names)
        for run in self.trace.runs[: self.index + 1]:
            for name in run.plain:
                names.pop(name, None)
            for name, tensor in run.changed.items():
                if tensor is None:
                    names.pop(name, None)
                else:
                    names[name] = tensor
        return names

    @cached_property
    def plain(self) -> dict[str, str]:
        """The names that held plain values (numbers, texts, …), with their Python text."""
        names: dict[str, str] = {}
        for run in self.trace.runs[: self.index + 1]:
            for name in run.changed:
                names.pop(name, None)
            names |= run.plain
        return names

    def gradient(self, tensor: int) -> int | None:
        """Return the record of what a tensor's ``.grad`` held, None where it was None."""
        trace = self.trace
        added = {backward.step: backward.accumulations for backward in trace.backwards}
        held: int | None = None
        for run in trace.runs[: self.index + 1]:
            for step in (trace.steps[number] for number in run.steps):
                operands = [each.tensor for each in step.operands if each.tensor is not None]
                for total in added.get(step.number, ()):
                    if self._same(total.tensor, tensor):
                        held = total.after
                if step.op.endswith("grad.__set__") and self._same(operands[0], tensor):
                    held = operands[1] if len(operands) > 1 else None
                elif held in operands and (step.written or step.op.endswith(".zero_grad")):
                    place = operands.index(held)
                    held = step.results[place] if place < len(step.results) else None
        return held

    def _same(self, one: int, other: int) -> bool:
        """Tell whether two records are of the same tensor, written to between or not."""
        first, second = self.trace.tensor(one), self.trace.tensor(other)
        return (first.storage, first.offset, first.shape) == (
            second.storage,
            second.offset,
            second.shape,
        )
