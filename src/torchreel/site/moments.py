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
        """Return the record of a tensor's ``.grad``, or None where no backward pass added to it."""
        trace, owner = self.trace, self.trace.tensor(tensor)
        found: int | None = None
        for backward in trace.backwards:
            if trace.steps[backward.step].run > self.index:
                break
            for each in backward.accumulations:
                leaf = trace.tensor(each.tensor)
                if (leaf.storage, leaf.offset, leaf.shape) == (
                    owner.storage,
                    owner.offset,
                    owner.shape,
                ):
                    found = each.after
        return found if found is None else self._newest(found)

    def _newest(self, tensor: int) -> int:
        """Return the newest version of a tensor that was written in place."""
        record = self.trace.tensor(tensor)
        for step in self.trace.steps:
            if step.run <= self.index and step.written and step.results:
                result = self.trace.tensor(step.results[0])
                same = (result.storage, result.shape) == (record.storage, record.shape)
                if same and result.id > tensor:
                    tensor = result.id
        return tensor
