"""Softmax and the loss upon it: a row as bars, all lifted above zero, then shares of one whole."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from manim import FadeOut, VGroup, VMobject

from torchreel.records import Array, Drawn, Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion, numerals
from torchreel.stage.bars import MOST, Bars
from torchreel.stage.block import TensorBlock
from torchreel.stage.curve import LossCurve
from torchreel.stage.form import Places
from torchreel.stage.line import Part
from torchreel.stage.ops.reduction import groups_of
from torchreel.stage.registry import choreography, find
from torchreel.stage.seen import index_of
from torchreel.stage.stage import Stage

_BELOW = 0.62
_RIGHT, _CURVE = 0.36, 0.42
_COLUMN, _GAP, _CHARS = 90.0, 36.0, 5
_TERMS = 3

Kind = Literal["value", "power", "share", "loss", "sum", "powersum"]


@dataclass(frozen=True)
class Row:
    """The ``elements`` of a tensor along one dimension, and their values."""

    record: TensorRecord
    dim: int
    elements: Places
    values: Array

    @property
    def powers(self) -> Array:
        """e to the power of each value."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(self.values.astype(np.float64))

    @property
    def shares(self) -> Array:
        """What part of the sum of all powers each is."""
        values = self.values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.exp(values - values.max())
            shares: Array = powers / powers.sum()
        return shares

    def facts(self, kind: Kind) -> list[Drawn]:
        """Return for each element a fact of this kind, to be written."""
        lead = () if kind in ("value", "power") else (self.dim,)
        return [
            Drawn(0, "", kind, self.record.id, (*lead, *index_of(self.record, int(each))))
            for each in self.elements
        ]

    def places(self) -> list[Drawn]:
        """Return the place of each element along the dimension."""
        count, last = len(self.elements), self.dim == len(self.record.shape) - 1
        told = [(place,) if last else (self.dim, place) for place in range(count)]
        return [Drawn(0, str(each[-1]), "index", self.record.id, each) for each in told]


@choreography("softmax", "log_softmax")
def softmax(stage: Stage, step: Step) -> None:
    """Play a step that turns the numbers along a dimension into shares of one whole, or into the
    logarithms of these."""
    (source, *_), result = stage.operands(step), stage.results(step)[0]
    dim = _dim_of(stage, step, source)
    groups = groups_of(source, (dim,) if source.shape else ())
    if not _has_bars(stage, [source, result], groups):
        find("", stage.provenance(step)).play(stage, step)
        return
    block, made = stage.arrange("left_right", [source], [result], symbols=["→"], below=_BELOW)
    rows = [_row_of(stage, source, dim, group) for group in groups]
    told = max(
        rows, key=lambda row: np.isfinite(row.values).sum()
    )  # the first that is masked least
    stage.play(stage.light(block, told.elements))
    _share(stage, step, made, told)
    if len(groups) > 1:
        stage.play(stage.land(made))


def _dim_of(stage: Stage, step: Step, source: TensorRecord) -> int:
    """Return the dimension along which shares are one whole; the one that PyTorch takes where a
    step names none."""
    rank = len(source.shape)
    given = ast.literal_eval(stage.literal(step, 0, "dim") or "None")
    if type(given) is not int:
        return 0 if rank in (0, 1, 3) else 1
    return given % max(1, rank)


def _has_bars(stage: Stage, records: Sequence[TensorRecord], groups: Places) -> bool:
    known = all(stage.values(each) is not None for each in records)
    return known and bool(groups.size) and groups.shape[1] <= MOST


def _row_of(stage: Stage, record: TensorRecord, dim: int, elements: Places) -> Row:
    values = stage.values(record)
    assert values is not None
    return Row(record, dim, elements, values.ravel()[elements])


def _share(stage: Stage, step: Step, made: TensorBlock, row: Row) -> None:
    """Show one row as bars: as it is, by its powers of e, by its shares; then all shares as one, or
    their logarithms."""
    zone = stage.free
    room = zone.inset(right=zone.width * _RIGHT)
    bars = Bars(stage.canvas, room, row.values, row.places())
    numbers = bars.numbers(row.values, row.facts("value"))
    stage.play(stage.put(bars, motion.BEAT), stage.put(numbers, motion.BEAT))
    stage.scene.wait(motion.BEAT)
    said: list[VGroup] = []
    powers, shares = row.powers, row.shares
    if np.isfinite(powers).all():
        numbers, said = _told(stage, bars, numbers, said, powers, row, "power")
        stage.scene.wait(motion.HOLD)
    after = _row_of(stage, made.record, row.dim, row.elements)
    is_log = bare_name(step.op) == "log_softmax"
    if is_log:
        numbers, said = _told(stage, bars, numbers, said, shares, row, "share")
        stage.scene.wait(motion.BEAT)
    numbers, said = _told(stage, bars, numbers, said, after.values, after, "log" if is_log else "÷")
    stage.play(stage.land(made, row.elements, motion.BEAT), stage.light(made, row.elements))
    if is_log or not np.isfinite(after.values).all():
        return
    for each in said:
        stage.forget(each)
    px = stage.canvas.artboard.px
    x, wide = room.right + zone.width * _RIGHT / 2 - px(_COLUMN) / 2, px(_COLUMN)
    column, built = bars.pile(x, wide, motion.SLOW)
    stage.keep(column)
    stage.play(built, *(FadeOut(each, run_time=motion.QUICK) for each in said))
    text = numerals.write(round(float(after.values.sum(dtype=np.float64)), 3), _CHARS) or ""
    total = replace(after.facts("sum")[0], text=text)
    stage.play(stage.put(bars.in_pile(x, wide, after.values, after.facts("value"), total)))


def _told(
    stage: Stage,
    bars: Bars,
    old: VGroup,
    said: list[VGroup],
    values: Array,
    row: Row,
    what: str,
) -> tuple[VGroup, list[VGroup]]:
    """Let the bars and their numbers become what is told next, and return the new numbers and what
    is said of them."""
    kinds: dict[str, Kind] = {"power": "power", "share": "share"}
    for each in (old, *said):
        stage.forget(each)
    stage.play(
        *(FadeOut(each, run_time=motion.QUICK) for each in (old, *said)),
        bars.grow(values, run_time=motion.BEAT if what == "÷" else motion.SLOW),
    )
    numbers, words = (
        bars.numbers(values, row.facts(kinds.get(what, "value"))),
        _said(stage, bars, row, what),
    )
    stage.play(stage.put(numbers), stage.put(words))
    return numbers, [words]


def _said(stage: Stage, bars: Bars, row: Row, what: str) -> VGroup:
    """Return what is said beside the bars: of powers, their sum; of shares, what they are parts
    of."""
    canvas, group = stage.canvas, VGroup()
    size, zone = canvas.artboard.type_title, bars.zone
    x, y = zone.right + canvas.artboard.px(_GAP), bars.room.center_y
    sign = {"power": "exp", "share": "÷ Σ", "÷": "÷ Σ", "log": "log"}[what]
    at = y - (0.7 * size if what == "power" else 0)
    theme = canvas.theme
    group.add(canvas.label(sign, x, at, size, theme.muted, align=0, source=Drawn(0, sign, "sign")))
    if what == "power":
        text = numerals.write(float(row.powers.sum()), _CHARS + 1) or "…"
        whole = replace(row.facts("powersum")[0], text=text)
        equals = Drawn(0, "Σ =", "sign")
        low, gap = y + 0.7 * size, size * 0.6 * 4
        group.add(canvas.label(equals.text, x, low, size, theme.focus, align=0, source=equals))
        group.add(canvas.label(text, x + gap, low, size, theme.text, align=0, source=whole))
    return group


@choreography("cross_entropy")
def cross_entropy(stage: Stage, step: Step) -> None:
    """Play a step that asks how improbable the right class is, by the numbers of each row."""
    (source, target, *others), result = stage.operands(step), stage.results(step)[0]
    dim = min(1, max(0, len(source.shape) - 1))
    groups = groups_of(source, (dim,) if source.shape else ())
    if not _has_bars(stage, [source, target, result], groups):
        find("", stage.provenance(step)).play(stage, step)
        return
    symbols = [*([","] * (1 + len(others))), "→"]
    block, right, *_, made = stage.arrange(
        "left_right", [source, target, *others], [result], symbols=symbols, below=_BELOW
    )
    shown: list[VMobject] = []
    for number in range(min(len(groups), 2)):
        for each in shown:
            stage.forget(each)
        classes = right.record.shape != source.shape
        asked = [number] if classes else groups[number]
        stage.play(
            *(FadeOut(each, run_time=motion.QUICK) for each in shown),
            stage.light(block, groups[number]),
            stage.light(right, asked),
        )
        row = _row_of(stage, source, dim, groups[number])
        shown = _lose(stage, row, _class_of(stage, step, target, number), _is_plain(stage, step))
        if result.numel == len(groups):
            stage.play(stage.land(made, [number], motion.BEAT), stage.light(made, [number]))
        stage.scene.wait(motion.BEAT)
    rows = [_row_of(stage, source, dim, group) for group in groups]
    line = _mean(stage, step, (target, made), rows) if _is_plain(stage, step) else []
    if line:
        for each in shown:
            stage.forget(each)
        stage.play(
            *(FadeOut(each, run_time=motion.QUICK) for each in shown),
            *stage.unlight(),
        )
        stage.play(*stage.write_line(line))
    if not made.pose.shown.all():
        stage.play(stage.land(made))
        stage.play(stage.light(made))


def _lose(stage: Stage, row: Row, chosen: int | None, plain: bool) -> list[VMobject]:
    """Show the bars of a row, its shares, that of the right class lit, and where its loss lies on
    the curve, where the loss of this row is that; return what is shown."""
    zone, shares = stage.free, row.shares
    bars = Bars(stage.canvas, zone.inset(right=zone.width * _CURVE), row.values, row.places())
    numbers = bars.numbers(row.values, row.facts("value"))
    stage.play(stage.put(bars, motion.BEAT), stage.put(numbers, motion.BEAT))
    if not np.isfinite(shares).all():
        return [bars, numbers]
    stage.scene.wait(motion.QUICK)
    stage.forget(numbers)
    stage.play(FadeOut(numbers, run_time=motion.QUICK), bars.grow(shares, lit=chosen))
    numbers = bars.numbers(shares, row.facts("share"))
    mark = None if chosen is None else bars.mark(chosen)
    stage.play(stage.put(numbers), *([] if mark is None else [stage.put(mark)]))
    shown: list[VMobject] = [bars, numbers, *([] if mark is None else [mark])]
    if chosen is None or not plain or not shares[chosen]:
        return shown
    area = zone.inset(left=zone.width * (1 - _CURVE) + stage.canvas.artboard.px(_GAP))
    height = float(-np.log(shares[chosen]))
    text, share = (numerals.write(each, _CHARS) for each in (height, float(shares[chosen])))
    if text is not None and share is not None:
        loss = replace(row.facts("loss")[chosen], text=text)
        told = replace(row.facts("share")[chosen], text=share)
        curve = LossCurve(stage.canvas, area, height, loss, told)
        stage.play(stage.put(curve, motion.BEAT))
        shown.append(curve)
    return shown


def _class_of(stage: Stage, step: Step, target: TensorRecord, row: int) -> int | None:
    """Return the right class of a row; None where that is no single one, or it does not count."""
    values = stage.values(target)
    if values is None or values.dtype.kind not in "iu" or row >= values.size:
        return None
    ignored = stage.literal(step, 5, "ignore_index") or "-100"
    chosen = int(values.ravel()[row])
    return None if chosen == int(ignored) else chosen


def _is_plain(stage: Stage, step: Step) -> bool:
    """Tell whether the loss of each row is minus the logarithm of a share: no weight, no
    smoothing."""
    smooth = float(stage.literal(step, 6, "label_smoothing") or 0)
    return len(stage.operands(step)) == 2 and not smooth


def _mean(
    stage: Stage,
    step: Step,
    blocks: tuple[TensorRecord, TensorBlock],
    rows: Sequence[Row],
) -> list[Part]:
    """Return ``( 0.34 + 1.20 + … ) ÷ 4 = 0.81``, where the result is the mean of the rows' losses,
    or their sum; nothing where it is another number."""
    target, made = blocks
    chosen = [_class_of(stage, step, target, number) for number in range(len(rows))]
    result = stage.values(made.record)
    right = [each for each in chosen if each is not None]
    if len(rows) < 2 or len(right) < len(rows) or result is None or result.size != 1:
        return []
    losses = [-np.log(row.shares[place]) for row, place in zip(rows, right, strict=True)]
    is_mean, is_sum = (
        bool(np.isclose(each, result.item(), rtol=1e-3))
        for each in (np.mean(losses), np.sum(losses))
    )
    if not (is_mean or is_sum):
        return []
    terms: list[Part] = []
    for row, place, loss in list(zip(rows, right, losses, strict=True))[:_TERMS]:
        text = numerals.write(float(loss), _CHARS)
        if text is None:
            return []
        terms += ["+", replace(row.facts("loss")[place], text=text)]
    terms = [*terms[1:], *(["+", "…"] if len(rows) > _TERMS else [])]
    end: list[Part] = ["=", (made, 0)]
    if is_sum:
        return [*terms, *end]
    index = (0,) if len(target.shape) == 1 else ()
    count = Drawn(0, str(len(rows)), "size", target.id, index)
    return ["(", *terms, ")", "÷", count, *end]
