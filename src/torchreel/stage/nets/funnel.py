"""A module with parameters: a trapezoid from what comes in to what goes out, its weight inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Group, VGroup, VMobject

from torchreel.records import Drawn, TensorRecord
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import mix
from torchreel.stage.nets.arrangement import Slot
from torchreel.stage.nets.sample import Floats
from torchreel.stage.nets.shades import boxed, limit_of, shade
from torchreel.stage.picture import Picture, wiped

_LINE, _LIT = 4.0, 6.0
_TINT = 0.2
_BESIDE = 3
"""So many matrices at most stand side by side in a funnel."""


class Funnel(Group):
    """The trapezoid of one module's call in its slot; ``weight`` is a matrix of its numbers.

    Rows of the texture are what goes out, columns what comes in, so that a row stands at the height
    of the feature that it makes, if it makes one (``by_rows``). ``kernels``: the matrix is of
    kernels side by side, all square. ``others`` are further matrices, beside the weight.
    """

    def __init__(
        self,
        canvas: Canvas,
        slot: Slot,
        weight: Floats | None,
        *,
        kernels: bool = False,
        by_rows: bool = False,
        others: Sequence[Floats] = (),
        lit: bool = False,
    ) -> None:
        self.canvas = canvas
        self.slot = slot
        self.rows = len(weight) if weight is not None and by_rows else 0
        self.tiled = weight.shape if kernels and weight is not None else None
        theme, px = canvas.theme, canvas.artboard.px
        gap = px(8)
        left, right = slot.x + gap, slot.x + slot.width - gap
        corners = [
            (left, slot.center_y - slot.left / 2),
            (right, slot.center_y - slot.right / 2),
            (right, slot.center_y + slot.right / 2),
            (left, slot.center_y + slot.left / 2),
        ]
        self.body = canvas.shape(
            polyline(np.array([*corners, corners[0]])),
            mix(theme.bg, theme.param, _TINT),
            theme.param,
            px(_LIT if lit else _LINE),
        )
        self.inner = self._inner(left, right)
        self.row = VMobject()
        self.picture: Picture | None = None
        super().__init__(self.body)
        self.zones = self._beside(1 + len(others))
        if weight is not None:
            limit = limit_of(weight, *others)
            colors = [
                shade(boxed(each, zone.height, zone.width), limit, theme)
                for each, zone in zip((weight, *others), self.zones, strict=False)
            ]
            self._colors = colors[0]
            pictures = [
                Picture(canvas, each, zone) for each, zone in zip(colors, self.zones, strict=True)
            ]
            self.picture = pictures[0]
            self.add(*pictures)
        edge = px(2)
        for zone in self.zones:
            box = (zone.x - edge / 2, zone.y - edge / 2, zone.width + edge, zone.height + edge)
            self.add(canvas.rectangle(*box, line=theme.param, stroke=edge))
        self.add(self.row)

    def _beside(self, count: int) -> list[Zone]:
        """Return where matrices stand side by side, the first few of them."""
        count = min(count, _BESIDE)
        gap = self.canvas.artboard.px(10) if count > 1 else 0.0
        width = (self.inner.width + gap) / count
        return [
            Zone(self.inner.x + place * width, self.inner.y, width - gap, self.inner.height)
            for place in range(count)
        ]

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of the weight's rows; the rest are empty."""
        if self.picture is not None:
            self.picture.paint(wiped(self._colors, self.canvas.theme.surface, share))

    def light_row(self, share: float | None) -> None:
        """Outline the row of the weight that makes the feature at ``share`` of its result."""
        theme, px = self.canvas.theme, self.canvas.artboard.px
        if share is None or not self.rows:
            self.row.points = np.zeros((0, 3))
            return
        place = min(self.rows - 1, int(share * self.rows))
        height = self.inner.height / self.rows
        tall = max(height, px(5))
        y = self.inner.y + (place + 0.5) * height - tall / 2
        bar = self.canvas.rectangle(self.inner.x - px(6), y, self.inner.width + px(12), tall)
        self.row.points = bar.points
        paint(self.row, None, theme.focus, self.canvas.stroke(px(2.5)))

    def row_end(self, share: float) -> tuple[float, float]:
        """Return where the lit row ends, in pixels."""
        return self.inner.right, self.inner.y + share * self.inner.height

    def _inner(self, left: float, right: float) -> Zone:
        slot = self.slot
        width = (right - left) * 0.68
        height = min(slot.left, slot.right) * 0.86
        narrow, wide = sorted((slot.left, slot.right))
        height = min(height + (wide - narrow) * 0.16, wide * 0.8)
        if self.tiled is not None:
            rows, columns = self.tiled
            cell = min(width / columns, height / rows)
            width, height = cell * columns, cell * rows
        return Zone((left + right) / 2 - width / 2, slot.center_y - height / 2, width, height)


def module_label(canvas: Canvas, text: str, module: int, x: float, y: float, size: float) -> VGroup:
    """Return a module's name, centred."""
    source = Drawn(0, text, "module", module=module)
    return VGroup(canvas.label(text, x, y, size, canvas.theme.param, source=source))


def weight_labels(
    canvas: Canvas, records: Sequence[TensorRecord], x: float, y: float, room: float
) -> VGroup:
    """Return the sizes of parameters side by side, centred; none where not all have room."""
    size, unit = canvas.artboard.type_chip, canvas.artboard.unit
    labels = [weight_label(canvas, each, x, y) for each in records]
    gap = size * unit
    whole = sum(label.width for label in labels) + gap * (len(labels) - 1)
    if whole >= room * unit:
        return VGroup()
    at = labels[0].get_center()[0] - whole / 2
    for label in labels:
        label.shift(np.array([at + label.width / 2 - label.get_center()[0], 0.0, 0.0]))
        at += label.width + gap
    return VGroup(*labels)


def weight_label(canvas: Canvas, record: TensorRecord, x: float, y: float) -> VGroup:
    """Return a parameter's sizes, ``128×784``, centred."""
    text = "×".join(str(size) for size in record.shape)
    source = Drawn(0, text, "shape", record.id)
    size = canvas.artboard.type_chip
    return VGroup(canvas.label(text, x, y, size, canvas.theme.param, source=source))
