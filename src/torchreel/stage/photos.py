"""Which tensors of a trace are pictures, what is certain about them, and how they lie in space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from torchreel.records import Step, TensorRecord, Trace
from torchreel.stage.fills import Fills
from torchreel.stage.form import CELLS_MAX
from torchreel.stage.plates import Photo, photo_of


class Photos:
    """The pictures among the tensors of a cell: in colour, and batches of tables of ink."""

    def __init__(self, trace: Trace, fills: Fills) -> None:
        self.trace, self.fills = trace, fills
        self._known: dict[int, Photo | None] = {}
        self._makers: dict[int, Step] = {}
        for step in trace.steps:
            for made in step.results:
                self._makers.setdefault(made, step)

    def of(self, tensor: int) -> Photo | None:
        """Return a tensor as a picture, None where it is none."""
        if tensor not in self._known:
            record = self.trace.tensor(tensor)
            found = photo_of(record, self.trace.values.get(tensor))
            self._known[tensor] = found or self._same(record) or self._inked(record)
        return self._known[tensor]

    def is_certain(self, tensor: int) -> bool:
        """Tell whether a tensor is a picture beyond doubt: bytes, or made of such; floats from 0
        to 1 could be anything."""
        photo = self.of(tensor)
        if photo is None or photo.record.dtype == "uint8":
            return photo is not None
        return any(self.is_certain(each) for each in self._sources(tensor))

    def axis(self, photo: Photo, dim: int) -> str:
        """Return the name of a dimension of a picture, "" where it is not certain."""
        return photo.axes.get(dim, "") if self.is_certain(photo.record.id) else ""

    def order(self, tensor: int) -> tuple[int, ...] | None:
        """Return the dimensions that lie in depth, down and across, of a picture in colour and of
        what was computed from one in its shape; None of what is drawn in the usual order."""
        photo = self.of(tensor)
        if photo is not None:
            rows, columns, channels = photo.dims
            return None if channels is None else (channels, rows, columns)
        shape = self.trace.tensor(tensor).shape
        alike = [each for each in self._sources(tensor) if self.trace.tensor(each).shape == shape]
        return next((found for each in alike if (found := self.order(each))), None)

    def _sources(self, tensor: int) -> list[int]:
        step = self._makers.get(tensor)
        used = () if step is None or step.written else step.operands
        tensors = [each.tensor for each in used if each.tensor is not None]
        return [each for each in tensors if each != tensor]

    def _same(self, record: TensorRecord) -> Photo | None:
        """Return a tensor as the picture whose numbers it holds, in another dtype."""
        values = self.trace.values.get(record.id)
        for source in self._sources(record.id):
            photo, before = self.of(source), self.trace.values.get(source)
            if photo is None or values is None or before is None:
                continue
            if values.shape == before.shape and np.array_equal(values, before):
                return replace(photo, record=record)
        return None

    def _inked(self, record: TensorRecord) -> Photo | None:
        """Return a pile of tables of ink that is too large for cells as a batch of pictures."""
        if len(record.shape) != 3 or record.numel <= CELLS_MAX or min(record.shape[1:]) < 8:
            return None
        if record.shape[0] < 2 or not self.fills.is_inked(record):
            return None
        if record.id not in self.trace.values:
            return None
        colors = self.fills.colors(record, np.arange(record.numel))
        return Photo(record, colors.reshape(*record.shape, 3), "none")
