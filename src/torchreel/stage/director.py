"""The director: lays out the steps of a cell on the stage, one line after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from manim import Animation, Camera, FadeIn, FadeOut, Scene, VGroup, config
from manim.utils.color import ManimColor

from torchreel.records import Cue, Drawn, Problem, Run, Step, TensorRecord, TorchReelError, Trace
from torchreel.stage import motion, registry
from torchreel.stage.artboard import ARTBOARDS, Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.checker import Written, flaws
from torchreel.stage.code import CodeBand
from torchreel.stage.colors import THEMES, Color, identity, signed
from torchreel.stage.layout import Mode, Placement, Pose, drawable, modes, place
from torchreel.stage.memory import memory_positions, whole_of_storage
from torchreel.stage.strip import Named, Sentence, ShapeStrip
from torchreel.stage.tape import MemoryTape
from torchreel.stage.title import Title
from torchreel.stage.wirebox import WireBoxes

_FOLLOWED = 0.6
"""Which element is followed through every move: the one at this share of the storage."""


class LessonScene(Scene):
    """A scene that plays the trace of one cell.

    Subclass it in ``scenes/`` and write :meth:`construct` where the automatic staging is not
    enough. After rendering, ``cues`` says when each line plays, ``drawn`` what was written on the
    screen and where in the trace it came from, ``poster_time`` (seconds) which frame tells most,
    ``warnings`` what the checker found wrong with the frame at the end of a line.
    """

    def __init__(
        self, trace: Trace, artboard: str = "page", theme: str = "dark", **kwargs: Any
    ) -> None:
        self.trace = trace
        self.canvas = Canvas(ARTBOARDS[artboard], THEMES[theme])
        self.cues: list[Cue] = []
        self.drawn: list[Drawn] = []
        self.warnings: list[str] = []
        self.poster_time = 0.0
        self._poster_score = -1
        self._names: dict[str, int] = dict(trace.names)
        self._block: TensorBlock | None = None
        self._brackets: list[Bracket] = []
        self._boxes: list[WireBoxes] = []
        self._ghosts: VGroup | None = None
        self._title: Title | None = None
        self._titled: tuple[str, str] | None = None
        self._strip: ShapeStrip | None = None
        self._code: CodeBand | None = None
        self.tape: MemoryTape | None = None
        super().__init__(**kwargs)

    # What a scene author calls.

    def construct(self) -> None:
        """Play every line of the cell."""
        self.play_lines()

    def play_lines(self, hold: float = motion.HOLD) -> None:
        """Play every line that has not been played, holding each for ``hold`` seconds."""
        for run in self._runs[len(self.cues) :]:
            self._play_run(run, hold)

    def play_line(self, line: str, hold: float = motion.HOLD) -> None:
        """Play the lines up to the one named by its text or by the variable it binds.

        Raises TorchReelError where no line or more than one is so named.
        """
        run = self._find(line)
        for each in self._runs[len(self.cues) : self._runs.index(run) + 1]:
            self._play_run(each, hold)

    def block(self, name: str) -> TensorBlock:
        """Return the block on stage of the tensor with this name; raises TorchReelError."""
        if self._block is not None and self._names.get(name) == self._block.record.id:
            return self._block
        there = self.name_of(self._block.record) if self._block else None
        raise TorchReelError(
            Problem("", f"no block named {name!r} is on stage", f"On stage is: {there}.")
        )

    # Scene.

    def setup(self) -> None:
        """Colour the background and set what is on stage before the first line."""
        theme = self.canvas.theme
        assert isinstance(self.camera, Camera), "TorchReel draws with Manim's cairo renderer"
        self.camera.background_color = ManimColor.from_rgb(tuple(theme.bg))
        self._runs = [run for run in self.trace.runs if run.steps or run.printed]
        steps = [self.trace.steps[number] for run in self._runs for number in run.steps]
        plans = [registry.find(step.op) for step in steps]
        self._by_identity = all(plan.identity for plan in plans)
        self._limit = self._value_limit()
        self.tape = self._make_tape(
            [step for step, plan in zip(steps, plans, strict=True) if plan.tape and step.view]
        )
        self.room = tuple(
            max((self.canvas.artboard.px(plan.room[side]) for plan in plans), default=0.0)
            for side in range(4)
        )
        if self.canvas.artboard.code is not None:
            self._code = CodeBand(self.canvas, self.trace.cells[0])
            self.add(self._code)

    def get_run_time(self, animations: list[Animation]) -> float:
        """Return the run time in seconds, a whole number of frames.

        A quarter of a frame less (more for a still), so that rounding never adds or loses a frame.
        """
        rate = config.frame_rate
        frames = max(1, round(float(super().get_run_time(animations)) * rate))
        still = len(animations) == 1 and getattr(animations[0], "is_static_wait", False)
        waits = len(animations) == 1 and type(animations[0]).__name__ == "Wait"
        return (frames + (0.25 if still or waits else -0.25)) / rate

    # One line.

    def _play_run(self, run: Run, hold: float) -> None:
        start = self._now()
        steps = [self.trace.steps[number] for number in run.steps]
        for name, tensor in run.changed.items():
            if tensor is not None:
                self._names[name] = tensor
        if self._code is not None:
            self._light_code(run)
        for step in steps:
            self._speak(step)
            registry.find(step.op).play(self, step)
        self.wait(hold if run is not self._runs[-1] else hold + motion.BEAT)
        for name, tensor in run.changed.items():
            if tensor is None:
                self._names.pop(name, None)
        self._end_cue(run, start)

    def _light_code(self, run: Run) -> None:
        assert self._code is not None
        first = not self.cues
        light = self._code.light(run.statement, motion.QUICK)
        if first:
            light.interpolate(1.0)
        else:
            self.play(light)

    def _speak(self, step: Step) -> None:
        """Say the step in the shape strip; the first sentence of a clip is there from the start."""
        if self._strip is None:
            self._enter(step)
        strip = ShapeStrip(self.canvas, self._sentence(step))
        if self._strip is None:
            self.add(strip)
        else:
            old = self._strip
            self.play(*strip.follow(old, motion.BEAT))
            self.remove(old)
            self.add(strip)
        self._strip = strip

    def _enter(self, step: Step) -> None:
        """Before the first line: what it works on is on stage already."""
        operand = next((each.tensor for each in step.operands if each.tensor is not None), None)
        if operand is None:
            return
        if self.tape is not None:
            self.add(self.tape)
        block, placement = self.new_block(self.record(operand))
        self.show_block(block)
        self._label(placement)
        parts = (self._ghosts, block, *self._brackets, self._title)
        self.add(*(part for part in parts if part is not None))
        self.follow_memory(instantly=True)
        self._strip = ShapeStrip(self.canvas, Sentence((self._named(block.record),), None, ()))
        self.add(self._strip)
        self.wait(motion.HOLD)

    def _sentence(self, step: Step) -> Sentence:
        operands = dict.fromkeys(each.tensor for each in step.operands if each.tensor is not None)
        return Sentence(
            tuple(self._named(self.record(tensor)) for tensor in operands),
            step,
            tuple(self._named(self.record(tensor)) for tensor in step.results),
        )

    def _end_cue(self, run: Run, start: float) -> None:
        end = self._now()
        number = len(self.cues) + 1
        tensors = (self._block.record.id,) if self._block is not None else ()
        self.cues.append(
            Cue(number, start, end, run.statement, run.lap, steps=run.steps, tensors=tensors)
        )
        written = [replace(source, cue=number) for source in self.sources_on_stage()]
        self.drawn += written
        place = f"{self.canvas.artboard.name}, cue {number}"
        found = flaws(self.written(), self.canvas.artboard)
        self.warnings += [f"{place}: {flaw}" for flaw in found]
        if len(written) > self._poster_score:
            self._poster_score = len(written)
            self.poster_time = end - 0.5 / config.frame_rate

    def _now(self) -> float:
        rate = config.frame_rate
        return float(round(self.renderer.time * rate) / rate)

    # What is written on the screen.

    def written(self) -> list[Written]:
        """Return every text on screen with its size and box, in pixels of the artboard."""
        artboard, unit = self.canvas.artboard, self.canvas.artboard.unit
        found = []
        for label in self._labels():
            left = label.get_left()[0] / unit + artboard.width / 2
            top = artboard.height / 2 - label.get_top()[1] / unit
            box = (left, top, label.width / unit, label.height / unit)
            found.append(Written(label.text, label.size, *box))
        if self._block is not None:
            size = self._block.digit_size
            found += [Written(text, size, *box) for text, _, box in self._block.digits()]
        return found

    def sources_on_stage(self) -> list[Drawn]:
        """Return where in the trace every text on screen comes from."""
        found = []
        for label in self._labels():
            if label.source is None:
                raise AssertionError(f"the text {label.text!r} does not say where it comes from")
            found.append(label.source)
        if self._block is not None:
            found += [source for _, source, _ in self._block.digits()]
        return found

    def _labels(self) -> list[Label]:
        family = [each for mobject in self.mobjects for each in mobject.get_family()]
        return [each for each in family if isinstance(each, Label) and len(each.points)]

    # What choreographies use.

    def record(self, tensor: int) -> TensorRecord:
        """Return the tensor record with this id."""
        return self.trace.tensor(tensor)

    def operand(self, step: Step) -> int:
        """Return the record id of the first tensor among a step's operands."""
        return next(each.tensor for each in step.operands if each.tensor is not None)

    def literal(self, step: Step, position: int, name: str) -> str | None:
        """Return the text of a literal argument, by keyword or by position among the literals."""
        literals = [each for each in step.operands if each.tensor is None]
        for each in literals:
            if each.name == name:
                return each.literal
        unnamed = [each.literal for each in literals if each.name is None]
        return unnamed[position] if position < len(unnamed) else None

    def name_of(self, record: TensorRecord) -> str | None:
        """Return the name that a tensor goes by at this moment, the newest one."""
        names = [name for name, tensor in self._names.items() if tensor == record.id]
        return names[-1] if names else None

    @property
    def region(self) -> Zone:
        """The part of the stage in which blocks are placed in this clip."""
        artboard = self.canvas.artboard
        zone = artboard.stage if self.tape is None else artboard.stage_above_tape
        return zone.inset(*self.room)

    def placement(self, record: TensorRecord, mode: Mode | None = None) -> Placement:
        """Return where a tensor stands when it is on stage."""
        return place(
            record.shape,
            self.region,
            self.canvas.artboard,
            mode=mode or modes(record.shape)[0],
            above=self.tape is not None,
        )

    def row_pose(self, block: TensorBlock) -> Pose:
        """Return the pose of a block's cells in one row: the shape they have in memory."""
        count = len(block.pose.corners)
        return place((count,), self.region, self.canvas.artboard, above=self.tape is not None).pose

    def new_block(self, record: TensorRecord) -> tuple[TensorBlock, Placement]:
        """Return a block for a tensor, not yet on stage, and where it stands."""
        placement = self.placement(record)
        values = self.trace.values.get(record.id)
        return TensorBlock(self.canvas, record, values, self._fills(record), placement.pose), (
            placement
        )

    def block_of(self, record: TensorRecord) -> TensorBlock:
        """Return the block that shows a tensor, or a view of the same elements in the same order.

        What is on stage keeps its identity; a tensor that is not there takes the stage.
        """
        block = self._block
        if block is not None:
            if block.record.id == record.id:
                return block
            if block.record.storage == record.storage and np.array_equal(
                memory_positions(block.record).ravel(), memory_positions(record).ravel()
            ):
                return block
        self.exchange(record)
        assert self._block is not None
        return self._block

    def show_block(self, block: TensorBlock) -> None:
        """Put a block on stage."""
        self._block = block
        self.add(block)

    def appear(self, block: TensorBlock, run_time: float = motion.QUICK) -> None:
        """Fade a block in, through opaque mixes."""
        self.play(BlockAnimation(block, lambda t: _fade(block, 1 - motion.ease(t)), run_time))

    def exchange(self, record: TensorRecord) -> None:
        """Let a tensor take the stage from what is on it."""
        self.clear_stage()
        block, placement = self.new_block(record)
        self.show_block(block)
        self.appear(block)
        self.grow_brackets(placement)

    def clear_stage(self, run_time: float = motion.QUICK) -> None:
        """Take the block on stage, and what belongs to it, off the stage."""
        block = self._block
        if block is None:
            return
        labels = self.leave_brackets()
        extra = [part for boxes in self._boxes for part in (boxes.behind, boxes.front)]
        extra += [boxes.bracket for boxes in self._boxes]
        fade = BlockAnimation(block, lambda t: _fade(block, motion.ease(t)), run_time)
        self.play(fade, *labels, *(FadeOut(mobject, run_time=run_time) for mobject in extra))
        self.remove(block, *extra)
        if self.tape is not None:
            self.tape.outline(None)
        self._block, self._boxes = None, []

    def empty_slots(self, pose: Pose) -> VGroup:
        """Return the empty slots in which the cells of a pose will land."""
        theme, artboard = self.canvas.theme, self.canvas.artboard
        inset = artboard.px(4)
        return VGroup(
            *(
                self.canvas.rectangle(
                    x + inset,
                    y + inset,
                    pose.size * pose.stretch[0] - 2 * inset,
                    pose.size * pose.stretch[1] - 2 * inset,
                    fill=theme.surface,
                    line=theme.line,
                    stroke=artboard.px(2.5),
                )
                for x, y in pose.corners
            )
        )

    def grow_brackets(self, placement: Placement) -> None:
        """Let the brackets of the block on stage grow, and its title appear."""
        self._label(placement)
        grown: list[Animation] = [bracket.grow() for bracket in self._brackets]
        if self._ghosts is not None and self._block is not None:
            self.add(self._ghosts, self._block)
            grown.append(FadeIn(self._ghosts, run_time=motion.QUICK))
        if self._title is not None:
            grown.append(FadeIn(self._title, run_time=motion.QUICK))
        if grown:
            self.play(*grown)

    def leave_brackets(self) -> list[Animation]:
        """Return the animations in which the brackets and the title of the block on stage go."""
        gone = [mobject for mobject in (self._ghosts, *self._brackets, self._title) if mobject]
        self._ghosts, self._brackets, self._title = None, [], None
        return [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def follow_memory(self, *, instantly: bool = False) -> None:
        """Outline one element in the block and on the tape, and hang the view line between."""
        block, tape = self._block, self.tape
        if block is None or tape is None or not self.tape_holds(block.record):
            return
        slot = min(tape.count - 1, round(_FOLLOWED * tape.count))
        places = memory_positions(block.record).ravel()
        if len(places) != len(block.slots) or slot not in places:
            return
        block.follow(int(np.flatnonzero(places == slot)[0]), tape.top_of(slot))
        tape.outline(slot)
        thread = self._thread(block, 0.0, 1.0)
        if instantly:
            thread.interpolate(1.0)
        else:
            self.play(thread)

    def unfollow_memory(self) -> list[Animation]:
        """Return the animations in which the view line and the outlines go."""
        block, tape = self._block, self.tape
        if block is None or tape is None or block.followed is None:
            return []
        tape.outline(None)
        return [self._thread(block, 1.0, 0.0)]

    def tape_holds(self, record: TensorRecord) -> bool:
        """Tell whether the memory tape on stage is this tensor's storage."""
        return self.tape is not None and self.tape.record.storage == record.storage

    def wrap(self, boxes: WireBoxes) -> None:
        """Grow wire boxes around the block on stage; its brackets make room."""
        assert self._block is not None
        for other in self._boxes:
            other.dim += other.dim >= boxes.dim
        self._boxes.append(boxes)
        self.add(boxes.behind, self._block, boxes.front)
        self.play(
            *boxes.grow(motion.SLOW),
            *(bracket.push(boxes.pad, motion.SLOW) for bracket in self._brackets if boxes.pad),
        )
        self.play(boxes.bracket.grow())

    def unwrap(self, record: TensorRecord, dim: int) -> None:
        """Let the wire boxes of ``dim`` of the tensor ``record`` on stage widen and go."""
        assert self._block is not None
        boxes = next((each for each in self._boxes if each.dim == dim), None)
        if boxes is None:
            boxes = WireBoxes(self.canvas, self._block, record, dim)
            self.wrap(boxes)
        self._boxes.remove(boxes)
        self.play(boxes.bracket.leave(), *boxes.leave(motion.SLOW))
        self.remove(boxes.behind, boxes.front)
        if self._brackets and boxes.pad:
            self.play(*(bracket.push(-boxes.pad, motion.QUICK) for bracket in self._brackets))
        for other in self._boxes:
            other.dim -= other.dim > dim

    def relabel(self, record: TensorRecord, dims: dict[int, int]) -> None:
        """Let the brackets on stage speak of another tensor; ``dims`` maps old dims to new."""
        for bracket in self._brackets:
            bracket.speak_of(record, dims)
        if self._title is not None and self._block is not None:
            old = self._title
            placed = Placement(record.shape, "open", self._block.pose, ())
            self._title = self._make_title(record, placed)
            self.play(
                FadeOut(old, run_time=motion.QUICK), FadeIn(self._title, run_time=motion.QUICK)
            )

    def flash_box(self, step: Step, run_time: float) -> None:
        """Show the op's name in a box in the middle of the stage, for an op with no picture."""
        artboard, theme, zone = self.canvas.artboard, self.canvas.theme, self.region
        text = registry.op_name(step.op)
        size = artboard.type_title
        label = self.canvas.label(
            text,
            zone.center_x,
            zone.center_y,
            size,
            theme.text,
            source=Drawn(0, text, "op", step=step.number),
        )
        width = label.width / artboard.unit + artboard.px(60)
        box = self.canvas.rectangle(
            zone.center_x - width / 2,
            zone.center_y - size,
            width,
            2 * size,
            radius=artboard.px(14),
            fill=theme.surface2,
            line=theme.focus,
            stroke=artboard.px(4),
        )
        group = VGroup(box, label)
        self.play(FadeIn(group, run_time=motion.QUICK))
        self.wait(run_time)
        self.play(FadeOut(group, run_time=motion.QUICK))

    # Making things.

    def _label(self, placement: Placement) -> None:
        assert self._block is not None
        record = self._block.record
        self._brackets = [Bracket(self.canvas, line, record) for line in placement.brackets]
        width = self.canvas.artboard.px(2.5)
        ghosts = [
            self.canvas.path([start, end], self.canvas.theme.line, width)
            for start, end in placement.ghosts
        ]
        self._ghosts = VGroup(*ghosts) if ghosts else None
        if self.canvas.artboard.code is not None:
            self._title = self._make_title(record, placement)

    def _make_title(self, record: TensorRecord, placement: Placement) -> Title:
        kind = (record.dtype, record.device)
        named, new = self._named(record), kind != self._titled
        title = Title(self.canvas, named, placement, self.room[2], badge=new)
        self._titled = kind
        return title

    def _named(self, record: TensorRecord) -> Named:
        return Named(self.name_of(record), record)

    def _make_tape(self, views: Sequence[Step]) -> MemoryTape | None:
        for step in views:
            record = whole_of_storage(self.trace, self.record(step.results[0]).storage)
            if record is not None and drawable((record.storage_size,)):
                values = self.trace.values.get(record.id)
                return MemoryTape(self.canvas, record, values, self._fills(record))
        return None

    def _fills(self, record: TensorRecord) -> list[Color]:
        theme = self.canvas.theme
        if not drawable(record.shape):
            return [theme.surface2]
        values = self.trace.values.get(record.id)
        if self._by_identity or values is None:
            places = memory_positions(record).ravel()
            return [identity(int(at), record.storage_size, theme.name) for at in places]
        return [signed(float(value), self._limit, theme.name) for value in values.ravel()]

    def _value_limit(self) -> float:
        """Return the 99th percentile of the sizes of all values, fixed for the whole clip."""
        kept = [np.abs(value.astype(float)).ravel() for value in self.trace.values.values()]
        sizes = np.concatenate(kept) if kept else np.zeros(0)
        finite = sizes[np.isfinite(sizes)]
        limit = float(np.percentile(finite, 99)) if len(finite) else 1.0
        return limit if limit > 0 else 1.0

    @staticmethod
    def _thread(block: TensorBlock, start: float, end: float) -> BlockAnimation:
        def draw(time: float) -> None:
            block.grown = start + (end - start) * motion.ease(time)
            block.set_pose(block.pose)

        return BlockAnimation(block, draw, motion.QUICK)

    def _find(self, line: str) -> Run:
        statements = {each.number: each.text for each in self.trace.cells[0].statements}
        left = self._runs[len(self.cues) :]
        found = [run for run in left if line in (statements[run.statement].strip(), *run.changed)]
        if len(found) == 1:
            return found[0]
        lines = ", ".join(repr(statements[run.statement]) for run in left)
        many = "no line" if not found else f"{len(found)} lines"
        raise TorchReelError(
            Problem(
                f"{self.trace.script}:{self.trace.cells[0].name}",
                f"{many} still to play match {line!r}",
                f"The lines still to play are: {lines}.",
            )
        )


def _fade(block: TensorBlock, share: float) -> None:
    block.faded = share
    block.set_pose(block.pose)
