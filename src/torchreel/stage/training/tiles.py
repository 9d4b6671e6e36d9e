"""Weights as pictures: rows of a matrix as the image they look at, or the matrix itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from manim import Group, VGroup

from torchreel.records import Drawn, TensorRecord
from torchreel.stage import numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, polyline, redraw
from torchreel.stage.colors import Color, ink_on
from torchreel.stage.nets.sample import PICTURE_FROM, Floats
from torchreel.stage.nets.shades import boxed, shade
from torchreel.stage.picture import Picture
from torchreel.stage.text import ADVANCE

TILES = 5

DIGITS, _CHARS = 16, 5
"""A weight of at most so many numbers has them written on it, in so many characters each."""


def tiles_of(weight: Floats) -> list[Floats]:
    """Return a matrix as tiles: each of its rows a square picture, or the matrix as one tile."""
    side = math.isqrt(weight.shape[1])
    if side * side == weight.shape[1] >= PICTURE_FROM:
        return [row.reshape(side, side) for row in weight]
    return [weight]


def liveliest(before: Floats, after: Floats, count: int = TILES) -> list[int]:
    """Return which tiles changed most between two versions of a weight, in their own order."""
    changes = [
        float(np.linalg.norm(new - old))
        for old, new in zip(tiles_of(before), tiles_of(after), strict=True)
    ]
    return sorted(np.argsort(changes)[::-1][:count].tolist())


class Tile(Group):
    """One tile in a rectangle, as large as its proportions allow, with a frame."""

    def __init__(
        self, canvas: Canvas, zone: Zone, numbers: Floats, limit: float, frame: Color | None
    ) -> None:
        self.canvas, self.limit = canvas, limit
        rows, columns = numbers.shape
        cell = min(zone.width / columns, zone.height / rows)
        width, height = cell * columns, cell * rows
        self.zone = Zone(zone.center_x - width / 2, zone.center_y - height / 2, width, height)
        self.picture = Picture(canvas, self._colors(numbers), self.zone)
        super().__init__(self.picture)
        if frame is not None:
            edge = canvas.artboard.px(4)
            x, y = self.zone.x - edge, self.zone.y - edge
            size = (width + 2 * edge, height + 2 * edge)
            self.add(canvas.rectangle(x, y, *size, radius=edge, line=frame, stroke=edge))

    def become_numbers(self, numbers: Floats) -> None:
        """Show other numbers."""
        self.picture.paint(self._colors(numbers))

    def _colors(self, numbers: Floats) -> Floats:
        reduced = boxed(numbers, self.zone.height, self.zone.width)
        return shade(reduced, self.limit, self.canvas.theme)


class TileShelf(Group):
    """A few tiles of a weight in the frame of a parameter, with its corner pin: side by side, in
    as many rows as make them largest."""

    def __init__(
        self, canvas: Canvas, zone: Zone, weight: Floats, rows: list[int], limit: float
    ) -> None:
        self.rows = rows
        theme, px = canvas.theme, canvas.artboard.px
        pad = px(10)
        tiles = tiles_of(weight)
        places = _grid(zone.inset(pad, pad, pad, pad), px(14), len(rows), tiles[0].shape)
        self.tiles = [
            Tile(canvas, place, tiles[row], limit, None)
            for place, row in zip(places, rows, strict=True)
        ]
        frame = canvas.rectangle(
            zone.x,
            zone.y,
            zone.width,
            zone.height,
            radius=px(10),
            line=theme.param,
            stroke=px(4),
        )
        pin = px(26)
        corner = [(zone.x, zone.y), (zone.x + pin, zone.y), (zone.x, zone.y + pin)]
        triangle = canvas.shape(polyline(np.array([*corner, corner[0]])), theme.param)
        self.canvas, self.digits = canvas, VGroup()
        super().__init__(*self.tiles, frame, triangle, self.digits)

    def become_weight(self, weight: Floats, record: TensorRecord) -> None:
        """Show another version of the weight, and what is known of it as a tensor."""
        tiles = tiles_of(weight)
        for tile, row in zip(self.tiles, self.rows, strict=True):
            tile.become_numbers(tiles[row])
        if record.numel == weight.size <= DIGITS and len(record.shape) <= 2:
            redraw(self.digits, self._digits(weight, record))

    def _digits(self, weight: Floats, record: TensorRecord) -> VGroup:
        """Return the numbers of a small weight, each on its place in the tile; none where they have
        no room."""
        zone, board = self.tiles[0].zone, self.canvas.artboard
        cell, texts = zone.height / len(weight), numerals.write_all(weight, _CHARS)
        size = min(board.type_title, 0.9 * cell / (ADVANCE * _CHARS))
        if size < board.floor or texts is None:
            return VGroup()
        group, colors = VGroup(), shade(weight, self.tiles[0].limit, self.canvas.theme)
        for (row, column), text in zip(np.ndindex(weight.shape), texts, strict=True):
            place = np.unravel_index(row * weight.shape[1] + column, record.shape)
            index = tuple(map(int, place)) if record.shape else ()
            source = Drawn(0, text, "value", tensor=record.id, index=index)
            x, y = zone.x + (column + 0.5) * cell, zone.y + (row + 0.5) * cell
            ink = ink_on(colors[row, column], self.canvas.theme)
            group.add(self.canvas.label(text, x, y, size, ink, source=source))
        return group


def _grid(zone: Zone, gap: float, count: int, shape: tuple[int, ...]) -> list[Zone]:
    """Return places for so many tiles of a shape in rows that are alike, as large as they can
    be."""

    def size(lines: int) -> tuple[float, float]:
        across = math.ceil(count / lines)
        width = (zone.width + gap) / across - gap
        return width, (zone.height + gap) / lines - gap

    def cell(lines: int) -> float:
        width, height = size(lines)
        return min(width / shape[1], height / shape[0])

    lines = max(range(1, count + 1), key=cell)
    across, (width, height) = math.ceil(count / lines), size(lines)
    return [
        Zone(
            zone.x + place % across * (width + gap),
            zone.y + place // across * (height + gap),
            width,
            height,
        )
        for place in range(count)
    ]


@dataclass(frozen=True)
class Kept:
    """A tile of a weight that no step changes; nothing is drawn where its numbers are not known."""

    canvas: Canvas
    numbers: Floats | None = None
    limit: float = 0.0

    def draw(self, zone: Zone) -> Group:
        """Return the picture of it in a zone."""
        if self.numbers is None:
            return Group()
        edge = self.canvas.artboard.px(8)
        inner = zone.inset(edge, edge, edge, edge)
        return Group(Tile(self.canvas, inner, self.numbers, self.limit, self.canvas.theme.param))
