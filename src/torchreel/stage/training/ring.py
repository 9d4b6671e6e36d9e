"""The four stations of a training loop in a ring: forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Sequence

from manim import Group, VGroup

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.colors import Color, mix
from torchreel.stage.nets.arrangement import tall
from torchreel.stage.text import text_width
from torchreel.stage.training.tiles import Change

FORWARD, LOSS, BACKWARD, STEP = range(4)

_GAP_X, _GAP_Y = 0.13, 0.14
"""Gaps between the cards, as shares of the zone."""


class TrainingRing(Group):
    """Cards 1 to 4, clockwise from the top left, with arrows from each to the next.

    ``features`` are the sizes of the layers that data passes. One card and the arrow into it are
    lit; :meth:`light` says which. An unknown loss is ``?``.
    """

    def __init__(self, canvas: Canvas, zone: Zone, features: Sequence[int]) -> None:
        self.canvas, self.zone = canvas, zone
        self.features = list(features)
        self.loss_name: Drawn | None = None
        self.lit: int | None = None
        self.loss: Drawn | None = None
        self.change: Change | None = None
        self.gradient: Drawn | None = None
        self.emptied: Drawn | None = None
        width = zone.width * (1 - _GAP_X) / 2
        height = zone.height * (1 - _GAP_Y) / 2
        right, low = zone.right - width, zone.bottom - height
        corners = ((zone.x, zone.y), (right, zone.y), (right, low), (zone.x, low))
        self.cards = [Zone(x, y, width, height) for x, y in corners]
        super().__init__()
        self.light(None)

    def light(
        self,
        station: int | None,
        name: Drawn | None = None,
        loss: Drawn | None = None,
        change: Change | None = None,
        gradient: Drawn | None = None,
        emptied: Drawn | None = None,
    ) -> None:
        """Light a station; tell the loss by name and what the step changed, as far as known.

        ``gradient`` is the norm of the gradient that is there, ``emptied`` the name of the op that
        has just thrown it away: then the card in which it was is lit.
        """
        self.lit = BACKWARD if emptied is not None and station is None else station
        self.loss_name, self.loss, self.change = name, loss, change
        self.gradient, self.emptied = gradient, emptied
        self.submobjects = []
        for place, card in enumerate(self.cards):
            self.add(self._card(place, card), self._arrow(place))
        self.add(self._chain(FORWARD), self._loss(), self._chain(BACKWARD), self._step())

    def _color(self, station: int) -> Color:
        theme = self.canvas.theme
        return {BACKWARD: theme.grad, STEP: theme.param}.get(station, theme.text)

    def _ink(self, station: int, color: Color) -> Color:
        """Return a colour as it is in a card that is lit, or not."""
        theme = self.canvas.theme
        return color if station == self.lit else mix(theme.surface, color, 0.55)

    def _card(self, place: int, card: Zone) -> VGroup:
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        lit = place == self.lit
        box = canvas.rectangle(
            card.x,
            card.y,
            card.width,
            card.height,
            radius=px(20),
            fill=theme.surface2 if lit else theme.surface,
            line=self._color(place) if lit else theme.line,
            stroke=px(6 if lit else 2.5),
        )
        r = px(22)
        x, y = card.x + px(15) + r, card.y + px(15) + r
        disc = canvas.rectangle(
            x - r,
            y - r,
            2 * r,
            2 * r,
            radius=r,
            fill=self._color(place) if lit else theme.surface2,
        )
        text = str(place + 1)
        ink = theme.bg if lit else theme.muted
        size = max(canvas.artboard.floor, px(28))
        number = canvas.label(text, x, y, size, ink, source=Drawn(0, text, "sign"))
        return VGroup(box, disc, number)

    def _arrow(self, place: int) -> VGroup:
        """Return the arrow into a station."""
        px, card, before = self.canvas.artboard.px, self.cards[place], self.cards[place - 1]
        gap = px(9)
        ends = {
            FORWARD: ((card.center_x, before.y - gap), (card.center_x, card.bottom + gap)),
            LOSS: ((before.right + gap, card.center_y), (card.x - gap, card.center_y)),
            BACKWARD: ((card.center_x, before.bottom + gap), (card.center_x, card.y - gap)),
            STEP: ((before.x - gap, card.center_y), (card.right + gap, card.center_y)),
        }[place]
        lit = place == self.lit and self.emptied is None
        color = self._color(place) if lit else self.canvas.theme.line
        return self.canvas.arrow(*ends, color, px(7 if lit else 5))

    def _inside(self, station: int) -> Zone:
        px = self.canvas.artboard.px
        return self.cards[station].inset(left=px(72), top=px(24), right=px(18), bottom=px(24))

    def _chain(self, station: int) -> VGroup:
        """Return the layers as bars with arrows between, against the way for backward."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        zone = self._inside(station)
        told = self._gradient(zone) if station == BACKWARD else None
        if told is not None:
            zone = zone.inset(bottom=canvas.artboard.type_chip * 1.3)
        count = len(self.features)
        most = max(self.features)
        wide = min(px(36), zone.width / (2.2 * count))
        step = (zone.width - wide) / max(1, count - 1)
        empty = station == BACKWARD and self.gradient is None
        arrow = theme.line if empty else self._ink(station, self._color(station))
        group = VGroup() if told is None else VGroup(told)
        for place, features in enumerate(self.features):
            height = tall(features, most, zone.height)
            x = zone.x + place * step
            bar = self._ink(station, mix(theme.surface, theme.text, 0.75))
            group.add(
                canvas.rectangle(
                    x, zone.center_y - height / 2, wide, height, radius=px(5), fill=bar
                )
            )
            if place:
                start, end = x - step + wide + px(6), x - px(6)
                if station == BACKWARD:
                    start, end = end, start
                y = zone.center_y
                group.add(canvas.arrow((start, y), (end, y), arrow, px(6)))
        return group

    def _gradient(self, zone: Zone) -> Label | None:
        """Return the norm of the gradient that is there, or the op that has just emptied it."""
        source = self.emptied or self.gradient
        if source is None:
            return None
        artboard = self.canvas.artboard
        size = min(artboard.type_chip, zone.width / text_width(source.text, 1.0))
        ink = self._ink(BACKWARD, self.canvas.theme.grad)
        y = zone.bottom - size * 0.4
        return self.canvas.label(source.text, zone.center_x, y, size, ink, source=source)

    def _loss(self) -> VGroup:
        canvas, artboard = self.canvas, self.canvas.artboard
        card = self.cards[LOSS]
        group = VGroup()
        if self.loss_name is not None:
            name = self.loss_name.text
            x = card.x + artboard.px(72)
            y = card.y + artboard.px(15 + 22)
            room = card.right - x - artboard.px(16)
            size = min(artboard.type_chip, room / text_width(name, 1.0))
            muted = canvas.theme.muted
            source = self.loss_name
            group.add(
                canvas.label(name, x, y, size, muted, weight="Medium", align=0, source=source)
            )
        value = self.loss or Drawn(0, "?", "sign")
        ink = canvas.theme.line if self.loss is None else self._ink(LOSS, canvas.theme.text)
        room = card.width - artboard.px(40)
        big = min(artboard.px(84), room / text_width(value.text, 1.0))
        at = (card.center_x, card.center_y + artboard.px(18))
        return group.add(canvas.label(value.text, *at, big, ink, source=value))

    def _step(self) -> Group:
        if self.change is None:
            return Group()
        return self.change.draw(self._inside(STEP))
