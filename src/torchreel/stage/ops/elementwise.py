"""Elementwise: the same place of two operands makes that place of the result."""

from __future__ import annotations

from collections.abc import Sequence

from torchreel.records import Drawn, Shape, Step, TensorRecord
from torchreel.spelling import bare_name, spell
from torchreel.stage import motion, numerals
from torchreel.stage.block import TensorBlock
from torchreel.stage.form import CELLS_MAX, drawable
from torchreel.stage.ghosts import GhostArrows, arrow_room
from torchreel.stage.layout import Margins
from torchreel.stage.line import Part
from torchreel.stage.numerals import MINUS
from torchreel.stage.registry import choreography
from torchreel.stage.seen import own, stretched
from torchreel.stage.shaperows import ShapeRows, rows_height
from torchreel.stage.signs import BINARY, REFLECTED, RELATIONS
from torchreel.stage.stage import Stage
from torchreel.stage.telling import HOLDS, tell

_LONGEST = 6
_NO_PAD: Margins = (0.0, 0.0, 0.0, 0.0)


@choreography(
    "add",
    "sub",
    "subtract",
    "mul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "floor_divide",
    "remainder",
    "fmod",
    "pow",
    "__pow__",
    "__floordiv__",
    "__mod__",
    "__rsub__",
    "rsub",
    "__rdiv__",
    "__rtruediv__",
    "__rpow__",
    "__rfloordiv__",
    "__rmod__",
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "eq",
    "ne",
    "not_equal",
    "lt",
    "less",
    "le",
    "less_equal",
    "gt",
    "greater",
    "ge",
    "greater_equal",
    "__and__",
    "bitwise_and",
    "logical_and",
    "__or__",
    "bitwise_or",
    "logical_or",
    "__xor__",
    "bitwise_xor",
    "logical_xor",
    "maximum",
    "minimum",
    "atan2",
    fills="rows",
)
def elementwise(stage: Stage, step: Step) -> None:
    """Play a step that combines the same places of two operands, the smaller one stretched."""
    result = stage.results(step)[0]
    records = [seen(each, result.shape) for each in stage.operands(step)]
    words = _words(step)
    is_broadcast = stretch(stage, records, result.shape, between(step))
    infix = words[0] == "" or words[-1] == ""
    family = stage.roomier([*records, result], 1.25)
    *sources, block = stage.arrange(
        family,
        records,
        [result],
        symbols=_symbols(words, len(records), infix),
        before=_before(words) if infix else "",
        spoken=[word for word in words if isinstance(word, Drawn)],
        line=True,
    )
    tell(
        stage,
        sources,
        block,
        _told(block, result.shape)[-1 if is_broadcast else 0 :],
        lambda element: _line(words, sources, block, element),
    )


def between(step: Step) -> list[str]:
    """Return the signs that stand between the tensors of a step."""
    tensors = sum(each.tensor is not None for each in step.operands)
    return _symbols(_words(step), tensors, infix=True)[: tensors - 1]


def stretch(
    stage: Stage, records: Sequence[TensorRecord], shape: Shape, symbols: Sequence[str]
) -> bool:
    """Show the operands alone, then as the broadcast to ``shape`` sees them, by strides of 0, with
    their shapes axis under axis; return False, and show nothing, where it sees them as they are.
    ``symbols`` stand between them."""
    tensors = [own(each) for each in records]
    if all(each.shape == shape for each in tensors):
        return False
    artboard = stage.canvas.artboard
    blocks = stage.arrange(
        "left_right",
        records,
        symbols=symbols,
        pads=[arrow_room(record, artboard) for record in records],
        below=rows_height(len(records), artboard) / stage.zone.height,
    )
    rows = ShapeRows(stage.canvas, [stage.named(each) for each in tensors], shape, stage.free)
    stage.play(stage.put(rows))
    thin = [block for block in blocks if block.rest.any()]
    arrows = [GhostArrows(stage.canvas, block) for block in thin]
    stage.play(rows.light(), *(stage.put(each, motion.BEAT) for each in arrows))
    if thin:
        stage.play(*(stage.stretch(block) for block in thin))
    stage.scene.wait(motion.BEAT)
    return True


def seen(record: TensorRecord, shape: Shape) -> TensorRecord:
    """Return an operand as the op sees it, where its cells can be drawn."""
    return stretched(record, shape) if drawable(shape) and record.numel <= CELLS_MAX else record


def _words(step: Step) -> list[str | Drawn]:
    """Return what stands around the operands of a step: a sign or the op's name, and a number that
    is no tensor; an empty text stands for each tensor."""
    name = bare_name(step.op)
    plain = name.strip("_")
    sign = BINARY.get(plain) or REFLECTED.get(plain) or RELATIONS.get(plain)
    places: list[str | Drawn] = []
    for position, operand in enumerate(step.operands):
        if operand.tensor is not None:
            places.append("")
        elif operand.literal is not None and operand.literal != "None":
            places.append(literal(step, position))
    if plain in REFLECTED:
        places.reverse()
    if sign is not None and len(places) == 2:
        return [places[0], sign, places[1]]
    listed = [part for place in places for part in (",", place)][1:]
    return [Drawn(0, spell(step), "op", step=step.number), "(", *listed, ")"]


def literal(step: Step, position: int) -> Drawn:
    """Return a number that the script wrote, an operand of a step, as it is drawn."""
    text = _short(step.operands[position].literal or "").replace("-", MINUS)
    return Drawn(0, text, "literal", step=step.number, index=(position,))


def _short(literal: str) -> str:
    """Return a literal as it is, a long number with fewer digits, dots for anything else."""
    if len(literal) <= _LONGEST:
        return literal
    try:
        return numerals.write(float(literal), _LONGEST) or "…"
    except ValueError:
        return "…"


def _text(words: list[str | Drawn]) -> str:
    return " ".join(word if isinstance(word, str) else word.text for word in words)


def _symbols(words: list[str | Drawn], tensors: int, infix: bool) -> list[str]:
    """Return what follows each tensor of the row: the sign, and what stands before the result."""
    if not infix:
        return [*[","] * (tensors - 1), "→"]
    places = [index for index, word in enumerate(words) if word == ""]
    ends = [*places[1:], len(words)]
    found = [_text(words[a + 1 : b]) for a, b in zip(places, ends, strict=True)][:tensors]
    found[-1] = f"{found[-1]} {_equals(words)}".strip()
    return found


def _equals(words: list[str | Drawn]) -> str:
    """Return what stands before a result: a relation has signs of equality of its own."""
    return "→" if any(word in RELATIONS.values() for word in words) else "="


def _before(words: list[str | Drawn]) -> str:
    return _text(words[: words.index("")])


def _line(
    words: list[str | Drawn], sources: list[TensorBlock], block: TensorBlock, element: int
) -> list[Part]:
    """Return ``2.0 × 3 = 6.0`` for one element."""
    left = iter(sources)
    parts: list[Part] = [(next(left), element) if word == "" else word for word in words]
    return [*parts, _equals(words), (block, element)]


def _told(block: TensorBlock, shape: Shape) -> list[int]:
    """Return the results that are told one by one: the first two, and one further on."""
    drawn = [int(each) for each in block.elements]
    if len(drawn) <= len(HOLDS):
        return drawn
    columns = shape[-1]
    further = columns + min(2, columns - 1) if len(shape) > 1 else 2
    return sorted({drawn[0], drawn[1], further if further in drawn else drawn[2]})
