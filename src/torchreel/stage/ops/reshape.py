"""Reshape: the row parts into rigid bands, one a target row, that slide home; nothing crosses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape, Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import Move, TensorBlock
from torchreel.stage.copying import copy_memory
from torchreel.stage.layout import Placement, Pose, modes, visible
from torchreel.stage.reading import leave_unread
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_PART = (0.0, 0.56)
_SLIDE = (0.34, 1.0)
_WRAP = 1.5


@choreography("reshape", "view", "flatten", "ravel", "unflatten", tape=True, fills="identity")
def reshape(stage: Stage, step: Step) -> None:
    """Play a step that keeps the elements and their order and changes the shape."""
    result = stage.record(step.results[0])
    source = stage.record(stage.operand(step))
    if source.storage != result.storage and copy_memory(stage, source, result):
        stage.exchange(result)
        stage.follow_memory()
        return
    block = stage.block_of(source)
    first, *then = [stage.placement(result, mode) for mode in modes(result.shape)]
    kept = block.has_cells and len(first.elements) == result.numel
    if not kept:
        stage.exchange(result)
        return
    if stage.name_of(source) and stage.writes_to(result.storage, after=step.number):
        _unfold_beside(stage, source, result)
        return
    if min(len(visible(block.record.shape)[0]), len(visible(result.shape)[0])) > 3:
        _regroup(stage, block, result, first)
        return
    row = stage.row_pose(block)
    leaving = stage.leave_brackets()
    if not _is_row(block.pose):
        shelved = len(visible(block.record.shape)[0]) > 3
        unroll = (
            blend(block.pose, row)
            if shelved
            else _reverse(_bands(row, block.pose, _columns(block.record.shape)))
        )
        stage.play(Move(block, unroll, motion.SLOW), *leaving)
        leaving = []
    block.become_tensor(result)
    block.placement = first
    path = (
        blend(row, first.pose)
        if _is_row(first.pose) or len(first.form.sizes) > 3
        else _bands(row, first.pose, _columns(result.shape))
    )
    if first.mode == "solid":
        leaving += stage.unfollow_memory()
    stage.play(Move(block, path, _WRAP), *leaving, *leave_unread(stage, source, result))
    stage.grow_brackets(first)
    for placement in then:
        stage.scene.wait(motion.HOLD)
        leaving = [*stage.leave_brackets(), *stage.unfollow_memory()]
        stage.play(Move(block, blend(block.pose, placement.pose), motion.SLOW), *leaving)
        stage.grow_brackets(placement)


def _unfold_beside(stage: Stage, source: TensorRecord, result: TensorRecord) -> None:
    """Let a tensor unfold out of the one whose memory it shares; both stay to be seen when that
    memory is written."""
    before, after = stage.arrange("flush", [source], [result])
    start, home = before.pose, after.placement.pose
    banded = _is_row(start) and len(visible(result.shape)[0]) <= 3
    path = _bands(start, home, _columns(result.shape)) if banded else blend(start, home)
    stage.play(Move(after, path, motion.SLOW))
    stage.landed(after)
    stage.follow_memory()


def _regroup(stage: Stage, block: TensorBlock, result: TensorRecord, placement: Placement) -> None:
    """Let the cells of one stack of cuboids glide into another, in memory order."""
    leaving = stage.leave_brackets()
    start = block.pose
    block.become_tensor(result)
    block.placement = placement
    stage.play(Move(block, blend(start, placement.pose), _WRAP), *leaving)
    stage.grow_brackets(placement)


def blend(start: Pose, end: Pose) -> Callable[[float], Pose]:
    """Return the straight, eased motion between two poses."""

    def at(time: float) -> Pose:
        t = motion.ease(time)
        return replace(
            end,
            corners=start.corners + (end.corners - start.corners) * t,
            size=start.size + (end.size - start.size) * t,
            depth=start.depth + (end.depth - start.depth) * t,
        )

    return at


def _bands(row: Pose, target: Pose, columns: int) -> Callable[[float], Pose]:
    """Return the motion of a row into rigid bands of ``columns`` cells, each a row of the target.

    A band first parts from the others (up or down), then slides home, so no two ever cross.
    """
    count = len(row.corners)
    band = np.arange(count) // columns
    place = (np.arange(count) % columns) - (columns - 1) / 2
    from_middle = _band_middles(row, band)
    to_middle = _band_middles(target, band)

    def at(time: float) -> Pose:
        apart, home, grown = (
            motion.part(time, *_PART),
            motion.part(time, *_SLIDE),
            motion.ease(time),
        )
        size = row.size + (target.size - row.size) * grown
        x = from_middle[:, 0] + (to_middle[:, 0] - from_middle[:, 0]) * home
        y = from_middle[:, 1] + (to_middle[:, 1] - from_middle[:, 1]) * apart
        corners = np.stack([x[band] + (place - 0.5) * size, y[band] - size / 2], axis=1)
        depth = row.depth + (target.depth - row.depth) * grown
        return replace(target, corners=corners, size=size, depth=depth)

    return at


def _reverse(path: Callable[[float], Pose]) -> Callable[[float], Pose]:
    return lambda time: path(1 - time)


def _band_middles(pose: Pose, band: NDArray[np.int64]) -> NDArray[np.float64]:
    middles = pose.corners + pose.size / 2
    return np.stack([middles[band == index].mean(axis=0) for index in range(band.max() + 1)])


def _columns(shape: Shape) -> int:
    sizes, _ = visible(shape)
    return sizes[-1] if sizes else 1


def _is_row(pose: Pose) -> bool:
    return bool(np.ptp(pose.corners[:, 1]) < 1)
