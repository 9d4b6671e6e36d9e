"""How cells reach their slots: they drop, they fly from other blocks, or they are written over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from manim import DL, UR, Animation, Scene, VGroup
from numpy.typing import NDArray

from torchreel.records import TensorRecord, Trace
from torchreel.stage import motion
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.floor import Floor
from torchreel.stage.layout import Pose
from torchreel.stage.seen import origin_of

Points = NDArray[np.float64]

_GROUPS = 64
"""No more parts than this arrive one by one."""

_DROP = 0.45


class Landing(Floor):
    """The empty slots on stage, and the moves of cells into them."""

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        super().__init__(scene, trace, canvas)
        self._slots: dict[int, VGroup] = {}

    def empty_slots(self, pose: Pose) -> VGroup:
        """Return the empty slots in which the cells of a pose will land: one for very many."""
        theme, artboard = self.canvas.theme, self.canvas.artboard
        inset = min(artboard.px(4), 0.06 * pose.size * min(1.0, *pose.stretch))
        places = [
            (x, y, pose.size * pose.stretch[0], pose.size * pose.stretch[1])
            for x, y in pose.corners
        ]
        if len(places) > _GROUPS:
            left, top, right, bottom = pose.front
            places = [(left, top, right - left, bottom - top)]
        return VGroup(
            *(
                self.canvas.rectangle(
                    x + inset,
                    y + inset,
                    width - 2 * inset,
                    height - 2 * inset,
                    fill=theme.surface,
                    line=theme.line,
                    stroke=artboard.px(2.5),
                )
                for x, y, width, height in places
            )
        )

    def land(
        self, block: TensorBlock, elements: Any = None, run_time: float | None = None
    ) -> Animation:
        """Return the animation in which these elements (None: all that are missing) come into
        their slots, in order: each along a lane that no other stands in."""
        home, before = block.pose, block.pose.shown.copy()
        cells = np.arange(len(before)) if elements is None else block.cells_of(elements)
        cells = cells[~before[cells]] if len(block.elements) else np.arange(len(before))
        if not len(block.elements):
            block.show_cells(True)
            block.fade_into(1.0)
            self.landed(block)
            return self.fading(block, 1.0, 0.0, run_time or motion.BEAT)
        group, way = groups(len(cells)), self._way(block, lane_of(home, cells, before))
        lasting = run_time or max(motion.QUICK, min(motion.SLOW, 0.09 * (1 + len(cells))))

        def draw(alpha: float) -> None:
            arrived = motion.staggered(alpha, int(group.max()) + 1)[group] if len(cells) else group
            corners, shown = home.corners.copy(), before.copy()
            corners[cells] += (1 - arrived)[:, None] * way
            shown[cells] = arrived > 0.02
            block.set_pose(replace(home, corners=corners, shown=shown))
            if alpha >= 1 and shown.all():
                self.landed(block)

        return BlockAnimation(block, draw, lasting)

    def _way(self, block: TensorBlock, lane: Points) -> Points:
        """Return from how far off cells come along a lane: not from over a name or a block."""
        left, top, right, bottom = block.pose.box
        boxes = [each.pose.box for each in self.blocks if each is not block]
        if block.title is not None and len(block.title):
            (x0, y1), (x1, y0) = (
                self.canvas.pixel(block.title.get_corner(each)) for each in (DL, UR)
            )
            boxes.append((x0, y0, x1, y1))
        room = np.inf
        for x0, y0, x1, y1 in boxes:
            gaps = {(0, -1): top - y1, (0, 1): y0 - bottom, (-1, 0): left - x1, (1, 0): x0 - right}
            gap = gaps.get((int(np.sign(lane[0])), int(np.sign(lane[1]))), -1.0)
            across = x0 < right and left < x1 if lane[1] else y0 < bottom and top < y1
            room = min(room, gap) if across and gap >= 0 else room
        reach = float(np.abs(lane).max())
        return lane * min(_DROP, room / reach) if reach else lane

    def set_down(self, block: TensorBlock, elements: Any) -> None:
        """Put elements into their slots at once: something that travelled there becomes them."""
        shown = block.pose.shown.copy()
        shown[block.cells_of(elements)] = True
        block.show_cells(shown)
        if shown.all():
            self.landed(block)

    def put_under(self, block: TensorBlock) -> None:
        """Let a block and its empty slots lie under all else on stage: what travels to it passes
        below what stands on the way."""
        slots = self._slots.get(id(block))
        self.scene.bring_to_back(*([] if slots is None else [slots]), block)

    def fly(
        self,
        block: TensorBlock,
        starts: NDArray[np.float64],
        elements: Any = None,
        run_time: float = motion.SLOW,
        size: float | None = None,
        *,
        straight: bool = False,
    ) -> Animation:
        """Return the animation in which elements (None: all) travel to their slots from ``starts``
        (n, 2), the top left corners in pixels of cells of ``size``. They arc, or ``straight`` pass
        below those that are there; those in front leave first, so that none passes another on the
        same way."""
        home, before = block.pose, block.pose.shown.copy()
        lift = 0.0 if straight else 0.16
        cells = np.arange(len(before)) if elements is None else block.cells_of(elements)
        group = groups(len(cells))[_rank_on_the_way(starts, home.corners[cells])]
        first = size or home.size

        def draw(alpha: float) -> None:
            t = motion.staggered(alpha, int(group.max()) + 1)[group][:, None]
            path = starts + (home.corners[cells] - starts) * t
            reach = np.linalg.norm(home.corners[cells] - starts, axis=1)[:, None]
            path[:, 1:] -= lift * np.minimum(reach, 600) * np.sin(np.pi * t)
            corners, shown, far = home.corners.copy(), before.copy(), home.far.astype(float)
            corners[cells], shown[cells] = path, True
            if straight:
                far[cells] += 1 - t[:, 0]
            side = first + (home.size - first) * motion.ease(alpha)
            depth = home.depth * side / home.size
            block.set_pose(
                replace(home, corners=corners, far=far, shown=shown, size=side, depth=depth)
            )
            if alpha >= 1:
                self.landed(block)

        return BlockAnimation(block, draw, run_time)

    def stretch(self, block: TensorBlock, run_time: float = motion.SLOW) -> Animation:
        """Return the animation in which the ghosts of a tensor that is seen stretched slide out of
        its own cells: nothing is copied, they are there by a stride of 0."""
        home = block.placement.pose
        origin = origin_of(block.record)[block.elements]
        real = np.flatnonzero(block.rest == 0)
        own = dict(zip(origin[real].tolist(), real.tolist(), strict=True))
        start = home.corners[[own[each] for each in origin.tolist()]]
        reach = np.abs(home.corners - start).max(axis=1)
        steps = np.unique(reach.round(1), return_inverse=True)[1].ravel()

        def draw(alpha: float) -> None:
            t = motion.staggered(alpha, int(steps.max()) + 1)[steps][:, None]
            behind = home.far + (0.01 * steps if alpha < 1 else 0)
            corners = start + (home.corners - start) * t
            shown = np.ones(len(steps), dtype=bool)
            block.set_pose(replace(home, corners=corners, far=behind, shown=shown))

        return BlockAnimation(block, draw, run_time)

    def write(
        self, block: TensorBlock, record: TensorRecord, run_time: float = motion.BEAT
    ) -> Animation:
        """Return the animation in which a block shows the new values of a tensor written in
        place; every cell keeps its slot."""
        old = block.fills
        new = self.fills.colors(record, block.elements) if len(block.elements) else old
        values = self.values(record)

        def draw(alpha: float) -> None:
            if alpha > 0.5 and block.record is not record:
                block.become_tensor(record)
                block.set_values(None if values is None else values.ravel()[block.elements])
            block.set_fills(old + (new - old) * motion.ease(alpha))

        return BlockAnimation(block, draw, run_time)

    def wait_for(self, results: Sequence[TensorBlock]) -> None:
        """Put empty slots where results will land."""
        for block in results:
            block.faded = 0.0
            slots = self.empty_slots(block.pose)
            self._slots[id(block)] = slots
            self._props.append(slots)
            self.scene.add(slots, block)

    def landed(self, block: TensorBlock) -> None:
        """Take the empty slots of a block away: all its cells are there."""
        slots = self._slots.pop(id(block), None)
        if slots is not None:
            self.scene.remove(slots)
            slots.submobjects.clear()
            self._props = [prop for prop in self._props if prop is not slots]


def lane_of(pose: Pose, cells: NDArray[np.int64], before: NDArray[np.bool_]) -> Points:
    """Return from where cells come to their slots, a cell's size away, so that none crosses another
    that is there ``before`` or comes earlier: from above, else from the right, the left, below."""
    here = pose.corners[cells]
    rank = np.full(len(pose.corners), len(cells))
    rank[cells] = np.arange(len(cells))
    rank[before] = -1
    level = pose.far[None, :] == pose.far[cells][:, None]
    in_time = (rank[None, :] < np.arange(len(cells))[:, None]) & level
    for lane in ((0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)):
        vector = np.array(lane) * pose.size
        apart = np.abs(pose.corners[None, :, :] - (here + vector)[:, None, :])
        if not ((apart < 0.6 * pose.size).all(axis=2) & in_time).any():
            return vector
    return np.zeros(2)


def _rank_on_the_way(starts: Points, ends: Points) -> NDArray[np.int64]:
    """Return when each of some cells leaves: in order, but those farther ahead before the others.

    Where they do not go one way there is no ahead: then they leave in order.
    """
    moves = ends - starts
    mean = moves.mean(axis=0) if len(moves) else np.zeros(2)
    length = float(np.linalg.norm(mean))
    if (
        length < 0.7 * float(np.linalg.norm(moves, axis=1).mean() if len(moves) else 0)
        or not length
    ):
        return np.arange(len(starts))
    ahead = (starts @ (mean / length)).round()
    order = np.lexsort((np.arange(len(starts)), -ahead))
    rank = np.empty(len(starts), dtype=np.int64)
    rank[order] = np.arange(len(starts))
    return rank


def groups(count: int) -> NDArray[np.int64]:
    """Return which of at most 64 parts each of ``count`` cells arrives with."""
    parts = max(1, min(count, _GROUPS))
    return np.arange(count) * parts // max(1, count)
