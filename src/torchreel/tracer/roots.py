"""What backward passes begin at in each lap, kept or not: in a function no name of the loop's own
holds its loss."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any

import torch

from torchreel.syntax import parse
from torchreel.tracer.laps import Laps
from torchreel.tracer.places import Places

_LONGEST = 14
"""A longer expression is called after what it calls."""

Names = Callable[[], dict[int, tuple[str, ...]]]


class Roots:
    """Tells the laps which numbers passes begin at; ``names`` tells which names hold a tensor.

    A line of the script is looked at once: what it goes back from has one name there.
    """

    def __init__(self, laps: Laps, places: Places, names: Names) -> None:
        self._laps = laps
        self._places = places
        self._names = names
        self._known: dict[tuple[CodeType, int], str] = {}

    def hear(self, outputs: Sequence[Any]) -> None:
        """A pass begins at ``outputs``."""
        root = outputs[0] if len(outputs) == 1 else None
        if not self._laps.number or type(root) is not torch.Tensor:
            return
        frame = self._places.innermost(sys._getframe(2))
        if frame is not None and _is_number(root):
            self._laps.begin(self._name(frame, root), root, frame)

    def _name(self, frame: FrameType, root: torch.Tensor) -> str:
        where = frame.f_code, frame.f_lasti
        if where not in self._known:
            written = _written(self._places.find(frame)[1])
            names = self._names().get(id(root), ())
            self._known[where] = written if written in names or not names else names[0]
        return self._known[where]


def _is_number(root: torch.Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        return root.numel() == 1 and not root.is_complex()


def _written(expression: str) -> str:
    """Return what a pass goes back from, as it is written: ``loss`` of ``loss.backward()``."""
    try:
        call: Any = parse(expression).body[0]
    except SyntaxError:
        return "loss"
    call = getattr(call, "value", None)
    owner: Any = getattr(getattr(call, "func", None), "value", None)
    if owner is None or call.func.attr != "backward":
        return "loss"
    text = ast.unparse(owner)
    while len(text) > _LONGEST and isinstance(owner, ast.Call):
        owner = owner.func
        text = f"{ast.unparse(owner)}(…)"
    return text
