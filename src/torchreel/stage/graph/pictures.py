"""The bodies of the graph's nodes: cells, slabs, ops, and the capsules of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from manim import VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn, TensorRecord, Trace
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import Color, ink_on, mix, signed
from torchreel.stage.graph.diagram import Node
from torchreel.stage.graph.part import Part
from torchreel.stage.graph.placement import (
    DIGIT_WIDTH,
    LINE_OF_TERM,
    Box,
    Placed,
    Rectangle,
    Sizes,
    Title,
    beside_capsule,
    capsule_of,
    gradient_height,
    lines_of,
    name_of_op,
    names_over,
    plate_width,
    term_width,
)
from torchreel.stage.layout import DEPTH_X, DEPTH_Y
from torchreel.stage.text import ADVANCE, text_width

_DIGIT_HEIGHT = 0.46
_TEXELS = 10
"""A slab's picture has at most so many rows and columns."""


class Pictures:
    """Draws the nodes of one graph, in the measures and colours of its canvas."""

    def __init__(self, canvas: Canvas, trace: Trace, sizes: Sizes, limit: float) -> None:
        self._canvas, self._trace, self._sizes, self._limit = canvas, trace, sizes, limit
        self._theme, self._artboard = canvas.theme, canvas.artboard
        self._beside: list[Rectangle] = []

    def element(self, node: Node, box: Box, fill: Color | None) -> Part:
        """Return one element as a cell with its number; no fill: coloured by its value."""
        assert node.tensor is not None
        if fill is None:
            fill = self._signed(float(self._trace.values[node.tensor][node.index]))
        texts, size = self._texts(node.tensor, box.width, box.height)
        parts = [*self._solid(box, fill), *self._front(box, fill), *self._frame(node, box)]
        if texts is not None:
            text = texts[self._flat(node)]
            source = Drawn(0, text, "value", node.tensor, node.index)
            ink = ink_on(fill, self._theme)
            parts.append(self._canvas.label(text, box.x, box.y, size, ink, source=source))
        return Part(*parts)

    def tensor(self, node: Node, box: Box, fills: Sequence[Color] | None = None) -> Part:
        """Return a tensor as one block: cells, with digits where they fit, or its texture.

        No ``fills``: coloured by the values.
        """
        assert node.tensor is not None
        record = self._trace.tensor(node.tensor)
        values = self._values(record)
        base = mix(self._theme.surface2, self._theme.muted, 0.25)
        parts = self._solid(box, base)
        parts += self._grid(record, values, box, self._signed, fills)
        return Part(*parts, *self._frame(node, box))

    def op(self, node: Node, box: Box) -> tuple[Part, list[VMobject]]:
        """Return the node of an op with its symbols (down, then to the right), and these."""
        theme, px, size = self._theme, self._artboard.px, self._sizes.symbol
        radius = min(box.height, box.width) / 2 if len(node.text) == 1 else px(18)
        body = self._canvas.rectangle(
            box.x - box.width / 2,
            box.y - box.height / 2,
            box.width,
            box.height,
            radius=radius if node.module is None else px(12),
            fill=theme.surface2,
            line=theme.muted,
            stroke=px(3),
        )
        labels: list[VMobject] = []
        rows, columns = box.grid
        inner = box.width - self._sizes.around * size
        for place, text in enumerate(lines_of(node, self._artboard)):
            column, row = divmod(place, rows)
            x = box.x + (column - (columns - 1) / 2) * (inner + size) / columns
            y = box.y + (row - (rows - 1) / 2) * 1.2 * size
            labels.append(
                self._canvas.label(text, x, y, size, theme.text, source=_told(node, place, text))
            )
        return Part(body, *labels, *self._frame(node, box)), labels

    def title(self, node: Node, title: Title) -> Part:
        """Return a tensor's name above its block."""
        color = self._theme.param if node.parameter else self._theme.text
        source = Drawn(0, title.text, "name", node.tensor)
        return Part(
            self._canvas.label(title.text, title.x, title.y, title.size, color, source=source)
        )

    def names_over(self, node: Node, box: Box) -> Part | None:
        """Return over an op the names of what it made and that is not drawn; None where there is
        none, or none that fits."""
        if not box.names:
            return None
        size, left = name_of_op(self._sizes), box.x - box.names / 2
        y, labels = box.top - 0.68 * size, []
        for text, tensor, width in names_over(node, self._sizes):
            left += width
            source = Drawn(0, text, "sign" if tensor is None else "name", tensor)
            x = left - text_width(text, size) / 2
            labels.append(self._canvas.label(text, x, y, size, self._theme.text, source=source))
        return Part(*labels)

    def capsule(self, node: Node, box: Box, gradient: int, room: float) -> Part:
        """Return the gradient of a node: a capsule under an element, a block under a tensor.

        An outline is a gradient that passes, a solid one is kept in ``.grad``.
        """
        if node.kind == "element":
            return self._scalar(node, box, gradient, room)
        if node.kind == "op":
            return self._within(box)
        return self._gradient(node, box, gradient)

    def terms(self, node: Node, box: Box, room: float) -> list[Part]:
        """Return what adds up to a node's gradient, over its place, a part for each: numbers below
        each other on a plate, of a tensor blocks side by side; none where they cannot be written.
        """
        if node.kind == "element":
            return self._lines_of_terms(node, box, room)
        if not box.terms:
            return []
        sizes, made = self._sizes, []
        width = term_width(node, box.width, sizes)
        scale, floor = width / box.width, self._artboard.floor
        height = box.terms - sizes.below - 2 * self._artboard.px(6) * scale
        y = box.under - (box.terms - sizes.below) / 2
        x = box.x - box.width / 2 + width / 2
        for place, each in enumerate(node.brought):
            small = Box(x, y, width, height, 0, 0, 0, 0, box.unit * scale, box.grid)
            plus = [self._plus(x - (width + floor) / 2, y, floor)] if place else []
            made.append(Part(*self._framed(each, small, kept=False, total=node.gradient), *plus))
            x += width + floor
        return made

    def _lines_of_terms(self, node: Node, box: Box, room: float) -> list[Part]:
        sizes, size, px = self._sizes, self._sizes.read, self._artboard.px
        sign, pad = text_width("+ ", size), 0.3 * size
        most = int((max(room, box.plate) - sign - 2 * pad) / (ADVANCE * size) + 1e-6)
        written = [self._written(each, most) for each in node.brought]
        texts = [each[self._flat(node)] for each in written if each is not None]
        if len(texts) < len(node.brought):
            return []
        widest = max(text_width(text, size) for text in texts)
        width = plate_width(texts, sizes)
        top, height = box.bottom + sizes.below, box.terms - sizes.below
        fill, line, ink = self._roles(kept=False)
        plate = self._canvas.rectangle(
            box.x - width / 2, top, width, height, radius=px(14), fill=fill, line=line,
            stroke=px(4),
        )  # fmt: skip
        left = box.x - (sign + widest) / 2
        made: list[Part] = []
        for place, (each, text) in enumerate(zip(node.brought, texts, strict=True)):
            y = top + (0.2 + LINE_OF_TERM * (place + 0.5)) * size
            x = left + sign + widest - text_width(text, size)
            source = Drawn(0, text, "value", each, node.index)
            label = self._canvas.label(text, x, y, size, ink, align=0, source=source)
            plus = self._plus(left + text_width("+", size) / 2, y, size)
            made.append(Part(label, plus) if place else Part(plate, label))
        return made

    def _plus(self, x: float, y: float, size: float) -> VMobject:
        color, source = self._theme.grad, Drawn(0, "+", "sign")
        return self._canvas.label("+", x, y, size, color, source=source)

    def _within(self, box: Box) -> Part:
        """Return the capsule of the gradients that the parameters in a folded module keep."""
        height = 0.6 * self._sizes.capsule
        width = 0.6 * self._sizes.cell
        y = box.bottom + self._sizes.below
        fill, line, _ = self._roles(kept=True)
        return Part(
            self._canvas.rectangle(
                box.x - width / 2, y, width, height, radius=height / 2, fill=fill, line=line,
                stroke=self._artboard.px(4),
            )
        )  # fmt: skip

    def capsule_name(self, placed: Placed, number: int, gradient: int, room: float) -> Part | None:
        """Return what stands beside the capsule of an element's gradient, if there is room for it:
        ``x.grad`` where it is kept, the name of one that the pass returns, ``hook`` where one
        changed it."""
        node, board = placed.diagram.nodes[number], self._artboard
        kept = f"{node.name}.grad" if node.kept and node.name else ""
        text = "hook" if node.hooked else kept or node.asked
        if node.kind != "element" or not text:
            return None
        size = min(self._sizes.read, 1.25 * board.floor)
        width, _ = self._scalar_width(node, gradient, room)
        extent = (text_width(text, size), size)
        capsule = width, self._sizes.capsule
        place = beside_capsule(placed, number, capsule, extent, self._beside)
        if place is None:
            return None
        x, y = place
        half, high = extent[0] / 2 + 0.3 * size, extent[1] / 2
        self._beside.append((x - half, y - high, x + half, y + high))
        named = Drawn(0, text, "name", gradient if node.asked else node.tensor)
        source = Drawn(0, text, "sign") if node.hooked else named
        return Part(self._canvas.label(text, *place, size, self._theme.grad, source=source))

    def _scalar_width(self, node: Node, gradient: int, room: float) -> tuple[float, str | None]:
        most = int((room - 0.7 * self._sizes.capsule) / (ADVANCE * self._sizes.read))
        values = self._trace.values.get(gradient)
        if values is None:
            return 1.1 * self._sizes.cell, None
        return capsule_of(values, node.index, self._sizes, most)

    def _scalar(self, node: Node, box: Box, gradient: int, room: float) -> Part:
        size, px = self._sizes.read, self._artboard.px
        height = self._sizes.capsule
        width, text = self._scalar_width(node, gradient, room)
        y = box.under + self._sizes.below
        fill, line, ink = self._roles(kept=node.kept)
        body = self._canvas.rectangle(
            box.x - width / 2, y, width, height, radius=height / 2, fill=fill, line=line,
            stroke=px(4),
        )  # fmt: skip
        if text is None:
            return Part(body)
        source = Drawn(0, text, "value", gradient, node.index)
        label = self._canvas.label(text, box.x, y + height / 2, size, ink, source=source)
        return Part(body, label)

    def _gradient(self, node: Node, box: Box, gradient: int) -> Part:
        outer = gradient_height(box.height, box.unit, self._sizes)
        inner = outer - 2 * self._artboard.px(6)
        y = box.under + self._sizes.below + outer / 2
        unit = box.unit * inner / box.height
        body = Box(box.x, y, box.width, inner, 0, 0, 0, 0, unit, box.grid)
        return self.gradient(gradient, body, kept=node.kept)

    def gradient(self, gradient: int, box: Box, *, kept: bool, total: int | None = None) -> Part:
        """Return a gradient as a framed block, its cells the darker the nearer to zero; where it is
        part of a ``total``, on the scale of that."""
        return Part(*self._framed(gradient, box, kept=kept, total=total))

    def _framed(
        self, gradient: int, box: Box, *, kept: bool, total: int | None = None
    ) -> list[VMobject]:
        px, theme = self._artboard.px, self._theme
        record, frame = self._trace.tensor(gradient), px(6)
        plate = self._canvas.rectangle(
            box.x - box.width / 2 - frame,
            box.y - box.height / 2 - frame,
            box.width + 2 * frame,
            box.height + 2 * frame,
            radius=px(10),
            fill=theme.grad if kept else theme.bg,
            line=theme.grad,
            stroke=px(4),
        )
        values = self._values(record)
        most = self._most(gradient if total is None else total)

        def color(value: float) -> Color:
            strength = min(1.0, abs(value) / most) ** 0.8 if np.isfinite(value) else 0.0
            return mix(theme.surface, theme.grad, 0.08 + 0.72 * strength)

        return [plate, *self._grid(record, values, box, color)]

    def _most(self, gradient: int) -> float:
        """Return the largest size of a gradient's values, 1 where all are zero."""
        values = self._values(self._trace.tensor(gradient))
        finite = np.abs(values[np.isfinite(values)]) if values is not None else np.zeros(0)
        return float(finite.max()) if finite.size and finite.max() > 0 else 1.0

    def emptied(self, node: Node, box: Box, step: int) -> Part:
        """Return the empty capsule, or block, of a ``.grad`` that is None since a step."""
        width, height = box.width, gradient_height(box.height, box.unit, self._sizes)
        if node.kind == "element":
            width, height = 1.1 * self._sizes.cell, self._sizes.capsule
        y = box.under + self._sizes.below + height / 2
        return self.nothing(Box(box.x, y, width, height, 0, 0, 0, 0), step, node.tensor)

    def nothing(self, box: Box, step: int, tensor: int | None) -> Part:
        """Return the empty place of the ``.grad`` of a tensor that is None since a step."""
        theme, px = self._theme, self._artboard.px
        slot = self._canvas.rectangle(
            box.x - box.width / 2,
            box.y - box.height / 2,
            box.width,
            box.height,
            radius=min(px(10), box.height / 2) if box.height > box.width / 2 else box.height / 2,
            fill=theme.surface,
            line=theme.line,
            stroke=px(3),
        )
        source = Drawn(0, "None", "plain", tensor, step=step)
        size = min(self._sizes.read, max(self._artboard.floor, box.width * 0.8 / (4 * ADVANCE)))
        return Part(
            slot, self._canvas.label("None", box.x, box.y, size, theme.muted, source=source)
        )

    # Pieces.

    def _solid(self, box: Box, fill: Color) -> list[VMobject]:
        """Return the top and the right face of a block."""
        left, top = box.x - box.width / 2, box.y - box.height / 2
        right, bottom = left + box.width, top + box.height
        dx, dy = DEPTH_X * box.depth, DEPTH_Y * box.depth
        theme = self._theme
        faces = (
            (
                mix(fill, theme.side, theme.side_shade),
                [(right, top), (right + dx, top + dy), (right + dx, bottom + dy), (right, bottom)],
            ),
            (
                mix(fill, theme.top, theme.top_light),
                [(left, top), (left + dx, top + dy), (right + dx, top + dy), (right, top)],
            ),
        )
        return [self._polygon(corners, color) for color, corners in faces]

    def _front(self, box: Box, fill: Color) -> list[VMobject]:
        left, top = box.x - box.width / 2, box.y - box.height / 2
        return [self._cell(left, top, box.width, box.height, fill)]

    def _cell(self, x: float, y: float, width: float, height: float, fill: Color) -> VMobject:
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        return self._polygon(corners, fill)

    def _polygon(self, corners: Sequence[tuple[float, float]], fill: Color) -> VMobject:
        width = self._artboard.px(2.5)
        closed = np.array([*corners, corners[0]], dtype=float)
        return self._canvas.shape(polyline(closed), fill, self._theme.bg, width)

    def _frame(self, node: Node, box: Box) -> list[VMobject]:
        """Return the frame of what asks for a gradient: a corner pin, and a line around."""
        if not (node.parameter or (node.kind == "op" and node.kept)):
            return []
        theme, px = self._theme, self._artboard.px
        pad = box.pad
        left, top = box.x - box.width / 2 - pad, box.y - box.height / 2 - pad
        frame = self._canvas.rectangle(
            left, top, box.width + 2 * pad, box.height + 2 * pad, radius=px(10),
            line=theme.param, stroke=px(5),
        )  # fmt: skip
        pin = px(22)
        corner = [(left, top), (left + pin, top), (left, top + pin), (left, top)]
        return [frame, self._canvas.shape(polyline(np.array(corner)), theme.param)]

    def _grid(
        self,
        record: TensorRecord,
        values: NDArray[np.float64] | None,
        box: Box,
        color: Callable[[float], Color],
        fills: Sequence[Color] | None = None,
    ) -> list[VMobject]:
        """Return the front of a tensor's block: its cells, or the texture of many."""
        left, top = box.x - box.width / 2, box.y - box.height / 2
        if values is None:
            return [self._cell(left, top, box.width, box.height, self._theme.surface2)]
        digits = box.unit >= self._artboard.digits_from and record.id in self._trace.values
        shown = values if digits or box.unit else _shrunk(values)
        if shown.size == box.grid[0] * box.grid[1]:
            shown = shown.reshape(box.grid)
        rows, columns = shown.shape
        width, height = box.width / columns, box.height / rows
        texts, size = self._texts(record.id, width, height) if digits else (None, 0.0)
        parts: list[VMobject] = []
        for place, (i, j) in enumerate(np.ndindex(rows, columns)):
            fill = color(float(shown[i, j])) if fills is None else fills[place]
            x, y = left + j * width, top + i * height
            edge = self._theme.bg if min(width, height) > 20 else None
            line = 0.0 if edge is None else self._artboard.px(2)
            parts.append(self._canvas.rectangle(x, y, width, height, fill=fill, line=edge,
                                                stroke=line))  # fmt: skip
            if texts is not None:
                index = tuple(int(n) for n in np.unravel_index(place, record.shape))
                source = Drawn(0, texts[place], "value", record.id, index)
                ink = ink_on(fill, self._theme)
                middle = (x + width / 2, y + height / 2)
                parts.append(self._canvas.label(texts[place], *middle, size, ink, source=source))
        return parts

    def _roles(self, *, kept: bool) -> tuple[Color, Color, Color]:
        """Return fill, line and ink of a capsule."""
        theme = self._theme
        if kept:
            return theme.grad, theme.grad, ink_on(theme.grad, theme)
        return theme.grad_soft, theme.grad, mix(theme.grad, theme.text, 0.35)

    def _signed(self, value: float) -> Color:
        return signed(value, self._limit, self._theme.name)

    def _flat(self, node: Node) -> int:
        assert node.tensor is not None
        shape = self._trace.tensor(node.tensor).shape
        return int(np.ravel_multi_index(node.index, shape)) if shape else 0

    def _values(self, record: TensorRecord) -> NDArray[np.float64] | None:
        """Return a tensor's values, or its texture, as a table: leading dimensions as rows."""
        array = self._trace.values.get(record.id)
        if array is None and record.texture is not None:
            array = self._trace.arrays[record.texture]
        if array is None or not array.size or np.iscomplexobj(array):
            return None
        columns = array.shape[-1] if array.ndim else 1
        return array.astype(float).reshape(-1, columns)

    def _texts(self, tensor: int, width: float, height: float) -> tuple[list[str] | None, float]:
        """Return the digits of a tensor's cells of these sides, and their size."""
        artboard, side = self._artboard, min(width, height)
        texts = self._written(tensor, int(DIGIT_WIDTH * width / (ADVANCE * artboard.floor)))
        if texts is None:
            return None, 0.0
        longest = max(len(text) for text in texts)
        fitting = DIGIT_WIDTH * width / (ADVANCE * longest)
        wanted = max(artboard.floor, _DIGIT_HEIGHT * side)
        return texts, min(artboard.type_digit_max, wanted, fitting)

    def _written(self, tensor: int, chars: int) -> list[str] | None:
        values = self._trace.values.get(tensor)
        return None if values is None else numerals.write_all(values, chars)


def _told(node: Node, place: int, text: str) -> Drawn:
    """Return where the symbol at a place of an op's node comes from."""
    if node.module is not None:
        return Drawn(0, text, "module", module=node.module)
    step = node.steps[place] if place < len(node.steps) else None
    return Drawn(0, text, "symbol", step=step)


def _shrunk(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a table of at most ten rows and columns, each element the mean of a box."""
    for axis in (0, 1):
        parts = np.array_split(table, min(_TEXELS, table.shape[axis]), axis=axis)
        table = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    return table
