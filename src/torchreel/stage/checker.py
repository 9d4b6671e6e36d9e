"""Measures a frame: nothing cut, covered, too small or empty, and one idea lit at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.text import unknown

Boxes = NDArray[np.float64]
"""Left, top, width and height (n, 4) in pixels of the artboard."""

_TOUCH = 1.0
"""Texts may share this many pixels before they count as overlapping."""

_COVER = 3.0
"""Cells may share this many pixels with what is not theirs: edges are as wide."""

_BEYOND = 1.0

_FONTS = "Noto Sans CJK or Noto Emoji"


@dataclass(frozen=True)
class Written:
    """One text on screen: its type size and its box in pixels of the artboard, and the name of the
    body that it belongs to (empty: none)."""

    text: str
    size: float
    left: float
    top: float
    width: float
    height: float
    of: str = ""


@dataclass(frozen=True, eq=False)
class Body:
    """Something solid that no other may cover: a tensor's cells, or a ``thin`` bracket."""

    name: str
    boxes: Boxes
    thin: bool = False


@dataclass(frozen=True)
class Lit:
    """Something in the focus colour: what it is in words, its box, and its points as bytes."""

    what: str
    box: tuple[float, float, float, float]
    points: bytes = b""


@dataclass(frozen=True)
class Frame:
    """What stands on a frame: its texts and solid bodies, the boxes of all ``outlines``, whether
    anything is ``staged``, and the mobjects that are ``lit``, by their ids."""

    texts: list[Written]
    bodies: list[Body] = field(default_factory=list)
    outlines: Boxes = field(default_factory=lambda: np.zeros((0, 4)))
    staged: bool = True
    lit: Mapping[int, Lit] = field(default_factory=dict)


def flaws(frame: Frame, artboard: Artboard) -> list[str]:
    """Return what is wrong with a frame, one sentence each, in the words of an author."""
    found = [flaw for text in frame.texts for flaw in _alone(text, artboard)]
    found += _covered(frame)
    found += _outside(frame, artboard)
    return list(dict.fromkeys(found))


def flaws_at_rest(frame: Frame, before: Frame | None) -> list[str]:
    """Return what is wrong with a frame at the end of a step, where nothing is on its way.

    ``before`` is the frame at the end of the step before: what was lit then goes dark when
    something else is lit.
    """
    found = [] if frame.staged else ["nothing is on the stage"]
    return found if before is None else [*found, *_still_lit(frame, before)]


def lacking(frame: Frame) -> list[str]:
    """Return which characters no font of this machine has, a sentence for each text that has some:
    said once, it holds for all frames that follow."""
    signs = dict.fromkeys(unknown(text.text) for text in frame.texts)
    return [
        f"no font on this machine has {each!r}, and \N{REPLACEMENT CHARACTER} is shown: "
        f"install one that has it, such as {_FONTS}"
        for each in signs
        if each
    ]


def _alone(text: Written, artboard: Artboard) -> list[str]:
    found = []
    if text.size < artboard.floor - 0.01:
        found.append(
            f"{text.text!r} is {text.size:.0f} px high, too small to read: "
            f"{artboard.floor:.0f} is the least"
        )
    right, bottom = text.left + text.width, text.top + text.height
    inside = (
        text.left >= artboard.margin
        and text.top >= artboard.margin
        and right <= artboard.width - artboard.margin
        and bottom <= artboard.height - artboard.margin
    )
    if not inside:
        found.append(f"{text.text!r} is cut by the edge, or nearer to it than {artboard.margin} px")
    return found


def _covered(frame: Frame) -> Iterator[str]:
    """Find what stands on top of a text, a tensor or a bracket."""
    texts = frame.texts
    boxes = np.array([(t.left, t.top, t.width, t.height) for t in texts]).reshape(-1, 4)
    for one, other in np.argwhere(np.triu(_shared(boxes, boxes, _TOUCH), 1)):
        yield f"{texts[one].text!r} and {texts[other].text!r} are written over one another"
    for body in frame.bodies:
        for index in np.flatnonzero(_shared(_around(body.boxes), boxes, _COVER)[0]):
            if texts[index].of != body.name and _meet(body.boxes, boxes[index : index + 1]):
                yield f"{texts[index].text!r} stands on {body.name}"
    for first, second in itertools.combinations(frame.bodies, 2):
        if not (first.thin and second.thin) and _meet(first.boxes, second.boxes):
            yield f"{first.name} and {second.name} overlap"


def _outside(frame: Frame, artboard: Artboard) -> Iterator[str]:
    boxes = frame.outlines
    sides = (
        ("left", boxes[:, 0] < -_BEYOND),
        ("upper", boxes[:, 1] < -_BEYOND),
        ("right", boxes[:, 0] + boxes[:, 2] > artboard.width + _BEYOND),
        ("lower", boxes[:, 1] + boxes[:, 3] > artboard.height + _BEYOND),
    )
    for side, beyond in sides:
        if beyond.any():
            yield f"something is cut by the {side} edge of the frame"
    around = [("the names and shapes below", artboard.strip)]
    if artboard.code is not None:
        around.append(("the code", artboard.code))
    for (what, zone), body in itertools.product(around, frame.bodies):
        if _meet(body.boxes, _zone(zone)):
            yield f"{body.name} runs into {what}"


def _still_lit(frame: Frame, before: Frame) -> Iterator[str]:
    """Find what is lit as before, apart from all that is lit now: a frame may stay around it."""
    new = [lit for key, lit in frame.lit.items() if key not in before.lit]
    for key, lit in frame.lit.items():
        if new and before.lit.get(key) == lit and not any(_touch(lit, each) for each in new):
            yield f"two things are lit: {lit.what}, from an earlier line, and {new[0].what}"
            return


def _touch(one: Lit, other: Lit) -> bool:
    return bool(_shared(np.array([one.box]), np.array([other.box]), 0.0).any())


def _zone(zone: Zone) -> Boxes:
    return np.array([[zone.x, zone.y, zone.width, zone.height]])


def _meet(one: Boxes, other: Boxes) -> bool:
    """Tell whether any two boxes share so much that one covers the other."""
    apart = not _shared(_around(one), _around(other), _COVER).any()
    return not apart and bool(_shared(one, other, _COVER).any())


def _shared(one: Boxes, other: Boxes, touch: float) -> NDArray[np.bool_]:
    """Tell which boxes (n, m) share more than ``touch`` pixels, across and down."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    return np.asarray(((high - low) > touch).all(axis=2))


def _around(boxes: Boxes) -> Boxes:
    """Return the one box around these."""
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return np.concatenate([low, high - low])[None, :]
