"""Any op that nothing is known of: operands, a box with its name, and what comes out of it."""

from __future__ import annotations

from torchreel.records import Step
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_MOST = 2


@choreography("fallback")
def named_box(stage: Stage, step: Step) -> None:
    """Play a step as a named box: what goes in, what comes out, nothing in between."""
    operands, results = stage.operands(step)[:_MOST], stage.results(step)[:1]
    if not operands or not results:
        stage.clear()
        stage.flash_box(step, motion.BEAT)
        for each in results:
            stage.exchange(each)
        return
    symbols = [""] * (len(operands) - 1) + [spell(step)]
    *_, block = stage.arrange("left_right", operands, results, symbols=symbols, box=step)
    stage.play(stage.land(block, run_time=motion.BEAT))
