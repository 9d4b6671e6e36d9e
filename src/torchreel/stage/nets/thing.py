"""What a tensor or a model looks like as one thing: a picture, or its weights in funnels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from manim import VGroup, VMobject

from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, paint
from torchreel.stage.colors import Color, mix
from torchreel.stage.nets.arrangement import Part, Slot, tall
from torchreel.stage.nets.dots import dots_of
from torchreel.stage.nets.funnel import Funnel, module_label, weight_label
from torchreel.stage.nets.handover import Identified
from torchreel.stage.nets.sample import Floats, sample_of, weight_of
from torchreel.stage.nets.shades import boxed, ink, limit_of, paper_of, shade
from torchreel.stage.picture import Picture
from torchreel.stage.text import text_width

_WEIGHTS = 3
_DOTS = 0.07
"""Width of the dots for weights that are left out, as a share of the model's."""
_SHEETS = 3
_BLOCK = 0.08
"""Width of a block without parameters, as a share of the model's."""


class Thing(Identified):
    """A tensor or a model, with its name below; ``zone`` is the rectangle around its picture."""

    def __init__(self, canvas: Canvas, zone: Zone, label: Drawn, color: Color) -> None:
        self.canvas, self.zone = canvas, zone
        super().__init__()
        size = min(canvas.artboard.type_chip, zone.width * 1.3 / text_width(label.text, 1.0))
        size = max(size, canvas.artboard.floor)
        y = zone.bottom + size * 1.05
        self.label = canvas.label(label.text, zone.center_x, y, size, color, source=label)

    def empty(self, share: float) -> None:
        """Let the numbers fade, all of them at ``share`` 1."""
        for part in self.get_family():
            if isinstance(part, Picture):
                part.thin(share)

    def outline(self) -> VGroup:
        """Return the empty outline that stays where it was."""
        zone, px = self.zone, self.canvas.artboard.px
        line = self.canvas.theme.line
        return VGroup(
            self.canvas.rectangle(
                zone.x, zone.y, zone.width, zone.height, radius=px(8), line=line, stroke=px(3)
            )
        )


class TensorThing(Thing):
    """The first sample of a tensor, as a picture or a small texture; sheets behind it for more.

    ``values`` is the record whose numbers it shows (a tensor on ``meta`` has none of its own).
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, zone: Zone, label: Drawn, values: int | None
    ) -> None:
        super().__init__(canvas, zone, label, canvas.theme.text)
        theme, px = canvas.theme, canvas.artboard.px
        record = trace.tensor(label.tensor if label.tensor is not None else 0)
        sheets = min(_SHEETS, record.shape[0]) if len(record.shape) > 1 else 1
        step = px(14)
        self._sheets = VGroup()
        side = min(zone.width, zone.height) - step * (sheets - 1)
        x = zone.center_x - (side + step * (sheets - 1)) / 2
        y = zone.center_y + (side + step * (sheets - 1)) / 2 - side
        for place in reversed(range(sheets)):
            box = (x + place * step, y - place * step, side, side)
            self._sheets.add(canvas.rectangle(*box, radius=px(3), line=theme.muted, stroke=px(3)))
        self.add(self._sheets)
        self._colour(0.0 if values is not None else 1.0)
        front = Zone(x, y, side, side).inset(px(3), px(3), px(3), px(3))
        if values is not None:
            self.add(*self._pixels(trace, values, front))
        self.add(self.label)

    def empty(self, share: float) -> None:
        """Let the numbers fade, and the paper that they stand on."""
        super().empty(share)
        self._colour(share)

    def _colour(self, share: float) -> None:
        theme, stroke = self.canvas.theme, self.canvas.stroke(self.canvas.artboard.px(3))
        fill = mix(paper_of(theme), theme.bg, share)
        for sheet in self._sheets:
            paint(sheet, fill, theme.muted, stroke)

    def _pixels(self, trace: Trace, values: int, front: Zone) -> list[Picture]:
        sample = sample_of(trace, values)
        pixels = sample.picture
        theme = self.canvas.theme
        if pixels is not None:
            reduced = boxed(pixels, front.height, front.width)
            return [Picture(self.canvas, ink(reduced, theme), front)]
        matrix: Floats | None = sample.column
        if matrix is None or not matrix.size:
            return []
        reduced = boxed(matrix, front.height, front.width)
        return [Picture(self.canvas, shade(reduced, limit_of(matrix), theme), front)]


class ModelThing(Thing):
    """A model as the funnels of its weights; ``weights`` are the records shown.

    Of many weights the first ones and the last one are shown, with dots between. A block between
    two funnels stands for what has no parameters between these modules.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, zone: Zone, label: Drawn, weights: list[int]
    ) -> None:
        super().__init__(canvas, zone, label, canvas.theme.param)
        self.trace, self.funnels = trace, list[Funnel]()
        many = len(weights) > _WEIGHTS
        shown = self.weights = [*weights[: _WEIGHTS - 1], weights[-1]] if many else weights
        root = label.module if label.module is not None else 0
        between = [_without_parameters(trace, root, *pair) for pair in pairwise(shown)]
        block, dots = zone.width * _BLOCK, zone.width * _DOTS * many
        if many:
            between[-1] = False  # the dots stand there
        width = (zone.width - block * sum(between) - dots) / len(shown)
        shapes = [trace.tensor(each).shape for each in shown]
        most = max(size for shape in shapes for size in shape[:2])
        x = zone.x
        for place, (tensor, shape) in enumerate(zip(shown, shapes, strict=True)):
            if many and place == len(shown) - 1:
                self.add(dots_of(canvas, x + dots / 2, zone.center_y))
                x += dots
            ends = (shape[1] if len(shape) > 1 else shape[0], shape[0])
            heights = [tall(each, most, zone.height) for each in ends]
            slot = Slot(
                Part("funnel", place, ends),
                x,
                width,
                zone.center_y,
                heights[0],
                heights[1],
            )
            kernels = len(shape) == 4
            funnel = Funnel(canvas, slot, weight_of(trace, tensor), kernels=kernels)
            self.know(("weight", trace.tensor(tensor).name), funnel)
            self.funnels.append(funnel)
            x += width
            if place < len(between) and between[place]:
                self.add(self._block(x, block, heights[1]))
                x += block
        self.add(self.label)

    def _block(self, x: float, width: float, height: float) -> VMobject:
        theme, px = self.canvas.theme, self.canvas.artboard.px
        box = (x, self.zone.center_y - 0.35 * height, width, 0.7 * height)
        return self.canvas.rectangle(
            *box, radius=px(6), fill=theme.surface2, line=theme.muted, stroke=px(3)
        )

    def tell(self, modules: Mapping[int, int]) -> None:
        """Write the name of each module over its weight, and the weight's sizes below it.

        ``modules`` are the modules by their weights' records.
        """
        size = self.canvas.artboard.type_chip
        for funnel, tensor in zip(self.funnels, self.weights, strict=True):
            record, slot = self.trace.tensor(tensor), funnel.slot
            path = self.trace.modules[modules[tensor]].path.split(".")[-1]
            if path and text_width(path, size) < slot.width:
                y = slot.top_over(text_width(path, size)) - size * 0.8
                name = module_label(self.canvas, path, modules[tensor], slot.center_x, y, size)
                self.know(("name", path), name)
            below = weight_label(self.canvas, record, slot.center_x, self.zone.bottom + size * 0.9)
            if below.width < slot.width * self.canvas.artboard.unit:
                self.add(below)
        self.label.shift(np.array([0.0, -1.5 * size * self.canvas.artboard.unit, 0.0]))

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of the rows of every weight."""
        for funnel in self.funnels:
            funnel.reveal(share)


def _without_parameters(trace: Trace, root: int, first: int, second: int) -> bool:
    """Tell whether a module without parameters and without children is registered in a tree between
    those of two parameters; their names say which modules they are of."""
    roots = (each.number for each in trace.modules[root + 1 :] if each.parent is None)
    tree = trace.modules[root : next(roots, None)]
    paths = [trace.tensor(each).name.rpartition(".")[0] for each in (first, second)]
    ends = [each.number for path in paths for each in tree if each.path == path]
    parents = {each.parent for each in tree}
    return len(ends) == len(paths) and any(
        not each.parameters and each.number not in parents and ends[0] < each.number < ends[1]
        for each in tree
    )
