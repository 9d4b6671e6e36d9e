"""The plate of two facts that clash, the cross over it, and the exception's class."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup

from torchreel.records import Drawn, Step
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color
from torchreel.stage.devices.board import device_color
from torchreel.stage.text import text_width
from torchreel.stage.training.chips import chip_row, row_width


class ClashPlate(VGroup):
    """``cpu ≠ cuda:0`` on a plate, centred on a point; the facts in ``colors``.

    An index that is out of bounds reads ``index 3 ≥ size 3``, or ``index -4 < -3``.
    """

    def __init__(
        self, canvas: Canvas, step: Step, x: float, y: float, colors: tuple[Color, Color]
    ) -> None:
        assert step.clash is not None
        theme, px = canvas.theme, canvas.artboard.px
        size = canvas.artboard.type_title * 1.15
        first, sign, second = _relation(step.clash.facts)
        text = f"{first} {sign} {second}"
        width, height = text_width(text, size) + 2 * px(30), size * 1.75
        box = (x - width / 2, y - height / 2, width, height)
        super().__init__(
            canvas.rectangle(*box, radius=px(16), fill=theme.bg, line=theme.error, stroke=px(5))
        )
        at = x - text_width(text, size) / 2
        for part, color in ((first, colors[0]), (sign, theme.error), (second, colors[1])):
            source = Drawn(0, part, "sign" if part == sign else "clash", step=step.number)
            self.add(canvas.label(part, at, y, size, color, align=0, source=source))
            at += text_width(f"{part} ", size)


def _relation(facts: tuple[str, ...]) -> tuple[str, str, str]:
    """Return two facts that clash, and between them how they do."""
    first, second = facts
    index, size = (fact.rpartition(" ") for fact in facts)
    if (index[0], size[0]) != ("index", "size"):
        return first, "≠", second
    if index[2].startswith("-"):
        return first, "<", f"-{size[2]}"
    return first, "≥", second


class Cross(VGroup):
    """A cross in a ring of this radius, in pixels."""

    def __init__(self, canvas: Canvas, x: float, y: float, radius: float) -> None:
        theme, px = canvas.theme, canvas.artboard.px
        r, arm = radius, radius / 3
        ring = canvas.rectangle(
            x - r, y - r, 2 * r, 2 * r, radius=r, fill=theme.bg, line=theme.error, stroke=px(6)
        )
        strokes = [
            canvas.path([(x - arm, y - s * arm), (x + arm, y + s * arm)], theme.error, px(8))
            for s in (1, -1)
        ]
        super().__init__(ring, *strokes)


def error_chip(canvas: Canvas, step: Step, others: Sequence[tuple[Drawn, ...]] = ()) -> VGroup:
    """Return the chip in the strip with the exception's class, and others after it."""
    assert step.clash is not None
    chips = [(Drawn(0, step.clash.type, "clash", step=step.number),), *others]
    while len(chips) > 1 and row_width(canvas, chips) > canvas.artboard.strip.width:
        chips.pop()
    return chip_row(canvas, chips, color=canvas.theme.error, lit_first=True)


def fact_colors(canvas: Canvas, step: Step) -> tuple[Color, Color]:
    """Return the colours of a clash's facts: those of their devices, else plain text."""
    assert step.clash is not None
    if step.clash.kind != "device":
        return canvas.theme.text, canvas.theme.text
    first, second = (device_color(fact, canvas.theme) for fact in step.clash.facts)
    return first, second
