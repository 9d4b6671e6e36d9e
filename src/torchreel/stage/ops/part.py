"""Parting: a tensor's cells slide apart into the tensors that are its parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Step, TensorRecord
from torchreel.stage import motion
from torchreel.stage.arrangement import Family
from torchreel.stage.registry import choreography
from torchreel.stage.several import Count, count_room, dotted, few
from torchreel.stage.stage import Stage

Places = NDArray[np.int64]


@choreography(
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "tensor_split",
    "hsplit",
    "vsplit",
    "dsplit",
    tape=True,
    fills="identity",
)
def part(stage: Stage, step: Step) -> None:
    """Play a step that parts a tensor: all its parts, of many the first and the last."""
    source, results = stage.record(stage.operand(step)), stage.results(step)
    moves = [stage.trace.moves(step.number, index) for index in range(len(results))]
    shown, total = few(list(zip(results, moves, strict=True))), len(results)
    parts = [record for record, _ in shown]
    places = [None if each is None else np.asarray(each[:, 1], dtype=np.int64) for _, each in shown]
    known = [each for each in places if each is not None]
    block = stage.block_as(source)
    if block.has_cells and len(known) == len(parts) and known:
        stage.scene.wait(motion.QUICK)
        left_out = np.ones(source.numel, dtype=bool)
        left_out[np.concatenate(known)] = False
        if left_out.any():
            stage.play(stage.dim(block, left_out))
        starts = [block.pose.corners[block.cells_of(each)] for each in known]
        made = stage.divide(
            parts, starts, _family(source, known), dotted(total), _pads(stage, step)
        )
    else:
        symbols = ["→", *dotted(total)]
        _, *made = stage.arrange(
            "left_right", [source], parts, symbols=symbols, pads=[(0, 0, 0, 0), *_pads(stage, step)]
        )
        for each in made:
            stage.play(stage.land(each, run_time=motion.QUICK))
    count = Count(stage.canvas, made, total, step.number)
    if len(count):
        stage.play(stage.put(count))


def _pads(stage: Stage, step: Step) -> list[tuple[float, float, float, float]]:
    total = len(step.results)
    return [count_room(stage.canvas, total)] * len(few(step.results))


def _family(source: TensorRecord, places: Sequence[Places]) -> Family:
    """Return where the parts stand: one below the other where they were so in the source."""
    firsts = [int(each[0]) for each in places if len(each)]
    rows = source.shape[-1] if source.shape else 1
    over = len(source.shape) == 2 and len({first // rows for first in firsts}) == len(firsts)
    return "stacked" if over and len(firsts) > 1 else "left_right"
