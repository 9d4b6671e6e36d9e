"""How memory is copied: the old piece rests, the new one comes above it, a thread for every
element; then both are there, each with the names of those whose memory it is."""

from __future__ import annotations

import numpy as np
from manim import FadeIn, FadeOut, VGroup

from torchreel.records import Drawn, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import s_curve
from torchreel.stage.memory import memory_positions
from torchreel.stage.stage import Stage
from torchreel.stage.tape import SHARE, MemoryTape
from torchreel.stage.text import text_width
from torchreel.stage.threads import Threads

_TOP = 40.0
_CROSSING = 1.6
"""Seconds in which elements are copied whose order changes."""


def copy_memory(stage: Stage, source: TensorRecord, result: TensorRecord) -> VGroup | None:
    """Play how the elements of ``source`` are copied, in the order in which it is read, into the
    memory of ``result``, which plays from now on, and return what will say beside it how many they
    were; None where no tape can show it."""
    first, second = stage.tape_with(source), stage.tape_for(result)
    if first is None or second is None:
        return None
    _play(stage, source, result, first, second)
    return _copied(stage, result, second)


def _play(
    stage: Stage,
    source: TensorRecord,
    result: TensorRecord,
    first: MemoryTape,
    second: MemoryTape,
) -> None:
    """Show both pieces of memory, one above the other, and the way of every element."""
    px = stage.canvas.artboard.px
    leaving = [FadeOut(tape, run_time=motion.QUICK) for tape in stage.tapes if tape is not first]
    stage.tape, stage.beside = second, first
    second.stand(SHARE, first.zone.y - stage.canvas.artboard.stage_above_tape.y - px(_TOP))
    second.fill(np.zeros(second.count))
    second.tell(stage.owners(second, [result]))
    stage.clear(
        *leaving,
        first.telling(stage.owners(first, [source]), first.low, motion.BEAT),
        FadeIn(second, run_time=motion.BEAT, rate_func=motion.late),
    )
    places = zip(memory_positions(source).ravel(), memory_positions(result).ravel(), strict=True)
    pairs = [(int(a), int(b)) for a, b in places]
    starts, homes = [start for start, _ in pairs], [home for _, home in pairs]
    threads = Threads(
        stage.canvas,
        [s_curve(first.top_of(start), second.bottom_of(home)) for start, home in pairs],
        [first.fills[start] for start in starts],
    )
    stage.scene.add(threads)

    def grow(alpha: float) -> None:
        threads.grow(motion.staggered(alpha, len(pairs)))

    def fill(alpha: float) -> None:
        filled = np.zeros(second.count)
        filled[homes] = np.clip(6 * motion.staggered(alpha, len(pairs)) - 5, 0, 1)
        second.fill(filled)

    lasting = _CROSSING if homes != starts else motion.SLOW
    stage.play(BlockAnimation(threads, grow, lasting), BlockAnimation(second, fill, lasting))
    stage.scene.wait(motion.QUICK)
    stage.play(FadeOut(threads, run_time=motion.QUICK))
    stage.play(second.glide(SHARE, second.high, motion.BEAT))


def _copied(stage: Stage, result: TensorRecord, second: MemoryTape) -> VGroup:
    """Return the arrow from the lower piece of memory to the upper one, between their names, with
    how many elements were copied."""
    canvas, board = stage.canvas, stage.canvas.artboard
    text, size, middle = str(result.numel), board.floor, second.zone.center_y
    x = second.names_end - board.px(9)
    tip, tail = (middle - lift for lift in (second.high, second.low))
    reach = (tail - tip) / 2 - board.px(19)
    y = (tip + tail) / 2
    color = canvas.theme.muted
    arrow = canvas.arrow((x, y + reach), (x, y - reach), color, board.px(4))
    x -= board.px(14) + text_width(text, size)
    source = Drawn(0, text, "size", result.id)
    return VGroup(arrow, canvas.label(text, x, y, size, color, align=0, source=source))
