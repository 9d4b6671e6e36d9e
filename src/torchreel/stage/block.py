"""A tensor as a block of cells: front, top and right faces, digits, one followed element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from manim import Animation, VGroup, VMobject, linear
from numpy.typing import NDArray

from torchreel.records import Drawn, TensorRecord
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import Color, ink_on, mix
from torchreel.stage.layout import DEPTH_X, DEPTH_Y, Pose
from torchreel.stage.text import ADVANCE, outline

Points = NDArray[np.float64]
EMPTY: Points = np.zeros((0, 2))

_DIGIT_HEIGHT = 0.54
_DIGIT_WIDTH = 0.90
_EDGE = 2.5
_RING = 4.5
_THREAD = 4.5


class _Slot(VGroup):
    """The mobjects of one cell in painter's order; which cell it holds changes as cells move."""

    def __init__(self) -> None:
        self.right, self.top, self.front = VMobject(), VMobject(), VMobject()
        self.ring, self.digit = VMobject(), VMobject()
        super().__init__(self.right, self.top, self.front, self.ring, self.digit)


class TensorBlock(VGroup):
    """The cells of a tensor of up to 400 elements, in logical (row-major) order.

    ``fills`` are the colours of the cells, ``values`` their numbers in the same order (None: no
    digits). The cells are painted far to near, bottom to top and left to right, so a block stays
    right while its cells move: call :meth:`set_pose`, or play :class:`Move`.
    """

    def __init__(
        self,
        canvas: Canvas,
        record: TensorRecord,
        values: NDArray[np.generic] | None,
        fills: Sequence[Color],
        pose: Pose,
    ) -> None:
        self.canvas = canvas
        self.record = record
        self.fills = list(fills)
        self.pose = pose
        self.faded = 0.0
        self.followed: int | None = None
        self.anchor: tuple[float, float] | None = None
        self.grown = 0.0
        # A slab of too many elements is one cell without a digit.
        drawn = values is not None and len(fills) == values.size
        self._values = values.ravel() if values is not None and drawn else None
        self._texts: dict[int, list[str] | None] = {}
        self.thread = VMobject()
        self.slots = [_Slot() for _ in fills]
        super().__init__(self.thread, *self.slots)
        self.set_pose(pose)

    def become_tensor(self, record: TensorRecord) -> None:
        """Show another tensor of the same elements in the same order, a view or a reshape."""
        self.record = record

    def follow(self, index: int | None, anchor: tuple[float, float] | None = None) -> None:
        """Outline one element and hang a view line from it to ``anchor`` (pixels)."""
        self.followed, self.anchor = index, anchor
        self.set_pose(self.pose)

    def digits(self) -> list[tuple[str, Drawn, tuple[float, float, float, float]]]:
        """Return each digit on stage: text, where it came from, and its box in pixels."""
        texts, size = self._fitted()
        if texts is None or self.faded >= 1:
            return []
        hidden = self._hidden()
        found = []
        for cell, text in enumerate(texts):
            if not self.pose.shown[cell] or hidden[cell]:
                continue
            x, y = self.pose.corners[cell] + self.pose.size / 2
            width, height = len(text) * ADVANCE * size, 0.73 * size
            index = tuple(int(i) for i in np.unravel_index(cell, self.record.shape))
            source = Drawn(0, text, "value", self.record.id, index)
            found.append((text, source, (x - width / 2, y - height / 2, width, height)))
        return found

    @property
    def digit_size(self) -> float:
        """Size in pixels of the digits as the block stands, 0 where it shows none."""
        texts, size = self._fitted()
        return size if texts else 0.0

    def set_pose(self, pose: Pose) -> None:
        """Draw the cells in this pose."""
        self.pose = pose
        texts, digit_size = self._fitted()
        no_right, no_top = self._abutting()
        order = np.lexsort((pose.corners[:, 0], -pose.corners[:, 1].round(1), -pose.far))
        for slot, cell in zip(self.slots, order, strict=True):
            self._draw_faces(slot, cell, bool(no_right[cell]), bool(no_top[cell]))
            self._draw_digit(slot, cell, texts, digit_size)
            self._draw_ring(slot, cell)
        self._draw_thread()

    def _draw_faces(self, slot: _Slot, cell: int, no_right: bool, no_top: bool) -> None:
        pose, theme = self.pose, self.canvas.theme
        if not pose.shown[cell]:
            for face in (slot.right, slot.top, slot.front):
                self._set(face, EMPTY, None)
            return
        x, y = pose.corners[cell]
        w, h = pose.size * pose.stretch[0], pose.size * pose.stretch[1]
        dx, dy = DEPTH_X * pose.depth, DEPTH_Y * pose.depth
        fill = self.fills[cell]
        front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        top = [(x, y), (x + dx, y + dy), (x + w + dx, y + dy), (x + w, y)]
        right = [
            (x + w, y),
            (x + w + dx, y + dy),
            (x + w + dx, y + h + dy),
            (x + w, y + h),
        ]
        self._set(slot.front, _polygon(front), fill)
        lit = mix(fill, theme.top, theme.top_light)
        self._set(slot.top, EMPTY if no_top else _polygon(top), lit)
        shaded = mix(fill, theme.side, theme.side_shade)
        self._set(slot.right, EMPTY if no_right else _polygon(right), shaded)

    def _draw_digit(
        self, slot: _Slot, cell: int, texts: list[str] | None, digit_size: float
    ) -> None:
        if texts is None or not self.pose.shown[cell]:
            self._set(slot.digit, EMPTY, None)
            return
        x, y = self.pose.corners[cell] + self.pose.size / 2
        text = texts[cell]
        left = x - len(text) * ADVANCE * digit_size / 2
        points = outline(text, "ExtraBold") * digit_size + np.array([left, y])
        color = ink_on(self.fills[cell], self.canvas.theme)
        slot.digit.points = self.canvas.points(points)
        paint(slot.digit, self._fade(color), None, 0)

    def _draw_ring(self, slot: _Slot, cell: int) -> None:
        if cell != self.followed or not self.pose.shown[cell] or self.grown <= 0:
            slot.ring.points = self.canvas.points(EMPTY)
            return
        width = self.canvas.artboard.px(_RING) * min(1.0, self.grown * 2)
        x, y = self.pose.corners[cell] + width * 0.5
        s = self.pose.size - width
        corners = [(x, y), (x + s, y), (x + s, y + s), (x, y + s)]
        slot.ring.points = self.canvas.points(_polygon(corners))
        paint(slot.ring, None, self._fade(self.canvas.theme.text), self.canvas.stroke(width))

    def _draw_thread(self) -> None:
        if self.followed is None or self.anchor is None or self.grown <= 0:
            self.thread.points = self.canvas.points(EMPTY)
            return
        corner = self.pose.corners[self.followed]
        start = np.array([corner[0] + self.pose.size / 2, corner[1] + self.pose.size])
        end = np.array(self.anchor)
        bend = np.array([0.0, (end[1] - start[1]) * 0.5])
        curve = np.array([start, start + bend, end - bend, end])
        color = self._fade(self.fills[self.followed])
        width = self.canvas.stroke(self.canvas.artboard.px(_THREAD))
        self.thread.points = self.canvas.points(_tail(curve, self.grown))
        paint(self.thread, None, color, width)

    def _set(self, mobject: VMobject, points: Points, fill: Color | None) -> None:
        mobject.points = self.canvas.points(points)
        if fill is not None:
            edge = self.canvas.theme.bg
            width = self.canvas.stroke(self.canvas.artboard.px(_EDGE))
            paint(mobject, self._fade(fill), self._fade(edge), width)

    def _fade(self, color: Color) -> Color:
        return mix(color, self.canvas.theme.bg, self.faded) if self.faded else color

    def _fitted(self) -> tuple[list[str] | None, float]:
        """Return the texts that fit the cells as they stand, and their size in pixels."""
        artboard, size = self.canvas.artboard, self.pose.size
        if self._values is None or size < artboard.digits_from:
            return None, 0.0
        chars = int(_DIGIT_WIDTH * size / (ADVANCE * artboard.floor))
        if chars not in self._texts:
            self._texts[chars] = numerals.write_all(self._values, chars)
        texts = self._texts[chars]
        if texts is None:
            return None, 0.0
        longest = max(len(text) for text in texts)
        fitting = _DIGIT_WIDTH * size / (ADVANCE * longest)
        return texts, min(artboard.type_digit_max, _DIGIT_HEIGHT * size, fitting)

    def _abutting(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell for each cell whether another hides its right face, and its top face."""
        pose = self.pose
        step = pose.corners[None, :, :] - pose.corners[:, None, :]
        near = 0.02 * pose.size
        beside = (abs(step[..., 0] - pose.size) < near) & (abs(step[..., 1]) < near)
        over = (abs(step[..., 1] + pose.size) < near) & (abs(step[..., 0]) < near)
        there = pose.shown[None, :] & (pose.far[None, :] == pose.far[:, None])
        return (beside & there).any(axis=1), (over & there).any(axis=1)

    def _hidden(self) -> NDArray[np.bool_]:
        """Tell for each cell whether a nearer one covers its middle."""
        pose = self.pose
        middle = pose.corners[:, None, :] + pose.size / 2
        inside = (middle >= pose.corners[None]) & (middle <= pose.corners[None] + pose.size)
        nearer = (pose.far[None, :] < pose.far[:, None]) & pose.shown[None, :]
        hidden: NDArray[np.bool_] = np.any(inside.all(axis=2) & nearer, axis=1)
        return hidden


class BlockAnimation(Animation):
    """An animation that calls ``draw`` with the time from 0 to 1; nothing is copied."""

    def __init__(
        self, mobject: VMobject, draw: Callable[[float], None], run_time: float, **kwargs: Any
    ) -> None:
        self._draw = draw
        super().__init__(mobject, run_time=run_time, rate_func=linear, **kwargs)

    def create_starting_mobject(self) -> VMobject:
        """Return an empty mobject: the starting state is in ``draw``."""
        return VMobject()

    def interpolate_mobject(self, alpha: float) -> None:
        """Draw the mobject as it is at ``alpha``."""
        self._draw(alpha)


class Move(BlockAnimation):
    """Moves a block's cells along ``motion``, a function from time (0 to 1) to a pose."""

    def __init__(
        self, block: TensorBlock, motion: Callable[[float], Pose], run_time: float
    ) -> None:
        super().__init__(block, lambda alpha: block.set_pose(motion(alpha)), run_time)


def _polygon(corners: list[tuple[float, float]]) -> Points:
    return polyline(np.array([*corners, corners[0]], dtype=float))


def _tail(curve: Points, share: float) -> Points:
    """Return the last ``share`` of a cubic curve (de Casteljau)."""
    t = 1 - min(1.0, share)
    a, b, c, d = curve
    ab, bc, cd = a + (b - a) * t, b + (c - b) * t, c + (d - c) * t
    abc, bcd = ab + (bc - ab) * t, bc + (cd - bc) * t
    return np.array([abc + (bcd - abc) * t, bcd, cd, d])
