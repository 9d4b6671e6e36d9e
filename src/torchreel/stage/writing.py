"""Which elements a step writes, whatever they held before (pure NumPy)."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape, Step
from torchreel.spelling import bare_name
from torchreel.stage.facts import Facts
from torchreel.syntax import parse

Places = NDArray[np.int64]

_IN_PART = (
    *("__setitem__", "index_", "scatter_", "masked_", "put_", "fill_diagonal_"),
    "embedding_renorm_",
)
"""Ops whose names begin so write some elements; every other writes all of them."""

_MARKED = 10_000_000
"""Of more elements those that an index chooses are not marked one by one."""


def written(facts: Facts, step: Step) -> Places:
    """Return the row-major places that a step writes: none where that is not known."""
    result = facts.record(step.results[0])
    if not bare_name(step.op).startswith(_IN_PART):
        return np.arange(result.numel)
    for found in (_moved(facts, step), _fed(facts, step), _asked(facts, step, result.shape)):
        if found is not None:
            return found
    return facts.changed(step)


def _own(facts: Facts, step: Step) -> list[int]:
    """Return which operands are what is written."""
    kept = facts.unwritten(step).id
    return [place for place, each in enumerate(step.operands) if each.tensor == kept]


def _moved(facts: Facts, step: Step) -> Places | None:
    """Return the elements that came from elsewhere; None where they were not followed."""
    moves, own = facts.trace.moves(step.number, 0), _own(facts, step)
    if moves is None or not own or len(moves) != facts.record(step.results[0]).numel:
        return None
    stays = (moves[:, 0] == own[0]) & (moves[:, 1] == np.arange(len(moves)))
    return np.flatnonzero(~stays)


def _fed(facts: Facts, step: Step) -> Places | None:
    """Return the elements that anything but themselves, as they were, went into; None where that
    was not measured."""
    feeds, own = facts.trace.feeds(step.number, 0), _own(facts, step)
    if feeds is None or not own:
        return None
    entries, slopes = feeds
    known = ~np.isnan(slopes)  # an index has none
    if not known.any():
        return None
    stays = (entries[:, 1] == own[0]) & (entries[:, 0] == entries[:, 2]) & np.isclose(slopes, 1)
    kept = np.setdiff1d(entries[stays, 0], entries[known & ~stays, 0])
    every = np.arange(facts.record(step.results[0]).numel)
    return np.setdiff1d(every, np.setdiff1d(kept, facts.changed(step)))


def _asked(facts: Facts, step: Step, shape: Shape) -> Places | None:
    """Return the elements that a mask of the same shape, or an index in the line, asks for; None
    where there is neither."""
    _, *others = facts.operands(step)
    for each in others:
        if each.dtype == "bool" and each.shape == shape:
            mask = facts.values(each)
            return None if mask is None else np.flatnonzero(mask)
    index = step.operands[1].literal if len(step.operands) > 1 else None
    plain = bare_name(step.op) == "__setitem__" and len(step.operands) == 3
    if not plain or index is None or facts.record(step.results[0]).numel > _MARKED:
        return None
    marks = np.zeros(shape, dtype=bool)
    try:
        marks[_index(index)] = True
    except (SyntaxError, ValueError, IndexError):
        return None
    return np.flatnonzero(marks)


def _index(text: str) -> Any:
    """Return the index that stands between brackets; raises ValueError where it is no literal."""
    (line,) = parse(f"_[{text}]").body
    if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Subscript)):
        raise ValueError(f"{text!r} is no index")
    return _part(line.value.slice)


def _part(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_part(each) for each in node.elts)
    if isinstance(node, ast.Slice):
        ends = (node.lower, node.upper, node.step)
        return slice(*(None if each is None else ast.literal_eval(each) for each in ends))
    return ast.literal_eval(node)
