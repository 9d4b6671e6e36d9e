"""Where things stand on the boards: tensors left, models right, what a call gives at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torchreel.records import Step, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.devices.fleet import Fleet, is_move
from torchreel.stage.devices.passages import Passage
from torchreel.stage.nets.thing import ModelThing, Thing

_TENSOR, _MODEL, _RESULT = (0.15, 0.3), (0.595, 0.37), (0.95, 0.1)
_ALONE = (0.5, 0.5)
"""Where they stand on a board, tensors alone where no model is: the middle and the width, as shares
of its own."""
_ROWS = 2
"""So many things of a kind stand on a board, one below the other; a further one takes the place of
one of them."""


class Places:
    """The places of a passage's tensors and models; ``rooms`` are those of the boards.

    A tensor has one row on both boards: what crosses goes straight over.
    """

    def __init__(
        self,
        canvas: Canvas,
        rooms: Mapping[str, Zone],
        models: Sequence[str],
        rows: Mapping[int, int],
    ) -> None:
        self.canvas, self.rooms, self.models, self.rows = canvas, rooms, models, rows

    def tensor(self, device: str, tensor: int) -> Zone:
        """Return where a tensor stands."""
        share = _TENSOR if self.models else _ALONE
        return self._row(device, share, self.rows.get(tensor, 0), len({*self.rows.values()}))

    def model(self, device: str, name: str) -> Zone:
        """Return where a model stands."""
        row = self.models.index(name) if name in self.models else 0
        return self._row(device, _MODEL, row, len(self.models))

    def result(self, device: str) -> Zone:
        """Return where the numbers stand that a call gave."""
        return self._zone(device, *_RESULT).until(self.rooms[device].bottom)

    def _row(self, device: str, share: tuple[float, float], row: int, count: int) -> Zone:
        """Return a place: all of the height, or a part of it where others of its kind come."""
        rows, zone, room = min(_ROWS, count), self._zone(device, *share), self.rooms[device]
        if rows <= 1:
            return zone
        height = room.height / rows
        top = room.y + height * (row % rows)
        return Zone(zone.x, top, zone.width, height - self._label)

    def _zone(self, device: str, place: float, width: float) -> Zone:
        room = self.rooms[device]
        side = room.width * width
        height = min(room.height - self._label, side * 1.25)
        x = room.x + room.width * place - side / 2
        y = room.y + (room.height - self._label - height) / 2
        return Zone(x, y, side, height)

    @property
    def _label(self) -> float:
        """The height of a name below a picture."""
        return self.canvas.artboard.type_chip * 1.9


def place_of(thing: Thing) -> tuple[bool, float]:
    """Return what tells the place of a thing from others on its board."""
    return isinstance(thing, ModelThing), thing.zone.center_y


def rows_of(trace: Trace, fleet: Fleet, passage: Passage) -> dict[int, int]:
    """Return the row of each tensor that stands on a board: what went over shares it with what it
    was before."""
    rows: dict[int, int] = {}
    for step in passage.steps:
        there = standing(trace, fleet, step)
        together = [[*there, *step.results]] if is_move(step) else [[each] for each in there]
        for group in together:
            known = [rows[each] for each in group if each in rows]
            row = known[0] if known else len({*rows.values()})
            rows |= {each: row for each in group if each not in rows}
    return rows


def standing(trace: Trace, fleet: Fleet, step: Step) -> list[int]:
    """Return the tensors that a step finds on the boards: what is moved, what a model is called
    with, what clashes; a model's parameters are in the model."""
    root = trace.outermost_call(step)
    if root is not None:
        found = [each.tensor for each in root.operands]
    elif step.clash is not None:
        found = [step.operands[place].tensor for place in step.clash.operands]
    else:
        found = [each.tensor for each in step.operands[:1]] if is_move(step) else []
    return [each for each in found if each is not None and not fleet.owns(each)]
