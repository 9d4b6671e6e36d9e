"""A module with parameters: a trapezoid from what comes in to what goes out, its weight inside."""

from __future__ import annotations

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


class Funnel(Group):
    """The trapezoid of one module's call in its slot; ``weight`` is a matrix of its numbers.

    Rows of the texture are what goes out, columns what comes in, so that a row stands at the height
    of the feature that it makes. ``kernels``: the matrix is of kernels side by side, all square.
    """

    def __init__(
        self,
        canvas: Canvas,
        slot: Slot,
        weight: Floats | None,
        *,
        kernels: bool = False,
        lit: bool = False,
    ) -> None:
        self.canvas = canvas
        self.slot = slot
        self.rows = 0 if weight is None or kernels else len(weight)
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
        if weight is not None:
            reduced = boxed(weight, self.inner.height, self.inner.width)
            colors = shade(reduced, limit_of(weight), theme)
            self._colors = colors
            self.picture = Picture(canvas, colors, self.inner)
            self.add(self.picture)
        edge = px(2)
        self.add(
            canvas.rectangle(
                self.inner.x - edge / 2,
                self.inner.y - edge / 2,
                self.inner.width + edge,
                self.inner.height + edge,
                line=theme.param,
                stroke=edge,
            ),
            self.row,
        )

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


def weight_label(canvas: Canvas, record: TensorRecord, x: float, y: float) -> VGroup:
    """Return a parameter's sizes, ``128×784``, centred."""
    text = "×".join(str(size) for size in record.shape)
    source = Drawn(0, text, "shape", record.id)
    size = canvas.artboard.type_chip
    return VGroup(canvas.label(text, x, y, size, canvas.theme.param, source=source))
