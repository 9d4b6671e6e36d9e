"""Unsqueeze and squeeze: the block stays still; wire boxes of size 1 grow around it, or go."""

from __future__ import annotations

from torchreel.records import Shape, Step
from torchreel.stage.layout import visible
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.wirebox import WireBoxes


@choreography("unsqueeze", fills="identity", room=(30, 84, 84, 30))
def unsqueeze(stage: Stage, step: Step) -> None:
    """Play a step that adds a dimension of size 1."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    block = stage.block_as(source)
    if not block.has_cells or len(visible(result.shape)[0]) > 3:
        stage.exchange(result)
        return
    dim = _added(source.shape, result.shape, stage.literal(step, 0, "dim"))
    titled = stage.leave_title()  # it may stand where a bracket will be
    block.become_tensor(result)
    stage.wrap(WireBoxes(stage.canvas, block, result, dim))
    kept = [other for other in range(len(result.shape)) if other != dim]
    stage.relabel(result, dict(enumerate(kept)), titled=titled)


@choreography("squeeze", fills="identity", room=(30, 84, 84, 30))
def squeeze(stage: Stage, step: Step) -> None:
    """Play a step that takes dimensions of size 1 away."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    block = stage.block_as(source)
    if not block.has_cells or len(visible(source.shape)[0]) > 3:
        stage.exchange(result)
        return
    titled = stage.leave_title()
    gone = _removed(source.shape, result.shape, stage.literal(step, 0, "dim"))
    for dim in reversed(gone):
        stage.unwrap(source, dim)
    block.become_tensor(result)
    kept = [dim for dim in range(len(source.shape)) if dim not in gone]
    stage.relabel(result, {dim: place for place, dim in enumerate(kept)}, titled=titled)


def _added(before: Shape, after: Shape, argument: str | None) -> int:
    """Return the dimension that is new; the argument decides where sizes of 1 are many."""
    if argument is not None and argument.lstrip("-").isdigit():
        return int(argument) % len(after)
    return next(i for i in range(len(after)) if after[:i] + after[i + 1 :] == before)


def _removed(before: Shape, after: Shape, argument: str | None) -> list[int]:
    """Return the dimensions that are gone: the argument's, else every dimension of size 1."""
    ones = [dim for dim, size in enumerate(before) if size == 1]
    if len(before) - len(after) == len(ones):
        return ones
    if argument is not None and argument.lstrip("-").isdigit() and len(before) > len(after):
        return [int(argument) % len(before)]
    return ones[: len(before) - len(after)]
