"""Where the parts of a chain stand: columns, funnels and gates from left to right (pure NumPy)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torchreel.stage.artboard import Artboard, Zone

Kind = Literal[
    "picture", "arrow", "column", "maps", "cells", "funnel", "gate", "lens", "dots", "fork", "join"
]

CELLS_MAX = 12
"""A last layer of up to so many features is drawn as cells, each with its index and a bar."""

LARGE_LANES = 3
"""Of more rows one below the other each is so low that what is written is as small as may be."""

_TALLEST = 784
_POWER, _OWN_POWER = 0.28, 0.12
_AIR = 1.25
_SHORT, _SHORT_LOW = 0.17, 0.5
_CELL = 0.17
_NAME, _SIZE, _LEAST_LOW = 1.3, 1.15, 1.8
"""Room for a name over a low row and for sizes below it, and its least height, in small texts."""
_NATURAL: dict[Kind, tuple[float, float]] = {
    "picture": (212, 120),
    "arrow": (58, 44),
    "column": (76, 56),
    "maps": (150, 96),
    "cells": (290, 220),
    "funnel": (204, 92),
    "gate": (128, 96),
    "lens": (640, 470),
    "dots": (90, 60),
    "fork": (72, 62),
    "join": (72, 62),
}
"""Natural and least width of each part, in pixels of the page."""


@dataclass(frozen=True)
class Part:
    """One part of the picture: ``place`` is which link it is of (INPUT: what went in).

    ``features`` are how many come in and go out, ``wide`` how much wider than natural it is,
    ``fixed`` says that it cannot be narrowed, ``hidden`` are the links that dots stand for.
    """

    kind: Kind
    place: int
    features: tuple[int, int] = (1, 1)
    wide: float = 1.0
    fixed: bool = False
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Slot:
    """Where a part stands, in pixels: ``left`` and ``right`` are its heights at both ends.

    ``low`` is how high a row is that has little room for what is written, and None of any other.
    """

    part: Part
    x: float
    width: float
    center_y: float
    left: float
    right: float
    low: float | None = None

    @property
    def zone(self) -> Zone:
        """The rectangle around it."""
        height = max(self.left, self.right)
        return Zone(self.x, self.center_y - height / 2, self.width, height)

    @property
    def square(self) -> Zone:
        """The square in its middle."""
        side = min(self.width * 0.94, self.left)
        return Zone(self.center_x - side / 2, self.center_y - side / 2, side, side)

    @property
    def center_x(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    def top_over(self, width: float) -> float:
        """Return the y of the highest point of its upper edge below a text ``width`` pixels wide in
        the middle, with air at both ends."""
        width *= _AIR
        ends = (self.center_x - width / 2, self.center_x + width / 2)
        shares = [min(1.0, max(0.0, (x - self.x) / self.width)) for x in ends]
        heights = [self.left + (self.right - self.left) * share for share in shares]
        return self.center_y - max(heights) / 2


def tall(features: int, most: int, room: float) -> float:
    """Return the height in pixels of a column of so many features, ``most`` in the same picture.

    784, 128 and 10 features stand as 500, 300 and 147; small networks fill half of ``room``.
    """
    own = (min(most, _TALLEST) / _TALLEST) ** _OWN_POWER
    share = (min(features, most) / most) ** _POWER
    return float(room * max(_SHORT, own * share))


def body(zone: Zone, artboard: Artboard) -> Zone:
    """Return the part of a zone in which columns stand: names are above, sizes below."""
    return zone.inset(top=artboard.type_title * 1.05, bottom=artboard.type_size * 1.9)


def _low_body(zone: Zone, artboard: Artboard) -> Zone:
    """Return the same of a low row; where not even small sizes have room, they are not written."""
    top = artboard.floor * _NAME
    whole = zone.inset(top=top, bottom=artboard.px(4))
    sized = zone.inset(top=top, bottom=artboard.floor * _SIZE)
    return sized if sized.height >= _LEAST_LOW * artboard.floor else whole


def fits(segments: Sequence[Sequence[Sequence[Part]]], zone: Zone, *, easily: bool = False) -> bool:
    """Tell whether segments of rows fit side by side, narrowed as far as they may be; ``easily``:
    as wide as they would like to be."""
    width = _natural if easily else _least
    return sum(_widest(rows, width) for rows in segments) <= zone.width


def arrange(parts: Sequence[Part], zone: Zone, artboard: Artboard) -> list[Slot]:
    """Return where the parts stand; ``zone`` is the whole region, names and sizes included."""
    return [slot for row in arrange_rows([[parts]], zone, artboard) for slot in row]


def arrange_rows(
    segments: Sequence[Sequence[Sequence[Part]]], zone: Zone, artboard: Artboard
) -> list[list[Slot]]:
    """Return where the parts of segments stand: of each, one row, or rows one below the other.

    What stands alone in its segment is one row, the first; the others follow.
    """
    natural = [_widest(rows, _natural) for rows in segments]
    least = [_widest(rows, _least) for rows in segments]
    share = _share(natural, least, zone.width)
    widths = [low + (high - low) * share for low, high in zip(least, natural, strict=True)]
    if share >= 1:
        grown = min(1.3, zone.width / sum(widths))
        widths = [width * grown for width in widths]
    most = max(
        count for rows in segments for row in rows for part in row for count in part.features
    )
    x, alone, others = zone.center_x - sum(widths) / 2, list[Slot](), list[list[Slot]]()
    for rows, width in zip(segments, widths, strict=True):
        height = zone.height / len(rows)
        for place, row in enumerate(rows):
            low = len(rows) > LARGE_LANES
            room = Zone(x, zone.y + place * height, width, height)
            room = _low_body(room, artboard) if low else body(room, artboard)
            slots = _row(row, room, most)
            if low:
                slots = [_lowered(slot, rows, room) for slot in slots]
            if len(rows) == 1:
                alone += slots
            else:
                others.append([_beside_maps(slots, index) for index in range(len(slots))])
        x += width
    return [[_beside_maps(alone, index) for index in range(len(alone))], *others]


def _lowered(slot: Slot, rows: Sequence[Sequence[Part]], room: Zone) -> Slot:
    """Return a slot of a low row: as high as the row is where most features of all rows are."""
    most = max(count for row in rows for part in row for count in part.features)
    shares = [max(_SHORT_LOW, (count / most) ** _POWER) for count in slot.part.features]
    before, after = (share * room.height for share in shares)
    if slot.part.kind in ("picture", "maps", "cells"):
        before = after = room.height
    return replace(slot, left=before, right=after, low=room.height)


def _row(parts: Sequence[Part], room: Zone, most: int) -> list[Slot]:
    """Return where the parts of one row stand; it is as wide as its room, if it may be."""
    if not parts:
        return []
    natural, least = [_natural(part) for part in parts], [_least(part) for part in parts]
    share = _share(natural, least, room.width)
    widths = [low + (high - low) * share for low, high in zip(least, natural, strict=True)]
    grown = max(1.0, min(1.3, room.width / sum(widths)))
    first, last = parts[0].kind == "fork", parts[-1].kind == "join"
    widths = [width * grown for width in widths]
    spare = room.width - sum(widths)
    if last:
        widths[-1] += spare / (1 + first)
        widths[0] += spare / 2 * first
    x = room.x + (spare / 2 if not first and not last else 0.0)
    slots = []
    for part, width in zip(parts, widths, strict=True):
        slots.append(_slot(part, x, width, room, most))
        x += width
    return slots


def _widest(rows: Sequence[Sequence[Part]], width: Callable[[Part], float]) -> float:
    return max(sum(width(part) for part in row) for row in rows)


def _natural(part: Part) -> float:
    return _NATURAL[part.kind][0] * part.wide


def _least(part: Part) -> float:
    natural, least = _NATURAL[part.kind]
    return natural * part.wide if part.fixed else min(least, natural * part.wide)


def _share(natural: list[float], least: list[float], room: float) -> float:
    """Return how much of the way from the least widths to the natural ones there is room for."""
    spare = sum(natural) - sum(least)
    return 1.0 if spare <= 0 else max(0.0, min(1.0, (room - sum(least)) / spare))


def _slot(part: Part, x: float, width: float, room: Zone, most: int) -> Slot:
    before, after = (tall(count, most, room.height) for count in part.features)
    if part.kind in ("picture", "maps"):
        before = after = min(width * 0.94, room.height)
    elif part.kind == "cells":
        before = after = min(room.height, _CELL * room.height * part.features[0])
    elif part.kind == "funnel":
        before, after = before * 0.96, after * 0.96
    return Slot(part, x, width, room.center_y, before, after)


def _beside_maps(slots: list[Slot], index: int) -> Slot:
    """Let a funnel between maps be as high as they are, lower where fewer channels are."""
    slot = slots[index]
    if slot.part.kind != "funnel":
        return slot
    more = slot.part.features[0] < slot.part.features[1]
    before, after = slot.left, slot.right
    if index and slots[index - 1].part.kind == "maps":
        before = slots[index - 1].left * (0.7 if more else 1.0)
    if index + 1 < len(slots) and slots[index + 1].part.kind == "maps":
        after = slots[index + 1].left * (1.0 if more else 0.7)
    return replace(slot, left=before, right=after)
