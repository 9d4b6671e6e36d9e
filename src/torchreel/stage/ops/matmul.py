"""Matrix products: A on the left, B above, C where they meet; a row times a column is a cell."""

from __future__ import annotations

import numpy as np
from manim import Animation, FadeIn, FadeOut, VGroup

from torchreel.records import Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion
from torchreel.stage.agreement import Agreement
from torchreel.stage.block import TensorBlock
from torchreel.stage.form import Places
from torchreel.stage.layout import Mode
from torchreel.stage.products import Products, fitting, longest
from torchreel.stage.registry import choreography
from torchreel.stage.seen import matrix, turned
from torchreel.stage.stage import Stage

_HOLDS = (0.5, 0.3)
_LINE = 0.2
_MOST = 1_000_000
_TERMS = 64


@choreography(
    "matmul", "__matmul__", "__rmatmul__", "mm", "mv", "bmm", "dot", "linear", fills="hue"
)
def matmul(stage: Stage, step: Step) -> None:
    """Play a step that multiplies matrices: a vector is a row on the left, a column above."""
    a, b, c, *bias = _parts(stage, step)
    batched = max(len(each.shape) for each in (a, b, c)) > 2
    if batched and max(a.numel, b.numel, c.numel) <= _MOST and c.numel:
        first = [matrix(each, 0) if len(each.shape) > 2 else each for each in (a, b, c)]
        if all(len(each.shape) == 2 for each in first):
            _corner(stage, step, (first[0], first[1], first[2]))
    if batched or bias or not (a.numel and b.numel and c.numel):
        if bias and not stage.times and len(a.shape) == len(b.shape) == 2 and a.numel and c.numel:
            left, above, _ = stage.arrange("corner", [a, b], [c])
            _agreement(stage, left, above, c)
        signs = ["@", *(["+"] * len(bias)), "="]
        *blocks, block = stage.arrange("left_right", [a, b, *bias], [c], symbols=signs)
        if bias and len(b.shape) == 2 and a.numel and c.numel:
            _row_by_row(stage, blocks, block)
        stage.play(stage.land(block))
        return
    _corner(stage, step, (a, b, c))


def _parts(stage: Stage, step: Step) -> list[TensorRecord]:
    """Return A, B and C of a step, and what is added; a linear layer sees its weight turned."""
    operands, result = stage.operands(step), stage.results(step)[0]
    if bare_name(step.op) == "__rmatmul__":
        operands.reverse()
    a, b, *rest = operands
    if bare_name(step.op) == "linear" and len(b.shape) == 2 and b.numel <= _MOST:
        b = turned(b)
    return [a, b, result, *rest]


def _corner(
    stage: Stage, step: Step, tensors: tuple[TensorRecord, TensorRecord, TensorRecord]
) -> None:
    """Tell two cells of a product, or one where the clip has told such, and let the rest land."""
    a, b, c = tensors
    modes: list[Mode | None] = [None, None, None]
    if len(b.shape) == 1:
        modes[1] = modes[2] = "column"
    left, above, block = stage.arrange("corner", [a, b], [c], mode=modes)
    inner = a.shape[-1] if a.shape else 1
    rows = a.shape[0] if len(a.shape) > 1 else 1
    count = b.shape[1] if len(b.shape) > 1 else 1
    cells = len(block.elements) > 0
    told = _told(rows, count)[: 1 if stage.times else None]
    held: VGroup | None = _agreement(stage, left, above, c)
    for number, place in enumerate(told if inner else []):
        i, j = divmod(place, count)
        row, column = i * inner + np.arange(inner), j + count * np.arange(inner)
        lit: list[Animation] = [
            stage.light(left, row),
            stage.light(above, column),
            *_dimmed(stage, left, row),
            *_dimmed(stage, above, column),
        ]
        if held is not None:
            stage.forget(held)
            lit.append(FadeOut(held, run_time=motion.QUICK, rate_func=motion.early))
        terms = list(zip(row.tolist(), column.tolist(), strict=True))
        held = listed = _products(stage, step, (left, above), block, terms, place)
        total: list[Animation] = []
        if listed is not None:
            total.append(FadeIn(listed.total, run_time=motion.QUICK))
        lines = [] if listed is None else listed.rows
        if number == 0:  # one product after the other
            stage.play(*lit)
            for product in lines:
                stage.play(FadeIn(product, run_time=min(_LINE, motion.SLOW / len(lines))))
        else:
            lit += [FadeIn(each, run_time=motion.QUICK, rate_func=motion.late) for each in lines]
            stage.play(*lit)
        if cells:
            total += [stage.land(block, [place], motion.QUICK), stage.light(block, [place])]
        stage.play(*total)
        if listed is not None:
            stage.keep(listed)
        stage.scene.wait(_HOLDS[number])
    stage.play(
        stage.land(block),
        *(stage.dim(each, np.zeros(0, dtype=np.int64)) for each in (left, above) if each.has_cells),
    )


def _agreement(
    stage: Stage, left: TensorBlock, above: TensorBlock, made: TensorRecord
) -> VGroup | None:
    """Show that the inner sizes agree, and vanish; None where the clip has shown it, or an operand
    has no size."""
    if stage.times or not (left.record.shape and above.record.shape):
        return None
    shown = Agreement(stage.canvas, left, above, made, stage.free)
    stage.play(stage.put(shown))
    stage.scene.wait(motion.BEAT)
    return shown


def _row_by_row(stage: Stage, blocks: list[TensorBlock], block: TensorBlock) -> None:
    """Light the row, the column and the number added that make the first cells of a result."""
    a, b, *bias = blocks
    inner, count = b.record.shape
    for place in [int(each) for each in block.elements[:2]]:
        i, j = divmod(place, count)
        stage.play(
            stage.light(a, i * inner + np.arange(inner)),
            stage.light(b, j + count * np.arange(inner)),
            *(stage.light(each, [j % each.record.numel]) for each in bias),
        )
        stage.play(stage.land(block, [place], motion.QUICK), stage.light(block, [place]))
        stage.scene.wait(motion.QUICK)


def _dimmed(stage: Stage, block: TensorBlock, lit: Places) -> list[Animation]:
    """Return the animation that dims all but what is lit; a slab stays as it is."""
    if not block.has_cells:
        return []
    others = np.ones(block.record.numel, dtype=bool)
    others[lit] = False
    return [stage.dim(block, others)]


def _products(
    stage: Stage,
    step: Step,
    blocks: tuple[TensorBlock, TensorBlock],
    made: TensorBlock,
    terms: list[tuple[int, int]],
    place: int,
) -> Products | None:
    """Return the products of a row and a column, None where there is no room or no numbers."""
    values = [stage.values(each.record) for each in (*blocks, made)]
    if any(each is None for each in values) or not 0 < len(terms) <= _TERMS:
        return None
    a, b, c = (np.asarray(each) for each in values)
    if not fitting(stage.canvas, stage.free, len(terms), longest((a, b), terms, c, place))[1]:
        return None
    tensors = [index for index, each in enumerate(step.operands) if each.tensor is not None]
    first, second = tensors[:2]
    if bare_name(step.op) == "__rmatmul__":
        first, second = second, first
    return Products(
        stage.canvas,
        stage.free,
        blocks,
        (a, b),
        terms,
        (made, place),
        step.number,
        (first, second),
        c,
    )


def _told(rows: int, columns: int) -> list[int]:
    """Return the results that are told: the first, and one of another row and column."""
    if not rows * columns:
        return []
    return sorted({0, (rows - 1) * columns + min(2, columns - 1)})
