"""The padding around what a window slides over: an empty rim, and the window as it stands there."""

from __future__ import annotations

import numpy as np
from manim import Animation, VGroup, VMobject
from numpy.typing import NDArray

from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, rounded
from torchreel.stage.motion import ease

Points = NDArray[np.float64]

_WIDTH, _RADIUS = 6.0, 8.0
_LINE, _INSET = 2.5, 4.0


class Rim(VGroup):
    """Empty slots around a block of two dimensions, ``padding`` of them on each side (down,
    across); one border around a block that is drawn without cells. The window is a
    frame over both, ``frame``, which is not a part of it."""

    def __init__(self, canvas: Canvas, block: TensorBlock, padding: tuple[int, ...]) -> None:
        self.canvas = canvas
        rows, columns = block.record.shape
        left, top, right, bottom = block.pose.front
        self._cell = ((right - left) / columns, (bottom - top) / rows)
        self._corner, self._padding = (left, top), padding
        self.frame = VMobject()
        self._box: Points | None = None
        super().__init__(*self._slots(block))

    def box(self, row: int, column: int, rows: int, columns: int) -> Points:
        """Return left, top, right and bottom of the window whose first element is at ``row`` and
        ``column`` of the block (below 0 in the rim), in pixels."""
        (wide, high), (x, y) = self._cell, self._corner
        left, top = x + column * wide, y + row * high
        return np.array([left, top, left + columns * wide, top + rows * high])

    def move(self, box: Points, run_time: float) -> Animation:
        """Return the animation in which the window goes there."""
        start = box if self._box is None else self._box
        self._box = box

        def draw(alpha: float) -> None:
            left, top, right, bottom = start + (box - start) * ease(alpha)
            px = self.canvas.artboard.px
            frame = rounded(left, top, right - left, bottom - top, px(_RADIUS))
            self.frame.points = self.canvas.points(frame)
            paint(self.frame, None, self.canvas.theme.focus, self.canvas.stroke(px(_WIDTH)))

        draw(0.0)
        return BlockAnimation(self.frame, draw, run_time)

    def _slots(self, block: TensorBlock) -> list[VMobject]:
        rows, columns = block.record.shape
        down, across = self._padding
        px = self.canvas.artboard.px
        if not len(block.elements):
            left, top, right, bottom = self.box(
                -down, -across, rows + 2 * down, columns + 2 * across
            )
            whole = Zone(left, top, right - left, bottom - top)
            return [self._rectangle(whole, 0.0)]
        inset = min(px(_INSET), 0.1 * min(self._cell))
        found = []
        for row in range(-down, rows + down):
            for column in range(-across, columns + across):
                if 0 <= row < rows and 0 <= column < columns:
                    continue
                x, y, right, bottom = self.box(row, column, 1, 1)
                found.append(self._rectangle(Zone(x, y, right - x, bottom - y), inset))
        return found

    def _rectangle(self, zone: Zone, inset: float) -> VMobject:
        theme, px = self.canvas.theme, self.canvas.artboard.px
        inner = zone.inset(inset, inset, inset, inset)
        return self.canvas.rectangle(
            inner.x,
            inner.y,
            inner.width,
            inner.height,
            radius=px(3),
            line=theme.line,
            stroke=px(_LINE),
        )
