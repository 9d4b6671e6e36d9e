"""Reading out: Python learns of tensors, which stay where they are and are lit."""

from __future__ import annotations

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_MOST = 3
"""So many tensors stand side by side."""


@choreography("read")
def readout(stage: Stage, step: Step) -> None:
    """Play a step that makes no tensor (``item``, ``tolist``): what its line reads so
    is there from the first on, each is lit as it is read; what the line itself made is so
    already."""
    read = list({each.id: each for each in stage.operands(step)}.values())[:_MOST]
    wanted = {each.id for each in read}
    there = {block.record.id for block in stage.blocks}
    if not (there >= wanted and stage.made.keys() & wanted):
        line = _read_by_line(stage, step)[:_MOST]
        stage.bring(line if all(each in line for each in read) else read)
        parting = stage.part()
        lit = [stage.point(block) for block in stage.blocks if block.record.id in wanted]
        stage.play(*parting, *lit)
    stage.scene.wait(motion.BEAT)


def _read_by_line(stage: Stage, step: Step) -> list[TensorRecord]:
    """Return what the line of a step reads, as far as it is made by then."""
    steps = [stage.trace.steps[number] for number in stage.trace.runs[step.run].steps]
    made = {each for later in steps if later.number > step.number for each in later.results}
    read = {each.id: each for other in steps if not other.results for each in stage.operands(other)}
    return [each for each in read.values() if each.id not in made]
