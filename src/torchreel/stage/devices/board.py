"""A device as a board on which tensors and models stand."""

from __future__ import annotations

from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color, Theme, mix
from torchreel.stage.text import text_width

_TINT = 0.12
_DOTS = 36.0


class Board(VGroup):
    """The board of one device, tinted in its colour; any but the CPU has a grid of dots.

    ``tensor`` is a record whose device it is.
    """

    def __init__(self, canvas: Canvas, zone: Zone, device: str, tensor: int) -> None:
        self.canvas, self.zone, self.device, self.tensor = canvas, zone, device, tensor
        theme, artboard = canvas.theme, canvas.artboard
        px = artboard.px
        color = device_color(device, theme)
        super().__init__(
            canvas.rectangle(
                zone.x,
                zone.y,
                zone.width,
                zone.height,
                radius=px(22),
                fill=mix(theme.bg, color, _TINT),
                line=color,
                stroke=px(4),
            )
        )
        size = artboard.type_chip
        width = text_width(device, size) + 2 * px(14)
        height = size * 1.7
        x, y = zone.right - width - px(14), zone.y + px(14)
        if device != "cpu":
            self.add(self._dots(color, Zone(x, y, width, height)))
        badge = canvas.rectangle(
            x, y, width, height, radius=px(8), fill=theme.bg, line=color, stroke=px(3)
        )
        source = Drawn(0, device, "device", tensor)
        middle = (x + width / 2, y + height / 2)
        self.add(badge, canvas.label(device, *middle, size, color, source=source))

    @property
    def room(self) -> Zone:
        """The part of the board in which things stand."""
        px = self.canvas.artboard.px
        top = self.canvas.artboard.type_chip * 1.7 + px(26)
        return self.zone.inset(left=px(22), top=top, right=px(22), bottom=px(22))

    def _dots(self, color: Color, badge: Zone) -> VGroup:
        px = self.canvas.artboard.px
        step, r = px(_DOTS), px(2.6)
        dim = mix(self.canvas.theme.bg, color, 0.34)
        dots = VGroup()
        x = self.zone.x + step * 0.8
        while x < self.zone.right - step * 0.4:
            y = self.zone.y + step * 0.8
            while y < self.zone.bottom - step * 0.4:
                free = y > badge.bottom + r or x < badge.x - r
                if free:
                    box = (x - r, y - r, 2 * r, 2 * r)
                    dots.add(self.canvas.rectangle(*box, radius=r, fill=dim))
                y += step
            x += step
        return dots


def device_color(device: str, theme: Theme) -> Color:
    """Return the colour of a device: the CPU's, an accelerator's, muted for ``meta``."""
    kind = device.partition(":")[0]
    return {"cpu": theme.cpu, "meta": theme.muted}.get(kind, theme.cuda)
