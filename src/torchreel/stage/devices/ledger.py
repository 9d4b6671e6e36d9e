"""What a device costs, in rows: the bytes that cross to it, and what is computed once they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from manim import FadeIn, FadeOut, Group, Scene, VGroup

from torchreel.records import Drawn, ModuleCall, Step, TensorRecord, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color, mix
from torchreel.stage.motion import QUICK
from torchreel.stage.text import text_width

ROWS = 3
"""The most rows; a further one takes the place of the oldest."""

_BAR = 0.24
"""The longest bar, as a share of the width."""

_PRODUCTS = {"matmul", "__matmul__", "mm", "bmm", "mv", "dot"}
_LAYERS = {"linear", "conv1d", "conv2d", "conv3d"}
_NO_PRODUCTS = {"relu", "flatten", "reshape", "view", "squeeze", "unsqueeze", "cat", "max_pool2d"}


def crossing(trace: Trace, step: Step) -> tuple[int, int] | None:
    """Return how many elements crossed to another device in a step, and how many bytes they are in
    memory; None where none did."""
    used = [trace.tensor(each.tensor) for each in step.operands if each.tensor is not None]
    moved = [
        record
        for record, result in zip(used, step.results, strict=False)
        if record.device != trace.tensor(result).device
    ]
    if not moved:
        return None
    return sum(each.numel for each in moved), sum(each.nbytes for each in moved)


def products(trace: Trace, call: ModuleCall) -> list[tuple[int, ...]] | None:
    """Return the sizes of the products that a module's call sums up, one tuple an op: as many
    multiplications as their product says. None where an op is not known to make none or so many.
    """
    if call.first is None or call.last is None:
        return None
    found = []
    for step in trace.steps[call.first : call.last + 1]:
        name = bare_name(step.op)
        used = [trace.tensor(each.tensor) for each in step.operands if each.tensor is not None]
        if name in _LAYERS | _PRODUCTS:
            found.append(_sizes(name, used, trace.tensor(step.results[0])))
        elif name not in _NO_PRODUCTS:
            return None
    return found or None


def _sizes(name: str, used: Sequence[TensorRecord], result: TensorRecord) -> tuple[int, ...]:
    inner = math.prod(used[1].shape[1:]) if name in _LAYERS else used[0].shape[-1]
    wide = 1 if name.startswith("conv") else len(result.shape) - 1  # torch's F.linear: (*, out)
    return (*result.shape[:wide], inner, *result.shape[wide:])


class Ledger(Group):
    """The rows in their zone: a bar as long as its bytes, a name, and how many there are."""

    def __init__(self, canvas: Canvas, trace: Trace, zone: Zone) -> None:
        super().__init__()
        self.canvas, self.trace, self.zone = canvas, trace, zone
        costs = [crossing(trace, step) for step in trace.steps]
        self._most = max((total for _, total in filter(None, costs)), default=1)
        self._rows: list[VGroup] = []

    def cross(self, scene: Scene, step: Step, name: Drawn, color: Color) -> None:
        """Add the row of a step in which something crossed to another device."""
        found = crossing(self.trace, step)
        if found is None:
            return
        numel, total = found
        text = f"{total:,} B"
        if total % numel == 0:
            text = f"{numel:,} × {total // numel} B = {text}"
        bar = self._bar(total, color)
        column = self.zone.width * _BAR + self.canvas.artboard.px(28)
        source = Drawn(0, text, "bytes", step=step.number)
        self._add(scene, bar, [(name, color), (source, self.canvas.theme.text)], column)

    def compute(self, scene: Scene, call: ModuleCall, name: Drawn) -> None:
        """Add the row of a call's multiplications, where they are known."""
        found = products(self.trace, call)
        if found is None or call.last is None:
            return
        total = f"{sum(map(math.prod, found)):,}"
        terms = " + ".join("×".join(map(str, sizes)) for sizes in found)
        for text in (f"{terms} = {total}", f"× = {total}"):
            source = Drawn(0, text, "products", step=call.last, index=(call.number,))
            words = [(name, self.canvas.theme.muted), (source, self.canvas.theme.text)]
            if self._width(words) <= self.zone.width:
                self._add(scene, VGroup(), words, 0)
                return

    def _bar(self, total: int, color: Color) -> VGroup:
        px, size = self.canvas.artboard.px, self.canvas.artboard.type_op
        length = max(px(6), self.zone.width * _BAR * total / self._most)
        fill = mix(self.canvas.theme.bg, color, 0.5)
        box = (self.zone.x, self._y - size * 0.42, length, size * 0.84)
        return VGroup(
            self.canvas.rectangle(*box, radius=px(4), fill=fill, line=color, stroke=px(2.5))
        )

    @property
    def _y(self) -> float:
        """The middle of the next row."""
        return self.zone.y + (len(self._rows) % ROWS + 0.5) * self.zone.height / ROWS

    def _width(self, words: Sequence[tuple[Drawn, Color]]) -> float:
        return text_width(" ".join(each.text for each, _ in words), self.canvas.artboard.type_op)

    def _add(
        self, scene: Scene, row: VGroup, words: Sequence[tuple[Drawn, Color]], x: float
    ) -> None:
        """Show a row: what is in it already, and words from ``x`` on."""
        size, y = self.canvas.artboard.type_op, self._y
        if x + self._width(words) > self.zone.width:
            words = words[1:]
        at = self.zone.x + x
        for source, color in words:
            row.add(self.canvas.label(source.text, at, y, size, color, align=0, source=source))
            at += text_width(f"{source.text} ", size)
        if len(self._rows) >= ROWS:
            old = self._rows[-ROWS]
            scene.play(FadeOut(old, run_time=QUICK))
            self.remove(old)
        self._rows.append(row)
        scene.play(FadeIn(row, run_time=QUICK))
        self.add(row)
