"""Records of tensors: one for each version of each tensor object, holding none of them alive."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from torchreel.records import Array, TensorRecord

KEPT_ELEMENTS = 4096
"""Values are kept whole up to this many elements."""

UNREADABLE = (RuntimeError, NotImplementedError, TypeError, ValueError)
"""What torch raises where a tensor has no storage, strides, version or values to read (meta,
sparse, nested, inside vmap)."""


@dataclass(frozen=True)
class _Known:
    """What the last look at a tensor object found."""

    tensor: weakref.ref[torch.Tensor]
    version: int
    record: TensorRecord


class Tensors:
    """Turns tensors into records and keeps the values of the small ones."""

    def __init__(self) -> None:
        self.records: list[TensorRecord] = []
        self._arrays: dict[int, Array] = {}
        self._unwritten: set[int] = set()
        self._without_values: set[int] = set()
        self._known: dict[int, _Known] = {}
        self._names: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self._serial = 0
        self._purge_at = 1024

    @property
    def values(self) -> dict[int, Array]:
        """The values that are kept, by record."""
        return {id: array for id, array in self._arrays.items() if id not in self._without_values}

    def mark_unwritten(self, record: int) -> None:
        """Keep no values of this record, nor of later ones of its storage until one is written.

        They are what the memory happened to hold: another run would have others.
        """
        self._unwritten.add(self.records[record].storage)
        self._without_values.add(record)

    def name(self, tensor: torch.Tensor, name: str) -> None:
        """Call a parameter or buffer by its name in its module's tree from now on."""
        self._names[id(tensor)] = weakref.ref(tensor), name

    def name_of(self, tensor: torch.Tensor) -> str:
        """Return the name it was given, else nothing."""
        known = self._names.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else ""

    def record(self, tensor: torch.Tensor) -> int:
        """Return the id of the record of this tensor as it is now.

        It is the record of the last look while nothing of it changed: its shape, strides, storage
        and so on are the same, and so are its values, even those written past torch's version
        counter (``w.data -= g``, NumPy); of a tensor too large to be kept, its version.
        """
        with torch._C.DisableTorchFunction():
            return self._record(tensor, written=False)

    def record_written(self, tensor: torch.Tensor, version: int) -> int:
        """Return the record's id after an op, a new one where the op moved on from ``version``."""
        with torch._C.DisableTorchFunction():
            return self._record(tensor, written=_version(tensor) != version)

    def _record(self, tensor: torch.Tensor, written: bool) -> int:
        key = id(tensor)
        known = self._known.get(key)
        if known is not None and known.tensor() is not tensor:
            known = None
        record = self._look(tensor, known.record if known else None)
        array = _array(tensor) if record.numel <= KEPT_ELEMENTS else None
        version = _version(tensor)
        moved = written or (known is not None and version != known.version)
        if moved:
            self._unwritten.discard(record.storage)
        if known is not None and not written and _alike(known.record, record):
            kept = self._arrays.get(known.record.id)
            if _equal(kept, array) if array is not None else not moved:
                return known.record.id
        self.records.append(record)
        if array is not None:
            self._arrays[record.id] = array
        if record.storage in self._unwritten:
            self._without_values.add(record.id)
        gone = self._known
        self._known[key] = _Known(
            weakref.ref(tensor, lambda ref: _forget(gone, key, ref)), version, record
        )
        return record.id

    def _look(self, tensor: torch.Tensor, before: TensorRecord | None) -> TensorRecord:
        strided = tensor.layout == torch.strided and not tensor.is_nested
        storage, size = self._storage(tensor, before)
        return TensorRecord(
            id=len(self.records),
            shape=_shape(tensor),
            stride=tuple(tensor.stride()) if strided else (),
            dtype=str(tensor.dtype).removeprefix("torch."),
            device=str(tensor.device),
            storage=storage,
            offset=int(tensor.storage_offset()) if strided else 0,
            storage_size=size,
            requires_grad=tensor.requires_grad,
            leaf=tensor.is_leaf,
            name=self.name_of(tensor),
        )

    def _storage(self, tensor: torch.Tensor, before: TensorRecord | None) -> tuple[int, int]:
        """Return the storage's serial number and its size in elements.

        A tensor without a storage that can be read gets a serial of its own, and size 0.
        """
        try:
            storage = tensor.untyped_storage()
            size = storage.nbytes() // tensor.element_size()
        except UNREADABLE:
            return (before.storage if before and not before.storage_size else self._next()), 0
        # The weak reference keeps the address from being used again, so the key is unambiguous.
        known = self._storages.get(storage._cdata)
        if known is None:
            self._purge()
            weak = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            known = self._storages[storage._cdata] = (weak, self._next())
        return known[1], size

    def _next(self) -> int:
        self._serial += 1
        return self._serial - 1

    def _purge(self) -> None:
        if len(self._storages) < self._purge_at:
            return
        self._storages = {
            key: (weak, serial)
            for key, (weak, serial) in self._storages.items()
            if not weak.expired()  # type: ignore[no-untyped-call]
        }
        self._purge_at = 2 * len(self._storages) + 1024


def _forget(known: dict[int, _Known], key: int, ref: weakref.ref[torch.Tensor]) -> None:
    if key in known and known[key].tensor is ref:
        del known[key]


def version_of(tensor: torch.Tensor) -> int:
    """Return how often the tensor was written in place; -1 where torch does not count it."""
    with torch._C.DisableTorchFunction():
        return _version(tensor)


def _version(tensor: torch.Tensor) -> int:
    try:
        return tensor._version
    except UNREADABLE:  # inference tensors
        return -1


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.shape)
    except UNREADABLE:  # a nested tensor has no one shape: how many it holds
        return (tensor.size(0),)


def _array(tensor: torch.Tensor) -> Array | None:
    """Return the values as NumPy holds them, or None where they cannot be read."""
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return None
    try:
        read = tensor.detach().to("cpu").resolve_conj().resolve_neg()
        if read.is_complex():
            read = torch.view_as_real(read)
        if read.is_floating_point() and read.dtype not in (
            torch.float16,
            torch.float32,
            torch.float64,
        ):
            read = read.to(torch.float32)
        array: Any = np.array(read.numpy(), order="C", copy=True)
    except UNREADABLE:
        return None
    kept: Array = array
    return kept


def _alike(one: TensorRecord, other: TensorRecord) -> bool:
    return replace(one, id=other.id) == other


def _equal(one: Array | None, other: Array) -> bool:
    """Tell whether the bytes are equal: NaN equals itself, 0.0 is not -0.0."""
    return one is not None and one.dtype == other.dtype and one.tobytes() == other.tobytes()
