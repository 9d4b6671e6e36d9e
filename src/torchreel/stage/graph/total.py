"""A gradient that is added to one that was there: before + gradient = after, then emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from manim import VGroup

from torchreel.records import Accumulation, Drawn, Step, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color, mix
from torchreel.stage.graph.diagram import Node
from torchreel.stage.graph.part import Draw, Part
from torchreel.stage.graph.pictures import Pictures
from torchreel.stage.graph.placement import Box, Sizes, grid_of, title_within
from torchreel.stage.layout import SLAB
from torchreel.stage.motion import BEAT, QUICK, SLOW, part
from torchreel.stage.text import text_width

_ROWS = 3
"""The most tensors whose gradients are added one below the other."""

_SIGN = 0.9
_APART = 1.5
"""From a tensor to its gradients, in cells."""
_NAMED = 2.6
"""What ``.grad`` held has its name above it where that is not wider than this, in cells."""


@dataclass(frozen=True)
class Sum:
    """A sum to show: the tensor as the graph drew it (``fills``: the colours of its elements, where
    they have their own) and what was added to its ``.grad``."""

    node: Node
    total: Accumulation
    fills: Sequence[Color] | None = None


@dataclass
class _Row:
    """What stands in a row: the tensor, ``before + gradient =``, and what ``.grad`` holds now;
    ``was`` is its name over what it held."""

    box: Box
    now: Part
    tensor: list[Part] = field(default_factory=list)
    was: list[Part] = field(default_factory=list)
    terms: list[Part] = field(default_factory=list)
    name: list[Part] = field(default_factory=list)


class GradientSums(VGroup):
    """``x``, then ``3. + 3. = 6.`` for each tensor whose ``.grad`` was not empty before a pass.

    :meth:`accumulate` plays the sums, :meth:`empty` what a step leaves of ``.grad``.
    """

    def __init__(
        self,
        canvas: Canvas,
        trace: Trace,
        sums: Sequence[Sum],
        zone: Zone,
        sizes: Sizes,
        limit: float,
    ) -> None:
        self.canvas, self.trace = canvas, trace
        self._pictures = Pictures(canvas, trace, sizes, limit)
        self._sizes = sizes
        sums = sums[:_ROWS]
        room = zone.height / len(sums)
        blocks = [self._block(each, room) for each in sums]
        self._pitch = max(width for width, *_ in blocks)
        heights = [height for _, height, *_ in blocks]
        spare = zone.height - sum(heights) - len(sums) * 1.3 * sizes.name
        gap = min(sizes.cell * 0.6, spare / (len(sums) + 1))
        y = (
            zone.center_y
            - (sum(heights) + len(sums) * 1.3 * sizes.name + gap * (len(sums) - 1)) / 2
        )
        self._rows: dict[int, _Row] = {}
        super().__init__()
        for each, block in zip(sums, blocks, strict=True):
            y += 1.3 * sizes.name
            middle = Box(zone.center_x, y + block[1] / 2, *block[:2], 0, 0, 0, 0, *block[2:])
            self._rows[each.total.tensor] = self._row(each, middle)
            y += middle.height + gap

    def accumulate(self, run_time: float = 1.2 * SLOW) -> Draw:
        """Return the animation in which what was there, what arrived and the sum appear; the tensor
        is there from the start."""

        def draw(t: float) -> None:
            for row in self._rows.values():
                for each in row.tensor:
                    each.reveal(part(t, 0.0, 0.2))
                pieces = [*([each] for each in row.terms), [*row.name, row.now]]
                pieces[0] = [*row.was, *pieces[0]]
                for place, piece in enumerate(pieces):
                    start = 0.7 * place / (len(pieces) - 1)
                    for each in piece:
                        each.reveal(part(t, start, start + 0.3))

        return Draw(self, draw, run_time)

    def point(self, tensor: int, run_time: float = BEAT) -> Draw:
        """Return the animation in which what a tensor's ``.grad`` keeps is pointed at."""
        blocks = [self._rows[tensor].now] if tensor in self._rows else []
        theme, px = self.canvas.theme, self.canvas.artboard.px

        def draw(t: float) -> None:
            lit = part(t, 0.0, 0.35)
            for block in blocks:
                color = mix(theme.grad, theme.focus, lit)
                block.outline(block.submobjects[0], color, self.canvas.stroke(px(4 + 2 * lit)))

        return Draw(self, draw, run_time)

    def empty(self, gradients: dict[int, int | None], step: Step) -> Draw:
        """Return the animation in which a step empties the ``.grad`` of some tensors: the sum
        leaves, and in its place is the record that ``.grad`` holds now, or None."""
        leaving: list[Part] = []
        gone: list[Part] = []
        coming: list[Part] = []
        for tensor, after in gradients.items():
            row = self._rows.get(tensor)
            if row is None:
                continue
            leaving += [*row.was, *row.terms]
            gone.append(row.now)
            row.was, row.terms = [], []
            row.now = (
                self._pictures.nothing(row.box, step.number, tensor)
                if after is None
                else self._pictures.gradient(after, row.box, kept=True)
            )
            coming.append(row.now)
        self._show(coming)

        def draw(t: float) -> None:
            for each in leaving:
                each.reveal(1.0 - part(t, 0.0, 0.45))
            for each in gone if t > 0.45 else ():  # its name does not stand over nothing
                each.reveal(0.0)
            for each in coming:
                each.reveal(part(t, 0.45, 0.6))

        return Draw(self, draw, BEAT + QUICK)

    def _show(self, parts: Sequence[Part]) -> None:
        """Put parts, still hidden, on the picture."""
        self.submobjects.extend(parts)

    def _row(self, each: Sum, middle: Box) -> _Row:
        """Return a row, its blocks as large as the one in its ``middle``."""
        total, node = each.total, each.node
        assert total.before is not None
        sign, apart = self._pitch + _SIGN * self._sizes.cell, _APART * self._sizes.cell
        x = middle.x - (2 * sign + apart + self._pitch) / 2
        pad = self._sizes.pad if node.parameter else 0.0
        tensor = replace(middle, x=x, pad=pad, depth=SLAB * self._sizes.cell)
        x += self._pitch + apart
        boxes = [replace(middle, x=x + place * sign) for place in range(3)]
        row = _Row(boxes[2], self._pictures.gradient(total.after, boxes[2], kept=True))
        row.terms = [
            self._pictures.gradient(total.before, boxes[0], kept=True, total=total.after),
            self._sign("+", x + sign / 2, middle.y),
            self._pictures.gradient(total.gradient, boxes[1], kept=False, total=total.after),
            self._sign("=", x + 1.5 * sign, middle.y),
        ]
        row.tensor.append(self._pictures.tensor(node, tensor, each.fills))
        if node.name:
            row.name.append(self._named(node, boxes[2], self.canvas.theme.grad))
            if text_width(f"{node.name}.grad", self._sizes.name) <= _NAMED * self._sizes.cell:
                row.was.append(self._named(node, boxes[0], self.canvas.theme.muted))
            title = title_within(node, tensor, self._pitch + apart, self._sizes)
            row.tensor += [] if title is None else [self._pictures.title(node, title)]
        self._show([*row.tensor, *row.was, *row.terms, *row.name, row.now])
        return row

    def _block(self, each: Sum, room: float) -> tuple[float, float, float, tuple[int, int]]:
        """Return width, height and side of the cells of a row's blocks, and their grid."""
        record, cell = self.trace.tensor(each.total.after), self._sizes.cell
        rows, columns = grid_of(record.shape)
        if rows == 1 and each.fills is not None:
            rows, columns = columns, 1  # as its elements stand in the graph
        unit = min(cell, 1.4 * cell / columns, min(2.6 * cell, 0.8 * room) / rows)
        if record.id in self.trace.values and unit >= self.canvas.artboard.px(10):
            return columns * unit, rows * unit, unit, (rows, columns)
        return 1.4 * cell, 1.4 * cell * min(1.0, max(0.3, rows / columns)), 0.0, (rows, columns)

    def _sign(self, text: str, x: float, y: float) -> Part:
        size, source = self.canvas.artboard.type_title, Drawn(0, text, "sign")
        return Part(self.canvas.label(text, x, y, size, self.canvas.theme.grad, source=source))

    def _named(self, node: Node, box: Box, ink: Color) -> Part:
        text, size = f"{node.name}.grad", self._sizes.name
        y = box.y - box.height / 2 - 0.9 * size
        left = box.x - text_width(text, size) / 2
        source = Drawn(0, text, "name", node.tensor)
        return Part(self.canvas.label(text, left, y, size, ink, align=0, source=source))
