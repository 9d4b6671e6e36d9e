"""Softmax and the loss upon it: a row as bars, all lifted above zero, then shares of one whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import FadeOut, VGroup

from torchreel.records import Array, Drawn, Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion, numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.bars import MOST, Bars
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Label
from torchreel.stage.curve import LossCurve
from torchreel.stage.form import Places
from torchreel.stage.ops.reduction import dims_of, groups_of
from torchreel.stage.registry import choreography, find
from torchreel.stage.seen import index_of
from torchreel.stage.stage import Stage

_BELOW = 0.62
_RIGHT, _CURVE = 0.36, 0.42
_COLUMN, _GAP, _CHARS = 90.0, 36.0, 5


@choreography("softmax")
def softmax(stage: Stage, step: Step) -> None:
    """Play a step that turns the numbers along a dimension into shares of one whole."""
    (source, *_), result = stage.operands(step), stage.results(step)[0]
    dims = dims_of(stage, step, source)
    groups = groups_of(source, dims)
    if not _has_bars(stage, [source, result], groups):
        find("", stage.provenance(step)).play(stage, step)
        return
    block, made = stage.arrange("left_right", [source], [result], symbols=["→"], below=_BELOW)
    stage.play(stage.light(block, groups[0]))
    _share(stage, block, made, dims, groups[0])
    if len(groups) > 1:
        stage.play(stage.land(made))


def _has_bars(stage: Stage, records: Sequence[TensorRecord], groups: Places) -> bool:
    known = all(stage.values(each) is not None for each in records)
    return known and bool(groups.size) and groups.shape[1] <= MOST


def _share(
    stage: Stage, block: TensorBlock, made: TensorBlock, dims: tuple[int, ...], group: Places
) -> None:
    """Show one row as bars: as it is, by its powers of e, by its shares; then all shares as one."""
    px, zone = stage.canvas.artboard.px, stage.free
    room = zone.inset(right=zone.width * _RIGHT)
    before, after = (_numbers(stage, each.record, group) for each in (block, made))
    bars = Bars(
        stage.canvas,
        room,
        before,
        stage.fills.colors(block.record, group),
        _places(block.record, dims, group),
    )
    numbers = bars.numbers(block.record, group, before)
    stage.play(stage.put(bars, motion.BEAT), stage.put(numbers, motion.BEAT))
    stage.scene.wait(motion.BEAT)
    # The powers of e are as long, one to another, as the shares: no number is made up for them.
    stage.forget(numbers)
    stage.play(
        FadeOut(numbers, run_time=motion.QUICK),
        bars.grow(*bars.stand(after)),
        stage.put(_word(stage, room, "exp", 0), motion.BEAT),
    )
    told = bars.numbers(made.record, group, after)
    shades = stage.fills.colors(made.record, group)
    stage.play(
        bars.grow(bars.boxes, fills=shades, run_time=motion.BEAT),
        stage.put(_word(stage, room, "÷ Σ", 1), motion.BEAT),
        stage.put(told, motion.BEAT),
        stage.land(made, group, motion.BEAT),
        stage.light(made, group),
    )
    if np.isfinite(after).all():
        column, built = bars.pile(room.right + px(_GAP), px(_COLUMN), motion.SLOW)
        stage.keep(column)
        stage.play(built)


def _numbers(stage: Stage, record: TensorRecord, group: Places) -> Array:
    values = stage.values(record)
    assert values is not None
    return values.ravel()[group]


def _word(stage: Stage, room: Zone, text: str, line: int) -> Label:
    """Return a word beside the bars."""
    canvas = stage.canvas
    size = canvas.artboard.type_title
    x = room.right + canvas.artboard.px(_COLUMN + 2 * _GAP)
    y = room.center_y + (1.4 * line - 0.7) * size
    source = Drawn(0, text, "sign")
    return canvas.label(text, x, y, size, canvas.theme.muted, align=0, source=source)


def _places(record: TensorRecord, dims: tuple[int, ...], group: Places) -> list[Drawn]:
    """Return the place of each element of a row along its dimension."""
    last = dims in ((), (len(record.shape) - 1,))
    told = [(each,) if last else (*dims, each) for each in range(len(group))]
    return [Drawn(0, str(each[-1]), "index", record.id, each) for each in told]


@choreography("cross_entropy")
def cross_entropy(stage: Stage, step: Step) -> None:
    """Play a step that asks how improbable the right class is, by the numbers of each row."""
    (source, target, *others), result = stage.operands(step), stage.results(step)[0]
    rank = len(source.shape)
    groups = groups_of(source, (rank - 1,) if rank else ())
    if not _has_bars(stage, [source, target, result], groups) or rank not in (1, 2):
        find("", stage.provenance(step)).play(stage, step)
        return
    symbols = [*([","] * (1 + len(others))), "→"]
    block, right, *_, made = stage.arrange(
        "left_right", [source, target, *others], [result], symbols=symbols, below=_BELOW
    )
    told = min(len(groups), 2)
    shown: list[VGroup] = []
    for row in range(told):
        for each in shown:
            stage.forget(each)
        classes = right.record.shape != source.shape
        asked = [row] if classes else groups[row]
        stage.play(
            *(FadeOut(each, run_time=motion.QUICK) for each in shown),
            stage.light(block, groups[row]),
            stage.light(right, asked),
        )
        shown = _row(stage, step, (block, right, made), groups[row], row)
        stage.play(*(stage.put(each, motion.BEAT) for each in shown))
        if made.record.numel == len(groups):
            stage.play(stage.land(made, [row], motion.BEAT), stage.light(made, [row]))
        stage.scene.wait(motion.QUICK)
    if not made.pose.shown.all():
        stage.play(stage.land(made))
        stage.play(stage.light(made))


def _row(
    stage: Stage,
    step: Step,
    blocks: tuple[TensorBlock, TensorBlock, TensorBlock],
    group: Places,
    row: int,
) -> list[VGroup]:
    """Return the bars of a row, that of the right class lit, and where its loss lies on the curve,
    where the loss of this row alone is known."""
    block, right, _ = blocks
    zone, record = stage.free, block.record
    values, chosen = _numbers(stage, record, group), _class_of(stage, step, right.record, row)
    loss = _own_loss(stage, step, blocks, row) if chosen is not None else None
    room = zone if loss is None else zone.inset(right=zone.width * _CURVE)
    last = (len(record.shape) - 1,)
    bars = Bars(
        stage.canvas,
        room,
        values,
        stage.fills.colors(record, group),
        _places(record, last, group),
        chosen,
    )
    shown: list[VGroup] = [bars, bars.numbers(record, group, values)]
    if loss is not None and chosen is not None:
        area = zone.inset(left=zone.width * (1 - _CURVE) + stage.canvas.artboard.px(_GAP))
        told = _told_share(stage, step, record, int(group[chosen]))
        shown.append(LossCurve(stage.canvas, area, loss[0], loss[1], told))
    return shown


def _class_of(stage: Stage, step: Step, target: TensorRecord, row: int) -> int | None:
    """Return the right class of a row; None where that is no single one, or it does not count."""
    values = stage.values(target)
    if values is None or values.dtype.kind not in "iu" or row >= values.size:
        return None
    ignored = stage.literal(step, 5, "ignore_index") or "-100"
    chosen = int(values.ravel()[row])
    return None if chosen == int(ignored) else chosen


def _own_loss(
    stage: Stage,
    step: Step,
    blocks: tuple[TensorBlock, TensorBlock, TensorBlock],
    row: int,
) -> tuple[float, Drawn] | None:
    """Return the loss of one row, where the result tells it: no weight, no smoothing, no mean."""
    block, _, made = blocks
    weighted = len(stage.operands(step)) > 2
    smooth = float(stage.literal(step, 6, "label_smoothing") or 0)
    rows = 1 if len(block.record.shape) == 1 else block.record.shape[0]
    if weighted or smooth or made.record.numel != rows:
        return None
    height = float(_numbers(stage, made.record, np.array([row]))[0])
    text = numerals.write(height, _CHARS)
    if text is None or not np.isfinite(height) or height < 0:
        return None
    return height, Drawn(0, text, "value", made.record.id, index_of(made.record, row))


def _told_share(stage: Stage, step: Step, record: TensorRecord, element: int) -> Drawn | None:
    """Return the share of an element, where a softmax of this tensor is in the clip."""
    for other in stage.trace.steps[: step.number]:
        if bare_name(other.op) != "softmax" or stage.operand(other) != record.id:
            continue
        made = stage.record(other.results[0])
        if dims_of(stage, other, record) != (len(record.shape) - 1,):
            continue
        values = stage.values(made)
        text = None if values is None else numerals.write(values.ravel()[element].item(), _CHARS)
        if text is not None:
            return Drawn(0, text, "value", made.id, index_of(made, element))
    return None
