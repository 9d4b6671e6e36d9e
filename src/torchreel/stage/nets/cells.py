"""The last layer of a network as cells: indices, values as colours, bars, the greatest lit."""

from __future__ import annotations

import numpy as np
from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, Label, Switch
from torchreel.stage.colors import Color, ink_on, mix
from torchreel.stage.nets.arrangement import Slot
from torchreel.stage.nets.column import size_label
from torchreel.stage.nets.sample import Sample
from torchreel.stage.nets.shades import shade
from torchreel.stage.text import text_width

_INDEX, _CELL = 0.16, 0.22
_BAR_FROM = 90
_BAR_LEAST = 36
_CHARS = 5


class Cells(VGroup):
    """Each feature of a small last layer: its index, a cell, and a bar where it is positive.

    Where they are ``scores`` the greatest is lit: its index large, a ring, its bar and its value in
    focus.
    """

    def __init__(
        self, canvas: Canvas, slot: Slot, sample: Sample, limit: float, *, scores: bool
    ) -> None:
        self.canvas = canvas
        self.sample = sample
        numbers = sample.numbers
        known = numbers is not None and numbers.ndim == 1 and np.isfinite(numbers).all()
        self.count = sample.features
        self.best = int(np.argmax(numbers)) if known and numbers is not None else None
        self.lit = self.best if self.count > 1 and scores else None
        self.pitch = min(slot.zone.height / self.count, canvas.artboard.px(60))
        self.slot = slot
        self.top = slot.center_y - self.pitch * self.count / 2
        self.cell_x = slot.x + slot.width * _INDEX
        self.cell_width = slot.width * _CELL
        self.digits = self._digits() if known else None
        if self.digits is not None:
            size = canvas.artboard.floor
            self.cell_x = (
                slot.x + text_width("0", canvas.artboard.type_size) + canvas.artboard.px(14)
            )
            self.cell_width = text_width("−0.00", size) + canvas.artboard.px(10)
        fills = shade(numbers, limit, canvas.theme) if known and numbers is not None else None
        rows = [self._row(place, fills, lit=place == self.lit) for place in range(self.count)]
        super().__init__(*(part for row in rows for part in row))
        self._switches = [tuple(Switch(part) for part in row) for row in rows]
        self.reveal(1.0)

    def _digits(self) -> list[str] | None:
        """Return the numbers as they are written in their cells; None where there is no room."""
        artboard = self.canvas.artboard
        room = text_width("00−0.00", artboard.floor) + artboard.px(24 + 11 + _BAR_LEAST)
        if self.pitch < artboard.floor * 1.02 or self.slot.width < room:
            return None
        assert self.sample.numbers is not None
        return numerals.write_all(self.sample.numbers, _CHARS)

    @property
    def middle_x(self) -> float:
        """The x of the middle of the cells."""
        return self.cell_x + self.cell_width / 2

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of the values; the greatest is lit when all are there."""
        there = round(self.count * share)
        for place, (empty, index, chosen, cell, lit) in enumerate(self._switches):
            best = share >= 1 and place == self.lit
            index.turn(not best)
            chosen.turn(best)
            cell.turn(place < there)
            empty.turn(place >= there)
            lit.turn(share >= 1)

    def label(self, y: float, color: Color, size: float | None = None) -> VGroup:
        """Return how many features there are, to be written below."""
        return size_label(self.canvas, self.sample, self.middle_x, y, color, size)

    def _row(
        self,
        place: int,
        fills: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None,
        *,
        lit: bool,
    ) -> tuple[VGroup, Label, Label, VGroup, VGroup]:
        """Return a row's empty cell, its index plain and lit, its cell, and what marks it."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        y = self.top + self.pitch * place
        inset = min(px(4), self.pitch * 0.07)
        box = (self.cell_x, y + inset, self.cell_width, self.pitch - 2 * inset)
        empty = canvas.rectangle(*box, fill=theme.surface, line=theme.line, stroke=px(2))
        fill = theme.surface if fills is None else fills[place]
        cell = VGroup(canvas.rectangle(*box, fill=fill))
        if self.digits is not None:
            source = Drawn(0, self.digits[place], "value", self.sample.record.id, self._at(place))
            ink = ink_on(fill, theme)
            at = (self.middle_x, y + self.pitch / 2)
            size = canvas.artboard.floor
            cell.add(canvas.label(self.digits[place], *at, size, ink, source=source))
        index, chosen = (self._index(place, y + self.pitch / 2, lit=on) for on in (False, True))
        marks = VGroup()
        if lit:
            ring = px(5)
            marks.add(
                canvas.rectangle(
                    box[0] - ring / 2,
                    box[1] - ring / 2,
                    box[2] + ring,
                    box[3] + ring,
                    radius=px(6),
                    line=theme.focus,
                    stroke=ring,
                )
            )
        marks.add(*self._bar(place, y, lit=lit))
        return VGroup(empty), index, chosen, cell, marks

    def _at(self, place: int) -> tuple[int, ...]:
        return (0, place) if len(self.sample.record.shape) == 2 else (place,)

    def _index(self, place: int, y: float, *, lit: bool) -> Label:
        canvas, artboard = self.canvas, self.canvas.artboard
        size = min(self.pitch * 0.92, artboard.type_size if lit else artboard.type_op)
        text = str(place)
        return canvas.label(
            text,
            self.cell_x - artboard.px(10),
            y,
            max(size, artboard.floor),
            canvas.theme.focus if lit else canvas.theme.muted,
            align=1.0,
            source=Drawn(0, text, "index", self.sample.record.id, (place,)),
        )

    def _bar(self, place: int, y: float, *, lit: bool) -> list[VGroup]:
        canvas, theme, artboard = self.canvas, self.canvas.theme, self.canvas.artboard
        numbers = self.sample.numbers
        if numbers is None or self.best is None or float(numbers[place]) <= 0:
            return []
        share = float(numbers[place]) / float(numbers[self.best])
        x = self.cell_x + self.cell_width + artboard.px(11)
        room = self.slot.x + self.slot.width - x
        text = numerals.write(float(numbers[place]), 5) if lit or self.count == 1 else None
        size = artboard.type_op
        after = text_width("00.00", size) + artboard.px(8)
        if self.digits is not None or room - after < artboard.px(_BAR_FROM):
            text, after = None, 0.0
        width = max(artboard.px(5), share * (room - after))
        height = min(self.pitch * 0.5, artboard.px(22))
        color = theme.focus if lit else mix(theme.muted, theme.bg, 0.15)
        ink = theme.focus if lit else theme.text
        bar = canvas.rectangle(
            x, y + (self.pitch - height) / 2, width, height, radius=artboard.px(4), fill=color
        )
        found = [VGroup(bar)]
        if text is not None:
            source = Drawn(0, text, "value", self.sample.record.id, self._at(place))
            middle = y + self.pitch / 2
            at = x + width + artboard.px(8)
            found.append(VGroup(canvas.label(text, at, middle, size, ink, align=0, source=source)))
        return found
