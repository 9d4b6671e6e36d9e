"""The products of a row and a column, one below the other, and their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup

from torchreel.records import Array, Drawn
from torchreel.stage import numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import ink_on
from torchreel.stage.seen import index_of, origin_of, own
from torchreel.stage.text import text_width

_LINE = 1.55
_CHARS = 5
_SIGN = 1.3

Term = tuple[int, int]
"""The elements of the two blocks that are multiplied."""


class Products(VGroup):
    """``1 × 2 = 2`` a line, and below them ``Σ = 4``; each line is a group of its own.

    ``rows`` are the lines of products, ``total`` is the last line. Where there is not room for all
    terms, dots stand for the middle ones; :func:`fitting` tells whether there is any.
    """

    def __init__(
        self,
        canvas: Canvas,
        zone: Zone,
        blocks: tuple[TensorBlock, TensorBlock],
        values: tuple[Array, Array],
        terms: Sequence[Term],
        total: tuple[TensorBlock, int],
        step: int,
        positions: tuple[int, int],
        made: Array,
    ) -> None:
        super().__init__()
        self.canvas, self.values = canvas, values
        self.rows: list[VGroup] = []
        self.chars = longest(values, terms, made, total[1])
        size, count = fitting(canvas, zone, len(terms), self.chars)
        shown: list[Term | None] = list(terms)
        if count < len(terms):
            shown = [*terms[: count - 2], None, terms[-1]]
        lines = len(shown) + 1
        height = min(size * _LINE, zone.height / lines)
        y = zone.center_y - height * lines / 2 + height / 2
        cell, sign = _cell(self.chars, size), text_width("m", size) * _SIGN
        left = zone.center_x - (3 * cell + 3 * sign) / 2
        self.size, self.cell, self.sign, self.height_of_row = size, cell, sign, height
        for index, term in enumerate(shown):
            row = VGroup()
            if index:
                self._say(row, "+", left + sign / 2, y)
            if term is None:
                self._say(row, "…", left + sign + cell / 2, y)
            else:
                self._term(row, left + sign, y, blocks, term, step, positions)
            self.rows.append(row)
            y += height
        theme = canvas.theme
        end = VGroup()
        x = left + sign + cell
        rule = canvas.path(
            [(left, y - height / 2), (left + 3 * (sign + cell), y - height / 2)],
            theme.line,
            canvas.artboard.px(3),
        )
        self._say(end, "Σ", x, y, lit=True)
        self._say(end, "=", left + 2.5 * sign + 2 * cell, y)
        self._element(end, left + 3 * sign + 2 * cell, y, *total, values=made)
        end.add(rule)
        self.total = end
        self.add(*self.rows, end)

    def _term(
        self,
        row: VGroup,
        x: float,
        y: float,
        blocks: tuple[TensorBlock, TensorBlock],
        term: Term,
        step: int,
        positions: tuple[int, int],
    ) -> None:
        a, b = blocks
        self._element(row, x, y, a, term[0], values=self.values[0])
        self._say(row, "×", x + self.cell + self.sign / 2, y)
        self._element(row, x + self.cell + self.sign, y, b, term[1], values=self.values[1])
        self._say(row, "=", x + 2 * self.cell + 1.5 * self.sign, y)
        one, other = self.values[0].ravel()[term[0]], self.values[1].ravel()[term[1]]
        text = _written(one * other)
        places = [int(origin_of(each.record)[e]) for each, e in zip(blocks, term, strict=True)]
        index = (positions[0], places[0], positions[1], places[1])
        source = Drawn(0, text, "product", index=index, step=step)
        middle = x + 2.5 * self.cell + 2 * self.sign
        theme = self.canvas.theme
        row.add(self.canvas.label(text, middle, y, self.size, theme.text, source=source))

    def _element(
        self,
        row: VGroup,
        x: float,
        y: float,
        block: TensorBlock,
        element: int,
        values: Array,
    ) -> None:
        theme, canvas = self.canvas.theme, self.canvas
        cells = block.cells_of([element])
        fill = block.fills[cells[0]] if len(cells) else theme.surface2
        text = _number(values, element)
        height, inset = self.height_of_row * 0.86, canvas.artboard.px(2)
        row.add(
            canvas.rectangle(
                x + inset,
                y - height / 2,
                self.cell - 2 * inset,
                height,
                radius=canvas.artboard.px(4),
                fill=fill,
            )
        )
        index = index_of(block.record, element)
        source = Drawn(0, text, "value", own(block.record).id, index)
        ink = ink_on(np.asarray(fill), theme)
        row.add(canvas.label(text, x + self.cell / 2, y, self.size, ink, source=source))

    def _say(self, row: VGroup, text: str, x: float, y: float, *, lit: bool = False) -> None:
        theme = self.canvas.theme
        color = theme.focus if lit else theme.muted
        source = Drawn(0, text, "sign")
        row.add(self.canvas.label(text, x, y, self.size, color, source=source))


def longest(values: tuple[Array, Array], terms: Sequence[Term], made: Array, total: int) -> int:
    """Return how many characters the longest number of a list of products has."""
    a, b = values
    texts = [_number(made, total)]
    for one, other in terms:
        product = a.ravel()[one] * b.ravel()[other]
        texts += [_number(a, one), _number(b, other), _written(product)]
    return max(len(text) for text in texts)


def _number(values: Array, place: int) -> str:
    return numerals.write_one(values, place, _CHARS) or "…"


def _written(value: np.generic) -> str:
    return numerals.write(value.item(), _CHARS) or "…"


def _cell(chars: int, size: float) -> float:
    """Return the width of a number's cell."""
    return text_width("m", size) * max(2.0, chars + 0.4)


def fitting(canvas: Canvas, zone: Zone, terms: int, chars: int = _CHARS) -> tuple[float, int]:
    """Return the size of the text and how many lines of products a zone has room for: none where
    they could not be read."""
    artboard = canvas.artboard
    wide = 3 * _cell(chars, 1.0) + 3 * _SIGN * text_width("m", 1.0)
    size = min(artboard.type_size, zone.width / wide)
    if size < artboard.floor:
        return 0.0, 0
    rows = terms + 1
    size = max(artboard.floor, min(size, zone.height / rows / 1.3))
    room = int(zone.height / (1.2 * size)) - 1
    return (size, min(room, terms)) if room >= min(terms, 3) else (0.0, 0)
