"""What a product of matrices asks of their shapes: the inner sizes agree, and vanish."""

from __future__ import annotations

from dataclasses import replace

from manim import VGroup

from torchreel.records import Drawn, TensorRecord
from torchreel.stage.artboard import Zone
from torchreel.stage.block import TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas
from torchreel.stage.layout import BracketLine
from torchreel.stage.seen import is_turned, own, own_dim
from torchreel.stage.text import text_width

_AWAY, _BESIDE = 18.0, 80.0
_LINE, _LEAST = 1.7, 110.0

Word = tuple[str, Drawn | None, bool]
"""A text, the fact that it is (None: a sign), and whether it is lit."""


class Agreement(VGroup):
    """Lit brackets along the inner axis of two blocks, and ``(2, 3) @ (3, 4)`` over ``(2, 4)``.

    The first block stands left of the result, the second above it; ``zone`` is the corner that
    they leave free. Where there is no room for the shapes or the brackets, they are left out.
    """

    def __init__(
        self,
        canvas: Canvas,
        left: TensorBlock,
        above: TensorBlock,
        made: TensorRecord,
        zone: Zone,
    ) -> None:
        super().__init__()
        self.canvas = canvas
        board = canvas.artboard
        away, inner = board.px(_AWAY), max(-2, -len(above.record.shape))
        x0, _, x1, _ = left.pose.front
        y = left.pose.box[1] - away
        across = BracketLine(len(left.record.shape) - 1, (x0, y), (x1, y), (0, -1))
        x, y0, _, y1 = above.pose.front
        down = BracketLine(len(above.record.shape) + inner, (x - away, y0), (x - away, y1), (-1, 0))
        if min(x1 - x0, y1 - y0) > board.px(_LEAST):
            for side, record in ((across, left.record), (down, above.record)):
                along = replace(side, dim=own_dim(record, side.dim))
                self.add(Bracket(canvas, along, own(record), lit=True))
        sign: Word = ("@", None, False)
        lines = [
            [*_shape(left.record, -1), sign, *_shape(above.record, inner)],
            _shape(made, None),
        ]
        room = zone.inset(right=board.px(_BESIDE), bottom=board.px(_BESIDE) + away)
        widest = max(sum(len(text) for text, _, _ in line) + 2 for line in lines)
        size = min(board.type_size, room.width / text_width("m" * widest, 1))
        if size < board.floor or room.height < 2 * _LINE * size:
            return
        for number, line in enumerate(lines):
            self._say(line, room.center_x, room.center_y + (number - 0.5) * _LINE * size, size)

    def _say(self, line: list[Word], middle: float, y: float, size: float) -> None:
        theme = self.canvas.theme
        texts = [f" {text} " if text == "@" else text for text, _, _ in line]
        x = middle - text_width("".join(texts), size) / 2
        for (text, fact, is_lit), spaced in zip(line, texts, strict=True):
            source = fact or Drawn(0, text.strip(), "sign")
            color = theme.focus if is_lit else theme.muted if fact is None else theme.text
            lead = text_width(spaced, size) - text_width(spaced.lstrip(), size)
            if text.strip():
                self.add(
                    self.canvas.label(
                        text.strip(), x + lead, y, size, color, align=0, source=source
                    )
                )
            x += text_width(spaced, size)


def _shape(record: TensorRecord, lit: int | None) -> list[Word]:
    """Return the words of a shape, of a batch the whole one, with one of its sizes lit, counted
    from the last."""
    record = record if is_turned(record) else own(record)
    rank = len(record.shape)
    words: list[Word] = [("(", None, False)]
    for dim, each in enumerate(record.shape):
        fact = Drawn(0, str(each), "size", record.id, (own_dim(record, dim),))
        words.append((str(each), fact, lit is not None and dim == rank + lit))
        words.append((", " if dim < rank - 1 else ",)" if rank == 1 else ")", None, False))
    return words if rank else [("()", None, False)]
