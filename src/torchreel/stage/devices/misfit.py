"""Two tensors that do not fit, as a plug and its socket; and the plug that was mended."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from manim import FadeIn, FadeOut, Group, Mobject, Scene, VGroup, VMobject

from torchreel.records import Clash, Drawn, Step, TensorRecord, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import shape_text
from torchreel.stage.colors import Color, mix
from torchreel.stage.devices.clash import ClashPlate, Cross
from torchreel.stage.motion import QUICK, SLOW, ease
from torchreel.stage.nets.arrangement import Part, Slot
from torchreel.stage.nets.funnel import Funnel, module_label
from torchreel.stage.nets.sample import sample_of, weight_of
from torchreel.stage.nets.shades import boxed, limit_of, shade
from torchreel.stage.nets.thing import TensorThing
from torchreel.stage.picture import Picture
from torchreel.stage.text import text_width

_PRODUCT = re.compile(r"\((\d+x\d+) and (\d+x\d+)\)")
"""How torch names two matrices that cannot be multiplied."""

_PLUG = 0.11
"""Width of the plug, as a share of the room."""

_LEAST = 0.16
"""Height of the shortest plug, as a share of the room."""


class Misfit(Group):
    """Two tensors whose facts do not fit: a plug for the first, a socket for the second.

    Where the facts are sizes the plug is as much shorter or longer than the socket as they are, and
    the size that clashes is bracketed on the picture of the first. ``names`` are those of tensors,
    by their records; ``mended`` is the step that did the same without raising, if there is one.
    """

    def __init__(
        self,
        canvas: Canvas,
        trace: Trace,
        step: Step,
        zone: Zone,
        names: Mapping[int, str],
        mended: Step | None = None,
    ) -> None:
        self.canvas, self.trace, self.step, self.mended = canvas, trace, step, mended
        self.names = names
        assert step.clash is not None
        self.clash: Clash = step.clash
        theme, artboard, px = canvas.theme, canvas.artboard, canvas.artboard.px
        super().__init__()
        self._plate_y = zone.bottom - artboard.type_title * 1.2
        self._product_y = self._plate_y - artboard.type_title * 1.75
        top = zone.y + artboard.type_chip * 2.0
        bottom = self._product_y - artboard.type_size * 0.7 - artboard.type_chip * 1.7
        self.room = Zone(zone.x + zone.width * 0.1, top, zone.width * 0.8, bottom - top)
        self.first, self.second = self._records(step)
        self.heights = self._heights(self.clash.facts)
        self._body(self._at(0.72), self._width(0.28))
        self.socket = canvas.path(self._bracket(), theme.error, px(6))
        self.wire = canvas.path([(0, 0), (1, 0)], theme.error, px(7))
        self.plug = VMobject()
        self._stand(0.0)
        self.thing = self._thing(self.first)
        self.cross = Cross(canvas, self._at(0.6), top + px(10), radius=px(38))
        self.told = VGroup(*self._sizes())
        self.plate = VGroup(
            ClashPlate(canvas, step, zone.center_x, self._plate_y, (theme.text, theme.text)),
            *self._product(),
        )
        self.add(self.wire, self.plug, self.socket, self.thing, self.cross, self.told, self.plate)

    # Where things stand, and how high.

    def _at(self, share: float) -> float:
        return self.room.x + self.room.width * share

    def _width(self, share: float) -> float:
        return self.room.width * share

    @property
    def _are_sizes(self) -> bool:
        return self.clash.kind == "shape" and all(fact.isdigit() for fact in self.clash.facts)

    def _heights(self, facts: Sequence[str]) -> tuple[float, float]:
        room = self.room.height
        if not self._are_sizes:
            return room * 0.6, room * 0.6
        sizes = np.sqrt([float(fact) for fact in facts])
        heights = np.maximum(sizes / max(float(sizes.max()), 1e-9) * room, room * _LEAST)
        return float(heights[0]), float(heights[1])

    def _records(self, step: Step) -> tuple[TensorRecord | None, TensorRecord | None]:
        """Return the two tensors that the facts are of."""
        found = [
            self.trace.tensor(operand.tensor)
            if at < len(step.operands) and (operand := step.operands[at]).tensor is not None
            else None
            for at in self.clash.operands[:2]
        ]
        one, other = (*found, None, None)[:2]
        return one, other

    # The parts.

    def _thing(self, record: TensorRecord | None) -> Group:
        """Return the picture of the first tensor, its shape below it."""
        if record is None:
            return Group()
        zone = Zone(self.room.x, self.room.y, self._width(0.26), self.room.height)
        side = min(zone.width, zone.height)
        zone = Zone(zone.x, self.room.center_y - side / 2, side, side)
        name = self._tensor_name(record, zone.center_x)
        label = Drawn(0, shape_text(record), "shape", record.id)
        matrix = weight_of(self.trace, record.id) if len(record.shape) == 2 else None
        if (
            matrix is None
            or not matrix.size
            or sample_of(self.trace, record.id).picture is not None
        ):
            values = record.id if record.id in self.trace.values else None
            return Group(TensorThing(self.canvas, self.trace, zone, label, values), name)
        return Group(*self._matrix(record, zone), self._shape(record, zone.center_x), name)

    def _matrix(self, record: TensorRecord, zone: Zone) -> list[Picture | VMobject]:
        """Return a matrix as colours in its zone, as high and wide as its sizes say."""
        matrix = weight_of(self.trace, record.id)
        if matrix is None or not matrix.size:
            return []
        rows, columns = matrix.shape
        shape = min(4.0, max(0.25, rows / columns))
        width = min(zone.width, zone.height / shape)
        box = Zone(
            zone.center_x - width / 2, zone.center_y - width * shape / 2, width, width * shape
        )
        colors = shade(boxed(matrix, box.height, box.width), limit_of(matrix), self.canvas.theme)
        line, px = self.canvas.theme.muted, self.canvas.artboard.px
        frame = self.canvas.rectangle(box.x, box.y, box.width, box.height, line=line, stroke=px(3))
        return [Picture(self.canvas, colors, box), frame]

    def _shape(self, record: TensorRecord, x: float) -> VGroup:
        """Return a tensor's shape below its picture."""
        text, theme = shape_text(record), self.canvas.theme
        size = self.canvas.artboard.type_chip
        color = theme.param if record.name else theme.text
        source = Drawn(0, text, "shape", record.id)
        y = self.room.bottom + size * 1.05
        return VGroup(self.canvas.label(text, x, y, size, color, source=source))

    def _tensor_name(self, record: TensorRecord, x: float) -> VGroup:
        """Return a tensor's name over its picture, if it has one for which there is room."""
        name, size = self.names.get(record.id, ""), self.canvas.artboard.type_title
        if not name or text_width(name, size) > self._width(0.4):
            return VGroup()
        y, source = self.room.y - size * 0.75, Drawn(0, name, "name", record.id)
        return VGroup(self.canvas.label(name, x, y, size, self.canvas.theme.text, source=source))

    def _body(self, x: float, width: float) -> None:
        """Add what the socket is of: a weight in its funnel, or a tensor."""
        record = self.second
        if record is None:
            return
        middle = x + width / 2
        self.add(self._shape(record, self._beside_size(record, middle)))
        if len(record.shape) == 2 and record.name:
            out, into = record.shape
            right = self.heights[1] * min(1.0, max(0.3, math.sqrt(out / max(1, into))))
            slot = Slot(
                Part("funnel", 0, (into, out)),
                x,
                width,
                self.room.center_y,
                self.heights[1] * 1.12,
                right,
            )
            self.add(Funnel(self.canvas, slot, weight_of(self.trace, record.id)))
        else:
            zone = Zone(x, self.room.y, width, self.room.height)
            self.add(*self._matrix(record, zone), self._tensor_name(record, middle))
        self._name(record, middle)

    def _beside_size(self, record: TensorRecord, x: float) -> float:
        """Return where a shape stands: below its picture, and right of the size at the socket."""
        if not self._are_sizes:
            return x
        size = self.canvas.artboard.type_chip
        right = self._at(0.66) + text_width(self.clash.facts[1], size) / 2 + size * 0.6
        return max(x, right + text_width(shape_text(record), size) / 2)

    def _name(self, record: TensorRecord, x: float) -> None:
        """Write the name of the module whose weight it is."""
        call = self.step.call
        if not record.name or call is None:
            return
        module = self.trace.modules[self.trace.calls[call].module]
        name = module.path.split(".")[-1] or module.name or module.kind
        size = self.canvas.artboard.type_title
        if text_width(name, size) < self._width(0.4):
            y = self.room.y - size * 0.75
            self.add(module_label(self.canvas, name, module.number, x, y, size))

    def _bracket(self) -> list[tuple[float, float]]:
        x, y, height = self._at(0.64), self.room.center_y, self.heights[1]
        far = self._at(0.70)
        return [
            (x, y - height / 2),
            (far, y - height / 2),
            (far, y + height / 2),
            (x, y + height / 2),
        ]

    def _stand(self, share: float) -> None:
        """Let the plug stand as it failed (0), in the socket as it fits now (1), or between."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        y, width = self.room.center_y, self._width(_PLUG)
        height = self.heights[0] + share * (self.heights[1] * 0.94 - self.heights[0])
        left = self._at(0.45) + share * (self._at(0.69) - width - self._at(0.45))
        color = mix(theme.error, theme.cuda, share)
        fill = mix(theme.bg, color, 0.25)
        box = (left, y - height / 2, width, height)
        self.plug.become(canvas.rectangle(*box, radius=px(6), fill=fill, line=color, stroke=px(4)))
        self.wire.become(canvas.path([(self._at(0.31), y), (left, y)], color, px(7)))
        self.socket.become(canvas.path(self._bracket(), color, px(6)))

    def _sizes(self) -> list[VMobject]:
        """Return the two sizes at the plug and at the socket, and the first in its bracket."""
        if not self._are_sizes:
            return []
        canvas, size = self.canvas, self.canvas.artboard.type_chip
        y, color, theme = self.room.center_y, self.canvas.theme.error, self.canvas.theme
        one, other = (Drawn(0, fact, "clash", step=self.step.number) for fact in self.clash.facts)
        below = y + self.heights[1] / 2 + size * 0.9
        inside = min(size, self._width(_PLUG) * 0.94 / text_width(one.text, 1.0))
        fits = inside >= canvas.artboard.floor and self.heights[0] >= inside * 1.1
        at = (self._at(0.45) + self._width(_PLUG) / 2, y)
        if not fits:  # under the plug, clear of the cross
            inside, at = size, (at[0], y + self.heights[0] / 2 + size * 0.9)
        made = [
            canvas.label(one.text, *at, inside, theme.text if fits else color, source=one),
            canvas.label(other.text, self._at(0.66), below, size, color, source=other),
        ]
        return [*made, *self._bracketed()]

    def _bracketed(self) -> list[VMobject]:
        """Return the red bracket along the dim that clashes, where the picture has it."""
        record, px = self.first, self.canvas.artboard.px
        picture = next(
            (each for each in self.thing.get_family() if isinstance(each, Picture)), None
        )
        dim = self.clash.dims[0] if len(self.clash.dims) == 2 else -1
        if record is None or picture is None or len(record.shape) < 2 or dim < 0:
            return []
        zone, gap, tick = picture.zone, px(5), px(7)
        if dim == len(record.shape) - 1:
            y = zone.bottom + gap
            corners = [(zone.x, y), (zone.x, y + tick), (zone.right, y + tick), (zone.right, y)]
        elif dim == len(record.shape) - 2:
            x = zone.x - gap
            corners = [(x, zone.y), (x - tick, zone.y), (x - tick, zone.bottom), (x, zone.bottom)]
        else:
            return []
        return [self.canvas.path(corners, self.canvas.theme.error, px(4))]

    # Words below.

    def below(self) -> VGroup:
        """Return what is told below the picture, and let it be no part of it any more."""
        plate, self.plate = self.plate, VGroup()
        self.remove(plate)
        return plate

    def _product(self) -> list[VMobject]:
        """Return the product of matrices that the message says cannot be made."""
        found = _PRODUCT.search(self.clash.message)
        if found is None:
            return []
        one, other = (each.replace("x", "×") for each in found.groups())
        step, theme = self.step.number, self.canvas.theme
        return self._line(
            [
                (Drawn(0, one, "clash", step=step), theme.text),
                (Drawn(0, "@", "sign", step=step), theme.muted),
                (Drawn(0, other, "clash", step=step), theme.text),
            ]
        )

    def _line(self, words: Sequence[tuple[Drawn, Color]]) -> list[VMobject]:
        size = self.canvas.artboard.type_size
        text = " ".join(source.text for source, _ in words)
        at, made = self.room.center_x - text_width(text, size) / 2, list[VMobject]()
        for source, color in words:
            y = self._product_y
            label = self.canvas.label(source.text, at, y, size, color, align=0, source=source)
            made.append(label)
            at += text_width(f"{source.text} ", size)
        return made

    # The mending.

    def mend(self, scene: Scene) -> None:
        """Let the plug grow or shrink to what fits now, and go into its socket."""
        fitting = self._fitting()
        if fitting is None:
            return
        old, self.thing = self.thing, self._thing(fitting)
        gone = Group(self.cross, self.told, self.plate, old)
        self.remove(*gone)
        scene.add(gone)
        coming = FadeIn(self.thing, run_time=QUICK)
        scene.play(FadeOut(gone, run_time=QUICK), coming)
        self._take(scene, self.thing)
        moving = Group(self.wire, self.plug, self.socket)
        scene.play(BlockAnimation(moving, lambda time: self._stand(ease(time)), SLOW))
        scene.remove(moving)
        scene.add(self)
        done = self._done(fitting)
        scene.play(FadeIn(done, run_time=QUICK))
        self._take(scene, done)
        scene.wait(SLOW)

    def _take(self, scene: Scene, part: Mobject) -> None:
        """Make what came onto the stage a part of the picture."""
        scene.remove(part)
        self.add(part)
        scene.add(self)

    def _fitting(self) -> TensorRecord | None:
        """Return the tensor whose size is the socket's now; None where there is none."""
        if self.mended is None or not self._are_sizes or len(self.clash.dims) != 2:
            return None
        first, second = self._records(self.mended)
        if first is None or second is None:
            return None
        dims = self.clash.dims
        before = self.first.shape if self.first is not None else ()
        place, along = dims[0] - len(before), dims[1]
        known = -place <= len(first.shape) and along < len(second.shape)
        fits = known and first.shape[place] == second.shape[along]
        return first if fits and str(second.shape[along]) == self.clash.facts[1] else None

    def _done(self, fitting: TensorRecord) -> VGroup:
        """Return the size that fits, on plug and socket, and a tick."""
        canvas, theme, px = self.canvas, self.canvas.theme, self.canvas.artboard.px
        assert self.mended is not None
        size = canvas.artboard.type_chip
        text = self.clash.facts[1]
        dim = self.clash.dims[0] - len(self.first.shape if self.first is not None else ())
        source = Drawn(0, text, "size", fitting.id, (len(fitting.shape) + dim,))
        y = self.room.center_y + self.heights[1] / 2 + size * 0.9
        label = canvas.label(text, self._at(0.66), y, size, theme.cuda, source=source)
        result = self.trace.tensor(self.mended.results[0])
        shapes = [
            (Drawn(0, shape_text(each), "shape", each.id), color)
            for each, color in ((fitting, theme.text), (result, theme.cuda))
        ]
        arrow = (Drawn(0, "→", "sign"), theme.muted)
        line = self._line([shapes[0], arrow, shapes[1]])
        x, y = self.room.center_x, self._plate_y
        tick = canvas.path(
            [(x - px(26), y - px(2)), (x - px(8), y + px(16)), (x + px(28), y - px(24))],
            theme.cuda,
            px(9),
        )
        return VGroup(label, *line, tick)
