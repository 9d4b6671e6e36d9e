"""Embedding: each id names a row of a table, which is copied; of a bag, the rows make one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from manim import Animation

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Points
from torchreel.stage.colors import Color
from torchreel.stage.fills import by_place
from torchreel.stage.form import Places
from torchreel.stage.layout import Margins, Mode
from torchreel.stage.line import Part
from torchreel.stage.registry import choreography, find
from torchreel.stage.rulers import IndexRulers, ruler_room, touched
from torchreel.stage.seen import part
from torchreel.stage.stage import Stage
from torchreel.stage.threads import Threads

_SLOW, _TOLD, _CURVES = 2, 6, 24
_BESIDE, _FRAMED = 40.0, 14.0


Lookup = tuple[Sequence[int], Sequence[int], Places]
"""Which ids, which rows they name, and which elements of the result come of them."""


@dataclass(frozen=True)
class Ways:
    """The curves of a look-up: ``there`` to the rows of the table, ``on`` to the result, and the
    colour of each row."""

    there: list[Points]
    on: list[Points]
    hues: list[Color]


@choreography("embedding")
def embedding(stage: Stage, step: Step) -> None:
    """Play a step that copies the row of a table that each id names."""
    (ids, table, *_), result = stage.operands(step), stage.results(step)[0]
    asked = stage.values(ids)
    scaled = stage.literal(step, 9, "max_norm") not in (None, "None")
    if asked is None or scaled or not result.numel or len(table.shape) != 2:
        find("", stage.provenance(step)).play(stage, step)
        return
    lead = (0,) * (len(ids.shape) - 1)
    first, rows = (part(ids, lead), part(result, lead)) if lead else (ids, result)
    blocks = _arrange(stage, first, table, rows)
    wide = table.shape[1]
    names = asked[lead].ravel() if lead else asked.ravel()
    _look_up(
        stage,
        blocks,
        [([i], [int(name)], np.arange(wide) + i * wide) for i, name in enumerate(names)],
    )
    if lead and rows.numel < result.numel:
        *_, made = stage.arrange("left_right", [ids, table], [result], symbols=["", "→"])
        stage.play(stage.land(made, run_time=motion.SLOW))


@choreography("embedding_bag")
def embedding_bag(stage: Stage, step: Step) -> None:
    """Play a step that makes one row of all the rows of a table that a bag of ids names."""
    (ids, table, *others), result = stage.operands(step), stage.results(step)[0]
    bags = _bags(stage, ids, others)
    if bags is None or not ids.numel or stage.provenance(step) != "feeds":
        find("", stage.provenance(step)).play(stage, step)
        return
    asked, wide = np.asarray(stage.values(ids)).ravel(), table.shape[1]
    blocks = _arrange(stage, ids, table, result, line=True)
    _look_up(
        stage,
        blocks,
        [
            (bag, [int(asked[each]) for each in bag], np.arange(wide) + number * wide)
            for number, bag in enumerate(bags)
        ],
        bagged=True,
    )


def _bags(stage: Stage, ids: TensorRecord, others: list[TensorRecord]) -> list[list[int]] | None:
    """Return the places of the ids of each bag: those of a row, or from one offset to the next;
    None where that is not known."""
    if stage.values(ids) is None or len(others) > 1:
        return None
    if len(ids.shape) > 1 and not others:
        return [list(map(int, row)) for row in np.arange(ids.numel).reshape(ids.shape)]
    offsets = stage.values(others[0]) if others else None
    if offsets is None or offsets.dtype.kind != "i" or len(ids.shape) > 1:
        return None
    ends = [*offsets.tolist()[1:], ids.numel]
    return [list(range(a, b)) for a, b in zip(offsets.tolist(), ends, strict=True)]


def _arrange(
    stage: Stage, ids: TensorRecord, table: TensorRecord, made: TensorRecord, *, line: bool = False
) -> tuple[TensorBlock, TensorBlock, TensorBlock]:
    """Bring the ids, the table with its indices, and empty slots to their places."""
    beside = stage.canvas.artboard.px(_BESIDE)
    ruled: Margins = (ruler_room(stage.canvas, table.shape)[0] + beside, 0.0, beside, 0.0)
    none: Margins = (0.0, 0.0, 0.0, 0.0)
    column: Mode | None = "column" if len(ids.shape) == 1 else None
    first, second, third = stage.arrange(
        "left_right",
        [ids, table],
        [made],
        symbols=["", ""],
        mode=[column],
        pads=[none, ruled],
        line=line,
    )
    return first, second, third


def _look_up(
    stage: Stage,
    blocks: tuple[TensorBlock, TensorBlock, TensorBlock],
    lookups: Sequence[Lookup],
    *,
    bagged: bool = False,
) -> None:
    """Tell the first look-ups one by one, each with its curves; the others land at once."""
    ids, table, made = blocks
    wide = table.record.shape[1]
    # Beside a slab there is no room for numbers of many digits: its frame is there.
    rulers = IndexRulers(stage.canvas, table, dims=(0,) if table.has_cells else ())
    stage.play(stage.put(rulers))
    ways = [_ways(blocks, each, number, len(lookups)) for number, each in enumerate(lookups)]
    for number, (places, rows, elements) in enumerate(lookups[:_TOLD]):
        run = motion.BEAT if number < _SLOW else motion.QUICK
        lit = np.ravel(np.array(rows)[:, None] * wide + np.arange(wide))
        dark = np.ones(table.record.numel, dtype=bool)
        dark[lit] = False
        dim = [stage.dim(table, dark)] if table.has_cells else []
        written = _line(stage, table, made, rows, elements) if bagged and number < _SLOW else []
        stage.play(stage.light(ids, places, run), *stage.rub_out())
        stage.play(_grow(stage, ways[number].there, ways[number].hues, run))
        rulers.light(touched(table.record.shape, lit))
        stage.play(
            *stage.unlight(made),
            *([stage.light(table, lit, run)] if _is_framed(rows) else stage.unlight(table)),
            *dim,
            *(stage.write_line(written) if written else []),
        )
        moves = [_grow(stage, ways[number].on, ways[number].hues, run)]
        if table.has_cells and made.has_cells and not bagged:
            corners = table.pose.corners[table.cells_of(lit)]
            moves.append(stage.fly(made, corners, elements, 1.5 * run, table.pose.size))
        elif made.has_cells:
            moves.append(stage.land(made, elements, run))
        stage.play(*moves)
        stage.play(stage.light(made, elements))
        stage.scene.wait(run)
    rulers.light(())
    lit_again = [stage.dim(table, np.zeros(table.record.numel, dtype=bool))]
    stage.play(*stage.unlight(), *stage.rub_out(), *(lit_again if table.has_cells else []))
    rest = ways[_TOLD:_CURVES]
    curves = [curve for each in rest for curve in (*each.there, *each.on)]
    hues = [hue for each in rest for hue in (*each.hues, *each.hues)]
    if curves:
        stage.play(_grow(stage, curves, hues, motion.SLOW))
    if not made.pose.shown.all():
        stage.play(stage.land(made))


def _ways(
    blocks: tuple[TensorBlock, TensorBlock, TensorBlock], lookup: Lookup, number: int, count: int
) -> Ways:
    """Return the curves of a look-up, which makes one row of ``count``."""
    ids, table, made = blocks
    places, rows, _ = lookup
    canvas, all_rows = table.canvas, table.record.shape[0]
    aside = canvas.artboard.px(_FRAMED) * table.framed
    room = ruler_room(canvas, table.record.shape)[0] if table.has_cells else aside
    high = ids.record.shape[0] if ids.record.shape else 1
    starts = [_edges(ids, each * high // ids.record.numel, high) for each in places]
    ends, end = [_edges(table, row, all_rows) for row in rows], _edges(made, number, count)
    return Ways(
        [_curve(a[2], a[1], b[0] - room, b[1]) for a, b in zip(starts, ends, strict=True)],
        [_curve(each[2] + aside, each[1], end[0], end[1]) for each in ends],
        list(by_place((np.array(rows) + 0.5) / all_rows, canvas.theme)),
    )


def _is_framed(rows: Sequence[int]) -> bool:
    """Tell whether rows stand together, so that one frame around them has no others in it."""
    return max(rows, default=0) - min(rows, default=0) < max(1, len(set(rows)))


def _line(
    stage: Stage, table: TensorBlock, made: TensorBlock, rows: Sequence[int], elements: Places
) -> list[Part]:
    """Return what makes the first number of a bag's row: ``mean ( 0.3 , 0.7 ) = 0.5``; nothing
    where it is another number."""
    values, result = stage.values(table.record), stage.values(made.record)
    if values is None or result is None:
        return []
    taken, told = values[list(rows), 0].astype(np.float64), float(result.ravel()[elements[0]])
    wide = table.record.shape[1]
    listed: list[Part] = []
    for row in rows:
        listed += [",", (table, row * wide)]
    for name, make in (("mean", np.mean), ("sum", np.sum), ("max", np.max)):
        if len(taken) and np.isclose(make(taken), told, rtol=1e-4, atol=1e-6):
            line: list[Part] = [name, "(", *listed[1:], ")", "=", (made, int(elements[0]))]
            return line if stage.has_room(line) else []
    return []


def _grow(
    stage: Stage, curves: Sequence[Points], colors: Sequence[Color], run_time: float
) -> Animation:
    """Return the animation in which curves grow from their beginnings; they stay."""
    threads = Threads(stage.canvas, curves, colors)
    stage.keep(threads)
    return BlockAnimation(
        threads, lambda t: threads.grow(np.full(len(threads), motion.ease(t))), run_time
    )


def _edges(block: TensorBlock, row: int, rows: int) -> tuple[float, float, float]:
    """Return the left end of a row of a block that has so many, the height of its middle, and its
    right end, in pixels."""
    left, top, right, bottom = block.pose.front
    return left, top + (row + 0.5) / rows * (bottom - top), right


def _curve(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Return the cubic curve that leaves and arrives level."""
    bend = (x1 - x0) * 0.5
    return np.array([(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)])
