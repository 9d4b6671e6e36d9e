"""The arguments of a torch call: its tensors, and the rest as Python text of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

LITERAL_LENGTH = 200
"""A literal's text is cut at this many characters, its last one then an ellipsis."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a value, those in lists, tuples, slices and dicts included."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, slice):
        yield from tensors_in((value.start, value.stop, value.step))


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
    run (an address, a hash order) or be costly."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > LITERAL_LENGTH:
            return text[: LITERAL_LENGTH - 1] + "…"
    return text


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, str | bytes):
        yield repr(value[:LITERAL_LENGTH])
    elif isinstance(value, torch.Tensor):
        yield "<tensor>"
    elif isinstance(value, (*PLAIN, *TORCH)):
        yield repr(value)
    elif isinstance(value, slice):
        yield from _sequence("slice(", [value.start, value.stop, value.step], ")")
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
