"""Any op without a choreography of its own: operands into a box with its name, the result out."""

from __future__ import annotations

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage


@choreography("fallback")
def named_box(stage: Stage, step: Step) -> None:
    """Play a step as a named box: what goes in, what comes out, nothing in between."""
    stage.clear()
    stage.flash_box(step, motion.BEAT)
    if step.results:
        block, placement = stage.new_block(stage.record(step.results[0]))
        stage.show_block(block)
        stage.appear(block)
        stage.grow_brackets(placement)
