"""The code band of the film artboard: a window of three lines, the running statement lit, in red
where it raised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manim import VGroup
from pygments.lexers import PythonLexer

from torchreel.records import Cell, Drawn
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label, repaint
from torchreel.stage.colors import Color, Theme, mix
from torchreel.stage.motion import ease
from torchreel.stage.text import cut, outline, text_width

_LINE = 58
_PAD = 14
_SIZE = 38
_INDENT = 44
_UNLIT = 0.42
_WINDOW = 3
_COLUMNS = 74
_RED = 0.3
"""How much of the colour of errors is in the bar of a statement that raised."""


@dataclass(frozen=True)
class _Line:
    statement: int
    text: str


class CodeBand(VGroup):
    """The statements of a cell; :meth:`light` slides the lit bar to one and scrolls to it."""

    def __init__(self, canvas: Canvas, cell: Cell) -> None:
        zone = canvas.artboard.code
        assert zone is not None, "this artboard has no code band"
        self.canvas = canvas
        self.zone = zone
        self.lines = [
            _Line(statement.number, cut(text, _COLUMNS))
            for statement in cell.statements
            for text in statement.text.splitlines()
        ]
        self.lit = 0.0
        self.scroll = 0.0
        self.tall = 1.0
        self.failed = 0.0
        theme = canvas.theme
        self.panel = canvas.rectangle(
            zone.x, zone.y, zone.width, zone.height, radius=14, fill=theme.surface
        )
        self.bar, self.pin = canvas.rectangle(0, 0, 1, 1), canvas.rectangle(0, 0, 1, 1)
        self.runs = [self._runs(line) for line in self.lines]
        super().__init__(
            self.panel,
            self.bar,
            self.pin,
            *(VGroup(*(label for label, _ in run)) for run in self.runs),
        )
        self._draw()

    def light(self, statement: int, run_time: float) -> BlockAnimation:
        """Return the animation that lights a statement; ``run_time`` in seconds."""
        target, tall = self._lines_of(statement)
        last = max(0, len(self.lines) - _WINDOW)
        scroll = min(last, max(0, target - 1))
        return self._going((float(target), float(scroll), float(tall), 0.0), run_time)

    def fail(self, run_time: float) -> BlockAnimation:
        """Return the animation that turns the lit statement red: it raised."""
        return self._going((self.lit, self.scroll, self.tall, 1.0), run_time)

    def _going(self, ends: tuple[float, ...], run_time: float) -> BlockAnimation:
        start = (self.lit, self.scroll, self.tall, self.failed)

        def draw(alpha: float) -> None:
            t = ease(alpha)
            self.lit, self.scroll, self.tall, self.failed = (
                a + (b - a) * t for a, b in zip(start, ends, strict=True)
            )
            self._draw()

        return BlockAnimation(self, draw, run_time)

    def _lines_of(self, statement: int) -> tuple[int, int]:
        places = [i for i, line in enumerate(self.lines) if line.statement == statement]
        return (places[0], min(_WINDOW, len(places))) if places else (0, 1)

    def _draw(self) -> None:
        canvas, zone, theme = self.canvas, self.zone, self.canvas.theme
        top = zone.y + _PAD + (self.lit - self.scroll) * _LINE
        height = _LINE * self.tall
        bar = canvas.rectangle(zone.x + 14, top, zone.width - 28, height, radius=8)
        self.bar.points = bar.points
        red = mix(theme.surface, theme.error, _RED)
        repaint(self.bar, mix(theme.lit, red, self.failed))
        pin = canvas.rectangle(zone.x + 10, top, 10, height, radius=5)
        self.pin.points = pin.points
        repaint(self.pin, mix(theme.focus, theme.error, self.failed))
        for index, run in enumerate(self.runs):
            self._draw_line(index, run)

    def _draw_line(self, index: int, run: list[tuple[Label, Color]]) -> None:
        place = index - self.scroll
        y = self.zone.y + _PAD + (place + 0.5) * _LINE
        inside = min(1.0, max(0.0, 1 - max(-place, place - (_WINDOW - 1))))
        lit = min(1.0, max(0.0, 1 - abs(min(0, index - self.lit))))
        lit *= min(1.0, max(0.0, self.lit + self.tall - index))
        x = self.zone.x + _INDENT
        for label, color in run:
            points = outline(label.text, "Medium") * _SIZE + np.array([x, y])
            label.points = self.canvas.points(points if inside > 0 else points[:0])
            shade = inside * (_UNLIT + (1 - _UNLIT) * lit)
            repaint(label, mix(self.canvas.theme.surface, color, shade))
            x += text_width(label.text, _SIZE)

    def _runs(self, line: _Line) -> list[tuple[Label, Color]]:
        runs = []
        for kind, text in PythonLexer(stripnl=False).get_tokens(line.text):
            text = text.rstrip("\n")
            if text:
                label = self.canvas.label(
                    text, 0, 0, _SIZE, self.canvas.theme.text, weight="Medium", align=0
                )
                label.source = Drawn(0, text, "code")
                runs.append((label, _shade(str(kind), self.canvas.theme)))
        return runs


def _shade(kind: str, theme: Theme) -> Color:
    """Return the colour of a Pygments token type, given by its name."""
    if kind.startswith("Token.Literal"):
        return theme.param
    if kind.startswith(("Token.Punctuation", "Token.Operator")):
        return mix(theme.muted, theme.text, 0.25)
    if kind.startswith("Token.Comment"):
        return theme.muted
    return mix(theme.text, theme.focus, 0.35) if kind.startswith("Token.Keyword") else theme.text
