"""Indexing: rulers name the indices, what is asked for is lit, and its cells fly out in order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import Animation
from numpy.typing import NDArray

from torchreel.records import Array, Drawn, Shape, Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, Move, TensorBlock
from torchreel.stage.canvas import polyline
from torchreel.stage.cast import between
from torchreel.stage.colors import mix
from torchreel.stage.cut import cut, in_the_way, outline, sight
from torchreel.stage.form import DEEP, DEPTH_X, DEPTH_Y, Mode
from torchreel.stage.layout import Margins, Pose
from torchreel.stage.line import Part
from torchreel.stage.reading import leave_unread, reading_room, tell_reading
from torchreel.stage.registry import choreography
from torchreel.stage.rulers import IndexRulers, ruler_room, touched
from torchreel.stage.slab import Sight
from torchreel.stage.stage import Stage
from torchreel.stage.threads import Threads

Points = NDArray[np.float64]
Places = NDArray[np.int64]

_TOLD = 3
"""So many indices of an index tensor are told one by one."""

_UNASKED = 0.8

_RECKONED = 0.15
"""The share of the stage in which the place of one element is reckoned."""

_DIP, _LEAST, _OUT = 70.0, 24.0, 40.0
"""How far threads hang below cells, at most and at least, and how far beside, in film pixels."""

_FAINT = 0.6

_MANY = 100_000
_SPECK = 4.0
_NO_PAD: Margins = (0.0, 0.0, 0.0, 0.0)

_FRAMED = 8
"""More cells than this that do not stand together are told by dimming the others alone."""


@choreography(
    "__getitem__",
    "select",
    "narrow",
    "index_select",
    "take",
    "take_along_dim",
    "gather",
    "masked_select",
    tape=True,
    fills="identity",
)
def index(stage: Stage, step: Step) -> None:
    """Play a step that picks elements of a tensor."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    asked = _asked(stage, step)
    moves = stage.trace.moves(step.number)
    if asked and moves is not None and _is_mask(asked[0], source):
        _choose(stage, source, asked[0], result, moves)
        return
    symbols = ["→"]
    if asked:
        symbols = ["[", "] →"] if bare_name(step.op) == "__getitem__" else ["", "→"]
    reckoned, places = _reckoned(source, result, moves), _places(source, result, moves)
    depth, room = _depth(source, places), reading_room(stage, source, result)
    others = [*(_NO_PAD for _ in asked), room]
    opened = [ruler_room(stage.canvas, source.shape, mode="open"), *others]
    mode: list[Mode | None] = ["open"] if stage.opens([source, *asked, result], opened) else []
    blocks = stage.arrange(
        "left_right",
        [source, *asked],
        [result],
        symbols=symbols,
        mode=mode,
        pads=opened if mode else [ruler_room(stage.canvas, source.shape, depth), *others],
        below=_RECKONED if reckoned else 0.0,
        orders=[depth, *(None for _ in asked), _depth(result)],
    )
    before, after = blocks[0], blocks[-1]
    seen = before.has_cells and after.has_cells and not _is_solid(before)
    if asked and moves is not None and seen and not step.view:
        _one_by_one(stage, before, blocks[1], after, moves)
    else:
        _take(stage, before, after, places)
    if reckoned and stage.has_room(reckoned):
        stage.play(*stage.write_line(reckoned))


def _reckoned(
    source: TensorRecord, result: TensorRecord, moves: NDArray[np.generic] | None
) -> list[Part]:
    """Return how the place of one element in memory is reckoned, where a step reads just one:
    where the tensor begins, and each index times its stride; nothing of any other step."""
    if moves is None or result.shape or source.storage != result.storage or not source.stride:
        return []
    indices = np.unravel_index(int(moves[0, 1]), source.shape)
    parts: list[Part] = []
    if source.offset:
        parts.append(Drawn(0, str(source.offset), "offset", source.id))
    for dim, (index, stride) in enumerate(zip(indices, source.stride, strict=True)):
        parts += ["+"] if parts else []
        parts.append(Drawn(0, str(index), "index", source.id, (dim, int(index))))
        parts += ["×", Drawn(0, str(stride), "stride", source.id, (dim,))]
    return [*parts, "=", Drawn(0, str(result.offset), "offset", result.id)]


def _asked(stage: Stage, step: Step) -> list[TensorRecord]:
    """Return the mask or the index tensor of a step, where it has exactly one."""
    _, *others = stage.operands(step)
    shown = [other for other in others if other.id != stage.operand(step)]
    return shown[:1] if len(shown) == 1 and shown[0].numel > 0 else []


def _viewed(source: TensorRecord, result: TensorRecord) -> Places | None:
    """Return from where a view reads its elements, by its offset and strides; None where it is no
    view of a tensor that lies in memory as it is read. Of very many they are those along each
    axis, which have all its indices."""
    rows = np.cumprod((1, *source.shape[:0:-1]))[::-1]
    if source.storage != result.storage or source.stride != tuple(rows[-len(source.shape) :]):
        return None
    axes = [np.arange(size) * by for size, by in zip(result.shape, result.stride, strict=True)]
    start = result.offset - source.offset
    if result.numel > _MANY:
        ends = sum(int(axis[-1]) for axis in axes)
        return np.concatenate([start + np.array([0, ends]), *(start + axis for axis in axes)])
    places = sum(np.meshgrid(*axes, indexing="ij"), np.int64(0))
    return np.ravel(places + start).astype(np.int64)


def _is_mask(asked: TensorRecord, source: TensorRecord) -> bool:
    return asked.dtype == "bool" and asked.shape == source.shape


def _places(
    source: TensorRecord, result: TensorRecord, moves: NDArray[np.generic] | None
) -> Places | None:
    """Return where each element of a result was in its source, None where that is not known."""
    return _viewed(source, result) if moves is None else moves[:, 1].astype(np.int64)


def _depth(record: TensorRecord, places: Places | None = None) -> tuple[int, ...] | None:
    """Return which dimensions of a slab lie in depth, down and across: its depth is the innermost
    of the others of which not all is asked for, or that has more than one slice."""
    shape = record.shape
    outer = [dim for dim, size in enumerate(shape[:-2]) if size > 1]
    axes = [] if places is None else touched(shape, places)
    asked = [dim for dim in outer if axes and len(axes[dim]) < shape[dim]]
    deep = asked or outer
    return (deep[-1], len(shape) - 2, len(shape) - 1) if deep else None


def _take(stage: Stage, before: TensorBlock, after: TensorBlock, places: Places | None) -> None:
    """Light what is asked for, dim the rest, and let the chosen cells fly to their slots."""
    if places is None or not len(places):
        stage.play(stage.light(before))
        stage.play(stage.land(after, run_time=motion.SLOW))
        stage.play(*stage.unlight())
        return
    _show(stage, before, places, leave_unread(stage, before.record, after.record))
    if after.has_cells and before.has_cells:
        stage.play(_fly(stage, before, after, places, np.arange(len(places))))
        # A view: memory rests, read from an offset on and by strides of its own.
        tell_reading(stage, before.record, after)
    elif not len(after.elements):
        stage.play(_slide_out(stage, before, after))
    else:
        starts = _on_slab(before, places[after.elements])
        stage.play(stage.fly(after, starts, after.elements, size=_SPECK))


def _show(
    stage: Stage, block: TensorBlock, places: Places, meanwhile: Sequence[Animation] = ()
) -> None:
    """Let what is not asked for go dark, cut the block open to what is, and count its indices."""
    if not len(block.elements):
        axes = zip(touched(block.record.shape, places), block.record.shape, strict=True)
        whole = all(len(axis) == size for axis, size in axes)
        block.sight = None if whole else _sight(stage, block, places)
        if block.sight is not None and block.sight.near > 0:
            _wire(stage, block)
        stage.play(stage.dim(block, share=float(block.sight is not None)), *meanwhile)
        _rule(stage, block, places)
        stage.play(stage.light(block, places))
        return
    rest, hidden = np.ones(block.record.numel, dtype=bool), in_the_way(block, places)
    rest[places] = False
    if not hidden.any():
        _rule(stage, block, places)
    stage.play(
        stage.dim(block, rest, _UNASKED),
        *([] if hidden.any() else _framed(stage, block, places)),
        *meanwhile,
    )
    if hidden.any():
        _cut_open(stage, block, hidden)
        _rule(stage, block, places)
        stage.play(*_framed(stage, block, places))


def _is_solid(block: TensorBlock) -> bool:
    """Tell whether some cells of a block hide others."""
    return block.mode == "solid" and len(block.placement.form.sizes) >= DEEP


def _cut_open(stage: Stage, block: TensorBlock, hidden: NDArray[np.bool_]) -> None:
    """Let cells leave that hide what is asked for, and their outline stay."""
    _wire(stage, block)
    stage.play(cut(block, hidden, motion.BEAT))


def _wire(stage: Stage, block: TensorBlock) -> None:
    """Put the outline of a whole block behind it, before a part of it is cut away."""
    wire = outline(stage.canvas, block)
    stage.keep(wire)
    stage.scene.bring_to_back(wire)


def _sight(stage: Stage, block: TensorBlock, places: Places) -> Sight | None:
    record, dims = block.record, block.placement.form.dims
    return sight(block, places, lambda at: stage.front_of(record, dims, at))


def _on_slab(block: TensorBlock, places: Places) -> Points:
    """Return where elements of a slab, or of a row that is drawn short, are on it: (n, 2) in
    pixels."""
    form, at = block.placement.form, np.unravel_index(places, block.record.shape)
    if form.is_short:
        x = form.short_places(places) * block.pose.size
        row: Points = block.pose.corners[0] + np.stack([x, np.zeros(len(x))], axis=1)
        return row
    left, top, right, bottom = block.pose.front
    shares = [(at[dim] + 0.5) / size for dim, size in zip(form.dims, form.sizes, strict=True)]
    deep, down, across = [np.zeros(len(places)), np.full(len(places), 0.5), *shares][-3:]
    front = np.stack([left + across * (right - left), top + down * (bottom - top)], axis=1)
    lean = np.array([DEPTH_X, DEPTH_Y]) * block.pose.depth
    found: Points = front + np.outer(deep, lean) * (len(shares) == DEEP)
    return found


def _slide_out(stage: Stage, before: TensorBlock, after: TensorBlock) -> Animation:
    """Return the animation in which a slab leaves the frame around what was chosen for its slot."""
    x, y, width, _, _ = stage.lit_boxes(before)[0]
    home = replace(after.pose, shown=np.ones(1, dtype=bool))
    scale = width / (home.size * home.stretch[0])
    start = replace(
        home,
        corners=np.array([[x, y]]),
        size=home.size * scale,
        depth=home.depth * scale,
    )
    stage.landed(after)
    return Move(after, lambda time: between(start, home, motion.ease(time)), motion.SLOW)


def _choose(
    stage: Stage,
    source: TensorRecord,
    asked: TensorRecord,
    result: TensorRecord,
    moves: NDArray[np.generic],
) -> None:
    """Lay the mask over the tensor: where it is F the cells go dark, the others fly out."""
    mode: list[Mode | None] = ["open"] if stage.opens([source, result], ()) else []
    block, mask = stage.arrange("left_right", [source, asked], symbols=["[", "]"], mode=mode * 2)
    chosen = stage.values(asked)
    if block.has_cells and mask.has_cells and chosen is not None:
        _lay_over(stage, mask, block, np.logical_not(chosen.ravel()))
    block, after = stage.arrange(
        "left_right", [source], [result], symbols=["→"], mode=mode, dimmed=True
    )
    if not block.has_cells or not after.has_cells:
        stage.play(stage.land(after, run_time=motion.SLOW))
        return
    places = moves[:, 1].astype(np.int64)
    if (hidden := in_the_way(block, places)).any():
        _cut_open(stage, block, hidden)
    elif not _is_solid(block):
        stage.play(*_framed(stage, block, places))
    stage.play(_fly(stage, block, after, places, np.arange(len(moves))))
    if 1 < len(moves) <= _FRAMED and len(source.shape) < DEEP:
        threads = _threads(stage, block, after, places)
        stage.keep(threads)
        stage.play(threads.growing(motion.SLOW, together=False))


def _threads(stage: Stage, block: TensorBlock, after: TensorBlock, places: Places) -> Threads:
    """Return faint curves from chosen cells to where they are now, around all other cells."""
    theme, px = stage.canvas.theme, stage.canvas.artboard.px
    size, ends = block.pose.size, after.pose.corners[after.cells_of(np.arange(len(places)))]
    floor = max(block.pose.front[3], after.pose.front[3])
    dip = min(px(_DIP), max(px(_LEAST), (stage.zone.bottom - floor) * 4 / 3))
    middle, right = (after.pose.front[1] + after.pose.front[3]) / 2, block.pose.box[2]
    below_name = _span(stage, after)
    curves, colors = [], []
    for cell, end in zip(places, ends, strict=True):
        (x, y), goal = block.pose.corners[cell], float(end[0] + after.pose.size / 2)
        color = mix(theme.bg, block.fills[cell], _FAINT)
        if not len(block.beneath(int(cell))):
            start, foot = (float(x + size / 2), float(y + size)), float(end[1] + after.pose.size)
            low = max(start[1], foot) + dip
            curves.append(np.array([start, (start[0], low), (goal, low), (goal, foot)]))
            colors.append(color)
            continue
        # Between two rows to the edge of the table, then over the result or under it.
        named = below_name[0] < goal < below_name[1]
        if named and y + size < middle:
            continue  # from above it would run through the name, from below over the result
        over = y + size / 2 < middle + 1 and not named
        row = float(y + size * (0.5 if x + 1.5 * size > block.pose.front[2] else not over))
        head = after.pose.box[1] if over else float(end[1] + after.pose.size)
        beyond = min(head, row) - px(_LEAST) if over else max(head, row) + dip
        run = polyline(np.array([(min(float(x + size), right), row), (right, row)]))
        arc = np.array([(right, row), (right + px(_OUT), beyond), (goal, beyond), (goal, head)])
        curves.append(np.concatenate([run, arc]))
        colors.append(color)
    return Threads(stage.canvas, curves, colors)


def _span(stage: Stage, block: TensorBlock) -> tuple[float, float]:
    """Return where the name above a block begins and ends, with some room, in pixels."""
    if block.title is None or not len(block.title):
        return 0.0, 0.0
    room = stage.canvas.artboard.px(10)
    left, right = block.title.get_left(), block.title.get_right()
    return stage.canvas.pixel(left)[0] - room, stage.canvas.pixel(right)[0] + room


def _framed(stage: Stage, block: TensorBlock, places: Places) -> list[Animation]:
    """Return the animation of the focus frame around these places, where it says which they are."""
    chosen = np.unique(places)
    if len(chosen) <= _FRAMED or _is_box(block.record.shape, chosen):
        return [stage.light(block, chosen)]
    return []


def _one_by_one(
    stage: Stage,
    before: TensorBlock,
    asked: TensorBlock,
    after: TensorBlock,
    moves: NDArray[np.generic],
) -> None:
    """Tell the first indices one by one, then the rest at once."""
    every = moves[:, 1].astype(np.int64)
    parts = _parts(asked, stage.values(asked.record), before, after, every)
    rulers: IndexRulers | None = None
    for each, elements in parts[:_TOLD]:
        places = every[elements]
        if rulers is None:
            rulers = _rule(stage, before, places)
        else:
            rulers.light(touched(before.record.shape, places))
        lights = [stage.light(before, places), stage.light(after, elements)]
        lights += [stage.light(asked, [each])] if each is not None else []
        stage.play(*lights)
        stage.play(_fly(stage, before, after, every, elements, motion.BEAT))
    left = [elements for _, elements in parts[_TOLD:]]
    if left:
        stage.play(*stage.unlight())
        stage.play(_fly(stage, before, after, every, np.concatenate(left)))
    stage.play(*stage.unlight(after))


def _parts(
    asked: TensorBlock,
    values: Array | None,
    before: TensorBlock,
    after: TensorBlock,
    places: Places,
) -> list[tuple[int | None, Places]]:
    """Return which elements of the result each element of an index tensor asks for.

    Where each index takes a whole row or column, its elements are one part; else every element is
    one, with the index at its own place where the shapes agree. A row of truths asks with those
    that are true.
    """
    shape, elements = after.record.shape, np.arange(after.record.numel)
    along = None if values is None or values.ndim != 1 or len(shape) < 2 else values
    if along is not None:
        cells = np.flatnonzero(along) if along.dtype == np.bool_ else np.arange(len(along))
        indices = cells if along.dtype == np.bool_ else along.astype(np.int64)
        dim = _dim_of(indices, shape, before.record.shape, places)
        if dim is not None:
            at = np.unravel_index(elements, shape)[dim]
            return [(int(cell), elements[at == i]) for i, cell in enumerate(cells)]
    same = asked.record.shape == shape
    return [(int(i) if same else None, elements[i : i + 1]) for i in elements]


def _dim_of(indices: Places, shape: Shape, source: Shape, places: Places) -> int | None:
    """Return the dimension of a result that a row of indices made: along it each element is of the
    index of its place in one dimension of the source; first such a one that was not left as it
    was."""
    found: list[tuple[bool, int]] = []
    coordinates = np.unravel_index(np.arange(len(places)), shape)
    for dim, axis in itertools.product(range(len(shape)), range(len(source))):
        if len(shape) == len(source) and dim != axis:
            continue
        size = source[axis]
        if shape[dim] != len(indices) or not (np.abs(indices + 0.5) < size + 0.5).all():
            continue
        if np.array_equal(
            np.unravel_index(places, source)[axis], (indices % size)[coordinates[dim]]
        ):
            found.append((np.array_equal(indices, np.arange(size)), dim))
    return min(found)[1] if found else None


def _is_box(shape: Shape, places: Places) -> bool:
    """Tell whether these places are all that lie between their least and greatest indices."""
    axes = touched(shape, places)
    whole = all(len(axis) == max(axis) - min(axis) + 1 for axis in axes)
    return whole and len(places) == math.prod(len(axis) for axis in axes)


def _rule(stage: Stage, block: TensorBlock, places: Places) -> IndexRulers:
    """Show the rulers of a block with the indices of these places lit."""
    rulers = IndexRulers(stage.canvas, block, touched(block.record.shape, places))
    if len(rulers):
        stage.play(stage.put(rulers))
    return rulers


def _fly(
    stage: Stage,
    before: TensorBlock,
    after: TensorBlock,
    places: Places,
    elements: Places,
    run_time: float = 1.5,
) -> Animation:
    starts = before.pose.corners[before.cells_of(places[elements])]
    return stage.fly(after, starts, elements, run_time, size=before.pose.size)


def _lay_over(stage: Stage, mask: TensorBlock, block: TensorBlock, dark: NDArray[np.bool_]) -> None:
    """Let the mask slide over the tensor it chooses from, and melt into light and dark cells."""
    start, end = mask.pose, replace(block.pose, far=mask.pose.far)

    def slide(time: float) -> Pose:
        if time >= 1:
            block.show_cells(False)
        return between(start, end, motion.ease(time))

    stage.scene.bring_to_front(mask)
    leaving = [*stage.leave_brackets(mask), *stage.props_leaving()]
    stage.play(Move(mask, slide, motion.SLOW), *leaving)
    stage.scene.wait(motion.QUICK)
    first, own = mask.fills, block.fills
    stage.blocks.remove(mask)
    stage.scene.remove(mask)
    block.show_cells(True)

    def melt(alpha: float) -> None:
        t = motion.ease(alpha)
        block.dims = np.where(dark, _UNASKED * t, 0.0)
        block.set_fills(first + (own - first) * t)

    stage.play(BlockAnimation(block, melt, motion.BEAT))
