"""A badge says of what kind a tensor is: dtype, device, and whether it wants a gradient."""

from __future__ import annotations

from manim import VGroup

from torchreel.records import Drawn, TensorRecord
from torchreel.stage.artboard import Artboard
from torchreel.stage.canvas import Canvas
from torchreel.stage.layout import Margins, Placement, bracket_room
from torchreel.stage.text import text_width

Kind = tuple[str, str, bool]

_PAD = 12
_PLAIN = ("int64", "float32")
_BETWEEN = " · "
_BESIDE, _ABOVE = 44, 34


def kind_of(record: TensorRecord) -> Kind:
    """Return what a badge tells of a tensor."""
    return record.dtype, record.device, record.requires_grad


def is_plain(record: TensorRecord) -> bool:
    """Tell whether a tensor is of the kind that a newcomer meets first, and needs no badge."""
    return record.dtype in _PLAIN and record.device == "cpu" and not record.requires_grad


class Badge(VGroup):
    """``float32 · cpu · requires_grad`` in a box, from its left end and its middle in pixels."""

    def __init__(self, canvas: Canvas, record: TensorRecord, x: float, y: float) -> None:
        artboard, theme = canvas.artboard, canvas.theme
        size, height = artboard.type_op, artboard.type_op + artboard.px(22)
        super().__init__(
            canvas.rectangle(
                x,
                y - height / 2,
                badge_width(record, artboard),
                height,
                radius=artboard.px(8),
                fill=theme.surface,
                line=theme.param if record.requires_grad else theme.muted,
                stroke=artboard.px(2.5),
            )
        )
        x += artboard.px(_PAD)
        for index, source in enumerate(_parts(record)):
            if index:
                middle = x + text_width(_BETWEEN, size) / 2
                r = 0.07 * size
                self.add(
                    canvas.rectangle(middle - r, y - r, 2 * r, 2 * r, radius=r, fill=theme.muted)
                )
                x += text_width(_BETWEEN, size)
            color = theme.param if source.source == "requires_grad" else theme.muted
            self.add(
                canvas.label(
                    source.text, x, y, size, color, weight="Medium", align=0, source=source
                )
            )
            x += text_width(source.text, size)


def badge_width(record: TensorRecord, artboard: Artboard) -> float:
    """Return how wide a tensor's badge is, in pixels."""
    text = _BETWEEN.join(part.text for part in _parts(record))
    return text_width(text, artboard.type_op) + 2 * artboard.px(_PAD)


def badge_beside(
    canvas: Canvas, record: TensorRecord, placement: Placement, room: Margins
) -> Badge | None:
    """Return a badge to the right of a lone block, or above it and its brackets, both beyond the
    ``room`` (left, top, right, bottom in pixels) that is kept free; None where it does not fit."""
    artboard = canvas.artboard
    left, top, right, bottom = placement.pose.box
    width, height = badge_width(record, artboard), artboard.type_op + artboard.px(22)
    x = right + room[2] + artboard.px(_BESIDE)
    if x + width <= artboard.stage.right:
        return Badge(canvas, record, x, (top + bottom) / 2)
    above = any(line.out[1] < 0 for line in placement.brackets)
    label = bracket_room(artboard) if above else 0.0
    y = top - label - room[1] - artboard.px(_ABOVE) - height / 2
    if y - height / 2 < artboard.stage.y or width > artboard.stage.width:
        return None
    middle = (left + right - width) / 2
    x = min(max(middle, artboard.stage.x), artboard.stage.right - width)
    return Badge(canvas, record, x, y)


def _parts(record: TensorRecord) -> list[Drawn]:
    parts = [
        Drawn(0, record.dtype, "dtype", record.id),
        Drawn(0, record.device, "device", record.id),
    ]
    if record.requires_grad:
        parts.append(Drawn(0, "requires_grad", "requires_grad", record.id))
    return parts
