"""Tensors of ever more dimensions side by side: a point, a line, a table, a block, a shelf."""

from __future__ import annotations

from collections.abc import Sequence

from manim import FadeIn, FadeOut, VGroup

from torchreel.records import Drawn, Run, Step, TensorRecord, Trace
from torchreel.stage import motion, registry
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.block import TensorBlock
from torchreel.stage.chips import shape_text
from torchreel.stage.form import PLANK, Form, drawable, form, modes
from torchreel.stage.layout import Placement, place_form
from torchreel.stage.stage import Stage
from torchreel.stage.strip import Sentence

_RANKS, _MOST = 3, 6
_LABEL = 1.7
_LARGEST = 0.75
_GRID = 4


class Ranks:
    """Plays a cell that makes tensors of three ranks or more and nothing else: each comes to its
    own place, its shape below, and stays."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        records = _made(stage.trace)
        self._places = dict(
            zip(
                (each.id for each in records),
                places([each.shape for each in records], stage.canvas.artboard),
                strict=True,
            )
        )
        self._there: list[TensorBlock] = []
        self._shapes: list[VGroup] = []

    def covers(self, step: Step) -> bool:
        """Tell whether the cell is one of tensors side by side."""
        return any(each in self._places for each in step.results)

    def sentence(self, step: Step) -> Sentence | None:
        """Return None: the shapes stand on the stage."""
        return None

    def play(self, step: Step) -> None:
        """Let the tensor that a step made come to its place."""
        stage, record = self.stage, self.stage.record(step.results[0])
        placement = self._places[record.id]
        block = stage.make_block(record, placement)
        self._there.append(block)
        block.show_cells(False)
        stage.wait_for([block])
        stage.play(stage.land(block))
        shape = self._shape(record, placement)
        self._shapes.append(shape)
        stage.play(FadeIn(shape, run_time=motion.QUICK))

    def printed(self, run: Run) -> None:
        """Change nothing."""

    def leave(self) -> None:
        """Take all of them off the stage."""
        if self._there:
            fading = [self.stage.fading(each, 0.0, 1.0) for each in self._there]
            gone = [FadeOut(each, run_time=motion.QUICK) for each in self._shapes]
            self.stage.play(*fading, *gone)
            self.stage.scene.remove(*self._there)
        self._there, self._shapes = [], []

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        return tuple(each.record.id for each in self._there)

    def _shape(self, record: TensorRecord, placement: Placement) -> VGroup:
        canvas, text = self.stage.canvas, shape_text(record)
        left, _, right, _ = placement.pose.front
        size = canvas.artboard.type_size
        y = _floor(placement) + _LABEL * size / 2
        source = Drawn(0, text, "shape", record.id)
        color = canvas.theme.text
        return VGroup(canvas.label(text, (left + right) / 2, y, size, color, source=source))


def _made(trace: Trace) -> list[TensorRecord]:
    """Return the tensors of a cell that only makes some, of three ranks or more, small enough to
    be drawn; none of any other cell."""
    records = [trace.tensor(each) for step in trace.steps for each in step.results]
    plain = all(
        registry.is_creation(step.op) and len(step.results) == 1 and not step.clash
        for step in trace.steps
    )
    alone = not any(each.tensor is not None for step in trace.steps for each in step.operands)
    ranks = {len(each.shape) for each in records}
    if not (plain and alone) or len(ranks) < _RANKS or len(records) > _MOST:
        return []
    return records if all(drawable(each.shape) for each in records) else []


def places(shapes: Sequence[tuple[int, ...]], artboard: Artboard) -> list[Placement]:
    """Return where tensors stand, those of up to two dimensions above the others; the cells of
    each are as large as its row allows, and all of a row stand on one line."""
    stage = artboard.stage
    zone = Zone(stage.x, stage.y, stage.width, stage.height + _LABEL * artboard.type_size)
    rows = [[each for each in shapes if (len(each) > 2) == solid] for solid in (False, True)]
    rows = [row for row in rows if row]
    height = zone.height / max(1, len(rows))
    found: dict[tuple[int, ...], list[Placement]] = {}
    for index, row in enumerate(rows):
        room = Zone(zone.x, zone.y + index * height, zone.width, height)
        for shape, placement in zip(row, _in_row(row, room, artboard), strict=True):
            found.setdefault(shape, []).append(placement)
    return [found[each].pop(0) for each in shapes]


def _in_row(shapes: Sequence[tuple[int, ...]], room: Zone, artboard: Artboard) -> list[Placement]:
    pictures = [form(each, modes(each)[-1]) for each in shapes]
    label = _LABEL * artboard.type_size
    gap = artboard.px(44)
    shared = (room.width - gap * len(shapes)) / sum(each.width for each in pictures)
    sides = [_side(each, shared, room.height - label, artboard) for each in pictures]
    widths = [each.width * side for each, side in zip(pictures, sides, strict=True)]
    spare = (room.width - sum(widths)) / len(shapes)
    placed, x = [], room.x + spare / 2
    for picture, side, width in zip(pictures, sides, widths, strict=True):
        high = picture.height * side
        region = Zone(x, room.bottom - label - high, width, high)
        placed.append(place_form(picture, region, artboard, bare=True, size=side))
        x += width + spare
    return placed


def _side(picture: Form, shared: float, height: float, artboard: Artboard) -> float:
    side = min(_LARGEST * artboard.cell_max, shared, height / picture.height)
    return max(1.0, side // _GRID * _GRID)


def _floor(placement: Placement) -> float:
    """Return the lower edge of a picture, or of the shelf on which it stands, in pixels."""
    shelf = PLANK * placement.pose.size if len(placement.form.planks) else 0.0
    return placement.pose.front[3] + shelf
