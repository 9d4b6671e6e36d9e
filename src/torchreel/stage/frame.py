"""What stands on a frame: every text, block and lit thing of a scene's mobjects, in pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from manim import Mobject, VMobject

from torchreel.stage.artboard import Artboard
from torchreel.stage.block import TensorBlock
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.checker import Body, Boxes, Frame, Lit, Written
from torchreel.stage.code import CodeBand
from torchreel.stage.focus import Focus
from torchreel.stage.form import DEPTH_X, DEPTH_Y
from torchreel.stage.strip import ShapeStrip
from torchreel.stage.tape import MemoryTape

_FLAT = 60.0
"""A bracket is a line of its own where its box is no wider than this, in film pixels."""

_SIDES, _PIECES = 3, 16


@dataclass
class Parts:
    """The mobjects of a scene by what they are; what belongs to the code, the tape or the strip is
    not on the stage."""

    labels: list[Label] = field(default_factory=list)
    blocks: list[TensorBlock] = field(default_factory=list)
    brackets: list[Bracket] = field(default_factory=list)
    staged: list[Mobject] = field(default_factory=list)
    around: list[Mobject] = field(default_factory=list)

    @classmethod
    def of(cls, mobjects: Iterable[Mobject]) -> Parts:
        """Return the parts of these mobjects and of all that is in them."""
        parts = cls()
        for mobject in mobjects:
            parts._take(mobject, isinstance(mobject, CodeBand | MemoryTape | ShapeStrip))
        return parts

    def _take(self, mobject: Mobject, around: bool) -> None:
        if isinstance(mobject, TensorBlock):
            if mobject.faded < 1 and mobject.pose.shown.any():
                self.blocks.append(mobject)
        elif isinstance(mobject, Bracket):
            self.brackets.append(mobject)
        if is_visible(mobject):
            (self.around if around else self.staged).append(mobject)
            if isinstance(mobject, Label):
                self.labels.append(mobject)
        for each in mobject.submobjects:
            self._take(each, around)


def is_visible(mobject: Mobject) -> bool:
    """Tell whether a mobject itself draws something."""
    if not len(mobject.points):
        return False
    if not isinstance(mobject, VMobject):
        return True
    filled = bool(np.any(np.asarray(mobject.fill_rgbas)[:, 3] > 0))
    return filled or bool(mobject.stroke_width and np.any(mobject.stroke_rgbas[:, 3] > 0))


def frame_of(parts: Parts, canvas: Canvas) -> Frame:
    """Return what stands on a frame, measured in pixels of the artboard."""
    board = canvas.artboard
    texts = [
        Written(label.text, label.size, *_box(label, board), _lines_of(parts, label))
        for label in parts.labels
    ]
    bodies = [Body(_title(block), _cells(block)) for block in parts.blocks]
    for block, body in zip(parts.blocks, bodies, strict=True):
        size = block.digit_size
        texts += [Written(text, size, *box, body.name) for text, _, box in block.digits()]
    for bracket in parts.brackets:
        boxes = _along(bracket.line, board)
        if is_visible(bracket.line) and boxes[0, 2:].min() < board.px(_FLAT):
            bodies.append(Body(f"the bracket {bracket.label.text}", boxes, True))
    return Frame(
        texts,
        bodies,
        np.array([_box(each, board) for each in (*parts.staged, *parts.around)]).reshape(-1, 4),
        bool(parts.staged),
        {id(each): _lit(each, canvas) for each in parts.staged if _is_lit(each, canvas)},
    )


def _title(block: TensorBlock) -> str:
    title = block.title
    named = next((each.text for each in title if isinstance(each, Label)), "") if title else ""
    return f"the tensor {named} {tuple(block.record.shape)}".replace("  ", " ")


def _lines_of(parts: Parts, label: Label) -> str:
    """Return what a label belongs to: a bracket never covers its own size."""
    owner = next((each for each in parts.brackets if each.label is label), None)
    return f"the bracket {label.text}" if owner is not None else ""


def _cells(block: TensorBlock) -> Boxes:
    """Return the boxes of what is drawn of a block: each cell's front, and its back."""
    pose = block.pose
    corners = pose.corners[pose.shown] + np.array([DEPTH_X, DEPTH_Y]) * pose.depth * block.opened
    size = pose.size * np.array(pose.stretch)
    front = np.concatenate([corners, np.broadcast_to(size, corners.shape)], axis=1)
    back = front.copy()
    back[:, :2] += np.array([DEPTH_X, DEPTH_Y]) * pose.depth * (1 - block.opened)
    return np.concatenate([front, back])


def _along(line: VMobject, board: Artboard) -> Boxes:
    """Return the boxes of the parts of a bracket's line: of an oblique one there are several, as it
    fills a corner of the box around it only."""
    whole = np.array([_box(line, board)])
    corners = line.points[::4, :2]
    start, end = corners[1], corners[2]
    if len(corners) != _SIDES or (np.abs(end - start) < 1e-6).any():
        return whole
    (left, top, width, height), steps = whole[0], np.arange(_PIECES)
    rises = (end[0] - start[0]) * (end[1] - start[1]) > 0
    part = np.array([width, height]) / _PIECES
    lefts = left + steps * part[0]
    tops = top + (steps[::-1] if rises else steps) * part[1]
    return np.stack([lefts, tops, np.full(_PIECES, part[0]), np.full(_PIECES, part[1])], axis=1)


def _box(mobject: Mobject, board: Artboard) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a mobject's own outline, in pixels."""
    (x0, y0), (x1, y1) = mobject.points[:, :2].min(axis=0), mobject.points[:, :2].max(axis=0)
    left, top = x0 / board.unit + board.width / 2, board.height / 2 - y1 / board.unit
    return float(left), float(top), float((x1 - x0) / board.unit), float((y1 - y0) / board.unit)


def _is_lit(mobject: Mobject, canvas: Canvas) -> bool:
    if not isinstance(mobject, VMobject):
        return False
    focus = canvas.theme.focus
    paints = [mobject.fill_rgbas]
    if mobject.stroke_width:
        paints.append(mobject.stroke_rgbas)
    return any(
        bool(np.any((np.abs(each[:, :3] - focus) < 1e-3).all(axis=1) & (each[:, 3] > 0)))
        for each in (np.asarray(paint) for paint in paints)
    )


def _lit(mobject: Mobject, canvas: Canvas) -> Lit:
    if isinstance(mobject, Focus):
        what = f"the frame on {_title(mobject.block)}"
    else:
        what = repr(mobject.text) if isinstance(mobject, Label) else "a frame or a line"
    return Lit(what, _box(mobject, canvas.artboard), mobject.points.round(4).tobytes())
