"""Many tensors of one step: the first ones, dots, the last one, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.text import text_width

MOST = 8
"""So many tensors are shown one by one."""

DOTS = "…"
_BEFORE, _AFTER = 3, 1
_GAP, _TICK, _LABEL, _WIDTH = 22.0, 10.0, 28.0, 4.0

_T = TypeVar("_T")


def few(each: Sequence[_T]) -> list[_T]:
    """Return all of a few, of many the first three and the last."""
    return list(each) if len(each) <= MOST else [*each[:_BEFORE], *each[-_AFTER:]]


def dotted(count: int) -> list[str]:
    """Return what stands after each of :func:`few` of so many: dots where some are left out."""
    if count <= MOST:
        return [""] * count
    return [*[""] * (_BEFORE - 1), DOTS, *[""] * _AFTER]


class Count(VGroup):
    """A bracket below tensors in a row, or at the right of tensors in a column, with how many they
    are; nothing where all of them are shown."""

    def __init__(
        self, canvas: Canvas, blocks: Sequence[TensorBlock], total: int, step: int
    ) -> None:
        super().__init__()
        if total <= len(blocks):
            return
        board, theme = canvas.artboard, canvas.theme
        boxes = np.array([block.pose.box for block in blocks])
        (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        text, size, px = str(total), board.type_size, board.px
        source = Drawn(0, text, "count", step=step)
        if boxes[-1, 0] > boxes[0, 2]:
            y = bottom + px(_GAP)
            ends = [(left, y - px(_TICK)), (left, y), (right, y), (right, y - px(_TICK))]
            at, align = ((left + right) / 2, y + px(_LABEL)), 0.5
        else:
            x = right + px(_GAP)
            ends = [(x - px(_TICK), top), (x, top), (x, bottom), (x - px(_TICK), bottom)]
            at, align = (x + px(_LABEL) - text_width("0", size) / 2, (top + bottom) / 2), 0.0
        self.add(canvas.path([(float(a), float(b)) for a, b in ends], theme.muted, px(_WIDTH)))
        x, y = (float(each) for each in at)
        self.add(canvas.label(text, x, y, size, theme.text, align=align, source=source))


def count_room(canvas: Canvas, total: int) -> tuple[float, float, float, float]:
    """Return what the bracket of a count needs around each of so many tensors."""
    board = canvas.artboard
    if total <= MOST:
        return 0.0, 0.0, 0.0, 0.0
    return 0.0, 0.0, 0.0, board.px(_GAP + _LABEL) + board.type_size / 2
