"""The film's title of a tensor: its name and shape beside the block, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup

from torchreel.records import Drawn
from torchreel.stage.arrangement import Spot
from torchreel.stage.badge import Badge, badge_width
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import Named, name_label, shape_text
from torchreel.stage.layout import Placement
from torchreel.stage.text import columns, cut, text_width

_BESIDE = 56
_ABOVE = 96


class Title(VGroup):
    """``y (3, 4)`` to the right of its block, above a row, which may fill the stage.

    ``room`` pixels beside the block are left free, ``badge`` adds dtype and device, for a tensor
    of another kind than the one before: behind the shape, or below it where it is narrow.
    """

    def __init__(
        self, canvas: Canvas, named: Named, placement: Placement, room: float, *, badge: bool
    ) -> None:
        artboard, theme = canvas.artboard, canvas.theme
        size = artboard.type_title
        name = f"{named.name} " if named.name else ""
        shape = shape_text(named.record)
        width = text_width(name + shape, size)
        _, top, right, bottom = placement.pose.box
        x, y = right + room + artboard.px(_BESIDE), (top + bottom) / 2
        row = len(placement.shape) == 1 and placement.shape != (1,)
        beside = badge_width(named.record, artboard) if badge else 0.0
        whole = width + (artboard.px(24) + beside if badge else 0)
        free = artboard.stage.right - x
        below = badge and not row and max(width, beside) <= free < whole
        if row or (whole > free and not below):
            x, y = artboard.stage.center_x - whole / 2, top - artboard.px(_ABOVE) - size / 2
        at = (x, y + 0.75 * size) if below else (x + width + artboard.px(24), y)
        y -= 0.75 * size if below else 0.0
        super().__init__()
        record = named.record
        if named.name:
            self.add(name_label(canvas, named, named.name, x, y, size, theme.text))
        source = Drawn(0, shape, "shape", record.id)
        shape_x = x + text_width(name, size)
        self.add(canvas.label(shape, shape_x, y, size, theme.muted, align=0, source=source))
        if badge:
            self.add(Badge(canvas, record, *at))


class Name(VGroup):
    """The name of a tensor beside others: on film with its shape; cut where there is no room."""

    def __init__(self, canvas: Canvas, named: Named, spot: Spot) -> None:
        super().__init__()
        artboard, theme, record = canvas.artboard, canvas.theme, named.record
        shape = shape_text(record) if artboard.code is not None and not named.alone else ""
        name = named.name or ""
        whole = f"{name} {shape}".strip()
        if not whole:
            return
        size = max(artboard.floor, min(artboard.type_title, spot.width / text_width(whole, 1)))
        if shape and name and text_width(whole, size) > spot.width:
            shape, whole = "", name
            size = max(artboard.floor, min(artboard.type_title, spot.width / text_width(whole, 1)))
        room = max(2, int(spot.width / text_width("m", size) + 0.01))
        if columns(whole) > room:
            name = whole = cut(whole, room)
            shape = ""
        x = spot.x - spot.align * text_width(whole, size)
        x = min(max(x, artboard.margin), artboard.width - artboard.margin - text_width(whole, size))
        if name:
            self.add(name_label(canvas, named, name, x, spot.y, size, theme.text))
        if shape:
            x += text_width(name + " " if name else "", size)
            source = Drawn(0, shape, "shape", record.id)
            self.add(canvas.label(shape, x, spot.y, size, theme.muted, align=0, source=source))


class Names(VGroup):
    """The names of tensors in a row that ends at ``x``, with commas between: ``x, v``; where there
    is no room for all, an ellipsis stands for the last ones."""

    def __init__(self, canvas: Canvas, named: Sequence[Named], x: float, y: float) -> None:
        super().__init__()
        artboard, theme = canvas.artboard, canvas.theme
        names, room = [each.name or "" for each in named], x - artboard.margin
        size = artboard.type_chip
        if text_width(", ".join(names), size) > room:
            size = artboard.floor
        fits, rest = max(2, int(room / text_width("m", size) + 0.01)), ""
        while len(names) > 1 and columns(", ".join(names) + rest) > fits:
            names, rest = names[:-1], ", …"
        names = [cut(name, max(2, fits - columns(rest))) for name in names]
        x -= text_width(", ".join(names) + rest, size)
        for index, (each, name) in enumerate(zip(named, names, strict=False)):
            if index:
                x = self._sign(canvas, ", ", x, y, size)
            self.add(name_label(canvas, each, name, x, y, size, theme.text))
            x += text_width(name, size)
        if rest:
            self._sign(canvas, rest, x, y, size)

    def _sign(self, canvas: Canvas, text: str, x: float, y: float, size: float) -> float:
        source, color = Drawn(0, text.strip(), "sign"), canvas.theme.muted
        self.add(canvas.label(text.strip(), x, y, size, color, align=0, source=source))
        return x + text_width(text, size)
