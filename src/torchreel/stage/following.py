"""Memory that is followed: one element is outlined in its block and on the tape below."""

from __future__ import annotations

import numpy as np
from manim import Animation, FadeIn, FadeOut

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.floor import Floor
from torchreel.stage.memory import memory_positions
from torchreel.stage.motion import late

_FOLLOWED = 0.6
"""Which element is followed through every move: the one at this share of the storage."""


class Following(Floor):
    """The memory tape, and the view line that hangs from the last block to it."""

    def follow_memory(
        self,
        block: TensorBlock | None = None,
        element: int | None = None,
        *,
        instantly: bool = False,
    ) -> None:
        """Outline one element of a block (the last) and its slot on the tape, and hang the view
        line between; beside other blocks, which it would cross, the slot alone."""
        block, tape = block or self.block, self.tape
        if block is None or tape is None or not self.tape_holds(block.record):
            return
        places = memory_positions(block.record).ravel()
        slot = min(tape.count - 1, round(_FOLLOWED * tape.count))
        if element is not None and block.record.stride:
            slot = int(places[element])
        if len(places) != len(block.elements) or slot not in places:
            return
        tape.outline(slot)
        if len(self.blocks) > 1:
            return
        block.follow(int(np.flatnonzero(places == slot)[0]), tape.top_of(slot))
        thread = self._thread(block, 0.0, 1.0)
        if instantly:
            thread.interpolate(1.0)
        else:
            self.play(thread)

    def unfollow_memory(self) -> list[Animation]:
        """Return the animations in which the view line and the outlines go."""
        if self.tape is not None:
            self.tape.outline(None)
        return [self._thread(block, 1.0, 0.0) for block in self._followed()]

    def _followed(self) -> list[TensorBlock]:
        return [block for block in self.blocks if block.followed is not None]

    def tape_leaving(self) -> list[Animation]:
        """Return the animations in which the tape goes for a while, and the view line with it."""
        assert self.tape is not None
        lines = [self._thread(each, 1.0, 0.0) for each in self._followed()]
        return [FadeOut(self.tape, run_time=motion.QUICK), *lines]

    def tape_returning(self) -> list[Animation]:
        """Return the animations in which the tape comes back as it went, when a band below it has
        gone."""
        assert self.tape is not None
        lines = [self._thread(each, 0.0, 1.0) for each in self._followed()]
        return [FadeIn(self.tape, run_time=motion.BEAT, rate_func=late), *lines]

    def fill_memory(self, step: Step) -> None:
        """Show the tape full once a step has made what lies in it; until then it is empty."""
        if self.tape is not None and any(
            self.tape_holds(each) for each in (*self.results(step), *self.operands(step))
        ):
            self.tape.fill(np.ones(self.tape.count))

    def tape_holds(self, record: TensorRecord) -> bool:
        """Tell whether the memory tape on stage is this tensor's storage."""
        return self.tape is not None and self.tape.record.storage == record.storage

    @staticmethod
    def _thread(block: TensorBlock, start: float, end: float) -> BlockAnimation:
        def draw(time: float) -> None:
            block.grown = start + (end - start) * motion.ease(time)
            block.redraw()

        return BlockAnimation(block, draw, motion.QUICK)
