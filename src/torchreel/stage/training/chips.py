"""Chips of a loop in the strip: what it counts with, and which lap it is in."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import CHIP_GAP, CHIP_PAD, chip_box, loop_sign, loop_width
from torchreel.stage.colors import Color
from torchreel.stage.text import text_width


def chip_row(
    canvas: Canvas, chips: Sequence[tuple[Drawn, ...]], *, color: Color | None = None
) -> VGroup:
    """Return chips side by side in the strip, the last one lit; each holds texts of the trace.

    The first of two texts is a name. ``color`` is the lit chip's, focus if there is none.
    """
    artboard, theme = canvas.artboard, canvas.theme
    size, pad, gap = artboard.type_chip, artboard.px(CHIP_PAD), artboard.px(CHIP_GAP)
    signs = [loop_width(canvas) if chip[0].source == "lap" else 0.0 for chip in chips]
    texts = [text_width(" ".join(each.text for each in chip), size) for chip in chips]
    widths = [sign + text + 2 * pad for sign, text in zip(signs, texts, strict=True)]
    x = artboard.strip.center_x - (sum(widths) + gap * max(0, len(widths) - 1)) / 2
    row = VGroup()
    for place, (chip, width) in enumerate(zip(chips, widths, strict=True)):
        lit = place == len(chips) - 1
        zone = artboard.strip
        line = (color if color is not None else theme.focus) if lit else theme.line
        row.add(chip_box(canvas, x, width, line, lit=lit))
        at = x + pad + signs[place]
        if signs[place]:
            row.add(loop_sign(canvas, x + pad, zone.center_y))
        for text in chip:
            strong = text is chip[-1]
            ink = (color if color is not None and lit else theme.text) if strong else theme.muted
            row.add(canvas.label(text.text, at, zone.center_y, size, ink, align=0, source=text))
            at += text_width(text.text + " ", size)
        x += width + gap
    return row
