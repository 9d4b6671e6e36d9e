"""Which nodes of a layer are drawn: all of a small one, else the ends and where most happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreel.stage.nets.sample import Floats

ALL = 10
"""Layers of up to so many nodes are drawn whole."""

_NEIGHBOURS = 3


@dataclass(frozen=True)
class Selection:
    """The indices of the nodes that are drawn, from top to bottom, and where dots stand for more.

    ``gaps`` are positions in ``indices`` before which nodes were left out.
    """

    indices: tuple[int, ...]
    gaps: tuple[int, ...]


def select(values: Floats, followed: int | None = None) -> Selection:
    """Return the nodes to draw of a layer with these values: ends and the liveliest neighbours.

    The neighbours are the three in a row whose sizes sum to the most; ``followed`` must be shown.
    """
    count = len(values)
    if count <= ALL:
        return Selection(tuple(range(count)), ())
    sizes = np.abs(np.nan_to_num(values))
    sums = np.convolve(sizes, np.ones(_NEIGHBOURS), mode="valid")
    first = int(np.argmax(sums))
    chosen = {0, count - 1, *range(first, first + _NEIGHBOURS)}
    if followed is not None:
        chosen.add(followed)
    indices = tuple(sorted(chosen))
    gaps = tuple(at for at in range(1, len(indices)) if indices[at] > indices[at - 1] + 1)
    return Selection(indices, gaps)
