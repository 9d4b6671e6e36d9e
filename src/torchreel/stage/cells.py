"""How the cells of a block are drawn: one by one with digits, or many by colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.stage.canvas import Canvas, paint, polyline, rounded
from torchreel.stage.colors import Color, Theme, ink_on, mix
from torchreel.stage.form import DEPTH_X, DEPTH_Y
from torchreel.stage.layout import Pose
from torchreel.stage.text import ADVANCE, outline

Points = NDArray[np.float64]
EMPTY: Points = np.zeros((0, 2))

BATCH_FROM = 100
"""With more cells than this they are drawn by colour, not one by one."""

_COLOURS = 24
_EDGE = 2.5
_RING = 4.5
_DIM_FILL = 0.32
_DIM_TEXT = 0.55


def dimmed(fill: Color, theme: Theme, share: float) -> Color:
    """Return a fill that is dimmed by ``share`` (0 to 1): an opaque mix, never alpha."""
    return mix(fill, mix(theme.bg, fill, _DIM_FILL), share)


def dimmed_ink(ink: Color, fill: Color, theme: Theme, share: float) -> Color:
    """Return the colour of a digit on a ``fill`` that is dimmed by ``share``."""
    return mix(ink, mix(fill, theme.text, _DIM_TEXT), share)


class _Slot(VGroup):
    """The mobjects of one cell in painter's order; which cell it holds changes as cells move."""

    def __init__(self) -> None:
        self.right, self.top, self.front = VMobject(), VMobject(), VMobject()
        self.mark, self.ring, self.digit = VMobject(), VMobject(), VMobject()
        super().__init__(self.right, self.top, self.front, self.mark, self.ring, self.digit)


class CellDrawing(VGroup):
    """Cells one by one, painted far to near, bottom to top and left to right."""

    def __init__(self, canvas: Canvas, count: int) -> None:
        self.canvas = canvas
        self.slots = [_Slot() for _ in range(count)]
        super().__init__(*self.slots)

    def draw(self, block: Any) -> None:
        """Draw a block's cells as they stand."""
        pose, theme = block.pose, self.canvas.theme
        texts, size = block.fitted()
        no_right, no_top = _abutting(pose)
        fills = [
            dimmed(fill, theme, share) if share else fill
            for fill, share in zip(block.fills, block.dims, strict=True)
        ]
        order = np.lexsort((pose.corners[:, 0], -pose.corners[:, 1].round(1), -pose.far))
        for slot, cell in zip(self.slots, order, strict=True):
            if not pose.shown[cell]:
                for part in slot:
                    part.points = np.zeros((0, 3))
                continue
            fill = fills[cell]
            self._faces(slot, pose, cell, fill, bool(no_right[cell]), bool(no_top[cell]), block)
            self._mark(slot, pose, cell, block)
            self._digit(slot, pose, cell, fill, texts, size, block)
            self._ring(slot, pose, cell, block)

    def _faces(
        self,
        slot: _Slot,
        pose: Pose,
        cell: int,
        fill: Color,
        no_right: bool,
        no_top: bool,
        block: Any,
    ) -> None:
        theme = self.canvas.theme
        (x, y), s = pose.corners[cell], pose.size
        dx, dy = DEPTH_X * pose.depth, DEPTH_Y * pose.depth
        front = [(x, y), (x + s, y), (x + s, y + s), (x, y + s)]
        top = [(x, y), (x + dx, y + dy), (x + s + dx, y + dy), (x + s, y)]
        right = [(x + s, y), (x + s + dx, y + dy), (x + s + dx, y + s + dy), (x + s, y + s)]
        faces = (
            (slot.front, front, False, fill),
            (slot.top, top, no_top, mix(fill, theme.top, theme.top_light)),
            (slot.right, right, no_right, mix(fill, theme.side, theme.side_shade)),
        )
        edge, width = block.shade(theme.bg), self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        for face, corners, hidden, color in faces:
            face.points = self.canvas.points(EMPTY if hidden else _polygon(corners))
            paint(face, block.shade(color), edge, width)

    def _mark(self, slot: _Slot, pose: Pose, cell: int, block: Any) -> None:
        kind = block.kinds[cell] if block.kinds is not None else ""
        if kind not in ("F", "nan", "inf"):
            slot.mark.points = np.zeros((0, 3))
            return
        theme, px = self.canvas.theme, self.canvas.artboard.px
        (x, y), s = pose.corners[cell], pose.size
        inset = px(4) + 0.02 * s
        if kind == "nan":
            points = _hatch(x + inset, y + inset, s - 2 * inset, px(16))
            color = mix(theme.surface, theme.error, 0.6)
        else:
            points = rounded(x + inset, y + inset, s - 2 * inset, s - 2 * inset, px(3))
            color = theme.line if kind == "F" else theme.ink
        slot.mark.points = self.canvas.points(points)
        paint(slot.mark, None, block.shade(color), self.canvas.stroke(px(3)))

    def _digit(
        self,
        slot: _Slot,
        pose: Pose,
        cell: int,
        fill: Color,
        texts: Sequence[str] | None,
        size: float,
        block: Any,
    ) -> None:
        if texts is None:
            slot.digit.points = np.zeros((0, 3))
            return
        theme, kind = self.canvas.theme, block.kinds[cell] if block.kinds is not None else ""
        x, y = pose.corners[cell] + pose.size / 2
        text = texts[cell]
        left = x - len(text) * ADVANCE * size / 2
        points = outline(text, "ExtraBold") * size + np.array([left, y])
        color = {"F": theme.muted, "nan": theme.error}.get(kind)
        color = ink_on(fill, theme) if color is None else color
        if block.dims[cell]:
            color = dimmed_ink(color, fill, theme, block.dims[cell])
        slot.digit.points = self.canvas.points(points)
        paint(slot.digit, block.shade(color), None, 0)

    def _ring(self, slot: _Slot, pose: Pose, cell: int, block: Any) -> None:
        if cell != block.followed or block.grown <= 0:
            slot.ring.points = np.zeros((0, 3))
            return
        width = self.canvas.artboard.px(_RING) * min(1.0, block.grown * 2)
        x, y = pose.corners[cell] + width * 0.5
        s = pose.size - width
        slot.ring.points = self.canvas.points(
            _polygon([(x, y), (x + s, y), (x + s, y + s), (x, y + s)])
        )
        paint(slot.ring, None, block.shade(self.canvas.theme.text), self.canvas.stroke(width))


class BatchDrawing(VGroup):
    """Cells of like colours in one mobject: right faces first, then tops, then fronts."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.faces = [[VMobject() for _ in range(_COLOURS)] for _ in range(3)]
        super().__init__(*(face for kind in self.faces for face in kind))

    def draw(self, block: Any) -> None:
        """Draw a block's cells as they stand."""
        pose, theme = block.pose, self.canvas.theme
        fills = np.array(block.fills)
        shades = fills + (theme.bg + (fills - theme.bg) * _DIM_FILL - fills) * block.dims[:, None]
        bins = _bins(shades)
        no_right, no_top = _abutting(pose)
        x, y = pose.corners[:, 0], pose.corners[:, 1]
        s, dx, dy = pose.size, DEPTH_X * pose.depth, DEPTH_Y * pose.depth
        right = _quads((x + s, y), (x + s + dx, y + dy), (x + s + dx, y + s + dy), (x + s, y + s))
        top = _quads((x, y), (x + dx, y + dy), (x + s + dx, y + dy), (x + s, y))
        front = _quads((x, y), (x + s, y), (x + s, y + s), (x, y + s))
        kinds = (
            (right, pose.shown & ~no_right, theme.side, theme.side_shade),
            (top, pose.shown & ~no_top, theme.top, theme.top_light),
            (front, pose.shown & ~_covered(pose), theme.bg, 0.0),
        )
        edge = block.shade(theme.bg)
        width = self.canvas.stroke(min(self.canvas.artboard.px(_EDGE), 0.08 * s))
        for faces, (quads, there, towards, share) in zip(self.faces, kinds, strict=True):
            for index, face in enumerate(faces):
                mine = there & (bins == index)
                face.points = self.canvas.points(quads[mine].reshape(-1, 2))
                if mine.any():
                    color = mix(shades[bins == index].mean(axis=0), towards, share)
                    paint(face, block.shade(color), edge, width)


def _bins(shades: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each colour which of 24 like ones it is drawn with (median cut)."""
    _, inverse = np.unique(shades.round(3), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    if inverse.max() < _COLOURS:
        return np.asarray(inverse, dtype=np.int64)
    boxes = [np.arange(len(shades))]
    while len(boxes) < _COLOURS:
        spreads = [np.ptp(shades[box], axis=0) for box in boxes]
        widest = int(np.argmax([spread.max() for spread in spreads]))
        box = boxes.pop(widest)
        order = box[np.argsort(shades[box, int(spreads[widest].argmax())], kind="stable")]
        boxes += [order[: len(order) // 2], order[len(order) // 2 :]]
    bins = np.zeros(len(shades), dtype=np.int64)
    for index, box in enumerate(boxes):
        bins[box] = index
    return bins


def _quads(*corners: tuple[Points, Points]) -> Points:
    """Return the cubic curves (n, 16, 2) of quadrilaterals from their four corners."""
    ring = np.stack([np.stack(corner, axis=1) for corner in (*corners, corners[0])], axis=1)
    start, end = ring[:, :-1], ring[:, 1:]
    curves = np.stack(
        [start, start + (end - start) / 3, start + (end - start) * 2 / 3, end], axis=2
    )
    return curves.reshape(len(ring), 16, 2)


def _abutting(pose: Pose) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell for each cell whether another hides its right face, and its top face."""
    step = pose.corners[None, :, :] - pose.corners[:, None, :]
    near = 0.02 * pose.size
    beside = (abs(step[..., 0] - pose.size) < near) & (abs(step[..., 1]) < near)
    over = (abs(step[..., 1] + pose.size) < near) & (abs(step[..., 0]) < near)
    there = pose.shown[None, :] & (pose.far[None, :] == pose.far[:, None])
    return (beside & there).any(axis=1), (over & there).any(axis=1)


def _covered(pose: Pose) -> NDArray[np.bool_]:
    """Tell for each cell whether the one right before it, in depth, covers its front."""
    back = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    step = pose.corners[None, :, :] - pose.corners[:, None, :] + back
    same = (np.abs(step) < 0.02 * pose.size).all(axis=2)
    nearer = (pose.far[None, :] < pose.far[:, None]) & pose.shown[None, :]
    return np.asarray((same & nearer).any(axis=1))


def _hatch(x: float, y: float, side: float, gap: float) -> Points:
    """Return the strokes of a 45° hatch in a square."""
    lines = []
    for offset in np.arange(gap / 2, 2 * side, gap):
        start, end = max(0.0, offset - side), min(side, offset)
        lines.append(
            polyline(np.array([(x + start, y + offset - start), (x + end, y + offset - end)]))
        )
    return np.concatenate(lines) if lines else EMPTY


def _polygon(corners: list[tuple[float, float]]) -> Points:
    return polyline(np.array([*corners, corners[0]], dtype=float))
