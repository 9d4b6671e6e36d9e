"""Lines of projection: from a window through a kernel to the one cell that comes of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from manim import Animation, VMobject
from numpy.typing import NDArray

from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.focus import slab_box
from torchreel.stage.form import Places

Points = NDArray[np.float64]

_WIDTH = 3.0


class Projection(VMobject):
    """Two lines from the box of one block's cells to that of the next one's, for each neighbouring
    pair; side by side from right to left corners, else from lower to upper ones."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas
        self._lines: Points = np.zeros((0, 2, 2))

    def move(
        self,
        stations: list[tuple[TensorBlock, Places]],
        run_time: float = motion.QUICK,
        first: Points | None = None,
    ) -> Animation:
        """Return the animation in which the lines go to these cells of these blocks, or from the
        ``first`` box (left, top, right, bottom in pixels)."""
        boxes = [_box(block, elements) for block, elements in stations]
        boxes = boxes if first is None else [first, *boxes[1:]]
        target = np.array([line for a, b in pairwise(boxes) for line in _between(a, b)])
        start = self._lines if len(self._lines) == len(target) else target[:, [0, 0]]
        self._lines = target

        def draw(alpha: float) -> None:
            lines = start + (target - start) * motion.ease(alpha)
            self.points = self.canvas.points(np.concatenate([polyline(line) for line in lines]))
            width = self.canvas.stroke(self.canvas.artboard.px(_WIDTH))
            paint(self, None, self.canvas.theme.focus, width)

        draw(0)
        return BlockAnimation(self, draw, run_time)


def _box(block: TensorBlock, elements: Places) -> Points:
    """Return left, top, right and bottom of cells, in pixels."""
    if not len(block.elements):
        left, top, width, height, _ = slab_box(block, np.asarray(elements), 0.0)
        return np.array([left, top, left + width, top + height])
    corners = block.pose.corners[block.cells_of(elements)]
    return np.concatenate([corners.min(axis=0), corners.max(axis=0) + block.pose.size])


def _between(a: Points, b: Points) -> list[Points]:
    if b[0] >= a[2]:
        return [np.array([(a[2], a[y]), (b[0], b[y])]) for y in (1, 3)]
    return [np.array([(a[x], a[3]), (b[x], b[1])]) for x in (0, 2)]
