"""Activations on stage: a column of features, stacked maps of channels, a flat sample's picture."""

from __future__ import annotations

import math

import numpy as np
from manim import Group, VGroup

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import Color, mix
from torchreel.stage.layout import BracketLine
from torchreel.stage.nets.arrangement import Slot
from torchreel.stage.nets.sample import Sample
from torchreel.stage.nets.shades import Colors, boxed, ink, paper_of, shade
from torchreel.stage.picture import Picture, wiped
from torchreel.stage.text import text_width

_FRONT = 0.64
_SLOPE = 0.72
_EDGE = 2.0
_PLATES, _CLOSER = 4, 0.5
_SHEETS, _SHEET = 3, 9.0
"""So many further samples are seen behind a picture, so many pixels apart."""
_AWAY = 1.25
"""How far the size of a batch is from its slanted bracket, to that of a straight one."""


class Column(Group):
    """A sample's features one below the other on the front of a slab; values from ``limit``.

    ``paper`` draws them as ink on paper: numbers from 0 up, such as pixels.
    """

    def __init__(
        self, canvas: Canvas, slot: Slot, sample: Sample, limit: float, *, paper: bool
    ) -> None:
        self.canvas = canvas
        self.sample = sample
        self.front = front_of(slot)
        theme, px = canvas.theme, canvas.artboard.px
        depth = slot.width - self.front.width
        self._colors = _colors(canvas, sample, self.front, limit, paper=paper)
        self.picture = Picture(canvas, self._colors, self.front)
        frame = canvas.rectangle(
            self.front.x,
            self.front.y,
            self.front.width,
            self.front.height,
            line=mix(theme.muted, theme.bg, 0.25),
            stroke=px(_EDGE),
        )
        super().__init__(slab_of(canvas, self.front, depth), self.picture, frame)

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of the features; the rest are empty."""
        self.picture.paint(wiped(self._colors, self.canvas.theme.surface, share))

    def label(self, y: float, color: Color, size: float | None = None) -> VGroup:
        """Return how many features there are, to be written below."""
        return size_label(self.canvas, self.sample, self.front.center_x, y, color, size)


class Maps(Group):
    """A sample's channels, each a picture, as plates one behind the other."""

    def __init__(
        self, canvas: Canvas, slot: Slot, sample: Sample, limit: float, *, paper: bool
    ) -> None:
        self.canvas = canvas
        self.sample = sample
        theme, px = canvas.theme, canvas.artboard.px
        numbers = sample.numbers
        count = min(_PLATES, sample.features)
        step = px(11) if slot.low is None else px(11) * _CLOSER
        side = min(slot.width * 0.86, slot.left * 0.92) - step * (count - 1)
        x = slot.center_x - slot.width * 0.03 - (side + step * (count - 1)) / 2
        y = slot.center_y - side / 2 + step * (count - 1) / 2
        self.front = Zone(x, y, side, side)
        self._plates: list[tuple[Picture, Colors]] = []
        super().__init__()
        for place in reversed(range(count)):
            zone = Zone(x + place * step, y - place * step, side, side)
            one = numbers[place] if numbers is not None and numbers.ndim == 3 else np.zeros((1, 1))
            reduced = boxed(one, side, side)
            colors = ink(reduced, theme) if paper else shade(reduced, limit, theme)
            picture = Picture(canvas, colors, zone)
            self._plates.append((picture, colors))
            frame = canvas.rectangle(zone.x, zone.y, side, side, line=theme.muted, stroke=px(_EDGE))
            self.add(picture, frame)

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of every channel's rows."""
        for picture, colors in self._plates:
            picture.paint(wiped(colors, self.canvas.theme.surface, share))

    def label(self, y: float, color: Color, size: float | None = None) -> VGroup:
        """Return the sizes of one sample, to be written below."""
        return size_label(self.canvas, self.sample, self.front.center_x, y, color, size)


class Portrait(Group):
    """A flat sample of a square number of pixels, as the picture that it may be; further samples
    are sheets behind it, and a bracket says how many there are in all.

    ``zone`` is that of the picture in front.
    """

    def __init__(self, canvas: Canvas, zone: Zone, sample: Sample) -> None:
        pixels = sample.picture
        assert pixels is not None, "only a sample that may be a picture has a portrait"
        px, theme = canvas.artboard.px, canvas.theme
        batch = batch_of(sample)
        step, sheets = px(_SHEET), min(_SHEETS, batch - 1)
        words = 0.7 * canvas.artboard.type_size if sheets else 0.0
        side = zone.width - sheets * step - words
        corner = (zone.right - sheets * step - side, zone.center_y - side / 2)
        self.zone = zone = Zone(*corner, side, side)
        self.colors = ink(boxed(pixels, zone.height, zone.width), theme)
        self.picture = Picture(canvas, self.colors, zone)
        edge = px(3)
        boxes = [
            canvas.rectangle(
                zone.x - edge / 2 + place * step,
                zone.y - edge / 2 - place * step,
                side + edge,
                side + edge,
                radius=px(4),
                fill=paper_of(theme) if place else None,
                line=mix(theme.muted, theme.bg, 0.5) if place else theme.muted,
                stroke=edge,
            )
            for place in reversed(range(sheets + 1))
        ]
        super().__init__(*boxes[:-1], self.picture, boxes[-1])
        if sheets:
            self.add(_batch(canvas, zone, sheets * step, sample))


def batch_of(sample: Sample) -> int:
    """Return how many samples are in the batch of which this is the first."""
    shape = sample.record.shape
    return shape[0] if len(shape) > 1 else 1


def _batch(canvas: Canvas, front: Zone, depth: float, sample: Sample) -> Bracket:
    """Return the bracket along the sheets, with the size of the batch."""
    gap, out = canvas.artboard.px(10), math.sqrt(0.5)
    start = (front.x - gap * out, front.y - gap * out)
    end = (start[0] + depth, start[1] - depth)
    return Bracket(canvas, BracketLine(0, start, end, (-_AWAY * out, -_AWAY * out)), sample.record)


def front_of(slot: Slot) -> Zone:
    """Return the front of a column's slab."""
    height = max(slot.left, slot.right)
    return Zone(slot.x, slot.center_y - height / 2, slot.width * _FRONT, height)


def slab_of(canvas: Canvas, front: Zone, depth: float) -> VGroup:
    """Return the top and the right face of a slab, ``depth`` pixels to the right."""
    theme = canvas.theme
    rise = depth * _SLOPE
    top = [
        (front.x, front.y),
        (front.x + depth, front.y - rise),
        (front.right + depth, front.y - rise),
        (front.right, front.y),
    ]
    right = [
        (front.right, front.y),
        (front.right + depth, front.y - rise),
        (front.right + depth, front.bottom - rise),
        (front.right, front.bottom),
    ]
    base = mix(theme.surface2, theme.muted, 0.35)
    faces = [
        (top, mix(base, theme.top, theme.top_light)),
        (right, mix(base, theme.side, theme.side_shade)),
    ]
    return VGroup(
        *(
            canvas.shape(
                polyline(np.array([*corners, corners[0]], dtype=float)),
                color,
                theme.bg,
                canvas.artboard.px(1.5),
            )
            for corners, color in faces
        )
    )


def size_label(
    canvas: Canvas, sample: Sample, x: float, y: float, color: Color, size: float | None = None
) -> VGroup:
    """Return the sizes of one sample, ``784`` or ``8×26×26``, ``size`` pixels large."""
    record = sample.record
    if len(record.shape) == 4:
        text = "×".join(str(size) for size in sample.sizes)
        source = Drawn(0, text, "shape", record.id)
        board = canvas.artboard
        size = size or min(board.type_size, board.type_chip)
        least = board.margin + text_width(text, size) / 2
        x = min(max(x, least), board.width - least)  # wider than what stands at the edge
        return VGroup(canvas.label(text, x, y, size, color, source=source))
    text = str(sample.features)
    source = Drawn(0, text, "size", record.id, (len(record.shape) - 1,))
    size = size or canvas.artboard.type_title
    return VGroup(canvas.label(text, x, y, size, color, source=source))


def _colors(canvas: Canvas, sample: Sample, front: Zone, limit: float, *, paper: bool) -> Colors:
    theme = canvas.theme
    column = sample.column
    if column is None or not column.size:
        return np.tile(theme.surface, (1, 1, 1))
    reduced = boxed(column, front.height, front.width)
    return ink(reduced, theme) if paper else shade(reduced, limit, theme)
