"""Where the cells of a tensor stand: poses, and the brackets that name its sizes (pure NumPy)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.text import text_width

DEPTH_X, DEPTH_Y = 0.50, -0.36
"""The oblique projection: pixels right and down for each pixel of depth."""

SLAB = 0.26
"""Depth of a cell of a tensor of up to two dimensions, in cells."""

CELLS_MAX = 400
"""The most elements that are drawn as cells of their own."""

_GRID = 12

Mode = Literal["open", "solid"]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Where each cell stands, in logical (row-major) order.

    ``corners`` (n, 2) are the top left corners of the front faces in pixels, ``size`` the side of
    a cell and ``depth`` its thickness in pixels, ``far`` (n,) how far back a cell is painted,
    ``shown`` (n,) whether it is there yet. A slab, which stands for a tensor of too many elements
    to draw, is one cell that is wider or higher than ``size`` by ``stretch``.
    """

    corners: Points
    size: float
    depth: float
    far: Points
    shown: NDArray[np.bool_]
    stretch: tuple[float, float] = (1.0, 1.0)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the front faces and their thickness, in pixels."""
        left, top = self.corners.min(axis=0)
        right, bottom = self.corners.max(axis=0) + self.size * np.array(self.stretch)
        return (
            float(left),
            float(top + DEPTH_Y * self.depth),
            float(right + DEPTH_X * self.depth),
            float(bottom),
        )


@dataclass(frozen=True)
class BracketLine:
    """A bracket beside one dimension: from ``start`` to ``end``, bulging towards ``out``."""

    dim: int
    start: tuple[float, float]
    end: tuple[float, float]
    out: tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """A tensor's pose in a region, and its brackets."""

    shape: Shape
    mode: Mode
    pose: Pose
    brackets: tuple[BracketLine, ...]

    @property
    def ghosts(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Lines that join the corners of an opened block's neighbouring slices, in pixels."""
        sizes, _ = visible(self.shape)
        if len(sizes) < 3 or self.mode == "solid" or sizes[0] == 1:
            return []
        slices, rows, columns = sizes
        corners = self.pose.corners.reshape(slices, rows * columns, 2)[:, 0]
        width, height = columns * self.pose.size, rows * self.pose.size
        offsets = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        return [
            (
                (float(corners[k, 0] + dx), float(corners[k, 1] + dy)),
                (float(corners[k + 1, 0] + dx), float(corners[k + 1, 1] + dy)),
            )
            for k in range(slices - 1)
            for dx, dy in offsets
        ]


def visible(shape: Shape) -> tuple[Shape, tuple[int, ...]]:
    """Return the shape as (slices, rows, columns) or less, and which dims those are.

    Leading sizes of 1 beyond the third dimension from the end add nothing to the picture.
    """
    dims = list(range(len(shape)))
    while len(dims) > 3 and shape[dims[0]] == 1:
        dims.pop(0)
    return tuple(shape[dim] for dim in dims), tuple(dims)


def drawable(shape: Shape) -> bool:
    """Tell whether the tensor is drawn cell by cell: up to three dimensions that are not 1."""
    cells = int(np.prod(shape, dtype=np.int64))
    return len(visible(shape)[0]) <= 3 and 0 < cells <= CELLS_MAX


def modes(shape: Shape) -> tuple[Mode, ...]:
    """Return the ways in which a tensor is shown one after the other: open first, then solid."""
    sizes, _ = visible(shape)
    if len(sizes) < 3 or sizes[0] == 1:
        return ("open",)
    return ("open", "solid") if sizes[0] <= 3 else ("solid",)


def place(
    shape: Shape, region: Zone, artboard: Artboard, *, mode: Mode = "open", above: bool = False
) -> Placement:
    """Return the largest pose of a tensor that fits ``region`` with its brackets.

    ``above`` puts the bracket of the last dimension above a block of up to two dimensions, where
    view lines leave below it.
    """
    sizes, dims = visible(shape)
    sizes, dims = sizes[-3:], dims[-3:]
    slices, rows, columns = (1,) * (3 - len(sizes)) + sizes
    margins = _margins(sizes, artboard, above)
    room = region.inset(*margins)
    if not drawable(shape):
        pose = _settle(_slab((slices, rows, columns), room), region, margins)
        return Placement(shape, "solid", pose, _brackets(pose, sizes, dims, artboard, above))
    if mode == "open":
        # The thickness of a slab may reach into the artboard's margin, so a row keeps its grid.
        width = columns * slices + 0.42 * (slices - 1)
        height = rows + 0.34 * (slices - 1) - SLAB * DEPTH_Y
    else:
        width = columns + slices * DEPTH_X
        height = rows - slices * DEPTH_Y
    size = min(artboard.cell_max, room.width / width, room.height / height)
    size = size // _GRID * _GRID if size >= _GRID else size
    pose = _pose((slices, rows, columns), size, mode)
    pose = _settle(pose, region, margins)
    return Placement(shape, mode, pose, _brackets(pose, sizes, dims, artboard, above))


def _slab(sizes: tuple[int, int, int], room: Zone) -> Pose:
    """Return a plain slab with the proportions of the tensor, as far as they fit."""
    slices, rows, columns = sizes
    depth = 0.0 if slices == 1 else min(0.35, 0.1 + slices / max(rows, columns))
    height = min(room.height, room.width) * 0.8
    wide = min(room.width / height, max(0.2, columns / max(1, rows)))
    tall = max(0.2, min(1.0, wide * rows / max(1, columns)))
    size = height / (1 + depth)
    one = np.zeros(1)
    return Pose(
        np.zeros((1, 2)),
        size,
        max(0.06, depth) * size,
        one,
        np.ones(1, dtype=bool),
        stretch=(min(wide, room.width / size), tall),
    )


def _pose(sizes: tuple[int, int, int], size: float, mode: Mode) -> Pose:
    slices, _, columns = sizes
    k, i, j = (grid.ravel().astype(float) for grid in np.indices(sizes))
    if mode == "open":
        x = j * size + k * (columns * size + 0.42 * size)
        y = i * size - k * 0.34 * size
        depth = SLAB * size
    else:
        x = j * size + k * DEPTH_X * size
        y = i * size + k * DEPTH_Y * size
        depth = size
    corners = np.stack([x, y], axis=1)
    flat = slices == 1
    return Pose(
        corners,
        size,
        SLAB * size if flat else depth,
        k,
        np.ones(len(corners), dtype=bool),
    )


def _settle(pose: Pose, region: Zone, margins: tuple[float, float, float, float]) -> Pose:
    """Centre the pose in the region, a little above the middle, with its brackets inside."""
    left, top, right, bottom = margins
    x0, y0, x1, y1 = pose.box
    front = pose.corners[:, 0].max() + pose.size * pose.stretch[0]
    dx = region.center_x - (x0 + front) / 2
    dx = max(dx, region.x + left - x0)
    dx = min(dx, region.right - right - x1) if x1 - x0 < region.width else dx
    spare = region.height - (y1 - y0) - top - bottom
    dy = region.y + top + 0.4 * spare - y0
    moved = pose.corners + np.array([dx, dy])
    return replace(pose, corners=moved)


def _label_room(artboard: Artboard) -> tuple[float, float]:
    """Return the distance from a block to its bracket and from there to the label's middle."""
    return artboard.px(18), artboard.px(28)


def _margins(sizes: Shape, artboard: Artboard, above: bool) -> tuple[float, float, float, float]:
    gap, label = _label_room(artboard)
    half = artboard.type_size * 0.4
    beside = gap + label + half
    left = top = right = bottom = 0.0
    if len(sizes) >= 1:
        if above and len(sizes) < 3:
            top = beside
        else:
            bottom = beside
    if len(sizes) >= 2:
        left = gap + label + text_width(str(sizes[-2]), artboard.type_size) / 2
    if len(sizes) == 3:
        top = beside
    return left, top, right, bottom


def _brackets(
    pose: Pose, sizes: Shape, dims: tuple[int, ...], artboard: Artboard, above: bool
) -> tuple[BracketLine, ...]:
    gap, _ = _label_room(artboard)
    front = pose.corners[pose.far == 0]
    left, top = (float(value) for value in front.min(axis=0))
    reach = pose.size * np.array(pose.stretch)
    right, bottom = (float(value) for value in front.max(axis=0) + reach)
    brackets: list[BracketLine] = []
    if len(sizes) >= 1:
        if above and len(sizes) < 3:
            y = top + DEPTH_Y * pose.depth - gap
            brackets.append(BracketLine(dims[-1], (left, y), (right, y), (0, -1)))
        else:
            brackets.append(
                BracketLine(dims[-1], (left, bottom + gap), (right, bottom + gap), (0, 1))
            )
    if len(sizes) >= 2:
        x = left - gap
        brackets.append(BracketLine(dims[-2], (x, top), (x, bottom), (-1, 0)))
    if len(sizes) == 3:
        brackets.append(_depth_bracket(pose, sizes, dims[0], gap))
    return tuple(brackets)


def _depth_bracket(pose: Pose, sizes: Shape, dim: int, gap: float) -> BracketLine:
    front = pose.corners[0]
    back = pose.corners[-sizes[1] * sizes[2]] if len(pose.corners) > 1 else front
    oblique = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    if len(pose.corners) > 1 and sizes[0] > 1 and pose.depth < pose.size:
        # Opened: from the first slice's upper edge to the last one's.
        lift = np.array([0.0, oblique[1]])
        start, end = front + lift, back + lift
    else:
        start, end = front, back + oblique
    along = (end - start) / max(1e-9, float(np.linalg.norm(end - start)))
    out = np.array([along[1], -along[0]])
    shift = out * gap * 0.9
    a, b = start + shift, end + shift
    return BracketLine(
        dim,
        (float(a[0]), float(a[1])),
        (float(b[0]), float(b[1])),
        (float(out[0]), float(out[1])),
    )
