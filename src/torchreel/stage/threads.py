"""Threads: curves that lead from where elements were to where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Points, first_part, paint
from torchreel.stage.colors import Color
from torchreel.stage.motion import ease, staggered
from torchreel.stage.tape import OnTape

_WIDTH = 4.0


class Threads(VGroup):
    """Curves (points of cubic ones in pixels, from their beginnings), each in a colour of its
    own."""

    def __init__(self, canvas: Canvas, curves: Sequence[Points], colors: Sequence[Color]) -> None:
        self._width = canvas.stroke(canvas.artboard.px(_WIDTH))
        self._colors = list(colors)
        self._curves = [canvas.points(curve) for curve in curves]
        super().__init__(*(canvas.shape(curve) for curve in curves))
        self.grow(np.zeros(len(self._curves)))

    def growing(self, run_time: float, *, together: bool = True) -> BlockAnimation:
        """Return the animation in which the threads grow, all at once or one after the other."""
        count = len(self._curves)

        def draw(alpha: float) -> None:
            self.grow(np.full(count, ease(alpha)) if together else staggered(alpha, count))

        return BlockAnimation(self, draw, run_time)

    def grow(self, shares: NDArray[np.float64]) -> None:
        """Draw each thread as far as its share (0 to 1) from its beginning."""
        for line, curve, color, share in zip(
            self.submobjects, self._curves, self._colors, shares, strict=True
        ):
            line.points = first_part(curve, float(share)) if share > 0 else np.zeros((0, 3))
            paint(line, None, color, self._width)


class SlotThreads(Threads, OnTape):
    """Threads that lead from the cells of a block to their slots on the tape."""
