"""A tensor as a block: its cells or its slab, digits, one followed element, the frame of a leaf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from manim import Animation, Group, Mobject, VGroup, VMobject, linear
from numpy.typing import NDArray

from torchreel.records import Drawn, TensorRecord
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, first_part, paint, polyline, rounded, s_curve
from torchreel.stage.cells import BATCH_FROM, EMPTY, BatchDrawing, CellDrawing, Points
from torchreel.stage.colors import Color, mix
from torchreel.stage.form import DEPTH_X, DEPTH_Y, PLANK, Mode
from torchreel.stage.layout import Placement, Pose
from torchreel.stage.seen import ghosts_of, index_of
from torchreel.stage.slab import Sight, SlabDrawing
from torchreel.stage.text import ADVANCE

_DIGIT_HEIGHT = 0.54
_DIGIT_WIDTH = 0.90
_THREAD = 4.5
_SHEATH = 8.5
_FRAME = 5.0
_FRAME_PAD = 10.0
FRAMED = 9.0
"""How much farther out brackets stand from a block with a frame, in film pixels."""

_PIN = 26.0
_SAMPLES = 48
_EDGE = 0.08
_BENEATH = 0.9
_DOT = 0.1
"""The radius of a dot for what is left out, in cells, at most."""


class TensorBlock(Group):
    """A tensor on stage; ``placement`` says what of it is drawn, and where.

    ``fills`` (n, 3) are the colours of the cells, ``values`` their numbers in the same order
    (None: no digits), ``image`` what a slab shows. The cells are painted far to near, bottom to
    top and left to right, so a block stays right while its cells move: call :meth:`set_pose`, or
    play :class:`Move`. ``dims`` (n,) tells how far each cell is dimmed, ``rest`` (n,) how far it
    is when nothing is lit: what is there only by a stride of 0 is dim. ``sight`` says what of a
    slab stays bright when it is dimmed. What belongs to it on stage (``brackets``, ``boxes``,
    ``ghosts``, ``title``) is put there by the stage.
    """

    def __init__(
        self,
        canvas: Canvas,
        record: TensorRecord,
        placement: Placement,
        fills: Sequence[Color] | Points,
        values: NDArray[np.generic] | None,
        image: Points | None = None,
    ) -> None:
        self.canvas = canvas
        self.record = record
        self.planks = VGroup()
        self.placement = placement
        self.fills = np.array(fills)
        self.pose = placement.pose
        self.faded = 0.0
        self.rest: Points = np.zeros(len(self.pose.corners))
        if len(placement.elements):
            self.rest = ghosts_of(record)[placement.elements].astype(float)
        self.dims: Points = self.rest.copy()
        self.sight: Sight | None = None
        self.followed: int | None = None
        self.anchor: tuple[float, float] | None = None
        self.grown = 0.0
        self.framed = float(is_framed(record))
        self.role: Color = canvas.theme.param
        self.brackets: list[Any] = []
        self.boxes: list[Any] = []
        self.ghosts: VGroup | None = None
        self.title: Any = None
        self.set_values(values)
        self.frame, self.pin = VMobject(), VMobject()
        self.sheath, self.thread = VMobject(), VMobject()
        self.dots = VGroup(*(VMobject() for _ in range(3 if placement.dots else 0)))
        self.drawing = self._drawing(image)
        solid = (self.frame, self.planks, self.drawing, self.dots, self.pin)
        super().__init__(*solid, self.sheath, self.thread)
        self.set_pose(self.pose)

    # What the cells show.

    @property
    def placement(self) -> Placement:
        """What of the tensor is drawn, and where."""
        return self._placement

    @placement.setter
    def placement(self, placement: Placement) -> None:
        self._placement = placement
        planks = 2 * len(placement.form.planks)
        if len(self.planks) != planks:
            self.planks.submobjects = [VMobject() for _ in range(planks)]

    @property
    def elements(self) -> NDArray[np.int64]:
        """The row-major places of the elements that the cells show; empty for a slab."""
        return self.placement.elements

    @property
    def has_cells(self) -> bool:
        """Tell whether every element has a cell of its own."""
        return len(self.elements) == self.record.numel > 0

    @property
    def values(self) -> NDArray[np.generic] | None:
        """The numbers that are written on the cells (n,), None where none are."""
        return self._values

    @property
    def image(self) -> Points | None:
        """What the front of a slab shows; None where there are cells or nothing is known."""
        return self.drawing.image if isinstance(self.drawing, SlabDrawing) else None

    @property
    def opened(self) -> float:
        """The share of a slab's depth that is cut away."""
        return 0.0 if self.sight is None else self.sight.near * min(1.0, float(self.dims[0]))

    def cells_of(self, elements: Any) -> NDArray[np.int64]:
        """Return which cells show these elements: row-major places, or a mask of the shape; those
        that are not drawn are left out."""
        wanted = np.asarray(elements)
        if wanted.dtype == np.bool_:
            wanted = np.flatnonzero(wanted.ravel())
        if self.has_cells:
            return wanted.ravel().astype(np.int64)
        places = {int(element): cell for cell, element in enumerate(self.elements)}
        found = [places[int(each)] for each in wanted.ravel() if int(each) in places]
        return np.array(found, dtype=np.int64)

    def become_tensor(self, record: TensorRecord) -> None:
        """Show another tensor of the same elements in the same order, a view or a reshape."""
        self.record = record

    def set_values(self, values: NDArray[np.generic] | None) -> None:
        """Write these numbers, one a cell; None writes nothing."""
        self._written: dict[int, tuple[TensorRecord, int]] = {}
        shown = values is not None and len(self.fills) == values.size and len(self.elements) > 0
        self._values = values.ravel() if values is not None and shown else None
        self.kinds = _kinds(self._values)
        self._texts: dict[int, list[str] | None] = {}

    def overwrite(
        self,
        cells: NDArray[np.int64],
        values: NDArray[np.generic],
        writer: TensorRecord,
        elements: NDArray[np.int64],
    ) -> None:
        """Show what was written into these cells' memory through another tensor, ``writer``, of
        which they are the ``elements``."""
        if self._values is None:
            if len(cells) == len(values) == self.record.numel:  # now all of it is known
                self.set_values(values[np.argsort(cells)])
                self.redraw()
            return
        pairs = zip(cells.tolist(), elements.tolist(), strict=True)
        written = self._written | {cell: (writer, element) for cell, element in pairs}
        whole = self._values.copy()
        whole[cells] = values
        self.set_values(whole)
        self._written = written
        self.redraw()

    def set_fills(self, fills: Sequence[Color] | Points) -> None:
        """Give the cells other colours."""
        self.fills = np.array(fills)
        self.redraw()

    def set_pose(self, pose: Pose) -> None:
        """Draw the cells in this pose."""
        self.pose = pose
        self.redraw()

    def stand(self, placement: Placement) -> None:
        """Stand where ``placement`` says, with as many cells as before."""
        self.placement = placement
        self.set_pose(placement.pose)

    def show_cells(self, shown: NDArray[np.bool_] | bool) -> None:
        """Draw these cells (n,) only, or all, or none."""
        there = np.broadcast_to(np.asarray(shown, dtype=bool), self.pose.shown.shape).copy()
        self.set_pose(replace(self.pose, shown=there))

    def dim_to(self, share: float | Points) -> None:
        """Dim all cells by ``share`` (0 to 1), or each (n,) by its own."""
        self.dims = np.broadcast_to(np.asarray(share, dtype=float), self.dims.shape).copy()
        self.redraw()

    def fade_into(self, share: float) -> None:
        """Fade by ``share`` into the background: an opaque mix."""
        self.faded = share
        self.redraw()

    def follow(self, index: int | None, anchor: tuple[float, float] | None = None) -> None:
        """Outline one cell and hang a view line from it to ``anchor`` (pixels)."""
        self.followed, self.anchor = index, anchor
        self.redraw()

    def view_line(self, cell: int, anchor: tuple[float, float]) -> Points:
        """Return points (n, 2) in pixels along the view line that would hang from a cell."""
        curve = self._hanging(cell, anchor)
        return np.array([first_part(curve, share)[-1] for share in np.linspace(0, 1, _SAMPLES)])

    def is_clear(self, cell: int, line: Points) -> bool:
        """Tell whether a view line (n, 2) in pixels is seen from its cell on, and runs over none of
        the others."""
        aside = np.abs(self.beneath(cell)[:, 0] - self.pose.corners[cell, 0])
        corners, size = self.pose.corners[:, None, :], self.pose.size
        inside = (line > corners + _EDGE * size) & (line < corners + (1 - _EDGE) * size)
        inside[cell] = False
        return not (aside > _EDGE * size).any() and not inside.all(axis=2).any()

    def redraw(self) -> None:
        """Draw the block as it stands."""
        self.drawing.draw(self)
        self._draw_planks()
        self._draw_dots()
        self._draw_frame()
        self._draw_thread()

    # What is written on it.

    def digits(self) -> list[tuple[str, Drawn, tuple[float, float, float, float]]]:
        """Return each digit on stage: text, where it came from, and its box in pixels."""
        texts, size = self.fitted()
        if texts is None or self.faded >= 1:
            return []
        hidden = self._hidden()
        found = []
        for cell, text in enumerate(texts):
            if not self.pose.shown[cell] or hidden[cell]:
                continue
            x, y = self.pose.corners[cell] + self.pose.size / 2
            width, height = len(text) * ADVANCE * size, 0.73 * size
            record, element = self._written.get(cell, (self.record, int(self.elements[cell])))
            source = Drawn(0, text, "value", record.id, index_of(record, element))
            found.append((text, source, (x - width / 2, y - height / 2, width, height)))
        return found

    @property
    def digit_size(self) -> float:
        """Size in pixels of the digits as the block stands, 0 where it shows none."""
        texts, size = self.fitted()
        return size if texts else 0.0

    def fitted(self) -> tuple[list[str] | None, float]:
        """Return the texts that fit the cells as they stand, and their size in pixels."""
        artboard, size = self.canvas.artboard, self.pose.size
        if self._values is None or size < artboard.digits_from:
            return None, 0.0
        if len(self._values) > BATCH_FROM:
            return None, 0.0
        chars = int(_DIGIT_WIDTH * size / (ADVANCE * artboard.floor))
        if chars not in self._texts:
            self._texts[chars] = numerals.write_all(self._values, chars)
        texts = self._texts[chars]
        if texts is None:
            return None, 0.0
        longest = max(len(text) for text in texts)
        fitting = _DIGIT_WIDTH * size / (ADVANCE * longest)
        return texts, min(artboard.type_digit_max, _DIGIT_HEIGHT * size, fitting)

    # Drawing.

    def shade(self, color: Color) -> Color:
        """Return a colour as the block's fading leaves it."""
        return mix(color, self.canvas.theme.bg, self.faded) if self.faded else color

    def _drawing(self, image: Points | None) -> CellDrawing | BatchDrawing | SlabDrawing:
        if not len(self.elements):
            return SlabDrawing(self.canvas, image)
        if len(self.elements) > BATCH_FROM:
            return BatchDrawing(self.canvas)
        return CellDrawing(self.canvas, len(self.elements))

    def _draw_planks(self) -> None:
        theme, canvas = self.canvas.theme, self.canvas
        scale, origin = self.pose.size, self.pose.corners[0]
        for index, (x, y, width, depth) in enumerate(self.placement.form.planks * scale):
            left, top, thick = x + origin[0], y + origin[1], PLANK * scale
            dx, dy = DEPTH_X * (depth + 0.3 * scale), DEPTH_Y * (depth + 0.3 * scale)
            plate = [
                (left, top),
                (left + dx, top + dy),
                (left + width + dx, top + dy),
                (left + width, top),
            ]
            edge = [
                (left, top),
                (left + width, top),
                (left + width, top + thick),
                (left, top + thick),
            ]
            for part, corners, color in (
                (self.planks[2 * index], plate, theme.surface2),
                (self.planks[2 * index + 1], edge, mix(theme.surface, theme.surface2, 0.6)),
            ):
                part.points = canvas.points(polyline(np.array([*corners, corners[0]])))
                line = canvas.stroke(canvas.artboard.px(1.5))
                paint(part, self.shade(color), self.shade(theme.line), line)

    def _draw_dots(self) -> None:
        if not len(self.dots):
            return
        left, right = self.pose.corners[3, 0] + self.pose.size, self.pose.corners[4, 0]
        x, y = (left + right) / 2, self.pose.corners[0, 1] + self.pose.size / 2
        gap = (right - left) / 4
        for index, dot in enumerate(self.dots):
            r = min(gap * 0.28, self.pose.size * _DOT)  # on its way a row may be wide
            cx = x + (index - 1) * gap * 0.9
            there = bool(self.pose.shown[3])
            points = rounded(cx - r, y - r, 2 * r, 2 * r, r)
            dot.points = self.canvas.points(points if there else EMPTY)
            paint(dot, self.shade(self.canvas.theme.muted), None, 0)

    def _draw_frame(self) -> None:
        if self.framed <= 0 or not self.pose.shown.any():
            self.frame.points = self.pin.points = np.zeros((0, 3))
            return
        px, pose = self.canvas.artboard.px, self.pose
        left, top, right, bottom = pose.box
        pad, pin = px(_FRAME_PAD), px(_PIN)
        x, y = left - pad, top - pad
        color = self.shade(mix(self.canvas.theme.bg, self.role, self.framed))
        self.frame.points = self.canvas.points(
            rounded(x, y, right - left + 2 * pad, bottom - top + 2 * pad, px(14))
        )
        paint(self.frame, None, color, self.canvas.stroke(px(_FRAME)))
        corner = np.array([(x, y), (x + pin, y), (x, y + pin), (x, y)])
        self.pin.points = self.canvas.points(polyline(corner))
        paint(self.pin, color, None, 0)

    def _draw_thread(self) -> None:
        if self.followed is None or self.anchor is None or self.grown <= 0:
            self.thread.points = self.sheath.points = np.zeros((0, 3))
            return
        curve = self._hanging(self.followed, self.anchor)
        points = self.canvas.points(first_part(curve[::-1], min(1.0, self.grown)))
        for line, color, width in (
            (self.sheath, self.canvas.theme.bg, _SHEATH),
            (self.thread, self.shade(self.fills[self.followed]), _THREAD),
        ):
            line.points = points
            paint(line, None, color, self.canvas.stroke(self.canvas.artboard.px(width)))

    def _hanging(self, cell: int, anchor: tuple[float, float]) -> Points:
        """Return the way from a cell to ``anchor``: from the middle of its lower edge, or, where
        other cells are below, from its corner between their column and the next. From below cells
        that are on their way it comes out behind them."""
        (x, y), size = self.pose.corners[cell], self.pose.size
        middle, low = float(x + size / 2), float(y + size)
        beneath = self.beneath(cell)
        if not len(beneath):
            return s_curve((middle, low), anchor)
        aside, lowest = np.abs(beneath[:, 0] - x) / size, float(beneath[:, 1].max() + size)
        share = min(1.0, (_BENEATH - float(aside.min())) / (_BENEATH - 0.5))
        side = middle + share * (size if anchor[0] > middle else -size) / 2
        if (aside > _EDGE).any():
            covered = (beneath[:, 0] <= side) & (side <= beneath[:, 0] + size)
            return s_curve((side, lowest if covered.any() else low), anchor)
        down = polyline(np.array([(side, low), (side, lowest)]))
        return np.concatenate([down, s_curve((side, lowest), anchor)])

    def beneath(self, cell: int) -> Points:
        """Return the corners (n, 2) of the cells below one, in pixels."""
        corners, (x, y), size = self.pose.corners, self.pose.corners[cell], self.pose.size
        near = np.abs(corners[:, 0] - x) < _BENEATH * size
        found: Points = corners[near & (corners[:, 1] > y + size / 2)]
        return found

    def _hidden(self) -> NDArray[np.bool_]:
        """Tell for each cell whether a nearer one covers its middle."""
        pose = self.pose
        middle = pose.corners[:, None, :] + pose.size / 2
        inside = (middle >= pose.corners[None]) & (middle <= pose.corners[None] + pose.size)
        nearer = (pose.far[None, :] < pose.far[:, None]) & pose.shown[None, :]
        hidden: NDArray[np.bool_] = np.any(inside.all(axis=2) & nearer, axis=1)
        return hidden

    @property
    def mode(self) -> Mode:
        """How the block is drawn: open, solid, or a column."""
        return self.placement.mode


def is_framed(record: TensorRecord) -> bool:
    """Tell whether a tensor has the frame of a parameter: a leaf that wants gradients."""
    return record.requires_grad and record.leaf


class BlockAnimation(Animation):
    """An animation that calls ``draw`` with the time from 0 to 1; nothing is copied."""

    def __init__(
        self, mobject: Mobject, draw: Callable[[float], None], run_time: float, **kwargs: Any
    ) -> None:
        self._draw = draw
        super().__init__(mobject, run_time=run_time, rate_func=linear, **kwargs)

    def create_starting_mobject(self) -> Mobject:
        """Return an empty mobject: the starting state is in ``draw``."""
        return VMobject()

    def interpolate_mobject(self, alpha: float) -> None:
        """Draw the mobject as it is at ``alpha``."""
        self._draw(alpha)


class Move(BlockAnimation):
    """Moves a block's cells along ``motion``, a function from time (0 to 1) to a pose."""

    def __init__(
        self, block: TensorBlock, motion: Callable[[float], Pose], run_time: float
    ) -> None:
        super().__init__(block, lambda alpha: block.set_pose(motion(alpha)), run_time)


def _kinds(values: NDArray[np.generic] | None) -> list[str] | None:
    """Return which cells are T, F, nan or inf; None where none is."""
    if values is None:
        return None
    if values.dtype == np.bool_:
        return ["T" if value else "F" for value in values]
    if not np.issubdtype(values.dtype, np.floating) or np.isfinite(values).all():
        return None
    return ["nan" if np.isnan(v) else "inf" if np.isinf(v) else "" for v in values.astype(float)]
