"""Transpose and permute: memory rests; the strides change places, and so do rows and columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from manim import Animation, FadeIn, FadeOut
from numpy.typing import NDArray

from torchreel.records import Step
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.memory import memory_positions, reading
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.strides import Hops, StrideArrows, stride_room


@choreography(
    "T",
    "mT",
    "t",
    "transpose",
    "permute",
    "swapaxes",
    "swapdims",
    "movedim",
    "moveaxis",
    tape=True,
    fills="identity",
)
def transpose(stage: Stage, step: Step) -> None:
    """Play a step that reads the same memory along other dimensions."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    if reading(source) == reading(result):  # no dimension has another place
        stage.exchange(result)
        stage.play(stage.light(stage.blocks[-1]))
        return
    pads = [stride_room(stage.canvas.artboard)] * 2
    before, after = stage.arrange("left_right", [source], [result], symbols=["→"], pads=pads)
    canvas, tape = stage.canvas, stage.tape
    followed = tape is not None and stage.tape_holds(source)
    strided = bool(source.stride) and bool(result.stride)
    hops = None
    if strided:
        steps: list[Animation] = [stage.put(StrideArrows(canvas, before), motion.BEAT)]
        if tape is not None and followed:
            hops = Hops(canvas, tape, before, stage.zone.bottom)
            steps.append(FadeIn(hops, run_time=motion.BEAT))
        stage.play(*steps)
        stage.scene.wait(motion.BEAT)
    stage.play(stage.dim(before))
    if before.has_cells and after.has_cells and strided:
        stage.play(_swing(stage, before, after))
    else:
        stage.play(stage.land(after, run_time=motion.SLOW))
    if strided:
        steps = [stage.put(StrideArrows(canvas, after), motion.BEAT)]
        if tape is not None and hops is not None:
            # Memory rests: the same slots, the colours of the two hops have changed places.
            new = Hops(canvas, tape, after, stage.zone.bottom)
            steps += [FadeOut(hops, run_time=motion.BEAT), stage.put(new, motion.BEAT)]
        stage.play(*steps)


def _swing(stage: Stage, before: TensorBlock, after: TensorBlock) -> Animation:
    """Return the animation in which each row of a table swings into its column, the last one first,
    so that none crosses another; the cells of more dimensions fly, one after the other."""
    places = memory_positions(before.record).ravel()
    found = {int(place): cell for cell, place in enumerate(places)}
    cells = np.array([found[int(p)] for p in memory_positions(after.record).ravel()])
    starts = before.pose.corners[cells]
    if len(before.record.shape) != 2:
        return stage.fly(after, starts, size=before.pose.size, run_time=1.8)
    rows, columns = before.record.shape
    row, column = cells // columns, cells % columns
    home, size = after.pose, before.pose.size
    first = before.pose.corners.reshape(rows, columns, 2)[:, 0]
    last = _first_of(home.corners, row, column, rows)

    def draw(alpha: float) -> None:
        turned = motion.staggered(alpha, rows)[::-1]  # the last goes farthest, and first
        angle = turned * np.pi / 2
        along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        side = size + (home.size - size) * turned
        heads = first + (last - first) * turned[:, None]
        heads[:, 1] -= 0.35 * size * np.sin(np.pi * turned)
        corners = heads[row] + along[row] * (side[row] * column)[:, None]
        block = replace(home, corners=corners, size=float(side.mean()), shown=turned[row] > 0.01)
        after.set_pose(block)
        if alpha >= 1:
            stage.landed(after)

    return BlockAnimation(after, draw, 2.0)


def _first_of(
    corners: NDArray[np.float64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    rows: int,
) -> NDArray[np.float64]:
    """Return where the first element of each row will stand."""
    heads = np.zeros((rows, 2))
    heads[row[column == 0]] = corners[column == 0]
    return heads
