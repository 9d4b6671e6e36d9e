"""The norms of gradients and updates, as optimizers tell them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.optim import Optimizer

from torchreel.tracer.hold import Hold
from torchreel.tracer.laps import Laps
from torchreel.tracer.optimizers import trained
from torchreel.tracer.tensors import Tensors

EACH = 16
"""Measured are so many laps of a loop, of twice as many every second, and so on: measuring costs a
third of a small network's lap, and of 1,800 laps seventy are measured."""

PARAMETERS = 200
"""Of so many parameters series are kept, the first ones that an optimizer stepped."""


class Norms:
    """Adds to the series of the innermost loop what a parameter's gradient and update measured.

    A parameter of no module is called as the script's variable that holds it; ``names`` tells it.
    """

    def __init__(
        self, laps: Laps, tensors: Tensors, names: Callable[[], dict[int, tuple[str, ...]]]
    ) -> None:
        self._laps = laps
        self._tensors = tensors
        self._names = names
        self._known: dict[int, tuple[Hold[torch.Tensor], int, str]] = {}

    def wanted(self) -> bool:
        """Tell whether the lap that is running shall be measured, if it is not kept anyway."""
        lap = self._laps.number
        return bool(lap) and lap % (1 << (lap // EACH).bit_length()) == 0

    def __call__(
        self, optimizer: Optimizer, gradients: Sequence[float], updates: Sequence[float]
    ) -> None:
        """An optimizer made a step; the norms are of its parameters that have a gradient."""
        if not self._laps.number:
            return
        for parameter, gradient, update in zip(trained(optimizer), gradients, updates, strict=True):
            number, name = self._name(parameter)
            if number >= PARAMETERS:
                break
            self._laps.add("gradient", name, gradient, number)
            self._laps.add("update", name, update, number)

    def _name(self, parameter: torch.Tensor) -> tuple[int, str]:
        """Return a serial number, as two models may have parameters of one name, and the name."""
        known = self._known.get(id(parameter))
        if known is not None and known[0]() is parameter:
            return known[1], known[2]
        name = self._tensors.name_of(parameter)
        name = name or next(iter(self._names().get(id(parameter), ())), "")
        number = len(self._known)
        self._known[id(parameter)] = Hold(parameter), number, name
        return number, name
