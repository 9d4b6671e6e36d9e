"""A tensor as an op sees it: stretched by a broadcast, turned, one matrix of a batch (pure NumPy).

Nothing is copied for it: each element is an element of the tensor that the script made, and says
so on the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from torchreel.records import Array, Shape, TensorRecord
from torchreel.stage.form import Places


@dataclass(frozen=True)
class Seen(TensorRecord):
    """A record with the shape and the strides that an op sees.

    ``own`` is the tensor itself, ``origin`` of the record's shape holds for each element the
    row-major place that it has in the tensor, ``suffix`` is what Python writes after its name for
    what is seen (``.T``, ``[0]``).
    """

    own: TensorRecord = field(kw_only=True)
    origin: Places = field(kw_only=True, compare=False)
    suffix: str = field(kw_only=True, default="")


def stretched(record: TensorRecord, shape: Shape) -> TensorRecord:
    """Return a tensor as a broadcast to ``shape`` sees it; itself where that changes nothing."""
    if record.shape == shape:
        return record
    lead = len(shape) - len(record.shape)
    sizes = (1,) * lead + record.shape
    strides = (0,) * lead + (record.stride or (0,) * len(record.shape))
    steps = zip(sizes, shape, strides, strict=True)
    seen = tuple(0 if size == 1 and wide != 1 else step for size, wide, step in steps)
    places = np.arange(record.numel).reshape(sizes)
    return _seen(record, shape, seen, np.broadcast_to(places, shape))


def turned(record: TensorRecord) -> TensorRecord:
    """Return a tensor of two dimensions as its transpose is seen."""
    places = np.arange(record.numel).reshape(record.shape).T
    return _seen(record, record.shape[::-1], record.stride[::-1], places, ".T")


def matrix(record: TensorRecord, batch: int) -> TensorRecord:
    """Return the last two dimensions of a tensor at one place of the leading ones."""
    at = np.unravel_index(batch, record.shape[:-2])
    return part(record, tuple(int(each) for each in at))


def part(record: TensorRecord, index: tuple[int, ...]) -> TensorRecord:
    """Return what a tensor holds at these indices of its leading dimensions; it goes by the
    tensor's own name where that is all of it."""
    places = np.arange(record.numel).reshape(record.shape)[index]
    is_all = np.size(places) == record.numel
    suffix = "" if is_all else f"[{', '.join(map(str, index))}]"
    lead = len(index)
    return _seen(record, record.shape[lead:], record.stride[lead:], np.asarray(places), suffix)


def origin_of(record: TensorRecord) -> Places:
    """Return for each element of a record, row-major, its place in the tensor itself."""
    return record.origin.ravel() if isinstance(record, Seen) else np.arange(record.numel)


def own(record: TensorRecord) -> TensorRecord:
    """Return the tensor itself."""
    return record.own if isinstance(record, Seen) else record


def own_dim(record: TensorRecord, dim: int) -> int:
    """Return which dimension of the tensor itself one is of a turned tensor, or of a matrix of a
    batch."""
    rank, lead = len(record.shape), len(own(record).shape) - len(record.shape)
    return lead + (rank - 1 - dim if is_turned(record) else dim)


def is_turned(record: TensorRecord) -> bool:
    """Tell whether a tensor is seen as its transpose."""
    return isinstance(record, Seen) and record.suffix == ".T"


def ghosts_of(record: TensorRecord) -> Array:
    """Tell for each element of a record, row-major, whether it is there only by a stride of 0."""
    origin = origin_of(record)
    ghosts = np.ones(len(origin), dtype=bool)
    ghosts[np.unique(origin, return_index=True)[1]] = False
    return ghosts


def index_of(record: TensorRecord, element: int) -> tuple[int, ...]:
    """Return the index in the tensor itself of an element given by its row-major place."""
    place = element if not isinstance(record, Seen) else int(record.origin.flat[element])
    return tuple(int(i) for i in np.unravel_index(place, own(record).shape))


def _seen(
    record: TensorRecord, shape: Shape, stride: Shape, places: Places, suffix: str = ""
) -> Seen:
    base = own(record)
    known = {each.name: getattr(base, each.name) for each in fields(TensorRecord)}
    origin = origin_of(record)[places.ravel()].reshape(shape)
    seen = Seen(**known, own=base, origin=origin, suffix=suffix)
    return replace(seen, shape=shape, stride=stride)
