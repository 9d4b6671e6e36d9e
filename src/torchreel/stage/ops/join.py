"""Joining: tensors slide together along a dimension that they have, or line up along a new one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from manim import VGroup

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion
from torchreel.stage.arrangement import Family
from torchreel.stage.block import TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Label
from torchreel.stage.form import Places
from torchreel.stage.layout import BracketLine, Placement, brackets
from torchreel.stage.origins import origins
from torchreel.stage.registry import choreography, find
from torchreel.stage.several import MOST, Count, count_room, dotted, few
from torchreel.stage.stage import Stage
from torchreel.stage.text import CAP_HEIGHT, text_width

_JOINS: dict[str, Callable[..., Any]] = {
    "cat": np.concatenate,
    "concat": np.concatenate,
    "concatenate": np.concatenate,
    "stack": np.stack,
    "hstack": np.hstack,
    "vstack": np.vstack,
    "dstack": np.dstack,
    "column_stack": np.column_stack,
}
"""NumPy's functions of the same names put the same elements in the same places."""

_SEAM, _SEAMS = 14.0, 28.0
"""How far the parts of a result stay apart, each and all of them, in film pixels."""

_CLEAR = 4.0


@dataclass(frozen=True)
class _Joined:
    """What goes where: for each element of a result the ``part`` (operand) that it comes from and
    its ``place`` there, both in the result's shape; ``axis`` is the dimension along which the parts
    follow one another (None: there is one part), ``is_new`` tells that no operand has it."""

    part: Places
    place: Places
    axis: int | None
    is_new: bool


@choreography(
    "cat",
    "concat",
    "concatenate",
    "stack",
    "hstack",
    "vstack",
    "dstack",
    "column_stack",
    fills="identity",
)
def join(stage: Stage, step: Step) -> None:
    """Play a step that makes one tensor of several: their blocks become its block."""
    operands, result = stage.operands(step), stage.results(step)[0]
    joined = _joined(stage, step, operands, result)
    if joined is not None and len(operands) <= MOST:
        sources = stage.arrange(_family(stage, operands, joined), operands)
        home = stage.placement(result)
        if all(each.has_cells for each in sources) and len(home.elements) == result.numel:
            stage.scene.wait(motion.QUICK)
            _slide(stage, sources, result, joined, _apart(stage, home, joined))
            return
    if len(operands) > MOST:
        _gather(stage, step, operands, result)
        return
    find("", stage.provenance(step)).play(stage, step)


def _gather(
    stage: Stage, step: Step, operands: Sequence[TensorRecord], result: TensorRecord
) -> None:
    """Play a step that joins many tensors: the first and the last of them, and how many they are;
    what the others hold lands after their cells."""
    moves = stage.trace.moves(step.number)
    tensors = [at for at, each in enumerate(step.operands) if each.tensor is not None]
    shown, total = few(tensors), len(tensors)
    records = [stage.record(step.operands[at].tensor or 0) for at in shown]
    symbols = dotted(total)
    *sources, block = stage.arrange(
        "left_right",
        records,
        [result],
        symbols=[*symbols[:-1], "→"],
        pads=[count_room(stage.canvas, total)] * len(records),
    )
    stage.play(stage.put(Count(stage.canvas, sources, total, step.number)))
    if moves is not None and len(block.elements):
        starts = origins(block, moves, dict(zip(shown, sources, strict=True)))
        known, side = ~np.isnan(starts[:, 0]), sources[0].pose.size
        if known.any():
            stage.play(stage.fly(block, starts[known], block.elements[known], size=side))
    if not block.pose.shown.all() or not len(block.elements):
        stage.play(stage.land(block, run_time=motion.SLOW))


def _joined(
    stage: Stage, step: Step, operands: Sequence[TensorRecord], result: TensorRecord
) -> _Joined | None:
    """Return what goes where; None where nothing does, or not as the op's name says."""
    join = _JOINS[bare_name(step.op)]
    named = {} if join not in (np.concatenate, np.stack) else {"axis": _dim(stage, step)}
    starts = np.cumsum([0, *(each.numel for each in operands)])
    elements = [
        start + np.arange(each.numel).reshape(each.shape)
        for start, each in zip(starts[:-1], operands, strict=True)
        if each.shape != (0,)  # cat lets such a one go with any others
    ]
    if not elements or not result.numel:
        return None
    whole = np.asarray(join(elements, **named))
    if whole.shape != result.shape:
        return None
    part = np.searchsorted(starts, whole, side="right") - 1
    axes = [axis for axis in range(part.ndim) if np.ptp(part, axis=axis).any()]
    is_new = all(len(each.shape) < len(result.shape) for each in operands)
    return _Joined(part, whole - starts[part], axes[0] if axes else None, is_new)


def _family(stage: Stage, operands: Sequence[TensorRecord], joined: _Joined) -> Family:
    """Return where operands stand, so that their ways do not cross: one below the other where the
    parts of the result are."""
    if len(operands) < 2 or joined.axis is None:
        return "left_right"
    if joined.part.ndim - joined.axis == 2:
        return "stacked"
    return stage.roomier(operands, 1.25, line=False)


def _dim(stage: Stage, step: Step) -> int:
    text = stage.literal(step, 0, "dim") or stage.literal(step, 0, "axis") or "0"
    return int(ast.literal_eval(text))


def _apart(stage: Stage, home: Placement, joined: _Joined) -> Placement:
    """Return a place with a seam between the parts; slices stand apart as they are."""
    axis = _across_or_down(joined)
    if axis is None:
        return home
    artboard, last = stage.canvas.artboard, int(joined.part.max())
    seam = min(artboard.px(_SEAM), artboard.px(_SEAMS) / last)
    corners = home.pose.corners.copy()
    corners[:, axis] += seam * (joined.part.ravel() - last / 2)
    pose = replace(home.pose, corners=corners)
    lines = brackets(home.form, pose, artboard, stage.tape is not None)
    return replace(home, pose=pose, brackets=lines)


def _across_or_down(joined: _Joined) -> int | None:
    """Return along which axis of the picture the parts follow one another with a seam: 0 across,
    1 down; None along any other."""
    if joined.axis is None or joined.is_new:
        return None
    return {1: 0, 2: 1}.get(joined.part.ndim - joined.axis)


def _slide(
    stage: Stage,
    sources: Sequence[TensorBlock],
    result: TensorRecord,
    joined: _Joined,
    home: Placement,
) -> None:
    """Let the cells of the result stand where those of the operands do, and slide to their own
    places; how long it is along the joined dimension is lit, part by part where there is room."""
    pairs = zip(joined.part.ravel().tolist(), joined.place.ravel().tolist(), strict=True)
    starts = np.array([sources[part].pose.corners[place] for part, place in pairs])
    stage.merge(result, home, starts)
    lit = [line for line in home.brackets if line.dim == joined.axis]
    rest = tuple(line for line in home.brackets if line.dim != joined.axis)
    stage.grow_brackets(replace(home, brackets=rest))
    told = [_lit(stage, line, result, sources, joined) for line in lit]
    stage.play(*(stage.put(each) for each in told))


def _lit(
    stage: Stage,
    line: BracketLine,
    result: TensorRecord,
    sources: Sequence[TensorBlock],
    joined: _Joined,
) -> VGroup:
    """Return the bracket of the joined dimension: one a part with ``+`` between, else one."""
    owner = np.moveaxis(joined.part, line.dim, 0).reshape(result.shape[line.dim], -1)[:, 0]
    parts = [sources[int(part)].record for part in np.unique(owner)]
    told = _across_or_down(joined) is not None
    if not told or any(len(each.shape) != len(result.shape) for each in parts):
        return Bracket(stage.canvas, line, result, lit=True)
    start, way = np.array(line.start), np.array(line.end) - np.array(line.start)
    side = stage.blocks[0].pose.size
    reach = float(np.linalg.norm(way))
    seam = (reach - side * len(owner)) / (len(parts) - 1)
    made, at = [], 0.0
    for part in parts:
        end = at + side * part.shape[line.dim]
        ends = [tuple((start + way * (each / reach)).tolist()) for each in (at, end)]
        made.append(
            Bracket(stage.canvas, replace(line, start=ends[0], end=ends[1]), part, lit=True)
        )
        at = end + seam
    labels = [each.label for each in made]
    signs = [sign for pair in pairwise(labels) if (sign := _plus(stage, *pair)) is not None]
    if len(signs) < len(parts) - 1:
        return Bracket(stage.canvas, line, result, lit=True)
    return VGroup(*made, *signs)


def _plus(stage: Stage, one: Label, other: Label) -> Label | None:
    """Return a ``+`` between the sizes of two parts, None where there is no room for one."""
    canvas, board = stage.canvas, stage.canvas.artboard
    (x0, y0), (x1, y1) = (canvas.pixel(each.get_center()) for each in (one, other))
    across = x1 - x0 - (text_width(one.text, one.size) + text_width(other.text, one.size)) / 2
    down = y1 - y0 - CAP_HEIGHT * one.size
    if max(across - text_width("+", one.size), down - CAP_HEIGHT * one.size) < board.px(_CLEAR):
        return None
    place = ((x0 + x1) / 2, (y0 + y1) / 2)
    source = Drawn(0, "+", "sign")
    return canvas.label("+", *place, one.size, canvas.theme.focus, source=source)
