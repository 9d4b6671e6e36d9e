"""The shapes of a broadcast, axis under axis from the right, and which axes are stretched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Animation, VGroup, VMobject

from torchreel.records import Drawn, Shape
from torchreel.stage import motion
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label, repaint
from torchreel.stage.chips import Named
from torchreel.stage.colors import mix
from torchreel.stage.text import text_width

_PITCH, _BOX = 1.5, 1.3
_PAD, _GAP, _NAME = 14.0, 8.0, 0.35


class ShapeRows(VGroup):
    """A row of sizes a tensor, the last axis at the right; an axis that a tensor lacks is blank.

    ``shape`` is what all of them are seen as: where a size is another, its axis is ``stretched``
    (box and size, None where there is none), and :meth:`light` puts it in focus.
    """

    def __init__(self, canvas: Canvas, tensors: Sequence[Named], shape: Shape, zone: Zone) -> None:
        super().__init__()
        self.canvas = canvas
        board, theme = canvas.artboard, canvas.theme
        size, pitch = board.type_size, board.type_size * _PITCH
        longest = max(len(str(each)) for named in tensors for each in (*named.record.shape, *shape))
        wide = text_width("0" * longest, size) + 2 * board.px(_PAD)
        names = [_cut(named.name or "", zone.width * _NAME, size) for named in tensors]
        beside = max(text_width(name, size) for name in names) + board.px(2 * _GAP)
        whole = beside + len(shape) * (wide + board.px(_GAP))
        left = zone.center_x - whole / 2 + beside
        top = zone.center_y - pitch * len(tensors) / 2
        self.stretched: list[tuple[VMobject, Label | None]] = []
        for row, (named, name) in enumerate(zip(tensors, names, strict=True)):
            y = top + pitch * (row + 0.5)
            if name:
                source = Drawn(0, name, "name", named.record.id)
                x = left - board.px(2 * _GAP)
                self.add(canvas.label(name, x, y, size, theme.muted, align=1, source=source))
            lead = len(shape) - len(named.record.shape)
            for axis, seen in enumerate(shape):
                own = None if axis < lead else named.record.shape[axis - lead]
                if own is None and seen == 1:
                    continue
                x = left + axis * (wide + board.px(_GAP))
                box = canvas.rectangle(
                    x,
                    y - size * _BOX / 2,
                    wide,
                    size * _BOX,
                    radius=board.px(8),
                    fill=None if own is None else theme.surface2,
                    line=theme.bg if own is None else theme.line,
                    stroke=board.px(4 if own != seen else 2.5),
                )
                self.add(box)
                label = None
                if own is not None:
                    source = Drawn(0, str(own), "size", named.record.id, (axis - lead,))
                    label = canvas.label(str(own), x + wide / 2, y, size, theme.text, source=source)
                    self.add(label)
                if own != seen:
                    self.stretched.append((box, label))

    def light(self, run_time: float = motion.BEAT) -> Animation:
        """Return the animation in which the axes that are stretched come into focus."""
        theme = self.canvas.theme

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            for box, label in self.stretched:
                line = mix(theme.bg if label is None else theme.line, theme.focus, t)
                box.stroke_rgbas = np.array([[*line, 1.0]])
                if label is not None:
                    repaint(label, mix(theme.text, theme.focus, t))

        return BlockAnimation(self, draw, run_time)


def _cut(name: str, width: float, size: float) -> str:
    """Return a name as far as it fits."""
    room = int(width / text_width("m", size))
    return name if len(name) <= room else name[: room - 1] + "…"


def rows_height(rows: int, artboard: Artboard) -> float:
    """Return the room that so many rows need, in pixels."""
    return artboard.type_size * (_PITCH * rows + 0.4)
