"""Any op of which it is known what feeds what: for a few results the cells that feed them are lit,
then all results land."""

from __future__ import annotations

import numpy as np

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_SHOWN = 3
_MOST = 3


@choreography("feeds")
def feed(stage: Stage, step: Step) -> None:
    """Play a step whose results are computed from known elements of its operands."""
    known = stage.trace.feeds(step.number)
    assert known is not None
    entries = known[0].astype(int)
    used = [int(each) for each in np.unique(entries[:, 1])][:_MOST]
    records = [stage.record(step.operands[each].tensor or 0) for each in used]
    symbols = [""] * (len(records) - 1) + ["→"]
    result = stage.results(step)[0]
    *sources, block = stage.arrange("left_right", records, [result], symbols=symbols)
    for element in _told(block):
        mine = entries[entries[:, 0] == element]
        parts = [(s, mine[mine[:, 1] == o, 2]) for o, s in zip(used, sources, strict=True)]
        stage.play(*(stage.light(source, places) for source, places in parts if len(places)))
        stage.play(stage.land(block, [element], motion.QUICK))
    stage.play(*stage.unlight())
    stage.play(stage.land(block))


def _told(block: TensorBlock) -> list[int]:
    """Return the results that are shown one by one: the first ones, where there are more."""
    elements = [int(each) for each in block.elements]
    return elements[: _SHOWN if len(elements) > _SHOWN else len(elements)]
