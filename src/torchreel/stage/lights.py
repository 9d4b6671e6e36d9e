"""What the eye is led by: focus frames, dimming, a written line, props of a choreography's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from manim import Animation, FadeIn, FadeOut, Mobject, Scene, VGroup, VMobject

from torchreel.records import Drawn, Step, Trace
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, paint
from torchreel.stage.floor import Floor
from torchreel.stage.focus import Focus, Points
from torchreel.stage.line import Part, WrittenLine, size_of_line


@runtime_checkable
class Lamp(Protocol):
    """A prop that is lit, or part of which is."""

    def put_out(self) -> bool:
        """Put out what is lit; tell whether nothing is left of the prop then."""


class Edge(VMobject):
    """The lit edge of the box of an op: it lies on the box's own quiet one, and goes as the next
    step begins; the box may stay."""

    def __init__(self, canvas: Canvas, box: VMobject) -> None:
        super().__init__()
        self.points = box.points.copy()
        paint(self, None, canvas.theme.focus, float(box.stroke_width))


class Lights(Floor):
    """What is lit, dimmed and written out, and the box with an op's name."""

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        super().__init__(scene, trace, canvas)
        self._lights: dict[int, Focus] = {}
        self._line: WrittenLine | None = None
        self._pointed: list[TensorBlock] = []

    def light(
        self, block: TensorBlock, elements: Any = None, run_time: float = motion.QUICK
    ) -> Animation:
        """Return the animation that puts the focus frame around these elements (None: all)."""
        cells = None if elements is None else block.cells_of(elements)
        focus = self._lights.get(id(block))
        if focus is None:
            focus = self._lights[id(block)] = Focus(self.canvas, block)
        self.scene.add(focus)
        move = focus.move(cells, elements, run_time)
        if not block.rest.any():
            return move
        dims, bright = block.dims.copy(), block.rest.copy()
        bright[slice(None) if cells is None else cells] = 0

        def draw(alpha: float) -> None:
            move.interpolate_mobject(alpha)
            block.dim_to(dims + (bright - dims) * motion.ease(alpha))

        return BlockAnimation(focus, draw, run_time)

    def point(self, block: TensorBlock) -> Animation:
        """Return the animation that puts the focus frame around a block until the next step."""
        self._pointed.append(block)
        return self.light(block)

    def unpoint(self) -> list[Animation]:
        """Return the animations in which goes what was pointed at."""
        pointed, self._pointed = self._pointed, []
        return self.unlight(*pointed) if pointed else []

    def lit_boxes(self, block: TensorBlock) -> Points:
        """Return the focus frames on a block: left, top, width, height and depth (n, 5) in
        pixels."""
        return self._lights[id(block)].boxes

    def unlight(self, *blocks: TensorBlock, run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations in which the focus frames of these blocks go (none given: all, and
        what is lit on index rulers and over memory)."""
        keys = [id(block) for block in blocks] or list(self._lights)
        lights: list[Mobject] = [self._lights.pop(key) for key in keys if key in self._lights]
        if not blocks:
            lights += [prop for prop in self._props if isinstance(prop, Lamp) and prop.put_out()]
            self._props = [prop for prop in self._props if prop not in lights]
        bright = [tape.read() for tape in self.tapes if not blocks and tape.dims.any()]
        return [*(FadeOut(light, run_time=run_time) for light in lights), *bright]

    def unlight_boxes(self, run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations in which the boxes of ops that were played go dark."""
        edges = [prop for prop in self._props if isinstance(prop, Edge)]
        self._props = [prop for prop in self._props if prop not in edges]
        return [FadeOut(edge, run_time=run_time) for edge in edges]

    def dim(
        self,
        block: TensorBlock,
        elements: Any = None,
        share: float = 1.0,
        run_time: float = motion.QUICK,
    ) -> Animation:
        """Return the animation that dims these elements (None: all) to ``share``, the others only
        as they rest."""
        start, end = block.dims.copy(), block.rest.copy()
        if elements is None or not len(block.elements):
            end[:] = share
        else:
            end[block.cells_of(elements)] = share
        return BlockAnimation(
            block, lambda t: block.dim_to(start + (end - start) * motion.ease(t)), run_time
        )

    def write_line(self, parts: Sequence[Part], run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations that write ``[(a, 3), "+", (b, 3), "=", (c, 3)]`` out large in the
        free zone; a pair is a block and an element of it, a :class:`Drawn` any fact of the
        trace."""
        gone = self.rub_out(run_time)
        self._line = WrittenLine(self.canvas, parts, self.free, self.trace)
        return [*gone, FadeIn(self._line, run_time=run_time)]

    def has_room(self, parts: Sequence[Part]) -> bool:
        """Tell whether a line of these parts can be read in the free zone."""
        artboard = self.canvas.artboard
        return size_of_line(parts, self.free, artboard, self.trace) >= artboard.floor

    def rub_out(self, run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations in which the written line goes."""
        line, self._line = self._line, None
        return [] if line is None else [FadeOut(line, run_time=run_time)]

    def put(self, mobject: Mobject, run_time: float = motion.QUICK) -> Animation:
        """Return the animation in which a mobject of the choreography's own appears; it leaves
        with the next arrangement."""
        self._props.append(mobject)
        return FadeIn(mobject, run_time=run_time)

    def keep(self, mobject: Mobject) -> None:
        """Let a mobject that is on stage leave with the next arrangement."""
        self.scene.add(mobject)
        self._props.append(mobject)

    def forget(self, mobject: Mobject) -> None:
        """Leave it to the choreography when a mobject of its own goes."""
        self._props = [prop for prop in self._props if prop is not mobject]

    def flash_box(self, step: Step, run_time: float) -> None:
        """Show the op's name in a box in the middle of the stage, for an op with no picture."""
        zone = self.zone
        group = self.named_box(step, zone.center_x, zone.center_y)
        self.play(FadeIn(group, run_time=motion.QUICK))
        self.scene.wait(run_time)
        self.play(FadeOut(group, run_time=motion.QUICK))

    def named_box(self, step: Step, x: float, y: float) -> VGroup:
        """Return a box with the op's name around a middle in pixels, and its lit edge."""
        artboard, theme = self.canvas.artboard, self.canvas.theme
        text, size = spell(step), artboard.type_title
        source = Drawn(0, text, "op", step=step.number)
        label = self.canvas.label(text, x, y, size, theme.text, source=source)
        width = label.width / artboard.unit + artboard.px(60)
        box = self.canvas.rectangle(
            x - width / 2,
            y - size,
            width,
            2 * size,
            radius=artboard.px(14),
            fill=theme.surface2,
            line=theme.line,
            stroke=artboard.px(4),
        )
        return VGroup(VGroup(box, label), Edge(self.canvas, box))
