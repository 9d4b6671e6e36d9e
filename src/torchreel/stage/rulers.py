"""Index rulers: the numbers 0, 1, 2 … along the axes of a table, those that are asked for lit."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.records import Drawn, Shape
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas, Label, paint
from torchreel.stage.form import DEPTH_X
from torchreel.stage.layout import Margins
from torchreel.stage.text import text_width

_LEFT, _ABOVE = 24.0, 22.0
_TABLE = 2


class IndexRulers(VGroup):
    """The indices above the columns and left of the rows of a block of one or two dimensions.

    ``lit`` names for each dimension, from the first, which of its indices are in focus. Where the
    cells are too narrow for the longest number, or are not drawn one by one, there is no ruler.
    """

    def __init__(
        self, canvas: Canvas, block: TensorBlock, lit: Collection[Collection[int]] = ()
    ) -> None:
        super().__init__()
        self.canvas, self.block = canvas, block
        self.size = canvas.artboard.floor
        self._labels: list[tuple[int, int, Label]] = []
        sizes = block.record.shape
        if not block.has_cells or not 0 < len(sizes) <= _TABLE:
            return
        left, _, _, _ = block.pose.front
        _, top, _, _ = block.pose.box
        px, side = canvas.artboard.px, block.pose.size
        corners = block.pose.corners.reshape(-1, sizes[-1], 2)
        lean = DEPTH_X * block.pose.depth / 2  # the upper faces lean to the right
        if text_width(str(sizes[-1] - 1), self.size) < side:
            for column, (x, _) in enumerate(corners[0]):
                place = (float(x) + side / 2 + lean, top - px(_ABOVE))
                self._write(column, len(sizes) - 1, place)
        if len(sizes) == _TABLE and side > self.size:
            for row, y in enumerate(corners[:, 0, 1]):
                place = (left - px(_LEFT), float(y) + side / 2)
                self._write(row, 0, place)
        self.light(lit)

    def light(self, lit: Collection[Collection[int]]) -> None:
        """Put these indices of each dimension in focus, and no others; all of them are none."""
        theme, sizes = self.canvas.theme, self.block.record.shape
        wanted = [each if len(each) < size else () for each, size in zip(lit, sizes, strict=False)]
        for dim, index, label in self._labels:
            asked = dim < len(wanted) and index in wanted[dim]
            paint(label, theme.focus if asked else theme.muted, None, 0)

    def put_out(self) -> bool:
        """Put no index in focus; the rulers stay."""
        self.light(())
        return False

    def _write(self, index: int, dim: int, place: tuple[float, float]) -> None:
        last = dim == len(self.block.record.shape) - 1
        told = (index,) if last else (dim, index)
        source = Drawn(0, str(index), "index", self.block.record.id, told)
        color = self.canvas.theme.muted
        label = self.canvas.label(str(index), *place, self.size, color, source=source)
        self._labels.append((dim, index, label))
        self.add(label)


def ruler_room(canvas: Canvas) -> Margins:
    """Return what the rulers need around a block: left, top, right, bottom in pixels."""
    px = canvas.artboard.px
    return px(_LEFT) + canvas.artboard.floor / 2, px(_ABOVE) + canvas.artboard.floor / 2, 0.0, 0.0


def touched(shape: Shape, places: NDArray[np.int64]) -> list[set[int]]:
    """Return which indices of each dimension of a tensor these row-major places have."""
    return [set(axis.tolist()) for axis in np.unravel_index(places, shape)]
