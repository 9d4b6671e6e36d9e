"""Text as outlines of the font: no Pango, no LaTeX, a fixed baseline, cached per string."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from numpy.typing import NDArray

from torchreel.stage.fonts import Weight, font_file, spare_files

Points = NDArray[np.float64]

CAP_HEIGHT = 0.73
"""Height of a capital letter and of a digit of JetBrains Mono, in em."""

ADVANCE = 0.6
"""Width of one column, in em."""

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that no font has."""


@functools.cache
def columns(text: str) -> int:
    """Return how many columns ``text`` takes as it is drawn: two for a character of East Asia, none
    for an accent, those of its name for a picture that no font has."""
    return len(text) if text.isascii() else sum(map(terminal_columns, _spelled(text)))


def text_width(text: str, size: float) -> float:
    """Return the width in pixels of ``text`` at ``size`` pixels an em."""
    return columns(text) * ADVANCE * size


def cut(text: str, most: int) -> str:
    """Return ``text``, or as much of it as has room in so many columns with a sign that something
    is left out."""
    if columns(text) <= most:
        return text
    while text and columns(text) > most - 1:
        text = text[:-1]
    return text + "…"


def wrap(text: str, most: int) -> list[str]:
    """Return ``text`` in pieces of so many columns: words and numbers are kept whole where a space
    lies in the second half of a piece, all else is cut as on a terminal."""
    pieces, at = [""], 0
    for character in text:
        at += columns(character)
        if at > most and pieces[-1]:
            head, space, tail = pieces[-1].rpartition(" ")
            if character == " " or not space or 2 * columns(head) < most:
                head, space, tail = pieces[-1], "", ""
            pieces[-1:] = [head + space, tail]
            at = columns(tail + character)
        pieces[-1] += character
    return pieces


@functools.cache
def unknown(text: str) -> str:
    """Return the characters of a text that no font of this machine has."""
    lacking = (each for each in dict.fromkeys(_spelled(text)) if not _has(each))
    return "".join(each for each in lacking if terminal_columns(each))


@functools.cache
def outline(text: str, weight: Weight) -> Points:
    """Return cubic Bézier points (n, 2) of a line of text in em, y down.

    The origin is the middle of the cap height at the left end of the line. Every four points are
    one curve, as in a Manim VMobject.
    """
    parts, column = [np.zeros((0, 2))], 0
    for character in _spelled(text):
        parts.append(_glyph(character, weight) + np.array([ADVANCE * column, 0]))
        column += terminal_columns(character)
    return np.concatenate(parts)


@functools.cache
def terminal_columns(character: str) -> int:
    """Return how many columns a character takes in a terminal."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _spelled(text: str) -> str:
    """Return a text as it is drawn: a picture that no font has is its name, ``:fire:``, and its
    shade of skin is left out."""
    return text if text.isascii() else "".join(map(_named, text))


@functools.cache
def _named(character: str) -> str:
    kind, name = unicodedata.category(character), unicodedata.name(character, "")
    if kind not in ("So", "Sk") or not name or _has(character):
        return character
    return "" if kind == "Sk" else f":{name.lower().replace(' ', '_')}:"


@functools.cache
def _glyph(character: str, weight: Weight) -> Points:
    room = ADVANCE * terminal_columns(character)
    font = _font_with(character, weight)
    if font is None:
        font, character = _font(font_file(weight)), _UNKNOWN
    glyph_set, scale = font.getGlyphSet(), font["head"].unitsPerEm
    name = font.getBestCmap().get(ord(character), ".notdef")
    pen = _CurvePen(glyph_set)
    if room:
        glyph_set[name].draw(pen)
    if not pen.curves:
        return np.zeros((0, 2))
    points = np.array(pen.curves, dtype=float) / scale
    # Glyphs of other fonts are centred in their columns, and no wider.
    wide = glyph_set[name].width / scale
    size = min(1.0, room / wide) if wide else 1.0
    shift = (room - wide * size) / 2
    return np.stack([points[:, 0] * size + shift, CAP_HEIGHT / 2 - points[:, 1] * size], axis=1)


def _has(character: str) -> bool:
    return _font_with(character, "ExtraBold") is not None


def _font_with(character: str, weight: Weight) -> Any:
    """Return the first font that has a character, or None."""
    files = (font_file(weight), *spare_files(weight))
    fonts = (_font(file) for file in files)
    return next((font for font in fonts if ord(character) in font.getBestCmap()), None)


@functools.cache
def _font(file: Path) -> Any:
    # Of a collection the first font.
    return TTFont(file, fontNumber=0, lazy=True)


class _CurvePen(BasePen):  # type: ignore[misc]
    """Collects closed contours as cubic curves, four points each."""

    def __init__(self, glyph_set: Any) -> None:
        super().__init__(glyph_set)
        self.curves: list[tuple[float, float]] = []
        self._start: tuple[float, float] = (0, 0)
        self._at: tuple[float, float] = (0, 0)

    def _moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802
        self._start = self._at = point

    def _lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802
        (x0, y0), (x1, y1) = self._at, point
        first = (x0 + (x1 - x0) / 3, y0 + (y1 - y0) / 3)
        second = (x0 + (x1 - x0) * 2 / 3, y0 + (y1 - y0) * 2 / 3)
        self._curveToOne(first, second, point)

    def _curveToOne(  # noqa: N802
        self, first: tuple[float, float], second: tuple[float, float], point: tuple[float, float]
    ) -> None:
        self.curves += [self._at, first, second, point]
        self._at = point

    def _closePath(self) -> None:  # noqa: N802
        if self._at != self._start:
            self._lineTo(self._start)
