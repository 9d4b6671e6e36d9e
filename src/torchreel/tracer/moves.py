"""Finds from where elements were only moved: the call is run on labels, and labels come out.

Labels are signed, random, not integers and of all magnitudes, so that relu, abs, floor or clamp do
not leave them as they are; further runs have NaN, infinities, zeros and equal values everywhere, so
that what seems constant is. An element of the result came from the one whose labels it has, bit for
bit, in every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchreel.tracer.replay import COPIES, REDUCING, Replay

Map = NDArray[np.int64]
"""(n, 2): for each element of a result the operand (of the tensors) and the place there, or -1."""

FAILS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What a call raises on operands that it was not made for."""

RUNS, RUNS_OF_TRUTHS = 22, 40
"""Runs on labels; of truths, which have one bit, more are needed to tell the elements apart."""

SIZES = (1e-3, 0.03, 0.3, 0.7, 3.0, 20.0, 300.0)
"""Magnitudes that each element has in some run."""

CONSTANT = re.compile(
    r"(zeros|ones|full)_like|new_(zeros|ones|full|tensor)|zero_|fill_|(zeros|ones)_"
)
"""Ops that may use their operands for nothing but shape, dtype and device."""


CHOOSING = frozenset(["where", "masked_fill", "masked_fill_", "index_put", "index_put_"])
"""Inner ops whose operand of truths is a mask: it chooses, and takes no part in a computation."""


def find_moves(
    call: Replay, op: str, operands: Sequence[torch.Tensor], shapes: Sequence[torch.Size]
) -> list[Map | None] | None:
    """Return a map for each result that was only moved; None where that is true of none.

    ``shapes`` are those of the results. Indices and masks are held at their actual values.
    """
    constant = CONSTANT.fullmatch(op.rpartition(".")[2]) is not None
    for labelled in _choices(call, operands, shapes):
        maps = _maps(call, operands, labelled, shapes)
        for i, found in enumerate(maps):
            if found is not None and found.size and (found == -1).all() and not constant:
                maps[i] = None  # what seems constant may be a comparison that was never true
        if _converts(call, operands, labelled, maps):
            return None
        if any(found is not None for found in maps):
            return None if _computes(call, operands) else maps
    return None


def _converts(
    call: Replay,
    operands: Sequence[torch.Tensor],
    labelled: frozenset[int],
    maps: Sequence[Map | None],
) -> bool:
    """Tell whether what seems constant are elements of an operand that was held, as another dtype:
    ``cat`` of integers and floats makes floats of all.

    Where an index or a mask is another, a constant stays or an element comes in its place.
    """
    constants = [np.zeros(0, bool) if found is None else found[:, 0] == -1 for found in maps]
    if not any(places.any() for places in constants):
        return False
    base = [_label(t, 0, i) if i in labelled else t for i, t in enumerate(operands)]
    usual = [_bytes(result) for result in call([t.clone() for t in base])]
    labels = {row.tobytes() for i in labelled for row in _bytes(base[i])}
    for i in frozenset(range(len(operands))) - labelled:
        for run in (5, 6) if operands[i].dtype == torch.bool else (0,):
            given = [_label(t, run, i) if i == j else t.clone() for j, t in enumerate(base)]
            try:
                came = [_bytes(result) for result in call(given)]
            except FAILS:
                continue
            if [len(rows) for rows in came] != [len(rows) for rows in usual]:
                continue
            for places, rows, before in zip(constants, came, usual, strict=True):
                for place in np.flatnonzero(places):
                    row = rows[place].tobytes()
                    if row != before[place].tobytes() and row not in labels:
                        return True
    return False


def _computes(call: Replay, operands: Sequence[torch.Tensor]) -> bool:
    """Tell whether a call does arithmetic, though it leaves every value as it is: ``x * 1``, or the
    mean of one."""
    inner = call.inner_ops(operands)
    plain = COPIES | CHOOSING
    return bool(inner.names & REDUCING) or (inner.pointwise and not inner.names <= plain)


def is_data(
    call: Replay, operands: Sequence[torch.Tensor], which: int, shapes: Sequence[torch.Size]
) -> bool:
    """Tell whether an operand may hold any values; false of indices and sizes."""
    try:
        results = call(
            [_label(t, 0, i) if i == which else t.clone() for i, t in enumerate(operands)]
        )
    except FAILS:
        return False
    return [result.shape for result in results] == list(shapes)


def _choices(
    call: Replay, operands: Sequence[torch.Tensor], shapes: Sequence[torch.Size]
) -> Iterator[frozenset[int]]:
    """Yield which operands to label: all, or all but indices and masks.

    An integer tensor is an index only if it may not hold just any value (else ``n * ones`` and a
    product with a permutation matrix would be moves), a tensor of truths a mask only if it chooses
    (else ``n * mask`` would).
    """
    every = frozenset(range(len(operands)))
    yield every
    truths = frozenset(i for i in every if operands[i].dtype == torch.bool)
    floats = frozenset(i for i in every if _is_floating(operands[i]))
    integers = every - floats - truths
    held = frozenset(i for i in truths | integers if not is_data(call, operands, i, shapes))
    inner = call.inner_ops(operands)
    if not inner.pointwise and floats:
        held |= integers  # take_along_dim takes any: it counts modulo
    if (not inner.pointwise or inner.names & CHOOSING) and every - held - truths:
        held |= truths
    if held and held != every:
        yield every - held


def _is_floating(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _maps(
    call: Replay,
    operands: Sequence[torch.Tensor],
    labelled: frozenset[int],
    shapes: Sequence[torch.Size],
) -> list[Map | None]:
    """Return a map for each result, None where its elements are not the labelled ones."""
    nothing: list[Map | None] = [None] * len(shapes)
    given: list[list[NDArray[np.uint8]]] = [[] for _ in operands]
    came: list[list[NDArray[np.uint8]]] = [[] for _ in shapes]
    truths = any(operands[i].dtype == torch.bool for i in labelled)
    for run in range(RUNS_OF_TRUTHS if truths else RUNS):
        inputs = [_label(t, run, i) if i in labelled else t.clone() for i, t in enumerate(operands)]
        for i in labelled:
            given[i].append(_bytes(inputs[i]))
        try:
            results = call(inputs)
        except FAILS:
            return nothing
        if [result.shape for result in results] != list(shapes):
            return nothing
        for result, kept in zip(results, came, strict=True):
            kept.append(_bytes(result))
        if run == 1 and not any(_possible(kept, given, labelled) for kept in came):
            return nothing
    kinds = [result.dtype for result in results]
    return [
        _decode(kept, {i: given[i] for i in labelled if operands[i].dtype == kind})
        for kept, kind in zip(came, kinds, strict=True)
    ]


def _possible(
    came: list[NDArray[np.uint8]], given: list[list[NDArray[np.uint8]]], labelled: frozenset[int]
) -> bool:
    """Tell after two runs whether each element is constant or a label."""
    labels = {row.tobytes() for i in labelled for row in given[i][0]}
    first, second = came
    moved = (first != second).any(axis=1)
    return all(row.tobytes() in labels for row in first[moved])


def _decode(came: list[NDArray[np.uint8]], given: dict[int, list[NDArray[np.uint8]]]) -> Map | None:
    """Look up each element's labels of all runs among the operands'."""
    if not given:
        return None
    known: dict[bytes, tuple[int, int]] = {}
    count = 0
    for operand, runs in given.items():
        for place, labels in enumerate(np.concatenate(runs, axis=1)):
            known[labels.tobytes()] = operand, place
            count += 1
    if len(known) != count:
        return None  # two elements have the same labels
    found = np.full((len(came[0]), 2), -1, dtype=np.int64)
    constant = np.all([run == came[0] for run in came], axis=(0, 2))
    for place, labels in enumerate(np.concatenate(came, axis=1)):
        source = known.get(labels.tobytes())
        if source is not None:
            found[place] = source
        elif not constant[place]:
            return None
    return found


def _bytes(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Return the elements' bytes, one row an element."""
    flat = tensor.detach().resolve_conj().resolve_neg().reshape(-1)
    flat = flat.clone(memory_format=torch.contiguous_format)
    rows: NDArray[np.uint8] = flat.view(torch.uint8).numpy().reshape(-1, tensor.element_size())
    return rows


def _label(operand: torch.Tensor, run: int, number: int) -> torch.Tensor:
    """Return a tensor like the operand that holds the labels of a run."""
    dtype, count = operand.dtype, operand.numel()
    if dtype.is_complex:
        part = torch.float32 if dtype == torch.complex64 else torch.float64
        pairs = torch.from_numpy(_labels(part, 2 * count, run, number).copy()).to(part)
        labels = torch.view_as_complex(pairs.reshape(count, 2))
    else:
        labels = torch.from_numpy(_labels(dtype, count, run, number).copy()).to(dtype)
    labels = labels.reshape(operand.shape)
    return labels if operand.is_contiguous() else torch.empty_like(operand).copy_(labels)


@lru_cache(maxsize=1024)  # of arrays: the script may count the tensors that are alive
def _labels(dtype: torch.dtype, count: int, run: int, number: int) -> NDArray[Any]:
    random = np.random.default_rng([run, number, count])
    if dtype == torch.bool:
        if run in (5, 6):
            return np.full(count, run == 5)
        return np.asarray(random.random(count) < 0.5)
    if dtype.is_floating_point:
        return _floats(dtype, count, run, random)
    return _integers(dtype, count, run, random)


def _floats(
    dtype: torch.dtype, count: int, run: int, random: np.random.Generator
) -> NDArray[np.float64]:
    limits = torch.finfo(dtype)
    signs = random.choice([-1.0, 1.0], count)
    if run >= 8:  # both signs of every magnitude, however few the elements are
        size = SIZES[(run // 2) % len(SIZES)] * (-1.0) ** run
        return np.asarray(size * random.uniform(0.5, 1, count))
    if run in (4, 5, 6, 7):
        return np.full(count, [0.0, np.inf, -np.inf, np.nan][run - 4])
    near = signs * random.uniform(0.1, 9.0, count)
    if run in (0, 2):
        return near
    low, high = np.log(limits.tiny) / 2, np.log(limits.max) / 2
    wide: NDArray[np.float64] = signs * np.exp(random.uniform(low, high, count))
    if run == 3:
        special = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, limits.max, limits.min])
        return np.where(random.random(count) < 0.5, random.choice(special, count), wide)
    return wide


def _integers(
    dtype: torch.dtype, count: int, run: int, random: np.random.Generator
) -> NDArray[np.int64]:
    limits = torch.iinfo(dtype)
    most = limits.max if limits.min == 0 else limits.max // 2  # the least by -1 ends the process
    least = -most if limits.min else 0
    if run in (4, 5, 6):
        return np.full(count, [0, most, least][run - 4])
    if run == 0:  # beyond any index of a small tensor, and harmless as sizes
        values = random.integers(min(260, most // 2), min(400, most), count, endpoint=True)
        return values * random.choice([-1, 1], count) if least < 0 else values
    bound = {1: 10**6, 2: 10**6}.get(run, most if run < 8 else 10 ** (run % 6))
    return random.integers(max(least, -bound), min(most, bound), count, endpoint=True)
