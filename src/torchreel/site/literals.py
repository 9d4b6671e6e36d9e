"""Values as Python writes them, which is how pages do."""

from __future__ import annotations

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
