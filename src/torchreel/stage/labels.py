"""What is written about a block: its brackets, its title or name, the lines between slices."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from manim import DL, UR, Animation, FadeIn, FadeOut, Mobject, Scene, VGroup

from torchreel.records import Drawn, TensorRecord, Trace
from torchreel.stage import motion
from torchreel.stage.arrangement import Spot
from torchreel.stage.badge import Badge, Kind, badge_beside, is_plain, kind_of
from torchreel.stage.block import FRAMED, TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import shape_text
from torchreel.stage.floor import Floor
from torchreel.stage.layout import Placement, brackets
from torchreel.stage.seen import own
from torchreel.stage.title import Name, Title

_BESIDE = 30.0


class Labels(Floor):
    """The labels of the blocks on stage, and how they come and go."""

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        super().__init__(scene, trace, canvas)
        self._titled: Kind | None = None

    def grow_brackets(self, placement: Placement) -> None:
        """Let the brackets of the last block grow, and its title appear."""
        self.label(placement)
        block = self.block
        assert block is not None
        self.scene.add(*self._behind(block), block)
        self.play(*self._labels_growing(block))

    def leave_brackets(self, block: TensorBlock | None = None) -> list[Animation]:
        """Return the animations in which the brackets and the title of a block (the last) go."""
        block = block or self.block
        if block is None:
            return []
        gone = [*self._behind(block), *self._labels_of(block)]
        block.ghosts, block.brackets, block.title = None, [], None
        return [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def bracket(self, block: TensorBlock, dim: int, *, lit: bool = True) -> Bracket | None:
        """Return a bracket with the size of a dimension for a block, to be grown; None where the
        dimension is not drawn."""
        for line in brackets(block.placement.form, block.placement.pose, self.canvas.artboard):
            if line.dim == dim % max(1, len(block.record.shape)):
                made = Bracket(self.canvas, line, block.record, lit=lit)
                block.brackets.append(made)
                return made
        return None

    def leave_title(self) -> bool:
        """Let the title of the last block go, and tell whether it had one."""
        block = self.block
        if block is None or block.title is None:
            return False
        old, block.title = block.title, None
        self.play(FadeOut(old, run_time=motion.QUICK))
        return True

    def relabel(self, record: TensorRecord, dims: dict[int, int], *, titled: bool) -> None:
        """Let the brackets of the last block speak of another tensor, and its title, where it had
        one and has room; ``dims`` maps old to new."""
        block = self.block
        assert block is not None
        for bracket in block.brackets:
            bracket.speak_of(record, dims)
        placed = replace(block.placement, shape=record.shape, pose=block.pose)
        made = self._make_title(record, placed) if titled else None
        around = [*block.brackets, *(boxes.bracket for boxes in block.boxes)]
        if made is not None and not any(_meet(made, each) for each in around):
            block.title = made
            self.play(FadeIn(made, run_time=motion.QUICK))

    def label(self, placement: Placement) -> None:
        """Make the brackets, the lines between slices and the title of the last block."""
        block = self.block
        assert block is not None
        record = block.record
        block.placement = placement
        block.brackets = self._brackets(block, placement)
        block.ghosts = self._ghosts(placement)
        block.title = self._make_title(record, placement)

    def _brackets(self, block: TensorBlock, placement: Placement) -> list[Bracket]:
        """Return the brackets of a block, outside the frame where it has one."""
        pad = self.canvas.artboard.px(FRAMED) if block.framed else 0.0
        made = []
        for line in placement.brackets:
            dx, dy = line.out[0] * pad, line.out[1] * pad
            (x0, y0), (x1, y1) = line.start, line.end
            moved = replace(line, start=(x0 + dx, y0 + dy), end=(x1 + dx, y1 + dy))
            made.append(Bracket(self.canvas, moved, block.record))
        return made

    def _labels_growing(self, block: TensorBlock) -> list[Animation]:
        grown: list[Animation] = [bracket.grow() for bracket in block.brackets]
        if block.ghosts is not None:
            grown.append(FadeIn(block.ghosts, run_time=motion.QUICK))
        if block.title is not None and len(block.title):
            grown.append(FadeIn(block.title, run_time=motion.QUICK))
        return grown

    @staticmethod
    def _labels_of(block: TensorBlock) -> list[Mobject]:
        extra = [part for boxes in block.boxes for part in (boxes.front, boxes.bracket)]
        title = [block.title] if block.title is not None else []
        return [*block.brackets, *extra, *title]

    @staticmethod
    def _behind(block: TensorBlock) -> list[Mobject]:
        boxes = [boxes.behind for boxes in block.boxes]
        return [*boxes, *([block.ghosts] if block.ghosts is not None else [])]

    def _ghosts(self, placement: Placement) -> VGroup | None:
        width, color = self.canvas.artboard.px(2.5), self.canvas.theme.line
        lines = [self.canvas.path([a, b], color, width) for a, b in placement.ghosts]
        return VGroup(*lines) if lines else None

    def _name_text(self, record: TensorRecord) -> str:
        named = self.named(record)
        name = named.name or ""
        if self.canvas.artboard.code is None or named.alone:
            return name
        return f"{name} {shape_text(own(record))}".strip()

    def _name(self, record: TensorRecord, spot: Spot) -> Name:
        return Name(self.canvas, self.named(record), spot)

    def _make_title(self, record: TensorRecord, placement: Placement) -> VGroup | None:
        """Return a lone block's title, on the page a badge where it is of a new kind, and how often
        the block comes again in dimensions that are not drawn; None where there is nothing."""
        title, repeat = self._titled_as(record, placement), placement.form.repeat
        if repeat < 2:
            return title
        artboard = self.canvas.artboard
        text = "".join(f"×{size}" for size in _left_out(record, repeat) if size > 1)
        x = placement.pose.box[2] + artboard.px(_BESIDE)
        y = placement.pose.box[3] - artboard.type_title * 0.4
        source = Drawn(0, text, "sign", record.id)
        color, size = self.canvas.theme.text, artboard.type_title
        times = self.canvas.label(text, x, y, size, color, align=0, source=source)
        return VGroup(*(title or ()), times)

    def _titled_as(self, record: TensorRecord, placement: Placement) -> Title | Badge | None:
        kind = kind_of(record)
        new, self._titled = kind != self._titled, kind
        if self.canvas.artboard.code is not None:
            title = Title(self.canvas, self.named(record), placement, self.room[2], badge=new)
            _, top = self.canvas.pixel(title.get_top())
            return title if top > self.canvas.artboard.stage.y else None  # the code stands there
        if not new or is_plain(record):
            return None
        return badge_beside(self.canvas, record, placement, self.room)


def _meet(one: Mobject, other: Mobject) -> bool:
    """Tell whether the boxes around two mobjects share anything."""
    low = np.maximum(one.get_corner(DL), other.get_corner(DL))
    high = np.minimum(one.get_corner(UR), other.get_corner(UR))
    return bool((low[:2] < high[:2]).all())


def _left_out(record: TensorRecord, repeat: int) -> list[int]:
    """Return the sizes of the dimensions that are not drawn, the first ones."""
    sizes: list[int] = []
    for size in own(record).shape:
        if math.prod(sizes) == repeat:
            break
        sizes.append(size)
    return sizes
