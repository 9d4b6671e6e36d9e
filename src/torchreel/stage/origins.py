"""Where cells come from: the places on stage of the elements that a step moved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from torchreel.stage.block import TensorBlock


def origins(
    block: TensorBlock, moves: NDArray[np.generic], sources: Mapping[int, TensorBlock]
) -> NDArray[np.float64]:
    """Return where each cell of a block comes from: corners (n, 2) in pixels, NaN from nowhere.

    ``moves`` is the step's measured map, ``sources`` the block of each operand it names.
    """
    starts = np.full((len(block.elements), 2), np.nan)
    for cell, element in enumerate(block.elements):
        operand, place = (int(each) for each in moves[element])
        source = sources.get(operand)
        if source is None or not len(source.elements):
            continue
        cells = source.cells_of([place])
        if len(cells):
            starts[cell] = source.pose.corners[cells[0]]
    return starts
