"""The floor of the stage: which blocks stand on it, where they may, and how they fade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Animation, Mobject, Scene

from torchreel.records import Step, TensorRecord, Trace
from torchreel.stage import motion, registry
from torchreel.stage.artboard import Zone
from torchreel.stage.block import FRAMED, BlockAnimation, TensorBlock, is_framed
from torchreel.stage.canvas import Canvas
from torchreel.stage.facts import Facts
from torchreel.stage.fills import Fills, Points
from torchreel.stage.layout import Margins, Mode, Placement, Pose, modes, place
from torchreel.stage.photos import Photos
from torchreel.stage.registry import Choreography
from torchreel.stage.seen import Seen, own
from torchreel.stage.several import MOST
from torchreel.stage.tape import MemoryTape, tape_of

_EDGE = 9.5
"""So far a grey picture reaches over the lower edge of the stage, in film pixels."""


class Floor(Facts):
    """The blocks on stage and the zones in which they are placed.

    ``blocks`` are in the order in which they came; ``block`` is the last of them. ``times`` is how
    often the clip has told an op of the kind that plays: what is known is told shortly. ``tape`` is
    the memory that plays, ``beside`` another below it or above, while both tell something.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        super().__init__(trace)
        self.scene = scene
        self.canvas = canvas
        self.blocks: list[TensorBlock] = []
        self.times = 0
        self.free: Zone = canvas.artboard.stage
        self._props: list[Mobject] = []
        plans = [registry.find(step.op, self.provenance(step)) for step in trace.steps]
        self.fills = Fills(trace, [plan.fills for plan in plans], canvas.theme)
        self.photos = Photos(trace, self.fills)
        self.tape: MemoryTape | None = None
        self.beside: MemoryTape | None = None
        self._tapes: dict[int, MemoryTape | None] = {}
        self._looked_at = self._storages(plans)
        left, top, right, bottom = (
            max((canvas.artboard.px(plan.room[side]) for plan in plans), default=0.0)
            for side in range(4)
        )
        self.room: Margins = (left, top, right, bottom)

    def tape_for(self, record: TensorRecord) -> MemoryTape | None:
        """Return the tape of a tensor's storage, whether on stage or not; None where none fits."""
        if not record.stride or record.storage in self._unseen:
            return None
        if record.storage not in self._tapes:
            made = tape_of(self.trace, record.storage, self.canvas, self.fills)
            self._tapes[record.storage] = made
        return self._tapes[record.storage]

    def tape_of_step(self, step: Step) -> MemoryTape | None:
        """Return the tape that is below the stage during a step: the one that is there already,
        where the step has to do with it; else one of memory that it makes or has a picture of."""
        operands, results = self.operands(step), self.results(step)
        used = (*results, *operands) if step.written else (*operands, *results)
        touched = {each.storage: each for each in used}
        pictured = registry.find(step.op, self.provenance(step)).tape
        named = {self.record(each).storage for each in (*self.names.values(), *self.former)}
        there = [tape for tape in self.tapes if tape.record.storage in touched]
        if not (pictured or step.view or step.written):  # a piece without a name is passed by
            there = [tape for tape in there if tape.record.storage in named]
        if there:
            return next((t for t in there if t.record.storage == used[0].storage), there[0])
        for storage, record in touched.items():
            made = all(each.storage != storage for each in operands)
            if (made or pictured) and (storage in self._looked_at or storage in self._tapes):
                tape = self.tape_for(record)
                if tape is not None:
                    tape.tell(())
                    tape.stand(1.0)
                    tape.dims[:] = 0
                    tape.fill(np.zeros(tape.count) if made else np.ones(tape.count))
                    return tape
        return None

    def _storages(self, plans: Sequence[Choreography]) -> set[int]:
        """Return the storages that the cell looks at in pictures of memory, through a view."""
        steps = list(zip(self.trace.steps, plans, strict=True))
        # What a tape shows must stay true: memory that is written in another picture gets none.
        self._unseen = {
            self.record(made).storage
            for step, plan in steps
            if step.written and not plan.tape
            for made in step.results
        }
        return {
            self.record(step.results[0]).storage for step, plan in steps if plan.tape and step.view
        }

    @property
    def limit(self) -> float:
        """The value that has the full colour in this clip."""
        return self.fills.limit

    @property
    def block(self) -> TensorBlock | None:
        """The block that came last, None on an empty stage."""
        return self.blocks[-1] if self.blocks else None

    def companions(self, record: TensorRecord) -> list[TensorRecord]:
        """Return the tensors on stage that the next step with this one needs as well, the last ones
        where they are many."""
        there = {block.record.id: own(block.record) for block in self.blocks}
        for step in self.trace.steps:
            used = [each.tensor for each in step.operands]
            if record.id in used and record.id not in step.results:
                beside = [each for each in dict.fromkeys(used) if each in there]
                return [there[each] for each in beside if each != record.id][1 - MOST :]
        return []

    @property
    def region(self) -> Zone:
        """The part of the stage in which one block is placed in this clip."""
        return self.zone.inset(*self.room)

    @property
    def zone(self) -> Zone:
        """The part of the stage in which several blocks are placed."""
        artboard = self.canvas.artboard
        if self.tape is None:
            return artboard.stage
        if self.beside is None:
            return artboard.stage_above_tape
        return artboard.stage_above_tape.inset(bottom=self.tape.high)

    @property
    def tapes(self) -> list[MemoryTape]:
        """The memory below the stage: that which plays first."""
        return [tape for tape in (self.tape, self.beside) if tape is not None]

    def tape_with(self, record: TensorRecord) -> MemoryTape | None:
        """Return the tape on stage that is this tensor's memory, None where there is none."""
        tapes = (tape for tape in self.tapes if tape.record.storage == record.storage)
        return next(tapes, None)

    def memory_of(self, record: TensorRecord) -> MemoryTape | None:
        """Return the tape that is this tensor's memory, whether on stage now or not; None where the
        clip has shown none."""
        return self._tapes.get(record.storage)

    def placement(self, record: TensorRecord, mode: Mode | None = None) -> Placement:
        """Return where a tensor stands when it is alone on stage."""
        # A grey picture is as large as can be: eight rows of digits are just readable then.
        edge = -self.canvas.artboard.px(_EDGE) if self.fills.is_inked(record) else 0
        frame = self.canvas.artboard.px(FRAMED) if is_framed(record) else 0.0
        return place(
            record.shape,
            self.region.inset(left=frame, top=edge / 3 + frame, right=frame, bottom=edge + frame),
            self.canvas.artboard,
            mode=mode or modes(record.shape)[0],
            above=self.tape is not None,
            short=self.is_short(record),
            order=self.order_of(record),
        )

    def order_of(self, record: TensorRecord) -> tuple[int, ...] | None:
        """Return which dimensions of a picture lie in depth, down and across; None of any other
        tensor, and of one that is seen in another shape than its own."""
        return None if isinstance(record, Seen) else self.photos.order(record.id)

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
            plain = self.canvas.theme.surface2[None, :]
            image = self.front_of(record, self.order_of(record))
            return TensorBlock(self.canvas, record, placement, plain, None, image)
        shown = None if values is None else values.ravel()[elements]
        fills = self.fills.colors(record, elements)
        return TensorBlock(self.canvas, record, placement, fills, shown)

    def front_of(
        self, record: TensorRecord, order: tuple[int, ...] | None, at: tuple[int, ...] = ()
    ) -> Points | None:
        """Return what the front of a tensor's slab shows, colours (rows, columns, 3), None where
        its values are not known: of the slice with the element ``at``, else the first."""
        photo = None if self.order_of(record) is None else self.photos.of(record.id)
        if photo is None:
            return self.fills.image(record, order, at)
        front: Points = photo.colors[at[0] if at and photo.is_batch else 0]
        return front

    def new_block(self, record: TensorRecord) -> tuple[TensorBlock, Placement]:
        """Return a block for a tensor alone on stage, not yet there, and where it stands."""
        placement = self.placement(record)
        return self.make_block(record, placement), placement

    def play(self, *animations: Animation) -> None:
        """Play animations at once; nothing where there are none."""
        if animations:
            self.scene.play(*animations)

    def show_block(self, block: TensorBlock) -> None:
        """Put a block on stage, beside what is there."""
        self.blocks.append(block)
        self.scene.add(block)

    def fading(
        self, block: TensorBlock, start: float, end: float, run_time: float = motion.QUICK
    ) -> Animation:
        """Return the animation that fades a block between two shares, by opaque mixes."""
        return BlockAnimation(
            block, lambda t: block.fade_into(start + (end - start) * motion.ease(t)), run_time
        )

    def appear(self, block: TensorBlock, run_time: float = motion.QUICK) -> None:
        """Fade a block in; what a clip begins with is there at once."""
        if self.scene.renderer.time == 0:
            block.fade_into(0.0)
            self.scene.wait(run_time)
        else:
            self.play(self.fading(block, 1.0, 0.0, run_time))
