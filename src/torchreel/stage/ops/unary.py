"""Unary: each element goes through one function, and its result stands in the same place."""

from __future__ import annotations

from torchreel.records import Drawn, Step
from torchreel.spelling import spell
from torchreel.stage.line import Part
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.telling import HOLDS, tell


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

    def line(element: int) -> list[Part]:
        return [name, "(", (source, element), ")", "=", (block, element)] if told else []

    tell(stage, [source], block, block.elements[: len(HOLDS)].tolist(), line)
