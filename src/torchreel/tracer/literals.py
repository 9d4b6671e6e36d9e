"""The arguments of a torch call: its tensors, and the rest as Python text of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

LITERAL_LENGTH = 200
"""A literal's text is cut at this many characters, its last one then an ellipsis."""

NUMBERS = (bool, int, float, complex, np.number, np.bool_)
DEEPEST = 8
"""Lists in lists are searched for tensors so deep: one may hold itself."""

WIDEST_INT = 600
"""Bits of the greatest integer that is written out: Python refuses to at some length."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
INDEX = (slice, type(...))
TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format)


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Yield the tensors of a value, those in lists, tuples, slices and dicts included."""
    if isinstance(value, torch.Tensor):
        yield value
        return
    if isinstance(value, Mapping):
        value = list(value.values())
    elif isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, list | tuple) and depth < DEEPEST:
        for item in value:
            if not isinstance(item, PLAIN):
                yield from tensors_in(item, depth + 1)


def is_plain(value: Any) -> bool:
    """Tell numbers, texts, shapes, devices and dtypes: what a name is shown to hold."""
    return isinstance(value, (*NUMBERS, str, torch.Size, torch.device, torch.dtype))


def parts(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """Yield each argument with its keyword; one that holds tensors is taken apart."""
    for value in args:
        yield from ((None, part) for part in _parts(value))
    for name, value in kwargs.items():
        yield from ((name, part) for part in _parts(value))


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, torch.Tensor) or next(tensors_in(value), None) is None:
        yield value
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    else:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _parts(item)


def literal(value: Any) -> str:
    """Return a value as Python writes it; ``<its type>`` where that text may change from run to
    run (an address, a hash order) or be costly. An index is written as it stands between the
    brackets: ``1:3, None, ...``."""
    text = ""
    indexed = isinstance(value, tuple) and any(isinstance(item, INDEX) for item in value)
    closing = "," if isinstance(value, tuple) and len(value) == 1 else ""
    for piece in _sequence("", value, closing) if indexed else _pieces(value):
        text += piece
        if len(text) > LITERAL_LENGTH:
            return text[: LITERAL_LENGTH - 1] + "…"
    return text


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, np.number | np.bool_):
        value = value.item()
    if isinstance(value, str | bytes):
        yield repr(value[:LITERAL_LENGTH])
    elif isinstance(value, torch.Tensor):
        yield "<tensor>"
    elif value is ...:
        yield "..."
    elif isinstance(value, int) and value.bit_length() > WIDEST_INT:
        yield f"<int of {value.bit_length()} bits>"
    elif isinstance(value, (*PLAIN, *TORCH)):
        yield repr(value)
    elif isinstance(value, slice):
        ends = [value.start, value.stop] + ([] if value.step is None else [value.step])
        for number, end in enumerate(ends):
            yield ":" if number else ""
            yield from () if end is None else _pieces(end)
    elif isinstance(value, list):
        yield from _sequence("[", value, "]")
    elif isinstance(value, tuple):  # torch.Size too: a shape is written as a tuple
        yield from _sequence("(", value, ",)" if len(value) == 1 else ")")
    else:
        kind = type(value)
        yield f"<{kind.__module__}.{kind.__qualname__}>"


def _sequence(opening: str, values: list[Any] | tuple[Any, ...], closing: str) -> Iterator[str]:
    yield opening
    for index, value in enumerate(values):
        if index:
            yield ", "
        yield from _pieces(value)
    yield closing
