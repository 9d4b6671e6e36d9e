"""What the trace says of a step, in the words that choreographies use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Array, Step, TensorRecord, Trace
from torchreel.spelling import source_of
from torchreel.stage.chips import Named
from torchreel.stage.memory import reading, values_of
from torchreel.stage.seen import Seen, own


class Facts:
    """The trace of a cell; ``names`` says which name holds which tensor record at this moment.

    While a line is shown, ``former`` holds the name that a record had before it, and another one
    has now, and ``made`` the step that made a record without a name.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.names: dict[str, int] = dict(trace.names)
        self.former: dict[int, str] = {}
        self.made: dict[int, Step] = {}

    def record(self, tensor: int) -> TensorRecord:
        """Return the tensor record with this id."""
        return self.trace.tensor(tensor)

    def operand(self, step: Step) -> int:
        """Return the record id of the first tensor among a step's operands."""
        return next(each.tensor for each in step.operands if each.tensor is not None)

    def operands(self, step: Step) -> list[TensorRecord]:
        """Return the tensors among a step's operands, in order."""
        return [self.record(each.tensor) for each in step.operands if each.tensor is not None]

    def results(self, step: Step) -> list[TensorRecord]:
        """Return what a step made."""
        return [self.record(each) for each in step.results]

    def values(self, record: TensorRecord) -> Array | None:
        """Return a tensor's values as they are seen, None where they were not kept whole."""
        values = values_of(self.trace, record)
        if values is None or not isinstance(record, Seen):
            return values
        return values.ravel()[record.origin.ravel()].reshape(record.shape)

    def literal(self, step: Step, position: int, name: str) -> str | None:
        """Return the text of a literal argument, by keyword or by position among the literals."""
        literals = [each for each in step.operands if each.tensor is None]
        for each in literals:
            if each.name == name:
                return each.literal
        unnamed = [each.literal for each in literals if each.name is None]
        return unnamed[position] if position < len(unnamed) else None

    def writes_to(self, storage: int, after: int = -1) -> list[Step]:
        """Return the steps that write into a storage, those after the step of this number."""
        return [
            step
            for step in self.trace.steps[after + 1 :]
            if step.written and self.record(step.results[0]).storage == storage
        ]

    def changed(self, step: Step) -> NDArray[np.int64]:
        """Return the elements to which a step that writes gave another value; none where that is
        not known."""
        before = self.values(self.unwritten(step))
        after = self.values(self.record(step.results[0]))
        if before is None or after is None or before.shape != after.shape:
            return np.zeros(0, dtype=np.int64)
        same = (before == after) | ((before != before) & (after != after))
        return np.flatnonzero(~same.ravel())

    def unwritten(self, step: Step) -> TensorRecord:
        """Return what a step writes as it was before: the operand in the memory of its result."""
        result, operands = self.record(step.results[0]), self.operands(step)
        own = [each for each in operands if each.storage == result.storage]
        return next((each for each in own if each.shape == result.shape), (own or operands)[0])

    def provenance(self, step: Step) -> str | None:
        """Return how a step's first result came about: written in place, the same tensor as an
        operand, moves, feeds, opaque, or None; where there is none, whether it read a tensor, or
        nothing."""
        if not step.results:
            return "read" if self.operands(step) else "nothing"
        if step.written:
            return "written"
        if step.results[0] in {each.tensor for each in step.operands}:
            return "same"
        return next((each.kind for each in step.provenance if each.result == 0), None)

    def name_of(self, record: TensorRecord) -> str | None:
        """Return the name that a tensor goes by at this moment, the newest one."""
        names = [name for name, tensor in self.names.items() if tensor == record.id]
        return names[-1] if names else record.name or self._name_as_written(record)

    def _name_as_written(self, record: TensorRecord) -> str | None:
        """Return the name that a tensor had before it was written, and still has."""
        for run in self.trace.runs:
            for key, held in run.changed.items():
                now = self.names.get(key) if held == record.id else None
                if now is not None and reading(self.record(now)) == reading(record):
                    return key
        return None

    def named(self, record: TensorRecord) -> Named:
        """Return a tensor as it is seen, with the name that the line found it by, or goes by now;
        without one with the code that made it."""
        former, suffix = (
            self.former.get(record.id),
            record.suffix if isinstance(record, Seen) else "",
        )
        name = former or self.name_of(record)
        if name:
            # What is seen of a tensor has another shape than the tensor.
            return Named(name + suffix, own(record), former=former is not None, alone=bool(suffix))
        step = self.made.get(record.id)
        code = None if step is None or suffix else source_of(step)
        return Named(code, own(record), made_by=step if code else None)
