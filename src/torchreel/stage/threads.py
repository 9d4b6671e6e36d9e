"""Threads: S-curves that lead from where an element was to where it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.stage.canvas import Canvas, PixelPoint, first_part, paint, s_curve
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
            canvas.points(s_curve(start, end)) for start, end in zip(starts, ends, strict=True)
        ]
        super().__init__(*(canvas.shape(s_curve(a, b)) for a, b in zip(starts, ends, strict=True)))
        self.grow(np.zeros(len(self._curves)))

    def grow(self, shares: NDArray[np.float64]) -> None:
        """Draw each thread as far as its share (0 to 1) from above."""
        for line, curve, color, share in zip(
            self.submobjects, self._curves, self._colors, shares, strict=True
        ):
            line.points = first_part(curve, float(share)) if share > 0 else np.zeros((0, 3))
            paint(line, None, color, self._width)
