"""The shape strip: the sentence of the line that runs, `x (12,) —reshape→ y (3, 4)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from manim import Animation, FadeIn, FadeOut, ReplacementTransform, VGroup

from torchreel.records import Drawn, Step
from torchreel.spelling import brackets, spell
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.chips import (
    CHIP_GAP,
    CHIP_PAD,
    Named,
    arrow_width,
    chip_box,
    lap_chip,
    lap_width,
    name_label,
    word_arrow,
)
from torchreel.stage.motion import early, late
from torchreel.stage.text import text_width

_LEAST = 8
"""A name is cut to so many characters, not to fewer."""


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
            self.chips[lap.text] = lap_chip(canvas, lap)
            self.add(self.chips[lap.text])

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


class ShapeStrip(Band):
    """Chips of one sentence with an arrow that names the op; the result is lit."""

    def __init__(self, canvas: Canvas, sentence: Sentence) -> None:
        super().__init__(canvas, sentence.lap)
        shown = _fit(canvas, _in_words(sentence))
        self._word = shown.word
        zone, counter = canvas.artboard.strip, lap_width(canvas, sentence.lap)
        x = max(zone.center_x - _width(canvas, shown) / 2, zone.x + counter)
        for named in shown.operands:
            x = self._chip(named, x, lit=shown.step is None and not shown.results)
        if shown.word is not None:
            x = self._arrow(x)
        for named in shown.results:
            x = self._chip(named, x, lit=True)
        if (raised := _raised(shown)) is not None:
            self._error(raised, x)

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
            color = theme.grad if named.gradient else theme.muted
            chip.add(name_label(canvas, named, named.name, at, zone.center_y, size, color))
            at += text_width(named.name + " ", size)
        ink = theme.text if lit else theme.muted
        if (held := named.holds) is not None:
            chip.add(canvas.label(held.text, at, zone.center_y, size, ink, align=0, source=held))
        self.chips[f"{named.name} None" if named.nothing else named.record.id] = chip
        self.add(chip)
        return x + width + artboard.px(CHIP_GAP)

    def _error(self, raised: Drawn, x: float) -> None:
        """Add the class of the exception that the step raised."""
        canvas, theme, board = self.canvas, self.canvas.theme, self.canvas.artboard
        size, y, at = board.type_chip, board.strip.center_y, x + board.px(CHIP_PAD)
        chip = VGroup(
            chip_box(canvas, x, _text_width(canvas, raised.text), theme.error, lit=True),
            canvas.label(raised.text, at, y, size, theme.error, align=0, source=raised),
        )
        self.chips[raised.text] = chip
        self.add(chip)

    def _arrow(self, x: float) -> float:
        canvas, word = self.canvas, self._word
        assert word is not None
        self.add(*word_arrow(canvas, word, x))
        return x + arrow_width(canvas, word.text) + canvas.artboard.px(CHIP_GAP)


def _in_words(sentence: Sentence) -> Sentence:
    """Return a sentence with a word over its arrow: what is in brackets as the line has it."""
    step = sentence.step
    if step is None or sentence.word is not None or _is_class_alone(sentence):
        return sentence
    return replace(sentence, word=_op(step, brackets(step) or spell(step)))


def _raised(sentence: Sentence) -> Drawn | None:
    """Return the class of the exception that a sentence tells of, if it tells of one."""
    step = sentence.step
    if step is None or step.clash is None:
        return None
    return Drawn(0, step.clash.type, "clash", step=step.number)


def _is_class_alone(sentence: Sentence) -> bool:
    """Tell whether a sentence only says what a step raised: the stage tells the rest."""
    return _raised(sentence) is not None and not sentence.operands


def _op(step: Step, text: str) -> Drawn:
    return Drawn(0, text, "op", step=step.number)


def _fit(canvas: Canvas, sentence: Sentence) -> Sentence:
    """Drop what has no room in the strip: code, then a module's own parameters, the last ones
    first, then the shapes of operands that have names, and of several results, then operands, the
    first ones first; a name that is too long is cut."""
    shown = sentence
    room = canvas.artboard.strip.width - lap_width(canvas, sentence.lap)
    if _width(canvas, shown) > room:
        shown = _shorter(shown)
    while _width(canvas, shown) > room and _has_own(shown):
        shown = replace(shown, operands=shown.operands[:-1])
    if _width(canvas, shown) > room and shown.results:
        named = tuple(replace(each, alone=not each.nothing) for each in shown.operands)
        shown = replace(shown, operands=named)
    if _width(canvas, shown) > room and len(shown.results) > 1:
        shown = replace(shown, results=tuple(replace(each, alone=True) for each in shown.results))
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


def _has_own(sentence: Sentence) -> bool:
    """Tell whether the last operand is a parameter of the module that is called."""
    called = sentence.word is not None and sentence.word.source == "module"
    own = [bool(each.record.name) for each in sentence.operands]
    return called and bool(own) and own[-1] and not all(own)


def _shorter(sentence: Sentence) -> Sentence:
    """Return a sentence without code in place of names and ops."""
    operands = [
        each if each.made_by is None else Named(None, each.record) for each in sentence.operands
    ]
    step, word = sentence.step, sentence.word
    if step is not None and word is not None and word.text == brackets(step):
        word = _op(step, spell(step))
    return replace(sentence, operands=tuple(operands), word=word)


def _width(canvas: Canvas, sentence: Sentence) -> float:
    named: Sequence[Named] = (*sentence.operands, *sentence.results)
    widths = [_chip_width(canvas, each) for each in named]
    if sentence.word is not None:
        widths.append(arrow_width(canvas, sentence.word.text))
    if (raised := _raised(sentence)) is not None:
        widths.append(_text_width(canvas, raised.text))
    return sum(widths) + canvas.artboard.px(CHIP_GAP) * (len(widths) - 1)


def _chip_width(canvas: Canvas, named: Named) -> float:
    held = named.holds
    text = " ".join(each for each in (named.name, held and held.text) if each)
    return _text_width(canvas, text)


def _text_width(canvas: Canvas, text: str) -> float:
    return text_width(text, canvas.artboard.type_chip) + 2 * canvas.artboard.px(CHIP_PAD)
