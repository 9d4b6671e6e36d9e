"""The cast: which block shows which tensor, and how blocks come, move to their places and go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from manim import Animation, FadeIn, FadeOut, Mobject, VGroup

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.spelling import spell
from torchreel.stage import motion
from torchreel.stage.arrangement import Arrangement, Family, Item, Mark, Spot, arrange
from torchreel.stage.block import BlockAnimation, Move, TensorBlock
from torchreel.stage.following import Following
from torchreel.stage.form import CELLS_MAX, Places, Points
from torchreel.stage.labels import Labels
from torchreel.stage.landing import Landing
from torchreel.stage.layout import Margins, Mode, Placement, Pose, modes, visible
from torchreel.stage.lights import Lights
from torchreel.stage.memory import memory_positions
from torchreel.stage.seen import Seen, origin_of
from torchreel.stage.text import text_width

_LATE, _NEXT = 0.7, 0.35
"""When what comes begins to be seen, as a share of the time in which the others move, or go."""


class Cast(Following, Labels, Lights, Landing):
    """The tensors that play now: what is on stage moves and keeps its cells, the rest changes."""

    def arrange(
        self,
        family: Family,
        operands: Sequence[TensorRecord],
        results: Sequence[TensorRecord] = (),
        *,
        symbols: Sequence[str] = (),
        before: str = "",
        spoken: Sequence[Drawn] = (),
        mode: Sequence[Mode | None] = (),
        pads: Sequence[Margins] = (),
        bare: bool = True,
        line: bool = False,
        below: float = 0.0,
        box: Step | None = None,
        dimmed: bool = False,
        orders: Sequence[tuple[int, ...] | None] = (),
    ) -> list[TensorBlock]:
        """Bring operands to their places, keep empty slots for results, and return all blocks.

        ``symbols`` follow the tensors one by one (``"+="``, ``["@", "→"]``) and ``before`` comes
        first; words of them that are facts of the trace are ``spoken``. ``mode`` says how each is
        drawn, ``pads`` what room it needs around it (left, top, right, bottom in pixels), ``bare``
        leaves brackets out, ``line`` keeps room for :meth:`write_line`, ``below`` (a share of the
        stage) for a picture, ``box`` puts the symbol
        that is this step's op into a box. A tensor that is seen stretched shows its own cells
        until :meth:`stretch`. ``dimmed`` leaves dimmed what is dimmed, ``orders`` says of each
        which dimensions lie in depth, down and across where it is a slab (``form.slab``).
        """
        records = [*operands, *results]
        if box is not None:
            word = spell(box)
            symbols = [f"   {word}   " if each == word else each for each in symbols]
        shown = self._arrangement(
            family, records, symbols, mode, bare, line, before, pads, below, orders
        )
        self.free = shown.free
        blocks, entering = self._cast(records, len(operands), shown)
        leaving = [block for block in self.blocks if block not in blocks]
        gone, parting = self._parting(leaving)
        moving = [block for block in blocks if block in self.blocks]
        labels, unlabelled = self._unlabelled(moving)
        self.blocks = blocks
        come = entering[: self._entered(entering, results)]
        start = _LATE if moving else _NEXT if leaving else 0.0
        for block in entering:
            block.fade_into(1.0)
            self.scene.add(block)
        self.play(
            *parting,
            *unlabelled,
            *self.props_leaving(),
            *(
                self._settling(block, placement, dimmed)
                for block, placement in zip(blocks, shown.placements, strict=True)
                if block in moving
            ),
            *(self._coming(block, start) for block in come),
        )
        self.scene.remove(*gone, *labels)
        self.wait_for(blocks[len(operands) :])
        self._label_all(blocks, shown, bare, box, spoken)
        return blocks

    def roomier(
        self,
        records: Sequence[TensorRecord],
        margin: float = 1.0,
        *,
        line: bool = True,
        across: Family = "left_right",
    ) -> Family:
        """Return the family in which tensors have the larger cells: ``across``, or stacked where
        its cells are more than ``margin`` times as large."""
        families: tuple[Family, Family] = (across, "stacked")
        row, column = (
            self._arrangement(family, records, ["="] * len(records), (), True, line)
            for family in families
        )
        rows, columns = (
            [placement.pose.size * (not placement.form.is_slab) for placement in each.placements]
            for each in (row, column)
        )
        return families[min(columns) > margin * min(rows)]

    def opens(self, records: Sequence[TensorRecord], pads: Sequence[Margins]) -> bool:
        """Tell whether the first of some tensors in a row can be opened without losing digits."""
        if modes(records[0].shape)[0] != "open" or len(visible(records[0].shape)[0]) < 3:
            return False
        shown = self._arrangement("left_right", records, ["→"], ["open"], True, False, pads=pads)
        first = shown.placements[0]
        return not first.form.is_slab and first.pose.size >= self.canvas.artboard.digits_from

    def block_of(self, record: TensorRecord) -> TensorBlock:
        """Return the block of a tensor, alone on stage: the one that shows the same elements in the
        same order where there is one, else a new one."""
        block = self._showing(record, self.blocks)
        alone = block is not None and len(self.blocks) == 1 and not self._props
        if block is not None and alone and len(block.elements) == record.numel:
            return block
        if block is not None and block.record.id == record.id and alone:
            return block
        return self.arrange("in_place", [record], bare=False)[0]

    def bring(self, records: Sequence[TensorRecord]) -> None:
        """Let tensors be on stage: as it is where all of them are there, else they take it."""
        there = {block.record.id for block in self.blocks}
        if not there.issuperset(each.id for each in records):
            family = self.roomier(records, line=False) if len(records) > 1 else "in_place"
            self.arrange(family, records, bare=len(records) > 1)

    def block_as(self, record: TensorRecord) -> TensorBlock:
        """Return the block of a tensor, alone on stage and in the tensor's own shape."""
        if self.block_of(record).record.shape != record.shape:
            self.exchange(record)
        return self.blocks[-1]

    def merge(self, record: TensorRecord, home: Placement, starts: Points) -> None:
        """Let a tensor take the place of all that are on stage: its cells stand at ``starts``
        (n, 2), where those of the others did, and slide to their own places."""
        block, first = self.make_block(record, home), self.blocks[0].pose
        labels, unlabelled = self._unlabelled(self.blocks)
        start = replace(home.pose, corners=starts, size=first.size, depth=first.depth)
        block.set_pose(start)
        self.scene.remove(*self.blocks)
        self.blocks = []
        self.show_block(block)

        slide = _sliding(start, home.pose)
        self.play(*unlabelled, *self.props_leaving(), Move(block, slide, motion.SLOW))
        self.scene.remove(*labels)

    def divide(
        self,
        records: Sequence[TensorRecord],
        starts: Sequence[Points],
        family: Family,
        symbols: Sequence[str],
        pads: Sequence[Margins],
    ) -> list[TensorBlock]:
        """Let tensors take the place of the one on stage: their cells stand at ``starts`` (n, 2
        each), where its cells did, and slide to their own places."""
        shown = self._arrangement(family, records, symbols, (), True, False, pads=pads)
        first, moves = self.blocks[0].pose, []
        labels, unlabelled = self._unlabelled(self.blocks)
        self.scene.remove(*self.blocks)
        self.blocks = []
        for record, placement, corners in zip(records, shown.placements, starts, strict=True):
            block, home = self.make_block(record, placement), placement.pose
            if block.has_cells:
                start = replace(home, corners=corners, size=first.size, depth=first.depth)
            else:  # a slab has one corner
                start = replace(home, corners=corners[:1])
            block.set_pose(start)
            self.show_block(block)
            moves.append(Move(block, _sliding(start, home), motion.SLOW))
        self.play(*unlabelled, *self.props_leaving(), *moves)
        self.scene.remove(*labels)
        self._label_all(self.blocks, shown, True, None, ())
        return self.blocks

    def enter(self, records: Sequence[TensorRecord]) -> None:
        """Put tensors on stage at once, as they are before the first line."""
        if self.tape is not None:
            self.scene.add(self.tape)
        if len(records) == 1:
            block, placement = self.new_block(records[0])
            self.show_block(block)
            self.label(placement)
        else:
            shown = self._arrangement("left_right", list(records), (), (), True, False)
            for record, placement, spot in zip(records, shown.placements, shown.names, strict=True):
                block = self.make_block(record, placement)
                self.show_block(block)
                block.title = self._name(record, spot)
        for block in self.blocks:
            self.scene.add(*self._behind(block), block, *self._labels_of(block))
        for thread in self.following():
            thread.interpolate(1.0)

    def exchange(self, record: TensorRecord) -> None:
        """Let a tensor take the stage from what is on it."""
        self.arrange("in_place", [record], bare=False)

    def clear(self, *meanwhile: Animation) -> None:
        """Take everything but the tape off the stage, while other animations are played."""
        gone, leaving = self.parting()
        self.play(*leaving, *meanwhile)
        self.scene.remove(*gone)

    def parting(self) -> tuple[list[Mobject], list[Animation]]:
        """Return everything on stage but the tape, and the animations in which it goes."""
        gone, leaving = self._parting(self.blocks)
        leaving += self.props_leaving()
        self.outline_none()
        self.blocks = []
        return gone, leaving

    def entering(self) -> list[Animation]:
        """Return the animations in which all that :meth:`enter` put on stage comes."""
        labels = (each for block in self.blocks for each in self._labels_of(block))
        return [
            *(self._coming(block, _NEXT) for block in self.blocks),
            *(FadeIn(each, run_time=motion.BEAT, rate_func=motion.late) for each in labels),
        ]

    def _arrangement(
        self,
        family: Family,
        records: Sequence[TensorRecord],
        symbols: Sequence[str],
        mode: Sequence[Mode | None],
        bare: bool,
        line: bool,
        before: str = "",
        pads: Sequence[Margins] = (),
        below: float = 0.0,
        orders: Sequence[tuple[int, ...] | None] = (),
    ) -> Arrangement:
        if len(records) == 1 and not (line or any(mode) or before or pads or below):
            placement = self.placement(records[0])
            middle = Spot(0, 0, 0.5, 0)
            return Arrangement((placement,), (middle,), (), self.zone)
        items = [
            Item(
                record.shape,
                self._name_text(record) if len(records) > 1 else "",
                mode[index] if index < len(mode) else None,
                self.is_short(record),
                bare,
                symbols[index] if index < len(symbols) else "",
                before if index == 0 else "",
                pads[index] if index < len(pads) else (0.0, 0.0, 0.0, 0.0),
                self.order_of(record) or (orders[index] if index < len(orders) else None),
            )
            for index, record in enumerate(records)
        ]
        return arrange(family, items, self.zone, self.canvas.artboard, line=line, below=below)

    def _cast(
        self, records: Sequence[TensorRecord], operands: int, shown: Arrangement
    ) -> tuple[list[TensorBlock], list[TensorBlock]]:
        """Return the block of each record, and those that are new."""
        blocks: list[TensorBlock] = []
        entering: list[TensorBlock] = []
        left = list(self.blocks)
        for index, (record, placement) in enumerate(zip(records, shown.placements, strict=True)):
            found = self._showing(record, left) if index < operands else None
            if found is not None and _same_cells(found, record, placement):
                left.remove(found)
                found.become_tensor(record)
                blocks.append(found)
                continue
            made = self.make_block(record, placement)
            if index >= operands:
                made.show_cells(False)
            elif made.rest.any():
                made.show_cells(made.rest == 0)
            blocks.append(made)
            if found is not None and self._take_over(found, made):
                left.remove(found)
                continue
            entering.append(made)
        return blocks, entering

    def _showing(self, record: TensorRecord, among: Sequence[TensorBlock]) -> TensorBlock | None:
        """Return the block that shows a tensor, or the same elements in the same order."""
        for block in among:
            if block.record.id == record.id:
                return block
        for block in among:
            same = block.record.storage == record.storage and block.record.numel == record.numel
            if (
                same
                and record.stride
                and 0 < record.numel <= CELLS_MAX
                and self._as_before(block.record, record)
                and _same_memory(block.record, record)
            ):
                return block
        return None

    def _take_over(self, old: TensorBlock, new: TensorBlock) -> bool:
        """Let a block that shows the same tensor in another way stand where the old one does; its
        cells move on from there. False where they cannot."""
        if not (isinstance(old.record, Seen) or isinstance(new.record, Seen)):
            return False
        if not (len(old.elements) and len(new.elements)):
            return False
        if old.record.id != new.record.id:
            return False
        cells = {int(e): c for c, e in reversed(list(enumerate(_own_places(old))))}
        places = _own_places(new)
        if any(int(each) not in cells for each in places):
            return False
        corners = old.pose.corners[[cells[int(each)] for each in places]]
        start = replace(new.pose, corners=corners, size=old.pose.size, depth=old.pose.depth)
        new.title, new.brackets, new.boxes, new.ghosts = (
            old.title,
            old.brackets,
            old.boxes,
            old.ghosts,
        )
        old.title, old.brackets, old.boxes, old.ghosts = None, [], [], None
        new.set_pose(start)
        self.blocks[self.blocks.index(old)] = new
        self.scene.remove(old)
        self.scene.add(new)
        return True

    def _as_before(self, one: TensorRecord, other: TensorRecord) -> bool:
        """Tell whether two tensors hold the same values: nothing was written in between."""
        first, second = self.values(one), self.values(other)
        if first is None or second is None or first.dtype != second.dtype:
            return False
        return first.ravel().tobytes() == second.ravel().tobytes()

    @staticmethod
    def _entered(entering: Sequence[TensorBlock], results: Sequence[TensorRecord]) -> int:
        return len(entering) - len(results)

    def _coming(self, block: TensorBlock, start: float) -> Animation:
        """Return the animation in which a block comes, from ``start`` (0 to 1) of a move on: when
        others have gone from where it will stand."""
        coming, shown = self.fading(block, 1.0, 0.0), block.pose.shown.copy()
        if not start:
            return coming

        def draw(alpha: float) -> None:
            block.show_cells(shown & (alpha > start))
            coming.interpolate_mobject((alpha - start) / (1 - start))

        draw(0)
        return BlockAnimation(block, draw, motion.BEAT)

    def _settling(self, block: TensorBlock, placement: Placement, dimmed: bool) -> Animation:
        """Return the animation in which a block moves to its new place, lit again or not."""
        start, dims, end = block.pose, block.dims.copy(), placement.pose
        rest, waiting = block.rest, bool(block.rest.any()) and not block.pose.shown.all()
        if waiting:
            end = replace(end, shown=start.shown)
        block.placement = placement
        lit = dims if dimmed else rest

        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            block.dims = dims + (lit - dims) * t
            block.sight = block.sight if alpha < 1 or dimmed else None
            block.set_pose(between(start, end, t))

        return BlockAnimation(block, draw, motion.BEAT)

    def _parting(self, blocks: Sequence[TensorBlock]) -> tuple[list[Mobject], list[Animation]]:
        """Return what goes with these blocks, and the animations in which it goes."""
        gone: list[Mobject] = []
        animations: list[Animation] = []
        for block in blocks:
            extra: list[Mobject] = [*self._behind(block), *self._labels_of(block)]
            animations.append(self.fading(block, block.faded, 1.0))
            animations += [FadeOut(mobject, run_time=motion.QUICK) for mobject in extra]
            gone += [block, *extra]
            block.brackets, block.boxes, block.title, block.ghosts = [], [], None, None
        return gone, animations

    def _unlabelled(self, blocks: Sequence[TensorBlock]) -> tuple[list[Mobject], list[Animation]]:
        """Return the labels of blocks that stay, and the animations in which they go."""
        gone: list[Mobject] = []
        for block in blocks:
            gone += [*self._behind(block), *self._labels_of(block)]
            block.brackets, block.boxes, block.title, block.ghosts = [], [], None, None
            block.followed = None
        self.outline_none()
        return gone, [FadeOut(mobject, run_time=motion.QUICK) for mobject in gone]

    def props_leaving(self) -> list[Animation]:
        """Return the animations in which all leaves that belongs to no block."""
        props, self._props, self._slots = self._props, [], {}
        return [
            *self.unlight(),
            *self.rub_out(),
            *(FadeOut(prop, run_time=motion.QUICK) for prop in props),
        ]

    def part(self) -> list[Animation]:
        """Return the animations in which the blocks on stage become each one for itself: the signs
        between them go, and none is dimmed for another's sake."""
        dimmed = [block for block in self.blocks if (block.dims > block.rest).any()]
        none = np.zeros(0, dtype=np.int64)
        return [*self.props_leaving(), *(self.dim(block, none, 0.0) for block in dimmed)]

    def _label_all(
        self,
        blocks: Sequence[TensorBlock],
        shown: Arrangement,
        bare: bool,
        box: Step | None,
        spoken: Sequence[Drawn],
    ) -> None:
        """Let names, brackets and symbols of an arrangement appear."""
        animations: list[Animation] = []
        for block, placement, spot in zip(blocks, shown.placements, shown.names, strict=True):
            block.placement = placement
            if not bare:
                block.brackets = self._brackets(block, placement)
                block.ghosts = self._ghosts(placement)
            if len(blocks) > 1:
                block.title = self._name(block.record, spot)
            else:
                block.title = self._make_title(block.record, placement)
            if block.ghosts is not None:
                self.scene.add(block.ghosts, block)
            animations += self._labels_growing(block)
        for mark in shown.marks:
            animations += [self.put(part) for part in self._symbol(mark, box, spoken)]
        self.play(*animations)

    def _symbol(self, mark: Mark, box: Step | None, spoken: Sequence[Drawn]) -> VGroup:
        """Return the words of a symbol, or the box that is this step's op and its lit edge."""
        if box is not None and mark.text.strip() == spell(box):
            return self.named_box(box, mark.x, mark.y)
        facts = {each.text: each for each in spoken}
        x = mark.x - text_width(mark.text, mark.size) / 2
        words = VGroup()
        for word in mark.text.split(" "):
            fact, theme = facts.get(word), self.canvas.theme
            color = theme.muted if fact is None else theme.text
            source = fact or Drawn(0, word, "sign")
            if word:
                words.add(
                    self.canvas.label(word, x, mark.y, mark.size, color, align=0, source=source)
                )
            x += text_width(word + " ", mark.size)
        return words


def between(start: Pose, end: Pose, t: float) -> Pose:
    """Return the pose at ``t`` (0 to 1) on the straight way between two poses."""
    stretch = tuple(a + (b - a) * t for a, b in zip(start.stretch, end.stretch, strict=True))
    return replace(
        end,
        corners=start.corners + (end.corners - start.corners) * t,
        size=start.size + (end.size - start.size) * t,
        depth=start.depth + (end.depth - start.depth) * t,
        shown=start.shown | end.shown if t < 1 else end.shown,
        stretch=(stretch[0], stretch[1]),
    )


def _sliding(start: Pose, home: Pose) -> Callable[[float], Pose]:
    return lambda time: between(start, home, motion.ease(time))


def _same_cells(block: TensorBlock, record: TensorRecord, placement: Placement) -> bool:
    """Tell whether a block's cells are those that a tensor shows at its next place."""
    if not np.array_equal(block.elements, placement.elements):
        return False
    if not (isinstance(block.record, Seen) or isinstance(record, Seen)):
        return True
    same = block.record.shape == record.shape and block.record.id == record.id
    return same and np.array_equal(origin_of(block.record), origin_of(record))


def _own_places(block: TensorBlock) -> Places:
    """Return for each cell of a block the place that its element has in the tensor itself."""
    return origin_of(block.record)[block.elements]


def _same_memory(one: TensorRecord, other: TensorRecord) -> bool:
    """Tell whether two tensors of one storage hold its elements in the same order."""
    return np.array_equal(memory_positions(one).ravel(), memory_positions(other).ravel())
