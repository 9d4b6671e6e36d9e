"""A block that is cut open to what is chosen of it: what stands before that leaves its outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from manim import Animation, VMobject
from numpy.typing import NDArray

from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.focus import part_of_slab
from torchreel.stage.form import DEEP, DEPTH_X, DEPTH_Y
from torchreel.stage.slab import Pixels, Sight

Places = NDArray[np.int64]
Front = Callable[[tuple[int, ...]], Pixels | None]

_WIRE = 3.0
_PASSED = 64
"""So many slices at most are passed one by one on the way into a slab."""


def in_the_way(block: TensorBlock, places: Places) -> NDArray[np.bool_]:
    """Tell which cells of a block hide some of these elements: the slices before them, and, where
    several slices are chosen, the rows above and the columns to the right."""
    form, shape = block.placement.form, block.record.shape
    none = np.zeros(len(block.elements), dtype=bool)
    if form.mode != "solid" or len(form.sizes) < DEEP or form.sizes[-3] == 1 or not len(places):
        return none
    cells, chosen = (
        [np.unravel_index(each, shape)[dim] for dim in form.dims]
        for each in (block.elements, places)
    )
    z, row, column = cells[-3:]
    near, high, right = chosen[-3].min(), chosen[-2].min(), chosen[-1].max()
    before = z < near
    if chosen[-3].max() > near:
        before = before | (row < high) | (column > right)
    for axis, reached in zip(cells[:-3], chosen[:-3], strict=True):
        before = before & np.isin(axis, reached)
    before[block.cells_of(places)] = False
    return np.asarray(before)


def cut(block: TensorBlock, hidden: NDArray[np.bool_], run_time: float) -> Animation:
    """Return the animation in which cells leave, the nearest first."""
    cells = np.flatnonzero(hidden)
    order = cells[np.argsort(block.pose.far[cells], kind="stable")]

    def draw(alpha: float) -> None:
        shown = np.ones(len(hidden), dtype=bool)
        shown[order[: round(motion.ease(alpha) * len(order))]] = False
        block.show_cells(shown)

    return BlockAnimation(block, draw, run_time)


def outline(canvas: Canvas, block: TensorBlock) -> VMobject:
    """Return the edges of a block with depth, as it is when it is whole."""
    pose, theme = block.placement.pose, canvas.theme
    lean = np.array([DEPTH_X, DEPTH_Y])
    home = pose.corners - np.outer(pose.far - pose.far.min(), lean) * pose.depth
    sizes = block.placement.form.sizes
    parts = home.reshape(-1, 1 if len(home) == 1 else int(np.prod(sizes[-3:])), 2)
    back = lean * pose.depth * (1 if len(home) == 1 else sizes[-3])
    curves = []
    for part in parts:
        (x0, y0), (x1, y1) = part.min(axis=0), part.max(axis=0) + pose.size * np.array(pose.stretch)
        front = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
        curves += [polyline(front), polyline(front[:3] + back)]
        curves += [polyline(np.array([each, each + back])) for each in front[:3]]
        curves.append(polyline(np.array([front[0] + back, front[1] + back])))
    wire = VMobject()
    wire.points = canvas.points(np.concatenate(curves))
    paint(wire, None, theme.line, canvas.stroke(canvas.artboard.px(_WIRE)))
    return wire


def sight(block: TensorBlock, places: Places, front_of: Front) -> Sight | None:
    """Return how a slab looks where these elements alone are bright; None where it shows no
    values. ``front_of`` gives what stands in front of the slice with an element."""
    form, record = block.placement.form, block.record
    if block.image is None or not len(places):
        return None
    (near, back), *_ = part_of_slab(record.shape, form.dims, places)
    at = np.unravel_index(places, record.shape)
    columns, rows = (
        np.isin(np.arange(record.shape[dim]), at[dim]) for dim in (form.dims[-1], form.dims[-2:][0])
    )
    rows = rows if len(form.dims) > 1 else np.ones(1, dtype=bool)
    first = [int(each.min()) for each in at]
    passed = [tuple(first)] if any(first[dim] for dim in _outer(form.dims, first)) else []
    if len(form.sizes) == DEEP and form.sizes[0] > 1 and passed:
        depth = form.dims[0]
        slices = range(max(0, first[depth] - _PASSED), first[depth] + 1)
        passed = [(*first[:depth], each, *first[depth + 1 :]) for each in slices]
    images = [front_of(each) for each in passed]
    known = [each for each in images if each is not None]
    return Sight(rows, columns, near, back, known if len(known) == len(images) else [])


def _outer(dims: tuple[int, ...], index: Sequence[int]) -> list[int]:
    """Return the dimensions that are not in a slab's front."""
    return [dim for dim in range(len(index)) if dim not in dims[-2:]]
