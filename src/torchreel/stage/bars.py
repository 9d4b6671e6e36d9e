"""Bars: a row of numbers as heights over one line, and as parts of one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import Animation, VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Array, Drawn
from torchreel.stage import motion, numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label, paint, polyline, rounded
from torchreel.stage.colors import ink_on, mix
from torchreel.stage.fills import by_place
from torchreel.stage.text import ADVANCE, text_width

MOST = 32
"""So many bars can be told apart."""

Points = NDArray[np.float64]

_PITCH, _WIDE, _DIM = 120.0, 0.62, 0.6
_CHARS, _EDGE, _CLEAR = 5, 2.5, 12.0
_BRACKET, _TICK = 14.0, 10.0


class Bars(VGroup):
    """Bars of ``heights`` (n,) over a line; below it the place of each along its dimension.

    ``zone`` is the room for bars, numbers and places. Each bar has the hue of its place, so that it
    is found again in the column. What the numbers are is written by :meth:`numbers`: a label of its
    own, which comes and goes.
    """

    def __init__(self, canvas: Canvas, zone: Zone, heights: Array, places: Sequence[Drawn]) -> None:
        self.canvas, self.zone = canvas, zone
        board, count = canvas.artboard, len(heights)
        self.pitch = min(board.px(_PITCH), zone.width / count)
        self.left = zone.center_x - self.pitch * count / 2
        text = board.floor * 1.25
        self.room = zone.inset(top=text + board.px(_CLEAR), bottom=text + board.px(_CLEAR))
        self.parts = [VMobject() for _ in heights]
        self.line = VMobject()
        self.places = self._places(places)
        super().__init__(*self.parts, self.line, *self.places)
        self.fills = by_place(np.linspace(0, 1, count) if count > 1 else np.zeros(1), canvas.theme)
        self.dims = np.zeros(count)
        self.boxes, self.base = self.stand(heights)
        self._draw(self.boxes, self.base, self.dims)

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

    def in_pile(
        self, x: float, width: float, values: Array, sources: Sequence[Drawn], total: Drawn
    ) -> VGroup:
        """Return the numbers in the parts of the column that :meth:`pile` makes, where they have
        room, and beside all of them a bracket with their sum."""
        canvas, board, group = self.canvas, self.canvas.artboard, VGroup()
        y = self.room.bottom
        whole = self.boxes[:, 3].sum() or 1.0
        for value, source, box, fill in zip(values, sources, self.boxes, self.fills, strict=True):
            tall = box[3] / whole * self.room.height
            text = numerals.write(value.item(), _CHARS)
            y -= tall
            if text is not None and tall > board.floor * 1.1:
                at, ink = y + tall / 2, ink_on(fill, canvas.theme)
                told = replace(source, text=text)
                group.add(canvas.label(text, x + width / 2, at, board.floor, ink, source=told))
        edge, tick = x - board.px(_BRACKET), board.px(_TICK)
        ends = [(edge + tick, self.room.y), (edge, self.room.y)]
        ends += [(edge, self.room.bottom), (edge + tick, self.room.bottom)]
        focus, left = canvas.theme.focus, edge - board.px(_BRACKET)
        group.add(canvas.path(ends, focus, board.px(4)))
        at = self.room.center_y
        group.add(canvas.label(total.text, left, at, board.type_size, focus, align=1, source=total))
        return group

    def grow(
        self,
        heights: Array,
        lit: int | None = None,
        run_time: float = motion.SLOW,
    ) -> Animation:
        """Return the animation in which the bars take these heights, and all but the one that is
        lit, where one is, go dim."""
        start, line, dims = self.boxes, self.base, self.dims
        end, base = self.stand(heights)
        after = np.zeros(len(dims)) if lit is None else np.full(len(dims), _DIM)
        if lit is not None:
            after[lit] = 0
        self.boxes, self.base, self.dims = end, base, after

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            self._draw(
                start + (end - start) * t, line + (base - line) * t, dims + (after - dims) * t
            )

        return BlockAnimation(self, draw, run_time)

    def numbers(self, values: Array, sources: Sequence[Drawn]) -> VGroup:
        """Return the numbers ``values`` (n,) at the ends of their bars, each with where it comes
        from; none where there is no room for all of them."""
        board, theme, group = self.canvas.artboard, self.canvas.theme, VGroup()
        chars = min(_CHARS, int((self.pitch - board.px(8)) / (ADVANCE * board.floor)))
        for place, (x, y, wide, tall) in enumerate(self.boxes):
            text = numerals.write(values[place].item(), chars)
            if text is None:
                return VGroup()
            hangs = y > self.base - 1 and tall > 1 and values[place] < 0
            at = y + tall + 0.62 * board.floor if hangs else y - 0.62 * board.floor
            color = mix(theme.text, theme.bg, self.dims[place] * 0.6)
            told = replace(sources[place], text=text)
            group.add(self.canvas.label(text, x + wide / 2, at, board.floor, color, source=told))
        return group

    def mark(self, place: int) -> VMobject | None:
        """Return a frame around the place of a bar; None where the places are not written."""
        if not self.places:
            return None
        board, size = self.canvas.artboard, self.canvas.artboard.floor
        label = self.places[place]
        wide = max(text_width(label.text, size) + board.px(20), 0.8 * _WIDE * self.pitch)
        x = self.left + self.pitch * (place + 0.5)
        return self.canvas.rectangle(
            x - wide / 2,
            self.zone.bottom - 1.05 * size,
            wide,
            1.2 * size,
            radius=board.px(8),
            line=self.canvas.theme.focus,
            stroke=board.px(4),
        )

    def _places(self, places: Sequence[Drawn]) -> list[Label]:
        board, theme = self.canvas.artboard, self.canvas.theme
        widest = max(text_width(each.text, board.floor) for each in places)
        if widest > self.pitch * 0.9:
            return []
        return [
            self.canvas.label(
                each.text,
                self.left + self.pitch * (place + 0.5),
                self.zone.bottom - 0.45 * board.floor,
                board.floor,
                theme.muted,
                source=each,
            )
            for place, each in enumerate(places)
        ]

    def _draw(self, boxes: Points, base: float, dims: Points) -> None:
        self._paint(self.parts, boxes, self.fills, dims)
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
