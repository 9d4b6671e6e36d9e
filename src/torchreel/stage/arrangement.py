"""Where the tensors of one op stand: from a family and shapes to regions (pure NumPy).

Every block of an arrangement has cells of one size, the largest with which all of them fit, so
that what is compared looks comparable; what is too large for cells is a slab.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from torchreel.records import Shape
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.form import SLAB, Form, Mode, form, modes, slab
from torchreel.stage.layout import (
    DEPTH_X,
    DEPTH_Y,
    Margins,
    Placement,
    least,
    margins_of,
    place_form,
)
from torchreel.stage.text import text_width

Family = Literal["in_place", "left_right", "stacked", "flush", "corner", "fork"]
"""in_place: one tensor in the middle; left_right: in a row, a symbol after each where it has one;
stacked: one below the other, flush: with one left
edge; corner: A left, B above, C where they meet; fork: the first above the last, and what the last
is taken from on both sides of it."""

_GRID = 12
_SIZES = (*range(144, 11, -12), 10, 8, 6, 5, 4, 3, 2, 1)


@dataclass(frozen=True)
class Item:
    """One tensor of an arrangement: its shape, how it is drawn, and the name that it needs room
    for (empty: none). ``before`` and ``after`` are what stands between it and its neighbours,
    ``bare`` leaves brackets out, ``pad`` is further room (left, top, right, bottom in pixels),
    ``order`` that of a slab's dimensions (``form.slab``)."""

    shape: Shape
    name: str = ""
    mode: Mode | None = None
    short: bool = False
    bare: bool = True
    after: str = ""
    before: str = ""
    pad: Margins = (0.0, 0.0, 0.0, 0.0)
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Spot:
    """Where a text stands: ``x`` is its left end for ``align`` 0, its middle for .5, its right end
    for 1, ``y`` its middle; ``width`` is the room there is, all in pixels."""

    x: float
    y: float
    align: float
    width: float


@dataclass(frozen=True)
class Mark:
    """A symbol between blocks (``+``, ``=``, ``→``): its middle in pixels and its size."""

    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Arrangement:
    """Where each item stands, where its name does, the symbols between them, and the zone that is
    left for a written line."""

    placements: tuple[Placement, ...]
    names: tuple[Spot, ...]
    marks: tuple[Mark, ...]
    free: Zone


def arrange(
    family: Family,
    items: Sequence[Item],
    zone: Zone,
    artboard: Artboard,
    *,
    line: bool = False,
    below: float = 0.0,
) -> Arrangement:
    """Return where the items stand in ``zone``; ``line`` keeps room for a written line, ``below``
    (0 to 1) a share of the zone for a picture."""
    if family == "corner" and len(items) == 3 and all(len(item.shape) <= 2 for item in items):
        return _corner(items, zone, artboard)
    height = max(artboard.type_title * 2.2 if line else 0.0, below * zone.height)
    room = zone.inset(bottom=height)
    free = Zone(zone.x, room.bottom, zone.width, height)
    if family == "fork" and len(items) > 1:
        return _fork(items, room, artboard, free)
    if family in ("stacked", "flush") and len(items) > 1:
        return _column(items, room, artboard, free, flush=family == "flush")
    return _row(items, room, artboard, free)


def _pictures(
    items: Sequence[Item], artboard: Artboard, fits: Callable[[list[Form], float], bool]
) -> tuple[list[Form], float]:
    """Return what is drawn of each item, and the size of a cell with which all of it fits."""
    pictures = [
        form(
            item.shape,
            item.mode or modes(item.shape)[-1],
            short=item.short,
            order=item.order,
        )
        for item in items
    ]
    while True:
        sizes = [side for side in _SIZES if side <= artboard.cell_max]
        size = next((side for side in sizes if fits(pictures, side)), sizes[-1])
        small = [index for index, each in enumerate(pictures) if size < least(each, artboard)]
        if not small:
            return pictures, float(size)
        largest = max(small, key=lambda index: len(pictures[index].elements))
        pictures[largest] = slab(items[largest].shape, items[largest].order)


def _extent(picture: Form, item: Item, size: float, artboard: Artboard) -> tuple[float, float]:
    """Return the room that an item needs, with its brackets and its name above."""
    margins = margins_of(picture, artboard, above=False, bare=item.bare)
    left, top, right, bottom = (a + b for a, b in zip(margins, item.pad, strict=True))
    width = picture.width * size + left + right
    named = _name_room(artboard) if item.name else 0.0
    return max(width, _name_width(item, artboard)), picture.height * size + top + bottom + named


def _name_room(artboard: Artboard) -> float:
    return artboard.type_title * 0.8 + artboard.px(24)


def _name_width(item: Item, artboard: Artboard) -> float:
    """Return the least room for a name: short ones whole, long ones are cut."""
    return text_width(item.name[:8], artboard.floor)


def _gap(item: Item, artboard: Artboard) -> float:
    """Return the room between an item and the next."""
    if not item.after:
        return artboard.px(52)
    return text_width(item.after, artboard.type_title) + artboard.px(36)


def _row(items: Sequence[Item], room: Zone, artboard: Artboard, free: Zone) -> Arrangement:
    gaps = [_gap(item, artboard) for item in items[:-1]]
    named = _name_room(artboard) if any(item.name for item in items) else 0.0
    lead = _gap(Item((), after=items[0].before), artboard) if items[0].before else 0.0

    def fits(pictures: list[Form], size: float) -> bool:
        extents = [_extent(p, i, size, artboard) for p, i in zip(pictures, items, strict=True)]
        wide = sum(width for width, _ in extents) + sum(gaps) + lead
        reaches = [_reach(p, i, size) for p, i in zip(pictures, items, strict=True)]
        tall = sum(max(reach[side] for reach in reaches) for side in (0, 1)) + named
        high = max(tall, *(height for _, height in extents))
        return wide <= room.width and high <= room.height

    pictures, size = _pictures(items, artboard, fits)
    extents = [_extent(p, i, size, artboard) for p, i in zip(pictures, items, strict=True)]
    total = sum(width for width, _ in extents) + sum(gaps)
    marks = []
    reaches = [_reach(p, i, size) for p, i in zip(pictures, items, strict=True)]
    above, below = (max(reach[side] for reach in reaches) for side in (0, 1))
    middle = room.center_y + (named + above - below) / 2
    x = room.center_x - (total - lead) / 2
    placements, names = [], []
    starts: list[float] = []
    ends: list[float] = []
    if lead:
        marks.append(Mark(items[0].before, x - lead / 2, middle, artboard.type_title))
    for index, (item, picture, (width, _)) in enumerate(zip(items, pictures, extents, strict=True)):
        placement = _put(picture, item, Zone(x, room.y, width, room.height), middle, size, artboard)
        placements.append(placement)
        names.append(_above(placement, item, width, artboard))
        starts.append(min(x, placement.pose.front[0] - item.pad[0]))
        x += width
        ends.append(max(x, placement.pose.box[2] + item.pad[2]))
        x += gaps[index] if index < len(gaps) else 0
    for item, end, start in zip(items, ends, starts[1:], strict=False):
        if item.after:  # in the middle of what is free, beside what has thickness, too
            marks.append(Mark(item.after, (end + start) / 2, middle, artboard.type_title))
    names = _freed(names, [width for width, _ in extents], room, artboard)
    return Arrangement(tuple(placements), tuple(names), tuple(marks), free)


def _freed(
    names: Sequence[Spot], widths: Sequence[float], room: Zone, artboard: Artboard
) -> list[Spot]:
    """Return names in a row with all the room that their neighbours leave: half of each gap."""
    pairs = zip(names, widths, strict=True)
    ends = [(spot.x - wide / 2, spot.x + wide / 2) for spot, wide in pairs]
    inner = [(one[1] + other[0]) / 2 - artboard.px(6) for one, other in pairwise(ends)]
    left, right = [room.x, *(each + artboard.px(12) for each in inner)], [*inner, room.right]
    return [
        replace(spot, width=max(spot.width, 2 * min(spot.x - low, high - spot.x)))
        for spot, low, high in zip(names, left, right, strict=True)
    ]


def _reach(picture: Form, item: Item, size: float) -> tuple[float, float]:
    """Return how far a picture reaches up and down from the middle of its fronts, in pixels."""
    half = (float(np.ptp(picture.corners[:, 1])) + picture.stretch[1]) * size / 2
    return half - DEPTH_Y * picture.depth * size + item.pad[1], half + item.pad[3]


def _column(
    items: Sequence[Item], room: Zone, artboard: Artboard, free: Zone, *, flush: bool
) -> Arrangement:
    """Blocks one below the other, ``flush`` at the left or around one middle; the name of each to
    its left, and the symbol before it there."""
    gap = artboard.px(26)
    beside = artboard.px(24)
    signs = [items[0].before, *(item.after for item in items[:-1])]
    signed = max(text_width(sign, artboard.type_title) for sign in signs)
    signed += beside if signed else 0.0
    name = max(_name_width(item, artboard) for item in items)
    side = signed + (name + beside if name else 0.0)

    def fits(pictures: list[Form], size: float) -> bool:
        extents = [_stacked_extent(p, i, size) for p, i in zip(pictures, items, strict=True)]
        tall = sum(height for _, height in extents) + gap * (len(items) - 1)
        wide = max(width for width, _ in extents) + side
        return tall <= room.height and wide <= room.width

    pictures, size = _pictures(items, artboard, fits)
    extents = [_stacked_extent(p, i, size) for p, i in zip(pictures, items, strict=True)]
    total = sum(height for _, height in extents) + gap * (len(items) - 1)
    wide = max(width for width, _ in extents) + side
    left = room.center_x - wide / 2
    y = room.center_y - total / 2
    placements, names, marks = [], [], []
    for item, picture, sign, (own, height) in zip(items, pictures, signs, extents, strict=True):
        region = Zone(left + side, y, own if flush else wide - side, height)
        inner = region.inset(*item.pad)
        placement = place_form(picture, inner, artboard, bare=item.bare, size=size)
        placements.append(placement)
        _, top, _, bottom = placement.pose.front
        middle = (top + bottom) / 2
        beyond = 0.0 if signed else left - room.x
        names.append(Spot(left + side - beside, middle, 1.0, name + artboard.px(4) + beyond))
        if sign:
            x = left + text_width(sign, artboard.type_title) / 2
            marks.append(Mark(sign, x, middle, artboard.type_title))
        y += height + gap
    return Arrangement(tuple(placements), tuple(names), tuple(marks), free)


def _stacked_extent(picture: Form, item: Item, size: float) -> tuple[float, float]:
    left, top, right, bottom = item.pad
    return picture.width * size + left + right, picture.height * size + top + bottom


def _corner(items: Sequence[Item], zone: Zone, artboard: Artboard) -> Arrangement:
    """A matrix product: rows of A against columns of B, each cell of C where they cross."""
    gap = artboard.px(16)
    side = max((_name_width(item, artboard) for item in items), default=0.0) + artboard.px(20)
    pictures = [form(i.shape, i.mode or "open", short=False) for i in items]
    room = zone.inset(left=side, right=side)
    a, b, _ = pictures
    wide, tall = a.width + b.width, a.height + b.height
    size = (
        min(artboard.cell_max, (room.width - gap) / wide, (room.height - gap) / tall)
        // _GRID
        * _GRID
    )
    if any(each.is_slab or size < least(each, artboard) for each in pictures):
        pictures = _proportional(items)
        a, b, _ = pictures
        wide, tall = a.width + b.width, a.height + b.height
        size = min((room.width - gap) / wide, (room.height - gap) / tall)
    a, b, c = pictures
    left = room.center_x - (wide * size + gap) / 2
    top = room.center_y - (tall * size + gap) / 2
    x, y = left + a.width * size + gap, top + b.height * size + gap
    corners = [(left, y, a), (x, top, b), (x, y, c)]
    placements = [
        place_form(
            picture,
            Zone(px, py, picture.width * size, picture.height * size),
            artboard,
            bare=True,
            size=size,
        )
        for px, py, picture in corners
    ]
    names = []
    for index, placement in enumerate(placements):
        x0, y0, x1, y1 = placement.pose.box
        beside = artboard.px(16)
        spot = (x0 - beside, 1.0) if index == 0 else (x1 + beside, 0.0)
        names.append(Spot(spot[0], (y0 + y1) / 2, spot[1], side - beside))
    free = Zone(zone.x, top, max(0.0, x - gap - zone.x), b.height * size)
    return Arrangement(tuple(placements), tuple(names), (), free)


def _fork(items: Sequence[Item], room: Zone, artboard: Artboard, free: Zone) -> Arrangement:
    """The first item above the last, its name beside it; those between on the left and the right of
    the last, where the first's ``before`` and the last's ``after`` stand for one that is no
    tensor."""
    gap, named = artboard.px(52), _name_room(artboard)
    sides = [*range(1, len(items) - 1)]
    before = [] if len(sides) < 2 and items[0].before else sides[:1]
    columns = [before, [0, len(items) - 1], sides[len(before) :]]
    spoken = [items[0].before, items[-1].after]
    words = ["" if each else word for word, each in zip(spoken, columns[::2], strict=True)]
    wide = [text_width(word, artboard.type_title) for word in words]

    def widths(pictures: list[Form], size: float) -> list[float]:
        extents = [_extent(p, i, size, artboard)[0] for p, i in zip(pictures, items, strict=True)]
        left, middle, right = (max((extents[i] for i in each), default=0.0) for each in columns)
        return [max(left, wide[0]), middle, max(right, wide[1])]

    def heights(pictures: list[Form], size: float) -> tuple[float, float]:
        """Return how high the first item is, and the row of the others with their names."""
        upper, *lower = (
            _extent(p, i, size, artboard)[1] for p, i in zip(pictures, items, strict=True)
        )
        return upper - (named if items[0].name else 0.0), max(lower)

    def fits(pictures: list[Form], size: float) -> bool:
        across, down = sum(widths(pictures, size)), sum(heights(pictures, size))
        return across + 2 * gap <= room.width and down + gap <= room.height

    pictures, size = _pictures(items, artboard, fits)
    left, middle, right = widths(pictures, size)
    upper, lower = heights(pictures, size)
    x = room.center_x - (left + middle + right) / 2 - gap
    starts = [x, x + left + gap, x + left + middle + 2 * gap]
    top = room.center_y - (upper + gap + lower) / 2
    reaches = [_reach(p, i, size) for p, i in zip(pictures, items, strict=True)]
    above, below = (max(reach[side] for reach in reaches[1:]) for side in (0, 1))
    level = top + upper + gap + (lower + named + above - below) / 2
    placements, names = [], []
    for index, (item, picture) in enumerate(zip(items, pictures, strict=True)):
        column = next(at for at, each in enumerate(columns) if index in each)
        width = (left, middle, right)[column]
        here = level if index else top + reaches[0][0]
        zone = Zone(starts[column], top, width, room.height)
        placements.append(_put(picture, item, zone, here, size, artboard))
        names.append(_above(placements[-1], item, width, artboard))
    beside = placements[0].pose.front[0] - artboard.px(24)
    names[0] = Spot(beside, top + reaches[0][0], 1.0, beside - room.x)
    marks = tuple(
        Mark(word, start + width / 2, level, artboard.type_title)
        for word, start, width in zip(words, starts[::2], (left, right), strict=True)
        if word
    )
    return Arrangement(tuple(placements), tuple(names), marks, free)


def _proportional(items: Sequence[Item]) -> list[Form]:
    """Return slabs whose shared dimensions are drawn equally long, by the root of their size."""
    forms = []
    for item in items:
        rows, columns = {0: (1, 1), 1: (1, *item.shape)}.get(len(item.shape), item.shape)
        if item.mode == "column":
            rows, columns = columns, rows
        tall, wide = max(1.0, rows**0.5), max(1.0, columns**0.5)
        flat = slab(item.shape)
        forms.append(
            replace(
                flat,
                depth=SLAB,
                stretch=(wide, tall),
                width=wide,
                height=tall + 0.1,
                mode=item.mode or "solid",
            )
        )
    return forms


def _put(
    picture: Form, item: Item, region: Zone, middle: float, size: float, artboard: Artboard
) -> Placement:
    """Place a picture with the middle of its front at the height ``middle``."""
    region = region.inset(left=item.pad[0], right=item.pad[2])
    placement = place_form(picture, region, artboard, bare=item.bare, size=size)
    _, top, _, bottom = placement.pose.front
    lift = middle - (top + bottom) / 2
    flat = SLAB * DEPTH_X * size / 2  # which the symbols after an item make way for
    beyond = max(0.0, placement.pose.box[2] - region.right - flat)
    moved = Zone(region.x - beyond, region.y + lift, region.width, region.height)
    return place_form(picture, moved, artboard, bare=item.bare, size=size)


def _above(placement: Placement, item: Item, width: float, artboard: Artboard) -> Spot:
    left, _, right, _ = placement.pose.front
    top = placement.pose.box[1]
    lift = artboard.type_title * 0.4 + artboard.px(22) + item.pad[1]
    if not item.bare and len(placement.form.sizes) >= 3:
        lift += artboard.px(30)
    return Spot((left + right) / 2, top - lift, 0.5, width + artboard.px(20))
