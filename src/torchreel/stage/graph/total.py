"""A gradient that is added to one that was there: before + gradient = after, then emptied."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup, VMobject

from torchreel.records import Accumulation, Drawn, Step, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import mix
from torchreel.stage.graph.part import Draw, Part
from torchreel.stage.graph.pictures import Pictures
from torchreel.stage.graph.placement import Box, Sizes, grid_of
from torchreel.stage.motion import BEAT, QUICK, SLOW, part
from torchreel.stage.text import text_width

_ROWS = 3
"""The most tensors whose gradients are added one below the other."""

_CELL = 1.0
_SIGN = 0.9
_GONE = 2.7


class GradientSums(VGroup):
    """``3. + 3. = 6.`` for each tensor whose ``.grad`` was not empty before a backward pass.

    With ``emptied`` there is room for what a later step leaves of it.

    :meth:`accumulate` plays the sums, :meth:`empty` what a step leaves of ``.grad``.
    """

    def __init__(
        self,
        canvas: Canvas,
        trace: Trace,
        sums: Sequence[tuple[str, Accumulation]],
        zone: Zone,
        sizes: Sizes,
        *,
        emptied: bool,
    ) -> None:
        self.canvas, self.trace = canvas, trace
        self._pictures = Pictures(canvas, trace, sizes, 1.0)
        self._sizes = sizes
        self._emptied = emptied
        rows = sums[:_ROWS]
        heights = [self._block(each.after, zone.height / len(rows))[1] for _, each in rows]
        spare = zone.height - sum(heights) - len(rows) * 1.3 * sizes.name
        gap = min(sizes.cell * 0.6, spare / (len(rows) + 1))
        y = (
            zone.center_y
            - (sum(heights) + len(rows) * 1.3 * sizes.name + gap * (len(rows) - 1)) / 2
        )
        self.tensors = [each.tensor for _, each in rows]
        self.afters = [each.after for _, each in rows]
        self._rows: list[list[Part]] = []
        self._places: list[Box] = []
        self._now: dict[int, Part] = {}
        self._arrows: list[tuple[Part, list[VMobject]]] = []
        super().__init__()
        for (name, each), height in zip(rows, heights, strict=True):
            y += 1.3 * sizes.name
            self._row(name, each, zone, y + height / 2)
            y += height + gap

    def accumulate(self, run_time: float = 1.2 * SLOW) -> Draw:
        """Return the animation in which what was there, what arrived and the sum appear."""

        def draw(t: float) -> None:
            for row in self._rows:
                for place, piece in enumerate(row):
                    start = 0.7 * place / (len(row) - 1)
                    piece.reveal(part(t, start, start + 0.3))

        return Draw(self, draw, run_time)

    def point(self, tensor: int, run_time: float = BEAT) -> Draw:
        """Return the animation in which what a tensor's ``.grad`` keeps is pointed at."""
        for arrow, parts in self._arrows:
            for each in parts:
                arrow.repaint(each, self.canvas.theme.muted)
                arrow.outline(each, self.canvas.theme.muted, each.stroke_width)
        rows = zip(self._rows, self.tensors, strict=True)
        blocks = [self._now.get(tensor, row[-1]) for row, each in rows if each == tensor]
        theme, px = self.canvas.theme, self.canvas.artboard.px

        def draw(t: float) -> None:
            lit = part(t, 0.0, 0.35)
            for block in blocks:
                color = mix(theme.grad, theme.focus, lit)
                block.outline(block.submobjects[0], color, self.canvas.stroke(px(4 + 2 * lit)))

        return Draw(self, draw, run_time)

    def empty(self, gradients: dict[int, int | None], step: Step) -> Draw:
        """Return the animation in which a step empties some ``.grad``: by the record of what was
        there, the record of what is there now, or None."""
        pieces: list[Part] = []
        for tensor, after, place in zip(self.tensors, self.afters, self._places, strict=True):
            if after not in gradients:
                continue
            now = gradients[after]
            pieces.append(self._arrow(place, step))
            pieces.append(
                self._pictures.nothing(place, step.number)
                if now is None
                else self._pictures.gradient(now, place, kept=True)
            )
            self._now[tensor] = pieces[-1]
        self.add_parts(pieces)

        theme, px = self.canvas.theme, self.canvas.artboard.px
        for row in self._rows:
            row[-1].outline(row[-1].submobjects[0], theme.grad, self.canvas.stroke(px(4)))

        def draw(t: float) -> None:
            for number, piece in enumerate(pieces):
                start = 0.4 * (number % 2)
                piece.reveal(part(t, start, start + 0.6))

        return Draw(self, draw, BEAT + QUICK)

    def add_parts(self, parts: Sequence[Part]) -> None:
        """Put parts, still hidden, on the picture."""
        self.submobjects.extend(parts)

    def _row(self, name: str, each: Accumulation, zone: Zone, y: float) -> None:
        assert each.before is not None
        width, height, unit, grid = self._block(each.after, zone.height)
        sign = _SIGN * self._sizes.cell
        x = (
            zone.center_x
            - (3 * width + 2 * sign + _GONE * self._sizes.cell + width) / 2
            + width / 2
        )
        pieces: list[Part] = []
        for place, (gradient, mark) in enumerate(
            ((each.before, "+"), (each.gradient, "="), (each.after, ""))
        ):
            box = Box(x, y, width, height, 0, 0, 0, 0, unit, grid)
            block = self._pictures.gradient(gradient, box, kept=place != 1)
            pieces.append(block)
            if place == 2 and name:
                pieces.insert(-1, self._named(name, box, each.tensor))
            if mark:
                pieces.append(self._sign(mark, x + width / 2 + sign / 2, y))
            x += width + sign
        gone = x + _GONE * self._sizes.cell - sign
        self._places.append(Box(gone, y, width, height, 0, 0, 0, 0, unit, grid))
        self._rows.append(pieces)
        self.add_parts(pieces)

    def _block(self, gradient: int, room: float) -> tuple[float, float, float, tuple[int, int]]:
        """Return width, height and side of the cells of a gradient's block, and its grid."""
        record, cell = self.trace.tensor(gradient), _CELL * self._sizes.cell
        rows, columns = grid_of(record.shape)
        if rows == 1 and columns <= 4:
            rows, columns = columns, 1  # as its elements stand in the graph
        unit = min(cell, 1.4 * cell / columns, min(2.6 * cell, 0.8 * room) / rows)
        if record.id in self.trace.values and unit >= self.canvas.artboard.px(10):
            return columns * unit, rows * unit, unit, (rows, columns)
        return 1.4 * cell, 1.4 * cell * min(1.0, max(0.3, rows / columns)), 0.0, (rows, columns)

    def _sign(self, text: str, x: float, y: float) -> Part:
        color = self.canvas.theme.grad if text == "+" else self.canvas.theme.muted
        size = self.canvas.artboard.type_title
        source = Drawn(0, text, "sign")
        return Part(self.canvas.label(text, x, y, size, color, source=source))

    def _named(self, name: str, box: Box, tensor: int) -> Part:
        size = self._sizes.name
        y = box.y - box.height / 2 - 0.9 * size
        left = box.x - text_width(f"{name}.grad", size) / 2
        theme = self.canvas.theme
        source = Drawn(0, f"{name}.grad", "name", tensor)
        return Part(
            self.canvas.label(f"{name}.grad", left, y, size, theme.grad, align=0, source=source)
        )

    def _arrow(self, place: Box, step: Step) -> Part:
        px, theme = self.canvas.artboard.px, self.canvas.theme
        end = place.x - place.width / 2 - px(14)
        start = end - (_GONE - 1.25) * self._sizes.cell
        size = self.canvas.artboard.type_op
        name = bare_name(step.op)
        source = Drawn(0, name, "op", step=step.number)
        label = self.canvas.label(
            name, (start + end) / 2, place.y - 0.95 * size, size, theme.focus, weight="Medium",
            source=source,
        )  # fmt: skip
        shaft = self.canvas.arrow((start, place.y), (end, place.y), theme.focus, px(4))
        arrow = Part(shaft, label)
        whole = [each for each in arrow.get_family() if isinstance(each, VMobject)]
        self._arrows.append((arrow, whole))
        return arrow
