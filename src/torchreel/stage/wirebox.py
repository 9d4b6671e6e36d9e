"""Wire boxes: the picture of a dimension of size 1, drawn around what it wraps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.bracket import Bracket, Shift
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import mix
from torchreel.stage.layout import DEPTH_X, DEPTH_Y, BracketLine, Pose

Points = NDArray[np.float64]

_PAD = 0.34
_DEPTH = 1.05
_SHRINK, _SHRINK_LESS = 0.80, 0.86
"""What is left of a cell in its frame: more where its digit would have no room."""

_FRONT = 5.5
_BACK = 2.8


class WireBoxes:
    """The wire around each part of a block that a dimension of size 1 wraps.

    ``record`` has the dimension, ``dim`` is its number there. One part (all dimensions before it
    are 1): a box with depth around the whole block. Several: a frame around each row or cell, and
    the parts draw apart to make room. ``behind`` and ``front`` are the mobjects painted before
    and after the block.
    """

    def __init__(self, canvas: Canvas, block: TensorBlock, record: TensorRecord, dim: int) -> None:
        self.canvas = canvas
        self.block = block
        self.dim = dim
        self.rest = block.pose
        self.parts = int(np.prod(record.shape[:dim], dtype=np.int64))
        self.pad = _PAD * self.rest.size if self.parts == 1 else 0.0
        least = canvas.artboard.digits_from / self.rest.size
        self.shrink = min(max(_SHRINK, least), _SHRINK_LESS)
        self.behind, self.front = VGroup(), VGroup()
        if self.parts == 1:
            self.behind.add(*(VMobject() for _ in range(3)))
        self.front.add(*(VMobject() for _ in range(self.parts)))
        self.bracket = Bracket(canvas, self._bracket_line(dim), record, lit=True)
        self._draw(0.0, 1.0)

    def grow(self, run_time: float) -> list[BlockAnimation]:
        """Return the animations in which the wire grows around the block."""
        return self._animate(lambda t: (motion.ease(t), max(0.0, 1 - 4 * t)), run_time)

    def leave(self, run_time: float) -> list[BlockAnimation]:
        """Return the animations in which the wire widens and fades."""
        wider = 0.45 if self.parts == 1 else -1.0
        return self._animate(lambda t: (1 + wider * motion.ease(t), motion.ease(t)), run_time)

    def push(self, bracket: Bracket, run_time: float, share: float = 1.0) -> Shift:
        """Return the animation in which a bracket of the block makes way for the wire, or comes
        back with a ``share`` of -1: one above the block for the back of the box, too."""
        back = -DEPTH_Y * _DEPTH * self.rest.size if bracket.is_above else 0.0
        return bracket.push(share * (self.pad + back), run_time)

    def darken(self, run_time: float) -> list[BlockAnimation]:
        """Return the animations in which the wire is lit no longer: another one is."""
        theme = self.canvas.theme
        wires = [each for each in (*self.behind, *self.front) if each.stroke_width]

        def draw(alpha: float) -> None:
            color = mix(theme.focus, theme.muted, motion.ease(alpha))
            for wire in wires:
                wire.stroke_rgbas = np.array([[*color, 1.0]])

        return [BlockAnimation(self.front, draw, run_time), self.bracket.darken(run_time)]

    def _animate(
        self, at: Callable[[float], tuple[float, float]], run_time: float
    ) -> list[BlockAnimation]:
        def draw(alpha: float) -> None:
            self._draw(*at(alpha))

        still = [self.block, self.front] if len(self.behind) else [self.front]
        first = self.behind if len(self.behind) else self.block
        return [
            BlockAnimation(first, draw, run_time),
            *(BlockAnimation(mobject, lambda _: None, run_time) for mobject in still),
        ]

    def _draw(self, grown: float, faded: float) -> None:
        if self.parts == 1:
            self._draw_box(grown, faded)
        else:
            self._draw_frames(grown, faded)

    def _draw_box(self, grown: float, faded: float) -> None:
        canvas, theme = self.canvas, self.canvas.theme
        pad, depth = self.pad * grown, _DEPTH * self.rest.size * grown
        x0, y0, x1, y1 = self._front_of(self.rest)
        front = np.array(
            [(x0 - pad, y0 - pad), (x1 + pad, y0 - pad), (x1 + pad, y1 + pad), (x0 - pad, y1 + pad)]
        )
        back = front + np.array([DEPTH_X, DEPTH_Y]) * depth
        color = mix(theme.focus, theme.bg, faded)
        thin, thick = (canvas.stroke(canvas.artboard.px(w)) for w in (_BACK, _FRONT))
        panel, rear, edges = self.behind
        side = [front[1], back[1], back[2], front[2]]
        self._set(panel, polyline(np.array([*side, side[0]])))
        paint(panel, mix(theme.surface, theme.bg, faded), None, 0)
        self._set(rear, polyline(np.array([*back, back[0]])))
        paint(rear, None, color, thin)
        self._set(
            edges, np.concatenate([polyline(np.array(e)) for e in zip(front, back, strict=True)])
        )
        paint(edges, None, color, thin)
        self._set(self.front[0], polyline(np.array([*front, front[0]])))
        paint(self.front[0], None, color, thick)

    def _draw_frames(self, grown: float, faded: float) -> None:
        canvas, theme = self.canvas, self.canvas.theme
        shrink = 1 - (1 - self.shrink) * min(1.0, max(0.0, grown))
        self.block.set_pose(self._drawn_apart(shrink))
        color = mix(theme.focus, theme.bg, faded)
        width = canvas.stroke(canvas.artboard.px(_BACK))
        gap = 0.3 * (1 - self.shrink) * self.rest.size
        for frame, cells in zip(self.front, self._cells_by_part(), strict=True):
            corners = self.block.pose.corners[cells]
            (x, y), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            size = self.block.pose.size
            shape = canvas.rectangle(
                x - gap,
                y - gap,
                right + size - x + 2 * gap,
                bottom + size - y + 2 * gap,
                radius=canvas.artboard.px(6),
            )
            frame.points = shape.points
            paint(frame, None, color, width)

    def _drawn_apart(self, shrink: float) -> Pose:
        rest = self.rest
        size = rest.size * shrink
        corners = rest.corners.copy()
        for cells in self._cells_by_part():
            middles = rest.corners[cells] + rest.size / 2
            middle = middles.mean(axis=0)
            corners[cells] = middle + (middles - middle) * shrink - size / 2
        return replace(rest, corners=corners, size=size, depth=rest.depth * shrink)

    def _cells_by_part(self) -> NDArray[np.int64]:
        return np.arange(len(self.rest.corners)).reshape(self.parts, -1)

    def _bracket_line(self, dim: int) -> BracketLine:
        px = self.canvas.artboard.px
        x0, y0, x1, _ = self._front_of(self.rest)
        if self.parts > 1:
            # The mark stands to the right of the first part: one in each.
            cells = self.rest.corners[self._cells_by_part()[0]]
            x, top = cells[:, 0].max() + self.rest.size, cells[:, 1].min()
            right = max(x, x1) + self.rest.depth * DEPTH_X + px(14)
            return BracketLine(dim, (right, top), (right, top + self.rest.size), (1, 0))
        corner = np.array([x0 - self.pad, y0 - self.pad])
        along = np.array([DEPTH_X, DEPTH_Y])
        out = np.array([along[1], -along[0]]) / np.linalg.norm(along)
        start = corner + out * px(14)
        end = start + along * _DEPTH * self.rest.size
        return BracketLine(dim, tuple(start), tuple(end), tuple(out))

    @staticmethod
    def _front_of(pose: Pose) -> tuple[float, float, float, float]:
        x0, y0 = pose.corners.min(axis=0)
        x1, y1 = pose.corners.max(axis=0) + pose.size
        return float(x0), float(y0), float(x1), float(y1)

    def _set(self, mobject: VMobject, pixels: Points) -> None:
        mobject.points = self.canvas.points(pixels)
