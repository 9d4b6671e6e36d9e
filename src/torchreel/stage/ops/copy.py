"""Contiguous and clone: memory of its own, filled in the order in which the tensor is read."""

from __future__ import annotations

import numpy as np
from manim import FadeIn, VGroup, VMobject

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import s_curve
from torchreel.stage.copying import copy_memory
from torchreel.stage.memory import memory_positions
from torchreel.stage.registry import choreography
from torchreel.stage.stage import Stage
from torchreel.stage.strides import Hops, StrideArrows, stride_room
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import SlotThreads


@choreography("contiguous", "clone", tape=True, fills="identity")
def copy(stage: Stage, step: Step) -> None:
    """Play a step that copies a tensor into memory of its own, or finds nothing to copy."""
    source, result = stage.record(stage.operand(step)), stage.record(step.results[0])
    if source.storage == result.storage:
        stage.exchange(result)
        stage.play(stage.light(stage.blocks[-1]))
        return
    _stand(stage, source, result, copy_memory(stage, source, result))


def _stand(stage: Stage, source: TensorRecord, result: TensorRecord, copied: VGroup | None) -> None:
    """Let the copy stand beside what it was copied from, over the memory that is its own; where
    that was seen being filled, the copy is there at once, with the number of what was ``copied``.
    """
    told, board = source.stride != result.stride, stage.canvas.artboard
    # The page has no room for strides and for two pieces of memory: there the arrows tell them.
    brief = stage.beside is not None and board.code is None and len(source.shape) == 2
    pads = [stride_room(board, brief=brief)] * 2 if told else []
    there, landing = ([source, result], []) if copied is not None else ([source], [result])
    before, after = stage.arrange("left_right", there, landing, symbols=["→"], pads=pads)
    if copied is None:
        stage.play(stage.land(after))
    held, props = stage.tape_with(result), list[VMobject]()
    if told:
        props += [
            StrideArrows(stage.canvas, each, brief=brief)
            for each in (before, after)
            if each.record.stride
        ]
        props += [] if held is None else [Hops(stage.canvas, held, after, stage.zone.bottom)]
    elif held is not None and after.has_cells:
        props.append(_hanging(stage, after, held))
    shown = [stage.put(each) for each in props]
    if held is not None and copied is not None:
        held.names.add(copied)
        shown.append(FadeIn(copied, run_time=motion.QUICK))
    stage.play(*shown)


def _hanging(stage: Stage, block: TensorBlock, tape: MemoryTape) -> SlotThreads:
    """Return threads that lead from the lowest cells of a block to their slots."""
    corners, size = block.pose.corners, block.pose.size
    low = np.flatnonzero(corners[:, 1] > corners[:, 1].max() - 1)
    slots = memory_positions(block.record).ravel()[low]
    threads = SlotThreads(
        stage.canvas,
        [
            s_curve((float(x + size / 2), float(y + size)), tape.top_of(int(slot)))
            for (x, y), slot in zip(corners[low], slots, strict=True)
        ],
        [tape.fills[int(slot)] for slot in slots],
    )
    threads.grow(np.ones(len(low)))
    return threads
