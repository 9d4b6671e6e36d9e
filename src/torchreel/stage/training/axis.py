"""The axis of a loss: a few numbers beside it, and a faint line where pure guessing is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, dashes, polyline
from torchreel.stage.colors import mix
from torchreel.stage.numerals import MINUS
from torchreel.stage.text import text_width

Floats = NDArray[np.float64]

_HIGH = 3.0
"""An axis with guessing ends at so many times guessing: what is higher leaves the picture."""

_INTERVALS = 3
"""At most so many intervals lie between the numbers of an axis."""

_LOG = "ln"
"""The logarithm to the base e. PyTorch calls it ``log``, which many read to the base ten."""


@dataclass(frozen=True)
class Guess:
    """The loss of somebody who gives each class the same chance: the logarithm of their number.

    ``classes`` is the number as it is written, and where the trace has it.
    """

    classes: Drawn

    @property
    def value(self) -> float:
        """The loss."""
        return math.log(int(self.classes.text))


@dataclass(frozen=True)
class Scale:
    """What an axis reaches from and to, and the ``guess`` on it, None where there is none."""

    bottom: float
    top: float
    guess: Guess | None

    @property
    def ticks(self) -> list[float]:
        """The round numbers beside it, three or four at most."""
        span = self.top - self.bottom
        power = 10.0 ** math.floor(math.log10(span / _INTERVALS))
        step = next(each * power for each in (1, 2, 5, 10) if span / (each * power) <= _INTERVALS)
        first, last = math.ceil(self.bottom / step - 1e-9), math.floor(self.top / step + 1e-9)
        return [each * step for each in range(first, last + 1)]


def scale_of(values: Floats, guess: Guess | None) -> Scale:
    """Return the scale for a curve of these values; guessing is on it where they come near it."""
    finite = values[np.isfinite(values)]
    bottom, top = float(finite.min(initial=0.0)), float(max(finite.max(initial=0.0), 1e-9))
    if guess is None or top < guess.value / _HIGH:
        return Scale(bottom, top, None)
    return Scale(bottom, min(max(top, 1.05 * guess.value), _HIGH * guess.value), guess)


def below(line: Floats, top: float) -> list[Floats]:
    """Return the parts of a line (n, 2) of x and value that are not above ``top``."""
    whole = crossed(line, top)
    inside = whole[:, 1] <= top
    parts = np.split(whole, np.flatnonzero(np.diff(inside)) + 1)
    return [part for part in parts if len(part) > 1 and part[0, 1] <= top]


def crossed(line: Floats, top: float) -> Floats:
    """Return a line (n, 2) of x and value with a point more wherever it crosses ``top``."""
    above = line[:, 1] > top
    at = np.flatnonzero(above[1:] != above[:-1])
    start, end = line[at], line[at + 1]
    share = (top - start[:, 1]) / (end[:, 1] - start[:, 1])
    x = start[:, 0] + share * (end[:, 0] - start[:, 0])
    return np.insert(line, at + 1, np.stack([x, np.full(len(at), top)], axis=1), axis=0)


def gutter(canvas: Canvas, scale: Scale) -> float:
    """Return how much room the numbers of an axis take to its left (pixels)."""
    texts = [_text(each) for each in scale.ticks]
    if scale.guess is not None:
        texts += [f"{_LOG} {scale.guess.classes.text}", _equals(scale.guess)]
    return max(text_width(text, canvas.artboard.floor) for text in texts) + canvas.artboard.px(20)


def axis(canvas: Canvas, scale: Scale, plot: Zone, told: Zone, series: int) -> VGroup:
    """Return the axis of a plot, with its numbers to the left; no line crosses what is ``told``."""
    board, theme = canvas.artboard, canvas.theme
    size, gap = board.floor, board.px(20)
    corner = (plot.x, plot.bottom)
    ends = [(plot.x, plot.y - board.px(16)), corner, (plot.right, plot.bottom)]
    group = VGroup(canvas.path(ends, theme.line, board.px(4)))

    def height(value: float) -> float:
        return plot.bottom - (value - scale.bottom) / (scale.top - scale.bottom) * plot.height

    def tell(source: Drawn, y: float, right: float = plot.x - gap) -> None:
        ink = theme.muted
        group.add(
            canvas.label(
                source.text, right, y, size, ink, weight="Medium", align=1.0, source=source
            )
        )

    guess = scale.guess
    taken = math.inf if guess is None else height(guess.value)
    if guess is not None:
        count, above, under = guess.classes, taken - 0.55 * size, taken + 0.55 * size
        right = min(plot.right, told.x) if taken < told.bottom + board.px(8) else plot.right
        group.add(_dashes(canvas, plot.x, right, taken))
        tell(count, above)
        tell(Drawn(0, _LOG, "sign"), above, plot.x - gap - text_width(f" {count.text}", size))
        tell(replace(count, text=_equals(guess), source="guess"), under)
    for tick in scale.ticks:
        y = height(tick)
        if abs(y - taken) > 1.7 * size:
            mark = [(plot.x - board.px(8), y), (plot.x, y)]
            group.add(canvas.path(mark, theme.line, board.px(4)))
            tell(Drawn(0, _text(tick), "tick", index=(series,)), y)
    return group


def _dashes(canvas: Canvas, left: float, right: float, y: float) -> VMobject:
    """Return a faint dashed line."""
    pieces = dashes(polyline(np.array([(left, y), (right, y)])), canvas.artboard.px(9))
    color = mix(canvas.theme.bg, canvas.theme.muted, 0.7)
    return canvas.shape(np.concatenate(pieces), None, color, canvas.artboard.px(3))


def _text(tick: float) -> str:
    return f"{tick:g}".replace("-", MINUS)


def _equals(guess: Guess) -> str:
    return f"= {guess.value:.2f}"
