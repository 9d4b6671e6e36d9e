"""Memory that is followed: one element is outlined in its block and on the tape below."""

from __future__ import annotations

import numpy as np
from manim import Animation, FadeIn, FadeOut
from numpy.typing import NDArray

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.floor import Floor
from torchreel.stage.memory import memory_positions
from torchreel.stage.motion import late
from torchreel.stage.seen import Seen
from torchreel.stage.tape import MemoryTape, OnTape

_FOLLOWED = 0.6
"""Which element is followed through every move: the one at this share of the storage."""


class Following(Floor):
    """The memory tape, and the view line that hangs from the last block to it."""

    def follow_memory(self) -> None:
        """Follow the slot of the tape that tells most; see :meth:`following`."""
        self.play(*self.following())

    def following(self, slot: int | None = None) -> list[Animation]:
        """Outline one slot on the tape (None: one that the cell writes, else one at .6 of it) and
        its element in every block that shows it, and return the animations in which a view line
        hangs between the two where it crosses no other block."""
        if self.tape is None:
            return []
        slot = self._telling_slot(self.tape) if slot is None else slot
        threads: list[Animation] = []
        for block in self.blocks:
            cell = self._cell_at(block, slot)
            if cell is not None:
                anchor = self.tape.top_of(slot)
                line = block.view_line(cell, anchor)
                free = self._is_on_top and block.is_clear(cell, line) and self._is_free(block, line)
                block.follow(cell, anchor if free else None)
                threads.append(self._thread(block, 0.0, 1.0))
        if threads:
            self.tape.outline(slot)
        return threads

    def follows(self, slots: NDArray[np.int64]) -> bool:
        """Tell whether the slot that is followed now is one of these."""
        return self.tape is not None and self.tape.outlined in slots

    def unfollow_memory(self) -> list[Animation]:
        """Return the animations in which the view line and the outlines go."""
        self.outline_none()
        return [self._thread(block, 1.0, 0.0) for block in self._followed()]

    def outline_none(self) -> None:
        """Take the outlines off the memory below the stage."""
        for tape in self.tapes:
            tape.outline(None)

    def _followed(self) -> list[TensorBlock]:
        return [block for block in self.blocks if block.followed is not None]

    def tape_leaving(self) -> list[Animation]:
        """Return the animations in which all memory goes for a while, and the view line with it;
        what else stands on it goes for good: what is played next leads the eye anew."""
        lines = [self._thread(each, 1.0, 0.0) for each in self._followed()]
        standing = [prop for prop in self._props if isinstance(prop, OnTape)]
        self._props = [prop for prop in self._props if prop not in standing]
        gone = [*self.tapes, *standing]
        return [*(FadeOut(each, run_time=motion.QUICK) for each in gone), *lines]

    def tape_returning(self) -> list[Animation]:
        """Return the animations in which the tape comes back as it went, when a band below it has
        gone."""
        lines = [self._thread(each, 0.0, 1.0) for each in self._followed()]
        tapes = [FadeIn(each, run_time=motion.BEAT, rate_func=late) for each in self.tapes]
        return [*tapes, *lines]

    def fill_memory(self, step: Step) -> None:
        """Show the tape full once a step has made what lies in it; until then it is empty."""
        if self.tape is not None and any(
            self.tape_holds(each) for each in (*self.results(step), *self.operands(step))
        ):
            self.tape.fill(np.ones(self.tape.count))

    def tape_holds(self, record: TensorRecord) -> bool:
        """Tell whether the memory that plays is this tensor's storage."""
        return self.tape is not None and self.tape.record.storage == record.storage

    def _telling_slot(self, tape: MemoryTape) -> int:
        """Return the slot that tells most: one that the cell writes, as near .6 as may be."""
        usual = min(tape.count - 1, round(_FOLLOWED * tape.count))
        written = [
            memory_positions(record).ravel()[changed]
            for step in self.writes_to(tape.record.storage)
            if len(changed := self.changed(step))
            and len((record := self.record(step.results[0])).stride) == len(record.shape)
        ]
        if not written:
            return usual
        return int(written[0][np.abs(written[0] - usual).argmin()])

    def _cell_at(self, block: TensorBlock, slot: int) -> int | None:
        """Return the cell of a block that shows a slot of the tape, None where none does."""
        record = block.record
        if not (self.tape_holds(record) and block.has_cells) or isinstance(record, Seen):
            return None
        cells = np.flatnonzero(memory_positions(record).ravel() == slot)
        return int(cells[0]) if len(cells) else None

    @property
    def _is_on_top(self) -> bool:
        """Whether nothing lies between the stage and the memory that plays."""
        assert self.tape is not None
        return self.beside is None or self.tape.stance[1] > self.beside.stance[1]

    def _is_free(self, block: TensorBlock, line: NDArray[np.float64]) -> bool:
        """Tell whether a line (n, 2) in pixels crosses no block but its own."""
        for other in self.blocks:
            left, top, right, bottom = other.pose.box
            inside = (line > [left, top]) & (line < [right, bottom])
            if other is not block and inside.all(axis=1).any():
                return False
        return True

    @staticmethod
    def _thread(block: TensorBlock, start: float, end: float) -> BlockAnimation:
        def draw(time: float) -> None:
            block.grown = start + (end - start) * motion.ease(time)
            block.redraw()

        return BlockAnimation(block, draw, motion.QUICK)
