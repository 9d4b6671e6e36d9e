"""Any op that only moves elements: cells fly from the operands by the measured map."""

from __future__ import annotations

import numpy as np

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.layout import Margins
from torchreel.stage.origins import origins
from torchreel.stage.reading import leave_unread, reading_room, tell_reading
from torchreel.stage.registry import choreography, find
from torchreel.stage.stage import Stage

_MOST = 4
_NO_PAD: Margins = (0.0, 0.0, 0.0, 0.0)


@choreography("moves", fills="identity")
def move(stage: Stage, step: Step) -> None:
    """Play a step whose result holds elements of its operands in other places."""
    result = stage.results(step)[0]
    moves = stage.trace.moves(step.number)
    assert moves is not None
    used = [int(each) for each in np.unique(moves[:, 0]) if each >= 0][:_MOST]
    if not used:  # nothing was moved: the result is empty, or filled
        find("").play(stage, step)
        return
    records = [stage.record(step.operands[each].tensor or 0) for each in used]
    symbols = [""] * (len(records) - 1) + ["→"]
    pads = [_NO_PAD] * len(records)
    pads += [reading_room(stage, records[0], result)] if records else []
    *sources, block = stage.arrange("left_right", records, [result], symbols=symbols, pads=pads)
    starts = origins(block, moves, dict(zip(used, sources, strict=True)))
    known = block.elements[~np.isnan(starts[:, 0])] if len(block.elements) else block.elements
    if not len(known):
        stage.play(stage.land(block, run_time=motion.SLOW))
        return
    for operand, source in zip(used, sources, strict=True):
        left = np.ones(source.record.numel, dtype=bool)
        left[moves[moves[:, 0] == operand, 1]] = False
        if left.any() and source.has_cells:
            stage.play(stage.dim(source, left))
    stage.play(*leave_unread(stage, records[0], result))
    at = starts[~np.isnan(starts[:, 0])]
    side = sources[0].pose.size
    stage.play(stage.fly(block, at, known, run_time=1.5, size=side))
    if not block.pose.shown.all():
        stage.play(stage.land(block))
    tell_reading(stage, records[0], block)
