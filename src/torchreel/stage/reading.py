"""How a view reads memory that rests: what it does not read goes dark, then it is walked along."""

from __future__ import annotations

import numpy as np
from manim import Animation
from numpy.typing import NDArray

from torchreel.records import TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Points, first_part, s_curve
from torchreel.stage.layout import Margins
from torchreel.stage.memory import memory_positions
from torchreel.stage.stage import Stage
from torchreel.stage.strides import Hops, StrideArrows, hangs, stride_room
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import SlotThreads

_TABLE = 2
_THREADS = 8
"""More threads than this between a tensor and its memory are not told from each other."""


def reading_room(stage: Stage, source: TensorRecord, result: TensorRecord) -> Margins:
    """Return the room that a view needs to say how it reads the memory of its source: left, top,
    right, bottom in pixels; none where it is no view, or its memory is not on stage."""
    tape = _tape_of_view(stage, source, result)
    if tape is None:
        return 0.0, 0.0, 0.0, 0.0
    if len(result.shape) == _TABLE:
        return stride_room(stage.canvas.artboard, brief=True)
    below = stride_room(stage.canvas.artboard)[3]
    return 0.0, 0.0, 0.0, below if _is_written_below(stage, tape, result) else 0.0


def leave_unread(stage: Stage, source: TensorRecord, result: TensorRecord) -> list[Animation]:
    """Return the animations in which the slots that a view does not read go dark."""
    tape = _tape_of_view(stage, source, result)
    if tape is None:
        return []
    slots = memory_positions(result).ravel()
    return [] if len(np.unique(slots)) == tape.count else [tape.read(slots)]


def tell_reading(stage: Stage, source: TensorRecord, after: TensorBlock) -> None:
    """Tell the strides of a view beside its block, and walk along them over its memory."""
    record = after.record
    tape = _tape_of_view(stage, source, record)
    if tape is None:
        return
    hops = Hops(stage.canvas, tape, after, stage.zone.bottom, walk=True)
    stage.keep(hops)
    lasting = min(motion.SLOW, motion.QUICK * (1 + hops.steps))
    told: list[Animation] = [BlockAnimation(hops, hops.grow, lasting)]
    if len(record.shape) == _TABLE or _is_written_below(stage, tape, record):
        arrows = StrideArrows(stage.canvas, after, brief=len(record.shape) == _TABLE)
        told.append(stage.put(arrows, motion.BEAT))
    threads = _threads(stage, after, tape) if hops.hangs else None
    if threads is not None:
        stage.keep(threads)
        stage.scene.add(after)  # threads come out from behind it
        told.append(threads.growing(motion.BEAT))
    stage.play(*told)


def _is_written_below(stage: Stage, tape: MemoryTape, record: TensorRecord) -> bool:
    """Tell whether the strides of a tensor are written below it: where arrows do not tell them."""
    rank = len(record.shape)
    return rank > _TABLE or (rank == 1 and not hangs(stage.canvas, tape))


def _tape_of_view(stage: Stage, source: TensorRecord, result: TensorRecord) -> MemoryTape | None:
    """Return the memory on stage that a view reads; None where there is none, or it is no view."""
    tape = stage.tape_with(result)
    if tape is None or not result.numel or len(result.stride) != len(result.shape):
        return None
    is_view = source.storage == result.storage and tape.record.dtype == result.dtype
    return tape if is_view else None


def _threads(stage: Stage, block: TensorBlock, tape: MemoryTape) -> SlotThreads | None:
    """Return threads from behind a block, below each of its cells, to their slots, for its lowest
    row alone where these are many; None where one would pass over another block, or what is written
    below this one."""
    if not (block.has_cells and 0 < len(block.record.shape) <= _TABLE):
        return None
    corners, size = block.pose.corners, block.pose.size
    floor = float(corners[:, 1].max())
    cells = np.arange(len(corners))
    if len(cells) > _THREADS:
        cells = np.flatnonzero(corners[:, 1] > floor - 1)
    slots = memory_positions(block.record).ravel()[block.elements[cells]]
    rows = np.unique(corners[cells, 1].round(), return_inverse=True)[1].ravel()
    xs = corners[cells, 0] + size * (rows + 1) / (rows.max() + 2)
    curves = [
        s_curve((float(x), floor + size), tape.top_of(int(slot)))
        for x, slot in zip(xs, slots, strict=True)
    ]
    others = [other.pose.box for other in stage.blocks if other is not block]
    if len(cells) > _THREADS or any(_crosses(curve, box) for curve in curves for box in others):
        return None
    return SlotThreads(stage.canvas, curves, [block.fills[cell] for cell in cells])


def _crosses(curve: Points, box: tuple[float, float, float, float]) -> bool:
    points: NDArray[np.float64] = np.array(
        [first_part(curve, share)[-1] for share in np.linspace(0.02, 1, 40)]
    )
    left, top, right, bottom = box
    return bool(((points > [left, top]) & (points < [right, bottom])).all(axis=1).any())
