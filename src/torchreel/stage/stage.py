"""What is on stage, and how it comes and goes: what the choreographies in ``ops/`` work with.

A choreography is a function of the stage and a step. It asks the stage to *arrange* the tensors of
its step, and plays ordinary Manim animations on the blocks it gets back::

    a, b, c = stage.arrange("left_right", stage.operands(step), stage.results(step), symbols="+=")
    for element in range(3):
        stage.play(stage.light(a, [element]), stage.light(b, [element]), stage.light(c, [element]),
                   *stage.write_line([(a, element), "+", (b, element), "=", (c, element)]))
        stage.play(stage.land(c, [element]))
    stage.play(*stage.unlight(), *stage.rub_out())
    stage.play(stage.land(c))

* ``arrange(family, operands, results)``: families ``in_place``, ``left_right``, ``stacked``,
  ``corner`` (``arrangement.py``). A tensor that is on stage already moves to its new place and
  keeps its cells; the others come and go. Results are empty slots until ``land`` or ``fly``.
* ``light`` / ``unlight``: the focus frame, around the cells of these elements. One idea at a time.
* ``dim``: an opaque mix towards the background. ``land``: cells drop into their slots. ``fly``:
  cells travel to their slots from where elements of other blocks stand.
* ``write_line`` / ``rub_out``: ``a + b = c`` written out large. ``write``: a block's values change.
* ``seen.py``: a tensor as an op sees it (stretched, turned); ``stretch`` lets its ghosts slide out.
* Elements are row-major places in the tensor, or a boolean mask of its shape; what is not drawn
  (a slab, the middle of a long row) is lit as a whole, or left out.

These return animations, so that several can be played at once: ``stage.play(…)``. The families of
ops and their files: creation, reshape, squeeze (in place), elementwise and broadcast, unary,
reductions, matmul, indexing, transpose and permute, cat and stack, contiguous and clone. An op
without a file is played by its provenance: ``moves`` (cells fly by the measured map), ``feeds``
(what feeds a result is lit), else the named box.
"""

from __future__ import annotations

from torchreel.records import TensorRecord
from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.owners import Owners
from torchreel.stage.wirebox import WireBoxes


class Stage(Owners):
    """The blocks on stage, their labels, the memory tape, what is lit and what is written.

    What it can do is in one file a noun: ``facts`` of the trace, the ``floor`` and who stands
    where, ``following`` of memory, ``labels``, ``lights``, ``landing`` of cells, the ``cast``, the
    ``owners`` of memory; and wire boxes here.
    """

    def wrap(self, boxes: WireBoxes) -> None:
        """Grow wire boxes around the last block; its brackets make room."""
        block = self.block
        assert block is not None
        lit = [animation for other in block.boxes for animation in other.darken(motion.QUICK)]
        for other in block.boxes:
            other.dim += other.dim >= boxes.dim
        block.boxes.append(boxes)
        self.scene.add(boxes.behind, block, boxes.front)
        self.play(
            *boxes.grow(motion.SLOW),
            *(boxes.push(bracket, motion.SLOW) for bracket in block.brackets if boxes.pad),
            *lit,
        )
        self.play(boxes.bracket.grow())

    def unwrap(self, record: TensorRecord, dim: int) -> None:
        """Let the wire boxes of ``dim`` of the tensor ``record`` on stage widen and go."""
        block = self.block
        assert block is not None
        boxes = next((each for each in block.boxes if each.dim == dim), None)
        if boxes is None:
            self._drop_bracket(block, dim)
            boxes = WireBoxes(self.canvas, block, record, dim)
            self.wrap(boxes)
        block.boxes.remove(boxes)
        self.play(boxes.bracket.leave(), *boxes.leave(motion.SLOW))
        self.scene.remove(boxes.behind, boxes.front)
        if block.brackets and boxes.pad:
            self.play(*(boxes.push(each, motion.QUICK, -1) for each in block.brackets))
        for other in block.boxes:
            other.dim -= other.dim > dim

    def _drop_bracket(self, block: TensorBlock, dim: int) -> None:
        """Let the bracket of a dimension go, where it has one: wire boxes bring their own."""
        gone = [each for each in block.brackets if each.along == dim]
        if gone:
            block.brackets = [each for each in block.brackets if each.along != dim]
            self.play(*(each.leave() for each in gone))
