"""A line written out large: ``10 + 3 = 13``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup

from torchreel.records import Drawn, Trace
from torchreel.stage import numerals
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import ink_on
from torchreel.stage.memory import values_of
from torchreel.stage.seen import index_of
from torchreel.stage.text import text_width

Part = str | Drawn | tuple[TensorBlock, int]
"""A sign, any fact of the trace, or an element of a block."""

_CELL = 1.7
_CHARS = 6


class WrittenLine(VGroup):
    """Cells and signs in a line, as large as the zone allows."""

    def __init__(self, canvas: Canvas, parts: Sequence[Part], zone: Zone, trace: Trace) -> None:
        super().__init__()
        self.canvas, self.trace = canvas, trace
        board, texts = canvas.artboard, [_text(part, trace) for part in parts]
        size = size_of_line(parts, zone, board, trace)
        height = min(size * _CELL, zone.height * 0.92) if zone.height else size * _CELL
        widths = _widths(parts, texts, size, board)
        gap = _gap(size)
        x, y = zone.center_x - (sum(widths) + gap * (len(parts) - 1)) / 2, zone.center_y
        for part, text, width in zip(parts, texts, widths, strict=True):
            self._put(part, text, x, y, width, height, size)
            x += width + gap

    def _put(
        self, part: Part, text: str, x: float, y: float, width: float, height: float, size: float
    ) -> None:
        theme, middle = self.canvas.theme, x + width / 2
        if isinstance(part, str):
            source = Drawn(0, text, "sign")
            self.add(self.canvas.label(text, middle, y, size, theme.muted, source=source))
            return
        if isinstance(part, Drawn):
            self.add(self.canvas.label(text, middle, y, size, theme.text, source=part))
            return
        block, element = part
        cells = block.cells_of([element])
        fill = block.fills[cells[0]] if len(cells) else theme.surface2
        self.add(
            self.canvas.rectangle(
                x, y - height / 2, width, height, radius=self.canvas.artboard.px(4), fill=fill
            )
        )
        index = index_of(block.record, element)
        source = Drawn(0, text, "value", block.record.id, index)
        ink = theme.error if text == "nan" else ink_on(np.asarray(fill), theme)
        self.add(self.canvas.label(text, middle, y, size, ink, source=source))


def size_of_line(parts: Sequence[Part], zone: Zone, artboard: Artboard, trace: Trace) -> float:
    """Return the size of a line's text with which it fits a zone; it may be below the floor."""
    texts = [_text(part, trace) for part in parts]
    size = artboard.type_title
    wide = sum(_widths(parts, texts, size, artboard)) + _gap(size) * (len(parts) - 1)
    return size if wide <= zone.width or zone.width <= 0 else size * zone.width / wide


def _text(part: Part, trace: Trace) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Drawn):
        return part.text
    block, element = part
    values = values_of(trace, block.record)
    if values is None:
        return "?"
    index = index_of(block.record, element)
    place = int(np.ravel_multi_index(index, values.shape)) if index else 0
    return numerals.write_one(values, place, _CHARS) or "…"


def _widths(
    parts: Sequence[Part], texts: Sequence[str], size: float, artboard: Artboard
) -> list[float]:
    return [
        max(size * _CELL, text_width(text, size) + artboard.px(16) * size / artboard.type_title)
        if isinstance(part, tuple)
        else text_width(text, size)
        for part, text in zip(parts, texts, strict=True)
    ]


def _gap(size: float) -> float:
    return 0.3 * size
