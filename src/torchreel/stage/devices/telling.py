"""What the strip says of devices: what is where, what moves it, what clashes."""

from __future__ import annotations

from collections.abc import Sequence

from manim import VGroup

from torchreel.records import Drawn, Step
from torchreel.spelling import spell
from torchreel.stage.chips import shape_text
from torchreel.stage.devices.clash import error_chip
from torchreel.stage.devices.fleet import Fleet
from torchreel.stage.stage import Stage
from torchreel.stage.training.chips import chip_row, row_width

Chip = tuple[Drawn, ...]


class Telling:
    """Writes the chips of the strip, with the names that tensors have at the moment."""

    def __init__(self, stage: Stage, fleet: Fleet) -> None:
        self.stage, self.canvas, self.trace = stage, stage.canvas, stage.trace
        self.fleet = fleet

    def name(self, tensor: int) -> str | None:
        """Return the newest name of a tensor, if it has one."""
        found = [name for name, held in self.stage.names.items() if held == tensor]
        return found[-1] if found else None

    def former(self, tensor: int) -> str | None:
        """Return the name that the line now played gives to another tensor."""
        return self.stage.former.get(tensor)

    def called(self, tensor: int) -> Drawn:
        """Return the name of a tensor, or its shape where it has none."""
        name = self.name(tensor)
        if name is not None:
            return Drawn(0, name, "name", tensor)
        return Drawn(0, shape_text(self.trace.tensor(tensor)), "shape", tensor)

    def model(self, model: int) -> Drawn:
        """Return the name of a model."""
        return Drawn(0, self.trace.modules[model].name, "module", module=model)

    def there(self, label: Drawn, tensor: int) -> Chip:
        """Return the chip that says where something is: its name and its tensor's device."""
        return label, Drawn(0, self.trace.tensor(tensor).device, "device", tensor)

    def row(self, chips: Sequence[Chip], word: Drawn | None = None) -> VGroup:
        """Return chips with the last one lit, an arrow with a word before it; the first ones only
        where there is room."""
        while len(chips) > 2 and row_width(self.canvas, chips, word) > self._width:
            chips = chips[1:]
        return chip_row(self.canvas, chips, word=word)

    def moved(self, step: Step, rest: Sequence[Chip], before: Chip, after: Chip) -> VGroup:
        """Return from where to where a step moves something, and where the rest is that has not
        moved."""
        return self.row([*rest, before, after], Drawn(0, spell(step), "op", step=step.number))

    def call(self, step: Step) -> VGroup | None:
        """Return where what went into a model is, and where what came out; None where that has no
        name."""
        root = self.trace.outermost_call(step)
        if root is None or not root.results or self.name(root.results[0]) is None:
            return None
        used = [each.tensor for each in root.operands if each.tensor is not None]
        chips = [self.there(self.called(each), each) for each in used if self.name(each)]
        after = self.there(self.called(root.results[0]), root.results[0])
        model = self.model(self.fleet.root_of(root.module))
        return self.row([*chips, after], model)

    def clash(self, step: Step) -> VGroup:
        """Return the exception's class, then the names of what clashes and where each is, as far
        as there are names."""
        assert step.clash is not None
        found: list[Chip] = []
        for place in step.clash.operands:
            tensor = step.operands[place].tensor
            label = None if tensor is None else self._label_of(tensor, step)
            if label is not None and tensor is not None:
                found.append(self.there(label, tensor))
        return error_chip(self.canvas, step, found)

    @property
    def _width(self) -> float:
        return self.canvas.artboard.strip.width

    def _label_of(self, tensor: int, step: Step) -> Drawn | None:
        """Return the name of a tensor, or of the model that a step's call is of, where the tensor
        is one of its parameters."""
        if self.name(tensor) is not None:
            return self.called(tensor)
        model = self.fleet.used(step, self.trace.outermost_call(step))
        return self.model(model) if model is not None and self.fleet.owns(tensor) else None
