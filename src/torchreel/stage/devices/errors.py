"""The act of a torch call that raised."""

from __future__ import annotations

from collections.abc import Mapping

from manim import FadeIn, FadeOut, Scene

from torchreel.records import Run, Step, Trace
from torchreel.stage.canvas import Canvas
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

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act: it raised, and two facts say why."""
        return step.clash is not None and len(step.clash.facts) == 2

    def sentence(self, step: Step) -> Sentence | None:
        """Return the exception's class: the stage tells the rest."""
        return Sentence((), step, ())

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        self.leave()
        stage = self.canvas.artboard.stage
        held: Mapping[str, int] = getattr(self.scene, "stage").names  # noqa: B009
        names = {tensor: name for name, tensor in held.items()}
        mending = self._mending(step)
        self._misfit = Misfit(self.canvas, self.trace, step, stage, names, mending)
        if self.scene.renderer.time == 0:  # the first frame is a still that can be read
            self.scene.add(self._misfit)
            self.scene.wait(BEAT)
        else:
            self.scene.play(FadeIn(self._misfit, run_time=BEAT))

    def printed(self, run: Run) -> None:
        """Make room for what a line printed: what is told below the picture leaves."""
        if self._misfit is not None and (gone := self._misfit.below()):
            self.scene.play(FadeOut(gone, run_time=QUICK))
            self.scene.remove(gone)

    def leave(self) -> None:
        """Take what is there off the stage; what the line now played mends is mended first."""
        misfit, self._misfit = self._misfit, None
        if misfit is None:
            return
        if misfit.mended is not None and self._plays(misfit.mended):
            misfit.mend(self.scene)
        leaving = [FadeOut(misfit, run_time=QUICK)]
        getattr(self.scene, "let_go")([misfit], leaving)  # noqa: B009

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
