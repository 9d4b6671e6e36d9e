"""What a training loop comes to: the curves of its losses, its accuracy as a bar, its weights."""

from __future__ import annotations

from collections.abc import Sequence

from manim import Group

from torchreel.records import Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.sample import Floats
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.training.axis import Guess
from torchreel.stage.training.curve import LossCurve, ShareBar
from torchreel.stage.training.facts import (
    Learner,
    Seen,
    Training,
    classes_of,
    points_of,
    records_of,
)
from torchreel.stage.training.tiles import TILES, TileShelf, liveliest

_NARROW = 560.0
"""A curve takes at least so many pixels beside another."""

_STACKED = 2
"""At most so many curves stand one above the other."""

Versions = list[tuple[int, Floats, int]]


class Progress(Group):
    """The losses, the accuracy and the weights of a training loop that has losses, in a zone.

    The curves are side by side, the bar of the accuracy below them, then a shelf of tiles for each
    matrix. ``numbered`` tells that the curves have their loss in large digits; the others stand
    beside a ring, two of them one above the other, and then no tiles.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, training: Training, zone: Zone, *, numbered: bool
    ) -> None:
        self.canvas, self.trace, self.training = canvas, trace, training
        px = canvas.artboard.px
        gap, bar_height = px(20), px(52)
        self._stacked = not numbered and len(training.losses) > 1
        losses = training.losses[
            : _STACKED if self._stacked else max(1, int(zone.width // _NARROW))
        ]
        self._learned = [
            (learner, versions)
            for learner in (() if self._stacked else training.learners)
            if (versions := records_of(trace, training, learner))
            and (learner.loss in losses or not training.steps)
        ]
        rest = zone.height - (bar_height + gap if training.share is not None else 0.0)
        tall = rest * (0.52 if self._learned else 0.95)
        y = zone.y + tall + gap
        self._bar = self._bar_in(Zone(zone.x, y, zone.width, bar_height))
        y += 0.0 if self._bar is None else bar_height + gap
        upper, lower = zone.until(zone.y + tall), Zone(zone.x, y, zone.width, zone.bottom - y)
        self.curves = self._curves_in(upper, losses, numbered=numbered)
        self._shelves = self._shelves_in(lower, losses)
        bars = [] if self._bar is None else [self._bar]
        super().__init__(*self.curves, *bars, *self._shelves)

    def come_to(self, seen: Seen, *, lit: bool) -> None:
        """Show what is known of the losses, the accuracy and the weights; the dots of the curves
        are ``lit`` or not."""
        for curve in self.curves:
            curve.come_to(seen.losses[curve.number], lit=lit)
        if self._bar is not None:
            self._bar.come_to(seen.share)
        for shelf, (learner, versions) in zip(self._shelves, self._learned, strict=True):
            known = [each for each in versions if each[0] <= seen.weights[learner.memory]]
            _, weight, record = known[-1] if known else versions[0]
            shelf.become_weight(weight, self.trace.tensor(record))

    def _curves_in(self, zone: Zone, losses: Sequence[int], *, numbered: bool) -> list[LossCurve]:
        curves = []
        for loss, own in zip(losses, self._columns(zone, len(losses)), strict=True):
            name, classes = self.trace.series[loss].name, classes_of(self.trace, loss)
            guess = None if classes is None else Guess(classes)
            points = points_of(self.trace, loss)
            curves.append(LossCurve(self.canvas, own, name, loss, points, guess, numbered=numbered))
        return curves

    def _columns(self, zone: Zone, count: int) -> list[Zone]:
        gap = self.canvas.artboard.px(32)
        if self._stacked:
            height = (zone.height - gap * (count - 1)) / count
            return [
                Zone(zone.x, zone.y + place * (height + gap), zone.width, height)
                for place in range(count)
            ]
        width = (zone.width - gap * (count - 1)) / count
        return [
            Zone(zone.x + place * (width + gap), zone.y, width, zone.height)
            for place in range(count)
        ]

    def _bar_in(self, zone: Zone) -> ShareBar | None:
        share = self.training.share
        if share is None:
            return None
        name = self.trace.series[share].name
        return ShareBar(self.canvas, zone, name, share, points_of(self.trace, share))

    def _shelves_in(self, zone: Zone, losses: Sequence[int]) -> list[TileShelf]:
        """Return a shelf for each matrix: each below the curve of its own loss, one alone over the
        whole width."""
        learned: list[tuple[Learner, Versions]] = self._learned
        most = TILES if self.canvas.artboard.code is None else 2 * TILES
        places = self._columns(zone, len(losses) if len(learned) > 1 else 1)
        shelves = []
        for learner, versions in learned:
            place = losses.index(learner.loss) if learner.loss in losses and len(learned) > 1 else 0
            first, last = versions[0][1], versions[-1][1]
            rows = liveliest(first, last, max(1, most // len(places)))
            limit = limit_of(*(weight for _, weight, _ in versions))
            shelves.append(TileShelf(self.canvas, places[place], first, rows, limit))
            shelves[-1].become_weight(first, self.trace.tensor(versions[0][2]))
        return shelves
