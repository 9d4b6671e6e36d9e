"""Measures which elements of a step's operands went into which of its results.

Measuring is for the end, when the script has ended: of a step that runs only the call is noted. Its
operands' values are kept by ``Tensors`` anyway, so nothing of the script is held alive for it.

:class:`torchreel.records.Provenance` says what "moves", "feeds" and "opaque" promise. A map of
moves is kept only if the real result, gathered by it from the real operands, has the same bits;
feeds only if the call, run again, makes the real result but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchreel.records import FOLLOWED, Array, Provenance, Step, TensorRecord
from torchreel.tracer.feeds import derivatives, find_feeds
from torchreel.tracer.literals import LITERAL_LENGTH
from torchreel.tracer.moves import FAILS, Map, find_moves
from torchreel.tracer.replay import (
    Replay,
    Unmeasured,
    check_context,
    clone_of,
    random_state,
    unnoticed,
)
from torchreel.tracer.tensors import Tensors

MOST_ENTRIES = 16_384
"""At most so many entries are kept of what feeds one result."""

MOST_KEPT = 500_000
"""At most so many entries of all maps are kept of a script (12 to 16 MB)."""

MOST_STEPS, MOST_CALLS = 2_000, 1_000_000
"""At most so many steps of a script are measured, and by so many calls (half a minute or so)."""

READS = frozenset(f"torch.Tensor.{name}.__get__" for name in ("grad", "_grad", "_base"))
"""Attributes that give a tensor which was there already: nothing is computed, and none moves."""

UNWRITTEN = "values cannot be read, or were never written"
OTHERWISE = "run again, it came out otherwise"
TOO_MUCH = "too much was measured before it"

Structure = tuple[str, list[Any]]
"""Maps of moves, or patterns of feeds, one a result."""


@dataclass(frozen=True)
class _Waiting:
    """A step to be measured: its number, which operands are tensors, the call."""

    step: int
    positions: list[int]
    call: Replay


class Provenances:
    """Measures steps; ``arrays`` are the maps, by the names that the records have for them."""

    def __init__(self, tensors: Tensors) -> None:
        self.arrays: dict[str, Array] = {}
        self._tensors = tensors
        self._waiting: list[_Waiting] = []
        self._names: dict[bytes, str] = {}
        self._structures: dict[Any, Structure] = {}
        self._calls = 0
        self._kept = 0

    def note(
        self, step: Step, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Provenance, ...]:
        """Return what is known at once of a step that has just run by calling ``func``: that it is
        opaque, and why; () where it is to be measured at the end, or where no tensor went in or
        none came out."""
        given = [i for i, operand in enumerate(step.operands) if operand.tensor is not None]
        positions = [i for i in given if step.operands[i].name != "out"]
        if not positions or not step.results or step.op in READS:
            return ()
        try:
            check_context()
            for i in positions:
                self._given(step.operands[i].tensor)
            for record in step.results:
                self._value(record)
            if len(self._waiting) >= MOST_STEPS:
                raise Unmeasured(TOO_MUCH)
            self._waiting.append(
                _Waiting(step.number, positions, Replay(step.op, func, args, kwargs))
            )
        except Unmeasured as why:
            return _opaque(step, str(why))
        return ()

    def measure(self, steps: list[Step]) -> None:
        """Give the steps that were noted the provenance of each of their results."""
        with unnoticed():
            for each in self._waiting:
                step = steps[each.step]
                steps[each.step] = replace(step, provenance=self._provenance(step, each))
        self._waiting = []

    def _provenance(self, step: Step, noted: _Waiting) -> tuple[Provenance, ...]:
        call = noted.call
        try:
            if self._calls >= MOST_CALLS or self._kept >= MOST_KEPT:
                raise Unmeasured(TOO_MUCH)
            values = [self._given(step.operands[i].tensor) for i in noted.positions]
            made = [self._value(id) for id in step.results]
            found = self._measure(step, call, noted.positions, values, made)
            if any(self._uses_unwritten(step, each) for each in found):
                raise Unmeasured(UNWRITTEN)
            return found
        except Unmeasured as why:
            raw = str(why) == OTHERWISE and self._unwritten(step)
            return _opaque(step, UNWRITTEN if raw else str(why))
        except Exception as error:  # what is not foreseen here must not cost the whole trace
            return _opaque(step, f"measuring it failed: {type(error).__name__}")
        finally:
            self._calls += call.count

    def _measure(
        self,
        step: Step,
        call: Replay,
        positions: list[int],
        values: list[Array],
        made: list[Array],
    ) -> tuple[Provenance, ...]:
        ids = (step.operands[i].tensor for i in positions)
        records = [self._tensors.records[id] for id in ids if id is not None]
        actual = [clone_of(*each) for each in zip(records, values, strict=True)]
        results = [self._tensors.records[id] for id in step.results]
        state = random_state()
        again = _run(call, actual)
        if state != random_state():
            raise Unmeasured("it draws random numbers")
        if not _same(again, results, made):
            raise Unmeasured(OTHERWISE)
        shapes = [torch.Size(record.shape) for record in results]
        key = _key(step, records, values, shapes)
        kind, maps = self._structures.get(key) or self._structure(call, step.op, actual, shapes)
        self._structures[key] = kind, maps
        if kind == "moves":
            return tuple(
                self._moved(i, found, positions, values, made[i]) for i, found in enumerate(maps)
            )
        return self._fed(call, actual, maps, positions, results, made)

    def _value(self, record: int | None) -> Array:
        assert record is not None
        known = self._tensors.records[record]
        if known.numel > FOLLOWED:
            raise Unmeasured("it is too large")
        values = self._tensors.values.get(record)
        if values is None:
            raise Unmeasured(UNWRITTEN)
        return values

    def _given(self, record: int | None) -> Array:
        """Return an operand's values: zeros for memory that was never written, as if what was in
        it made no difference (:meth:`_uses_unwritten` looks whether it did)."""
        if record is None or record not in self._tensors.unwritten:
            return self._value(record)
        known = self._tensors.records[record]
        if known.numel > FOLLOWED:
            raise Unmeasured("it is too large")
        pairs = (2,) if "complex" in known.dtype else ()
        return np.zeros((*known.shape, *pairs), np.float32)

    def _uses_unwritten(self, step: Step, found: Provenance) -> bool:
        """Tell whether anything came from an operand's memory that was never written."""
        if found.array is None:
            return False
        column = 0 if found.kind == "moves" else 1
        return bool(np.isin(self.arrays[found.array][:, column], self._unwritten(step)).any())

    def _unwritten(self, step: Step) -> list[int]:
        """Return the positions of the operands whose memory was never written."""
        known = self._tensors.unwritten
        return [i for i, each in enumerate(step.operands) if each.tensor in known]

    def _structure(
        self, call: Replay, op: str, actual: list[torch.Tensor], shapes: list[torch.Size]
    ) -> Structure:
        moves = find_moves(call, op, actual, shapes)
        if moves is not None:
            return "moves", moves
        for precise in (_double, torch.Tensor.clone):
            operands = [precise(each) for each in actual]
            try:
                return "feeds", find_feeds(call, operands, shapes)
            except FAILS:
                continue
        raise Unmeasured("it cannot be run on other values")

    def _moved(
        self,
        result: int,
        found: Map | None,
        positions: list[int],
        values: list[Array],
        made: Array,
    ) -> Provenance:
        if found is None or not _gathers(found, values, made):
            return Provenance("opaque", result, reason="which elements moved could not be told")
        where = np.array([*positions, -1])
        kept = np.stack([where[found[:, 0]], found[:, 1]], axis=1)
        return Provenance("moves", result, array=self._keep(kept))

    def _fed(
        self,
        call: Replay,
        actual: list[torch.Tensor],
        patterns: list[NDArray[np.int64]],
        positions: list[int],
        results: list[TensorRecord],
        made: list[Array],
    ) -> tuple[Provenance, ...]:
        if any(len(pattern) > MOST_ENTRIES for pattern in patterns):
            raise Unmeasured("it is too large")
        operands = [_double(each) for each in actual]
        try:
            if not _same(call([each.clone() for each in operands]), results, made):
                operands = actual  # a comparison that float64 decides otherwise
        except FAILS:
            operands = actual
        slopes = derivatives(call, operands, patterns)
        found = []
        for i, (pattern, slope) in enumerate(zip(patterns, slopes, strict=True)):
            entries = pattern.copy()
            entries[:, 1] = np.array(positions)[pattern[:, 1]]
            found.append(
                Provenance(
                    "feeds",
                    i,
                    array=self._keep(entries),
                    derivatives=None if slope is None else self._keep(slope),
                )
            )
        return tuple(found)

    def _keep(self, array: Array) -> str:
        """Return the array's name; equal arrays are kept once."""
        key = str((array.dtype, array.shape)).encode() + array.tobytes()
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"provenance{len(self._names)}"
            self.arrays[name] = array
            self._kept += len(array)
        return name


def _opaque(step: Step, reason: str) -> tuple[Provenance, ...]:
    return tuple(Provenance("opaque", i, reason=reason) for i in range(len(step.results)))


def _run(call: Replay, operands: list[torch.Tensor]) -> list[torch.Tensor]:
    try:
        return call([operand.clone() for operand in operands])
    except FAILS:
        raise Unmeasured(OTHERWISE) from None


def _key(
    step: Step,
    records: Sequence[TensorRecord],
    values: Sequence[Array],
    shapes: Sequence[torch.Size],
) -> Any:
    """Return what a structure depends on: all but the values of floating operands."""
    literals = tuple((each.name, each.literal) for each in step.operands)
    if any(text and ("<" in text or len(text) >= LITERAL_LENGTH) for _, text in literals):
        return object()  # an array, or a text that was cut, does not say all
    tensors = tuple(
        (
            record.dtype,
            record.shape,
            record.stride,
            None if "float" in record.dtype or "complex" in record.dtype else array.tobytes(),
        )
        for record, array in zip(records, values, strict=True)
    )
    return step.op, literals, tensors, tuple(shapes)


def _double(operand: torch.Tensor) -> torch.Tensor:
    if operand.is_complex():
        return operand.to(torch.complex128)
    return operand.to(torch.float64) if operand.is_floating_point() else operand.clone()


def _same(again: list[torch.Tensor], records: Sequence[TensorRecord], made: list[Array]) -> bool:
    """Tell whether these results are the real ones, but for rounding in the real ones' dtype."""
    if [tuple(each.shape) for each in again] != [record.shape for record in records]:
        return False
    return all(
        _close(each, clone_of(record, array))
        for each, record, array in zip(again, records, made, strict=True)
    )


def _close(again: torch.Tensor, real: torch.Tensor) -> bool:
    if not (real.is_floating_point() or real.is_complex()):
        return bool(torch.equal(again.to(real.dtype), real))
    precision = torch.finfo(real.dtype).eps ** 0.75
    wide = torch.complex128 if real.is_complex() else torch.float64
    one, other = again.to(wide), real.to(wide)
    finite = other[other.isfinite()].abs()
    largest = float(finite.max()) if finite.numel() else 0.0
    return bool(
        torch.allclose(one, other, rtol=precision, atol=precision * largest, equal_nan=True)
    )


def _gathers(found: Map, values: Sequence[Array], made: Array) -> bool:
    """Tell whether the result, gathered from the operands by the map, has the real one's bits."""
    rows = made.reshape(len(found), -1) if len(found) else made.reshape(0, 1)
    for operand, array in enumerate(values):
        mine = found[:, 0] == operand
        if mine.any():
            count = array.reshape(-1).size if array.ndim == 0 else None
            source = array.reshape(count or -1, rows.shape[1])
            gathered = source[found[mine, 1]]
            if gathered.dtype != rows.dtype or gathered.tobytes() != rows[mine].tobytes():
                return False
    return True
