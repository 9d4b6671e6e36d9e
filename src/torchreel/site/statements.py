"""The statements of a cell that a clip shows, and what the names held after each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torchreel.records import Cell, Cue, Run, Statement, Trace
from torchreel.returns import shown_runs

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Shown:
    """A statement that makes cues, itself or in its body."""

    statement: Statement
    body: tuple[Shown, ...] = ()


def shown_statements(trace: Trace, cell: Cell) -> tuple[Shown, ...]:
    """Return the statements that make cues; a loop holds its body."""
    active = {run.statement for run in shown_runs(trace) if run.cell == cell.name}

    def shown(parent: int | None) -> Iterator[Shown]:
        for statement in cell.statements:
            if statement.parent == parent:
                body = tuple(shown(statement.number))
                if body or statement.number in active:
                    yield Shown(statement, body)

    return tuple(shown(None))


def run_index(trace: Trace, cell: Cell, cue: Cue) -> int | None:
    """Return the index of the last run that a cue stands for, or None where there is none."""
    last = None
    for index, run in enumerate(trace.runs):
        same = run.cell == cell.name and run.statement == cue.statement
        if same and (last is None or run.lap < cue.lap + cue.laps):
            last = index
    return last


def words_of(source: str) -> set[str]:
    """Return the words of some code, among them its names: what a hook sets beside them is of code
    that is not to be seen."""
    return set(_WORD.findall(source))


def last_run(trace: Trace, cell: Cell, statement: int) -> Run | None:
    """Return the last run of a statement, or None where it did not run."""
    runs = [run for run in trace.runs if run.cell == cell.name and run.statement == statement]
    return runs[-1] if runs else None


def names_of_cell(trace: Trace, cell: Cell) -> list[str]:
    """Return the names of the tensors that a cell reads or makes, in the order it meets them."""
    found: dict[str, None] = {}
    held: dict[str, int] = dict(trace.names)
    for run in trace.runs:
        if run.cell == cell.name:
            used = {each.tensor for step in run.steps for each in trace.steps[step].operands}
            found |= {name: None for name, tensor in held.items() if tensor in used}
            found |= {name: None for name, tensor in run.changed.items() if tensor is not None}
        run.rebind(held)
    return list(found)
