"""Convolution and pooling: a window slides over the input, and each place of it makes one cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from manim import Animation, FadeOut

from torchreel.records import Array, Drawn, Step, TensorRecord
from torchreel.spelling import bare_name
from torchreel.stage import motion
from torchreel.stage.arrangement import Family
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Label
from torchreel.stage.form import Places
from torchreel.stage.layout import Margins, Mode
from torchreel.stage.line import Part
from torchreel.stage.ops.geometry import Sliding, entries_of, sliding_of
from torchreel.stage.projection import Projection
from torchreel.stage.registry import choreography, find
from torchreel.stage.rim import Rim
from torchreel.stage.seen import origin_of, part
from torchreel.stage.stage import Stage
from torchreel.stage.text import text_width

_TOLD, _ROW, _MOST = 2, 8, 36
_FAST = 0.12
_DOWN, _ACROSS = 4, 8
"""On its way over a picture the window stops so many times."""
_SUM = "Σ ×"
_WHOLE = 3
_SHORT = 8
"""So many characters of a name have room in any arrangement."""


@dataclass(frozen=True)
class Window:
    """What feeds one cell of a result: elements of each of the tensors on stage, in order."""

    cell: int
    fed: tuple[Places, ...]


@choreography(
    "conv1d",
    "conv2d",
    "max_pool1d",
    "max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
)
def slide(stage: Stage, step: Step) -> None:
    """Play a step that lets a window slide: over one channel, or with one kernel, then over all."""
    known = stage.trace.feeds(step.number)
    operands, result = stage.operands(step), stage.results(step)[0]
    entries = entries_of(stage, step) if known is None else known[0].astype(int)
    if entries is None or not result.numel or any(stage.values(e) is None for e in operands):
        find("", stage.provenance(step)).play(stage, step)
        return
    space = int(re.findall(r"\d", bare_name(step.op))[-1])
    one = part(result, (0,) * (len(result.shape) - space))
    parts = [
        _fed_part(record, entries[(entries[:, 1] == position)], one, space)
        for position, record in enumerate(operands)
    ]
    _tell(stage, step, parts, one, entries)
    if one.numel < result.numel:
        _tell_all(stage, operands, result, entries, space)


def _fed_part(record: TensorRecord, entries: Array, one: TensorRecord, space: int) -> TensorRecord:
    """Return the least part of an operand, by its leading dimensions, that feeds a part of the
    result; of an input or a kernel no less than its ``space`` last dimensions."""
    used = entries[np.isin(entries[:, 0], origin_of(one)), 2]
    most = len(record.shape) - space if len(record.shape) > space else len(record.shape)
    places = np.array(np.unravel_index(used, record.shape)).reshape(len(record.shape), -1)
    index: list[int] = []
    for along in places[:most]:
        if not len(along) or (along != along[0]).any():
            break
        index.append(int(along[0]))
    return part(record, tuple(index)) if index else record


def _tell(
    stage: Stage, step: Step, parts: list[TensorRecord], one: TensorRecord, entries: Array
) -> None:
    """Tell the first windows slowly, with their numbers, a row of them, and the others fast."""
    signs = ["", "+", "="] if len(parts) == 3 else [""] * len(parts)
    is_row = len(one.shape) == 1
    if is_row and len(parts) > 1:
        signs[0] = _SUM
    modes: list[Mode | None] = ["open" if len(each.shape) > 2 else None for each in (*parts, one)]
    family: Family = "stacked" if is_row else "left_right"
    pads = [_name_room(stage, each) for each in (*parts, one)] if not is_row else []
    sliding = _padded(stage, step, parts)
    if sliding is not None:
        pads[0] = _rim_room(stage, parts, one, sliding, pads[0])
    *blocks, made = stage.arrange(
        family, parts, [one], symbols=signs, mode=modes, pads=pads, line=True
    )
    row = min(one.shape[-1], _ROW)
    cells = np.arange(one.numel if one.numel <= _MOST else row)
    if _is_picture(made):
        cells = _stops(stage, one)
    windows = _windows(parts, one, entries, cells)
    lines = Projection(stage.canvas)
    flat = len(one.shape) <= 2 and all(len(each.shape) <= 2 for each in parts)
    is_projected = flat and all(each.has_cells or _is_picture(each) for each in (*blocks, made))
    slow = 1 if stage.times else _TOLD
    sign = _sign_below(stage, blocks[1]) if len(blocks) > 1 and not is_row else []
    rim = None if sliding is None else Rim(stage.canvas, blocks[0], sliding.padding)
    stage.play(*(stage.put(each) for each in (*sign, *([] if rim is None else [rim]))))
    for number, window in enumerate(windows):
        written = number < slow or number == one.numel - 1
        run = motion.BEAT if number < slow else motion.QUICK if number < row else _FAST
        fed = list(window.fed)
        box = None
        if rim is not None and sliding is not None:
            box = rim.box(*sliding.begins(window.cell, one.shape), *sliding.reach)
            fed[1] = np.arange(parts[1].numel)  # on the rim it multiplies zeros
        moves: list[Animation] = [
            stage.light(block, elements, run)
            for block, elements in zip(blocks, fed, strict=True)
            if len(elements) and (rim is None or block is not blocks[0])
        ]
        if rim is not None and box is not None:
            if not number:
                stage.keep(rim.frame)
            moves.append(rim.move(box, run))
        if is_projected and len(window.fed[0]):
            stations = list(zip(blocks, fed, strict=True))[:2]
            end = [(made, np.array([window.cell]))] if len(blocks) < 3 else []
            if not number:
                stage.keep(lines)
            moves.append(lines.move([*stations, *end], run, box))
        if written:
            line = _line(stage, step, blocks, made, window)
            stage.play(*moves, *(stage.write_line(line) if line else stage.rub_out()))
            stage.scene.wait(motion.BEAT)
            moves = []
        elif number == slow:
            moves += stage.rub_out()
        landing = motion.QUICK if written else run
        moves.append(stage.light(made, [window.cell], run))
        if len(made.cells_of([window.cell])):
            moves.append(stage.land(made, [window.cell], landing))
        stage.play(*moves)
        if written:
            stage.scene.wait(motion.QUICK)
    if len(windows) == one.numel:
        return  # the last window stays as it was told
    gone = [*sign, lines, *([] if rim is None else [rim.frame])]
    for each in gone:
        stage.forget(each)
    stage.play(
        *stage.rub_out(),
        *stage.unlight(),
        *(FadeOut(each, run_time=motion.QUICK) for each in gone),
    )
    stage.play(stage.land(made))


def _name_room(stage: Stage, record: TensorRecord) -> Margins:
    """Return room beside a block for a name that is longer than most."""
    beyond = len(stage.named(record).name or "") - _SHORT
    half = max(0.0, text_width("m", stage.canvas.artboard.floor) * beyond / 2)
    return half, 0.0, half, 0.0


def _padded(stage: Stage, step: Step, parts: list[TensorRecord]) -> Sliding | None:
    """Return how a kernel slides over one padded picture; None where none does."""
    sliding = sliding_of(stage, step)
    flat = len(parts) > 1 and all(len(each.shape) == 2 for each in parts[:2])
    return sliding if sliding is not None and flat and any(sliding.padding) else None


def _rim_room(
    stage: Stage, parts: list[TensorRecord], one: TensorRecord, sliding: Sliding, name: Margins
) -> Margins:
    """Return room for the rim around a picture, as large as its cells may be at most."""
    board, (down, across) = stage.canvas.artboard, sliding.padding
    columns = sum((each.shape or (1,))[-1] for each in (*parts, one)) + 2 * across
    rows = parts[0].shape[0] + 2 * down
    cell = min(board.cell_max, board.stage.width / columns, board.stage.height / rows)
    side = max(name[0], across * cell)
    return side, down * cell, side, down * cell


def _is_picture(block: TensorBlock) -> bool:
    """Tell whether a block is so large that it is drawn as a picture, without cells."""
    return not len(block.elements) and len(block.record.shape) == 2


def _stops(stage: Stage, one: TensorRecord) -> Places:
    """Return where the window stands on its way over a picture: first where its result is unlike
    most, then from the top left corner to the bottom right one."""
    values = stage.values(one)
    assert values is not None
    rows, columns = one.shape
    flat = np.nan_to_num(values.ravel().astype(np.float64))
    liveliest = int(np.argmax(np.abs(flat - np.median(flat))))
    near = [liveliest + 1 if liveliest % columns + 1 < columns else liveliest - 1]
    down = np.linspace(0, rows - 1, min(rows, _DOWN)).astype(int)
    across = np.linspace(0, columns - 1, min(columns, _ACROSS)).astype(int)
    way = (down[:, None] * columns + across).ravel()
    return np.array([liveliest, *near, *way])


def _windows(
    parts: list[TensorRecord], one: TensorRecord, entries: Array, cells: Places
) -> list[Window]:
    """Return what feeds each of these cells of a part of the result."""
    inside = [{int(own): e for e, own in enumerate(origin_of(each))} for each in parts]
    windows = []
    for cell, own in zip(cells.tolist(), origin_of(one)[cells], strict=True):
        mine = entries[entries[:, 0] == own]
        fed = tuple(
            np.array([places[int(e)] for e in np.sort(mine[mine[:, 1] == position, 2])], dtype=int)
            for position, places in enumerate(inside)
        )
        windows.append(Window(cell, fed))
    return windows


def _sign_below(stage: Stage, kernel: TensorBlock) -> list[Label]:
    """Return the sign that what lies under a kernel is multiplied and added; none where there is no
    room."""
    canvas, (left, _, right, bottom) = stage.canvas, kernel.pose.front
    size, x = canvas.artboard.type_title, (left + right) / 2
    y = bottom + 0.9 * size
    if y + size / 2 > stage.free.y:
        return []
    source = Drawn(0, _SUM, "sign")
    return [canvas.label(_SUM, x, y, size, canvas.theme.focus, source=source)]


def _line(
    stage: Stage, step: Step, blocks: list[TensorBlock], made: TensorBlock, window: Window
) -> list[Part]:
    """Return ``0.5 × 1. + … = 0.21`` of a kernel, ``max ( 0.2 , 0.8 ) = 0.8`` of a pool, with dots
    for what has no room; nothing where the numbers do not make the result."""
    count = len(window.fed[0])
    for shown in range(count, 0, -1):
        if shown == count - 1:
            continue  # dots would take the place of one
        parts = _spelled(stage, step, blocks, made, window, shown)
        if parts and stage.has_room(parts):
            return parts
    return []


def _spelled(
    stage: Stage,
    step: Step,
    blocks: list[TensorBlock],
    made: TensorBlock,
    window: Window,
    shown: int,
) -> list[Part]:
    values = [np.asarray(stage.values(each.record)).ravel() for each in (*blocks, made)]
    taken = [each[fed].astype(np.float64) for each, fed in zip(values, window.fed, strict=False)]
    end: list[Part] = ["=", (made, window.cell)]
    dots: list[Part] = [] if shown == len(window.fed[0]) else ["…"]
    terms: list[Part] = []
    if len(blocks) > 1:
        if len(taken[0]) != len(taken[1]):
            return []
        total = float(taken[0] @ taken[1]) + sum(float(each.sum()) for each in taken[2:])
        for a, b in list(zip(window.fed[0], window.fed[1], strict=True))[:shown]:
            terms += ["+", (blocks[0], int(a)), "×", (blocks[1], int(b))]
        terms = [*terms[1:], *(["+", *dots] if dots else [])]
        for element in window.fed[2] if len(blocks) > 2 else ():
            terms += ["+", (blocks[2], int(element))]
    else:
        is_max = "max" in bare_name(step.op)
        for a in window.fed[0][:shown]:
            terms += [",", (blocks[0], int(a))]
        inner = [*terms[1:], *([",", *dots] if dots else [])]
        total = float(taken[0].max() if is_max else taken[0].mean())
        terms = ["max" if is_max else "mean", "(", *inner, ")"]
    if not np.isclose(total, float(values[-1][window.cell]), rtol=1e-3, atol=1e-5):
        return []
    return [*terms, *end]


def _tell_all(
    stage: Stage, operands: list[TensorRecord], result: TensorRecord, entries: Array, space: int
) -> None:
    """Let the whole result come, one channel after the other."""
    signs = [*([""] * (len(operands) - 1)), "→"]
    if len(operands) == 3:
        signs[1] = "+"
    *blocks, made = stage.arrange("left_right", operands, [result], symbols=signs)
    size = int(np.prod(result.shape[-space:], dtype=int))
    for channel in range(min(result.numel // size, _WHOLE)):
        cells = np.arange(channel * size, (channel + 1) * size)
        mine = entries[np.isin(entries[:, 0], cells)]
        stage.play(
            *(
                stage.light(block, np.unique(mine[mine[:, 1] == position, 2]))
                for position, block in enumerate(blocks)
            ),
            stage.land(made, cells),
            stage.light(made, cells),
        )
        stage.scene.wait(motion.QUICK)
    stage.play(*stage.unlight())
    stage.play(stage.land(made))
