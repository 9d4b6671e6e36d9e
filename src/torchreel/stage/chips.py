"""Chips: small boxes with a name and a shape, or with the lap of a loop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from manim import VGroup, VMobject

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import Color
from torchreel.stage.text import CAP_HEIGHT, text_width

CHIP_PAD = 17
CHIP_GAP = 10

_FROM, _TO = math.radians(-60), math.radians(230)
"""Where the sign of a loop ends and begins, clockwise from the right."""


def shape_text(record: TensorRecord) -> str:
    """Return a shape as Python writes a tuple: ``(3, 4)``, ``(12,)``, ``()``."""
    return str(tuple(record.shape))


@dataclass(frozen=True)
class Named:
    """A tensor and the name it goes by on stage, or None where it has no name.

    ``gradient`` tells that it is what a ``.grad`` holds (``nothing``: the ``.grad`` of ``record``
    holds None), ``former`` that the name is another tensor's now, ``made_by`` that it is no name
    but the code of the step that made it, ``valued`` that it is the value of its one element,
    ``alone`` that there is room for the name only.
    """

    name: str | None
    record: TensorRecord
    gradient: bool = False
    former: bool = False
    made_by: Step | None = None
    nothing: bool = False
    valued: bool = False
    alone: bool = False

    @property
    def holds(self) -> Drawn | None:
        """What is told of it beside its name, if anything is: its shape, or that it holds None."""
        if self.alone and self.name:
            return None
        if self.nothing:
            return Drawn(0, "None", "plain", self.record.id)
        return Drawn(0, shape_text(self.record), "shape", self.record.id)


def name_label(
    canvas: Canvas, named: Named, text: str, x: float, y: float, size: float, color: Color
) -> VGroup:
    """Return a tensor's name, or as much of it as ``text`` is, from its left end: struck through
    where it is another tensor's now."""
    code, record = named.made_by, named.record.id
    source = Drawn(0, text, "code", step=code.number) if code else Drawn(0, text, "name", record)
    if named.valued:
        source = Drawn(0, text, "value", record, (0,) * len(named.record.shape))
    if named.former:
        color = canvas.theme.muted
    label = VGroup(canvas.label(text, x, y, size, color, align=0, source=source))
    if named.former:
        beyond, rise = 0.14 * size, 0.2 * size
        ends = [(x - beyond, y + rise), (x + text_width(text, size) + beyond, y - rise)]
        label.add(canvas.path(ends, canvas.theme.text, canvas.artboard.px(2)))
    return label


def chip_box(canvas: Canvas, x: float, width: float, line: Color, *, lit: bool) -> VMobject:
    """Return the empty box of a chip in the strip, from its left edge and its width in pixels."""
    artboard, theme = canvas.artboard, canvas.theme
    return canvas.rectangle(
        x,
        artboard.strip.y,
        width,
        artboard.strip.height,
        radius=artboard.px(8),
        fill=theme.surface2 if lit else theme.surface,
        line=line,
        stroke=artboard.px(4 if lit else 2.5),
    )


def arrow_width(canvas: Canvas, text: str) -> float:
    """Return the width in pixels of an arrow with a word over it."""
    artboard = canvas.artboard
    return max(text_width(text, artboard.type_op) + artboard.px(16), artboard.px(80))


def word_arrow(canvas: Canvas, word: Drawn, x: float) -> VGroup:
    """Return the arrow of a sentence in the strip from its left end, its word over it."""
    artboard, theme, zone = canvas.artboard, canvas.theme, canvas.artboard.strip
    width, size = arrow_width(canvas, word.text), artboard.type_op
    at, y = (x + width / 2, zone.y + size * 0.42), zone.y + zone.height * 0.75
    return VGroup(
        canvas.label(word.text, *at, size, theme.focus, weight="Medium", source=word),
        canvas.arrow((x, y), (x + width, y), theme.focus, artboard.px(4)),
    )


def lap_chip(canvas: Canvas, lap: Drawn) -> VGroup:
    """Return the lap of a loop at the left end of the strip: the sign of a loop, the lap of how
    many, and a bar that is as full."""
    board, theme = canvas.artboard, canvas.theme
    size, pad, zone = board.type_chip, board.px(CHIP_PAD), board.strip
    width, (_, done, laps) = _lap_width(canvas, lap), lap.index
    box = chip_box(canvas, zone.x, width, theme.line, lit=False)
    x = zone.x + pad + loop_width(canvas)
    label = canvas.label(lap.text, x, zone.center_y, size, theme.text, align=0, source=lap)
    stroke, inset = board.px(6), board.px(8)
    left, y = zone.x + inset, zone.bottom - stroke / 2
    full = left + (width - 2 * inset) * done / max(1, laps)
    bar = canvas.path([(left, y), (max(full, left + 0.1), y)], theme.text, stroke)
    return VGroup(box, loop_sign(canvas, zone.x + pad, zone.center_y), label, bar)


def lap_width(canvas: Canvas, lap: Drawn | None) -> float:
    """Return the room that the lap takes, with the gap after it."""
    return 0.0 if lap is None else _lap_width(canvas, lap) + canvas.artboard.px(2 * CHIP_GAP)


def _lap_width(canvas: Canvas, lap: Drawn) -> float:
    pad, size = canvas.artboard.px(CHIP_PAD), canvas.artboard.type_chip
    return text_width(lap.text, size) + loop_width(canvas) + 2 * pad


def loop_width(canvas: Canvas) -> float:
    """Return the width of the sign of a loop in a chip, with the gap after it."""
    return 1.2 * canvas.artboard.type_chip


def loop_sign(canvas: Canvas, x: float, y: float) -> VGroup:
    """Return the sign of a loop, an arrow that goes around, from its left edge; no font of the
    stage has it."""
    theme, stroke = canvas.theme, canvas.artboard.px(3.5)
    radius = CAP_HEIGHT * canvas.artboard.type_chip / 2
    angles = np.linspace(_FROM, _TO, 24)
    middle = np.array([x + radius, y])
    ring = middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    out = np.array([math.cos(_FROM), math.sin(_FROM)])
    along = np.array([out[1], -out[0]])
    tip, half = ring[0] + along * radius * 0.75, out * radius * 0.55
    head = np.array([tip, ring[0] + half, ring[0] - half, tip])
    line = canvas.path([(float(a), float(b)) for a, b in ring], theme.muted, stroke)
    return VGroup(line, canvas.shape(polyline(head), theme.muted))
