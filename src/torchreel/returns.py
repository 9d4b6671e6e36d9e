"""Which runs of a trace make cues: those that ran a step or printed, and the line of a call in
whose module the lines of a class of the same cell ran, when it names what came out."""

from __future__ import annotations

from torchreel.records import Cell, ModuleCall, Run, Statement, Trace


def shown_runs(trace: Trace) -> list[Run]:
    """Return the runs that make cues, in order."""
    returned = returned_calls(trace)
    return [
        run for place, run in enumerate(trace.runs) if run.steps or run.printed or place in returned
    ]


def returned_calls(trace: Trace) -> dict[int, ModuleCall]:
    """Return the calls of modules whose lines ran one by one, by the place in ``Trace.runs`` of the
    run that then names what came out; of those in a loop or in a function no such run is told."""
    cells = {cell.name: cell for cell in trace.cells}
    found: dict[int, ModuleCall] = {}
    for call in trace.calls:
        place = _naming(trace, cells, call) if call.parent is None else None
        if place is not None:
            found[place] = call
    return found


def _naming(trace: Trace, cells: dict[str, Cell], call: ModuleCall) -> int | None:
    """Return the place of the run without steps that names what a call gave."""
    if call.last is None or not call.results:
        return None
    inner = trace.steps[call.last].run
    if not _in_class(cells, trace.runs[inner]):
        return None
    for place in range(inner + 1, len(trace.runs)):
        run = trace.runs[place]
        if run.steps or run.cell is None:
            return None
        if set(call.results) & set(run.changed.values()) and not _in_class(cells, run):
            apart = any(each.kind in ("loop", "definition") for each in _around(cells, run))
            return None if apart else place
    return None


def _in_class(cells: dict[str, Cell], run: Run) -> bool:
    """Tell whether a run is of a line of a class."""
    around = _around(cells, run)
    return any(each.kind == "definition" and each.text.startswith("class ") for each in around)


def _around(cells: dict[str, Cell], run: Run) -> tuple[Statement, ...]:
    """Return the statements around the one that a run is of, the innermost first."""
    cell = cells.get(run.cell or "")
    return cell.around(run.statement) if cell else ()
