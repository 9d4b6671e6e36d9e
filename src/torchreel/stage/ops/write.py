"""Writing in place: the cells that change pulse, and the memory below them changes with them."""

from __future__ import annotations

import numpy as np
from manim import Animation
from numpy.typing import NDArray

from torchreel.records import Array, Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.memory import memory_positions
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage


@choreography("written", tape=True, fills="identity")
def write(stage: Stage, step: Step) -> None:
    """Play a step that writes into memory that is there already."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    block, changed = _block(stage, source), stage.changed(step)
    slots = memory_positions(source).ravel()[changed] if source.stride else changed[:0]
    known = stage.follows(slots)
    lit = [*stage.unlight(), stage.light(block, changed if len(changed) else None)]
    if not known and (leaving := stage.unfollow_memory()):
        stage.play(*leaving, *lit)
        lit = []
    stage.play(*lit, *(stage.following(int(slots[0])) if len(slots) and not known else ()))
    stage.play(stage.write(block, result), *_elsewhere(stage, block, result))


def _block(stage: Stage, source: TensorRecord) -> TensorBlock:
    """Return the block of what is written: where it stands, else alone on stage."""
    for block in stage.blocks:
        if block.record.id == source.id:
            return block
    return stage.block_of(source)


def _elsewhere(stage: Stage, block: TensorBlock, result: TensorRecord) -> list[Animation]:
    """Return the animations in which the memory and every other view of it change too."""
    values = stage.values(result)
    if values is None or not result.stride:
        return []
    slots = memory_positions(result).ravel()
    animations: list[Animation] = []
    if stage.tape is not None and stage.tape_holds(result):
        animations.append(stage.tape.write(result, values, slots))
    written = {int(slot): element for element, slot in enumerate(slots)}
    for other in stage.blocks:
        if other is block or other.record.storage != result.storage or not other.record.stride:
            continue
        places = memory_positions(other.record).ravel()[other.elements]
        cells = np.array([cell for cell, place in enumerate(places) if int(place) in written])
        if len(cells):
            elements = np.array([written[int(places[cell])] for cell in cells])
            animations.append(_follow_suit(other, cells, result, values, elements))
    return animations


def _follow_suit(
    other: TensorBlock,
    cells: NDArray[np.int64],
    result: TensorRecord,
    values: Array,
    elements: NDArray[np.int64],
) -> Animation:
    done = False

    def draw(alpha: float) -> None:
        nonlocal done
        if alpha > 0.5 and not done:
            done = True
            other.overwrite(cells, values.ravel()[elements], result, elements)

    return BlockAnimation(other, draw, motion.BEAT)
