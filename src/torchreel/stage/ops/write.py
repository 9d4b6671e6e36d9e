"""Writing in place: the cells that are written pulse, and the memory below changes with them."""

from __future__ import annotations

import numpy as np

from torchreel.records import Step, TensorRecord
from torchreel.stage.block import TensorBlock
from torchreel.stage.elsewhere import elsewhere, others
from torchreel.stage.memory import memory_positions, reading, share_memory
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.writing import written


@choreography("written", tape=True, fills="identity")
def write(stage: Stage, step: Step) -> None:
    """Play a step that writes into memory that is there already."""
    source, result = stage.unwritten(step), stage.record(step.results[0])
    if source.shape != result.shape:  # ``out=`` grows
        stage.exchange(result)
        return
    _leave_untrue(stage, source)
    block, changed, places = _block(stage, source), stage.changed(step), written(stage, step)
    slots = memory_positions(source).ravel()[places] if source.stride else places[:0]
    known = stage.follows(slots)
    if not len(changed) and any(share_memory(each, source) for each in stage.operands(step)[1:]):
        return  # ``x[::2] += 1`` has written already when Python sets what it got
    # What rests beside it, a copy for one, is still true: not that the two are equal.
    lit = [*stage.part(), stage.light(block, places)]
    for other, cells, at in others(stage, block, result):
        seen = other.elements[cells[np.isin(at, slots)]]
        lit += [stage.light(other, seen)] if len(seen) else []
    if not known and (leaving := stage.unfollow_memory()):
        stage.play(*leaving, *lit)
        lit = []
    stage.play(*lit, *(stage.following(int(slots[0])) if len(slots) and not known else ()))
    shown = elsewhere(stage, block, result, stage.tape_with(result))
    stage.play(stage.write(block, result), *shown)


def _leave_untrue(stage: Stage, source: TensorRecord) -> None:
    """Let go what will no longer be true beside the memory that is written."""
    records = [block.record for block in stage.blocks]
    own = [each for each in records if share_memory(each, source)]
    rest = [each for each in records if each in own or not _is_bound(stage, each, own)]
    if not own or len(rest) == len(records):
        return
    if len(rest) == 1:
        stage.exchange(rest[0])
    else:
        stage.arrange("left_right", rest)


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
    return stage.block_as(source)


def _is_seen_alike(one: TensorRecord, other: TensorRecord) -> bool:
    """Tell whether two records are one, or read the same memory in the same way."""
    return one.id == other.id or (bool(one.stride) and reading(one) == reading(other))
