"""Where a script ended: the statement that Python raised in, which may have run no torch op."""

from __future__ import annotations

from torchreel.records import ENDS, Run, ScriptError
from torchreel.tracer.cells import Place, Script
from torchreel.tracer.recorder import Recorder


def last_run(script: Script, recorder: Recorder, error: ScriptError | None) -> tuple[Run, ...]:
    """Return the run of the statement that ended a script by an exception, without steps; none
    where a torch call raised it, whose step says so, or where it is not known."""
    clash = recorder.steps[-1].clash if recorder.steps else None
    if error is None or error.type in ENDS:
        return ()
    if clash is not None and (clash.type, clash.message) == (error.type, error.message):
        return ()
    place = _place(script, error.line)
    if place is None or place.cell is None:
        return ()
    number = place.statement.number
    return (Run(place.cell, number, _lap(script, recorder, place.cell, number)),)


def _place(script: Script, line: int) -> Place | None:
    """Return the innermost statement on a line of the file."""
    found = [
        each for each in script.places if each.node.lineno <= line <= (each.node.end_lineno or 0)
    ]
    return max(found, key=lambda each: (each.node.lineno, each.node.col_offset), default=None)


def _lap(script: Script, recorder: Recorder, cell: str, statement: int) -> int:
    """Return how often a statement has begun: as often as the loop around it, if one is."""
    around = next(each for each in script.cells if each.name == cell).loops_around(statement)[:1]
    loops = [each for each in recorder.laps.loops() if each.cell == cell]
    laps = sum(each.laps for each in loops if each.statement in around)
    before = [run.lap for run in recorder.runs if (run.cell, run.statement) == (cell, statement)]
    return laps or 1 + max(before, default=0)
