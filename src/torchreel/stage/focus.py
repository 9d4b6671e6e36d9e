"""What is lit: the focus frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from manim import VMobject
from numpy.typing import NDArray

from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, rounded
from torchreel.stage.motion import ease

Points = NDArray[np.float64]

_WIDTH = 6.0
_RADIUS = 8.0
_FRAMES = 8


class Focus(VMobject):
    """The focus frame on a block: one around cells that stand together, else one around each."""

    def __init__(self, canvas: Canvas, block: TensorBlock) -> None:
        super().__init__()
        self.canvas, self.block = canvas, block
        self._boxes: Points = np.zeros((0, 4))

    def move(
        self, cells: NDArray[np.int64] | None, elements: Any, run_time: float
    ) -> BlockAnimation:
        """Return the animation in which the frame goes to these cells (None: the whole block)."""
        target = self._around(cells, elements)
        start = self._boxes if len(self._boxes) == len(target) else _shrunk(target)
        self._boxes = target

        def draw(alpha: float) -> None:
            boxes = start + (target - start) * ease(alpha)
            px = self.canvas.artboard.px
            frames = [rounded(x, y, w, h, px(_RADIUS)) for x, y, w, h in boxes]
            points = np.concatenate(frames) if frames else np.zeros((0, 2))
            self.points = self.canvas.points(points)
            paint(self, None, self.canvas.theme.focus, self.canvas.stroke(px(_WIDTH)))

        return BlockAnimation(self, draw, run_time)

    def _around(self, cells: NDArray[np.int64] | None, elements: Any) -> Points:
        pose = self.block.pose
        if not len(self.block.elements) and elements is not None:
            return self._part_of_slab(elements)
        if cells is None or not len(cells):
            left, top, right, bottom = pose.front
            return np.array([[left, top, right - left, bottom - top]])
        corners = pose.corners[cells]
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0) + pose.size
        inside = ((pose.corners >= [x0 - 1, y0 - 1]) & (pose.corners <= [x1 - 1, y1 - 1])).all(
            axis=1
        )
        together = len(cells) == inside.sum() or len(cells) > _FRAMES
        if together:
            return np.array([[x0, y0, x1 - x0, y1 - y0]])
        return np.array([[x, y, pose.size, pose.size] for x, y in corners])

    def _part_of_slab(self, elements: Any) -> Points:
        """Return the box of a slab's front that these elements take; a line stays visible."""
        pose, shape = self.block.pose, self.block.record.shape
        left, top, right, bottom = pose.front
        wanted = np.asarray(elements)
        wanted = np.flatnonzero(wanted) if wanted.dtype == np.bool_ else wanted.ravel()
        rows, columns = (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
        if self.block.mode == "column" and len(shape) == 1:
            rows, columns = columns, rows
        i, j = wanted // columns % rows, wanted % columns
        dims = self.block.placement.form.dims
        if len(dims) == 3 and dims[-1] != len(shape) - 1:  # a picture: its channels lie in depth
            places = np.unravel_index(wanted, shape)
            (i, rows), (j, columns) = ((places[dim], shape[dim]) for dim in dims[1:])
        least = self.canvas.artboard.px(8)
        x, y = left + j.min() / columns * (right - left), top + i.min() / rows * (bottom - top)
        w = max(least, (j.max() - j.min() + 1) / columns * (right - left))
        h = max(least, (i.max() - i.min() + 1) / rows * (bottom - top))
        return np.array([[min(x, right - w), min(y, bottom - h), w, h]])


def _shrunk(boxes: Points) -> Points:
    small = boxes.copy()
    small[:, :2] += boxes[:, 2:] * 0.25
    small[:, 2:] *= 0.5
    return small
