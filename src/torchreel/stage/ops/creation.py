"""Creation: cells drop onto empty slots in index order, and fill the memory as they land."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.landing import groups, lane_of
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

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
    "randint_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_tensor",
    fills="identity",
)
def create(stage: Stage, step: Step) -> None:
    """Play a step that makes a tensor out of nothing."""
    record = stage.record(step.results[0])
    companions = stage.companions(record)
    if companions:
        # The next op takes it together with what is on stage: they stand side by side.
        *_, block = stage.arrange("left_right", companions, [record])
        stage.play(stage.land(block))
        return
    block, placement = stage.new_block(record)
    stage.clear()
    if not len(block.elements):
        block.fade_into(1.0)
        stage.show_block(block)
        stage.appear(block, motion.BEAT)
        stage.grow_brackets(placement)
        return
    _drop(stage, block, record)
    stage.grow_brackets(placement)
    if block.has_cells:
        stage.follow_memory()


def _drop(stage: Stage, block: TensorBlock, record: TensorRecord) -> None:
    """Let the cells fall onto their slots, and the memory fill as they land."""
    home = block.pose
    count = len(home.corners)
    group = groups(count)
    lane = lane_of(home, np.arange(count), np.zeros(count, dtype=bool))

    def fall(alpha: float) -> None:
        arrived = motion.staggered(alpha, int(group.max()) + 1)[group]
        corners = home.corners + (1 - arrived)[:, None] * _DROP * lane
        block.set_pose(replace(home, corners=corners, shown=arrived > 0))
        if stage.tape is not None and stage.tape_holds(record):
            slots = np.arange(stage.tape.count)  # of those between the ends of a long row, too
            stage.tape.fill(np.interp(slots, block.elements, arrived))

    fall(0)
    empty = stage.empty_slots(home)
    if stage.tape is not None:
        stage.scene.add(stage.tape)
    stage.scene.add(empty)
    stage.show_block(block)
    animations = [BlockAnimation(block, fall, max(motion.SLOW, min(1.8, 0.13 * count)))]
    if stage.tape is not None:
        animations.append(BlockAnimation(stage.tape, lambda _: None, animations[0].run_time))
    stage.play(*animations)
    stage.scene.remove(empty)
