"""What an optimizer's step did to a weight: its tile before, and what the step took or added."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from manim import Group

from torchreel.records import Drawn, OptimizerStep, ParameterUpdate, Trace
from torchreel.spelling import spell
from torchreel.stage import numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color
from torchreel.stage.nets.sample import Floats, weight_of
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.text import text_width
from torchreel.stage.training.byhand import BY_HAND
from torchreel.stage.training.passes import first_matrix
from torchreel.stage.training.tiles import Tile, liveliest, tiles_of


@dataclass(frozen=True)
class Part:
    """One of two tiles: its numbers, the size of a number in full colour, how far they reach."""

    numbers: Floats
    limit: float
    reach: Drawn | None


@dataclass(frozen=True)
class Change:
    """What a step did to one tile of a weight: the tile before, and what came to it.

    Where the step was plain gradient descent, ``other`` is the gradient and ``sign`` is minus the
    learning rate, times; else ``sign`` is ``+`` and ``other`` is what the step added, in the
    colours of the weight: a hundred times as much looks a hundred times as strong. No ``other``:
    there was no step yet. Below each tile stands how far from 0 its numbers reach. ``called`` is
    how the code calls the step, with the weight's name where the code moves each one itself.
    """

    canvas: Canvas
    before: Part
    other: Part | None
    sign: Drawn
    called: tuple[Drawn, ...]

    def draw(self, zone: Zone, *, lit: bool) -> Group:
        """Return the picture of it in a zone of a card that is lit, or not."""
        theme, board = self.canvas.theme, self.canvas.artboard
        told, gradient = board.type_chip, self.sign.source == "setting"
        size = told if gradient else board.type_size
        room = text_width(self.sign.text, size) + board.px(32)
        side = min((zone.width - room) / 2 - board.px(8), zone.height - 1.3 * told)
        x, y = zone.center_x - side - room / 2, zone.y
        ink = theme.text if lit else theme.muted
        sign = self.canvas.label(
            self.sign.text, zone.center_x, y + side / 2, size, ink, source=self.sign
        )
        frame = theme.grad if gradient else theme.param
        first, second = Zone(x, y, side, side), Zone(x + side + room, y, side, side)
        before = self._tile(self.before, first, zone.bottom, theme.param)
        if self.other is None:
            return before
        return Group(before, sign, self._tile(self.other, second, zone.bottom, frame))

    def _tile(self, part: Part, zone: Zone, bottom: float, frame: Color) -> Group:
        group = Group(Tile(self.canvas, zone, part.numbers, part.limit, frame))
        size, reach = self.canvas.artboard.type_chip, part.reach
        if reach is not None:
            y, ink = bottom - 0.45 * size, self.canvas.theme.muted
            group.add(self.canvas.label(reach.text, zone.center_x, y, size, ink, source=reach))
        return group


def change_of(canvas: Canvas, trace: Trace, step: OptimizerStep, first: int) -> Change | None:
    """Return what a step did to the tile of its first matrix that it changed most; None where that
    is not known. ``first`` is the matrix as the cell found it: it sets the scale of the colours."""
    update = first_matrix(trace, step)
    if update is None:
        return None
    before, after = (weight_of(trace, each) for each in (update.before, update.after))
    if before is None or after is None or before.shape != after.shape:
        return None
    row = liveliest(before, after, 1)[0]
    index = (row,) if len(tiles_of(before)) > 1 else ()
    limit, called = limit_of(weight_of(trace, first)), called_of(trace, step)

    def part(numbers: Floats, limit: float, source: Drawn) -> Part:
        tile = tiles_of(numbers)[row]
        return Part(tile, limit, _reach(tile, trace, replace(source, index=index)))

    weight = part(before, limit, Drawn(0, "", "reach", tensor=update.before))
    descent = _descent(trace, step, update, before, after)
    if descent is not None and update.gradient is not None:
        gradient, sign = descent
        source = Drawn(0, "", "reach", tensor=update.gradient)
        return Change(canvas, weight, part(gradient, limit_of(gradient), source), sign, called)
    source = Drawn(0, "", "reach", tensor=update.after, step=step.step)
    added = part(after - before, limit, source)
    return Change(canvas, weight, added, Drawn(0, "+", "sign"), called)


def called_of(trace: Trace, step: OptimizerStep | None) -> tuple[Drawn, ...]:
    """Return how a step is called: one by hand as the code does, after the weight's name; a loop
    that has none lacks a ``step``."""
    if step is None:
        return (Drawn(0, "step", "sign"),)
    if step.kind != BY_HAND:
        return (Drawn(0, "step", "op", step=step.step),)
    op = Drawn(0, spell(trace.steps[step.step]), "op", step=step.step)
    update = first_matrix(trace, step)
    if update is None or not update.name:
        return (op,)
    return Drawn(0, update.name, "name", tensor=update.before), op


def _reach(tile: Floats, trace: Trace, source: Drawn) -> Drawn | None:
    """Return the greatest size of the numbers of a tile as it is written, if they are known; a
    number that is alone has its sign."""
    most = float(tile.item() if tile.size == 1 else np.abs(tile).max(initial=0.0))
    if not np.isfinite(most) or source.tensor not in trace.values:
        return None
    alone = tile.size == 1 or abs(most) >= 10
    text = numerals.write(most, 6) if alone else _short(most)
    sign = "" if tile.size == 1 else "±"
    return None if text is None else replace(source, text=f"{sign}{text}")


def _short(value: float) -> str:
    """Return a number by its first two digits."""
    return f"{value:.2g}".replace("e-0", "e-").replace("-", numerals.MINUS)


def _descent(
    trace: Trace, step: OptimizerStep, update: ParameterUpdate, before: Floats, after: Floats
) -> tuple[Floats, Drawn] | None:
    """Return the gradient and minus the learning rate, where their product is what was added."""
    gradient = None if update.gradient is None else weight_of(trace, update.gradient)
    try:
        rate = float(step.settings.get("lr", "nan"))
    except ValueError:
        return None
    if step.kind not in ("SGD", BY_HAND) or gradient is None or gradient.shape != before.shape:
        return None
    rounded = float(np.abs(before).max(initial=0.0)) * 1e-6
    if not np.allclose(before - rate * gradient, after, rtol=1e-4, atol=rounded):
        return None
    return gradient, Drawn(0, f"{numerals.MINUS}{_short(rate)}×", "setting", step=step.step)
