"""The plate of two facts that clash, the cross over it, and a plug too short for its socket."""

from __future__ import annotations

import re

import numpy as np
from manim import VGroup

from torchreel.records import Clash, Drawn, Step, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.chips import shape_text
from torchreel.stage.colors import Color, mix
from torchreel.stage.devices.board import device_color
from torchreel.stage.text import text_width
from torchreel.stage.training.chips import chip_row

_UNEQUAL = " ≠ "
_PRODUCT = re.compile(r"\((\d+x\d+) and (\d+x\d+)\)")
"""How torch names two matrices that cannot be multiplied."""


class ClashPlate(VGroup):
    """``cpu ≠ cuda:0`` on a plate, centred on a point; the facts in ``colors``."""

    def __init__(
        self, canvas: Canvas, step: Step, x: float, y: float, colors: tuple[Color, Color]
    ) -> None:
        assert step.clash is not None
        theme, px = canvas.theme, canvas.artboard.px
        size = canvas.artboard.type_title * 1.15
        facts = step.clash.facts
        text = _UNEQUAL.join(facts)
        width, height = text_width(text, size) + 2 * px(30), size * 1.75
        box = (x - width / 2, y - height / 2, width, height)
        super().__init__(
            canvas.rectangle(*box, radius=px(16), fill=theme.bg, line=theme.error, stroke=px(5))
        )
        at = x - text_width(text, size) / 2
        for part, color in ((facts[0], colors[0]), ("≠", theme.error), (facts[1], colors[1])):
            source = Drawn(0, part, "sign" if part == "≠" else "clash", step=step.number)
            if part == "≠":
                at += text_width(" ", size)
            self.add(canvas.label(part, at, y, size, color, align=0, source=source))
            at += text_width(part, size)
            if part == "≠":
                at += text_width(" ", size)


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


class Misfit(VGroup):
    """Two tensors whose facts do not fit: a plug for the first, a socket for the second.

    Where the facts are sizes the plug is as much shorter or longer than the socket as they are.
    """

    def __init__(self, canvas: Canvas, trace: Trace, step: Step, zone: Zone) -> None:
        self.canvas, self.trace = canvas, trace
        clash = step.clash
        assert clash is not None
        theme, px = canvas.theme, canvas.artboard.px
        super().__init__()
        top = zone.y + canvas.artboard.type_chip * 2.4
        room = Zone(zone.x, top, zone.width, zone.height * 0.48)
        first, second = self._heights(clash, room.height)
        y, middle = room.center_y, room.center_x
        plug = (middle - px(150), y - first / 2, px(96), first)
        dark = mix(theme.bg, theme.error, 0.25)
        self.add(
            canvas.path([(zone.x + px(60), y), (plug[0], y)], theme.error, px(7)),
            canvas.rectangle(*plug, radius=px(6), fill=dark, line=theme.error, stroke=px(4)),
            self._socket(middle + px(60), y, second),
        )
        self._titles(step, clash, zone)
        plate_y = zone.bottom - canvas.artboard.type_title * 1.2
        colors = (theme.text, theme.text)
        self.add(Cross(canvas, middle - px(6), top - px(8), radius=px(44)))
        self.add(ClashPlate(canvas, step, zone.center_x, plate_y, colors))
        self._product(step, clash, zone.center_x, plate_y - canvas.artboard.type_title * 1.75)

    def _product(self, step: Step, clash: Clash, x: float, y: float) -> None:
        """Write the product of matrices that the message says cannot be made."""
        found = _PRODUCT.search(clash.message)
        if found is None:
            return
        canvas, theme = self.canvas, self.canvas.theme
        one, other = (each.replace("x", "×") for each in found.groups())
        size = canvas.artboard.type_size
        at = x - text_width(f"{one} @ {other}", size) / 2
        for text, kind in ((one, "clash"), ("@", "sign"), (other, "clash")):
            source = Drawn(0, text, "sign" if kind == "sign" else "clash", step=step.number)
            ink = theme.muted if kind == "sign" else theme.text
            self.add(canvas.label(text, at, y, size, ink, align=0, source=source))
            at += text_width(text + " ", size)

    def _heights(self, clash: Clash, room: float) -> tuple[float, float]:
        if clash.kind != "shape" or not all(fact.isdigit() for fact in clash.facts):
            return room * 0.6, room * 0.6
        sizes = np.sqrt([float(fact) for fact in clash.facts])
        heights = np.maximum(sizes / max(float(sizes.max()), 1e-9) * room, room * 0.12)
        return float(heights[0]), float(heights[1])

    def _socket(self, x: float, y: float, height: float) -> VGroup:
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        depth, wide = px(60), px(170)
        bracket = [(x, y - height / 2), (x + depth, y - height / 2)]
        lower = [(x + depth, y + height / 2), (x, y + height / 2)]
        body = [*bracket, *lower]
        block = np.array(
            [
                (x + depth, y - height / 2 - px(16)),
                (x + depth + wide, y - height / 2 - px(16)),
                (x + depth + wide, y + height / 2 + px(16)),
                (x + depth, y + height / 2 + px(16)),
                (x + depth, y - height / 2 - px(16)),
            ]
        )
        fill = mix(theme.bg, theme.param, 0.2)
        return VGroup(
            canvas.shape(polyline(block), fill, theme.param, px(4)),
            canvas.path([(float(a), float(b)) for a, b in body], theme.error, px(6)),
        )

    def _titles(self, step: Step, clash: Clash, zone: Zone) -> None:
        canvas, artboard = self.canvas, self.canvas.artboard
        tensors = [
            step.operands[at].tensor
            for at in clash.operands
            if at < len(step.operands) and step.operands[at].tensor is not None
        ]
        room = zone.width / 2 - artboard.px(20)
        for place, tensor in enumerate(tensors[:2]):
            assert tensor is not None
            record = self.trace.tensor(tensor)
            text = shape_text(record)
            size = min(artboard.type_chip, room / text_width(text, 1.0))
            if size < artboard.floor:
                continue
            x = zone.center_x + (-1 if place == 0 else 1) * zone.width / 4
            source = Drawn(0, text, "shape", record.id)
            y = zone.y + artboard.type_chip * 0.7
            self.add(canvas.label(text, x, y, size, canvas.theme.text, source=source))


def error_chip(canvas: Canvas, step: Step) -> VGroup:
    """Return the chip in the strip with the exception's class."""
    assert step.clash is not None
    source = Drawn(0, step.clash.type, "clash", step=step.number)
    return chip_row(canvas, [(source,)], color=canvas.theme.error)


def fact_colors(canvas: Canvas, step: Step) -> tuple[Color, Color]:
    """Return the colours of a clash's facts: those of their devices, else plain text."""
    assert step.clash is not None
    if step.clash.kind != "device":
        return canvas.theme.text, canvas.theme.text
    first, second = (device_color(fact, canvas.theme) for fact in step.clash.facts)
    return first, second
