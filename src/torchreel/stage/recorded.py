"""What a clip says of a trace that was recorded elsewhere: its device and its date."""

from __future__ import annotations

from manim import VGroup

from torchreel.records import Drawn, Environment
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas


def recorded_label(canvas: Canvas, environment: Environment, zone: Zone) -> VGroup:
    """Return the line over the stage; ``zone`` is the stage without room for it."""
    size, theme = canvas.artboard.floor, canvas.theme
    text = f"{environment.named} {environment.recorded}"
    y, radius = zone.y + size * 0.5, size * 0.26
    source = Drawn(0, text, "recorded")
    label = canvas.label(text, zone.center_x, y, size, theme.muted, source=source)
    x = canvas.pixel(label.get_left())[0] - 4 * radius
    box = (x - radius, y - radius, 2 * radius, 2 * radius)
    return VGroup(canvas.rectangle(*box, radius=radius, fill=theme.muted), label)
