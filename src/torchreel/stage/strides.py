"""How a tensor is read from memory: its strides beside its block, and the hops on the tape."""

from __future__ import annotations

import numpy as np
from manim import VGroup, VMobject

from torchreel.records import Drawn
from torchreel.stage.artboard import Artboard
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import Color
from torchreel.stage.layout import Margins
from torchreel.stage.tape import MemoryTape
from torchreel.stage.text import text_width

_ROOM = (74, 40, 0, 46)
_WIDTH = 6.0
_AWAY = 22.0
_BELOW = 16.0


def stride_room(artboard: Artboard, *, brief: bool = False) -> Margins:
    """Return the room in pixels that arrows and strides need: left, top, right, bottom; ``brief``
    arrows have no strides below."""
    left, top, right, bottom = (artboard.px(side) for side in _ROOM)
    return left, top, right, 0.0 if brief else bottom


def dim_color(canvas: Canvas, dim: int) -> Color:
    """Return the colour of a dimension counted from the last (-1): the last two have their own."""
    theme = canvas.theme
    return {-1: theme.text, -2: theme.focus}.get(dim, theme.muted)


class StrideArrows(VGroup):
    """``stride (4, 1)`` under a block and, beside a table, an arrow ``+4`` down, ``+1`` across.

    Each number is the tensor's stride in elements, as torch tells it. Where there are arrows, a
    ``brief`` picture has no more than them.
    """

    def __init__(self, canvas: Canvas, block: TensorBlock, *, brief: bool = False) -> None:
        super().__init__()
        self.canvas = canvas
        sizes = block.record.shape
        arrows = len(sizes) == 2 and min(sizes) > 0 and block.has_cells
        if not (brief and arrows):
            self._write(block)
        if arrows:
            self._across(block)
            self._down(block)

    def _write(self, block: TensorBlock) -> None:
        canvas, record = self.canvas, block.record
        board, theme = canvas.artboard, canvas.theme
        left, _, right, bottom = block.pose.front
        y = bottom + board.px(_BELOW) + board.type_chip / 2
        rank = len(record.stride)
        parts: list[tuple[str, Color, Drawn | None]] = [
            ("stride ", theme.muted, None),
            ("(", theme.muted, None),
        ]
        for dim, stride in enumerate(record.stride):
            source = Drawn(0, str(stride), "stride", record.id, (dim,))
            parts.append((str(stride), dim_color(canvas, dim - rank), source))
            parts.append((", " if dim < rank - 1 else ")", theme.muted, None))
        if rank == 1:
            parts[-1] = (",)", theme.muted, None)
        if not rank:
            parts.append((")", theme.muted, None))
        size = float(board.type_chip)
        width = sum(text_width(text, size) for text, _, _ in parts)
        if width > right - left + board.px(_ROOM[0]):  # beside a narrow block stands another
            width -= text_width(parts.pop(0)[0], size)
        x = (left + right - width) / 2
        for text, color, said in parts:
            if text.strip():
                told = said or Drawn(0, text.strip(), "sign")
                lead = text_width(text, size) - text_width(text.lstrip(), size)
                label = canvas.label(text.strip(), x + lead, y, size, color, align=0, source=told)
                self.add(label)
            x += text_width(text, size)

    def _across(self, block: TensorBlock) -> None:
        board = self.canvas.artboard
        left, _, right, _ = block.pose.front
        top = block.pose.box[1] - board.px(_AWAY)
        length = min(right - left, 1.5 * block.pose.size)
        label = self._label(block, 1)
        size = float(board.type_chip)
        width = text_width(label, size)
        end = left + max(board.px(40), min(length, right - left - width - board.px(14)))
        color = dim_color(self.canvas, -1)
        self.add(self.canvas.arrow((left, top), (end, top), color, board.px(_WIDTH)))
        self._put(block, label, end + board.px(14) + width / 2, top, 1, color)

    def _down(self, block: TensorBlock) -> None:
        board = self.canvas.artboard
        left, top, _, bottom = block.pose.front
        x = left - board.px(_AWAY) - board.px(10)
        end = top + min(bottom - top - board.px(46), 1.2 * block.pose.size)
        color = dim_color(self.canvas, -2)
        self.add(self.canvas.arrow((x, top), (x, end), color, board.px(_WIDTH)))
        size = float(board.type_chip)
        self._put(block, self._label(block, 0), x, end + 0.75 * size, 0, color)

    def _label(self, block: TensorBlock, dim: int) -> str:
        return f"+{block.record.stride[dim]}"

    def _put(
        self, block: TensorBlock, text: str, x: float, y: float, dim: int, color: Color
    ) -> None:
        source = Drawn(0, text, "stride", block.record.id, (dim,))
        size = float(self.canvas.artboard.type_chip)
        self.add(self.canvas.label(text, x, y, size, color, source=source))


class Hops(VGroup):
    """Arcs over the tape: from a tensor's first element one stride on, along each dimension. They
    rise as far as ``ceiling``, in pixels."""

    def __init__(
        self, canvas: Canvas, tape: MemoryTape, block: TensorBlock, ceiling: float
    ) -> None:
        super().__init__()
        record, rank = block.record, len(block.record.shape)
        rings: list[VMobject] = [tape.frame_of(record.offset, canvas.theme.text)]
        hops = [
            (stride, dim - rank)
            for dim, (size, stride) in enumerate(zip(record.shape, record.stride, strict=True))
            if size > 1 and stride > 0
        ]
        arcs: list[VMobject] = []
        for stride, dim in sorted(hops, reverse=True):
            target = record.offset + stride
            color = dim_color(canvas, dim)
            ends = tape.top_of(record.offset), tape.top_of(target)
            arcs.append(_arc(canvas, *ends, color, ceiling))
            rings.append(tape.frame_of(target, canvas.theme.text))
        self.add(*rings, *arcs)

    def put_out(self) -> bool:
        """Tell that hops go when something else is lit."""
        return True


def _arc(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    color: Color,
    ceiling: float,
) -> VGroup:
    """Return a hop over the tape, its tip on ``end``; wider hops are higher."""
    px = canvas.artboard.px
    width, head = px(4.0), px(15.0)
    above = px(9.0)
    (x0, y0), (x1, y1) = start, end
    room = start[1] - ceiling - above - width - head / 2  # the tip's end is steeper, and higher
    rise = min(room, 0.34 * abs(x1 - x0)) * 4 / 3
    low, tip = y0 - above, y1 - above
    curve = np.array([(x0, low), (x0, low - rise), (x1, tip - head - rise), (x1, tip - head * 0.7)])
    line = canvas.shape(curve, None, color, width)
    corners = [
        (x1, tip),
        (x1 - 0.56 * head, tip - head),
        (x1, tip - 0.72 * head),
        (x1 + 0.56 * head, tip - head),
        (x1, tip),
    ]
    return VGroup(line, canvas.shape(polyline(np.array(corners)), color))
