"""The cast: which block shows which tensor, and how blocks come, move to their places and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import Animation, FadeOut, Mobject

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.arrangement import Arrangement, Family, Item, Mark, Spot, arrange
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.following import Following
from torchreel.stage.form import CELLS_MAX
from torchreel.stage.labels import Labels
from torchreel.stage.landing import Landing
from torchreel.stage.layout import Mode, Placement, Pose
from torchreel.stage.lights import Lights
from torchreel.stage.memory import memory_positions


class Cast(Following, Labels, Lights, Landing):
    """The tensors that play now: what is on stage moves and keeps its cells, the rest changes."""

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
            word = spell(box)
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
        if box is not None and mark.text.strip() == spell(box):
            return self.named_box(box, mark.x, mark.y)
        source = Drawn(0, mark.text, "sign")
        color = self.canvas.theme.muted
        return self.canvas.label(mark.text, mark.x, mark.y, mark.size, color, source=source)


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
