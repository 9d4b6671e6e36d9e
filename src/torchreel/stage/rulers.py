"""Index rulers: the numbers 0, 1, 2 … along the axes of a block, those that are asked for lit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.records import Drawn, Shape
from torchreel.stage.block import FRAMED, TensorBlock, is_framed
from torchreel.stage.canvas import Canvas, Label, paint
from torchreel.stage.form import DEPTH_X, DEPTH_Y, PLANK, Mode, visible
from torchreel.stage.layout import Margins
from torchreel.stage.text import text_width

Points = NDArray[np.float64]

_LEFT, _ABOVE = 24.0, 22.0
_ASIDE = 20.0
_TICK = 9.0
_CAP = 0.73
"""How high digits are, as a share of their type size."""

_APART = 6.0
_SLICED, _DRAWN = 3, 5
"""So many of the last dimensions make a block with depth, and so many are drawn at most."""


@dataclass(frozen=True)
class Axis:
    """Where the numbers of one dimension stand: ``indices`` (n,), the middles of their labels
    ``places`` (n, 2) and the way from there to the block ``inwards``, in pixels.

    ``within`` names a dimension and an index of it, where the axis belongs to that part alone.
    ``line`` says that nothing of the dimension is drawn but this axis.
    """

    dim: int
    indices: NDArray[np.int64]
    places: Points
    inwards: tuple[float, float]
    within: tuple[int, int] | None = None
    line: bool = False


class IndexRulers(VGroup):
    """The indices of each dimension of a block along its axis, and in a line below the block those
    of a dimension that it does not draw.

    ``lit`` names for each dimension, from the first, which of its indices are in focus. Where
    there is no room for all numbers of an axis, there are those of the first and the last that are
    lit, of the two ends, and ticks that say where they are. The
    axes of a block that is cut open begin where it was cut. ``dims`` are the dimensions that are
    counted (None: all).
    """

    def __init__(
        self,
        canvas: Canvas,
        block: TensorBlock,
        lit: Collection[Collection[int]] = (),
        dims: Collection[int] | None = None,
    ) -> None:
        super().__init__()
        self.canvas, self.block = canvas, block
        self.size = canvas.artboard.floor
        self._axes = [e for e in axes_of(canvas, block) if dims is None or e.dim in dims]
        self._labels: list[tuple[int, int, Label]] = []
        self.light(lit)

    def light(self, lit: Collection[Collection[int]]) -> None:
        """Put these indices of each dimension in focus, and no others; all of them are none."""
        wanted = [
            frozenset(each) if len(each) < size else frozenset[int]()
            for each, size in zip(lit, self.block.record.shape, strict=False)
        ]
        self.submobjects, self._labels = [], []
        for axis, told in self._told(wanted):
            self._write(axis, told, _asked(axis, wanted))

    def put_out(self) -> bool:
        """Put no index in focus; the rulers stay."""
        for _, _, label in self._labels:
            paint(label, self.canvas.theme.muted, None, 0)
        return False

    def _told(self, wanted: Sequence[frozenset[int]]) -> list[tuple[Axis, list[int]]]:
        """Return which numbers of each axis are written: of two axes that meet those in focus are
        written first."""
        size, apart = self.size, self.canvas.artboard.px(_APART)
        told = [told_of(axis, _asked(axis, wanted), size, apart) for axis in self._axes]
        every = [(which, at) for which, each in enumerate(told) for at in each]
        asked = [_asked(axis, wanted) for axis in self._axes]
        every.sort(key=lambda one: int(self._axes[one[0]].indices[one[1]]) not in asked[one[0]])
        kept: list[tuple[int, int]] = []
        for which, at in every:
            mine = self._box(which, at)
            if not any(_meet(mine, self._box(*other)) for other in kept):
                kept.append((which, at))
        return [
            (axis, [at for at in told[which] if (which, at) in kept])
            for which, axis in enumerate(self._axes)
        ]

    def _box(self, which: int, at: int) -> tuple[float, float, float, float]:
        """Return the middle of a number, and its width and height."""
        axis = self._axes[which]
        return *self._middle(axis, at), self._width(axis, at), _CAP * self.size

    def _middle(self, axis: Axis, at: int) -> tuple[float, float]:
        x, y = axis.places[at]
        if axis.inwards[1] == 0:  # the numbers of rows end where those of one digit do
            x -= (self._width(axis, at) - text_width("0", self.size)) / 2
        return float(x), float(y)

    def _width(self, axis: Axis, at: int) -> float:
        return text_width(str(axis.indices[at]), self.size)

    def _write(self, axis: Axis, told: Sequence[int], lit: Collection[int]) -> None:
        """Write numbers of an axis."""
        theme, px = self.canvas.theme, self.canvas.artboard.px
        short, inwards = len(told) < len(axis.indices), np.array(axis.inwards)
        shape = self.block.record.shape
        for at in told:
            index, (x, y) = int(axis.indices[at]), self._middle(axis, at)
            color = theme.focus if index in lit else theme.muted
            if short or axis.line:
                end = axis.places[at] + inwards
                start = end - inwards / float(np.linalg.norm(inwards)) * px(_TICK)
                self.add(self.canvas.path([tuple(start), tuple(end)], theme.muted, px(3)))
            index_of = (index,) if axis.dim == len(shape) - 1 else (axis.dim, index)
            source = Drawn(0, str(index), "index", self.block.record.id, index_of)
            label = self.canvas.label(str(index), x, y, self.size, color, source=source)
            self._labels.append((axis.dim, index, label))
            self.add(label)
        if axis.line:
            ends = axis.places[[0, -1]] + inwards
            self.add(self.canvas.path([tuple(each) for each in ends], theme.muted, px(3)))


def axes_of(canvas: Canvas, block: TensorBlock) -> list[Axis]:
    """Return the axes of a block as it stands, whole or cut open.

    Columns are counted above a table and below a block with depth, rows at the left, slices along
    the diagonal, or below each where they stand side by side.
    """
    form, shape = block.placement.form, block.record.shape
    if not shape or block.record.numel == 0:
        return []
    drawn = _slab_axes(canvas, block) if form.is_slab else _cell_axes(canvas, block)
    told = {axis.dim for axis in drawn}
    left = [dim for dim, size in enumerate(shape) if size > 1 and dim not in told]
    if is_framed(block.record):
        drawn = [_beside_frame(axis, canvas.artboard.px(FRAMED)) for axis in drawn]
    above = 1 + any(axis.inwards[1] < 0 for axis in drawn)
    return [axis for axis in drawn if shape[axis.dim] > 1 or len(shape) < 3] + [
        _line_below(canvas, block, dim, row) for row, dim in enumerate(reversed(left), above)
    ]


def ruler_room(
    canvas: Canvas,
    shape: Shape = (2, 2),
    order: tuple[int, ...] | None = None,
    mode: Mode | None = None,
) -> Margins:
    """Return what the rulers of a tensor need around its block: left, top, right, bottom in
    pixels. ``order`` is that of its dimensions where it is a slab."""
    px, floor = canvas.artboard.px, canvas.artboard.floor
    sizes = tuple(shape[dim] for dim in order or visible(shape)[1])
    beside, row = px(_LEFT) + floor / 2, px(_ABOVE) + floor / 2
    long = max(0.0, max((text_width(str(n - 1), floor) for n in shape), default=0.0) - floor / 2)
    left = beside + (long if len(shape) > 1 else 0.0)
    outer = sum(size > 1 for size in shape) - sum(size > 1 for size in sizes[-3:])
    if len(sizes) < 3 or mode == "open" or sizes[-3] == 1:
        return left, row, 0.0, row * (outer + (mode == "open"))
    return left, floor / 2, 0.0, row * (1 + outer) + px(_ABOVE) * (len(sizes) > _SLICED)


def touched(shape: Shape, places: NDArray[np.int64]) -> list[set[int]]:
    """Return which indices of each dimension of a tensor these row-major places have."""
    axes = np.unravel_index(places, shape) if shape else ()
    return [set(axis.tolist()) for axis in axes]


def told_of(axis: Axis, lit: Collection[int], size: float, apart: float) -> list[int]:
    """Return which numbers of an axis are written: all, or the outermost of those in focus and of
    the axis as far as they do not touch."""
    count = len(axis.indices)
    half = np.array([text_width(str(each), size) for each in axis.indices[[0, -1]]]).max() / 2
    if count < 2 or _are_apart(axis.places[:2], 2 * half + apart, _CAP * size + apart):
        return list(range(count))
    at = {int(index): place for place, index in enumerate(axis.indices)}
    asked = sorted(at[each] for each in lit if each in at)
    told: list[int] = []
    for each in dict.fromkeys([*asked[:1], *asked[-1:], 0, count - 1]):
        near = [axis.places[[other, each]] for other in told]
        if all(_are_apart(pair, 2 * half + apart, _CAP * size + apart) for pair in near):
            told.append(each)
    return sorted(told)


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    across, down = abs(one[0] - other[0]), abs(one[1] - other[1])
    return across < (one[2] + other[2]) / 2 and down < (one[3] + other[3]) / 2


def _are_apart(pair: Points, across: float, down: float) -> bool:
    step = np.abs(pair[1] - pair[0])
    return bool(step[0] >= across or step[1] >= down)


def _asked(axis: Axis, wanted: Sequence[frozenset[int]]) -> frozenset[int]:
    """Return which indices of an axis are in focus: none in a part that is not asked for."""
    if axis.dim >= len(wanted):
        return frozenset()
    if axis.within is not None:
        dim, index = axis.within
        if wanted[dim] and index not in wanted[dim]:
            return frozenset()
    return wanted[axis.dim]


def _cell_axes(canvas: Canvas, block: TensorBlock) -> list[Axis]:
    """Return the axes of a block whose elements have cells."""
    px, form, pose = canvas.artboard.px, block.placement.form, block.pose
    sizes, dims, side = form.sizes, form.dims, pose.size
    if form.is_short or len(sizes) == 1:
        return [_row(canvas, block)]
    stacks, cuboids, slices, rows, columns = (1,) * (_DRAWN - len(sizes)) + sizes
    corners = pose.corners.reshape(stacks, cuboids, slices, rows, columns, 2)
    lowest = corners[-1]
    there = pose.shown.reshape(stacks, cuboids, slices, -1)[-1].any(axis=2)
    begin = there.argmax(axis=1)  # the slice at which each cuboid was cut open
    lean = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    opened = slices == 1 or form.mode == "open"
    above, left = (0.0, px(_ABOVE)), (px(_LEFT), 0.0)
    axes = []
    for cuboid in range(cuboids):
        here = lowest[cuboid]
        part = (dims[-4], cuboid) if len(sizes) > 3 else None
        if opened:  # the upper faces lean to the right
            for index, each in enumerate(here):
                places = each[0] + np.array([side / 2, 0]) + lean * (0.5, 1.0) - above
                within = (dims[-3], index) if len(sizes) > 2 else None
                axes.append(_axis(dims[-1], places, above, within))
        else:
            plank = PLANK * side if len(sizes) > 3 else 0.0
            places = here[begin[cuboid], -1] + np.array([side / 2, side + plank + px(_ABOVE)])
            axes.append(_axis(dims[-1], places, (0.0, -px(_ABOVE)), part))
    places = lowest[0, begin[0], :, 0] + np.array([0, side / 2]) - left
    axes.append(_axis(dims[-2], places, left))
    if len(sizes) > 2:
        axes += _slices(canvas, block, lowest[0, :, 0, 0], lowest[0, :, -1], opened=opened)
    if len(sizes) > 3:
        low = lowest[:, 0, -1]
        down = side * (1 + PLANK) + px(_ABOVE) * 2 + canvas.artboard.floor / 2
        middles = (low[:, 0] + low[:, -1] + np.array([side, 0])) / 2
        axes.append(_axis(dims[-4], middles + np.array([0, down]), (0.0, -px(_ABOVE))))
    if len(sizes) == _DRAWN:
        out = px(_LEFT) * 2 + text_width(str(rows - 1), canvas.artboard.floor)
        middles = corners[:, 0, 0, :, 0].mean(axis=1) + np.array([-out, side / 2])
        axes.append(_axis(dims[-5], middles, left))
    return axes


def _slices(
    canvas: Canvas, block: TensorBlock, heads: Points, feet: Points, *, opened: bool
) -> list[Axis]:
    """Return the axis of the slices: below each, or along the diagonal from ``heads`` (n, 2),
    their first corners; ``feet`` (n, columns, 2) are the corners of their last rows."""
    px, pose, dim = canvas.artboard.px, block.pose, block.placement.form.dims[-3]
    if opened:
        below = np.array([0.0, px(_ABOVE)])
        middles = (feet[:, 0] + feet[:, -1]) / 2 + np.array([pose.size / 2, pose.size])
        return [_axis(dim, middles + below, (0.0, -px(_ABOVE)))]
    lean = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    return [_diagonal(canvas, dim, heads + lean / 2)]


def _diagonal(canvas: Canvas, dim: int, places: Points) -> Axis:
    """Return an axis beside places on the upper left edge of a block with depth."""
    out = np.array([DEPTH_Y, -DEPTH_X]) / float(np.hypot(DEPTH_X, DEPTH_Y))
    way = out * canvas.artboard.px(_ASIDE)
    return _axis(dim, places + way, (-float(way[0]), -float(way[1])))


def _row(canvas: Canvas, block: TensorBlock) -> Axis:
    """Return the axis of a row, or of a column of one dimension."""
    px, pose, side = canvas.artboard.px, block.pose, block.pose.size
    (dim,) = block.placement.form.dims
    if block.mode == "column":
        left = (px(_LEFT), 0.0)
        axis = _axis(dim, pose.corners + np.array([0, side / 2]) - left, left)
    else:
        lean, above = np.array([DEPTH_X / 2, DEPTH_Y]) * pose.depth, (0.0, px(_ABOVE))
        axis = _axis(dim, pose.corners + np.array([side / 2, 0]) + lean - above, above)
    return replace(axis, indices=block.elements)


def _slab_axes(canvas: Canvas, block: TensorBlock) -> list[Axis]:
    """Return the axes of a slab: places along its edges, as far in as each index is."""
    px, form, pose = canvas.artboard.px, block.placement.form, block.pose
    sizes, dims = form.sizes, form.dims
    left, top, right, bottom = pose.front
    lean = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    deep = len(sizes) == 3 and sizes[0] > 1
    moved = lean * block.opened
    shares = [((np.arange(size) + 0.5) / size)[:, None] for size in sizes]
    if block.mode == "column" and len(sizes) == 1:
        down = np.array([left, top]) + shares[-1] * (0.0, bottom - top)
        return [_axis(dims[-1], down - (px(_LEFT), 0.0), (px(_LEFT), 0.0))]
    across = shares[-1] * (right - left, 0.0)
    if deep:
        places = np.array([left, bottom + px(_ABOVE)]) + moved + across
        axes = [_axis(dims[-1], places, (0.0, -px(_ABOVE)))]
    else:
        places = np.array([left, top - px(_ABOVE)]) + lean * (0.5, 1.0) + across
        axes = [_axis(dims[-1], places, (0.0, px(_ABOVE)))]
    if len(sizes) > 1:
        down = np.array([left - px(_LEFT), top]) + moved + shares[-2] * (0.0, bottom - top)
        axes.append(_axis(dims[-2], down, (px(_LEFT), 0.0)))
    if deep:
        axes.append(_diagonal(canvas, dims[-3], np.array([left, top]) + shares[-3] * lean))
    return axes


def _line_below(canvas: Canvas, block: TensorBlock, dim: int, row: int) -> Axis:
    """Return the axis, below a block, of a dimension of which it draws nothing else."""
    px, size = canvas.artboard.px, block.record.shape[dim]
    left, _, right, bottom = block.pose.front
    y = bottom + (px(_ABOVE) + canvas.artboard.floor / 2) * row
    x = left + (np.arange(size) + 0.5) / size * (right - left)
    return replace(
        _axis(dim, np.stack([x, np.full(size, y)], axis=1), (0.0, -px(_ABOVE))), line=True
    )


def _beside_frame(axis: Axis, pad: float) -> Axis:
    """Return an axis so much further out, where it is clear of a parameter's frame."""
    inwards = np.array(axis.inwards)
    way = inwards / float(np.linalg.norm(inwards)) * pad
    x, y = inwards + way
    return replace(axis, places=axis.places - way, inwards=(float(x), float(y)))


def _axis(
    dim: int,
    places: Points,
    inwards: tuple[float, float],
    within: tuple[int, int] | None = None,
) -> Axis:
    """Return an axis of all indices, from 0."""
    return Axis(dim, np.arange(len(places)), places, inwards, within)
