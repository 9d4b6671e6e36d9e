"""The curve of a loss: minus the logarithm of a probability, and where on it a number lies."""

from __future__ import annotations

import numpy as np
from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.text import text_width

_LEAST = 2.5
_STEPS = 48
_DOT = 11.0


class LossCurve(VGroup):
    """``−log p`` for p from 0 to 1, with the ``height`` (a loss, 0 or more) marked on it.

    ``number`` is how that loss is written, ``share`` the p that belongs to it. Both lie where they
    belong: the curve is drawn to scale.
    """

    def __init__(
        self, canvas: Canvas, zone: Zone, height: float, number: Drawn, share: Drawn
    ) -> None:
        super().__init__()
        board, theme = canvas.artboard, canvas.theme
        size, gap = board.floor, board.px(10)
        beside = text_width(number.text, size) + gap
        area = zone.inset(left=beside, top=size * 0.4, bottom=size * 1.4, right=gap)
        top = max(_LEAST, 1.25 * height)
        p = np.linspace(np.exp(-top), 1.0, _STEPS)

        def at(share: float, loss: float) -> tuple[float, float]:
            return area.x + share * area.width, area.bottom - loss / top * area.height

        thin, thick = board.px(3), board.px(5)
        corner, high, right = (area.x, area.bottom), (area.x, area.y), (area.right, area.bottom)
        curve = [at(float(each), float(-np.log(each))) for each in p]
        x, y = at(float(np.exp(-height)), height)
        r = board.px(_DOT)
        dot = canvas.rectangle(x - r, y - r, 2 * r, 2 * r, radius=r, fill=theme.focus)
        words = canvas.label(
            "−log p",
            area.right,
            area.y + size,
            size,
            theme.muted,
            align=1,
            source=Drawn(0, "−log p", "sign"),
        )
        told = canvas.label(number.text, area.x - gap, y, size, theme.focus, align=1, source=number)
        self.add(
            canvas.path([high, corner, right], theme.line, thin),
            canvas.path(curve, theme.text, thick),
            canvas.path([(area.x, y), (x, y), (x, area.bottom)], theme.focus, thin),
            dot,
            words,
            told,
        )
        low = area.bottom + 0.9 * size
        self.add(canvas.label(share.text, x, low, size, theme.focus, source=share))
