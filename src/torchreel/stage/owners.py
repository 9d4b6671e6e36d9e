"""Whose memory lies below the stage: said where the stage shows what does not lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from manim import Animation, FadeOut

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.cast import Cast
from torchreel.stage.chips import Named
from torchreel.stage.memory import reading
from torchreel.stage.tape import MemoryTape


class Owners(Cast):
    """The names beside a memory tape, and when there are two tapes."""

    def owners(self, tape: MemoryTape, used: Sequence[TensorRecord]) -> list[Named]:
        """Return the tensors that the cell works with and whose memory a tape is, by the names
        that they have at this moment, those that are ``used`` now first."""
        held = [(key, each, True) for each, key in self.former.items()]
        held += [(key, each, False) for key, each in self.names.items()]
        found = [
            Named(key, self.record(each), former=former)
            for key, each, former in held
            if self.record(each).storage == tape.record.storage
            and reading(self.record(each)) in self._played_with
        ]
        now = {reading(each) for each in used}
        return sorted(found, key=lambda each: reading(each.record) not in now)

    def name_memory(self, step: Step) -> list[Animation]:
        """Return the animations in which memory comes to lie as a step needs it: two pieces of it
        while both are of use, one with the names of its tensors as soon as the stage shows some
        that do not lie in it, else one in its full size."""
        if self.tape is None:
            return []
        used = [*self.operands(step), *self.results(step)]
        moving: list[Animation] = []
        if self.beside is not None and not (step.written or self._lies_in(self.beside, used)):
            if self.beside in self.scene.mobjects:
                moving.append(FadeOut(self.beside, run_time=motion.QUICK))
            self.beside = None
            moving.append(self._telling(self.tape, used, 0.0))
        elif not all(self.tape_with(each) for each in used) or self.tape.is_told:
            moving += [
                self._telling(tape, used, tape.stance[1])
                for tape in self.tapes
                if not tape.tells(self.owners(tape, used))
            ]
        if moving:
            moving += [*self.unfollow_memory(), *self.props_leaving()]
        return moving

    def _telling(self, tape: MemoryTape, used: Sequence[TensorRecord], lift: float) -> Animation:
        return tape.telling(self.owners(tape, used), lift, motion.BEAT)

    @staticmethod
    def _lies_in(tape: MemoryTape, used: list[TensorRecord]) -> bool:
        return any(each.storage == tape.record.storage for each in used)

    @cached_property
    def _played_with(self) -> set[tuple[object, ...]]:
        steps = self.trace.steps
        return {
            reading(each) for step in steps for each in (*self.operands(step), *self.results(step))
        }
