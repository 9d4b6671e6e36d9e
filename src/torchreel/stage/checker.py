"""Measures the texts of a frame: nothing cut, nothing too small, nothing on top of another."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torchreel.stage.artboard import Artboard

_TOUCH = 1.0
"""Boxes may share this many pixels before they count as overlapping."""


@dataclass(frozen=True)
class Written:
    """One text on screen: its type size and its box, in pixels of the artboard."""

    text: str
    size: float
    left: float
    top: float
    width: float
    height: float


def flaws(texts: list[Written], artboard: Artboard) -> list[str]:
    """Return what is wrong with a frame, one sentence each; an empty frame is wrong too."""
    if not texts:
        return ["nothing is written on the frame"]
    found = [flaw for text in texts for flaw in _alone(text, artboard)]
    for one, other in itertools.combinations(texts, 2):
        if _overlap(one, other):
            found.append(f"{one.text!r} and {other.text!r} overlap")
    return found


def _alone(text: Written, artboard: Artboard) -> list[str]:
    found = []
    if text.size < artboard.floor - 0.01:
        found.append(f"{text.text!r} is {text.size:.0f} px, smaller than {artboard.floor:.0f}")
    right, bottom = text.left + text.width, text.top + text.height
    inside = (
        text.left >= artboard.margin
        and text.top >= artboard.margin
        and right <= artboard.width - artboard.margin
        and bottom <= artboard.height - artboard.margin
    )
    if not inside:
        found.append(f"{text.text!r} is cut or too near the edge")
    return found


def _overlap(one: Written, other: Written) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return across > _TOUCH and down > _TOUCH
