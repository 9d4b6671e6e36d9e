"""Contiguous and clone: memory of its own, filled in the order in which the tensor is read."""

from __future__ import annotations

import numpy as np
from manim import FadeIn, FadeOut

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.arrangement import Spot
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.memory import memory_positions
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.strides import ROOM, Hops, StrideArrows
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import Threads
from torchreel.stage.title import Name

_SHARE = 0.9
_TOP = 96.0


@choreography("contiguous", "clone", tape=True, fills="identity")
def copy(stage: Stage, step: Step) -> None:
    """Play a step that copies a tensor into memory of its own, or finds nothing to copy."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    if source.storage == result.storage:
        block = stage.block_of(source)
        block.become_tensor(result)
        stage.play(stage.light(block))
        return
    first, second = stage.tape, stage.tape_for(result)
    if first is not None and second is not None and stage.tape_holds(source):
        _through_memory(stage, source, result, first, second)
    _stand(stage, source, result)


def _through_memory(
    stage: Stage,
    source: TensorRecord,
    result: TensorRecord,
    first: MemoryTape,
    second: MemoryTape,
) -> None:
    """Show both pieces of memory, one above the other, and the way of every element."""
    stage.clear()
    px = stage.canvas.artboard.px
    lift = first.zone.y - stage.zone.y - px(_TOP)
    second.stand(_SHARE)
    second.fill(np.zeros(second.count))
    names = (_name(stage, source, first, lift), _name(stage, result, second, 0.0))
    stage.play(first.glide(_SHARE, lift, motion.BEAT))
    stage.scene.add(second)
    stage.play(*(FadeIn(each, run_time=motion.QUICK) for each in (second.frame, *names)))
    places = zip(memory_positions(source).ravel(), memory_positions(result).ravel(), strict=True)
    pairs = [(int(a), int(b)) for a, b in places]
    starts, homes = [start for start, _ in pairs], [home for _, home in pairs]
    threads = Threads(
        stage.canvas,
        [first.bottom_of(start) for start in starts],
        [second.top_of(home) for home in homes],
        [first.fills[start] for start in starts],
    )
    stage.scene.add(threads)

    def draw(alpha: float) -> None:
        arrived = motion.staggered(alpha, len(pairs))
        threads.grow(arrived)
        filled = np.zeros(second.count)
        filled[homes] = np.clip(3 * arrived - 2, 0, 1)
        second.fill(filled)

    stage.play(BlockAnimation(threads, draw, 2.0))
    stage.scene.wait(motion.BEAT)
    stage.play(
        *(FadeOut(each, run_time=motion.BEAT) for each in (first, threads, *names)),
    )
    stage.play(second.glide(1.0, 0.0, motion.BEAT))
    stage.tape = second


def _stand(stage: Stage, source: TensorRecord, result: TensorRecord) -> None:
    """Let the copy stand beside what it was copied from, over the memory that is its own."""
    told = source.stride != result.stride
    room = ROOM if told else (0.0, 0.0, 0.0, 0.0)
    before, after = stage.arrange("left_right", [source], [result], symbols=["→"], room=room)
    stage.play(stage.land(after))
    held = stage.tape if stage.tape_holds(result) else None
    if not told:
        if held is not None and after.has_cells:
            _hang(stage, after, held)
        return
    strides = [StrideArrows(stage.canvas, each) for each in (before, after) if each.record.stride]
    hops = [] if held is None else [Hops(stage.canvas, held, after)]
    stage.play(*(stage.put(each) for each in (*strides, *hops)))


def _hang(stage: Stage, block: TensorBlock, tape: MemoryTape) -> None:
    """Let threads lead from the lowest cells of a block to their slots."""
    corners, size = block.pose.corners, block.pose.size
    low = np.flatnonzero(corners[:, 1] > corners[:, 1].max() - 1)
    slots = memory_positions(block.record).ravel()[low]
    threads = Threads(
        stage.canvas,
        [(float(corners[cell, 0] + size / 2), float(corners[cell, 1] + size)) for cell in low],
        [tape.top_of(int(slot)) for slot in slots],
        [tape.fills[int(slot)] for slot in slots],
    )
    threads.grow(np.ones(len(low)))
    stage.play(stage.put(threads, motion.BEAT))


def _name(stage: Stage, record: TensorRecord, tape: MemoryTape, lift: float) -> Name:
    artboard = stage.canvas.artboard
    right = tape.left_at(_SHARE) - artboard.px(22)
    y = tape.zone.center_y - lift
    return Name(stage.canvas, stage.named(record), Spot(right, y, 1.0, right - artboard.margin))
