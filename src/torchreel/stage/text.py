"""Text as outlines of the font: no Pango, no LaTeX, a fixed baseline, cached per string."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from numpy.typing import NDArray

from torchreel.stage.fonts import Weight, font_file

Points = NDArray[np.float64]

CAP_HEIGHT = 0.73
"""Height of a capital letter and of a digit of JetBrains Mono, in em."""

ADVANCE = 0.6
"""Width of one character, in em."""


def text_width(text: str, size: float) -> float:
    """Return the width in pixels of ``text`` at ``size`` pixels an em."""
    return len(text) * ADVANCE * size


@functools.cache
def outline(text: str, weight: Weight) -> Points:
    """Return cubic Bézier points (n, 2) of a line of text in em, y down.

    The origin is the middle of the cap height at the left end of the line. Every four points are
    one curve, as in a Manim VMobject.
    """
    glyphs = [_glyph(character, weight) for character in text]
    moved = [glyph + np.array([ADVANCE * i, 0]) for i, glyph in enumerate(glyphs) if len(glyph)]
    return np.concatenate(moved) if moved else np.zeros((0, 2))


@functools.cache
def _glyph(character: str, weight: Weight) -> Points:
    font = _font(weight)
    glyph_set, scale = font.getGlyphSet(), font["head"].unitsPerEm
    name = font.getBestCmap().get(ord(character), ".notdef")
    pen = _CurvePen(glyph_set)
    glyph_set[name].draw(pen)
    if not pen.curves:
        return np.zeros((0, 2))
    points = np.array(pen.curves, dtype=float) / scale
    # Fonts of another width than JetBrains Mono's are centred in its advance.
    shift = (ADVANCE - glyph_set[name].width / scale) / 2
    return np.stack([points[:, 0] + shift, CAP_HEIGHT / 2 - points[:, 1]], axis=1)


@functools.cache
def _font(weight: Weight) -> Any:
    return TTFont(font_file(weight))


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
