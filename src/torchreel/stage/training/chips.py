"""Chips side by side in the strip: what a loop counts with, what is on which device."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import (
    CHIP_GAP,
    CHIP_PAD,
    arrow_width,
    chip_box,
    loop_sign,
    loop_width,
    word_arrow,
)
from torchreel.stage.colors import Color
from torchreel.stage.text import text_width


def chip_row(
    canvas: Canvas,
    chips: Sequence[tuple[Drawn, ...]],
    *,
    color: Color | None = None,
    word: Drawn | None = None,
    lit_first: bool = False,
) -> VGroup:
    """Return chips side by side in the strip, the last one lit, or the first; each holds texts of
    the trace.

    The first of two texts is a name. ``color`` is the lit chip's, focus if there is none; an arrow
    with a ``word`` leads to the last chip.
    """
    artboard, theme = canvas.artboard, canvas.theme
    size, pad, gap = artboard.type_chip, artboard.px(CHIP_PAD), artboard.px(CHIP_GAP)
    signs, widths = _signs(canvas, chips), _widths(canvas, chips)
    x = artboard.strip.center_x - row_width(canvas, chips, word) / 2
    row = VGroup()
    for place, (chip, width) in enumerate(zip(chips, widths, strict=True)):
        last = place == len(chips) - 1
        lit = place == 0 if lit_first else last
        if word is not None and last:
            row.add(*word_arrow(canvas, word, x))
            x += arrow_width(canvas, word.text) + gap
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


def row_width(
    canvas: Canvas, chips: Sequence[tuple[Drawn, ...]], word: Drawn | None = None
) -> float:
    """Return how wide a row of chips is, in pixels."""
    widths = _widths(canvas, chips)
    if word is not None:
        widths.append(arrow_width(canvas, word.text))
    return sum(widths) + canvas.artboard.px(CHIP_GAP) * max(0, len(widths) - 1)


def _signs(canvas: Canvas, chips: Sequence[tuple[Drawn, ...]]) -> list[float]:
    return [loop_width(canvas) if chip[0].source == "lap" else 0.0 for chip in chips]


def _widths(canvas: Canvas, chips: Sequence[tuple[Drawn, ...]]) -> list[float]:
    size, pad = canvas.artboard.type_chip, canvas.artboard.px(CHIP_PAD)
    texts = [text_width(" ".join(each.text for each in chip), size) for chip in chips]
    return [x + text + 2 * pad for x, text in zip(_signs(canvas, chips), texts, strict=True)]
