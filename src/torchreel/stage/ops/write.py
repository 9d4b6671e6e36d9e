"""Writing in place: the cells that change pulse, and the memory below them changes with them."""

from __future__ import annotations

import numpy as np
from manim import Animation
from numpy.typing import NDArray

from torchreel.records import Array, Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.memory import memory_positions, reading
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage


@choreography("written", tape=True, fills="identity")
def write(stage: Stage, step: Step) -> None:
    """Play a step that writes into memory that is there already."""
    source, result = stage.unwritten(step), stage.record(step.results[0])
    if source.shape != result.shape:  # ``out=`` grows
        stage.exchange(result)
        return
    _leave_untrue(stage, source)
    block, changed = _block(stage, source), stage.changed(step)
    # What rests beside it, a copy for one, is still true: not that the two are equal.
    alone = all(_is_memory(each.record, source) for each in stage.blocks)
    slots = memory_positions(source).ravel()[changed] if source.stride else changed[:0]
    known = stage.follows(slots)
    lit = [
        *(stage.unlight() if alone else stage.part()),
        stage.light(block, changed if len(changed) else None),
    ]
    for other, cells, places in _others(stage, block, result):
        seen = other.elements[cells[np.isin(places, slots)]]
        lit += [stage.light(other, seen)] if len(seen) else []
    if not known and (leaving := stage.unfollow_memory()):
        stage.play(*leaving, *lit)
        lit = []
    stage.play(*lit, *(stage.following(int(slots[0])) if len(slots) and not known else ()))
    stage.play(stage.write(block, result), *_elsewhere(stage, block, result))


def _leave_untrue(stage: Stage, source: TensorRecord) -> None:
    """Let go what will no longer be true beside the memory that is written."""
    records = [block.record for block in stage.blocks]
    own = [each for each in records if _is_memory(each, source)]
    rest = [each for each in records if each in own or not _is_bound(stage, each, own)]
    if not own or len(rest) == len(records):
        return
    if len(rest) == 1:
        stage.exchange(rest[0])
    else:
        stage.arrange("left_right", rest)


def _is_memory(record: TensorRecord, source: TensorRecord) -> bool:
    return (record.storage, record.dtype) == (source.storage, source.dtype)


def _is_bound(stage: Stage, record: TensorRecord, own: list[TensorRecord]) -> bool:
    """Tell whether what is shown of a tensor is untrue once ``own`` are written: it was computed
    from their numbers, or they from its, or it reads their memory as another type."""
    written = {each.id for each in own}
    for step in stage.trace.steps:
        ends = {each.tensor for each in step.operands}, set(step.results)
        computed = stage.provenance(step) not in ("moves", "written")
        if computed and any(record.id in a and written & b for a, b in (ends, ends[::-1])):
            return True
    return any(each.storage == record.storage for each in own)


def _block(stage: Stage, source: TensorRecord) -> TensorBlock:
    """Return the block of what is written, in its own shape: where it stands, else alone on
    stage. A tensor that was written through another is on stage as it was known before."""
    alike = [block for block in stage.blocks if _is_seen_alike(block.record, source)]
    for block in sorted(alike, key=lambda block: block.record.id != source.id):
        block.become_tensor(source)
        return block
    block = stage.block_of(source)
    if block.record.shape != source.shape:
        stage.exchange(source)
    return stage.blocks[-1]


def _is_seen_alike(one: TensorRecord, other: TensorRecord) -> bool:
    """Tell whether two records are one, or read the same memory in the same way."""
    return one.id == other.id or (bool(one.stride) and reading(one) == reading(other))


def _others(
    stage: Stage, block: TensorBlock, result: TensorRecord
) -> list[tuple[TensorBlock, NDArray[np.int64], NDArray[np.int64]]]:
    """Return the other blocks that show what is written: each with its cells there, and the places
    of these in the storage."""
    if not result.stride:
        return []
    written, found = memory_positions(result).ravel(), []
    for other in stage.blocks:
        if other is block or other.record.storage != result.storage or not other.record.stride:
            continue
        places = memory_positions(other.record).ravel()[other.elements]
        cells = np.flatnonzero(np.isin(places, written))
        if len(cells):
            found.append((other, cells, places[cells]))
    return found


def _elsewhere(stage: Stage, block: TensorBlock, result: TensorRecord) -> list[Animation]:
    """Return the animations in which the memory and every other view of it change too."""
    values = stage.values(result)
    if values is None or not result.stride:
        return []
    slots = memory_positions(result).ravel()
    animations: list[Animation] = []
    tape = stage.tape_with(result)
    if tape is not None:
        fills = stage.fills.colors(result, np.arange(result.numel))
        animations.append(tape.write(result, values, fills, slots))
    written = {int(slot): element for element, slot in enumerate(slots)}
    for other, cells, places in _others(stage, block, result):
        elements = np.array([written[int(place)] for place in places])
        animations.append(_follow_suit(stage, other, cells, result, values, elements))
    return animations


def _follow_suit(
    stage: Stage,
    other: TensorBlock,
    cells: NDArray[np.int64],
    result: TensorRecord,
    values: Array,
    elements: NDArray[np.int64],
) -> Animation:
    old, new, done = other.fills.copy(), other.fills.copy(), False
    new[cells] = stage.fills.colors(result, elements)

    def draw(alpha: float) -> None:
        nonlocal done
        other.set_fills(old + (new - old) * motion.ease(alpha))
        if alpha > 0.5 and not done:
            done = True
            other.overwrite(cells, values.ravel()[elements], result, elements)

    return BlockAnimation(other, draw, motion.BEAT)
