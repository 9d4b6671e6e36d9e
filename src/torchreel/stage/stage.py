"""What is on stage: one block with its brackets, title and wire boxes, over the memory tape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Animation, FadeIn, FadeOut, Scene, VGroup

from torchreel.records import Drawn, Step, TensorRecord, Trace
from torchreel.stage import motion, registry
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color, identity, signed
from torchreel.stage.layout import Mode, Placement, Pose, drawable, modes, place
from torchreel.stage.memory import memory_positions, whole_of_storage
from torchreel.stage.strip import Named
from torchreel.stage.tape import MemoryTape
from torchreel.stage.title import Title
from torchreel.stage.wirebox import WireBoxes

_FOLLOWED = 0.6
"""Which element is followed through every move: the one at this share of the storage."""


class Stage:
    """What is on stage and how it comes and goes: what choreographies work with.

    A choreography plays ordinary Manim animations with ``stage.scene.play``. ``names`` says which
    name holds which tensor record at this moment; ``block`` is the tensor on stage, if any.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene = scene
        self.trace = trace
        self.canvas = canvas
        self.names: dict[str, int] = dict(trace.names)
        self.block: TensorBlock | None = None
        self.brackets: list[Bracket] = []
        self.boxes: list[WireBoxes] = []
        self.ghosts: VGroup | None = None
        self.title: Title | None = None
        self._titled: tuple[str, str] | None = None
        steps = [trace.steps[number] for run in trace.runs for number in run.steps]
        plans = [registry.find(step.op) for step in steps]
        self._by_identity = all(plan.identity for plan in plans)
        self.limit = self._value_limit()
        self.tape = self._make_tape(
            [step for step, plan in zip(steps, plans, strict=True) if plan.tape and step.view]
        )
        self.room = tuple(
            max((canvas.artboard.px(plan.room[side]) for plan in plans), default=0.0)
            for side in range(4)
        )

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
        names = [name for name, tensor in self.names.items() if tensor == record.id]
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
        block = self.block
        if block is not None:
            if block.record.id == record.id:
                return block
            if block.record.storage == record.storage and np.array_equal(
                memory_positions(block.record).ravel(), memory_positions(record).ravel()
            ):
                return block
        self.exchange(record)
        assert self.block is not None
        return self.block

    def enter(self, record: TensorRecord) -> None:
        """Put a tensor on stage at once, as it is before the first line."""
        if self.tape is not None:
            self.scene.add(self.tape)
        block, placement = self.new_block(record)
        self.show_block(block)
        self.label(placement)
        parts = (self.ghosts, block, *self.brackets, self.title)
        self.scene.add(*(part for part in parts if part is not None))
        self.follow_memory(instantly=True)

    def show_block(self, block: TensorBlock) -> None:
        """Put a block on stage."""
        self.block = block
        self.scene.add(block)

    def appear(self, block: TensorBlock, run_time: float = motion.QUICK) -> None:
        """Fade a block in, through opaque mixes."""
        self.scene.play(BlockAnimation(block, lambda t: _fade(block, 1 - motion.ease(t)), run_time))

    def exchange(self, record: TensorRecord) -> None:
        """Let a tensor take the stage from what is on it."""
        self.clear()
        block, placement = self.new_block(record)
        self.show_block(block)
        self.appear(block)
        self.grow_brackets(placement)

    def clear(self, run_time: float = motion.QUICK) -> None:
        """Take the block on stage, and what belongs to it, off the stage."""
        block = self.block
        if block is None:
            return
        labels = self.leave_brackets()
        extra = [part for boxes in self.boxes for part in (boxes.behind, boxes.front)]
        extra += [boxes.bracket for boxes in self.boxes]
        fade = BlockAnimation(block, lambda t: _fade(block, motion.ease(t)), run_time)
        self.scene.play(fade, *labels, *(FadeOut(mobject, run_time=run_time) for mobject in extra))
        self.scene.remove(block, *extra)
        if self.tape is not None:
            self.tape.outline(None)
        self.block, self.boxes = None, []

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
        self.label(placement)
        grown: list[Animation] = [bracket.grow() for bracket in self.brackets]
        if self.ghosts is not None and self.block is not None:
            self.scene.add(self.ghosts, self.block)
            grown.append(FadeIn(self.ghosts, run_time=motion.QUICK))
        if self.title is not None:
            grown.append(FadeIn(self.title, run_time=motion.QUICK))
        if grown:
            self.scene.play(*grown)

    def leave_brackets(self) -> list[Animation]:
        """Return the animations in which the brackets and the title of the block on stage go."""
        gone = [mobject for mobject in (self.ghosts, *self.brackets, self.title) if mobject]
        self.ghosts, self.brackets, self.title = None, [], None
        return [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def follow_memory(self, *, instantly: bool = False) -> None:
        """Outline one element in the block and on the tape, and hang the view line between."""
        block, tape = self.block, self.tape
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
            self.scene.play(thread)

    def unfollow_memory(self) -> list[Animation]:
        """Return the animations in which the view line and the outlines go."""
        block, tape = self.block, self.tape
        if block is None or tape is None or block.followed is None:
            return []
        tape.outline(None)
        return [self._thread(block, 1.0, 0.0)]

    def tape_holds(self, record: TensorRecord) -> bool:
        """Tell whether the memory tape on stage is this tensor's storage."""
        return self.tape is not None and self.tape.record.storage == record.storage

    def wrap(self, boxes: WireBoxes) -> None:
        """Grow wire boxes around the block on stage; its brackets make room."""
        assert self.block is not None
        for other in self.boxes:
            other.dim += other.dim >= boxes.dim
        self.boxes.append(boxes)
        self.scene.add(boxes.behind, self.block, boxes.front)
        self.scene.play(
            *boxes.grow(motion.SLOW),
            *(bracket.push(boxes.pad, motion.SLOW) for bracket in self.brackets if boxes.pad),
        )
        self.scene.play(boxes.bracket.grow())

    def unwrap(self, record: TensorRecord, dim: int) -> None:
        """Let the wire boxes of ``dim`` of the tensor ``record`` on stage widen and go."""
        assert self.block is not None
        boxes = next((each for each in self.boxes if each.dim == dim), None)
        if boxes is None:
            boxes = WireBoxes(self.canvas, self.block, record, dim)
            self.wrap(boxes)
        self.boxes.remove(boxes)
        self.scene.play(boxes.bracket.leave(), *boxes.leave(motion.SLOW))
        self.scene.remove(boxes.behind, boxes.front)
        if self.brackets and boxes.pad:
            self.scene.play(*(bracket.push(-boxes.pad, motion.QUICK) for bracket in self.brackets))
        for other in self.boxes:
            other.dim -= other.dim > dim

    def relabel(self, record: TensorRecord, dims: dict[int, int]) -> None:
        """Let the brackets on stage speak of another tensor; ``dims`` maps old dims to new."""
        for bracket in self.brackets:
            bracket.speak_of(record, dims)
        if self.title is not None and self.block is not None:
            old = self.title
            placed = Placement(record.shape, "open", self.block.pose, ())
            self.title = self._make_title(record, placed)
            self.scene.play(
                FadeOut(old, run_time=motion.QUICK), FadeIn(self.title, run_time=motion.QUICK)
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
        self.scene.play(FadeIn(group, run_time=motion.QUICK))
        self.scene.wait(run_time)
        self.scene.play(FadeOut(group, run_time=motion.QUICK))

    def label(self, placement: Placement) -> None:
        """Make the brackets, the lines between slices and the title of the block on stage."""
        assert self.block is not None
        record = self.block.record
        self.brackets = [Bracket(self.canvas, line, record) for line in placement.brackets]
        width = self.canvas.artboard.px(2.5)
        ghosts = [
            self.canvas.path([start, end], self.canvas.theme.line, width)
            for start, end in placement.ghosts
        ]
        self.ghosts = VGroup(*ghosts) if ghosts else None
        if self.canvas.artboard.code is not None:
            self.title = self._make_title(record, placement)

    def _make_title(self, record: TensorRecord, placement: Placement) -> Title:
        kind = (record.dtype, record.device)
        named, new = self.named(record), kind != self._titled
        title = Title(self.canvas, named, placement, self.room[2], badge=new)
        self._titled = kind
        return title

    def named(self, record: TensorRecord) -> Named:
        """Return a tensor with the name it goes by at this moment."""
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
        return [signed(float(value), self.limit, theme.name) for value in values.ravel()]

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


def _fade(block: TensorBlock, share: float) -> None:
    block.faded = share
    block.set_pose(block.pose)
