"""The act of a torch call that raised."""

from __future__ import annotations

from manim import FadeIn, FadeOut, Mobject, Scene

from torchreel.records import Run, Step, Trace
from torchreel.stage.canvas import Canvas
from torchreel.stage.devices.clash import error_chip
from torchreel.stage.devices.misfit import Misfit
from torchreel.stage.motion import BEAT, QUICK
from torchreel.stage.strip import Sentence


class Errors:
    """Plays torch calls that raised: the two facts that clash, as a plug and its socket.

    When the line comes that does the same and goes through, the plug is mended first.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.trace, self.canvas = scene, trace, canvas
        self._misfit: Misfit | None = None
        self._there: list[Mobject] = []

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act: it raised, and two facts say why."""
        return step.clash is not None and len(step.clash.facts) == 2

    def sentence(self, step: Step) -> Sentence | None:
        """Return nothing: the act writes the exception's class."""
        return None

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        self.leave()
        stage = self.canvas.artboard.stage
        self._misfit = Misfit(self.canvas, self.trace, step, stage, self._mending(step))
        self._there = [self._misfit, error_chip(self.canvas, step)]
        if self.scene.renderer.time == 0:  # the first frame is a still that can be read
            self.scene.add(*self._there)
            self.scene.wait(BEAT)
        else:
            self.scene.play(*(FadeIn(each, run_time=BEAT) for each in self._there))

    def printed(self, run: Run) -> None:
        """Make room for what a line printed: the plate and the chip leave."""
        if self._misfit is not None and len(self._there) > 1:
            gone = self._misfit.below()
            self.scene.play(*(FadeOut(each, run_time=QUICK) for each in (*gone, *self._there[1:])))
            self.scene.remove(*gone, *self._there[1:])
            self._there = self._there[:1]

    def leave(self) -> None:
        """Take what is there off the stage; what the line now played mends is mended first."""
        if not self._there:
            return
        misfit = self._misfit
        if misfit is not None and misfit.mended is not None and self._plays(misfit.mended):
            self.scene.remove(*self._there[1:])
            self._there = [misfit]
            misfit.mend(self.scene)
        leaving = [FadeOut(each, run_time=QUICK) for each in self._there]
        getattr(self.scene, "let_go")(self._there, leaving)  # noqa: B009
        self._there = []

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage: none."""
        return ()

    def _mending(self, step: Step) -> Step | None:
        """Return the next step of the same op, where it went through."""
        same = (each for each in self.trace.steps[step.number + 1 :] if each.op == step.op)
        found = next(same, None)
        return found if found is not None and found.clash is None else None

    def _plays(self, step: Step) -> bool:
        playing: Run | None = getattr(self.scene, "playing", None)
        return playing is not None and step.number in playing.steps
