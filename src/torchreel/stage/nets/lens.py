"""A few features on both sides of a gate, large, with digits: what the function did to each."""

from __future__ import annotations

import numpy as np
from manim import VGroup, VMobject

from torchreel.records import Drawn
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import Color, ink_on
from torchreel.stage.nets.arrangement import Slot
from torchreel.stage.nets.links import Link
from torchreel.stage.nets.sample import Floats, Sample
from torchreel.stage.nets.shades import shade
from torchreel.stage.text import ADVANCE

ROWS = 6
_CHARS = 5
_DIGITS = 0.62
"""The size of the digits, in heights of a row."""


def window_of(before: Sample, after: Sample, rows: int = ROWS) -> range | None:
    """Return which features a lens of so many rows shows: the first in which most and least change.

    None where the function does not work on each feature of a column by itself.
    """
    one, other = before.numbers, after.numbers
    if one is None or other is None or one.ndim != 1 or one.shape != other.shape:
        return None
    count = len(one)
    if count <= rows:
        return range(count)
    changed = np.abs(one - other) > 1e-9
    sums = np.convolve(changed, np.ones(rows), mode="valid")
    best = int(np.argmin(np.abs(sums - rows / 2)))
    return range(best, best + rows)


class Lens(VGroup):
    """Cells of the same features before and after a gate, and the gate between them."""

    def __init__(
        self,
        canvas: Canvas,
        slot: Slot,
        link: Link,
        before: Sample,
        after: Sample,
        limit: float,
    ) -> None:
        from torchreel.stage.nets.chain import gate_of

        self.canvas, self.slot, self.limit = canvas, slot, limit
        artboard = canvas.artboard
        most = int(slot.zone.height * _DIGITS / artboard.floor)  # rows with digits that can be read
        window = window_of(before, after, max(1, min(ROWS, most)))
        assert window is not None
        assert before.numbers is not None
        assert after.numbers is not None
        self.pitch = min(slot.zone.height / len(window), artboard.px(58))
        self.type_size = min(artboard.type_chip, self.pitch * _DIGITS)
        self.cell = _CHARS * ADVANCE * self.type_size + artboard.px(18)
        self.top = slot.center_y - self.pitch * len(window) / 2
        index = artboard.px(52)
        left = slot.x + index
        right = slot.x + slot.width - self.cell - artboard.px(16)
        super().__init__()
        self.add(*self._threads(before, window, slot.x - artboard.px(26), left - index * 0.9))
        self._write_indices(before, window, left - artboard.px(10))
        self._fill(left, before, before.numbers, window, None)
        self.results = self._fill(right, after, after.numbers, window, before.numbers)
        middle = Slot(slot.part, left + self.cell, right - left - self.cell, slot.center_y, 1, 1)
        radius = min(artboard.px(58), middle.width * 0.36)
        self.add(*self._rays(left + self.cell, right, len(window)))
        self.add(gate_of(canvas, middle, link, lit=True, radius=radius))
        self.first, self.count, self.whole = window[0], len(window), len(before.numbers)

    def reveal(self, share: float) -> None:
        """Show the results of the first ``share`` of all features."""
        for place, row in enumerate(self.results):
            there = share >= 1 or (self.first + place) / self.whole < share
            (self.add if there else self.remove)(row)

    def _fill(
        self, x: float, sample: Sample, numbers: Floats, window: range, old: Floats | None
    ) -> list[VGroup]:
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        chosen = numbers[window[0] : window[-1] + 1]
        texts = numerals.write_all(chosen, _CHARS) or [""] * len(window)
        fills = shade(chosen, self.limit, theme)
        rows = []
        for place, index in enumerate(window):
            y = self.top + place * self.pitch
            box = (x, y + px(3), self.cell, self.pitch - px(6))
            row = VGroup(canvas.rectangle(*box, fill=fills[place], line=theme.line, stroke=px(1.5)))
            changed = old is not None and abs(float(old[index] - numbers[index])) > 1e-9
            if changed:
                row.add(_hatch(canvas, box, theme.muted))
            place_of = (0, index) if len(sample.record.shape) == 2 else (index,)
            source = Drawn(0, texts[place], "value", sample.record.id, place_of)
            ink = ink_on(fills[place], theme)
            at = (x + self.cell / 2, y + self.pitch / 2)
            row.add(canvas.label(texts[place], *at, self.type_size, ink, source=source))
            rows.append(row)
            self.add(row)
        return rows

    def _write_indices(self, sample: Sample, window: range, x: float) -> None:
        artboard = self.canvas.artboard
        for place, index in enumerate(window):
            y = self.top + (place + 0.5) * self.pitch
            source = Drawn(0, str(index), "index", sample.record.id, (index,))
            muted = self.canvas.theme.muted
            self.add(
                self.canvas.label(str(index), x, y, artboard.floor, muted, align=1, source=source)
            )

    def _rays(self, left: float, right: float, count: int) -> list[VMobject]:
        """Return the lines from every cell to the gate, and on to its result."""
        canvas, px = self.canvas, self.canvas.artboard.px
        x, y = (left + right) / 2, self.slot.center_y
        lines = []
        for place in range(count):
            at = self.top + (place + 0.5) * self.pitch
            for end in (left + px(6), right - px(6)):
                lines.append(canvas.path([(end, at), (x, y)], canvas.theme.line, px(2)))
        return lines

    def _threads(self, sample: Sample, window: range, start: float, end: float) -> list[VMobject]:
        """Return the two lines from the column to the lens's first and last cell."""
        canvas, slot = self.canvas, self.slot
        assert sample.numbers is not None
        lines = []
        for index, y in (
            (window[0], self.top),
            (window[-1] + 1, self.top + len(window) * self.pitch),
        ):
            at = slot.center_y - slot.left / 2 + slot.left * index / len(sample.numbers)
            width = canvas.artboard.px(2)
            lines.append(canvas.path([(start, at), (end, y)], canvas.theme.muted, width))
        return lines


def _hatch(canvas: Canvas, box: tuple[float, float, float, float], color: Color) -> VMobject:
    """Return lines at 45 degrees inside a box."""
    x, y, width, height = box
    gap = canvas.artboard.px(13)
    lines = []
    for start in np.arange(gap, width + height, gap):
        low = (x + max(0.0, start - height), y + min(start, height))
        high = (x + min(start, width), y + max(0.0, start - width))
        lines.append(polyline(np.array([low, high], dtype=float)))
    return canvas.shape(np.concatenate(lines), None, color, canvas.artboard.px(1.2))
