"""What is lit: the focus frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from manim import VMobject
from numpy.typing import NDArray

from torchreel.records import Shape
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, polyline, rounded
from torchreel.stage.form import DEPTH_X, DEPTH_Y
from torchreel.stage.motion import ease

Points = NDArray[np.float64]

_WIDTH = 6.0
_RADIUS = 8.0
_FRAMES = 8
"""So many cells at most are framed one by one where some stand behind others."""


class Focus(VMobject):
    """The focus frame on a block: one around cells that stand together, else one around each; a
    wire around those that lie behind one another.

    A frame is a box: left, top, width and height of its front, and its depth, in pixels.
    """

    def __init__(self, canvas: Canvas, block: TensorBlock) -> None:
        super().__init__()
        self.canvas, self.block = canvas, block
        self._boxes: Points = np.zeros((0, 5))

    @property
    def boxes(self) -> Points:
        """The frames: left, top, width, height and depth (n, 5) in pixels."""
        return self._boxes

    def move(
        self, cells: NDArray[np.int64] | None, elements: Any, run_time: float
    ) -> BlockAnimation:
        """Return the animation in which the frame goes to these cells (None: the whole block), or
        in which none is left where there are no elements."""
        target = self._around(cells, elements)
        start = self._boxes if len(self._boxes) == len(target) else _shrunk(target)
        self._boxes = target

        def draw(alpha: float) -> None:
            boxes = start + (target - start) * ease(alpha)
            px = self.canvas.artboard.px
            frames = [_wire(box, px(_RADIUS)) for box in boxes]
            points = np.concatenate(frames) if frames else np.zeros((0, 2))
            self.points = self.canvas.points(points)
            paint(self, None, self.canvas.theme.focus, self.canvas.stroke(px(_WIDTH)))

        return BlockAnimation(self, draw, run_time)

    def _around(self, cells: NDArray[np.int64] | None, elements: Any) -> Points:
        pose = self.block.pose
        if elements is not None and not len(_places(elements)):
            return np.zeros((0, 5))
        if not len(self.block.elements) and elements is not None:
            least = self.canvas.artboard.px(8)
            return slab_box(self.block, _places(elements), least)[None]
        if self.block.placement.form.is_short and elements is not None:
            return self._part_of_row(_places(elements))
        if cells is None or not len(cells):
            left, top, right, bottom = pose.front
            return np.array([[left, top, right - left, bottom - top, 0.0]])
        return np.concatenate([self._frames(cells[each]) for each in self._parts(cells)])

    def _parts(self, cells: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        """Return the parts of a block that are framed one by one: the cuboids of a shelf, and the
        slices of an opened block."""
        sizes, opened = self.block.placement.form.sizes, self.block.mode == "open"
        part = self.block.elements[cells] // int(np.prod(sizes[-2:] if opened else sizes[-3:]))
        return [part == each for each in np.unique(part)]

    def _frames(self, cells: NDArray[np.int64]) -> Points:
        """Return the frame around cells that stand together, or one around each; around those that
        lie behind one another a wire."""
        pose, lean = self.block.pose, np.array([DEPTH_X, DEPTH_Y]) * self.block.pose.depth
        near, back = pose.far[cells].min(), pose.far[cells].max()
        deep = (back - near + 1) * pose.depth if back > near and self.block.mode == "solid" else 0.0
        corners = pose.corners[cells] - np.outer(pose.far[cells] - near, lean) * (deep > 0)
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0) + pose.size
        here = pose.far == near
        if pose.shown[cells].any():  # else the slots of what is to come are framed
            here &= pose.shown
        inside = ((pose.corners >= [x0 - 1, y0 - 1]) & (pose.corners <= [x1 - 1, y1 - 1])).all(
            axis=1
        )
        whole = (inside & here).sum() * (back - near + 1 if deep else 1)
        if len(cells) == whole or (deep and len(cells) > _FRAMES):
            return np.array([[x0, y0, x1 - x0, y1 - y0, deep]])
        seen = corners if not deep else pose.corners[cells[pose.far[cells] == near]]
        # Within its own cell, or what lies between two frames would seem framed as well.
        inset = self.canvas.artboard.px(_WIDTH) / 2
        side = pose.size - 2 * inset
        return np.array([[x + inset, y + inset, side, side, 0.0] for x, y in seen])

    def _part_of_row(self, wanted: NDArray[np.int64]) -> Points:
        """Return the box around elements of a row that is drawn short, or the dots for them."""
        pose, at = self.block.pose, self.block.placement.form.short_places(wanted)
        x, y = pose.corners[0] + np.array([at.min() * pose.size, 0])
        return np.array([[x, y, (at.max() + 1 - at.min()) * pose.size, pose.size, 0.0]])


def slab_box(block: TensorBlock, wanted: NDArray[np.int64], least: float) -> Points:
    """Return left, top, width, height and depth of what elements take of a slab, in pixels; a line
    is ``least`` pixels thick."""
    pose, shape = block.pose, block.record.shape
    left, top, right, bottom = pose.front
    dims = block.placement.form.dims
    if block.mode == "column" and len(shape) == 1:
        shape, dims = (*shape, 1), (0, 1)
    drawn = part_of_slab(shape, dims, wanted)
    (near, back), (i0, i1), (j0, j1) = drawn
    lean = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    x, y = left + j0 * (right - left), top + i0 * (bottom - top)
    w = max(least, (j1 - j0) * (right - left))
    h = max(least, (i1 - i0) * (bottom - top))
    x, y = np.array([min(x, right - w), min(y, bottom - h)]) + lean * near
    deep = (back - near) * pose.depth if back - near < 1 else 0.0
    return np.array([x, y, w, h, deep])


def part_of_slab(
    shape: Shape, dims: tuple[int, ...], wanted: NDArray[np.int64]
) -> list[tuple[float, float]]:
    """Return from where to where elements reach in a slab's depth, down and across, as shares of
    it; ``dims`` are the dimensions that it draws."""
    places = np.unravel_index(wanted, shape)
    own = [(places[dim], shape[dim]) for dim in dims]
    reached = [(float(at.min() / size), float((at.max() + 1) / size)) for at, size in own]
    return [(0.0, 1.0)] * (3 - len(reached)) + reached


def _places(elements: Any) -> NDArray[np.int64]:
    """Return the row-major places of elements that are given so, or as a mask."""
    wanted = np.asarray(elements)
    wanted = np.flatnonzero(wanted) if wanted.dtype == np.bool_ else wanted.ravel()
    return wanted.astype(np.int64)


def _wire(box: Points, radius: float) -> Points:
    """Return the curves of a frame, and of the upper and the right face of one with depth."""
    x, y, w, h, depth = (float(each) for each in box)
    front = rounded(x, y, w, h, radius if depth < 1 else 0)
    if depth < 1:
        return front
    dx, dy = DEPTH_X * depth, DEPTH_Y * depth
    upper = [(x, y), (x + dx, y + dy), (x + w + dx, y + dy), (x + w, y)]
    side = [(x + w + dx, y + dy), (x + w + dx, y + h + dy), (x + w, y + h)]
    return np.concatenate([front, polyline(np.array(upper)), polyline(np.array(side))])


def _shrunk(boxes: Points) -> Points:
    small = boxes.copy()
    small[:, :2] += boxes[:, 2:4] * 0.25
    small[:, 2:4] *= 0.5
    return small
