"""Brackets with sizes: how long each dimension is."""

from __future__ import annotations

import numpy as np
from manim import Animation, AnimationGroup, FadeIn, FadeOut, GrowFromCenter, VGroup
from numpy.typing import NDArray

from torchreel.records import Drawn, TensorRecord
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, repaint
from torchreel.stage.colors import mix
from torchreel.stage.layout import BracketLine
from torchreel.stage.motion import QUICK, ease
from torchreel.stage.text import text_width

_WIDTH = 4
_TICK = 10
_LABEL = 28


class Shift(Animation):
    """Moves a mobject by a vector in Manim units, eased as everything is."""

    def __init__(self, mobject: VGroup, vector: NDArray[np.float64], run_time: float) -> None:
        self._vector = vector
        self._family = mobject.get_family()
        self._starts = [member.points.copy() for member in self._family]
        super().__init__(mobject, run_time=run_time, rate_func=ease)

    def interpolate_mobject(self, alpha: float) -> None:
        """Move the whole family to where it is at ``alpha``."""
        moved = self._vector * self.rate_func(alpha)
        for mobject, start in zip(self._family, self._starts, strict=True):
            mobject.points = start + moved


class Bracket(VGroup):
    """A bracket beside one dimension of a tensor, labelled with its size; ``lit`` in focus,
    ``axis`` the name of the dimension where it is known, as in ``H=24``."""

    def __init__(
        self,
        canvas: Canvas,
        line: BracketLine,
        record: TensorRecord,
        *,
        lit: bool = False,
        axis: str = "",
    ) -> None:
        theme, artboard = canvas.theme, canvas.artboard
        out = np.array(line.out)
        self._canvas = canvas
        self._out = np.array([out[0], -out[1], 0.0])
        start, end = np.array(line.start), np.array(line.end)
        tick = out * artboard.px(_TICK)
        color = theme.focus if lit else theme.muted
        corners = [tuple(start - tick), tuple(start), tuple(end), tuple(end - tick)]
        self.line = canvas.path(corners, color, artboard.px(_WIDTH))
        size = artboard.type_lit if lit else artboard.type_size
        x, y = (start + end) / 2 + out * (artboard.px(_LABEL) + (6 if lit else 0))
        text, name = str(record.shape[line.dim]), f"{axis}=" if axis else ""
        # Beside a block, long labels grow away from it.
        beside = abs(out[0]) > (0.3 if name else 0.9) and len(name + text) > 2
        align = 0.5 + 0.5 * float(-out[0]) if beside else 0.5
        left = float(x) - align * text_width(name + text, size)
        color = theme.focus if lit else theme.text
        source = Drawn(0, text, "size", record.id, (line.dim,))
        at = left + text_width(name, size)
        self.label = canvas.label(text, at, float(y), size, color, align=0, source=source)
        super().__init__(self.line, self.label)
        if name:
            sign = Drawn(0, name, "sign", record.id, (line.dim,))
            self.add(canvas.label(name, left, float(y), size, color, align=0, source=sign))

    def push(self, distance: float, run_time: float) -> Shift:
        """Return the animation that moves the bracket ``distance`` pixels away from its block."""
        return Shift(self, self._canvas.artboard.unit * distance * self._out, run_time)

    @property
    def is_above(self) -> bool:
        """Whether the bracket lies over its block."""
        return bool(self._out[1] > 0.99)

    @property
    def along(self) -> int:
        """The dimension whose size it tells."""
        assert self.label.source is not None
        return self.label.source.index[0]

    def speak_of(self, record: TensorRecord, dims: dict[int, int]) -> None:
        """Let the size be that of another tensor's dimension; ``dims`` maps old dims to new."""
        dim = dims[self.along]
        assert str(record.shape[dim]) == self.label.text, "a bracket never changes its number"
        self.label.source = Drawn(0, self.label.text, "size", record.id, (dim,))

    def grow(self, run_time: float = QUICK) -> AnimationGroup:
        """Return the animation in which the bracket opens and its size appears."""
        return AnimationGroup(
            GrowFromCenter(self.line, run_time=run_time),
            *(FadeIn(each, run_time=run_time) for each in self.submobjects[1:]),
        )

    def darken(self, run_time: float = QUICK) -> BlockAnimation:
        """Return the animation in which the bracket is lit no longer."""
        theme = self._canvas.theme

        def draw(alpha: float) -> None:
            line = mix(theme.focus, theme.muted, ease(alpha))
            self.line.stroke_rgbas = np.array([[*line, 1.0]])
            for label in self.submobjects[1:]:
                repaint(label, mix(theme.focus, theme.text, ease(alpha)))

        return BlockAnimation(self, draw, run_time)

    def leave(self, run_time: float = QUICK) -> FadeOut:
        """Return the animation in which the bracket goes."""
        return FadeOut(self, run_time=run_time)
