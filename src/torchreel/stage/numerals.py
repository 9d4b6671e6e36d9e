"""How a number is written in a cell, by the room there is (no Manim here)."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

MINUS = "\N{MINUS SIGN}"

_READ = 100
"""Of more numbers nobody compares how they are written."""

_SMALL, _SMALLEST, _LEAST = 0.01, 0.001, 0.0001
"""Below the first, two decimals say too little of a value; below the second three, and below the
third it has an exponent."""


def write_all(values: NDArray[np.generic], chars: int) -> list[str] | None:
    """Return the text of every value in at most ``chars`` characters, or None if one has none.

    All have the same number of decimals, the most that fit: two at most, or the three that a small
    value needs; where one has no room for the 0 before its point, none has it. Floats keep torch's
    trailing dot, integers do not, booleans are T and F where False has no room.
    """
    for decimals in (3, 2, 1) if _has_small(values) else (2, 1):
        texts = [write(value, chars, decimals) for value in values.ravel().tolist()]
        if all(text is not None for text in texts):
            return _alike([text or "" for text in texts])
    return None


def write_one(values: NDArray[np.generic], place: int, chars: int) -> str | None:
    """Return one value's text, in row-major order, as :func:`write_all` writes it with the others;
    alone where they are too many or one of them has no text."""
    texts = write_all(values, chars) if values.size <= _READ else None
    return write(values.ravel()[place].item(), chars) if texts is None else texts[place]


def write(value: complex | float | int | bool, chars: int, decimals: int = 2) -> str | None:
    """Return one value's text in at most ``chars`` characters, or None where it does not fit.

    A text never reads as zero where the value is not zero.
    """
    if isinstance(value, bool):  # all of a tensor alike
        return str(value) if chars >= len("False") else str(value)[: chars and 1] or None
    for text in _candidates(value, decimals):
        if len(text) <= chars:
            return text.replace("-", MINUS)
    return None


def _candidates(value: complex | float | int | bool, decimals: int) -> list[str]:
    if isinstance(value, int):
        return [str(value), *([_exponent(float(value))] if abs(value) >= 10_000 else [])]
    if isinstance(value, complex):
        return [_complex(value)] if value == round(value.real) + 1j * round(value.imag) else []
    if not isinstance(value, float):
        return []
    if math.isnan(value):
        return ["nan"]
    if math.isinf(value):
        return ["inf" if value > 0 else "-inf"]
    size = abs(value)
    if size >= 10_000 or 0 < size < _LEAST:
        return [_exponent(value)]
    if 0 < size < _SMALLEST:
        digits = f"{value:.4f}"
        return [digits, _without_zero(digits), _exponent(value)]
    if size >= 100 or value == int(value):
        short = _exponent(value)
        whole = [f"{value:.0f}.", *([short] if float(short) == value else [])]
        part = size < 1000 and value != int(value)  # or 100. + 92.5 would be 192.
        return [f"{value:.1f}", *whole] if part else whole
    texts = [f"{value:.{3 if size < _SMALL else decimals}f}"]
    if size < 1:
        texts += [_without_zero(texts[0]), _without_zero(f"{value:.2f}")]
    return [text for text in texts if float(text) != 0]


def _alike(texts: list[str]) -> list[str]:
    """Return the texts without the 0 before the point where one of them has none."""
    if not any(text.lstrip(MINUS).startswith(".") for text in texts):
        return texts
    return [_without_zero(text) for text in texts]


def _has_small(values: NDArray[np.generic]) -> bool:
    """Tell whether a value has its first digit in the third or fourth decimal place."""
    if not np.issubdtype(values.dtype, np.floating):
        return False
    sizes = np.abs(values)
    return bool(np.any((sizes >= _LEAST) & (sizes < _SMALL)))


def _without_zero(text: str) -> str:
    return re.sub(r"\b0\.(?=\d)", ".", text)


def _complex(value: complex) -> str:
    """Return a complex number of whole parts as Python writes it: ``1+2j``, ``3j``."""
    real, imaginary = round(value.real), round(value.imag)
    return f"{real}{imaginary:+d}j" if real else f"{imaginary}j"


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
