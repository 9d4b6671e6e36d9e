"""What is on stage, and how it comes and goes: what the choreographies in ``ops/`` work with.

A choreography is a function of the stage and a step. It asks the stage to *arrange* the tensors of
its step, and plays ordinary Manim animations on the blocks it gets back::

    a, b, c = stage.arrange("left_right", stage.operands(step), stage.results(step), symbols="+=")
    for element in range(3):
        stage.play(stage.light(a, [element]), stage.light(b, [element]), stage.light(c, [element]),
                   *stage.write_line([(a, element), "+", (b, element), "=", (c, element)]))
        stage.play(stage.land(c, [element]))
    stage.play(*stage.unlight(), *stage.rub_out())
    stage.play(stage.land(c))

* ``arrange(family, operands, results)``: families ``in_place``, ``left_right``, ``stacked``,
  ``corner`` (``arrangement.py``). A tensor that is on stage already moves to its new place and
  keeps its cells; the others come and go. Results are empty slots until ``land`` or ``fly``.
* ``light`` / ``unlight``: the focus frame, around the cells of these elements. One idea at a time.
* ``dim``: an opaque mix towards the background. ``land``: cells drop into their slots. ``fly``:
  cells travel to their slots from where elements of other blocks stand.
* ``write_line`` / ``rub_out``: ``a + b = c`` written out large. ``write``: a block's values change.
* Elements are row-major places in the tensor, or a boolean mask of its shape; what is not drawn
  (a slab, the middle of a long row) is lit as a whole, or left out.

These return animations, so that several can be played at once: ``stage.play(…)``. The families of
ops and their files: creation, reshape, squeeze (in place), elementwise and broadcast, unary,
reductions, matmul, indexing, transpose and permute, cat and stack, contiguous and clone. An op
without a file is played by its provenance: ``moves`` (cells fly by the measured map), ``feeds``
(what feeds a result is lit), else the named box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from manim import Animation, FadeIn, FadeOut, Mobject, Scene, VGroup
from numpy.typing import NDArray

from torchreel.records import Array, Drawn, Step, TensorRecord, Trace
from torchreel.stage import motion, registry
from torchreel.stage.arrangement import Arrangement, Family, Item, Mark, Spot, arrange
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas
from torchreel.stage.fills import Fills
from torchreel.stage.focus import Focus, Part, WrittenLine
from torchreel.stage.form import CELLS_MAX
from torchreel.stage.layout import Mode, Placement, Pose, brackets, drawable, modes, place
from torchreel.stage.memory import memory_positions, whole_of_storage
from torchreel.stage.strip import Named, shape_text
from torchreel.stage.tape import MemoryTape
from torchreel.stage.title import Name, Title
from torchreel.stage.wirebox import WireBoxes

_FOLLOWED = 0.6
"""Which element is followed through every move: the one at this share of the storage."""

_GROUPS = 64
"""No more parts than this arrive one by one."""

_DROP = 0.45


class Stage:
    """The blocks on stage, their labels, the memory tape, what is lit and what is written.

    ``blocks`` are in the order in which they came; ``block`` is the last of them. ``names`` says
    which name holds which tensor record at this moment.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene = scene
        self.trace = trace
        self.canvas = canvas
        self.names: dict[str, int] = dict(trace.names)
        self.blocks: list[TensorBlock] = []
        self.free: Zone = canvas.artboard.stage
        self._props: list[Mobject] = []
        self._slots: dict[int, VGroup] = {}
        self._lights: dict[int, Focus] = {}
        self._line: WrittenLine | None = None
        self._titled: tuple[str, str] | None = None
        plans = [registry.find(step.op, self.provenance(step)) for step in trace.steps]
        self.fills = Fills(trace, [plan.fills for plan in plans], canvas.theme)
        self.tape = self._make_tape(
            [step for step, plan in zip(trace.steps, plans, strict=True) if plan.tape and step.view]
        )
        self.room = tuple(
            max((canvas.artboard.px(plan.room[side]) for plan in plans), default=0.0)
            for side in range(4)
        )

    # Facts of the trace.

    @property
    def limit(self) -> float:
        """The value that has the full colour in this clip."""
        return self.fills.limit

    @property
    def block(self) -> TensorBlock | None:
        """The block that came last, None on an empty stage."""
        return self.blocks[-1] if self.blocks else None

    def record(self, tensor: int) -> TensorRecord:
        """Return the tensor record with this id."""
        return self.trace.tensor(tensor)

    def operand(self, step: Step) -> int:
        """Return the record id of the first tensor among a step's operands."""
        return next(each.tensor for each in step.operands if each.tensor is not None)

    def operands(self, step: Step) -> list[TensorRecord]:
        """Return the tensors among a step's operands, in order."""
        return [self.record(each.tensor) for each in step.operands if each.tensor is not None]

    def results(self, step: Step) -> list[TensorRecord]:
        """Return what a step made."""
        return [self.record(each) for each in step.results]

    def values(self, record: TensorRecord) -> Array | None:
        """Return a tensor's values, None where they were not kept whole."""
        return self.trace.values.get(record.id)

    def literal(self, step: Step, position: int, name: str) -> str | None:
        """Return the text of a literal argument, by keyword or by position among the literals."""
        literals = [each for each in step.operands if each.tensor is None]
        for each in literals:
            if each.name == name:
                return each.literal
        unnamed = [each.literal for each in literals if each.name is None]
        return unnamed[position] if position < len(unnamed) else None

    def provenance(self, step: Step) -> str | None:
        """Return how a step's first result came about: moves, feeds, opaque, or None."""
        return next((each.kind for each in step.provenance if each.result == 0), None)

    def name_of(self, record: TensorRecord) -> str | None:
        """Return the name that a tensor goes by at this moment, the newest one."""
        names = [name for name, tensor in self.names.items() if tensor == record.id]
        return names[-1] if names else record.name or None

    def named(self, record: TensorRecord) -> Named:
        """Return a tensor with the name it goes by at this moment."""
        return Named(self.name_of(record), record)

    def companions(self, record: TensorRecord) -> list[TensorRecord]:
        """Return the tensors on stage that the next step with this one needs as well."""
        there = {block.record.id: block.record for block in self.blocks}
        for step in self.trace.steps:
            used = [each.tensor for each in step.operands]
            if record.id in used and record.id not in step.results:
                return [
                    there[each]
                    for each in dict.fromkeys(used)
                    if each in there and each != record.id
                ]
        return []

    # Where blocks stand.

    @property
    def region(self) -> Zone:
        """The part of the stage in which one block is placed in this clip."""
        return self.zone.inset(*self.room)

    @property
    def zone(self) -> Zone:
        """The part of the stage in which several blocks are placed."""
        artboard = self.canvas.artboard
        return artboard.stage if self.tape is None else artboard.stage_above_tape

    def placement(self, record: TensorRecord, mode: Mode | None = None) -> Placement:
        """Return where a tensor stands when it is alone on stage."""
        return place(
            record.shape,
            self.region,
            self.canvas.artboard,
            mode=mode or modes(record.shape)[0],
            above=self.tape is not None,
            short=self.is_short(record),
        )

    def is_short(self, record: TensorRecord) -> bool:
        """Tell whether only the ends of a row are drawn, so that its numbers can be read."""
        artboard = self.canvas.artboard
        if len(record.shape) != 1 or record.id not in self.trace.values:
            return False
        (count,) = record.shape
        if count <= artboard.stage.width // artboard.digits_from:
            return False
        moved = self.fills.kind(record) == "identity"
        return not moved or count > artboard.stage.width // artboard.cells_from

    def row_pose(self, block: TensorBlock) -> Pose:
        """Return the pose of a block's cells in one row: the shape they have in memory."""
        count = len(block.pose.corners)
        return place((count,), self.region, self.canvas.artboard, above=self.tape is not None).pose

    def make_block(self, record: TensorRecord, placement: Placement) -> TensorBlock:
        """Return a block for a tensor at a place, not yet on stage."""
        elements = placement.elements
        values = self.values(record)
        if not len(elements):
            image, plain = self.fills.image(record), self.canvas.theme.surface2[None, :]
            return TensorBlock(self.canvas, record, placement, plain, None, image)
        shown = None if values is None else values.ravel()[elements]
        fills = self.fills.colors(record, elements)
        return TensorBlock(self.canvas, record, placement, fills, shown)

    def new_block(self, record: TensorRecord) -> tuple[TensorBlock, Placement]:
        """Return a block for a tensor alone on stage, not yet there, and where it stands."""
        placement = self.placement(record)
        return self.make_block(record, placement), placement

    # Coming and going.

    def play(self, *animations: Animation) -> None:
        """Play animations at once; nothing where there are none."""
        if animations:
            self.scene.play(*animations)

    def arrange(
        self,
        family: Family,
        operands: Sequence[TensorRecord],
        results: Sequence[TensorRecord] = (),
        *,
        symbols: Sequence[str] = (),
        mode: Sequence[Mode | None] = (),
        bare: bool = True,
        line: bool = False,
        box: Step | None = None,
    ) -> list[TensorBlock]:
        """Bring operands to their places, keep empty slots for results, and return all blocks.

        ``symbols`` follow the tensors one by one (``"+="``, ``["@", "→"]``), ``mode`` says how each
        is drawn, ``bare`` leaves brackets out, ``line`` keeps room for :meth:`write_line`, ``box``
        puts the symbol that is this step's op into a box.
        """
        records = [*operands, *results]
        if box is not None:
            word = registry.op_name(box.op)
            symbols = [f"   {word}   " if each == word else each for each in symbols]
        shown = self._arrangement(family, records, symbols, mode, bare, line)
        self.free = shown.free
        blocks, entering = self._cast(records, len(operands), shown)
        leaving = [block for block in self.blocks if block not in blocks]
        gone, parting = self._parting(leaving)
        moving = [block for block in blocks if block in self.blocks]
        labels, unlabelled = self._unlabelled(moving)
        self.blocks = blocks
        for block in entering:
            block.fade_into(1.0)
            self.scene.add(block)
        self.play(
            *parting,
            *unlabelled,
            *self._props_leaving(),
            *(
                self._settling(b, p)
                for b, p in zip(blocks, shown.placements, strict=True)
                if b in moving
            ),
            *(
                self.fading(block, 1.0, 0.0)
                for block in entering[: self._entered(entering, results)]
            ),
        )
        self.scene.remove(*gone, *labels)
        self._await(blocks[len(operands) :])
        self._label_all(blocks, shown, bare, box)
        return blocks

    def block_of(self, record: TensorRecord) -> TensorBlock:
        """Return the block of a tensor, alone on stage: the one that shows the same elements in the
        same order where there is one, else a new one."""
        block = self._showing(record, self.blocks)
        alone = block is not None and len(self.blocks) == 1 and not self._props
        if block is not None and alone and len(block.elements) == record.numel:
            return block
        if block is not None and block.record.id == record.id and alone:
            return block
        return self.arrange("in_place", [record], bare=False)[0]

    def enter(self, records: Sequence[TensorRecord]) -> None:
        """Put tensors on stage at once, as they are before the first line."""
        if self.tape is not None:
            self.scene.add(self.tape)
        if len(records) == 1:
            block, placement = self.new_block(records[0])
            self.show_block(block)
            self.label(placement)
        else:
            shown = self._arrangement("left_right", list(records), (), (), True, False)
            for record, placement, spot in zip(records, shown.placements, shown.names, strict=True):
                block = self.make_block(record, placement)
                self.show_block(block)
                block.title = self._name(record, spot)
        for block in self.blocks:
            self.scene.add(*self._behind(block), block, *self._labels_of(block))
        self.follow_memory(instantly=True)

    def show_block(self, block: TensorBlock) -> None:
        """Put a block on stage, beside what is there."""
        self.blocks.append(block)
        self.scene.add(block)

    def exchange(self, record: TensorRecord) -> None:
        """Let a tensor take the stage from what is on it."""
        self.arrange("in_place", [record], bare=False)

    def clear(self, run_time: float = motion.QUICK) -> None:
        """Take everything but the tape off the stage."""
        gone, parting = self._parting(self.blocks, run_time)
        self.play(*parting, *self._props_leaving())
        self.scene.remove(*gone)
        if self.tape is not None:
            self.tape.outline(None)
        self.blocks = []

    def fading(
        self, block: TensorBlock, start: float, end: float, run_time: float = motion.QUICK
    ) -> Animation:
        """Return the animation that fades a block between two shares, by opaque mixes."""
        return BlockAnimation(
            block, lambda t: block.fade_into(start + (end - start) * motion.ease(t)), run_time
        )

    def appear(self, block: TensorBlock, run_time: float = motion.QUICK) -> None:
        """Fade a block in."""
        self.play(self.fading(block, 1.0, 0.0, run_time))

    def empty_slots(self, pose: Pose) -> VGroup:
        """Return the empty slots in which the cells of a pose will land: one for very many."""
        theme, artboard = self.canvas.theme, self.canvas.artboard
        inset = min(artboard.px(4), 0.06 * pose.size)
        places = [
            (x, y, pose.size * pose.stretch[0], pose.size * pose.stretch[1])
            for x, y in pose.corners
        ]
        if len(places) > _GROUPS:
            left, top, right, bottom = pose.front
            places = [(left, top, right - left, bottom - top)]
        return VGroup(
            *(
                self.canvas.rectangle(
                    x + inset,
                    y + inset,
                    width - 2 * inset,
                    height - 2 * inset,
                    fill=theme.surface,
                    line=theme.line,
                    stroke=artboard.px(2.5),
                )
                for x, y, width, height in places
            )
        )

    # What choreographies do with blocks.

    def light(
        self, block: TensorBlock, elements: Any = None, run_time: float = motion.QUICK
    ) -> Animation:
        """Return the animation that puts the focus frame around these elements (None: all)."""
        cells = None if elements is None else block.cells_of(elements)
        focus = self._lights.get(id(block))
        if focus is None:
            focus = self._lights[id(block)] = Focus(self.canvas, block)
        self.scene.add(focus)
        return focus.move(cells, elements, run_time)

    def unlight(self, *blocks: TensorBlock, run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations in which the focus frames of these blocks go (none given: all)."""
        keys = [id(block) for block in blocks] or list(self._lights)
        lights = [self._lights.pop(key) for key in keys if key in self._lights]
        return [FadeOut(light, run_time=run_time) for light in lights]

    def dim(
        self,
        block: TensorBlock,
        elements: Any = None,
        share: float = 1.0,
        run_time: float = motion.QUICK,
    ) -> Animation:
        """Return the animation that dims these elements (None: all) to ``share``, the others not
        at all."""
        start, end = block.dims.copy(), np.zeros(len(block.dims))
        if elements is None or not len(block.elements):
            end[:] = share
        else:
            end[block.cells_of(elements)] = share
        return BlockAnimation(
            block, lambda t: block.dim_to(start + (end - start) * motion.ease(t)), run_time
        )

    def land(
        self, block: TensorBlock, elements: Any = None, run_time: float | None = None
    ) -> Animation:
        """Return the animation in which these elements (None: all that are missing) drop into
        their slots, in order."""
        home, before = block.pose, block.pose.shown.copy()
        cells = np.arange(len(before)) if elements is None else block.cells_of(elements)
        cells = cells[~before[cells]] if len(block.elements) else np.arange(len(before))
        if not len(block.elements):
            block.show_cells(True)
            block.fade_into(1.0)
            self._landed(block)
            return self.fading(block, 1.0, 0.0, run_time or motion.BEAT)
        group = _groups(len(cells))
        lasting = run_time or max(motion.QUICK, min(motion.SLOW, 0.09 * (1 + len(cells))))

        def draw(alpha: float) -> None:
            arrived = motion.staggered(alpha, int(group.max()) + 1)[group] if len(cells) else group
            corners, shown = home.corners.copy(), before.copy()
            corners[cells, 1] -= (1 - arrived) * _DROP * home.size
            shown[cells] = arrived > 0.02
            block.set_pose(replace(home, corners=corners, shown=shown))
            if alpha >= 1 and shown.all():
                self._landed(block)

        return BlockAnimation(block, draw, lasting)

    def fly(
        self,
        block: TensorBlock,
        starts: NDArray[np.float64],
        elements: Any = None,
        run_time: float = motion.SLOW,
        size: float | None = None,
    ) -> Animation:
        """Return the animation in which elements (None: all) travel to their slots from ``starts``
        (n, 2), the top left corners in pixels of cells of ``size``; they arc and do not cross
        their own ends."""
        home, before = block.pose, block.pose.shown.copy()
        cells = np.arange(len(before)) if elements is None else block.cells_of(elements)
        group = _groups(len(cells))
        first = size or home.size

        def draw(alpha: float) -> None:
            t = motion.staggered(alpha, int(group.max()) + 1)[group][:, None]
            path = starts + (home.corners[cells] - starts) * t
            reach = np.linalg.norm(home.corners[cells] - starts, axis=1)[:, None]
            path[:, 1:] -= 0.16 * np.minimum(reach, 600) * np.sin(np.pi * t)
            corners, shown = home.corners.copy(), before.copy()
            corners[cells], shown[cells] = path, True
            side = first + (home.size - first) * motion.ease(alpha)
            depth = home.depth * side / home.size
            block.set_pose(replace(home, corners=corners, shown=shown, size=side, depth=depth))
            if alpha >= 1:
                self._landed(block)

        return BlockAnimation(block, draw, run_time)

    def write(
        self, block: TensorBlock, record: TensorRecord, run_time: float = motion.BEAT
    ) -> Animation:
        """Return the animation in which a block shows the new values of a tensor written in
        place; every cell keeps its slot."""
        old = block.fills
        new = self.fills.colors(record, block.elements) if len(block.elements) else old
        values = self.values(record)

        def draw(alpha: float) -> None:
            if alpha > 0.5 and block.record is not record:
                block.become_tensor(record)
                block.set_values(None if values is None else values.ravel()[block.elements])
            block.set_fills(old + (new - old) * motion.ease(alpha))

        return BlockAnimation(block, draw, run_time)

    def write_line(self, parts: Sequence[Part], run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations that write ``[(a, 3), "+", (b, 3), "=", (c, 3)]`` out large in the
        free zone; a pair is a block and an element of it."""
        gone = self.rub_out(run_time)
        self._line = WrittenLine(self.canvas, parts, self.free, self.trace)
        return [*gone, FadeIn(self._line, run_time=run_time)]

    def rub_out(self, run_time: float = motion.QUICK) -> list[Animation]:
        """Return the animations in which the written line goes."""
        line, self._line = self._line, None
        return [] if line is None else [FadeOut(line, run_time=run_time)]

    def put(self, mobject: Mobject, run_time: float = motion.QUICK) -> Animation:
        """Return the animation in which a mobject of the choreography's own appears; it leaves
        with the next arrangement."""
        self._props.append(mobject)
        return FadeIn(mobject, run_time=run_time)

    # Labels of a block.

    def grow_brackets(self, placement: Placement) -> None:
        """Let the brackets of the last block grow, and its title appear."""
        self.label(placement)
        block = self.block
        assert block is not None
        self.scene.add(*self._behind(block), block)
        self.play(*self._labels_growing(block))

    def leave_brackets(self, block: TensorBlock | None = None) -> list[Animation]:
        """Return the animations in which the brackets and the title of a block (the last) go."""
        block = block or self.block
        if block is None:
            return []
        gone = [*self._behind(block), *self._labels_of(block)]
        block.ghosts, block.brackets, block.title = None, [], None
        return [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def bracket(self, block: TensorBlock, dim: int, *, lit: bool = True) -> Bracket | None:
        """Return a bracket with the size of a dimension for a block, to be grown; None where the
        dimension is not drawn."""
        for line in brackets(block.placement.form, block.placement.pose, self.canvas.artboard):
            if line.dim == dim % max(1, len(block.record.shape)):
                made = Bracket(self.canvas, line, block.record, lit=lit)
                block.brackets.append(made)
                return made
        return None

    def relabel(self, record: TensorRecord, dims: dict[int, int]) -> None:
        """Let the brackets of the last block speak of another tensor; ``dims`` maps old to new."""
        block = self.block
        assert block is not None
        for bracket in block.brackets:
            bracket.speak_of(record, dims)
        if block.title is not None:
            old = block.title
            placed = replace(block.placement, shape=record.shape, pose=block.pose)
            block.title = self._make_title(record, placed)
            self.play(
                FadeOut(old, run_time=motion.QUICK), FadeIn(block.title, run_time=motion.QUICK)
            )

    def label(self, placement: Placement) -> None:
        """Make the brackets, the lines between slices and the title of the last block."""
        block = self.block
        assert block is not None
        record = block.record
        block.placement = placement
        block.brackets = [Bracket(self.canvas, line, record) for line in placement.brackets]
        block.ghosts = self._ghosts(placement)
        if self.canvas.artboard.code is not None:
            block.title = self._make_title(record, placement)

    # Memory.

    def follow_memory(self, *, instantly: bool = False) -> None:
        """Outline one element in the block and on the tape, and hang the view line between."""
        block, tape = self.block, self.tape
        if block is None or tape is None or not self.tape_holds(block.record):
            return
        slot = min(tape.count - 1, round(_FOLLOWED * tape.count))
        places = memory_positions(block.record).ravel()
        if len(places) != len(block.elements) or slot not in places:
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
        block, tape = self.block, self.tape
        if block is None or tape is None or block.followed is None:
            return []
        tape.outline(None)
        return [self._thread(block, 1.0, 0.0)]

    def tape_holds(self, record: TensorRecord) -> bool:
        """Tell whether the memory tape on stage is this tensor's storage."""
        return self.tape is not None and self.tape.record.storage == record.storage

    # Wire boxes.

    def wrap(self, boxes: WireBoxes) -> None:
        """Grow wire boxes around the last block; its brackets make room."""
        block = self.block
        assert block is not None
        for other in block.boxes:
            other.dim += other.dim >= boxes.dim
        block.boxes.append(boxes)
        self.scene.add(boxes.behind, block, boxes.front)
        self.play(
            *boxes.grow(motion.SLOW),
            *(bracket.push(boxes.pad, motion.SLOW) for bracket in block.brackets if boxes.pad),
        )
        self.play(boxes.bracket.grow())

    def unwrap(self, record: TensorRecord, dim: int) -> None:
        """Let the wire boxes of ``dim`` of the tensor ``record`` on stage widen and go."""
        block = self.block
        assert block is not None
        boxes = next((each for each in block.boxes if each.dim == dim), None)
        if boxes is None:
            boxes = WireBoxes(self.canvas, block, record, dim)
            self.wrap(boxes)
        block.boxes.remove(boxes)
        self.play(boxes.bracket.leave(), *boxes.leave(motion.SLOW))
        self.scene.remove(boxes.behind, boxes.front)
        if block.brackets and boxes.pad:
            self.play(*(bracket.push(-boxes.pad, motion.QUICK) for bracket in block.brackets))
        for other in block.boxes:
            other.dim -= other.dim > dim

    def flash_box(self, step: Step, run_time: float) -> None:
        """Show the op's name in a box in the middle of the stage, for an op with no picture."""
        zone = self.zone
        group = self.named_box(step, zone.center_x, zone.center_y)
        self.play(FadeIn(group, run_time=motion.QUICK))
        self.scene.wait(run_time)
        self.play(FadeOut(group, run_time=motion.QUICK))

    def named_box(self, step: Step, x: float, y: float) -> VGroup:
        """Return a box with the op's name around a middle in pixels."""
        artboard, theme = self.canvas.artboard, self.canvas.theme
        text, size = registry.op_name(step.op), artboard.type_title
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
            line=theme.focus,
            stroke=artboard.px(4),
        )
        return VGroup(box, label)

    # How an arrangement comes about.

    def _arrangement(
        self,
        family: Family,
        records: Sequence[TensorRecord],
        symbols: Sequence[str],
        mode: Sequence[Mode | None],
        bare: bool,
        line: bool,
    ) -> Arrangement:
        if len(records) == 1 and not line and not any(mode):
            placement = self.placement(records[0])
            middle = Spot(0, 0, 0.5, 0)
            return Arrangement((placement,), (middle,), (), self.zone)
        items = [
            Item(
                record.shape,
                self._name_text(record) if len(records) > 1 else "",
                mode[index] if index < len(mode) else None,
                self.is_short(record),
                bare,
                symbols[index] if index < len(symbols) else "",
            )
            for index, record in enumerate(records)
        ]
        return arrange(family, items, self.zone, self.canvas.artboard, line=line)

    def _cast(
        self, records: Sequence[TensorRecord], operands: int, shown: Arrangement
    ) -> tuple[list[TensorBlock], list[TensorBlock]]:
        """Return the block of each record, and those that are new."""
        blocks: list[TensorBlock] = []
        entering: list[TensorBlock] = []
        left = list(self.blocks)
        for index, (record, placement) in enumerate(zip(records, shown.placements, strict=True)):
            found = self._showing(record, left) if index < operands else None
            if found is not None and np.array_equal(found.elements, placement.elements):
                left.remove(found)
                found.become_tensor(record)
                blocks.append(found)
                continue
            made = self.make_block(record, placement)
            if index >= operands:
                made.show_cells(False)
            blocks.append(made)
            entering.append(made)
        return blocks, entering

    def _showing(self, record: TensorRecord, among: Sequence[TensorBlock]) -> TensorBlock | None:
        """Return the block that shows a tensor, or the same elements in the same order."""
        for block in among:
            if block.record.id == record.id:
                return block
        for block in among:
            same = block.record.storage == record.storage and block.record.numel == record.numel
            if (
                same
                and record.stride
                and 0 < record.numel <= CELLS_MAX
                and self._as_before(block.record, record)
                and _same_memory(block.record, record)
            ):
                return block
        return None

    def _as_before(self, one: TensorRecord, other: TensorRecord) -> bool:
        """Tell whether two tensors hold the same values: nothing was written in between."""
        first, second = self.values(one), self.values(other)
        if first is None or second is None or first.dtype != second.dtype:
            return False
        return first.ravel().tobytes() == second.ravel().tobytes()

    @staticmethod
    def _entered(entering: Sequence[TensorBlock], results: Sequence[TensorRecord]) -> int:
        return len(entering) - len(results)

    def _settling(self, block: TensorBlock, placement: Placement) -> Animation:
        """Return the animation in which a block moves to its new place, and is lit again."""
        start, dims, end = block.pose, block.dims.copy(), placement.pose
        block.placement = placement

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            block.dims = dims * (1 - t)
            block.set_pose(between(start, end, t))

        return BlockAnimation(block, draw, motion.BEAT)

    def _await(self, results: Sequence[TensorBlock]) -> None:
        """Put empty slots where results will land."""
        for block in results:
            block.faded = 0.0
            slots = self.empty_slots(block.pose)
            self._slots[id(block)] = slots
            self._props.append(slots)
            self.scene.add(slots, block)

    def _landed(self, block: TensorBlock) -> None:
        slots = self._slots.pop(id(block), None)
        if slots is not None:
            self.scene.remove(slots)
            slots.submobjects.clear()
            self._props = [prop for prop in self._props if prop is not slots]

    def _parting(
        self, blocks: Sequence[TensorBlock], run_time: float = motion.QUICK
    ) -> tuple[list[Mobject], list[Animation]]:
        """Return what goes with these blocks, and the animations in which it goes."""
        gone: list[Mobject] = []
        animations: list[Animation] = []
        for block in blocks:
            extra: list[Mobject] = [*self._behind(block), *self._labels_of(block)]
            animations.append(self.fading(block, block.faded, 1.0, run_time))
            animations += [FadeOut(mobject, run_time=run_time) for mobject in extra]
            gone += [block, *extra]
            block.brackets, block.boxes, block.title, block.ghosts = [], [], None, None
        return gone, animations

    def _unlabelled(self, blocks: Sequence[TensorBlock]) -> tuple[list[Mobject], list[Animation]]:
        """Return the labels of blocks that stay, and the animations in which they go."""
        gone: list[Mobject] = []
        for block in blocks:
            gone += [*self._behind(block), *self._labels_of(block)]
            block.brackets, block.boxes, block.title, block.ghosts = [], [], None, None
            block.followed = None
        if self.tape is not None:
            self.tape.outline(None)
        return gone, [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def _props_leaving(self) -> list[Animation]:
        props, self._props, self._slots = self._props, [], {}
        return [
            *self.unlight(),
            *self.rub_out(),
            *(FadeOut(prop, run_time=motion.QUICK) for prop in props),
        ]

    def _label_all(
        self,
        blocks: Sequence[TensorBlock],
        shown: Arrangement,
        bare: bool,
        box: Step | None,
    ) -> None:
        """Let names, brackets and symbols of an arrangement appear."""
        animations: list[Animation] = []
        for block, placement, spot in zip(blocks, shown.placements, shown.names, strict=True):
            block.placement = placement
            if not bare:
                block.brackets = [
                    Bracket(self.canvas, each, block.record) for each in placement.brackets
                ]
                block.ghosts = self._ghosts(placement)
            if len(blocks) > 1:
                block.title = self._name(block.record, spot)
            elif self.canvas.artboard.code is not None:
                block.title = self._make_title(block.record, placement)
            if block.ghosts is not None:
                self.scene.add(block.ghosts, block)
            animations += self._labels_growing(block)
        animations += [self.put(self._symbol(mark, box)) for mark in shown.marks]
        self.play(*animations)

    def _symbol(self, mark: Mark, box: Step | None) -> Mobject:
        if box is not None and mark.text.strip() == registry.op_name(box.op):
            return self.named_box(box, mark.x, mark.y)
        source = Drawn(0, mark.text, "sign")
        color = self.canvas.theme.muted
        return self.canvas.label(mark.text, mark.x, mark.y, mark.size, color, source=source)

    def _labels_growing(self, block: TensorBlock) -> list[Animation]:
        grown: list[Animation] = [bracket.grow() for bracket in block.brackets]
        if block.ghosts is not None:
            grown.append(FadeIn(block.ghosts, run_time=motion.QUICK))
        if block.title is not None and len(block.title):
            grown.append(FadeIn(block.title, run_time=motion.QUICK))
        return grown

    @staticmethod
    def _labels_of(block: TensorBlock) -> list[Mobject]:
        extra = [part for boxes in block.boxes for part in (boxes.front, boxes.bracket)]
        title = [block.title] if block.title is not None else []
        return [*block.brackets, *extra, *title]

    @staticmethod
    def _behind(block: TensorBlock) -> list[Mobject]:
        boxes = [boxes.behind for boxes in block.boxes]
        return [*boxes, *([block.ghosts] if block.ghosts is not None else [])]

    def _ghosts(self, placement: Placement) -> VGroup | None:
        width, color = self.canvas.artboard.px(2.5), self.canvas.theme.line
        lines = [self.canvas.path([a, b], color, width) for a, b in placement.ghosts]
        return VGroup(*lines) if lines else None

    def _name_text(self, record: TensorRecord) -> str:
        name = self.name_of(record) or ""
        if self.canvas.artboard.code is None:
            return name
        return f"{name} {shape_text(record)}".strip()

    def _name(self, record: TensorRecord, spot: Spot) -> Name:
        return Name(self.canvas, self.named(record), spot)

    def _make_title(self, record: TensorRecord, placement: Placement) -> Title:
        kind = (record.dtype, record.device)
        named, new = self.named(record), kind != self._titled
        title = Title(self.canvas, named, placement, self.room[2], badge=new)
        self._titled = kind
        return title

    def _make_tape(self, views: Sequence[Step]) -> MemoryTape | None:
        # What a tape shows must stay true: memory that is written in this clip gets none.
        written = {
            self.record(result).storage
            for step in self.trace.steps
            if step.written
            for result in step.results
        }
        for step in views:
            storage = self.record(step.results[0]).storage
            record = None if storage in written else whole_of_storage(self.trace, storage)
            if record is not None and drawable((record.storage_size,)):
                values = self.values(record)
                fills = self.fills.colors(record, np.arange(record.numel))
                return MemoryTape(self.canvas, record, values, list(fills))
        return None

    @staticmethod
    def _thread(block: TensorBlock, start: float, end: float) -> BlockAnimation:
        def draw(time: float) -> None:
            block.grown = start + (end - start) * motion.ease(time)
            block.redraw()

        return BlockAnimation(block, draw, motion.QUICK)


def between(start: Pose, end: Pose, t: float) -> Pose:
    """Return the pose at ``t`` (0 to 1) on the straight way between two poses."""
    stretch = tuple(a + (b - a) * t for a, b in zip(start.stretch, end.stretch, strict=True))
    return replace(
        end,
        corners=start.corners + (end.corners - start.corners) * t,
        size=start.size + (end.size - start.size) * t,
        depth=start.depth + (end.depth - start.depth) * t,
        shown=start.shown | end.shown if t < 1 else end.shown,
        stretch=(stretch[0], stretch[1]),
    )


def _same_memory(one: TensorRecord, other: TensorRecord) -> bool:
    """Tell whether two tensors of one storage hold its elements in the same order."""
    return np.array_equal(memory_positions(one).ravel(), memory_positions(other).ravel())


def _groups(count: int) -> NDArray[np.int64]:
    """Return which of at most 64 parts each of ``count`` cells arrives with."""
    parts = max(1, min(count, _GROUPS))
    return np.arange(count) * parts // max(1, count)
