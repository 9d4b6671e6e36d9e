"""A curve of numbers by lap, thinned by least and greatest when it grows long."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

LONGEST = 10_000
"""Points that a curve has at most when it is told."""


class Curve:
    """Numbers by lap; where a stretch of laps is thinned, its least and greatest stay.

    All stretches of a curve are equally long, a power of two. A NaN counts as the greatest.
    """

    def __init__(self) -> None:
        self._laps = array("q")
        self._numbers = array("d")

    def add(self, lap: int, number: float) -> None:
        """Add the number of a lap; laps may come in any order."""
        if len(self._laps) >= 4 * LONGEST:
            laps, numbers = _thinned(np.array(self._laps), np.array(self._numbers))
            self._laps, self._numbers = array("q", laps.tobytes()), array("d", numbers.tobytes())
        try:
            self._numbers.append(number)
        except OverflowError:  # an int too large for a float
            self._numbers.append(float("inf") if number > 0 else float("-inf"))
        self._laps.append(lap)

    def points(self) -> NDArray[np.float64]:
        """Return the curve, shape (n, 2): lap and number, with n at most LONGEST."""
        laps, numbers = np.array(self._laps, dtype=np.int64), np.array(self._numbers)
        if len(laps) > LONGEST:
            laps, numbers = _thinned(laps, numbers)
        order = np.argsort(laps, kind="stable")
        laps, numbers = laps[order], numbers[order]
        return np.stack([laps.astype(np.float64), numbers], axis=1)


def _thinned(
    laps: NDArray[np.int64], numbers: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keep the least and the greatest of each stretch, the shortest for which that is enough."""
    stretch = 1
    while 2 * ((laps.max() - 1) // stretch + 1) > LONGEST:
        stretch *= 2
    number_of = (laps - 1) // stretch
    order = np.lexsort((numbers, number_of))  # within a stretch by number, NaN last
    sorted_of = number_of[order]
    first = np.flatnonzero(np.diff(sorted_of, prepend=-1))
    last = np.append(first[1:], len(order)) - 1
    kept = np.unique(np.concatenate([order[first], order[last]]))
    return laps[kept], numbers[kept]
