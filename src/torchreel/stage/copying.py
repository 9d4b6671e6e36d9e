"""How memory is copied: the old piece above, the new one below, a thread for every element."""

from __future__ import annotations

import numpy as np
from manim import FadeIn, FadeOut

from torchreel.records import TensorRecord
from torchreel.stage import motion
from torchreel.stage.arrangement import Spot
from torchreel.stage.block import BlockAnimation
from torchreel.stage.memory import memory_positions
from torchreel.stage.stage import Stage
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import Threads
from torchreel.stage.title import Name

_SHARE = 0.9
_TOP = 96.0
_CROSSING = 1.6
"""Seconds in which elements are copied whose order changes."""


def copy_memory(stage: Stage, source: TensorRecord, result: TensorRecord) -> bool:
    """Play how the elements of ``source`` are copied, in the order in which it is read, into the
    memory of ``result``, which the tape shows from now on; False where no tape can show it."""
    first, second = stage.tape, stage.tape_for(result)
    if first is None or second is None or not stage.tape_holds(source):
        return False
    _play(stage, source, result, first, second)
    return True


def _play(
    stage: Stage,
    source: TensorRecord,
    result: TensorRecord,
    first: MemoryTape,
    second: MemoryTape,
) -> None:
    """Show both pieces of memory, one above the other, and the way of every element."""
    stage.clear()
    px = stage.canvas.artboard.px
    lift = first.zone.y - stage.zone.y - px(_TOP)
    second.stand(_SHARE)
    second.fill(np.zeros(second.count))
    names = (_name(stage, source, first, lift), _name(stage, result, second, 0.0))
    stage.scene.add(second, first)
    stage.play(
        first.glide(_SHARE, lift, motion.BEAT),
        *(FadeIn(each, run_time=motion.BEAT) for each in (second.frame, *names)),
    )
    places = zip(memory_positions(source).ravel(), memory_positions(result).ravel(), strict=True)
    pairs = [(int(a), int(b)) for a, b in places]
    starts, homes = [start for start, _ in pairs], [home for _, home in pairs]
    threads = Threads(
        stage.canvas,
        [first.bottom_of(start) for start in starts],
        [second.top_of(home) for home in homes],
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
    stage.play(
        *(FadeOut(each, run_time=motion.QUICK) for each in (first, threads, *names)),
    )
    stage.play(second.glide(1.0, 0.0, motion.QUICK))
    first.stand(1.0)
    stage.tape = second


def _name(stage: Stage, record: TensorRecord, tape: MemoryTape, lift: float) -> Name:
    artboard = stage.canvas.artboard
    right = tape.left_at(_SHARE) - artboard.px(22)
    y = tape.zone.center_y - lift
    return Name(stage.canvas, stage.named(record), Spot(right, y, 1.0, right - artboard.margin))
