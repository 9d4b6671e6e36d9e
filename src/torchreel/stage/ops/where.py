"""Where: a mask chooses, place by place, from which of two operands the result is taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Animation

from torchreel.records import Drawn, Step
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.form import Places
from torchreel.stage.line import Part
from torchreel.stage.ops.elementwise import literal, seen, stretch
from torchreel.stage.registry import choreography, find
from torchreel.stage.stage import Stage

_HOLDS = (0.6, 0.35)

Source = TensorBlock | Drawn
"""What a result is taken from: an operand on stage, or a number of the script."""


@choreography("where")
def where(stage: Stage, step: Step) -> None:
    """Play a step that takes each element from one operand where a mask is true, else from the
    other."""
    order = _order(step)
    if len(order) != 3:  # torch.where(mask) tells where it is true
        find("", stage.provenance(step)).play(stage, step)
        return
    result = stage.results(step)[0]
    ids = [step.operands[each].tensor for each in order]
    records = [seen(stage.record(each), result.shape) for each in ids if each is not None]
    numbers = {each: literal(step, each) for each in order if step.operands[each].tensor is None}
    symbols = _symbols(order, numbers)
    stretch(stage, records, result.shape, symbols[:-1])
    family = stage.roomier([*records, result], 1.25, across="fork")
    before, after = (numbers[each].text if each in numbers else "" for each in order[1:])
    fork = family == "fork"
    *blocks, made = stage.arrange(
        family,
        records,
        [result],
        symbols=[*([""] * len(records)), after] if fork else symbols,
        before=before if fork else "",
        spoken=list(numbers.values()),
        line=True,
    )
    stage.put_under(made)
    left = iter(blocks)
    sources: list[Source] = [numbers.get(each) or next(left) for each in order]
    chosen = stage.values(records[0])
    if chosen is not None and made.has_cells:
        truths = chosen.ravel().astype(bool)
        _choose(stage, step, sources, made, [np.flatnonzero(truths), np.flatnonzero(~truths)])
    stage.play(stage.land(made))


def _order(step: Step) -> list[int]:
    """Return the positions of the mask, of what is taken where it is true, and of the other."""
    named = {each.name: at for at, each in enumerate(step.operands) if each.name}
    plain = [at for at, each in enumerate(step.operands) if not each.name]
    if step.op.startswith("torch.Tensor.") and len(plain) > 1:  # x.where(mask, other)
        plain[:2] = plain[1::-1]
    words = [named[each] for each in ("condition", "input", "self", "other") if each in named]
    return [*plain, *words]


def _choose(
    stage: Stage, step: Step, sources: Sequence[Source], made: TensorBlock, groups: list[Places]
) -> None:
    """Tell one place of each choice, then let all others go, one choice after the other."""
    told = zip(_HOLDS, sources[1:], groups, strict=True)
    for hold, source, (element, *_) in (each for each in told if len(each[2])):
        parts: list[Part] = []
        for each in sources:
            parts += [",", (each, int(element)) if isinstance(each, TensorBlock) else each]
        name = Drawn(0, spell(step), "op", step=step.number)
        line: list[Part] = [name, "(", *parts[1:], ")", "=", (made, int(element))]
        written = stage.write_line(line) if stage.has_room(line) else []
        lit = [each for each in (sources[0], source) if isinstance(each, TensorBlock)]
        stage.play(*stage.unlight(), *(stage.light(each, [element]) for each in lit), *written)
        stage.play(_taken(stage, source, made, np.array([element]), motion.QUICK))
        stage.scene.wait(hold)
    stage.play(
        *stage.unlight(),
        *(
            stage.dim(source, other)
            for source, other in zip(sources[1:], groups[::-1], strict=True)
            if isinstance(source, TensorBlock) and source.has_cells
        ),
    )
    for source, elements in zip(sources[1:], groups, strict=True):
        rest = elements[~made.pose.shown[made.cells_of(elements)]]
        if len(rest):
            stage.play(_taken(stage, source, made, rest, motion.SLOW))


def _taken(
    stage: Stage, source: Source, made: TensorBlock, elements: Places, run_time: float
) -> Animation:
    """Return the animation in which elements come from where they are chosen."""
    if not isinstance(source, TensorBlock) or not source.has_cells:
        return stage.land(made, elements, run_time)
    pose = source.pose
    starts = pose.corners[elements]
    return stage.fly(made, starts, elements, run_time, size=pose.size, straight=True)


def _symbols(order: Sequence[int], numbers: dict[int, Drawn]) -> list[str]:
    """Return what follows each tensor: the numbers of the script, and an arrow after the last."""
    words: list[str] = []
    for each in order:
        if each in numbers:
            words[-1] += f" , {numbers[each].text}"
        else:
            words = [*words[:-1], *(f"{word} ," for word in words[-1:]), ""]
    return [word.strip() for word in [*words[:-1], f"{words[-1]} →"]]
