"""Any op without a choreography of its own: operands into a box with its name, the result out."""

from __future__ import annotations

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.director import LessonScene
from torchreel.stage.registry import choreography


@choreography("fallback")
def named_box(scene: LessonScene, step: Step) -> None:
    """Play a step as a named box: what goes in, what comes out, nothing in between."""
    scene.clear_stage()
    scene.flash_box(step, motion.BEAT)
    if step.results:
        block, placement = scene.new_block(scene.record(step.results[0]))
        scene.show_block(block)
        scene.appear(block)
        scene.grow_brackets(placement)
