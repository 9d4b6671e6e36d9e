"""Where the cells of a tensor stand: poses, and the brackets that name its sizes (pure NumPy)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.form import (
    DEPTH_X,
    DEPTH_Y,
    PLANK,
    SLAB,
    Form,
    Mode,
    Places,
    Points,
    drawable,
    form,
    modes,
    slab,
    visible,
)
from torchreel.stage.text import text_width

__all__ = [
    "DEPTH_X",
    "DEPTH_Y",
    "SLAB",
    "BracketLine",
    "Form",
    "Margins",
    "Mode",
    "Placement",
    "Pose",
    "drawable",
    "form",
    "modes",
    "place",
    "visible",
]

_GRID = 12
_SMALL, _SMALL_SOLID = 0.6, 0.45

Margins = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where each cell stands, in the order of ``Placement.elements``.

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
        left, top, right, bottom = self.front
        return (left, top + DEPTH_Y * self.depth, right + DEPTH_X * self.depth, bottom)

    @property
    def front(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the front faces, in pixels."""
        left, top = self.corners.min(axis=0)
        right, bottom = self.corners.max(axis=0) + self.size * np.array(self.stretch)
        return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True)
class BracketLine:
    """A bracket beside one dimension: from ``start`` to ``end``, bulging towards ``out``."""

    dim: int
    start: tuple[float, float]
    end: tuple[float, float]
    out: tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """A tensor's pose in a region, and its brackets.

    ``elements`` (n,) are the row-major places of the elements that the cells show; there are none
    where a slab stands for all. ``form`` is the picture that was placed.
    """

    shape: Shape
    mode: Mode
    pose: Pose
    brackets: tuple[BracketLine, ...]
    form: Form
    elements: Places = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def ghosts(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Lines that join the corners of an opened block's neighbouring slices, in pixels."""
        sizes = self.form.sizes
        if self.form.is_slab or len(sizes) != 3 or self.mode == "solid" or sizes[0] == 1:
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

    @property
    def dots(self) -> tuple[float, float] | None:
        """Where the dots of an abbreviated row stand, in pixels."""
        if not self.form.is_short:
            return None
        left, top, right, bottom = self.pose.front
        return (left + right) / 2 + self.pose.size / 2, (top + bottom) / 2

    @property
    def planks(self) -> list[tuple[float, float, float, float]]:
        """Left, top, width and depth of each shelf, in pixels."""
        origin = self.pose.corners[0]
        scaled = self.form.planks * self.pose.size
        return [
            (float(x + origin[0]), float(y + origin[1]), float(w), float(d))
            for x, y, w, d in scaled
        ]


def place(
    shape: Shape,
    region: Zone,
    artboard: Artboard,
    *,
    mode: Mode = "open",
    above: bool = False,
    short: bool = False,
    bare: bool = False,
    size: float | None = None,
    order: tuple[int, ...] | None = None,
) -> Placement:
    """Return the largest pose of a tensor that fits ``region`` with its brackets.

    ``above`` puts the bracket of the last dimension above a block of up to two dimensions, where
    view lines leave below it. ``short`` draws the ends of a long row alone, ``bare`` leaves the
    brackets out. ``size`` is the side of a cell in pixels, where it is not to be the
    largest that fits, ``order`` that of a slab's dimensions (``form.slab``).
    """
    picture = form(shape, mode, short=short, order=order)
    room = region.inset(*margins_of(picture, artboard, above=above, bare=bare))
    if fit(picture, room, artboard) < least(picture, artboard):
        picture = slab(shape, order)
    return place_form(picture, region, artboard, above=above, bare=bare, size=size)


def place_form(
    picture: Form,
    region: Zone,
    artboard: Artboard,
    *,
    above: bool = False,
    bare: bool = False,
    size: float | None = None,
) -> Placement:
    """Return a picture's pose in ``region``; the options are those of :func:`place`."""
    margins = margins_of(picture, artboard, above=above, bare=bare)
    side = fit(picture, region.inset(*margins), artboard) if size is None else size
    pose = _settle(pose_of(picture, side), region, margins)
    lines = () if bare else brackets(picture, pose, artboard, above)
    return Placement(picture.shape, picture.mode, pose, lines, picture, picture.elements)


def fit(picture: Form, room: Zone, artboard: Artboard) -> float:
    """Return the largest side of a cell in pixels with which a picture fits ``room``."""
    side = min(artboard.cell_max, room.width / picture.width, room.height / picture.height)
    side = max(1.0, side)
    return side if picture.is_slab or side < _GRID else side // _GRID * _GRID


def least(picture: Form, artboard: Artboard) -> float:
    """Return the smallest side of a cell; below it a slab stands for the cells."""
    if picture.is_slab:
        return 0.0
    solid = len(picture.sizes) > 2
    return artboard.cells_from * (_SMALL_SOLID if solid else _SMALL)


def pose_of(picture: Form, side: float) -> Pose:
    """Return a picture's pose with cells of ``side`` pixels, its first cell at the origin."""
    shown = np.ones(len(picture.corners), dtype=bool)
    corners, depth = picture.corners * side, picture.depth * side
    return Pose(corners, side, depth, picture.far, shown, picture.stretch)


def _settle(pose: Pose, region: Zone, margins: Margins) -> Pose:
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


def bracket_room(artboard: Artboard) -> float:
    """Return how far a bracket and its label reach away from a block, in pixels."""
    gap, label = _label_room(artboard)
    return gap + label + artboard.type_size * 0.4


def margins_of(picture: Form, artboard: Artboard, *, above: bool, bare: bool) -> Margins:
    """Return the room in pixels that a picture's brackets need: left, top, right, bottom."""
    sizes = picture.sizes
    if bare:
        return 0.0, 0.0, 0.0, 0.0
    gap, label = _label_room(artboard)
    beside = bracket_room(artboard)
    left = top = right = bottom = 0.0
    if picture.mode == "column" and len(sizes) == 1:
        return beside + text_width(str(sizes[0]), artboard.type_size) / 2, 0.0, 0.0, 0.0
    if len(sizes) >= 1:
        if above and len(sizes) < 3:
            top = beside
        else:
            bottom = beside
    if len(sizes) >= 2:
        text = str(sizes[-2])
        outwards = 1.0 if len(text) > 2 else 0.5  # long numbers grow away from the block
        left = gap + label + outwards * text_width(text, artboard.type_size)
    if len(sizes) >= 3:
        top = beside
        left = max(left, beside)
    if len(sizes) >= 4:
        bottom += beside
    if len(sizes) >= 5:
        left += gap + label + text_width(str(sizes[-5]), artboard.type_size) / 2
    return left, top, right, bottom


def brackets(
    picture: Form, pose: Pose, artboard: Artboard, above: bool = False
) -> tuple[BracketLine, ...]:
    """Return the brackets of a pose: last dim under, dim -2 left, dim -3 along the diagonal, the
    shelf and the stack of shelves outside."""
    gap, label = _label_room(artboard)
    sizes, dims = picture.sizes, picture.dims
    beside = bracket_room(artboard)
    left, top, right, bottom = _first_front(picture, pose)
    lines: list[BracketLine] = []
    if len(sizes) >= 1:
        if picture.mode == "column" and len(picture.shape) == 1:
            lines.append(BracketLine(dims[-1], (left - gap, top), (left - gap, bottom), (-1, 0)))
        elif above and len(sizes) < 3:
            y = top + DEPTH_Y * pose.depth - gap
            lines.append(BracketLine(dims[-1], (left, y), (right, y), (0, -1)))
        else:
            low = bottom + gap + (PLANK * pose.size if len(sizes) > 3 else 0)
            lines.append(BracketLine(dims[-1], (left, low), (right, low), (0, 1)))
    if len(sizes) >= 2:
        x = left - gap
        lines.append(BracketLine(dims[-2], (x, top), (x, bottom), (-1, 0)))
    if len(sizes) >= 3:
        lines.append(_depth_bracket(picture, pose, gap))
    whole_left, whole_top, whole_right, whole_bottom = pose.front
    if len(sizes) >= 4:
        low = whole_bottom + gap + beside + PLANK * pose.size
        right = whole_right - (picture.far.max() * DEPTH_X * pose.size)
        lines.append(BracketLine(dims[-4], (whole_left, low), (float(right), low), (0, 1)))
    if len(sizes) == 5:
        x = left - gap - label - text_width(str(sizes[-2]), artboard.type_size)
        lines.append(BracketLine(dims[-5], (x, whole_top), (x, whole_bottom), (-1, 0)))
    return tuple(lines)


def _first_front(picture: Form, pose: Pose) -> tuple[float, float, float, float]:
    """Return the box of the front slice of the first cuboid, on the lowest shelf."""
    if picture.is_slab or len(picture.sizes) < 3:
        return pose.front
    stacks, cuboids, slices, rows, columns = (1,) * (5 - len(picture.sizes)) + picture.sizes
    start = (stacks - 1) * cuboids * slices * rows * columns
    cells = pose.corners[start : start + rows * columns]
    left, top = cells.min(axis=0)
    right, bottom = cells.max(axis=0) + pose.size
    return float(left), float(top), float(right), float(bottom)


def _depth_bracket(picture: Form, pose: Pose, gap: float) -> BracketLine:
    oblique = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
    front = pose.corners[0]
    slices = 1 if picture.is_slab else picture.sizes[-3]
    back = (
        front
        if picture.is_slab
        else pose.corners[(slices - 1) * picture.sizes[-2] * picture.sizes[-1]]
    )
    if slices > 1 and picture.mode == "open":
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
        picture.dims[-3],
        (float(a[0]), float(a[1])),
        (float(b[0]), float(b[1])),
        (float(out[0]), float(out[1])),
    )
