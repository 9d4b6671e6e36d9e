"""What is drawn of a tensor, whatever its size: cells, a few of them, or a slab (pure NumPy)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape

DEPTH_X, DEPTH_Y = 0.50, -0.36
"""The oblique projection: pixels right and down for each pixel of depth."""

SLAB = 0.26
"""Depth of a cell of a tensor of up to two dimensions, in cells."""

CELLS_MAX = 400
"""The most elements that are drawn as cells of their own."""

FIRST, LAST = 4, 3
"""How many cells of a long row are drawn before and after the dots."""

DEEP = 3
"""A tensor of so many dimensions has depth."""

PLANK = 0.24
"""Thickness of a shelf, in cells."""

_GAP_X, _GAP_Y = 0.42, 0.34
_CUBOID_GAP = 0.75
_SHELF_GAP = 1.0
_SLAB_WIDE, _SLAB_TALL = 8.0, 4.0

_NONE = 0.1
"""How wide, in cells, the line is that stands for a size of 0."""

Mode = Literal["open", "solid", "column"]
Points = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Form:
    """A picture of a tensor in units of a cell, y down, its first cell's corner at the origin.

    ``sizes`` and ``dims`` are the dimensions that are drawn, five at most; ``repeat`` is how often
    what is drawn comes again in the leading ones. ``corners`` (n, 2), ``far`` (n,) and ``depth``
    are those of a pose, ``elements`` (n,) the row-major places of the cells' elements (none: a
    slab, which stands for all, ``stretch`` cells wide and high). ``width`` and ``height`` must fit
    the room. ``planks`` (m, 4) are shelves: left, top, width and depth.
    """

    shape: Shape
    mode: Mode
    sizes: Shape
    dims: tuple[int, ...]
    corners: Points
    far: Points
    depth: float
    elements: Places
    width: float
    height: float
    repeat: int = 1
    stretch: tuple[float, float] = (1.0, 1.0)
    planks: Points = field(default_factory=lambda: np.zeros((0, 4)))

    @property
    def is_slab(self) -> bool:
        """Tell whether one slab stands for all elements."""
        return len(self.elements) == 0

    @property
    def is_short(self) -> bool:
        """Tell whether dots stand for the middle of a row."""
        return len(self.shape) == 1 and 0 < len(self.elements) < self.shape[0]

    def short_places(self, elements: Places) -> Points:
        """Return where elements of a row that is drawn short stand, in cells from its first: all
        those in the middle on the dots."""
        (count,), last = self.shape, len(self.corners) - FIRST
        behind = elements - (count - last) + FIRST + 1
        return np.where(elements < FIRST, elements, np.maximum(behind, FIRST)).astype(float)


def visible(shape: Shape) -> tuple[Shape, tuple[int, ...]]:
    """Return the sizes that are drawn, and which dims those are.

    Leading sizes of 1 beyond the third dimension from the end add nothing to the picture.
    """
    dims = list(range(len(shape)))
    while len(dims) > 3 and shape[dims[0]] == 1:
        dims.pop(0)
    return tuple(shape[dim] for dim in dims), tuple(dims)


def drawable(shape: Shape) -> bool:
    """Tell whether a tensor may be drawn cell by cell, in up to five dimensions (not counting 1s)
    and 400 elements."""
    cells = int(np.prod(shape, dtype=np.int64))
    return len(visible(shape)[0]) <= 5 and 0 < cells <= CELLS_MAX


def modes(shape: Shape) -> tuple[Mode, ...]:
    """Return the ways in which a tensor is shown one after the other: open first, then solid."""
    sizes, _ = visible(shape)
    if len(sizes) > 3:
        return ("solid",)
    if len(sizes) < 3 or sizes[0] == 1:
        return ("open",)
    return ("open", "solid") if sizes[0] <= 3 else ("solid",)


def form(
    shape: Shape,
    mode: Mode = "open",
    *,
    short: bool = False,
    order: tuple[int, ...] | None = None,
) -> Form:
    """Return the picture of a tensor: of all its cells where they are few enough.

    ``short`` draws the ends of a row alone, ``order`` is that of :func:`slab`.
    """
    sizes, dims = visible(shape)
    drawn, repeat = sizes[-5:], int(np.prod(sizes[:-5], dtype=np.int64))
    count = int(np.prod(drawn, dtype=np.int64))
    if short and len(shape) == 1 and shape[0] > FIRST + LAST + 1:
        return _short(shape)
    if not 0 < count <= CELLS_MAX:
        return slab(shape, order)
    stacks, cuboids, slices, rows, columns = (1,) * (5 - len(drawn)) + drawn
    if mode == "column" and len(shape) == 1:
        rows, columns = columns, rows
    m, k, z, i, j = (
        g.ravel().astype(float) for g in np.indices((stacks, cuboids, slices, rows, columns))
    )
    opened = mode == "open" and len(drawn) <= 3
    deep = slices > 1 and not opened
    depth = 1.0 if deep else SLAB
    if opened:
        corners = np.stack([j + z * (columns + _GAP_X), i - z * _GAP_Y], axis=1)
        width = columns * slices + _GAP_X * (slices - 1)
        height = rows + _GAP_Y * (slices - 1) - SLAB * DEPTH_Y
    else:
        back = slices * depth
        across = columns + back * DEPTH_X + _CUBOID_GAP
        down = rows - back * DEPTH_Y + _SHELF_GAP
        corners = np.stack([j + z * DEPTH_X + k * across, i + z * DEPTH_Y + m * down], axis=1)
        width = across * cuboids - _CUBOID_GAP
        height = down * stacks - _SHELF_GAP
    planks = np.zeros((0, 4))
    if len(drawn) > 3:
        planks = np.array(
            [
                (-0.35, rows + shelf * down, width - back * DEPTH_X + 0.7, back)
                for shelf in range(stacks)
            ]
        )
        width, height = width + 0.7, height + PLANK
    return Form(
        shape,
        mode if not len(drawn) > 3 else "solid",
        drawn,
        dims[-5:],
        corners,
        z,
        depth,
        np.arange(count),
        width,
        height,
        repeat,
        planks=planks,
    )


def slab(shape: Shape, order: tuple[int, ...] | None = None) -> Form:
    """Return the picture of a tensor as one slab with its proportions, as far as they fit.

    ``order`` are the dimensions that lie in depth, down and across (None: the last three).
    """
    _, seen = visible(shape)
    dims = order or seen[-3:]
    drawn = tuple(shape[dim] for dim in dims)
    repeat = int(np.prod([shape[dim] for dim in seen if dim not in dims], dtype=np.int64))
    slices, rows, columns = (1,) * (3 - len(drawn)) + drawn
    aspect = min(8.0, max(0.22, columns / max(1, rows)))
    wide = min(_SLAB_WIDE, _SLAB_TALL * aspect)
    tall = 1.0 if len(drawn) < 2 else max(wide / aspect, 0.6)
    depth = SLAB if slices == 1 else min(2.0, 0.4 + tall * slices / max(rows, columns, 1))
    if not np.prod(shape, dtype=np.int64):  # as large as its cells would be, but for the thickness
        wide, tall = min(_SLAB_WIDE, columns or _NONE), min(_SLAB_TALL, rows or _NONE)
        depth = depth if slices > 1 else _NONE * (len(drawn) > 2)
    one = np.zeros(1)
    return Form(
        shape,
        "solid",
        drawn,
        dims,
        np.zeros((1, 2)),
        one,
        depth,
        np.zeros(0, dtype=np.int64),
        wide + depth * DEPTH_X,
        tall - depth * DEPTH_Y,
        repeat,
        stretch=(wide, tall),
    )


def _short(shape: Shape) -> Form:
    (count,) = shape
    x = np.concatenate([np.arange(FIRST), FIRST + 1.0 + np.arange(LAST)])
    corners = np.stack([x, np.zeros(len(x))], axis=1)
    elements = np.concatenate([np.arange(FIRST), np.arange(count - LAST, count)])
    width, height = float(FIRST + LAST + 1), 1 - SLAB * DEPTH_Y
    return Form(
        shape, "open", shape, (0,), corners, np.zeros(len(x)), SLAB, elements, width, height
    )
