"""The shape strip: the sentence of the line that runs, `x (12,) —reshape→ y (3, 4)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from manim import Animation, FadeIn, FadeOut, ReplacementTransform, VGroup, VMobject

from torchreel.records import Drawn, Step, TensorRecord
from torchreel.spelling import spell
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.colors import Color
from torchreel.stage.motion import early, late
from torchreel.stage.text import text_width

CHIP_PAD = 17
CHIP_GAP = 10
_LEAST = 8
"""A name is cut to so many characters, not to fewer."""


def shape_text(record: TensorRecord) -> str:
    """Return a shape as Python writes a tuple: ``(3, 4)``, ``(12,)``, ``()``."""
    return str(tuple(record.shape))


@dataclass(frozen=True)
class Named:
    """A tensor and the name it goes by on stage, or None where it has no name; ``gradient`` tells
    that it is what a ``.grad`` holds."""

    name: str | None
    record: TensorRecord
    gradient: bool = False


@dataclass(frozen=True)
class Sentence:
    """One step as a sentence: operands, the op, the result; ``step`` None: the tensors alone.

    ``word`` is what stands over the arrow instead of the op's name, ``lap`` the lap of a loop it
    belongs to.
    """

    operands: tuple[Named, ...]
    step: Step | None
    results: tuple[Named, ...]
    word: Drawn | None = None
    lap: Drawn | None = None


class Band(VGroup):
    """What stands below the stage: the sentence of a line, or what the line printed; at its left
    end the lap of a loop.

    ``chips`` are its parts that may be in another one too, by their tensor or their text.
    """

    def __init__(self, canvas: Canvas, lap: Drawn | None) -> None:
        self.canvas = canvas
        self.chips: dict[int | str, VGroup] = {}
        super().__init__()
        if lap is not None:
            self._counter(lap)

    @property
    def text(self) -> str:
        """What is written on it, from left to right."""
        return " ".join(each.text for each in self.get_family() if isinstance(each, Label))

    def follow(self, old: Band, run_time: float) -> list[Animation]:
        """Return the animations in which this takes the place of ``old``.

        A chip that is in both glides to its new place; the rest of the old one goes first, then
        the rest of the new one appears.
        """
        moving = [tensor for tensor in self.chips if tensor in old.chips]
        glide: list[Animation] = [
            ReplacementTransform(
                old.chips[tensor], self.chips[tensor], run_time=run_time, rate_func=early
            )
            for tensor in moving
        ]
        kept = [id(old.chips[tensor]) for tensor in moving]
        for gone in old:
            if id(gone) not in kept:
                glide.append(FadeOut(gone, run_time=run_time * 0.4))
        kept = [id(self.chips[tensor]) for tensor in moving]
        for new in self:
            if id(new) not in kept:
                glide.append(FadeIn(new, run_time=run_time, rate_func=late))
        return glide

    def _counter(self, lap: Drawn) -> None:
        """Put the lap at the left end of the strip."""
        canvas, theme, zone = self.canvas, self.canvas.theme, self.canvas.artboard.strip
        size, pad = canvas.artboard.type_chip, canvas.artboard.px(CHIP_PAD)
        box = chip_box(canvas, zone.x, text_width(lap.text, size) + 2 * pad, theme.line, lit=False)
        at, y = zone.x + pad, zone.center_y
        chip = VGroup(box, canvas.label(lap.text, at, y, size, theme.text, align=0, source=lap))
        self.chips[lap.text] = chip
        self.add(chip)


class ShapeStrip(Band):
    """Chips of one sentence with an arrow that names the op; the result is lit."""

    def __init__(self, canvas: Canvas, sentence: Sentence) -> None:
        super().__init__(canvas, sentence.lap)
        self._word = sentence.word
        shown = _fit(canvas, sentence)
        zone, counter = canvas.artboard.strip, lap_width(canvas, sentence.lap)
        x = max(zone.center_x - _width(canvas, shown) / 2, zone.x + counter)
        for named in shown.operands:
            x = self._chip(named, x, lit=shown.step is None and not shown.results)
        if shown.step is not None:
            x = self._arrow(shown.step, x)
        for named in shown.results:
            x = self._chip(named, x, lit=True)

    def _chip(self, named: Named, x: float, *, lit: bool) -> float:
        canvas, theme, zone = self.canvas, self.canvas.theme, self.canvas.artboard.strip
        artboard = canvas.artboard
        width = _chip_width(canvas, named)
        chip = VGroup(
            chip_box(
                canvas,
                x,
                width,
                theme.grad if named.gradient else theme.focus if lit else theme.line,
                lit=lit,
            )
        )
        size, at = artboard.type_chip, x + artboard.px(CHIP_PAD)
        if named.name:
            source = Drawn(0, named.name, "name", named.record.id)
            name = canvas.label(
                named.name,
                at,
                zone.center_y,
                size,
                theme.grad if named.gradient else theme.muted,
                align=0,
                source=source,
            )
            chip.add(name)
            at += text_width(named.name + " ", size)
        text = shape_text(named.record)
        chip.add(
            canvas.label(
                text,
                at,
                zone.center_y,
                size,
                theme.text if lit else theme.muted,
                align=0,
                source=Drawn(0, text, "shape", named.record.id),
            )
        )
        self.chips[named.record.id] = chip
        self.add(chip)
        return x + width + artboard.px(CHIP_GAP)

    def _arrow(self, step: Step, x: float) -> float:
        canvas, theme, zone = self.canvas, self.canvas.theme, self.canvas.artboard.strip
        artboard = canvas.artboard
        word = self._word or Drawn(0, spell(step), "op", step=step.number)
        width, text = _arrow_width(canvas, word.text), word.text
        self.add(
            canvas.label(
                text,
                x + width / 2,
                zone.y + artboard.type_op * 0.42,
                artboard.type_op,
                theme.focus,
                weight="Medium",
                source=word,
            ),
            canvas.arrow(
                (x, zone.y + zone.height * 0.75),
                (x + width, zone.y + zone.height * 0.75),
                theme.focus,
                artboard.px(4),
            ),
        )
        return x + width + artboard.px(CHIP_GAP)


def chip_box(canvas: Canvas, x: float, width: float, line: Color, *, lit: bool) -> VMobject:
    """Return the empty box of a chip in the strip, from its left edge and its width in pixels."""
    artboard, theme = canvas.artboard, canvas.theme
    return canvas.rectangle(
        x,
        artboard.strip.y,
        width,
        artboard.strip.height,
        radius=artboard.px(8),
        fill=theme.surface2 if lit else theme.surface,
        line=line,
        stroke=artboard.px(4 if lit else 2.5),
    )


def _fit(canvas: Canvas, sentence: Sentence) -> Sentence:
    """Drop operands until the sentence fits the strip: the first ones go first; a name that is too
    long is cut."""
    shown = sentence
    room = canvas.artboard.strip.width - lap_width(canvas, sentence.lap)
    while _width(canvas, shown) > room and shown.operands:
        shown = replace(shown, operands=shown.operands[1:])
    while _width(canvas, shown) > room and len(shown.results) > 1:
        shown = replace(shown, results=shown.results[:-1])
    while _width(canvas, shown) > room and len(shown.results) == 1:
        name = shown.results[0].name or ""
        if len(name) <= _LEAST:
            break
        shown = replace(shown, results=(replace(shown.results[0], name=name[:-2] + "…"),))
    return shown


def lap_width(canvas: Canvas, lap: Drawn | None) -> float:
    """Return the room that the lap takes, with the gap after it."""
    if lap is None:
        return 0.0
    artboard = canvas.artboard
    text = text_width(lap.text, artboard.type_chip)
    return text + artboard.px(2 * CHIP_PAD + 2 * CHIP_GAP)


def _width(canvas: Canvas, sentence: Sentence) -> float:
    named: Sequence[Named] = (*sentence.operands, *sentence.results)
    widths = [_chip_width(canvas, each) for each in named]
    if sentence.step is not None:
        widths.append(_arrow_width(canvas, _word(sentence.word, sentence.step)))
    return sum(widths) + canvas.artboard.px(CHIP_GAP) * (len(widths) - 1)


def _chip_width(canvas: Canvas, named: Named) -> float:
    text = f"{named.name} " if named.name else ""
    text += shape_text(named.record)
    return text_width(text, canvas.artboard.type_chip) + 2 * canvas.artboard.px(CHIP_PAD)


def _word(word: Drawn | None, step: Step) -> str:
    return word.text if word is not None else spell(step)


def _arrow_width(canvas: Canvas, text: str) -> float:
    artboard = canvas.artboard
    word = text_width(text, artboard.type_op)
    return max(word + artboard.px(16), artboard.px(80))
