"""A module or op without parameters: a gate with the curve of its function, or with its sign."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from manim import VGroup
from numpy.typing import NDArray

from torchreel.records import Drawn
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.arrangement import Slot
from torchreel.stage.text import text_width

Floats = NDArray[np.float64]

_SPAN = 3.0
_erf = np.vectorize(math.erf, otypes=[float])


def _gelu(x: Floats) -> Floats:
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


CURVES: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leakyrelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "gelu": _gelu,
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "silu": lambda x: x * _sigmoid(x),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "abs": np.abs,
    "square": np.square,
    "exp": np.exp,
}
"""The functions that gates show as curves, by the op's or class's name without underscores."""

_SIGNS = {"add": "+", "iadd": "+", "sub": "−", "mul": "×", "imul": "×", "div": "÷", "matmul": "@"}


def curve_name(kind: str) -> str:
    """Return the name under which a class (``LeakyReLU``) or op (``leaky_relu_``) has its curve."""
    return kind.replace("_", "").lower()


def has_picture(kind: str) -> bool:
    """Tell whether a function is drawn as a curve or a sign."""
    name = curve_name(kind)
    return name in CURVES or name in _SIGNS


class Gate(VGroup):
    """A ring with a curve, its name over it, or with a sign; a box with its name for any other
    function."""

    def __init__(
        self,
        canvas: Canvas,
        slot: Slot,
        kind: str,
        source: Drawn,
        *,
        lit: bool = False,
        radius: float | None = None,
    ) -> None:
        super().__init__()
        text = source.text
        theme, px = canvas.theme, canvas.artboard.px
        x, y = slot.center_x, slot.center_y
        r = radius or min(slot.width * 0.42, px(52), *(() if slot.low is None else (slot.low / 2,)))
        line = theme.focus if lit else theme.muted
        stroke = px(5 if lit else 3)
        name = curve_name(kind)
        sign = _SIGNS.get(name)
        size = canvas.artboard.floor
        wide = r if has_picture(kind) else text_width(text, size) / 2 + px(10)
        r = r if has_picture(kind) else min(r, px(28))
        self.add(
            canvas.rectangle(
                x - wide,
                y - r,
                2 * wide,
                2 * r,
                radius=r if has_picture(kind) else px(10),
                fill=theme.surface2,
                line=line,
                stroke=stroke,
            )
        )
        if name in CURVES:
            self.add(canvas.path(_curve(CURVES[name], x, y, r), theme.text, px(4)))
            size = min(canvas.artboard.type_size, 0.85 * slot.width / text_width(text, 1.0))
            if size >= canvas.artboard.floor:
                above = y - r - 0.75 * size
                self.add(canvas.label(text, x, above, size, theme.text, source=source))
        elif sign:
            big = canvas.artboard.type_title
            self.add(canvas.label(sign, x, y, big, theme.text, source=replace(source, text=sign)))
        else:
            self.add(canvas.label(text, x, y, size, theme.text, source=source))


def _curve(
    function: Callable[[Floats], Floats], x: float, y: float, r: float
) -> list[tuple[float, float]]:
    at = np.linspace(-_SPAN, _SPAN, 49)
    value = function(at)
    reach = 0.56 * r
    inside = np.abs(value) <= _SPAN
    scale = reach / _SPAN
    drop = 0.28 * r if float(value.min()) > -0.3 else 0.0
    return [
        (float(x + a * scale), float(y + drop - v * scale))
        for a, v in zip(at[inside], value[inside], strict=True)
    ]
