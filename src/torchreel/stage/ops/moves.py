"""Any op that only moves elements: cells fly from the operands by the measured map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_MOST = 4


@choreography("moves", fills="identity")
def move(stage: Stage, step: Step) -> None:
    """Play a step whose result holds elements of its operands in other places."""
    result = stage.results(step)[0]
    moves = stage.trace.moves(step.number)
    assert moves is not None
    used = [int(each) for each in np.unique(moves[:, 0]) if each >= 0][:_MOST]
    records = [stage.record(step.operands[each].tensor or 0) for each in used]
    symbols = [""] * (len(records) - 1) + ["→"]
    *sources, block = stage.arrange("left_right", records, [result], symbols=symbols)
    starts = _starts(block, moves, dict(zip(used, sources, strict=True)))
    known = block.elements[~np.isnan(starts[:, 0])] if len(block.elements) else block.elements
    if not len(known):
        stage.play(stage.land(block, run_time=motion.SLOW))
        return
    for operand, source in zip(used, sources, strict=True):
        left = np.ones(source.record.numel, dtype=bool)
        left[moves[moves[:, 0] == operand, 1]] = False
        if left.any() and source.has_cells:
            stage.play(stage.dim(source, left))
    at = starts[~np.isnan(starts[:, 0])]
    side = sources[0].pose.size
    stage.play(stage.fly(block, at, known, run_time=1.5, size=side))
    if not block.pose.shown.all():
        stage.play(stage.land(block))


def _starts(
    block: TensorBlock, moves: NDArray[np.generic], sources: dict[int, TensorBlock]
) -> NDArray[np.float64]:
    """Return where each cell of a block comes from (n, 2) in pixels, NaN where from nowhere."""
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
