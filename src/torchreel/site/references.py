"""References such as ``{{ y.shape }}``: what they name, and its text as the trace knows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from torchreel.records import Array, Problem, Shape, TensorRecord, TorchReelError, Trace
from torchreel.site.artifacts import did_you_mean
from torchreel.site.moments import State
from torchreel.site.source import LESSON_SCRIPT, Reference, beside

DATA_LIMIT = 64
"""The most numbers that ``.data`` quotes in a sentence."""

_TARGET = re.compile(
    r"(?:(?:(?P<script>[^:{}]+\.py)\s*:)?(?P<cell>[^:{}]+):)?(?P<name>[^:{}]+)\.(?P<attribute>\w+)"
    r"(?P<index>(?:\[-?\d+\])*)"
)
_INDEX = re.compile(r"-?\d+")
_FORM = (
    "Write {{ name.shape }}, {{ cell:name.shape }} or {{ other.py:cell:name.shape }}; "
    r"write \{{ for two braces."
)


@dataclass(frozen=True)
class Target:
    """What a reference names; script and cell are None where the clip above is meant.

    ``index`` picks an element: of ``.shape`` and ``.stride`` one, of ``.data`` a part.
    """

    script: str | None
    cell: str | None
    name: str
    attribute: str
    index: tuple[int, ...] = ()


@dataclass(frozen=True)
class Moment:
    """When a name is read: at the end of a cell, or after one of its statements."""

    script: str
    cell: str
    statement: int | None = None


def parse_reference(reference: Reference, page: str) -> Target | Problem:
    """Return what a reference of this page names, or what is wrong with its text."""
    where = f"{page}:{reference.line}"
    if reference.text is None:
        return Problem(where, "`{{` is not closed on its line", _FORM)
    match = _TARGET.fullmatch(reference.text)
    if not match:
        return Problem(where, f"`{reference.raw}` is no reference to a tensor", _FORM)
    script, cell = match["script"], match["cell"]
    return Target(
        beside(page, script.strip() if script else LESSON_SCRIPT) if cell else None,
        cell.strip() if cell else None,
        match["name"].strip(),
        match["attribute"],
        tuple(int(number) for number in _INDEX.findall(match["index"])),
    )


def quote(trace: Trace, moment: Moment, target: Target, where: str) -> str:
    """Return the text of a tensor's attribute at a moment; raises TorchReelError."""
    value: str | Array | Shape | None
    attribute = ATTRIBUTES.get(target.attribute)
    if attribute is None:
        what = f"a tensor has no attribute {target.attribute!r} that can be quoted"
        remedy = did_you_mean(target.attribute, ATTRIBUTES, "There are")
        raise TorchReelError(Problem(where, what, remedy))
    state = State.after(trace, moment.cell, moment.statement)
    names = state.tensors
    if target.name not in names:
        what = f"no tensor is called {target.name!r} {_when(moment)}"
        remedy = did_you_mean(target.name, names, "There are")
        raise TorchReelError(Problem(where, what, remedy))
    tensor = trace.tensor(names[target.name])
    if target.attribute == "grad":
        gradient = state.gradient(tensor.id)
        if gradient is None:
            return "None"
        value = _data(trace, trace.tensor(gradient))
    else:
        value = attribute(trace, tensor)
    if value is None:
        what, remedy = _not_kept(target, tensor)
        raise TorchReelError(Problem(where, what, remedy))
    if not target.index:
        return value if isinstance(value, str) else data_text(value)
    try:
        return data_text(_element(value, target.index))
    except IndexError:
        what = f"`{target.name}.{target.attribute}` has no such element"
        remedy = f"The shape of {target.name!r} is {shape_text(tensor.shape)}."
        raise TorchReelError(Problem(where, what, remedy)) from None


def shape_text(shape: Shape) -> str:
    """Return a shape as Python writes a tuple: ``(3, 4)``, ``(12,)``, ``()``."""
    return str(tuple(shape))


def data_text(value: Array | Shape) -> str:
    """Return values as Python writes them: lists, floats in their shortest exact form."""
    if isinstance(value, tuple):
        return shape_text(value)
    if value.ndim:
        return f"[{', '.join(data_text(part) for part in value)}]"
    return str(value[()] if value.dtype.kind == "f" else value.item())


def _element(value: str | Array | Shape, index: tuple[int, ...]) -> Array:
    """Return an element of a value; raises IndexError."""
    if isinstance(value, str):
        raise IndexError
    return np.asarray(np.asarray(value)[index])


def _data(trace: Trace, tensor: TensorRecord) -> Array | None:
    values = trace.values.get(tensor.id)
    if values is None or tensor.numel > DATA_LIMIT or values.shape != tensor.shape:
        return None
    return values


def _expression(trace: Trace, tensor: TensorRecord) -> str | None:
    made = [step.expression for step in trace.steps if tensor.id in step.results]
    return made[0] if made else None


ATTRIBUTES: dict[str, Callable[[Trace, TensorRecord], str | Array | Shape | None]] = {
    "shape": lambda _, tensor: tensor.shape,
    "dtype": lambda _, tensor: tensor.dtype,
    "numel": lambda _, tensor: str(tensor.numel),
    "ndim": lambda _, tensor: str(len(tensor.shape)),
    "stride": lambda _, tensor: tensor.stride,
    "device": lambda _, tensor: tensor.device,
    "data": _data,
    "grad": lambda *_: None,  # what it held depends on the moment: State.gradient
    "expression": _expression,
}
"""What each attribute is; None where the trace does not hold it."""


def _not_kept(target: Target, tensor: TensorRecord) -> tuple[str, str]:
    if target.attribute == "expression":
        return f"no torch op of the trace made {target.name!r}", "Quote its .data or .shape."
    what = f"{target.name!r} holds {tensor.numel} numbers: too many to quote"
    if tensor.numel <= DATA_LIMIT:
        what = f"the trace did not keep the values of {target.name!r}"
    return what, f"Quote its .shape or .numel; .data quotes up to {DATA_LIMIT} numbers."


def _when(moment: Moment) -> str:
    if moment.statement is None:
        return f"at the end of cell {moment.cell!r}"
    return f"after statement {moment.statement} of cell {moment.cell!r}"
