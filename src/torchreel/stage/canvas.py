"""Drawing in the pixels of an artboard: ordinary Manim mobjects, styled from the theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from manim import CapStyleType, LineJointType, VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn
from torchreel.stage.artboard import Artboard
from torchreel.stage.colors import Color, Theme
from torchreel.stage.fonts import Weight
from torchreel.stage.text import outline, text_width

PixelPoint = tuple[float, float]
Points = NDArray[np.float64]


class Label(VMobject):
    """One line of text; ``source`` says where in the trace it came from (``Drawn.cue`` is 0)."""

    def __init__(self, text: str, size: float, source: Drawn | None) -> None:
        super().__init__()
        self.text = text
        self.size = size
        self.source = source


@dataclass(frozen=True)
class Canvas:
    """Makes mobjects from pixel coordinates (y down) of one artboard in one theme."""

    artboard: Artboard
    theme: Theme

    def points(self, pixels: Points) -> Points:
        """Return Manim points (n, 3) of pixel positions (n, 2)."""
        unit = self.artboard.unit
        flat = np.zeros((len(pixels), 3))
        flat[:, 0] = (pixels[:, 0] - self.artboard.width / 2) * unit
        flat[:, 1] = (self.artboard.height / 2 - pixels[:, 1]) * unit
        return flat

    def point(self, x: float, y: float) -> Points:
        """Return the Manim point of one pixel position."""
        point: Points = self.points(np.array([[x, y]], dtype=float))[0]
        return point

    def pixel(self, point: Points) -> PixelPoint:
        """Return the pixel position of a Manim point."""
        unit = self.artboard.unit
        x, y = float(point[0]) / unit, float(point[1]) / unit
        return x + self.artboard.width / 2, self.artboard.height / 2 - y

    def stroke(self, pixels: float) -> float:
        """Return the Manim stroke width of a line this many pixels wide."""
        return pixels * self.artboard.unit * 100

    def shape(
        self,
        points: Points,
        fill: Color | None = None,
        line: Color | None = None,
        width: float = 0,
    ) -> VMobject:
        """Return a mobject of cubic Bézier points in pixels; ``width`` is in pixels too."""
        mobject = VMobject()
        mobject.points = self.points(points)
        paint(mobject, fill, line, self.stroke(width))
        return mobject

    def label(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        color: Color,
        *,
        weight: Weight = "ExtraBold",
        align: float = 0.5,
        source: Drawn | None = None,
    ) -> Label:
        """Return a line of text whose cap height is centred on ``y``.

        ``x`` is its left end for ``align`` 0, its middle for .5, its right end for 1.
        """
        label = Label(text, size, source)
        left = x - align * text_width(text, size)
        label.points = self.points(outline(text, weight) * size + np.array([left, y]))
        paint(label, color, None, 0)
        return label

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        radius: float = 0,
        fill: Color | None = None,
        line: Color | None = None,
        stroke: float = 0,
    ) -> VMobject:
        """Return a rectangle from its top left corner, with rounded corners if asked."""
        return self.shape(rounded(x, y, width, height, radius), fill, line, stroke)

    def path(self, pixels: Sequence[PixelPoint], color: Color, width: float) -> VMobject:
        """Return an open polyline."""
        line = self.shape(polyline(np.array(pixels, dtype=float)), None, color, width)
        line.joint_type, line.cap_style = LineJointType.ROUND, CapStyleType.ROUND
        return line

    def arrow(self, start: PixelPoint, end: PixelPoint, color: Color, width: float) -> VGroup:
        """Return a straight arrow with a swept head, its tip on ``end``."""
        tail, tip = np.array(start, dtype=float), np.array(end, dtype=float)
        along = (tip - tail) / max(1e-9, float(np.linalg.norm(tip - tail)))
        across = np.array([-along[1], along[0]])
        head = width * 4.4
        corners = [
            tip,
            tip - along * head + across * head * 0.56,
            tip - along * head * 0.72,
            tip - along * head - across * head * 0.56,
        ]
        shaft = self.path([tuple(tail), tuple(tip - along * head * 0.7)], color, width)
        point = self.shape(polyline(np.array([*corners, corners[0]])), color)
        return VGroup(shaft, point)


def paint(mobject: VMobject, fill: Color | None, line: Color | None, stroke: float) -> None:
    """Set fill and stroke at once, without the cost of Manim's setters."""
    mobject.fill_rgbas = _rgba(fill)
    mobject.stroke_rgbas = _rgba(line if stroke else None)
    mobject.background_stroke_rgbas = _rgba(None)
    mobject.stroke_width = stroke
    mobject.background_stroke_width = 0


class Switch:
    """Shows a mobject or hides it, while it stays a part of its group.

    Manim lists the parts of what moves once, as a play begins: a part that leaves its group while
    it plays would be drawn on, above what came for it.
    """

    def __init__(self, mobject: VMobject) -> None:
        self._parts: list[Any] = mobject.get_family()
        self._alphas = [
            tuple(np.array(rgbas)[:, 3] for rgbas in (each.fill_rgbas, each.stroke_rgbas))
            for each in self._parts
        ]

    def turn(self, on: float) -> None:
        """Show the mobject, hide it, or show it half (0 to 1)."""
        for part, (fill, stroke) in zip(self._parts, self._alphas, strict=True):
            part.fill_rgbas[:, 3] = fill * on
            part.stroke_rgbas[:, 3] = stroke * on


def redraw(old: VGroup, new: VGroup) -> None:
    """Let the parts of ``old`` look and read as those of ``new``, as long as there are as many.

    Manim lists the parts of what moves once, as a play begins: parts that were exchanged while it
    plays would be drawn below the new ones.
    """
    parts: list[Any] = old.get_family()[1:]
    wanted: list[Any] = new.get_family()[1:]
    if len(parts) != len(wanted):
        old.submobjects = new.submobjects
        return
    for part, like in zip(parts, wanted, strict=True):
        part.points = like.points
        part.fill_rgbas, part.stroke_rgbas = like.fill_rgbas, like.stroke_rgbas
        part.stroke_width = like.stroke_width
        if isinstance(part, Label) and isinstance(like, Label):
            part.text, part.size, part.source = like.text, like.size, like.source


def recolor(mobject: VMobject, color: Color) -> None:
    """Set the colour of what is filled and of what is a line."""
    for rgbas in (mobject.fill_rgbas, mobject.stroke_rgbas):
        rgbas[:, :3] = color


def repaint(mobject: VMobject, fill: Color) -> None:
    """Set the fill colour alone."""
    mobject.fill_rgbas = _rgba(fill)


def polyline(corners: Points) -> Points:
    """Return the cubic Bézier points of straight lines through these corners."""
    start, end = corners[:-1], corners[1:]
    curves = np.stack(
        [start, start + (end - start) / 3, start + (end - start) * 2 / 3, end], axis=1
    )
    return curves.reshape(-1, 2)


def s_curve(start: PixelPoint, end: PixelPoint) -> Points:
    """Return the cubic Bézier points of a thread that hangs from one point to another below."""
    (x0, y0), (x1, y1) = start, end
    bend = (y1 - y0) * 0.5
    return np.array([(x0, y0), (x0, y0 + bend), (x1, y1 - bend), (x1, y1)])


def first_part(curve: Points, share: float) -> Points:
    """Return the first ``share`` (0 to 1) of cubic curves, one after the other (de Casteljau)."""
    at = share * (len(curve) // 4)
    whole = 4 * min(int(at), len(curve) // 4 - 1)
    a, b, c, d = curve[whole : whole + 4]
    share = at - whole // 4
    ab, bc, cd = a + (b - a) * share, b + (c - b) * share, c + (d - c) * share
    abc, bcd = ab + (bc - ab) * share, bc + (cd - bc) * share
    return np.concatenate([curve[:whole], [a, ab, abc, abc + (bcd - abc) * share]])


def dashes(curve: Points, length: float) -> list[Points]:
    """Return pieces of a cubic curve (4, 2), about ``length`` pixels long each, with gaps as long
    between them."""
    whole = float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())
    count = 2 * max(1, round(whole / (2 * length)))
    cuts = [first_part(curve, end / count) for end in range(1, count + 1)]
    return [first_part(each[::-1], 1 / end) for end, each in enumerate(cuts, 1) if end % 2]


def rounded(x: float, y: float, width: float, height: float, radius: float) -> Points:
    """Return the cubic Bézier points of a rectangle with rounded corners."""
    r = min(radius, width / 2, height / 2)
    right, bottom = x + width, y + height
    if r <= 0:
        corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)]
        return polyline(np.array(corners, dtype=float))
    k = r * 0.5523
    sides = [
        ((x + r, y), (right - r, y), (right - r + k, y), (right, y + r - k), (right, y + r)),
        (
            (right, y + r),
            (right, bottom - r),
            (right, bottom - r + k),
            (right - r + k, bottom),
            (right - r, bottom),
        ),
        (
            (right - r, bottom),
            (x + r, bottom),
            (x + r - k, bottom),
            (x, bottom - r + k),
            (x, bottom - r),
        ),
        ((x, bottom - r), (x, y + r), (x, y + r - k), (x + r - k, y), (x + r, y)),
    ]
    curves: list[Any] = []
    for start, corner, first, second, end in sides:
        curves.append(polyline(np.array([start, corner], dtype=float)))
        curves.append(np.array([corner, first, second, end], dtype=float))
    return np.concatenate(curves)


def _rgba(color: Color | None) -> NDArray[np.float64]:
    if color is None:
        return np.zeros((1, 4))
    return np.array([[*color, 1.0]])
