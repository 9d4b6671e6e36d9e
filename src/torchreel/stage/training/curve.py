"""The loss over many laps as a curve, an accuracy as a bar, the weights as tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manim import Group, LineJointType, VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn
from torchreel.stage import numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, Label, Switch, paint, polyline, redraw
from torchreel.stage.colors import Color, mix
from torchreel.stage.text import text_width
from torchreel.stage.training.axis import Guess, axis, below, crossed, gutter, scale_of
from torchreel.stage.training.facts import SLOW_LAPS

Floats = NDArray[np.float64]

BINS = 200
"""A curve of more laps shows the mean, the least and the greatest value of so many stretches."""


@dataclass(frozen=True)
class Binned:
    """A series in stretches of laps: first and last lap, mean, least, greatest value of each, and
    its value in the last lap."""

    first: Floats
    last: Floats
    value: Floats
    mean: Floats
    low: Floats
    high: Floats


def binned(points: Floats, most: int = BINS) -> Binned:
    """Return a series (n, 2) of lap and value in at most so many stretches; NaN stays NaN.

    The laps that the ring shows one by one are stretches of their own.
    """
    slow = int(np.searchsorted(points[:, 0], SLOW_LAPS, side="right"))
    parts, rest = np.split(points[:slow], range(1, slow)) if slow else [], points[slow:]
    if len(rest):
        parts += np.array_split(rest, min(most - slow, len(rest)))
    return Binned(
        first=np.array([part[0, 0] for part in parts]),
        last=np.array([part[-1, 0] for part in parts]),
        value=np.array([part[-1, 1] for part in parts]),
        mean=np.array([part[:, 1].mean() for part in parts]),
        low=np.array([part[:, 1].min() for part in parts]),
        high=np.array([part[:, 1].max() for part in parts]),
    )


class LossCurve(Group):
    """A series as a curve from its first lap to the last, with a dot where it has come to.

    The bright line is the mean of each stretch, the faint band reaches from its least to its
    greatest value; ``number`` is the series' position in the trace. The large number is that of
    the lap that it has come to; a curve that is not ``numbered`` lacks it. What is above the axis
    leaves the picture.
    """

    def __init__(
        self,
        canvas: Canvas,
        zone: Zone,
        name: str,
        number: int,
        points: Floats,
        guess: Guess | None = None,
        *,
        numbered: bool = True,
    ) -> None:
        self.canvas, self.zone, self.number, self.numbered = canvas, zone, number, numbered
        self.name, self.bins = name, binned(points)
        theme, artboard = canvas.theme, canvas.artboard
        px = artboard.px
        self.extent = scale_of(self.bins.mean, guess)
        self.first, self.last = float(points[0, 0]), float(points[-1, 0])
        left = gutter(canvas, self.extent)
        self.plot = zone.inset(left=left, top=px(16), right=px(10), bottom=px(12))
        if not self._is_free(self.value_box):
            beside = self.plot.inset(right=self.value_box.width)
            under = self.plot.inset(top=self.value_box.bottom - zone.y)
            self.plot = max(beside, under, key=lambda each: each.width * each.height)
        source = Drawn(0, name, "series", index=(number,))
        label = canvas.label(
            name,
            zone.right,
            zone.y + artboard.type_chip * 0.5,
            artboard.type_chip,
            theme.muted,
            weight="Medium",
            align=1.0,
            source=source,
        )
        self.band, self.line, self.dot = VMobject(), VMobject(), VMobject()
        self.line.joint_type = LineJointType.ROUND
        self.value = VGroup()
        axes = axis(canvas, self.extent, self.plot, self.value_box, number)
        peak, self._highest = self._peak()
        self._peak_shown = Switch(peak)
        super().__init__(axes, self.band, self.line, self.dot, label, self.value, peak)
        self.come_to(int(points[0, 0]), lit=True)

    @property
    def value_box(self) -> Zone:
        """Where the name and the number stand: the upper right corner."""
        artboard, zone = self.canvas.artboard, self.zone
        if not self.numbered:
            width = text_width(self.name, artboard.type_chip) + artboard.px(16)
            return Zone(zone.right - width, zone.y, width, artboard.type_chip * 1.15)
        size = artboard.type_title * 1.5
        width = text_width("0.000", size) + artboard.px(16)
        return Zone(zone.right - width, zone.y, width, artboard.type_chip * 1.15 + size)

    def _is_free(self, box: Zone) -> bool:
        """Tell whether the curve and its band pass below a box."""
        under = np.isfinite(self.bins.high) & (self._x(self.bins.last) >= box.x)
        tops = self._y(np.minimum(self.bins.high[under], self.extent.top))
        return bool((tops > box.bottom).all())

    def lap_at(self, share: float) -> int:
        """Return the last lap of the stretch at a share of those after the slow laps."""
        slow = int(np.searchsorted(self.bins.last, SLOW_LAPS, side="right"))
        count = slow + round(share * (len(self.bins.last) - slow))
        return int(self.bins.last[max(0, count - 1)])

    def come_to(self, lap: int, *, lit: bool) -> None:
        """Draw the curve as far as it is known after a lap, its dot ``lit`` or not; of lap 0, its
        axis alone."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        count = int(np.searchsorted(self.bins.last, lap, side="right"))
        there = np.isfinite(self.bins.mean[:count])
        mean, low, high = (
            np.stack([self.bins.last[:count], values[:count]], axis=1)[there]
            for values in (self.bins.mean, self.bins.low, self.bins.high)
        )
        top = self.extent.top
        parts = [polyline(self._at(part)) for part in below(mean, top)] or [np.zeros((0, 2))]
        self.line.points = canvas.points(np.concatenate(parts))
        paint(self.line, None, theme.text, canvas.stroke(px(4)))
        band = self._at(np.concatenate([crossed(high, top), crossed(low, top)[::-1]]))
        closed = polyline(np.array([*band, band[0]])) if there.sum() > 1 else np.zeros((0, 2))
        self.band.points = canvas.points(closed)
        paint(self.band, mix(theme.bg, theme.muted, 0.22), None, 0)
        if len(mean):
            x, y = self._at(mean[-1:])[0]
            r = px(12)
            self.dot.points = canvas.rectangle(x - r, y - r, 2 * r, 2 * r, radius=r).points
            paint(self.dot, theme.focus if lit else theme.text, theme.bg, canvas.stroke(px(3)))
        else:
            self.dot.points = self.dot.points[:0]
        self._peak_shown.turn(count > self._highest)
        self.told = self._last_told(count - 1) if count else None
        if self.numbered:
            self._write(self.told)

    def _peak(self) -> tuple[VGroup, int]:
        """Return the greatest mean beside the place where the curve left the picture for it, with
        an arrow, and its stretch; nothing where the curve stays."""
        board = self.canvas.artboard
        mean = np.nan_to_num(self.bins.mean, nan=-np.inf, posinf=-np.inf)
        highest = int(mean.argmax())
        if not mean[highest] > self.extent.top:
            return VGroup(), highest
        source, size, gap = self._told(highest), board.floor, board.px(20)
        width = text_width(source.text, size) + gap
        low = np.flatnonzero(mean <= self.extent.top)
        back, out = low[low > highest][:1], low[low < highest][-1:]
        x = float(self._x(self.bins.last[back])[0]) if len(back) else self.plot.right
        if x + gap + width > self.plot.right and len(out):
            x = float(self._x(self.bins.last[out])[0]) - width - 2 * gap
        y, ink = self.plot.y + size * 0.4, self.canvas.theme.muted
        label = self.canvas.label(source.text, x + gap, y, size, ink, align=0, source=source)
        at, half = x + gap + width, size * 0.45
        arrow = self.canvas.arrow((at, y + half), (at, y - half), ink, board.px(4))
        return VGroup(label, arrow), highest

    def _told(self, place: int) -> Drawn:
        """Return the mean of a stretch as it is written."""
        laps = int(self.bins.first[place]), int(self.bins.last[place])
        return self._written(float(self.bins.mean[place]), *laps)

    def _last_told(self, place: int) -> Drawn:
        """Return the value of the last lap of a stretch as it is written."""
        lap = int(self.bins.last[place])
        return self._written(float(self.bins.value[place]), lap, lap)

    def _written(self, value: float, first: int, last: int) -> Drawn:
        text = numerals.write(value, 6) or numerals.write(value, 6, 1) or "?"
        return Drawn(0, text, "series", index=(self.number, first, last))

    def _write(self, source: Drawn | None) -> None:
        artboard, zone = self.canvas.artboard, self.zone
        if source is None:
            redraw(self.value, VGroup())
            return
        size = artboard.type_title * 1.5
        y = zone.y + artboard.type_chip * 1.15 + size * 0.5
        color = self.canvas.theme.text
        label = self.canvas.label(source.text, zone.right, y, size, color, align=1.0, source=source)
        redraw(self.value, VGroup(label))

    def _at(self, line: Floats) -> Floats:
        """Return where points (n, 2) of lap and value lie, those above the axis at its end."""
        return np.stack([self._x(line[:, 0]), self._y(line[:, 1])], axis=1)

    def _x(self, laps: Floats) -> Floats:
        share = (laps - self.first) / max(1.0, self.last - self.first)
        return np.asarray(self.plot.x + share * self.plot.width)

    def _y(self, values: Floats) -> Floats:
        bottom, top = self.extent.bottom, self.extent.top
        share = (np.clip(values, bottom, top) - bottom) / (top - bottom)
        return np.asarray(self.plot.bottom - share * self.plot.height)


class ShareBar(Group):
    """A series of numbers from 0 to 1, an accuracy for one, as a bar with its percentage."""

    def __init__(self, canvas: Canvas, zone: Zone, name: str, number: int, points: Floats) -> None:
        self.canvas, self.zone, self.title, self.number = canvas, zone, name, number
        self.points_of_series = points
        theme, px = canvas.theme, canvas.artboard.px
        self.frame = canvas.rectangle(
            zone.x,
            zone.y,
            zone.width,
            zone.height,
            radius=px(12),
            fill=theme.surface,
            line=theme.line,
            stroke=px(2.5),
        )
        self.shown = VGroup()
        super().__init__(self.frame, self.shown)
        self.come_to(int(points[0, 0]))

    def come_to(self, lap: int) -> None:
        """Show the value of a lap, the last one kept before it; an empty bar before the first."""
        canvas, theme, artboard = self.canvas, self.canvas.theme, self.canvas.artboard
        zone, px = self.zone, self.canvas.artboard.px
        at = int(np.searchsorted(self.points_of_series[:, 0], lap, side="right")) - 1
        name = Drawn(0, self.title, "series", index=(self.number,))
        if at < 0:
            redraw(self.shown, VGroup(self._name(name, zone.right - px(20), 1.0, theme.muted)))
            return
        kept, value = self.points_of_series[at]
        width = max(px(12), zone.width * float(value))
        fill = mix(theme.surface, theme.text, 0.82)
        bar = canvas.rectangle(zone.x, zone.y, width, zone.height, radius=px(12), fill=fill)
        text = f"{round(100 * float(value))}%"
        size = artboard.type_chip
        room = (len(text) + len(self.title) + 2) * 0.6 * size
        inside = width > room
        ink = theme.bg if inside else theme.text
        x = zone.x + width + (-px(18) if inside else px(18))
        source = Drawn(0, text, "series", index=(self.number, int(kept), int(kept)))
        align = 1.0 if inside else 0.0
        y = zone.center_y
        percent = canvas.label(text, x, y, size, ink, align=align, source=source)
        at_x, name_align = (zone.x + px(20), 0.0) if inside else (zone.right - px(20), 1.0)
        label = self._name(name, at_x, name_align, theme.bg if inside else theme.muted)
        redraw(self.shown, VGroup(bar, percent, label))

    def _name(self, source: Drawn, x: float, align: float, ink: Color) -> Label:
        y, size = self.zone.center_y, self.canvas.artboard.type_chip
        return self.canvas.label(
            source.text, x, y, size, ink, weight="Medium", align=align, source=source
        )
