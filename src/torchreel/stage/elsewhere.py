"""How what was written shows elsewhere: in the memory below, and in each view of it on stage."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from manim import Animation
from numpy.typing import NDArray

from torchreel.records import Array, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.memory import memory_positions, share_memory
from torchreel.stage.stage import Stage
from torchreel.stage.tape import MemoryTape


def catch_up(stage: Stage, held: Iterable[TensorRecord]) -> list[Animation]:
    """Return the animations in which the stage shows what tensors hold by now that others than
    torch have written: NumPy, for one, in memory that it shares. Memory that is not to be seen
    shows it at once."""
    found: dict[int, tuple[int, TensorRecord]] = {}
    for record in held:
        count = _stale(stage, record)
        if count > found.get(record.storage, (0, record))[0]:
            found[record.storage] = count, record
    seen, animations = {id(each) for each in stage.scene.mobjects}, list[Animation]()
    for _, record in found.values():
        for each in elsewhere(stage, None, record, stage.memory_of(record)):
            if id(each.mobject) in seen:
                animations.append(each)
            else:
                each.interpolate(1.0)
    return animations


def _stale(stage: Stage, record: TensorRecord) -> int:
    """Return of how many elements of a tensor the stage shows another number than they have."""
    tape, blocks = stage.memory_of(record), others(stage, None, record)
    values = stage.values(record) if tape is not None or blocks else None
    if values is None or not record.numel:
        return 0
    slots, count = memory_positions(record).ravel(), 0
    if tape is not None and tape.values is not None and tape.record.dtype == record.dtype:
        count += _differing(tape.values[slots], values.ravel())
    element_at = dict(zip(slots.tolist(), range(record.numel), strict=True))
    for block, cells, places in blocks:
        if block.values is not None:
            elements = [element_at[place] for place in places.tolist()]
            count += _differing(block.values[cells], values.ravel()[elements])
    return count


def _differing(one: Array, other: Array) -> int:
    same = (one == other) | ((one != one) & (other != other))
    return int(np.count_nonzero(~same))


def others(
    stage: Stage, block: TensorBlock | None, result: TensorRecord
) -> list[tuple[TensorBlock, NDArray[np.int64], NDArray[np.int64]]]:
    """Return the blocks but one that show what is written: each with its cells there, and the
    places of these in the storage."""
    if len(result.stride) != len(result.shape):
        return []
    written, found = memory_positions(result).ravel(), []
    for other in stage.blocks:
        known = len(other.record.stride) == len(other.record.shape)
        if other is block or not (known and share_memory(other.record, result)):
            continue
        places = memory_positions(other.record).ravel()[other.elements]
        cells = np.flatnonzero(np.isin(places, written))
        if len(cells):
            found.append((other, cells, places[cells]))
    return found


def elsewhere(
    stage: Stage, block: TensorBlock | None, result: TensorRecord, tape: MemoryTape | None
) -> list[Animation]:
    """Return the animations in which a tensor's memory, ``tape``, and every view of it but
    ``block`` change as it did."""
    values = stage.values(result)
    if values is None or len(result.stride) != len(result.shape):
        return []
    slots = memory_positions(result).ravel()
    animations: list[Animation] = []
    if tape is not None:
        fills = stage.fills.colors(result, np.arange(result.numel))
        animations.append(tape.write(result, values, fills, slots))
    written = {int(slot): element for element, slot in enumerate(slots)}
    for other, cells, places in others(stage, block, result):
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
