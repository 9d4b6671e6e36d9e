"""What is lit and what is written large: the focus frame and a line of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn, Trace
from torchreel.stage import numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, rounded
from torchreel.stage.colors import ink_on
from torchreel.stage.motion import ease
from torchreel.stage.text import text_width

Points = NDArray[np.float64]
Part = str | tuple[TensorBlock, int]
"""A sign, or an element of a block."""

_WIDTH = 6.0
_RADIUS = 8.0
_FRAMES = 8
_LINE_CELL = 1.7


class Focus(VMobject):
    """The focus frame on a block: one around cells that stand together, else one around each."""

    def __init__(self, canvas: Canvas, block: TensorBlock) -> None:
        super().__init__()
        self.canvas, self.block = canvas, block
        self._boxes: Points = np.zeros((0, 4))

    def move(
        self, cells: NDArray[np.int64] | None, elements: Any, run_time: float
    ) -> BlockAnimation:
        """Return the animation in which the frame goes to these cells (None: the whole block)."""
        target = self._around(cells, elements)
        start = self._boxes if len(self._boxes) == len(target) else _shrunk(target)
        self._boxes = target

        def draw(alpha: float) -> None:
            boxes = start + (target - start) * ease(alpha)
            px = self.canvas.artboard.px
            frames = [rounded(x, y, w, h, px(_RADIUS)) for x, y, w, h in boxes]
            points = np.concatenate(frames) if frames else np.zeros((0, 2))
            self.points = self.canvas.points(points)
            paint(self, None, self.canvas.theme.focus, self.canvas.stroke(px(_WIDTH)))

        return BlockAnimation(self, draw, run_time)

    def _around(self, cells: NDArray[np.int64] | None, elements: Any) -> Points:
        pose = self.block.pose
        if not len(self.block.elements) and elements is not None:
            return self._part_of_slab(elements)
        if cells is None or not len(cells):
            left, top, right, bottom = pose.front
            return np.array([[left, top, right - left, bottom - top]])
        corners = pose.corners[cells]
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0) + pose.size
        inside = ((pose.corners >= [x0 - 1, y0 - 1]) & (pose.corners <= [x1 - 1, y1 - 1])).all(
            axis=1
        )
        together = len(cells) == inside.sum() or len(cells) > _FRAMES
        if together:
            return np.array([[x0, y0, x1 - x0, y1 - y0]])
        return np.array([[x, y, pose.size, pose.size] for x, y in corners])

    def _part_of_slab(self, elements: Any) -> Points:
        """Return the box of a slab's front that these elements take; a line stays visible."""
        pose, shape = self.block.pose, self.block.record.shape
        left, top, right, bottom = pose.front
        wanted = np.asarray(elements)
        wanted = np.flatnonzero(wanted) if wanted.dtype == np.bool_ else wanted.ravel()
        rows, columns = (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
        if self.block.mode == "column" and len(shape) == 1:
            rows, columns = columns, rows
        i, j = wanted // columns % rows, wanted % columns
        least = self.canvas.artboard.px(8)
        x, y = left + j.min() / columns * (right - left), top + i.min() / rows * (bottom - top)
        w = max(least, (j.max() - j.min() + 1) / columns * (right - left))
        h = max(least, (i.max() - i.min() + 1) / rows * (bottom - top))
        return np.array([[min(x, right - w), min(y, bottom - h), w, h]])


def _shrunk(boxes: Points) -> Points:
    small = boxes.copy()
    small[:, :2] += boxes[:, 2:] * 0.25
    small[:, 2:] *= 0.5
    return small


class WrittenLine(VGroup):
    """Cells and signs in a line, as large as the zone allows: ``10 + 3 = 13``."""

    def __init__(self, canvas: Canvas, parts: Sequence[Part], zone: Zone, trace: Trace) -> None:
        super().__init__()
        self.canvas, self.trace = canvas, trace
        board = canvas.artboard
        size = board.type_title
        height = min(size * _LINE_CELL, zone.height * 0.92) if zone.height else size * _LINE_CELL
        texts = [self._text(part) for part in parts]
        widths = [
            max(height, text_width(text, size) + board.px(16))
            if isinstance(part, tuple)
            else text_width(text, size)
            for part, text in zip(parts, texts, strict=True)
        ]
        gap = board.px(14)
        total = sum(widths) + gap * (len(parts) - 1)
        if total > zone.width > 0:
            scale = zone.width / total
            size, gap, widths = (
                max(board.floor, size * scale),
                gap * scale,
                [w * scale for w in widths],
            )
            total = zone.width
        x, y = zone.center_x - total / 2, zone.center_y
        for part, text, width in zip(parts, texts, widths, strict=True):
            self._put(part, text, x, y, width, height, size)
            x += width + gap

    def _text(self, part: Part) -> str:
        if isinstance(part, str):
            return part
        block, element = part
        values = self.trace.values.get(block.record.id)
        if values is None:
            return "?"
        return numerals.write(values.ravel()[element].item(), 6) or "…"

    def _put(
        self, part: Part, text: str, x: float, y: float, width: float, height: float, size: float
    ) -> None:
        theme, middle = self.canvas.theme, x + width / 2
        if isinstance(part, str):
            source = Drawn(0, text, "sign")
            self.add(self.canvas.label(text, middle, y, size, theme.muted, source=source))
            return
        block, element = part
        cells = block.cells_of([element])
        fill = block.fills[cells[0]] if len(cells) else theme.surface2
        self.add(
            self.canvas.rectangle(
                x, y - height / 2, width, height, radius=self.canvas.artboard.px(4), fill=fill
            )
        )
        index = tuple(int(i) for i in np.unravel_index(element, block.record.shape))
        source = Drawn(0, text, "value", block.record.id, index)
        self.add(self.canvas.label(text, middle, y, size, ink_on(fill, theme), source=source))
