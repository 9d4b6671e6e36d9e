"""Threads: S-curves that lead from where an element was to where it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.stage.canvas import Canvas, PixelPoint, paint
from torchreel.stage.colors import Color

_WIDTH = 4.0


class Threads(VGroup):
    """An S-curve a pair of points (pixels), from above to below, each in a colour of its own."""

    def __init__(
        self,
        canvas: Canvas,
        starts: Sequence[PixelPoint],
        ends: Sequence[PixelPoint],
        colors: Sequence[Color],
    ) -> None:
        self._width = canvas.stroke(canvas.artboard.px(_WIDTH))
        self._colors = list(colors)
        self._curves = [
            canvas.points(_curve(start, end)) for start, end in zip(starts, ends, strict=True)
        ]
        super().__init__(*(canvas.shape(_curve(a, b)) for a, b in zip(starts, ends, strict=True)))
        self.grow(np.zeros(len(self._curves)))

    def grow(self, shares: NDArray[np.float64]) -> None:
        """Draw each thread as far as its share (0 to 1) from above."""
        for line, curve, color, share in zip(
            self.submobjects, self._curves, self._colors, shares, strict=True
        ):
            line.points = _head(curve, float(share)) if share > 0 else np.zeros((0, 3))
            paint(line, None, color, self._width)


def _curve(start: PixelPoint, end: PixelPoint) -> NDArray[np.float64]:
    (x0, y0), (x1, y1) = start, end
    bend = (y1 - y0) * 0.5
    return np.array([(x0, y0), (x0, y0 + bend), (x1, y1 - bend), (x1, y1)])


def _head(curve: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """Return the first ``t`` of a cubic curve (de Casteljau)."""
    a, b, c, d = curve
    ab, bc, cd = a + (b - a) * t, b + (c - b) * t, c + (d - c) * t
    abc, bcd = ab + (bc - ab) * t, bc + (cd - bc) * t
    return np.array([a, ab, abc, abc + (bcd - abc) * t])
