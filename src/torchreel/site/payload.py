"""What the page shows while a cue plays: its lines, and what the names hold after it."""

from __future__ import annotations

from typing import Any

from torchreel.records import Cell, Cue, Trace
from torchreel.site.code import error_of, header_lines
from torchreel.site.literals import DATA_LIMIT, printed, shape_text
from torchreel.site.moments import State
from torchreel.site.statements import names_of_cell, run_index, words_of

GRADED_LIMIT = 4
"""Of how many tensors a page tells the gradients that a line changed: a layer or two of a model."""


def payload(trace: Trace, cell: Cell, cue: Cue) -> dict[str, Any]:
    """Return the JSON of a cue: its step's number, statement, lines and laps, and the variables
    that its line names or writes, or whose gradient it changes; where it writes memory that several
    names share, one of them stands for all."""
    index = run_index(trace, cell, cue)
    state = State(trace, -1 if index is None else index)
    run = state.run if index is not None else None
    written = words_of(cell.source)
    changed = [*run.changed, *run.plain] if run else []
    known = [name for name in names_of_cell(trace, cell) if name in state.tensors]
    known += [name for name in _plain_of_cell(trace, cell) if name in state.plain]
    known = [name for name in known if name in written]
    line = next((each.text for each in cell.statements if each.number == cue.statement), "")
    named = words_of(line)
    graded = state.graded()
    lit = graded[:GRADED_LIMIT]
    told = [name for name in known if name in changed or name in named]
    told = [*told, *(name for name in lit if name not in told)] or known
    told.sort(key=lambda name: (name not in changed, name not in lit, name not in named))
    sharing = _sharing(state, [name for name in told if name in changed])
    told = [name for name in told if name not in sharing]
    lines = {each.number: header_lines(each) for each in cell.statements}
    made: dict[str, Any] = {
        "step": cue.number,
        "statement": cue.statement,
        "lines": lines.get(cue.statement, ()),
        "lap": cue.lap,
        "laps": cue.laps,
        "changed": [name for name in told if name in changed],
        "vars": [
            _variable(state, name, [each for each, first in sharing.items() if first == name])
            for name in told
        ],
    }
    if graded:
        made["graded"] = lit
        for name, variable in zip(told, made["vars"], strict=True):
            if name in lit:
                variable.setdefault("grad", "None")
    if len(graded) > len(lit):
        made["vars"].append({"name": "…", "text": f"+{len(graded) - len(lit)} .grad"})
    if run and run.printed.strip():
        made["printed"] = run.printed.rstrip("\n")
    if run and (error := error_of(trace, run)):
        made["error"] = error
    return made


def _sharing(state: State, names: list[str]) -> dict[str, str]:
    """Return which names hold memory that an earlier one of them does, and that one."""
    held = [(name, state.tensors[name]) for name in names if name in state.tensors]
    storages = {name: state.trace.tensor(tensor).storage for name, tensor in held}
    first = {storage: name for name, storage in reversed(storages.items())}
    return {name: first[each] for name, each in storages.items() if first[each] != name}


def _variable(state: State, name: str, sharing: list[str]) -> dict[str, Any]:
    if name in state.plain:
        return {"name": name, "text": state.plain[name]}
    id = state.tensor(name)
    assert id is not None
    tensor = state.trace.tensor(id)
    variable = {"name": name, "shape": list(tensor.shape), "dtype": tensor.dtype}
    if sharing:
        variable["sharing"] = sharing
    if tensor.device != "cpu":
        variable["device"] = tensor.device
    try:
        gradient = state.gradient(id)
    except LookupError:
        gradient = None
    if name in state.tensors and (values := _values(state.trace, id)) is not None:
        variable["data"] = values
    if gradient is not None:
        values = _values(state.trace, gradient)
        variable["grad"] = shape_text(tensor.shape) if values is None else values
    return variable


def _values(trace: Trace, id: int) -> Any:
    tensor, values = trace.tensor(id), trace.values.get(id)
    if values is None or tensor.numel > DATA_LIMIT or values.shape != tensor.shape:
        return None
    return printed(values)


def _plain_of_cell(trace: Trace, cell: Cell) -> list[str]:
    """Return the names of the plain values that a cell sets, in the order it meets them."""
    found: dict[str, None] = {}
    for run in trace.runs:
        if run.cell == cell.name:
            found |= dict.fromkeys(run.plain)
    return list(found)
