"""A call on a board: arrows from its input through the model to the result's first sample."""

from __future__ import annotations

from manim import Group, VGroup

from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.sample import Floats, Sample
from torchreel.stage.nets.shades import boxed, limit_of, shade
from torchreel.stage.picture import Picture

CELLS = 16
"""The most features that are drawn as cells; more are a picture."""

_CELL = 26.0
_GAP = 7.0
_STROKE = 4.0


class Flow(Group):
    """What a call of a model did on the board where model and input are.

    ``model`` and ``source`` are the rectangles of the pictures of the model and of the tensor that
    went into it (None: no picture of it is on the board), ``zone`` is where the result stands, the
    tick at its foot.
    """

    def __init__(
        self, canvas: Canvas, model: Zone, source: Zone | None, zone: Zone, result: Sample
    ) -> None:
        self.canvas = canvas
        px, self.y, self.most = canvas.artboard.px, model.center_y, model.height * 0.9
        self.into = VGroup()
        if source is not None:
            self.into.add(self._arrow(source.right, model.x))
        self.result = self._result(zone, result)
        self.out = Group(self._arrow(model.right, zone.x), self.result)
        x, y = zone.right - px(24), zone.bottom - px(6)
        corners = [(x - px(20), y - px(8)), (x - px(6), y + px(6)), (x + px(22), y - px(24))]
        self.tick = canvas.path(corners, canvas.theme.cuda, px(9))
        super().__init__(self.into, self.out, self.tick)

    def _arrow(self, left: float, right: float) -> VGroup:
        px = self.canvas.artboard.px
        start, end = (left + px(_GAP), self.y), (right - px(_GAP), self.y)
        return self.canvas.arrow(start, end, self.canvas.theme.text, px(_STROKE))

    def _result(self, zone: Zone, result: Sample) -> Group:
        """Return the features of the result, one below the other; empty where torch has none."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        column = result.column
        count = result.features if column is None else len(column)
        height = min(self.most, px(_CELL) * count)
        box = Zone(zone.x, self.y - height / 2, zone.width, height)
        if count <= CELLS and (column is None or column.shape[1] == 1):
            return Group(*self._cells(box, count, column))
        frame = canvas.rectangle(box.x, box.y, box.width, height, line=theme.muted, stroke=px(3))
        if column is None or not column.size:
            return Group(frame)
        colors = shade(boxed(column, height, box.width), limit_of(column), theme)
        return Group(Picture(canvas, colors, box), frame)

    def _cells(self, box: Zone, count: int, column: Floats | None) -> VGroup:
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        fills = None if column is None else shade(column[:, 0], limit_of(column), theme)
        pitch, inset = box.height / max(1, count), px(1.5)
        cells = VGroup()
        for place in range(count):
            fill = theme.surface if fills is None else fills[place]
            line, stroke = (theme.line, px(2)) if fills is None else (None, 0.0)
            y, height = box.y + place * pitch + inset, pitch - 2 * inset
            cells.add(
                canvas.rectangle(box.x, y, box.width, height, fill=fill, line=line, stroke=stroke)
            )
        return cells
