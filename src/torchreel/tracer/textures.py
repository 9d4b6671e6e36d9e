"""What a tensor too large to be kept is shown by: the means of boxes, and statistics.

It is read block by block, so that no copy of it is ever made; on an accelerator, too, only blocks
are brought back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from torchreel.records import Array, Statistics
from torchreel.tracer.values import array_of

SIDE = 128
"""A texture has at most so many rows and columns."""

BLOCK = 1 << 18
"""So many elements are read at a time: two MiB as float64."""

READ = 1 << 30
"""Of a tensor with more elements (an expanded one may have any number) nothing is told."""

Floats = NDArray[np.float64]


def texture_of(tensor: torch.Tensor) -> tuple[Array, Statistics] | None:
    """Return the means of boxes, shape at most (SIDE, SIDE) or (SIDE,), and the statistics.

    All but the last dimension are one below the other: of a tensor of r rows, row i of a texture of
    n rows is of its rows from ``i * r // n`` up to ``(i + 1) * r // n``; columns alike. The mean of
    a box that holds a NaN is NaN. None where there are no elements, too many, or none that can be
    read as real numbers.
    """
    plain = tensor.layout == torch.strided and not tensor.is_nested and tensor.device.type != "meta"
    if not plain or tensor.is_complex() or not 0 < tensor.numel() <= READ:
        return None
    tensor = tensor.detach()
    if tensor.dim() == 2 and tensor.stride(0) < tensor.stride(1):  # read it as it lies in memory
        turned = _read(tensor.t())
        return turned and (np.ascontiguousarray(turned[0].T), turned[1])
    return _read(tensor)


def _read(tensor: torch.Tensor) -> tuple[Array, Statistics] | None:
    columns = tensor.shape[-1] if tensor.dim() else 1
    boxes, counts = _Boxes(tensor.numel() // columns, columns), _Counts()
    with np.errstate(all="ignore"):
        for row, column, block in _blocks(tensor, columns):
            array = array_of(block)
            if array is None:
                return None
            wide = array.astype(np.float64)
            boxes.add(row, column, wide)
            counts.add(wide)
        texture = boxes.means()
    return (texture[0] if tensor.dim() < 2 else texture), counts.statistics()


def _blocks(
    tensor: torch.Tensor, columns: int, row: int = 0
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield blocks (rows, columns) of at most BLOCK elements, with their first row and column."""
    if tensor.numel() <= BLOCK:
        yield row, 0, tensor.reshape(-1, columns)
    elif tensor.dim() == 1:
        for column in range(0, columns, BLOCK):
            yield row, column, tensor[column : column + BLOCK].reshape(1, -1)
    elif len(tensor) == 1:
        yield from _blocks(tensor[0], columns, row)
    else:
        each = tensor.numel() // len(tensor)
        step = max(1, BLOCK // each)
        for index in range(0, len(tensor), step):
            rows = index * each // columns
            yield from _blocks(tensor[index : index + step], columns, row + rows)


class _Boxes:
    """Sums of the boxes of a matrix, block by block."""

    def __init__(self, rows: int, columns: int) -> None:
        self._starts = [_starts(rows), _starts(columns)]
        self._sums = np.zeros([len(starts) for starts in self._starts])
        self._sizes = np.outer(
            *(
                np.diff(starts, append=size)
                for starts, size in zip(self._starts, (rows, columns), strict=True)
            )
        )

    def add(self, row: int, column: int, block: Floats) -> None:
        """Add a block whose first element is at (row, column)."""
        places = []
        for axis, first in enumerate((row, column)):
            starts = self._starts[axis]
            box = int(np.searchsorted(starts, first, side="right")) - 1
            stop = int(np.searchsorted(starts, first + block.shape[axis]))
            edges = np.maximum(starts[box:stop] - first, 0)
            if len(edges) < block.shape[axis]:
                block = np.add.reduceat(block, edges, axis=axis)
            places.append(slice(box, stop))
        self._sums[tuple(places)] += block

    def means(self) -> NDArray[np.float32]:
        """Return the mean of each box."""
        return (self._sums / self._sizes).astype(np.float32)


def _starts(size: int) -> NDArray[np.int64]:
    count = min(size, SIDE)
    return np.arange(count, dtype=np.int64) * size // count


@dataclass
class _Counts:
    """Statistics so far: of the finite elements how many, their least, greatest, mean and sum of
    squared distances from it (Chan's way of putting two parts together)."""

    finite: int = 0
    least: float = math.inf
    greatest: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    nan: int = 0
    inf: int = 0

    def add(self, block: Floats) -> None:
        """Count a block's elements in."""
        values = block.ravel()
        if not math.isfinite(values.sum()):
            finite = np.isfinite(values)
            self.nan += int(np.isnan(values).sum())
            self.inf += int(np.isinf(values).sum())
            values = values[finite]
        if not len(values):
            return
        mean = float(values.mean())
        away = values - mean
        count = self.finite + len(values)
        between = mean - self.mean
        np.square(away, out=away)  # not a dot product: its threads would wait for one another
        self.squares += float(away.sum()) + between**2 * self.finite * len(values) / count
        self.mean += between * len(values) / count
        self.finite = count
        self.least = min(self.least, float(values.min()))
        self.greatest = max(self.greatest, float(values.max()))

    def statistics(self) -> Statistics:
        """Return them; ``std`` as ``torch.std`` has it, and 0 of one element."""
        if not self.finite:
            return Statistics(None, None, None, None, self.nan, self.inf)
        std = math.sqrt(self.squares / max(self.finite - 1, 1))
        return Statistics(
            self.least, self.greatest, _told(self.mean), _told(std), self.nan, self.inf
        )


def _told(number: float) -> float | None:
    """Return None instead of what overflowed: JSON has no infinity."""
    return number if math.isfinite(number) else None
