"""What an act is: a part of the director that has a picture of its own for some steps."""

from __future__ import annotations

from typing import Protocol

from torchreel.records import Run, Step
from torchreel.stage.strip import Sentence


class Act(Protocol):
    """Plays the steps that it covers; what it put on the stage goes when it leaves."""

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act."""

    def sentence(self, step: Step) -> Sentence | None:
        """Return what the strip says of a step; None: what it says of any, or as before."""

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""

    def printed(self, run: Run) -> None:
        """Make room below the stage for what a line printed."""

    def leave(self) -> None:
        """Take what is there off the stage."""

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
