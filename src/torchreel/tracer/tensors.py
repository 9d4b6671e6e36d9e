"""Records of tensors: one for each version of each tensor object, holding none of them alive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy

from torchreel.records import Array, Shape, TensorRecord
from torchreel.tracer.hold import Hold
from torchreel.tracer.textures import texture_of
from torchreel.tracer.values import SMALL, UNREADABLE, Room, array_of, unseen

UNCOUNTED = -1

LONG = 1 << 16
"""Arrays of so many bytes are compared without copies."""


class _Facts(NamedTuple):
    """The fields of a record that can be read from the tensor at once, in the record's order."""

    shape: Shape
    stride: Shape
    dtype: str
    device: str
    storage: int
    offset: int
    storage_size: int
    requires_grad: bool
    leaf: bool
    name: str


@dataclass(slots=True)
class _Known:
    """What the last look at a tensor object found; ``moment`` is when its values were read, and
    ``glance`` is by what the next look sees at once that no fact has changed."""

    tensor: Hold[torch.Tensor]
    record: int
    facts: _Facts
    version: int
    moment: tuple[int, int]
    glance: tuple[Any, ...] | None


class Tensors:
    """Turns tensors into records and keeps their values, as far as there is room for them.

    ``values`` are the arrays that are kept whole, by record; ``arrays`` are the textures, by the
    names that the records have for them; ``unwritten`` are the records of memory that nothing had
    written.
    """

    def __init__(self) -> None:
        self.records: list[TensorRecord] = []
        self.values: dict[int, Array] = {}
        self.arrays: dict[str, Array] = {}
        self._room = Room()
        self.unwritten: set[int] = set()
        self._unwritten: set[int] = set()
        self._shared: set[int] = set()
        self._known: dict[int, _Known] = {}
        self._names: dict[int, tuple[Hold[torch.Tensor], str]] = {}
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self._writes: dict[int, int] = {}
        self._slept = 0
        self._serial = 0
        self._purge_at = 1024

    @property
    def memories(self) -> int:
        """How many storages are known: the number that the next one gets."""
        return self._serial

    def slept(self) -> None:
        """Say that ops ran which nobody saw: what they wrote past the counters is not known."""
        self._slept += 1

    def leave_unwritten(self, tensors: Iterable[torch.Tensor]) -> None:
        """Say that the memory of these, or a part of it, was never written: the records have no
        values until one of its storage is written, for they are what the memory happened to hold,
        and another run would have others.
        """
        with unseen():
            for tensor in tensors:
                self._unwritten.add(self._storage(tensor, None)[0])
                known = self._known.get(id(tensor))
                if known is not None and known.tensor() is tensor:  # to resize counts as a write
                    known.version, known.glance = _version(tensor), None

    def has_grown(self, tensor: torch.Tensor, record: int) -> bool:
        """Tell whether a tensor has more memory than it had when the record was made."""
        with unseen():
            return self._storage(tensor, None)[1] > self.records[record].storage_size

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Say that others hold the memory of these, and may write it past every counter: values
        that are kept whole are compared at each look, however large they are."""
        with unseen():
            self._shared |= {self._storage(tensor, None)[0] for tensor in tensors}

    def name(self, tensor: torch.Tensor, name: str) -> None:
        """Call a parameter or buffer by its name in its module's tree from now on."""
        self._names[id(tensor)] = Hold(tensor), name
        if id(tensor) in self._known:
            self._known[id(tensor)].glance = None

    def name_of(self, tensor: torch.Tensor) -> str:
        """Return the name it was given, else nothing."""
        known = self._names.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else ""

    def record(self, tensor: torch.Tensor, *, written: bool = False) -> int:
        """Return the id of the record of this tensor as it is now; it was ``written`` just now.

        It is the record of the last look while nothing of it changed: its shape, strides, storage
        and so on are the same, and so are its values. Those of a small tensor are compared, so that
        even what is written past torch's version counter (``w.data -= g``, NumPy) is seen; those of
        a larger one, or on an accelerator, only after a write that was counted or seen, or after
        laps that nobody saw. One too large to be kept whole is then another version in any case.
        """
        with unseen():
            return self._record(tensor, written=written)

    def record_before(self, held: torch.Tensor, now: int) -> int:
        """Return the id of a record of an earlier version of the tensor whose record is ``now``:
        of what it held then."""
        made = self.record(held.clone())
        self.records[made] = replace(
            self.records[now],
            id=made,
            texture=self.records[made].texture,
            statistics=self.records[made].statistics,
        )
        return made

    def differ_in_values(self, one: int, other: int) -> bool:
        """Tell of two records whether nothing but the values is another."""
        shown = (
            replace(self.records[each], id=0, texture=None, statistics=None)
            for each in (one, other)
        )
        return next(shown) == next(shown)

    def _record(self, tensor: torch.Tensor, written: bool) -> int:
        key = id(tensor)
        known = self._known.get(key)
        if known is not None and known.tensor() is not tensor:
            known = None
        glance = _glance(tensor)
        same = known is not None and glance is not None and glance == known.glance
        if known is not None and same and not written and self._is_as_it_was(tensor, known):
            return known.record
        facts = self._look(tensor, known.facts if known else None)
        if written:
            self._writes[facts.storage] = self._writes.get(facts.storage, 0) + 1
        version = _version(tensor)
        moment = self._writes.get(facts.storage, 0), self._slept
        moved = written or (
            known is not None and (version != known.version or moment[0] != known.moment[0])
        )
        if moved:
            self._unwritten.discard(facts.storage)
        array = None
        if known is not None and not written and facts == known.facts:
            kept = self.values.get(known.record)
            small = kept is not None and kept.size <= 2 * SMALL
            looks = facts.device == "cpu" and (small or facts.storage in self._shared)
            if not (moved or looks or (kept is not None and moment != known.moment)):
                return known.record
            array = array_of(tensor) if kept is not None else None
            same = not moved
            if kept is not None and array is not None:  # inside vmap it may not be readable now
                same = _equal(kept, array)
            if same:
                known.version, known.moment, known.glance = version, moment, glance
                return known.record
        record = TensorRecord(len(self.records), *facts)
        self.records.append(record)
        if facts.storage in self._unwritten:
            self.unwritten.add(record.id)
        else:
            self._keep(tensor, array)
        gone, forget = self._known, _forget  # globals are cleared when Python ends
        ref = Hold(tensor, lambda ref: forget(gone, key, ref))
        self._known[key] = _Known(ref, record.id, facts, version, moment, glance)
        return record.id

    def _is_as_it_was(self, tensor: torch.Tensor, known: _Known) -> bool:
        """Tell of a tensor whose facts are the same whether its values are, too: sure if true."""
        storage = self._storages.get(known.glance[0]) if known.glance else None
        moment = self._writes.get(known.facts.storage, 0), self._slept
        if storage is None or storage[1] != known.facts.storage or moment[0] != known.moment[0]:
            return False
        kept = self.values.get(known.record)
        if kept is None:
            return True
        if kept.size > 2 * SMALL and known.facts.storage not in self._shared:
            return moment == known.moment
        array = array_of(tensor)
        same = array is not None and _equal(kept, array)
        if same:
            known.moment = moment
        return same

    def _keep(self, tensor: torch.Tensor, array: Array | None) -> None:
        """Keep the values of the newest record; ``array`` holds them if they are read already."""
        record = self.records[-1]
        if self._room.has(record.numel):
            array = array_of(tensor) if array is None else array
            if array is not None:
                self.values[record.id] = array
                self._room.take(record.numel, array)
            return
        told = texture_of(tensor)
        if told is not None:
            texture, statistics = told
            name = f"texture{record.id}" if self._room.take_texture(texture) else None
            if name is not None:
                self.arrays[name] = texture
            self.records[-1] = replace(record, texture=name, statistics=statistics)

    def _look(self, tensor: torch.Tensor, before: _Facts | None) -> _Facts:
        strided = tensor.layout == torch.strided and not tensor.is_nested
        storage, size = self._storage(tensor, before)
        return _Facts(
            shape=_shape(tensor),
            stride=tensor.stride() if strided else (),
            dtype=_dtype(tensor.dtype),
            device=_device(tensor.device),
            storage=storage,
            offset=int(tensor.storage_offset()) if strided else 0,
            storage_size=size,
            requires_grad=tensor.requires_grad,
            leaf=tensor.is_leaf,
            name=self.name_of(tensor),
        )

    def _storage(self, tensor: torch.Tensor, before: _Facts | None) -> tuple[int, int]:
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


def _forget(known: dict[int, _Known], key: int, ref: Hold[torch.Tensor]) -> None:
    if key in known and known[key].tensor is ref:
        del known[key]


def _glance(tensor: torch.Tensor) -> tuple[Any, ...] | None:
    """Return what is another as soon as any fact of a plain tensor on the CPU is, and its version;
    None of other tensors. The storage's address comes first."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return None
    try:
        storage = tensor.untyped_storage()
        return (
            storage._cdata,
            storage.nbytes(),
            tensor._version,
            tensor.shape,
            tensor.stride(),
            tensor.storage_offset(),
            tensor.dtype,
            tensor.requires_grad,
            tensor.is_leaf,
        )
    except UNREADABLE:
        return None


def version_of(tensor: torch.Tensor) -> int:
    """Return how often the tensor was written in place; UNCOUNTED where torch does not count it."""
    with unseen():
        return _version(tensor)


def _version(tensor: torch.Tensor) -> int:
    try:
        return tensor._version
    except UNREADABLE:  # inference tensors
        return UNCOUNTED


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    if tensor.is_nested:  # it has no one shape: how many it holds
        return (tensor.size(0),)
    if is_lazy(tensor):  # a lazy module's parameter before the first call: it has no shape yet
        return (0,)
    return tuple(map(int, tensor.shape))


@cache
def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@cache
def _device(device: torch.device) -> str:
    return str(device)


def _equal(one: Array, other: Array) -> bool:
    """Tell whether the bytes are equal: NaN equals itself, 0.0 is not -0.0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.nbytes >= LONG and one.flags.c_contiguous and other.flags.c_contiguous:
        return np.array_equal(one.reshape(-1).view(np.uint8), other.reshape(-1).view(np.uint8))
    return one.tobytes() == other.tobytes()
