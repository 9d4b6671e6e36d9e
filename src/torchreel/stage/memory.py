"""Where the elements of a tensor lie in its storage (pure NumPy)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Array, TensorRecord, Trace


def memory_positions(record: TensorRecord) -> NDArray[np.int64]:
    """Return an array of the tensor's shape that holds each element's place in the storage."""
    positions = np.full(record.shape, record.offset, dtype=np.int64)
    for dim, (size, stride) in enumerate(zip(record.shape, record.stride, strict=True)):
        along = np.arange(size) * stride
        positions += along.reshape([-1 if i == dim else 1 for i in range(len(record.shape))])
    return positions


def reading(record: TensorRecord) -> tuple[object, ...]:
    """Return how a tensor reads memory: what is written in place is a new record that reads it in
    the same way."""
    return record.storage, record.offset, record.shape, record.stride


def share_memory(one: TensorRecord, other: TensorRecord) -> bool:
    """Tell whether two tensors are of the same memory, read as the same type."""
    return (one.storage, one.dtype) == (other.storage, other.dtype)


def values_of(trace: Trace, record: TensorRecord) -> Array | None:
    """Return a tensor's values in its shape, None where they were not kept whole; a trace holds
    complex numbers as pairs."""
    values = trace.values.get(record.id)
    if values is None or not record.dtype.startswith("complex") or np.iscomplexobj(values):
        return values
    pairs = values.astype(float)
    return np.asarray(pairs[..., 0] + 1j * pairs[..., 1])


def whole_of_storage(trace: Trace, storage: int) -> TensorRecord | None:
    """Return a tensor of the trace that covers a storage in its own order, or None: so does no
    tensor where the storage grew."""
    own = [each for each in trace.tensors if each.storage == storage]
    if len({(each.dtype, each.storage_size) for each in own}) > len({each.dtype for each in own}):
        return None
    for record in own:
        if record.numel == record.storage_size:
            places = memory_positions(record).ravel()
            if np.array_equal(places, np.arange(record.storage_size)):
                return record
    return None
