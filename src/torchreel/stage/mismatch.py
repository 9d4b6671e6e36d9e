"""Two tensors that are not broadcast: the dimension in which neither is 1 and they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import FadeIn, FadeOut, Group, Mobject, VGroup

from torchreel.records import Drawn, Run, Step, TensorRecord
from torchreel.stage import motion, registry
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import PixelPoint
from torchreel.stage.devices.clash import ClashPlate, Cross
from torchreel.stage.layout import BracketLine, brackets, margins_of
from torchreel.stage.ops.elementwise import between
from torchreel.stage.stage import Stage
from torchreel.stage.strip import Sentence
from torchreel.stage.text import text_width

_TICK, _LABEL, _WIDTH = 10.0, 28.0, 5.0
_CROSS = 20.0
_PLATE = 3.6
"""The room of the plate and the dimension below it, in title sizes."""


class Mismatch:
    """An act for an elementwise op that raised: its operands stay on stage, the sizes that differ
    are bracketed and joined by a red line with a cross, and the plate says them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._there: list[Mobject] = []
        self._shown: tuple[int, ...] = ()

    def covers(self, step: Step) -> bool:
        """Tell whether a step combines two tensors element by element, and their sizes differ."""
        clash = step.clash
        if clash is None or clash.kind != "shape" or len(clash.dims) != len(clash.facts):
            return False
        if min(clash.dims, default=-1) < 0 or len(clash.operands) != len(clash.facts):
            return False
        if [each.tensor is not None for each in step.operands].count(True) != len(clash.dims):
            return False
        return registry.find(step.op).play.__name__ == "elementwise"

    def sentence(self, step: Step) -> Sentence | None:
        """Return the exception's class: the stage tells the rest."""
        return Sentence((), step, ())

    def play(self, step: Step) -> None:
        """Show the operands and what does not fit."""
        stage, records = self.stage, self.stage.operands(step)
        if stage.scene.renderer.time == 0:  # the first frame is a still that can be read
            stage.enter(records)
            stage.scene.wait(motion.HOLD)
        board = stage.canvas.artboard
        room = _PLATE * board.type_title
        blocks = stage.arrange(
            "left_right",
            records,
            symbols=between(step),
            pads=[self._room(record) for record in records],
            below=room / stage.zone.height,
        )
        self._shown = tuple(record.id for record in records)
        stage.play(FadeIn(self._add(self._red(step, blocks)), run_time=motion.BEAT))
        told = Group(*self._told(step, records[0]))
        stage.play(FadeIn(self._add(told), run_time=motion.BEAT))

    def printed(self, run: Run) -> None:
        """Make room for what a line printed: what is told below the operands leaves."""
        for told in self._there[1:]:
            self.stage.play(FadeOut(told, run_time=motion.QUICK))
            self.stage.scene.remove(told)
        self._there = self._there[:1]

    def leave(self) -> None:
        """Take what is red off the stage; the operands stay until the next line needs room."""
        there, self._there, self._shown = self._there, [], ()
        if there:
            self.stage.play(*(FadeOut(each, run_time=motion.QUICK) for each in there))
            self.stage.scene.remove(*there)

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        return self._shown

    def _add(self, mobject: Mobject) -> Mobject:
        self._there.append(mobject)
        return mobject

    def _room(self, record: TensorRecord) -> tuple[float, float, float, float]:
        """Return what brackets need around an operand."""
        board = self.stage.canvas.artboard
        picture = self.stage.placement(record, "solid").form
        return margins_of(picture, board, above=False, bare=False)

    def _red(self, step: Step, blocks: Sequence[TensorBlock]) -> VGroup:
        """Return a bracket with its size at each operand, and the line that joins them."""
        assert step.clash is not None
        made, lines = VGroup(), list[BracketLine]()
        for block, dim in zip(blocks, step.clash.dims, strict=True):
            placed = block.placement
            every = brackets(placed.form, placed.pose, self.stage.canvas.artboard)
            lines += [line for line in every if line.dim == dim]
        below = len(lines) == len(blocks) and all(line.out[1] > 0 for line in lines)
        if below:  # at one height, so that a straight line joins them
            low = max(line.start[1] for line in lines)
            lines = [
                replace(line, start=(line.start[0], low), end=(line.end[0], low)) for line in lines
            ]
        by_dim = [block.record for block in blocks] if len(lines) == len(blocks) else []
        ends = [self._bracket(made, *each) for each in zip(by_dim, lines, strict=False)]
        if below:
            self._join(made, step, ends)
        return made

    def _bracket(self, made: VGroup, record: TensorRecord, line: BracketLine) -> PixelPoint:
        """Add a red bracket with its size, and return where the size stands."""
        canvas, error = self.stage.canvas, self.stage.canvas.theme.error
        px, out = canvas.artboard.px, np.array(line.out)
        start, end = np.array(line.start), np.array(line.end)
        tick = out * px(_TICK)
        corners = [tuple(each) for each in (start - tick, start, end, end - tick)]
        text, size = str(record.shape[line.dim]), canvas.artboard.type_size
        x, y = (start + end) / 2 + out * px(_LABEL)
        source = Drawn(0, text, "size", record.id, (line.dim,))
        align = 0.5 - 0.5 * float(out[0]) * (len(text) > 1)
        made.add(canvas.path(corners, error, px(_WIDTH)))
        made.add(canvas.label(text, float(x), float(y), size, error, align=align, source=source))
        return float(x), float(y)

    def _join(self, made: VGroup, step: Step, ends: Sequence[PixelPoint]) -> None:
        """Join two sizes by a line with a cross."""
        assert step.clash is not None
        canvas, px = self.stage.canvas, self.stage.canvas.artboard.px
        size = canvas.artboard.type_size
        (x0, y), (x1, _) = ends
        beside = [text_width(text, size) / 2 + px(12) for text in step.clash.facts]
        start, end = x0 + beside[0], x1 - beside[1]
        if end - start < px(4 * _CROSS):
            return
        made.add(canvas.path([(start, y), (end, y)], canvas.theme.error, px(_WIDTH)))
        made.add(Cross(canvas, (start + end) / 2, y, radius=px(_CROSS)))

    def _told(self, step: Step, record: TensorRecord) -> list[Mobject]:
        """Return the plate with the two sizes, and the dimension counted from the last."""
        assert step.clash is not None
        canvas, free = self.stage.canvas, self.stage.free
        board, theme = canvas.artboard, canvas.theme
        dim = f"dim {step.clash.dims[0] - len(record.shape)}"
        plate = free.y + board.type_title * 1.3
        colors = (theme.text, theme.text)
        source = Drawn(0, dim, "clash", step=step.number)
        y = plate + board.type_title * 1.6
        return [
            ClashPlate(canvas, step, free.center_x, plate, colors),
            canvas.label(dim, free.center_x, y, board.type_size, theme.error, source=source),
        ]
