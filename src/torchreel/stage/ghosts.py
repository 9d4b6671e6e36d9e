"""Arrows along which a tensor is seen again and again: by a stride of 0, nothing is copied."""

from __future__ import annotations

from manim import VGroup

from torchreel.records import Drawn, TensorRecord
from torchreel.stage.artboard import Artboard
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.form import DEPTH_X
from torchreel.stage.layout import Margins
from torchreel.stage.seen import Seen
from torchreel.stage.text import text_width

_GAP, _WIDTH, _TEXT = 24, 6, "+0"


class GhostArrows(VGroup):
    """``+0`` along each of the last two dimensions in which a block is only seen repeated."""

    def __init__(self, canvas: Canvas, block: TensorBlock) -> None:
        super().__init__()
        artboard, theme = canvas.artboard, canvas.theme
        px, size, record = artboard.px, artboard.type_size, block.record
        left, top, right, bottom = block.placement.pose.front
        side, gap = block.placement.pose.size, px(_GAP)
        across, down = _repeated(record)
        rank = len(record.shape)
        if across:
            y = bottom + gap
            self.add(canvas.arrow((left + side, y), (right, y), theme.focus, px(_WIDTH)))
            source = Drawn(0, _TEXT, "stride", record.id, (rank - 1,))
            at = ((left + side + right) / 2, y + gap * 0.6 + size * 0.5)
            self.add(canvas.label(_TEXT, *at, size, theme.focus, source=source))
        if down:
            x = right + DEPTH_X * block.placement.pose.depth + gap
            self.add(canvas.arrow((x, top + side), (x, bottom), theme.focus, px(_WIDTH)))
            source = Drawn(0, _TEXT, "stride", record.id, (rank - 2,))
            self.add(
                canvas.label(
                    _TEXT, x, bottom + size * 0.5 + gap * 0.4, size, theme.focus, source=source
                )
            )


def arrow_room(record: TensorRecord, artboard: Artboard) -> Margins:
    """Return the room that the arrows of a tensor need around it: left, top, right, bottom."""
    across, down = _repeated(record)
    half = text_width(_TEXT, artboard.type_size) / 2
    below = artboard.px(_GAP) * 1.6 + artboard.type_size
    beside = artboard.px(_GAP) + half if down else 0.0
    return 0.0, 0.0, beside, below if across or down else 0.0


def _repeated(record: TensorRecord) -> tuple[bool, bool]:
    """Tell whether the last dimension, and the one before it, are there by a stride of 0."""
    if not isinstance(record, Seen):
        return False, False
    lasting = [
        size > 1 and step == 0 for size, step in zip(record.shape, record.stride, strict=True)
    ]
    return (lasting or [False])[-1], (lasting[-2] if len(lasting) > 1 else False)
