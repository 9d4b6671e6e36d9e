"""Three dots in a row: for what is left out."""

from __future__ import annotations

from manim import VGroup

from torchreel.stage.canvas import Canvas


def dots_of(canvas: Canvas, x: float, y: float) -> VGroup:
    """Return dots around a point, in pixels."""
    r, step = canvas.artboard.px(4.5), canvas.artboard.px(17)
    color = canvas.theme.muted
    return VGroup(
        *(
            canvas.rectangle(x + place * step - r, y - r, 2 * r, 2 * r, radius=r, fill=color)
            for place in (-1, 0, 1)
        )
    )
