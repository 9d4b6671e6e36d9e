"""The memory tape: the storage as one flat row of slots, in storage order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import VGroup, VMobject
from numpy.typing import NDArray

from torchreel.records import Drawn, TensorRecord, Trace
from torchreel.stage import motion, numerals
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label, Switch, paint, redraw
from torchreel.stage.cells import dimmed, dimmed_ink
from torchreel.stage.chips import Named
from torchreel.stage.colors import Color, ink_on, mix
from torchreel.stage.fills import Fills
from torchreel.stage.layout import drawable
from torchreel.stage.memory import values_of, whole_of_storage
from torchreel.stage.text import ADVANCE
from torchreel.stage.title import Names

SHARE = 0.9
"""The size at which a tape stands that says whose memory it is: the names are to its left."""

UNREAD = 0.9
"""How far the slots are dimmed that a view does not read."""

_NOWHERE = "meta"

_GAP = 3.0
_PAD = 8.0
_DIGIT_WIDTH = 0.86
_BESIDE = 22.0
_DOWN = 8.0
_APART = 8.0


class OnTape(VGroup):
    """What stands on a memory tape, and goes when it goes."""


class MemoryTape(VGroup):
    """The slots of one storage of up to 400 elements, filled as far as ``fill`` says.

    ``record`` is a tensor that covers the storage from its first element to its last, ``values``
    its elements in storage order. ``names`` are written to its left: those of the tensors whose
    memory it is.
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
        self.zone = canvas.artboard.tape
        self._share, self._lift = 1.0, 0.0
        zone, artboard = self.zone, canvas.artboard
        self.count = len(fills)
        self.dims = np.zeros(self.count)
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
        self._values = None if values is None else values.ravel()
        self.digits = self._digits(values)
        self.ring = VMobject()
        self.outlined: int | None = None
        self.names = VGroup()
        self._told: tuple[str, ...] = ()
        super().__init__(self.frame, *self.cells, *self.digits, self.ring, self.names)
        self.fill(np.ones(self.count))

    def top_of(self, index: int) -> tuple[float, float]:
        """Return the middle of a slot's upper edge, in pixels."""
        return self._x(index), self.zone.center_y - self.zone.height / 2 * self._share - self._lift

    def bottom_of(self, index: int) -> tuple[float, float]:
        """Return the middle of a slot's lower edge, in pixels."""
        return self._x(index), self.zone.center_y + self.zone.height / 2 * self._share - self._lift

    @property
    def values(self) -> NDArray[np.generic] | None:
        """The numbers in the slots (n,), None where they are not known."""
        return self._values

    @property
    def right(self) -> float:
        """The right edge of the last slot."""
        return self.left + self.slot * self.count

    @property
    def stance(self) -> tuple[float, float]:
        """The share of the full size at which it stands, and how far above its zone, in pixels."""
        return self._share, self._lift

    @property
    def low(self) -> float:
        """How far above its zone the lower of two tapes rests, in pixels: a little below it."""
        return -self.canvas.artboard.px(_DOWN)

    @property
    def high(self) -> float:
        """How far above its zone the upper of two tapes rests, in pixels."""
        px = self.canvas.artboard.px
        return self.low + SHARE * (self.zone.height + 2 * px(_PAD)) + px(_APART)

    @property
    def names_end(self) -> float:
        """Where the names of those whose memory it is end, to its left, in pixels."""
        left = self.right - SHARE * (self.right - self.left)
        return left - self.canvas.artboard.px(_BESIDE)

    @property
    def is_told(self) -> bool:
        """Whether it says whose memory it is."""
        return bool(self._told)

    def _x(self, index: int) -> float:
        return self.right - self._share * (self.right - self.left - (index + 0.5) * self.slot)

    def stand(self, share: float, lift: float = 0.0) -> None:
        """Stand at ``share`` of the full size, ``lift`` pixels above the tape's zone."""
        start, self._share, self._lift = self.stance, share, lift
        self._stand([self.frame, *self.cells, *self.digits, self.ring], start)
        rise = self.canvas.point(0, -lift) - self.canvas.point(0, -start[1])
        for part in self.names.get_family():
            part.points = part.points + rise

    def _stand(self, parts: Sequence[VMobject], start: tuple[float, float] = (1.0, 0.0)) -> None:
        """Let parts that are drawn for the stance ``start`` stand as the tape does."""
        x, y = self.right, self.zone.center_y
        here, there = self.canvas.point(x, y - start[1]), self.canvas.point(x, y - self._lift)
        share = self._share / start[0]
        for part in parts:
            part.points = there + (part.points - here) * share
            if isinstance(part, Label):
                part.size *= share

    def tells(self, named: Sequence[Named]) -> bool:
        """Tell whether it says that it is the memory of these already."""
        return self._told == _texts(named)

    def tell(self, named: Sequence[Named]) -> None:
        """Say whose memory it is, to the left of where it stands at ``SHARE`` of its size."""
        self._told = _texts(named)
        y = self.zone.center_y - self._lift
        x = self.names_end
        self.names.submobjects = [Names(self.canvas, named, x, y)] if named else []

    def glide(self, share: float, lift: float, run_time: float) -> BlockAnimation:
        """Return the animation in which the tape goes to stand so."""
        start = self.stance

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            self.stand(start[0] + (share - start[0]) * t, start[1] + (lift - start[1]) * t)

        return BlockAnimation(self, draw, run_time)

    def telling(self, named: Sequence[Named], lift: float, run_time: float) -> BlockAnimation:
        """Return the animation in which the tape makes room for the names of those whose memory it
        is, and they appear."""
        self.tell(named)
        glide, names = self.glide(SHARE, lift, run_time), Switch(self.names)

        def draw(alpha: float) -> None:
            glide.interpolate_mobject(alpha)
            names.turn(motion.late(alpha))

        draw(0)
        return BlockAnimation(self, draw, run_time)

    def write(
        self,
        record: TensorRecord,
        values: NDArray[np.generic],
        fills: NDArray[np.float64],
        slots: NDArray[np.int64],
    ) -> BlockAnimation:
        """Return the animation in which these slots show the values of a tensor that was written,
        element by element, and its colours (n, 3)."""
        old, new = np.array(self.fills), np.array(self.fills)
        new[slots] = fills
        whole = self._values.copy() if self._values is not None else None
        if whole is not None:
            whole[slots] = values.ravel()
        places = {int(slot): element for element, slot in enumerate(slots)}

        def draw(alpha: float) -> None:
            self.fills = list(old + (new - old) * motion.ease(alpha))
            self.fill(np.ones(self.count))
            if alpha > 0.5 and self._values is not whole:
                self._values = whole
                self._rewrite(record, places)

        return BlockAnimation(self, draw, motion.BEAT)

    def _rewrite(self, record: TensorRecord, places: dict[int, int]) -> None:
        old = [label.source for label in self.digits]
        new = self._digits(self._values)
        self._stand(new)
        for slot, label in enumerate(new):
            element = places.get(slot)
            if element is None:
                label.source = _said(old[slot], label) if old else label.source
                continue
            index = tuple(int(i) for i in np.unravel_index(element, record.shape))
            label.source = Drawn(0, label.text, "value", record.id, index)
        if len(new) == len(old):
            redraw(VGroup(*self.digits), VGroup(*new))
            return
        self.remove(*self.digits)
        self.digits = new
        self.add(*new)

    def fill(self, arrived: NDArray[np.float64]) -> None:
        """Show each slot as far as its element has arrived (0 to 1)."""
        surface, theme = self.canvas.theme.surface, self.canvas.theme
        for index, (share, dim) in enumerate(zip(arrived, self.dims, strict=True)):
            full = dimmed(self.fills[index], theme, float(dim))
            color = mix(surface, full, float(share))
            paint(self.cells[index], color, None, 0)
            if self.digits:
                ink = dimmed_ink(ink_on(self.fills[index], theme), full, theme, float(dim))
                paint(self.digits[index], mix(color, ink, float(share)), None, 0)

    def read(self, slots: NDArray[np.int64] | None = None) -> BlockAnimation:
        """Return the animation in which all slots but these go dark; None: none is dark again."""
        start, end = self.dims.copy(), np.zeros(self.count)
        if slots is not None:
            end[np.setdiff1d(np.arange(self.count), slots)] = UNREAD

        def draw(alpha: float) -> None:
            self.dims = start + (end - start) * motion.ease(alpha)
            self.fill(np.ones(self.count))

        return BlockAnimation(self, draw, motion.QUICK)

    def outline(self, index: int | None) -> None:
        """Outline one slot, or none."""
        self.outlined = index
        if index is None:
            self.ring.points = np.zeros((0, 3))
            return
        color = self.canvas.theme.text
        self.ring.points = self.frame_of(index, color).points
        paint(self.ring, None, color, self.canvas.stroke(self.canvas.artboard.px(4)))

    def frame_of(self, index: int, color: Color) -> VMobject:
        """Return a frame around a slot as the tape stands."""
        zone, artboard = self.zone, self.canvas.artboard
        frame = self.canvas.rectangle(
            self.left + index * self.slot,
            zone.y,
            self.slot,
            zone.height,
            radius=artboard.px(5),
            line=color,
            stroke=artboard.px(4),
        )
        self._stand([frame])
        return frame

    def _cell(self, index: int) -> VMobject:
        zone = self.zone
        return self.canvas.rectangle(
            self.left + index * self.slot + self.gap,
            zone.y,
            self.slot - 2 * self.gap,
            zone.height,
            fill=self.fills[index],
        )

    def _digits(self, values: NDArray[np.generic] | None) -> list[Label]:
        artboard, zone = self.canvas.artboard, self.zone
        chars = int(_DIGIT_WIDTH * self.slot * SHARE / (ADVANCE * artboard.floor))
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


def _texts(named: Sequence[Named]) -> tuple[str, ...]:
    return tuple(sorted(each.name for each in named if each.name))


def _said(source: Drawn | None, label: Label) -> Drawn | None:
    return None if source is None else replace(source, text=label.text)


def tape_of(trace: Trace, storage: int, canvas: Canvas, fills: Fills) -> MemoryTape | None:
    """Return the tape of a storage as it is before the clip writes to it; None where none fits, or
    where nothing lies in it: a tensor on the device ``meta`` has no memory."""
    record = whole_of_storage(trace, storage)
    if record is None or record.device == _NOWHERE or not drawable((record.storage_size,)):
        return None
    colors = fills.colors(record, np.arange(record.numel))
    return MemoryTape(canvas, record, values_of(trace, record), list(colors))
