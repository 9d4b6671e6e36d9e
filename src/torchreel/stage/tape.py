"""The memory tape: the storage as one flat row of slots, in storage order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn, Step, TensorRecord, Trace
from torchreel.stage import numerals
from torchreel.stage.canvas import Canvas, Label, paint
from torchreel.stage.colors import Color, ink_on, mix
from torchreel.stage.fills import Fills
from torchreel.stage.layout import drawable
from torchreel.stage.memory import whole_of_storage
from torchreel.stage.text import ADVANCE

_GAP = 3.0
_PAD = 8.0
_DIGIT_WIDTH = 0.82


class MemoryTape(VGroup):
    """The slots of one storage of up to 400 elements, filled as far as ``fill`` says.

    ``record`` is a tensor that covers the storage from its first element to its last, ``values``
    its elements in storage order.
    """

    def __init__(
        self,
        canvas: Canvas,
        record: TensorRecord,
        values: NDArray[np.generic] | None,
        fills: Sequence[Color],
    ) -> None:
        self.canvas = canvas
        self.record = record
        self.fills = fills
        zone, artboard = canvas.artboard.tape, canvas.artboard
        self.count = len(fills)
        self.slot = min(artboard.slot_max, zone.width / self.count)
        self.left = zone.center_x - self.slot * self.count / 2
        pad = artboard.px(_PAD)
        self.frame = canvas.rectangle(
            self.left - pad,
            zone.y - pad,
            self.slot * self.count + 2 * pad,
            zone.height + 2 * pad,
            radius=artboard.px(10),
            fill=canvas.theme.surface,
            line=canvas.theme.line,
            stroke=artboard.px(2.5),
        )
        self.gap = artboard.px(_GAP) if self.slot > 20 else 0.0
        self.cells = [self._cell(index) for index in range(self.count)]
        self.digits = self._digits(values)
        self.ring = VMobject()
        super().__init__(self.frame, *self.cells, *self.digits, self.ring)
        self.fill(np.ones(self.count))

    def top_of(self, index: int) -> tuple[float, float]:
        """Return the middle of a slot's upper edge, in pixels."""
        return self.left + (index + 0.5) * self.slot, self.canvas.artboard.tape.y

    def fill(self, arrived: NDArray[np.float64]) -> None:
        """Show each slot as far as its element has arrived (0 to 1)."""
        surface = self.canvas.theme.surface
        for index, share in enumerate(arrived):
            color = mix(surface, self.fills[index], float(share))
            paint(self.cells[index], color, None, 0)
            if self.digits:
                ink = ink_on(self.fills[index], self.canvas.theme)
                paint(self.digits[index], mix(color, ink, float(share)), None, 0)

    def outline(self, index: int | None) -> None:
        """Outline one slot, or none."""
        if index is None:
            self.ring.points = np.zeros((0, 3))
            return
        zone, artboard = self.canvas.artboard.tape, self.canvas.artboard
        width = artboard.px(4)
        ring = self.canvas.rectangle(
            self.left + index * self.slot,
            zone.y,
            self.slot,
            zone.height,
            radius=artboard.px(5),
            line=self.canvas.theme.text,
            stroke=width,
        )
        self.ring.points = ring.points
        paint(self.ring, None, self.canvas.theme.text, self.canvas.stroke(width))

    def _cell(self, index: int) -> VMobject:
        zone = self.canvas.artboard.tape
        return self.canvas.rectangle(
            self.left + index * self.slot + self.gap,
            zone.y,
            self.slot - 2 * self.gap,
            zone.height,
            fill=self.fills[index],
        )

    def _digits(self, values: NDArray[np.generic] | None) -> list[Label]:
        artboard, zone = self.canvas.artboard, self.canvas.artboard.tape
        chars = int(_DIGIT_WIDTH * self.slot / (ADVANCE * artboard.floor))
        texts = None if values is None else numerals.write_all(values, chars)
        if texts is None:
            return []
        longest = max(len(text) for text in texts)
        size = min(artboard.type_chip, _DIGIT_WIDTH * self.slot / (ADVANCE * longest))
        labels = []
        for index, text in enumerate(texts):
            place = tuple(int(i) for i in np.unravel_index(index, self.record.shape))
            labels.append(
                self.canvas.label(
                    text,
                    self.left + (index + 0.5) * self.slot,
                    zone.center_y,
                    size,
                    ink_on(self.fills[index], self.canvas.theme),
                    source=Drawn(0, text, "value", self.record.id, place),
                )
            )
        return labels


def tape_of(trace: Trace, views: Sequence[Step], canvas: Canvas, fills: Fills) -> MemoryTape | None:
    """Return the tape of the first storage that these steps look at; None where none fits."""
    # What a tape shows must stay true: memory that is written in this clip gets none.
    written = {
        trace.tensor(result).storage
        for step in trace.steps
        if step.written
        for result in step.results
    }
    for step in views:
        storage = trace.tensor(step.results[0]).storage
        record = None if storage in written else whole_of_storage(trace, storage)
        if record is not None and drawable((record.storage_size,)):
            colors = fills.colors(record, np.arange(record.numel))
            return MemoryTape(canvas, record, trace.values.get(record.id), list(colors))
    return None
