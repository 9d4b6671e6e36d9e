"""How a number is written in a cell, by the room there is (no Manim here)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MINUS = "\N{MINUS SIGN}"


def write_all(values: NDArray[np.generic], chars: int) -> list[str] | None:
    """Return the text of every value in at most ``chars`` characters, or None if one has none.

    Floats keep torch's trailing dot, integers do not, booleans are T and F.
    """
    texts = [write(value, chars) for value in values.ravel().tolist()]
    return None if any(text is None for text in texts) else [text or "" for text in texts]


def write(value: float | int | bool, chars: int) -> str | None:
    """Return one value's text in at most ``chars`` characters, or None where it does not fit.

    A text never reads as zero where the value is not zero.
    """
    for text in _candidates(value):
        if len(text) <= chars:
            return text.replace("-", MINUS)
    return None


def _candidates(value: float | int | bool) -> list[str]:
    if isinstance(value, bool):
        return ["T" if value else "F"]
    if isinstance(value, int):
        return [str(value), *([_exponent(float(value))] if abs(value) >= 10_000 else [])]
    if not isinstance(value, float):
        return []
    if math.isnan(value):
        return ["nan"]
    if math.isinf(value):
        return ["inf" if value > 0 else "-inf"]
    size = abs(value)
    if size >= 10_000 or 0 < size < 0.005:
        return [_exponent(value)]
    if size >= 100 or value == int(value):
        return [f"{value:.0f}.", _exponent(value)]
    texts = [f"{value:.2f}", f"{value:.1f}"]
    texts += [text.replace("0.", ".", 1) for text in texts if size < 1]
    texts.append(f"{value:.0f}.")
    return [text for text in texts if float(text) != 0]


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
