"""One picture of a network takes the stage from another: what is in both keeps its identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from manim import Animation, FadeIn, FadeOut, Group, Mobject, Scene
from numpy.typing import NDArray

from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Label
from torchreel.stage.motion import BEAT, QUICK, ease, late

Key = tuple[str, int | str]
"""What a part of a picture is of: ``("values", 3)`` shows the values of record 3."""

Points = NDArray[np.float64]
Moving = tuple[Mobject, Points]


class Identified(Group):
    """A picture that knows what its parts are of; the parts are submobjects of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.identities: dict[Key, Mobject] = {}

    def know(self, key: Key, part: Mobject) -> None:
        """Add a part that keeps its identity where another picture has one of the same key."""
        self.identities.setdefault(key, part)
        self.add(part)


def hand_over(scene: Scene, old: Group | None, new: Group, run_time: float = BEAT) -> None:
    """Let a picture take the place of another: what both know moves, the rest comes and goes."""
    before = _identities(old)
    after = _identities(new)
    shared = [key for key in after if key in before and _is_seen(before[key], after[key])]
    staying = {id(before[key]) for key in shared}
    arriving = {id(after[key]) for key in shared}
    leaving = Group(*(each for each in (old or []) if id(each) not in staying))
    coming = Group(*(each for each in new if id(each) not in arriving))
    moves = [move_of(before[key], after[key]) for key in shared]
    moving = Group(*(after[key] for key in shared))

    def draw(time: float) -> None:
        for move in moves:
            move(ease(time))

    arriving_late = late if moves else ease
    animations: list[Animation] = [FadeIn(coming, run_time=run_time, rate_func=arriving_late)]
    if len(leaving):
        animations.append(FadeOut(leaving, run_time=min(QUICK, run_time)))
    if moves:
        animations.append(BlockAnimation(moving, draw, run_time))
    if old is not None:
        scene.remove(old)
        scene.add(leaving)
    scene.add(moving)
    draw(0.0)
    scene.play(*animations)
    scene.remove(leaving, coming, moving)
    scene.add(new)


def _identities(picture: Group | None) -> Mapping[Key, Mobject]:
    return picture.identities if isinstance(picture, Identified) else {}


def _is_seen(*parts: Mobject) -> bool:
    """Tell whether there is something of each part to see: an empty value is drawn by nothing."""
    return all(any(len(each.points) for each in part.get_family()) for part in parts)


def move_of(before: Mobject, after: Mobject) -> Callable[[float], None]:
    """Return what draws a part between where the other one stood (0) and its own place (1); texts
    keep their proportions on the way."""
    family = [each for each in after.get_family() if len(each.points)]
    points = [np.array(each.points) for each in family]
    start, end = _corners(before), _corners(after)
    middles = [
        (own.min(axis=0) + own.max(axis=0)) / 2 if isinstance(each, Label) else None
        for each, own in zip(family, points, strict=True)
    ]
    scale = (start[1] - start[0]) / np.maximum(end[1] - end[0], 1e-9)

    def draw(share: float) -> None:
        for each, own, middle in zip(family, points, middles, strict=True):
            there = start[0] + (own - end[0]) * scale
            if middle is not None:
                there = start[0] + (middle - end[0]) * scale + (own - middle) * scale[1]
            each.points = own if share >= 1 else there + (own - there) * share

    return draw


def _corners(mobject: Mobject) -> tuple[Points, Points]:
    points = np.concatenate([each.points for each in mobject.get_family() if len(each.points)])
    return points.min(axis=0), points.max(axis=0)
