"""Creation: cells drop onto empty slots in index order, and fill the memory as they land."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation
from torchreel.stage.director import LessonScene
from torchreel.stage.registry import choreography

_DROP = 0.8


@choreography(
    "arange",
    "tensor",
    "zeros",
    "ones",
    "full",
    "eye",
    "linspace",
    "logspace",
    "rand",
    "randn",
    "randint",
    "randperm",
    "zeros_like",
    "ones_like",
    "full_like",
    "rand_like",
    "randn_like",
    identity=True,
)
def create(scene: LessonScene, step: Step) -> None:
    """Play a step that makes a tensor out of nothing."""
    record = scene.record(step.results[0])
    block, placement = scene.new_block(record)
    home = block.pose
    count = len(home.corners)

    def fall(alpha: float) -> None:
        arrived = motion.staggered(alpha, count)
        lift = (1 - arrived) * _DROP * home.size
        corners = home.corners - np.stack([np.zeros(count), lift], axis=1)
        block.set_pose(replace(home, corners=corners, shown=arrived > 0))
        if scene.tape is not None and scene.tape_holds(record):
            scene.tape.fill(arrived)

    scene.clear_stage()
    fall(0)
    slots = scene.empty_slots(home)
    if scene.tape is not None:
        scene.add(scene.tape)
    scene.add(slots)
    scene.show_block(block)
    animations = [BlockAnimation(block, fall, max(motion.SLOW, min(1.8, 0.13 * count)))]
    if scene.tape is not None:
        animations.append(BlockAnimation(scene.tape, lambda _: None, animations[0].run_time))
    scene.play(*animations)
    scene.remove(slots)
    scene.grow_brackets(placement)
    scene.follow_memory()
