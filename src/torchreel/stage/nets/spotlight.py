"""One link of a chain, large: what goes in, the module, what comes out."""

from __future__ import annotations

import numpy as np
from manim import Mobject, VGroup, VMobject

from torchreel.records import Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, paint
from torchreel.stage.nets.arrangement import Part, Slot, arrange
from torchreel.stage.nets.cells import Cells
from torchreel.stage.nets.chain import (
    activation,
    funnel_of,
    gate_of,
    kind_of,
    portrait_parts,
    title_size,
)
from torchreel.stage.nets.column import Portrait
from torchreel.stage.nets.funnel import Funnel, module_label, weight_labels
from torchreel.stage.nets.handover import Identified
from torchreel.stage.nets.lens import Lens, window_of
from torchreel.stage.nets.links import INPUT, Chain
from torchreel.stage.nets.sample import sample_of
from torchreel.stage.nets.scores import are_scores
from torchreel.stage.text import text_width


class Spotlight(Identified):
    """The frame of one link at ``place`` in ``zone``; colours as in the overview (``limit``).

    A link without parameters shows a few features on both sides of its gate, with digits, where a
    sample is a column.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, chain: Chain, place: int, limit: float, zone: Zone
    ) -> None:
        self.canvas, self.trace, self.zone = canvas, trace, zone
        self.chain = chain
        self.link = chain.links[place]
        source = self.link.sources[0]
        tensor = chain.tensor_at(source)
        self.before, self.after = sample_of(trace, tensor), sample_of(trace, self.link.result)
        self.last = place == len(chain.links) - 1
        self.limit = limit
        self.at_start = source <= INPUT
        self.thread = VMobject()
        self.portrait: Portrait | None = None
        self.funnel: Funnel | None = None
        self.lens: Lens | None = None
        super().__init__()
        self.slots = arrange(self._parts(), zone, canvas.artboard)
        for slot in self.slots:
            self._draw(slot)
        size_y = max(slot.zone.bottom for slot in self.slots) + canvas.artboard.type_title * 1.05
        for each in (self.source, self.result):
            self.know(("size", each.sample.record.id), each.label(size_y, canvas.theme.text))
        if self.link.weight is not None:
            records = [trace.tensor(each) for each in (self.link.weight, *self.link.others)]
            x = self._slot("funnel").center_x
            label = weight_labels(canvas, records, x, size_y, 0.9 * self._between())
            if len(label):
                self.know(("sizes", records[0].name), label)
        self.add(self.thread)

    def reveal(self, share: float) -> None:
        """Show the first ``share`` of the result, and the row of the weight that makes the next."""
        self.result.reveal(share)
        if self.lens is not None:
            self.lens.reveal(share)
        if self.funnel is None or not self.funnel.rows:
            return
        self.funnel.light_row(share if 0 < share < 1 else None)
        if 0 < share < 1 and self.after.numbers is not None and self.after.numbers.ndim == 1:
            self._lay_thread(share)
        else:
            self.thread.points = np.zeros((0, 3))

    def _lay_thread(self, share: float) -> None:
        assert self.funnel is not None
        start = self.funnel.row_end(share)
        end = self._result_at(share)
        bend = (end[0] - start[0]) * 0.5
        curve = [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]
        self.thread.points = self.canvas.points(np.array(curve, dtype=float))
        width = self.canvas.stroke(self.canvas.artboard.px(3))
        paint(self.thread, None, self.canvas.theme.focus, width)

    def _result_at(self, share: float) -> tuple[float, float]:
        if isinstance(self.result, Cells):
            cells = self.result
            place = min(cells.count - 1, int(share * cells.count))
            return cells.cell_x - self.canvas.artboard.px(44), cells.top + cells.pitch * (
                place + 0.5
            )
        front = self.result.front
        return front.x, front.y + share * front.height

    def _parts(self) -> list[Part]:
        before, after = self.before, self.after
        parts = portrait_parts(before, wide=1.42) if self.at_start else []
        counts = (before.features, after.features)
        kind = kind_of(before, last=False)
        parts.append(Part(kind, 0, (counts[0], counts[0]), wide=1.4))
        if self.link.weight is not None:
            parts.append(Part("funnel", 1, counts, wide=1.75))
        elif window_of(before, after) is not None:
            parts.append(Part("lens", 1, counts))
        else:
            parts.append(Part("gate", 1, counts, wide=2.2, fixed=True))
        kind = kind_of(after, last=self.last and self.link.weight is not None)
        parts.append(Part(kind, 2, (counts[1], counts[1]), wide=1.15 if kind == "cells" else 1.4))
        return parts

    def _draw(self, slot: Slot) -> None:
        canvas, kind = self.canvas, slot.part.kind
        if kind == "picture":
            self.portrait = Portrait(canvas, slot.square, self.before)
            self.know(("picture", self.before.record.id), self.portrait)
        elif kind == "arrow":
            y, half = slot.center_y, slot.width * 0.4
            ends = ((slot.center_x - half, y), (slot.center_x + half, y))
            self.add(canvas.arrow(*ends, canvas.theme.text, canvas.artboard.px(4)))
        elif kind == "lens":
            self.lens = Lens(canvas, slot, self.link, self.before, self.after, self.limit)
            self.add(self.lens)
        elif kind == "gate":
            self.add(gate_of(canvas, slot, self.link, lit=True, radius=canvas.artboard.px(64)))
        elif kind == "funnel":
            funnel, name = self._funnel(slot)
            assert self.link.weight is not None
            self.know(("weight", self.trace.tensor(self.link.weight).name), funnel)
            self.know(("name", self.link.name), name)
        elif slot.part.place == 0:
            place = INPUT if self.at_start else 0
            self.source = activation(canvas, slot, self.before, self.limit, place=place)
            self.know(("values", self.before.record.id), self.source)
        else:
            scores = kind == "cells" and are_scores(self.trace, self.chain)
            self.result = activation(canvas, slot, self.after, self.limit, place=1, scores=scores)
            self.know(("values", self.after.record.id), self.result)

    def _funnel(self, slot: Slot) -> list[Mobject]:
        canvas, link = self.canvas, self.link
        assert link.module is not None
        self.funnel = funnel_of(canvas, slot, self.trace, link, lit=True)
        size = title_size(canvas, link.name, slot.width)
        top = slot.top_over(text_width(link.name, size))
        y = max(top - size * 0.7, self.zone.y + size * 0.5)
        name: VGroup = module_label(canvas, link.name, link.module, slot.center_x, y, size)
        return [self.funnel, name]

    def _slot(self, kind: str) -> Slot:
        return next(slot for slot in self.slots if slot.part.kind == kind)

    def _between(self) -> float:
        """Return the room in pixels between the sizes of what goes in and what comes out."""
        sides = [slot for slot in self.slots if slot.part.kind in ("column", "maps", "cells")]
        return sides[-1].x - sides[0].x - 1.6 * self.canvas.artboard.type_title
