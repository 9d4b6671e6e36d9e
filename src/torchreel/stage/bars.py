"""Bars: a row of numbers as heights over one line, and as parts of one column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Animation, VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Array, Drawn, TensorRecord
from torchreel.stage import motion, numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label, paint, polyline, rounded
from torchreel.stage.colors import mix
from torchreel.stage.form import Places
from torchreel.stage.seen import index_of
from torchreel.stage.text import ADVANCE, text_width

MOST = 32
"""So many bars can be told apart."""

Points = NDArray[np.float64]

_PITCH, _WIDE, _DIM = 120.0, 0.62, 0.6
_CHARS, _EDGE, _CLEAR = 5, 2.5, 12.0


class Bars(VGroup):
    """Bars of ``heights`` (n,) over a line; below it the place of each along its dimension.

    ``zone`` is the room for bars, numbers and places, ``fills`` (n, 3) are the colours. What the
    numbers are is written by :meth:`numbers`: a label of its own, which comes and goes.
    """

    def __init__(
        self,
        canvas: Canvas,
        zone: Zone,
        heights: Array,
        fills: Points,
        places: Sequence[Drawn],
        lit: int | None = None,
    ) -> None:
        self.canvas = canvas
        board = canvas.artboard
        self.pitch = min(board.px(_PITCH), zone.width / len(heights))
        self.left = zone.center_x - self.pitch * len(heights) / 2
        text = board.floor * 1.25
        self.room = zone.inset(top=text + board.px(_CLEAR), bottom=text)
        self.parts = [VMobject() for _ in heights]
        self.line = VMobject()
        super().__init__(*self.parts, self.line, *self._places(places, zone, lit))
        self.fills, self.dims = fills, np.zeros(len(fills))
        if lit is not None:
            self.dims[:] = _DIM
            self.dims[lit] = 0
        self.boxes, self.base = self.stand(heights)
        self._draw(self.boxes, self.base, fills)

    def stand(self, heights: Array) -> tuple[Points, float]:
        """Return the boxes (n, 4) of bars with these heights, and where their line is."""
        tall = np.nan_to_num(heights.astype(float), nan=0.0, posinf=0.0, neginf=0.0)
        down = max(0.0, -float(tall.min()))
        up = max(0.0, float(tall.max())) or float(not down)
        # Below the line there is room for the number of a bar that hangs from it.
        low = self.canvas.artboard.floor * 1.1 if down else 0.0
        scale = (self.room.height - low) / (up + down)
        base = self.room.y + up * scale
        x = self.left + self.pitch * (np.arange(len(tall)) + (1 - _WIDE) / 2)
        size = np.abs(tall) * scale
        top = np.where(tall > 0, base - size, base)
        return np.stack([x, top, np.full(len(tall), _WIDE * self.pitch), size], axis=1), base

    def pile(self, x: float, width: float, run_time: float) -> tuple[VGroup, Animation]:
        """Return a column as high as the room, of parts as long as the bars, the first below, and
        the animation in which one part after the other grows on those that are there."""
        lengths = self.boxes[:, 3] / (self.boxes[:, 3].sum() or 1.0) * self.room.height
        starts, fills, dims = np.cumsum(lengths) - lengths, self.fills, self.dims
        column = VGroup(*(VMobject() for _ in lengths))

        def draw(alpha: float) -> None:
            height = motion.ease(alpha) * self.room.height
            tall = np.clip(height - starts, 0, lengths)
            top = self.room.bottom - starts - tall
            boxes = np.stack(np.broadcast_arrays(x, top, width, tall), axis=1)
            self._paint(list(column), boxes, fills, dims)
            for part, long in zip(column, tall, strict=True):
                if not long:
                    part.points = np.zeros((0, 3))

        draw(0)
        return column, BlockAnimation(column, draw, run_time)

    def grow(
        self,
        boxes: Points,
        base: float | None = None,
        fills: Points | None = None,
        run_time: float = motion.SLOW,
    ) -> Animation:
        """Return the animation in which the bars take these boxes (None: the line stays)."""
        start, line, colors = self.boxes, self.base, self.fills
        end = line if base is None else base
        target = colors if fills is None else fills
        self.boxes, self.base, self.fills = boxes, end, target

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            shades = colors + (target - colors) * t
            self._draw(start + (boxes - start) * t, line + (end - line) * t, shades)

        return BlockAnimation(self, draw, run_time)

    def numbers(self, record: TensorRecord, elements: Places, values: Array) -> VGroup:
        """Return the numbers of these elements at the ends of their bars; none where there is no
        room for all of them."""
        board, theme, group = self.canvas.artboard, self.canvas.theme, VGroup()
        chars = min(_CHARS, int((self.pitch - board.px(8)) / (ADVANCE * board.floor)))
        for place, (x, y, wide, tall) in enumerate(self.boxes):
            text = numerals.write(values[place].item(), chars)
            if text is None:
                return VGroup()
            hangs = y > self.base - 1 and tall > 1 and values[place] < 0
            at = y + tall + 0.62 * board.floor if hangs else y - 0.62 * board.floor
            index = index_of(record, int(elements[place]))
            source = Drawn(0, text, "value", record.id, index)
            color = mix(theme.text, theme.bg, self.dims[place] * 0.6)
            group.add(self.canvas.label(text, x + wide / 2, at, board.floor, color, source=source))
        return group

    def _places(self, places: Sequence[Drawn], zone: Zone, lit: int | None) -> list[Label]:
        board, theme = self.canvas.artboard, self.canvas.theme
        widest = max(text_width(each.text, board.floor) for each in places)
        if widest > self.pitch * 0.9:
            return []
        return [
            self.canvas.label(
                each.text,
                self.left + self.pitch * (place + 0.5),
                zone.bottom - 0.45 * board.floor,
                board.floor,
                theme.focus if place == lit else theme.muted,
                source=each,
            )
            for place, each in enumerate(places)
        ]

    def _draw(self, boxes: Points, base: float, fills: Points) -> None:
        self._paint(self.parts, boxes, fills, self.dims)
        right = self.left + self.pitch * len(boxes)
        ends = np.array([(self.left, base), (right, base)])
        self.line.points = self.canvas.points(polyline(ends))
        width = self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        paint(self.line, None, self.canvas.theme.line, width)

    def _paint(self, parts: list[VMobject], boxes: Points, fills: Points, dims: Points) -> None:
        theme, edge = self.canvas.theme, self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        for part, (x, y, wide, tall), fill, dim in zip(parts, boxes, fills, dims, strict=True):
            part.points = self.canvas.points(rounded(x, y, wide, max(tall, 1.0), 0))
            paint(part, mix(fill, theme.bg, dim), mix(theme.muted, theme.bg, dim), edge)
