"""The four stations of a training loop in a ring: forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from manim import Group, VGroup

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, Label, dashes, recolor, redraw, rounded
from torchreel.stage.colors import Color, mix
from torchreel.stage.nets.arrangement import tall
from torchreel.stage.text import cut, text_width
from torchreel.stage.training.changes import Change
from torchreel.stage.training.tiles import Kept

FORWARD, LOSS, BACKWARD, STEP = range(4)

_GAP_X, _GAP_Y = 0.13, 0.14
"""Gaps between the cards, as shares of the zone."""

_EDGE, _DISC, _NAME = 15, 22, 72
"""How far a number's disc is from its card's corner, its radius, and where a name begins (px)."""

_HEAP = 3
"""At most so many arrows, one above the other, show passes that were added up."""

_NORM = "|grad|"
"""The length of all gradients together, as mathematics writes it."""


@dataclass(frozen=True)
class Moment:
    """What the ring shows at a moment: which ``station`` is lit, and what is known by then.

    ``names`` are what the code calls at each station (texts of the trace); ``forward`` and
    ``backward`` the features before and after the layers that data and gradients pass. An unknown
    ``loss`` is ``?``. ``passes`` tells how many passes are in the gradients that are there,
    ``gradient`` the norm of all of them together, if it is known; ``emptied`` that they have just
    been thrown away: their card is lit then.
    ``change`` is what the last step changed; ``kept`` the weight that no step changes, where the
    loop has none. ``all_run`` tells that many laps pass at once: no card is lit, and none is dim.
    """

    station: int | None = None
    names: Mapping[int, Sequence[Drawn]] = field(default_factory=dict)
    forward: Sequence[int] = (1, 1)
    backward: Sequence[int] = (1, 1)
    loss: Drawn | None = None
    gradient: Drawn | None = None
    passes: int = 0
    emptied: bool = False
    change: Change | None = None
    kept: Kept | None = None
    all_run: bool = False

    @property
    def lit(self) -> int | None:
        """The station whose card is lit."""
        return BACKWARD if self.emptied and self.station is None else self.station


class TrainingRing(Group):
    """Cards 1 to 4, clockwise from the top left, with arrows from each to the next.

    One card and the arrow into it are lit; :meth:`tell` says which. The card of a step that the
    loop lacks is an empty place, and no arrow goes there.
    """

    def __init__(self, canvas: Canvas, zone: Zone) -> None:
        self.canvas, self.zone = canvas, zone
        self.moment = Moment()
        width = zone.width * (1 - _GAP_X) / 2
        height = zone.height * (1 - _GAP_Y) / 2
        right, low = zone.right - width, zone.bottom - height
        corners = ((zone.x, zone.y), (right, zone.y), (right, low), (zone.x, low))
        self.cards = [Zone(x, y, width, height) for x, y in corners]
        super().__init__()

    def tell(self, moment: Moment) -> None:
        """Show a moment of the loop."""
        self.moment = moment
        self.submobjects = []
        lacks = moment.kept is not None
        for place, card in enumerate(self.cards):
            self.add(self._place(card) if lacks and place == STEP else self._card(place, card))
            self.add(self._head(place, card))
        self._arrows = [self._arrow(place, lacks) for place in range(len(self.cards))]
        self._value = VGroup(self._loss(moment.loss))
        self.add(*self._arrows, self._chain(FORWARD), self._value)
        self.add(self._chain(BACKWARD), self._step())

    def turn(self, share: float) -> None:
        """Let the arrows light up one after the other, once around as ``share`` goes from 0 to 1;
        no card is lit."""
        for place, arrow in enumerate(self._arrows):
            away = abs((share * len(self.cards) - place - 0.5 + 2) % len(self.cards) - 2)
            color = mix(self.canvas.theme.line, self._color(place), max(0.0, 1 - away))
            for part in arrow:
                recolor(part, color)

    def write_loss(self, loss: Drawn | None) -> None:
        """Write another loss in its card."""
        redraw(self._value, VGroup(self._loss(loss)))

    def _color(self, station: int) -> Color:
        theme = self.canvas.theme
        return {BACKWARD: theme.grad, STEP: theme.param}.get(station, theme.text)

    def _ink(self, station: int, color: Color) -> Color:
        """Return a colour as it is in a card that is lit, or not."""
        theme = self.canvas.theme
        full = self.moment.all_run or station == self.moment.lit
        return color if full else mix(theme.surface, color, 0.55)

    def _card(self, place: int, card: Zone) -> VGroup:
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        lit = place == self.moment.lit
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
        return VGroup(box)

    def _place(self, card: Zone) -> VGroup:
        """Return the dashed outline of a card that is not there."""
        px = self.canvas.artboard.px
        sides = rounded(card.x, card.y, card.width, card.height, px(20)).reshape(-1, 4, 2)
        parts = [piece for side in sides for piece in dashes(side, px(16))]
        return VGroup(self.canvas.shape(np.concatenate(parts), None, self.canvas.theme.line, px(4)))

    def _head(self, place: int, card: Zone) -> VGroup:
        """Return the number of a station and what the code calls there."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        lit = place == self.moment.lit
        r = px(_DISC)
        x, y = card.x + px(_EDGE) + r, card.y + px(_EDGE) + r
        fill = self._color(place) if lit else theme.surface2
        disc = canvas.rectangle(x - r, y - r, 2 * r, 2 * r, radius=r, fill=fill)
        text = str(place + 1)
        ink = theme.bg if lit else theme.muted
        size = max(canvas.artboard.floor, px(28))
        group = VGroup(disc, canvas.label(text, x, y, size, ink, source=Drawn(0, text, "sign")))
        names = self._fitting(self.moment.names.get(place, ()), card)
        size = canvas.artboard.type_chip
        at = card.x + px(_NAME)
        strong = self._color(place) if lit else theme.muted
        for name in names:
            group.add(
                canvas.label(name.text, at, y, size, strong, weight="Medium", align=0, source=name)
            )
            at += text_width(f"{name.text} ", size)
        if place == STEP and self.moment.kept is not None:
            end = at - text_width(" ", size)
            group.add(canvas.path([(card.x + px(_NAME), y), (end, y)], theme.muted, px(4)))
        return group

    def _fitting(self, names: Sequence[Drawn], card: Zone) -> list[Drawn]:
        """Return the last of these names, as many as have room in a card; the very last is cut."""
        board, found = self.canvas.artboard, list(names)
        room = card.width - board.px(_NAME + 16)
        most = int(room / text_width("0", board.type_chip))
        while len(found) > 1 and len(" ".join(each.text for each in found)) > most:
            found.pop(0)
        return [replace(each, text=cut(each.text, most)) for each in found]

    def _arrow(self, place: int, lacks: bool) -> VGroup:
        """Return the arrow into a station; there is none to or from a step that is lacking."""
        px, card, before = self.canvas.artboard.px, self.cards[place], self.cards[place - 1]
        if lacks and STEP in (place, (place - 1) % len(self.cards)):
            return VGroup()
        gap = px(9)
        ends = {
            FORWARD: ((card.center_x, before.y - gap), (card.center_x, card.bottom + gap)),
            LOSS: ((before.right + gap, card.center_y), (card.x - gap, card.center_y)),
            BACKWARD: ((card.center_x, before.bottom + gap), (card.center_x, card.y - gap)),
            STEP: ((before.x - gap, card.center_y), (card.right + gap, card.center_y)),
        }[place]
        lit = place == self.moment.lit and not self.moment.emptied
        color = self._color(place) if lit else self.canvas.theme.line
        return self.canvas.arrow(*ends, color, px(8 if lit else 7))

    def _inside(self, station: int) -> Zone:
        px = self.canvas.artboard.px
        top = _EDGE + 2 * _DISC + 6
        return self.cards[station].inset(left=px(40), top=px(top), right=px(40), bottom=px(18))

    def _chain(self, station: int) -> VGroup:
        """Return the layers as bars with arrows between, against the way for backward."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        moment, zone = self.moment, self._inside(station)
        told = self._gradient(zone) if station == BACKWARD else None
        if told is not None:
            zone = zone.inset(bottom=canvas.artboard.type_chip * 1.1)
        layers = moment.forward if station == FORWARD else moment.backward
        most = max(layers)
        wide = min(px(36), zone.width / (2.2 * len(layers)))
        step = (zone.width - wide) / max(1, len(layers) - 1)
        heap = range(max(1, min(_HEAP, moment.passes if station == BACKWARD else 1)))
        empty = station == BACKWARD and not moment.passes
        arrow = theme.line if empty else self._ink(station, self._color(station))
        group = VGroup() if told is None else VGroup(told)
        for place, features in enumerate(layers):
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
                firm = min(px(8), abs(end - start) / 8, zone.height / (5.5 * len(heap) - 0.5))
                for each in heap:
                    y = zone.center_y + (each - (len(heap) - 1) / 2) * 5.5 * firm
                    group.add(canvas.arrow((start, y), (end, y), arrow, firm))
        return group

    def _gradient(self, zone: Zone) -> VGroup | None:
        """Return the norm of the gradients that are there, and what it is of."""
        source = self.moment.gradient
        if source is None:
            return None
        size = self.canvas.artboard.type_chip
        ink = self._ink(BACKWARD, self.canvas.theme.grad)
        y = zone.bottom - size * 0.4
        sign = Drawn(0, _NORM, "sign")
        x = zone.center_x - text_width(f"{_NORM} {source.text}", size) / 2
        faint = mix(ink, self.canvas.theme.muted, 0.5)
        return VGroup(
            self.canvas.label(_NORM, x, y, size, faint, weight="Medium", align=0, source=sign),
            self.canvas.label(
                source.text, x + text_width(f"{_NORM} ", size), y, size, ink, align=0, source=source
            ),
        )

    def _loss(self, loss: Drawn | None) -> Label:
        canvas, artboard = self.canvas, self.canvas.artboard
        zone = self._inside(LOSS)
        value = loss or Drawn(0, "?", "sign")
        ink = canvas.theme.line if loss is None else self._ink(LOSS, canvas.theme.text)
        big = min(artboard.px(84), zone.width / text_width(value.text, 1.0))
        return canvas.label(value.text, zone.center_x, zone.center_y, big, ink, source=value)

    def _step(self) -> Group:
        moment, zone = self.moment, self._inside(STEP)
        if moment.kept is not None:
            return moment.kept.draw(zone)
        lit = moment.lit == STEP
        return Group() if moment.change is None else moment.change.draw(zone, lit=lit)
