"""What is drawn of a tensor that goes through a network: its first sample (pure NumPy)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchreel.records import TensorRecord, Trace

Floats = NDArray[np.float64]

PICTURE_FROM = 49
"""Flat samples of at least so many elements, a square number, none negative, show as pictures."""


@dataclass(frozen=True)
class Sample:
    """The first sample of a tensor: ``numbers`` are its values, or the means of boxes of them.

    ``numbers`` has one dimension (features), two (positions and features, or the texture of a
    tensor whose samples were not kept) or three (channels, rows, columns). None: nothing is known.
    """

    record: TensorRecord
    numbers: Floats | None

    @property
    def features(self) -> int:
        """How many features one sample has: channels of maps, else the size of the last dim."""
        shape = self.record.shape
        if len(shape) == 4:
            return shape[1]
        return shape[-1] if shape else 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one sample, the batch left out, and the dims they are of."""
        shape = self.record.shape
        return shape[1:] if len(shape) > 1 else shape

    @property
    def column(self) -> Floats | None:
        """The numbers as one column, or as a matrix where a sample is one."""
        if self.numbers is None:
            return None
        if self.numbers.ndim == 2:
            return self.numbers
        return self.numbers.reshape(-1, 1)

    @property
    def picture(self) -> Floats | None:
        """The sample as rows of pixels where it may be one: a square of numbers from 0 up."""
        numbers = self.numbers
        if numbers is None or not numbers.size or float(numbers.min()) < 0:
            return None
        if numbers.ndim == 3 and numbers.shape[0] == 1 and min(numbers.shape[1:]) > 1:
            first: Floats = numbers[0]
            return first
        side = math.isqrt(numbers.size)
        if numbers.ndim == 1 and side * side == numbers.size >= PICTURE_FROM:
            return numbers.reshape(side, side)
        return None


def sample_of(trace: Trace, tensor: int) -> Sample:
    """Return the first sample of a tensor of the trace."""
    record = trace.tensor(tensor)
    values = trace.values.get(tensor)
    if values is not None:
        numbers = values.astype(float)
        return Sample(record, _first(numbers.reshape(record.shape)))
    texture = trace.arrays.get(record.texture or "")
    return Sample(record, None if texture is None else texture.astype(float))


def _first(numbers: Floats) -> Floats:
    if numbers.ndim <= 1:
        return numbers.reshape(-1)
    first = numbers[0] if len(numbers) else numbers.reshape(-1)
    while first.ndim > 3:
        first = first[0]
    return first


def weight_of(trace: Trace, tensor: int) -> Floats | None:
    """Return a parameter as a matrix: kernels stand side by side, a vector is one column."""
    record = trace.tensor(tensor)
    values = trace.values.get(tensor)
    if values is None:
        texture = trace.arrays.get(record.texture or "")
        return None if texture is None else texture.astype(float).reshape(len(texture), -1)
    numbers = values.astype(float).reshape(record.shape)
    if numbers.ndim == 4:
        return _kernels(numbers.reshape(-1, *numbers.shape[2:]))
    return numbers.reshape(len(numbers), -1) if numbers.ndim else numbers.reshape(1, 1)


def matrices_of(trace: Trace, tensors: Iterable[int]) -> list[Floats]:
    """Return those of these parameters whose numbers are known, as matrices."""
    found = (weight_of(trace, each) for each in tensors)
    return [each for each in found if each is not None]


def _kernels(numbers: Floats) -> Floats:
    """Return kernels (n, rows, columns) as one matrix, about as wide as high."""
    count, rows, columns = numbers.shape
    across = max(each for each in range(1, math.isqrt(count) + 1) if count % each == 0)
    grid = numbers.reshape(across, count // across, rows, columns)
    return grid.transpose(0, 2, 1, 3).reshape(across * rows, -1)
