"""Any op that had nothing to do and gives back what it was given: `x.to(device)` where x is."""

from __future__ import annotations

from torchreel.records import Step
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage


@choreography("same", fills="identity")
def same(stage: Stage, step: Step) -> None:
    """Play a step that gives back its operand: the block stays, and is lit."""
    block = stage.block_as(stage.record(step.results[0]))
    stage.play(stage.light(block))
