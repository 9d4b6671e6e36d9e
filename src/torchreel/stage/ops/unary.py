"""Unary: each element goes through one function, and its result stands in the same place."""

from __future__ import annotations

from torchreel.records import Drawn, Step
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.line import Part
from torchreel.stage.ops.write import write
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage

_HOLDS = (0.6, 0.35, 0.25)
"""How long each of the first results is looked at: the first one longest."""


@choreography(
    "relu",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "square",
    "abs",
    "neg",
    "__neg__",
    "sign",
    "sin",
    "cos",
    "floor",
    "ceil",
    "round",
    "reciprocal",
    "logical_not",
)
def unary(stage: Stage, step: Step) -> None:
    """Play a step that makes each element of its result of the one in the same place."""
    if step.written:  # ``F.relu(x, inplace=True)``
        write(stage, step)
        return
    operand, result = stage.operands(step)[0], stage.results(step)[0]
    family = stage.roomier([operand, result], 1.25)
    # One row below the other leaves no room for a gate: the written line names the op.
    gate = family == "left_right"
    symbol = f"   {spell(step)}   " if gate else "→"
    source, block = stage.arrange(
        family, [operand], [result], symbols=[symbol], box=step if gate else None, line=True
    )
    values = stage.values(operand)
    told = values is not None and values.dtype.kind != "c"  # a complex number has no room
    name = Drawn(0, spell(step), "op", step=step.number)
    for hold, element in zip(_HOLDS, (int(each) for each in block.elements), strict=False):
        line: list[Part] = [name, "(", (source, element), ")", "=", (block, element)]
        written = stage.write_line(line) if told and stage.has_room(line) else []
        stage.play(stage.light(source, [element]), *written)
        stage.play(stage.land(block, [element], motion.QUICK), stage.light(block, [element]))
        stage.scene.wait(hold)
    stage.play(stage.land(block))
