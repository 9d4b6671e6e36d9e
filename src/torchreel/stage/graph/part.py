"""What the graph's picture is put together from: parts that pop up, and wires that grow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from manim import Animation, VGroup, VMobject, linear
from numpy.typing import NDArray

from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import Color, mix
from torchreel.stage.motion import ease, part

Points = NDArray[np.float64]

_LINE = 3.5
_LIT = 4.5
_GRADIENT = 8.0
_HEAD = 17.0
_SMALL = 0.55


class Draw(Animation):
    """An animation that calls ``draw`` with the time from 0 to 1; nothing is copied."""

    def __init__(self, mobject: VMobject, draw: Callable[[float], None], run_time: float) -> None:
        self._draw = draw
        super().__init__(mobject, run_time=run_time, rate_func=linear)

    def create_starting_mobject(self) -> VMobject:
        """Return an empty mobject: the starting state is in ``draw``."""
        return VMobject()

    def interpolate_mobject(self, alpha: float) -> None:
        """Draw the mobject as it is at ``alpha``."""
        self._draw(alpha)


class Part(VGroup):
    """Some mobjects that come and go together; hidden until :meth:`reveal` says how much of them is
    there (0 to 1)."""

    def __init__(self, *mobjects: VMobject) -> None:
        super().__init__(*mobjects)
        members = [each for each in self.get_family() if isinstance(each, VMobject)]
        family = [each for each in members if len(each.points)]
        self._whole = [
            (each, each.points.copy(), np.array(each.fill_rgbas), np.array(each.stroke_rgbas))
            for each in family
        ]
        corners = np.concatenate([each.points for each in family] or [np.zeros((1, 3))])
        self._middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        self.shown = 1.0
        self.reveal(0.0)

    def reveal(self, share: float) -> None:
        """Show the part as a still: nothing at 0, all at 1, smaller and fainter between."""
        share = min(1.0, max(0.0, share))
        if share == self.shown:
            return
        self.shown = share
        scale = _SMALL + (1 - _SMALL) * share
        for mobject, points, fill, line in self._whole:
            if share == 0:
                mobject.points = np.zeros((0, 3))
                continue
            mobject.points = self._middle + (points - self._middle) * scale
            mobject.fill_rgbas = _faint(fill, share)
            mobject.stroke_rgbas = _faint(line, share)

    def repaint(self, mobject: VMobject, fill: Color) -> None:
        """Give one of the mobjects another fill, as it is now and as it will be shown."""
        for each, _, kept, _ in self._whole:
            if each is mobject:
                kept[:, :3] = fill
                each.fill_rgbas = _faint(kept, self.shown)

    def outline(self, mobject: VMobject, line: Color, width: float) -> None:
        """Give one of the mobjects another outline; ``width`` as Manim counts it."""
        for each, _, _, kept in self._whole:
            if each is mobject:
                kept[:, :3] = line
                each.stroke_rgbas = _faint(kept, self.shown)
                each.stroke_width = width


class Wire(VGroup):
    """A link of the graph: a line that grows to the right as the op is recorded, and under the
    gradient's line, which grows to the left. ``curve`` are cubic Bézier points in pixels."""

    def __init__(self, canvas: Canvas, curve: Points, *, data: bool) -> None:
        self._canvas, self._curve, self._data = canvas, curve, data
        self._line, self._head = VMobject(), VMobject()
        self._gradient, self._tip, self._arrow = VMobject(), VMobject(), VMobject()
        super().__init__(self._line, self._head, self._gradient, self._tip, self._arrow)
        self.forward = self.backward = 0.0

    def record(self, share: float, lit: float = 1.0) -> None:
        """Draw the first ``share`` of the line; ``lit`` is how much it is the line that is told."""
        theme, px = self._canvas.theme, self._canvas.artboard.px
        self.forward = share
        rest = theme.line if self._data else theme.muted
        color = mix(rest, theme.text, lit)
        width = px(_LINE + (_LIT - _LINE) * lit)
        self._stroke(self._line, section(self._curve, 0.0, share), color, width)
        at = share if share < 1 else 0.5
        # The head stays in the middle while the line is lit, then it goes.
        self._arrowhead(self._head, at, 1.0, color, _HEAD * lit if share > 0.05 else 0.0)

    def flow(self, share: float) -> None:
        """Draw the gradient's line over the last ``share``, from the root's side."""
        theme, px = self._canvas.theme, self._canvas.artboard.px
        self.backward = share
        self._stroke(
            self._gradient, section(self._curve, 1 - share, 1.0), theme.grad, px(_GRADIENT)
        )
        tip = _HEAD * 1.5 * (1 - part(share, 0.8, 1.0)) if share > 0.05 else 0.0
        self._arrowhead(self._tip, 1 - share, -1.0, theme.grad, tip)
        self._arrowhead(self._arrow, 0.46, -1.0, theme.grad, _HEAD * 1.5 * part(share, 0.7, 1.0))

    def _stroke(self, mobject: VMobject, curve: Points, color: Color, width: float) -> None:
        mobject.points = self._canvas.points(curve)
        paint(mobject, None, color, self._canvas.stroke(width))

    def _arrowhead(
        self, mobject: VMobject, at: float, way: float, color: Color, size: float
    ) -> None:
        if size <= 0.5:
            mobject.points = np.zeros((0, 3))
            return
        size = self._canvas.artboard.px(size)
        tip, along = _point(self._curve, at)
        along = along * way
        across = np.array([-along[1], along[0]])
        tip = tip + along * size * 0.5
        corners = np.array(
            [
                tip,
                tip - along * size + across * size * 0.54,
                tip - along * size * 0.72,
                tip - along * size - across * size * 0.54,
                tip,
            ]
        )
        mobject.points = self._canvas.points(polyline(corners))
        paint(mobject, color, None, 0)


def section(curve: Points, start: float, end: float) -> Points:
    """Return the piece of a curve of several cubics between two shares of its length."""
    if end - start < 1e-3:
        return np.zeros((0, 2))
    pieces = curve.reshape(-1, 4, 2)
    lengths = np.array([_length(piece) for piece in pieces])
    ends = np.cumsum(lengths) / lengths.sum()
    starts = np.concatenate([[0.0], ends[:-1]])
    kept = []
    for piece, low, high in zip(pieces, starts, ends, strict=True):
        a, b = max(start, low), min(end, high)
        if b > a:
            kept.append(_cut(piece, (a - low) / (high - low), (b - low) / (high - low)))
    return np.concatenate(kept) if kept else np.zeros((0, 2))


def _point(curve: Points, share: float) -> tuple[Points, Points]:
    """Return a point of a curve and the direction in which it runs there."""
    share = min(0.999, max(0.001, share))
    piece = section(curve, max(0.0, share - 0.02), min(1.0, share + 0.02))
    at = section(curve, 0.0, share)[-1]
    along = piece[-1] - piece[0]
    return at, along / max(1e-9, float(np.linalg.norm(along)))


def _cut(cubic: Points, start: float, end: float) -> Points:
    """Return the part of a cubic curve between two parameters (blossoms)."""

    def blossom(r: float, s: float, t: float) -> Points:
        points = cubic
        for u in (r, s, t):
            points = points[:-1] + (points[1:] - points[:-1]) * u
        corner: Points = points[0]
        return corner

    return np.array(
        [
            blossom(start, start, start),
            blossom(start, start, end),
            blossom(start, end, end),
            blossom(end, end, end),
        ]
    )


def _length(cubic: Points) -> float:
    t = np.linspace(0, 1, 12)[:, None]
    a, b, c, d = cubic
    points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _faint(rgba: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    faint = rgba.copy()
    faint[:, 3] *= ease(share)
    return faint
