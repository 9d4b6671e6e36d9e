"""How a tensor is read from memory: its strides beside its block, and the hops on the tape."""

from __future__ import annotations

import numpy as np
from manim import VGroup, VMobject

from torchreel.records import Drawn
from torchreel.stage.artboard import Artboard
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas, first_part, polyline
from torchreel.stage.colors import Color
from torchreel.stage.layout import Margins
from torchreel.stage.motion import ease
from torchreel.stage.tape import MemoryTape, OnTape
from torchreel.stage.text import text_width

_TABLE = 2
_STEPS = 9
"""So many elements of a dimension are walked along at most."""

_HEAD, _OFF, _CLEAR = 15.0, 9.0, 5.0
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


class Hops(OnTape):
    """Arcs at the tape: from a tensor's first element one stride on, along each dimension; to
    ``walk`` is to go on like that along the rows, from a caret at the first element on.

    They rise as far as ``ceiling``, in pixels. Where there is room between the tape and the strip,
    on film, they hang below the tape instead, and each step of a walk says how far it goes.
    """

    def __init__(
        self,
        canvas: Canvas,
        tape: MemoryTape,
        block: TensorBlock,
        ceiling: float,
        *,
        walk: bool = False,
    ) -> None:
        super().__init__()
        self.canvas, self.tape, self.record = canvas, tape, block.record
        board, rank = canvas.artboard, len(block.record.shape)
        self.hangs = hangs(canvas, tape)
        self._bound = board.strip.y if self.hangs else ceiling
        walked = self._walked() if walk else None
        widest = max((stride for _, stride in self._hops(None)), default=0)
        self.add(tape.frame_of(self.record.offset, canvas.theme.text))
        self._steps: list[VGroup] = []
        for dim, stride in self._hops(first=walked):
            steps = self.record.shape[dim] - 1 if dim == walked else 1
            for step in range(steps):
                start = self.record.offset + step * stride
                tells = walk and self.hangs and stride == widest and walked in (dim, None)
                told = dim if tells else None
                self._steps.append(self._step(start, start + stride, dim - rank, told))
        rings = [part for step in self._steps for part in step[:1]]
        self.add(*rings, *(part for step in self._steps for part in step[1:]))
        self._whole = [[part.points.copy() for part in each.get_family()] for each in self._steps]
        if walk:
            self.add(self._caret())

    @property
    def steps(self) -> int:
        """How many arcs there are."""
        return len(self._steps)

    def grow(self, share: float) -> None:
        """Draw the arcs one after the other, as far as ``share`` (0 to 1) of them all."""
        for at, (step, whole) in enumerate(zip(self._steps, self._whole, strict=True)):
            here = ease(share * self.steps - at)
            for part, points in zip(step.get_family(), whole, strict=True):
                part.points = points if here >= 1 else np.zeros((0, 3))
            line, points = step[1], whole[step.get_family().index(step[1])]
            line.points = first_part(points, here) if here > 0 else np.zeros((0, 3))

    def put_out(self) -> bool:
        """Tell that hops go when something else is lit."""
        return True

    def _hops(self, first: int | None) -> list[tuple[int, int]]:
        """Return the dimensions along which there is a next element, with their strides: that which
        comes ``first``, then those with wider hops."""
        sizes = zip(self.record.shape, self.record.stride, strict=True)
        found = [(dim, by) for dim, (size, by) in enumerate(sizes) if size > 1 and by > 0]
        return sorted(found, key=lambda each: (each[0] != first, -each[1]))

    def _walked(self) -> int | None:
        """Return the dimension that is walked along: the first one in which there is a next element
        of at most two, where arrows can be told from each other."""
        hops = sorted(self._hops(None))
        if not hops or len(self.record.shape) > _TABLE:
            return None
        dim, stride = hops[0]
        wide = self.tape.stance[0] * self.tape.slot * stride
        few = self.record.shape[dim] <= _STEPS
        return dim if few and wide > 2 * self.canvas.artboard.px(_HEAD) else None

    def _edge(self, slot: int) -> tuple[float, float]:
        return self.tape.bottom_of(slot) if self.hangs else self.tape.top_of(slot)

    def _step(self, start: int, end: int, dim: int, told: int | None) -> VGroup:
        """Return a ring around the slot that is reached, the arc, its tip and, where it is ``told``
        along which dimension, how far it goes; wider arcs are higher."""
        canvas, px, size = self.canvas, self.canvas.artboard.px, self.canvas.artboard.floor
        color, width, head, off = dim_color(canvas, dim), px(4.0), px(_HEAD), px(_OFF)
        away = 1.0 if self.hangs else -1.0
        (x0, y0), (x1, y1) = self._edge(start), self._edge(end)
        # The tip's end is steeper, and higher.
        room = abs(self._bound - y0) - off - width - head / 2
        room -= 1.3 * size if self.hangs else px(_CLEAR)
        rise = min(room, 0.34 * abs(x1 - x0)) * 4 / 3
        low, tip = y0 + away * off, y1 + away * off
        curve = np.array(
            [
                (x0, low),
                (x0, low + away * rise),
                (x1, tip + away * (head + rise)),
                (x1, tip + away * head * 0.7),
            ]
        )
        corners = [
            (x1, tip),
            (x1 - 0.56 * head, tip + away * head),
            (x1, tip + away * 0.72 * head),
            (x1 + 0.56 * head, tip + away * head),
            (x1, tip),
        ]
        parts = VGroup(
            self.tape.frame_of(end, canvas.theme.text),
            canvas.shape(curve, None, color, width),
            canvas.shape(polyline(np.array(corners)), color),
        )
        if told is not None:
            text = f"+{self.record.stride[told]}"
            source = Drawn(0, text, "stride", self.record.id, (told,))
            y = low + 0.75 * rise + width + 0.65 * size
            parts.add(canvas.label(text, (x0 + x1) / 2, y, size, color, source=source))
        return parts

    def _caret(self) -> VMobject:
        """Return the caret below the slot from which on the tensor is read."""
        px, (x, y) = self.canvas.artboard.px, self.tape.bottom_of(self.record.offset)
        tip, side = y + px(_OFF), px(_HEAD)
        corners = [(x, tip), (x + 0.7 * side, tip + side), (x - 0.7 * side, tip + side), (x, tip)]
        return self.canvas.shape(polyline(np.array(corners)), self.canvas.theme.text)


def hangs(canvas: Canvas, tape: MemoryTape) -> bool:
    """Tell whether hops have room below a tape."""
    return canvas.artboard.code is not None and tape.stance[1] <= 0
