"""Values as pages write them: as Python does in prose, as torch prints them beside a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from torchreel.records import Array, Shape

DATA_LIMIT = 64
"""The most numbers of a tensor that a page shows."""


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


def printed(values: Array) -> Any:
    """Return the text of each number as torch prints it among the others, in lists as deep as the
    values have dimensions; a text alone where they have none."""
    if values.dtype.kind == "c":
        real, imaginary = _printer(values.real), _printer(values.imag)
        return _each(values, lambda value: _complex(real(value.real), imaginary(value.imag)))
    return _each(values, _printer(values) if values.dtype.kind == "f" else str)


def _each(values: Array, text: Callable[[Any], str]) -> Any:
    return [_each(part, text) for part in values] if values.ndim else text(values.item())


def _printer(values: Array) -> Callable[[float], str]:
    """Return how torch prints floats: all whole with a point, else all with four decimals, and with
    a power of ten where they are too far apart, too large or too small for that."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)].astype(np.float64))
    least, most = (sizes.min(), sizes.max()) if sizes.size else (1.0, 1.0)
    whole = bool((sizes == np.ceil(sizes)).all())
    if most / least > 1000 or most > 1e8 or (least < 1e-4 and not whole):
        return "{:.4e}".format
    if whole:
        return lambda value: f"{value:.0f}." if np.isfinite(value) else str(value)
    return "{:.4f}".format


def _complex(real: str, imaginary: str) -> str:
    return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"
