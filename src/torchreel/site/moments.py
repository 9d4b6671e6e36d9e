"""What a script's names held at a moment of its run: tensors, plain values, gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TypeAlias

from torchreel.records import ModuleRecord, Run, Shape, Trace

_Place: TypeAlias = tuple[int, int, Shape]


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
            run.rebind(names)
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

    def tensor(self, name: str) -> int | None:
        """Return the record of what a name held: a variable's, or ``model.layer1.weight``."""
        return self.tensors.get(name, self._parameter(name))

    def module(self, name: str) -> ModuleRecord | None:
        """Return the module of a name: a variable's, or ``model.layer1``."""
        root, _, path = name.partition(".")
        for module in self.trace.modules:
            if module.path == path and self._root(module).name == root:
                return module
        return None

    def modules(self) -> list[str]:
        """Return the script's names of the modules it called or built."""
        return [module.name for module in self.trace.modules if module.name]

    def parameters(self, module: ModuleRecord) -> int:
        """Return how many numbers the parameters of a module and those below it hold."""
        inside = [each for each in self.trace.modules if module in self._around(each)]
        owned = {id for each in inside for id in each.parameters.values()}
        return sum(self.trace.tensor(id).numel for id in owned)

    def _parameter(self, name: str) -> int | None:
        path, _, last = name.rpartition(".")
        module = self.module(path) if path else None
        held = {**module.buffers, **module.parameters} if module else {}
        return self._newest(held[last])[0] if last in held else None

    def is_current(self, tensor: int) -> bool:
        """Tell whether no lap that the trace left out can have written to a tensor since."""
        run = self._newest(tensor)[1]
        return run is None or not self._laps_are_missing_since(run)

    def _newest(self, tensor: int) -> tuple[int, Run | None]:
        """Return the version of a tensor that was seen last, and the run in which it was."""
        seen: Run | None = None
        for step in self.trace.steps:
            if step.run <= self.index:
                given = [each.tensor for each in step.operands if each.tensor is not None]
                for version in (*given, *step.results):
                    if self._same(version, tensor):
                        tensor, seen = version, self.trace.runs[step.run]
        return tensor, seen

    def _laps_are_missing_since(self, run: Run) -> bool:
        """Tell whether a loop around a run had laps, from then to now, that were not kept."""
        loops = {loop.statement: loop for loop in self.trace.loops if loop.cell == run.cell}
        around = self._statements_around(run)
        now = self._statements_around(self.run) if self.run else []
        for loop in (loops[each] for each in around if each in loops):
            inside = self.run is not None and self.run.cell == run.cell and loop.statement in now
            end = self.run.lap if inside and self.run else loop.laps + 1
            kept = [lap for lap in loop.kept if run.lap < lap < end]
            if end - run.lap - 1 > len(kept):
                return True
        return False

    def _statements_around(self, run: Run) -> list[int]:
        """Return the numbers of the statements in whose body a run's statement is."""
        if run.cell is None:
            return []
        return [each.number for each in self.trace.cell(run.cell).around(run.statement)]

    def _root(self, module: ModuleRecord) -> ModuleRecord:
        return self._around(module)[-1]

    def _around(self, module: ModuleRecord) -> list[ModuleRecord]:
        """Return a module and those it is in, the innermost first."""
        around = [module]
        while around[-1].parent is not None:
            around.append(self.trace.modules[around[-1].parent])
        return around

    def gradient(self, tensor: int) -> int | None:
        """Return the record of what a tensor's ``.grad`` held, None where it was None.

        Raises LookupError where laps that the trace left out may have changed it since.
        """
        held, last = self._gradients.get(self._place(tensor), (None, None))
        if last and self._laps_are_missing_since(last):
            raise LookupError
        return held

    def graded(self) -> list[str]:
        """Return the names of the tensors whose ``.grad`` the run that had just ended changed: one
        of each, a variable's before a parameter's (``model.layer1.weight``)."""
        changed = {place for place, (_, run) in self._gradients.items() if run is self.run}
        named = list(self.tensors.items())
        for module in self.trace.modules if changed else ():
            path = [each for each in (self._root(module).name, module.path) if each]
            if self._root(module).name:
                named += [(".".join([*path, name]), id) for name, id in module.parameters.items()]
        names = {self._place(id): name for name, id in reversed(named)}
        return [names[place] for place in names if place in changed][::-1]

    @cached_property
    def _gradients(self) -> dict[_Place, tuple[int | None, Run]]:
        """What the ``.grad`` of each tensor that had one held, and the run that last changed it."""
        trace = self.trace
        added = {backward.step: backward.accumulations for backward in trace.backwards}
        held: dict[_Place, int | None] = {}
        last: dict[_Place, Run] = {}
        for run in trace.runs[: self.index + 1]:
            before = dict(held)
            for step in (trace.steps[number] for number in run.steps):
                operands = [each.tensor for each in step.operands if each.tensor is not None]
                for total in added.get(step.number, ()):
                    held[self._place(total.tensor)] = total.after
                if step.op.endswith("grad.__set__"):
                    held[self._place(operands[0])] = operands[1] if len(operands) > 1 else None
                elif step.written or step.op.endswith(".zero_grad"):
                    results = zip_longest(operands, step.results[: len(operands)])
                    after = dict(reversed([*results]))  # of one given twice, the first
                    held = {each: after.get(grad, grad) for each, grad in held.items()}
            last |= {each: run for each, grad in held.items() if grad != before.get(each)}
        return {each: (held[each], run) for each, run in last.items()}

    def _place(self, id: int) -> _Place:
        """Return what the records of one tensor share, written to between or not."""
        tensor = self.trace.tensor(id)
        return tensor.storage, tensor.offset, tensor.shape

    def _same(self, one: int, other: int) -> bool:
        return self._place(one) == self._place(other)
