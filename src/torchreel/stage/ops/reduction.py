"""Reductions: an axis is squashed along its own direction, and the result stands where it was."""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.spelling import bare_name, spell
from torchreel.stage import motion
from torchreel.stage.arrangement import Family
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.form import Places
from torchreel.stage.layout import Mode
from torchreel.stage.line import Part
from torchreel.stage.ops.elementwise import elementwise
from torchreel.stage.registry import choreography
from torchreel.stage.rulers import IndexRulers, ruler_room, touched
from torchreel.stage.stage import Stage

_BETWEEN = {"sum": "+", "nansum": "+", "mean": "+", "prod": "×", "any": "|", "all": "&"}
_CHOICES = ("max", "min", "amax", "amin", "median")
_PLACES = ("argmax", "argmin")
_ENDS = 2


@choreography(
    "sum",
    "nansum",
    "mean",
    "nanmean",
    "prod",
    "max",
    "min",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "median",
    "any",
    "all",
    "norm",
    "vector_norm",
    "std",
    "var",
    "logsumexp",
    "count_nonzero",
)
def reduction(stage: Stage, step: Step) -> None:
    """Play a step that makes one number of all that lie along one or more dimensions."""
    operands, results = stage.operands(step), stage.results(step)
    if len(operands) > 1:  # torch.max(a, b) compares element by element
        elementwise(stage, step)
        return
    source, dims = operands[0], dims_of(stage, step, operands[0])
    family, mode = _arrangement(source, dims)
    first = results[0]
    block, *made = stage.arrange(
        family,
        [source],
        results,
        symbols=[_sign(step, source, dims), *([","] * (len(results) - 1))],
        spoken=_spoken(step, source, dims),
        mode=[None, *(mode if len(each.shape) == 1 else None for each in results)],
        pads=[ruler_room(stage.canvas)] if _is_ruled(step, source, dims) else [],
        line=True,
    )
    if not (block.has_cells and made[0].has_cells):
        stage.play(*(stage.land(each) for each in made))
        return
    groups = groups_of(source, dims)
    chosen = [_chosen(stage, step, source, first, group, n) for n, group in enumerate(groups)]
    rulers = IndexRulers(stage.canvas, block) if _is_ruled(step, source, dims) else None
    if rulers is not None and len(rulers):
        stage.play(stage.put(rulers))
    ones = range(min(len(groups), 2))
    ones = ones[-1:] if stage.times else ones  # one is enough where the clip has told it
    for told in ones:
        winner = _winner(stage, step, source, first, groups[told], told)
        parts = _line(stage, step, dims, block, made[0], groups[told], told, winner)
        written = stage.write_line(parts) if parts else []
        stage.play(stage.light(block, groups[told]), *written)
        stage.scene.wait(motion.QUICK if told > ones[0] else motion.BEAT)
        won = [] if winner is None else [stage.light(block, [winner])]
        if rulers is not None and winner is not None:
            indices = touched(source.shape, np.array([winner]))
            rulers.light([each if dim == dims[-1] else () for dim, each in enumerate(indices)])
        stage.play(stage.light(made[0], [told]), *won)
        lasting = motion.QUICK if told > ones[0] else motion.BEAT
        _squash(stage, block, made, {told: chosen[told]}, lasting)
    rest = {n: chosen[n] for n in range(len(groups)) if n not in ones}
    if rest:
        _squash(stage, block, made, rest, min(motion.BEAT * len(rest), motion.SLOW))


def dims_of(stage: Stage, step: Step, source: TensorRecord) -> tuple[int, ...]:
    """Return the dimensions that a step squashes: all where it names none."""
    every = tuple(range(len(source.shape)))
    text = stage.literal(step, 0, "dim") or stage.literal(step, 0, "axis")
    if bare_name(step.op) == "norm":
        text = stage.literal(step, 1, "dim")
    try:
        value = ast.literal_eval(text or "None")
    except (ValueError, SyntaxError):
        return every
    given = value if isinstance(value, tuple | list) else (value,)
    if not given or not all(type(each) is int for each in given):
        return every
    return tuple(sorted({each % max(1, len(every)) for each in given})) if every else ()


def _arrangement(source: TensorRecord, dims: tuple[int, ...]) -> tuple[Family, Mode | None]:
    """Return on which side of its source a result stands: a squashed row leaves a column."""
    rank = len(source.shape)
    if rank == 2 and dims == (0,):
        return "stacked", None
    if rank == 2 and dims == (1,):
        return "left_right", "column"
    return "left_right", None


def groups_of(source: TensorRecord, dims: tuple[int, ...]) -> Places:
    """Return which elements go into each result: (results, elements), in row-major order."""
    kept = [dim for dim in range(len(source.shape)) if dim not in dims]
    places = np.arange(source.numel).reshape(source.shape).transpose([*kept, *dims])
    count = int(np.prod([source.shape[dim] for dim in kept], dtype=np.int64))
    return places.reshape(count, -1) if count else places.reshape(0, 0)


def _chosen(
    stage: Stage, step: Step, source: TensorRecord, result: TensorRecord, group: Places, n: int
) -> Places:
    """Return the elements that travel to a result: all, or the one that a max chooses."""
    name = bare_name(step.op)
    values, made = stage.values(source), stage.values(result)
    if name in _PLACES or values is None or made is None:
        return group[:0]
    if name not in _CHOICES:
        return group
    equal = np.flatnonzero(values.ravel()[group] == made.ravel()[n])
    chosen: Places = group[equal[:1]]
    return chosen


def _winner(
    stage: Stage, step: Step, source: TensorRecord, result: TensorRecord, group: Places, n: int
) -> int | None:
    """Return the element that a result is, or that it is the place of; None where it is neither."""
    name, made = bare_name(step.op), stage.values(result)
    if name in _PLACES and made is not None:
        return int(group[int(made.ravel()[n])])
    chosen = _chosen(stage, step, source, result, group, n) if name in _CHOICES else group[:0]
    return int(chosen[0]) if len(chosen) else None


def _is_ruled(step: Step, source: TensorRecord, dims: tuple[int, ...]) -> bool:
    """Tell whether a result is a place along one dimension, which a ruler can name."""
    others = [size for dim, size in enumerate(source.shape) if dim != dims[-1:][0]] if dims else []
    along = len(dims) == 1 or (bool(dims) and all(size == 1 for size in others))
    return bare_name(step.op) in _PLACES and along


def _squash(
    stage: Stage,
    source: TensorBlock,
    made: list[TensorBlock],
    travelling: dict[int, Places],
    run_time: float,
) -> None:
    """Let copies of cells run along the axis into their result, which is there when they are."""
    first = made[0]
    cells = np.concatenate([source.cells_of(group) for group in travelling.values()])
    ends = np.concatenate(
        [
            np.tile(first.pose.corners[first.cells_of([n])], (len(group), 1))
            for n, group in travelling.items()
        ]
    )
    if len(cells):
        shadow = stage.make_block(source.record, source.placement)
        shadow.set_values(None)  # where cells meet, no two numbers are read
        home = source.pose
        shown = np.zeros(len(home.corners), dtype=bool)
        shown[cells] = True

        def draw(alpha: float) -> None:
            corners: NDArray[np.float64] = home.corners.copy()
            corners[cells] += (ends - corners[cells]) * motion.ease(alpha)
            shadow.set_pose(replace(home, corners=corners, shown=shown))

        draw(0)
        stage.scene.add(shadow.drawing)
        stage.play(BlockAnimation(shadow.drawing, draw, run_time))
        stage.scene.remove(shadow.drawing)
    elements = list(travelling)
    if len(cells):
        stage.set_down(first, elements)
    else:
        stage.play(stage.land(first, elements))
    stage.play(*(stage.land(each, elements, motion.QUICK) for each in made[1:]))


def _sign(step: Step, source: TensorRecord, dims: tuple[int, ...]) -> str:
    """Return what stands between a tensor and its reduction: ``Σ``, ``Σ ÷ 4``, ``max``."""
    name = bare_name(step.op)
    if name == "sum":
        return "Σ"
    if name == "mean" and len(dims) == 1:
        return f"Σ ÷ {source.shape[dims[0]]}"
    return spell(step)


def _spoken(step: Step, source: TensorRecord, dims: tuple[int, ...]) -> list[Drawn]:
    facts = [Drawn(0, spell(step), "op", step=step.number)]
    if len(dims) == 1:
        facts.append(Drawn(0, str(source.shape[dims[0]]), "size", source.id, dims))
    return facts


def _line(
    stage: Stage,
    step: Step,
    dims: tuple[int, ...],
    block: TensorBlock,
    made: TensorBlock,
    group: Places,
    result: int,
    winner: int | None,
) -> list[Part]:
    """Return ``0. + 1. + 2. = 3.``, with dots for the middle of what is too long, but never for
    the winner; nothing where even that has no room."""
    elements = [int(each) for each in group]
    ends = {*elements[:_ENDS], elements[-1]}
    fewer = {elements[0], elements[-1]}
    for kept in (set(elements), ends, fewer, {elements[0]}, set[int]()):
        shown = _dotted(elements, kept if winner is None else {*kept, winner})
        if len(shown) > len(elements) or len(kept) < (2 if winner is None else 0):
            continue
        parts = _spelled(step, dims, block, made, shown, result)
        if stage.has_room(parts):
            return parts
    return []


def _dotted(elements: list[int], kept: set[int]) -> list[int | None]:
    """Return the elements that are kept, and None for each run of others."""
    shown: list[int | None] = []
    for element in elements:
        if element in kept:
            shown.append(element)
        elif not shown or shown[-1] is not None:
            shown.append(None)
    return shown


def _spelled(
    step: Step,
    dims: tuple[int, ...],
    block: TensorBlock,
    made: TensorBlock,
    elements: list[int | None],
    result: int,
) -> list[Part]:
    name = bare_name(step.op)
    between = _BETWEEN.get(name, ",")
    terms: list[Part] = []
    for element in elements:
        terms += [between, "…" if element is None else (block, element)]
    terms = terms[1:]
    end: list[Part] = ["=", (made, result)]
    if name == "mean":
        text = str(int(np.prod([block.record.shape[dim] for dim in dims], dtype=np.int64)))
        size: Part = Drawn(0, text, "size", block.record.id, dims) if len(dims) == 1 else text
        return ["(", *terms, ")", "÷", size, *end] if len(elements) > 1 else [*terms, *end]
    if between == ",":
        return [Drawn(0, spell(step), "op", step=step.number), "(", *terms, ")", *end]
    return [*terms, *end]
