"""Finds which elements feed which, by changing them one by one, and the derivatives by autograd.

Of an op that torch itself declares to work element by element the pattern is known; of any other
each element is changed, a little and by far, at several points: near the actual operands, somewhere
else, and where all are equal (so that each may be the largest). Either way the pattern is put to
the test: elements outside of it are changed all at once, and the result has to stay as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch._vmap_internals import _vmap
from torch.autograd.graph import _engine_run_backward

from torchreel.tracer.moves import FAILS, is_data
from torchreel.tracer.replay import Replay, Unmeasured

Pattern = NDArray[np.int64]
"""(m, 3): place in the result, operand (of the tensors), place there; sorted."""

Matrices = dict[int, NDArray[np.float64]]
"""The Jacobian of one result, by operand: (elements of the result, elements of the operand)."""

MOST_RUNS = 3072
"""An op that would have to be run more often than this is not measured."""

MOST_CANDIDATES = 32
"""An index that has more values to try than this is not measured."""

AGREE = 1e-6
"""Results that differ by less (of the largest of them) are the same but for rounding."""


@dataclass(frozen=True)
class _Point:
    """Values for every operand at which the call works, and its results there."""

    operands: list[torch.Tensor]
    results: list[torch.Tensor]


def find_feeds(
    call: Replay, operands: Sequence[torch.Tensor], shapes: Sequence[torch.Size]
) -> list[Pattern]:
    """Return the pattern of each result; raises Unmeasured."""
    free = [i for i, t in enumerate(operands) if _is_free(call, operands, i, shapes, t)]
    points = _points(call, operands, free, shapes)
    patterns = _pointwise(call, operands, shapes)
    if patterns is None:
        changes = _Changes(call, operands, free, shapes, points)
        patterns = _steady(call, changes, points) or changes.patterns()
    for result, pattern in enumerate(patterns):
        if not len(pattern) and shapes[result].numel():
            raise Unmeasured("no operand was seen to matter")
    _test(call, free, points, patterns)
    return patterns


def _is_free(
    call: Replay,
    operands: Sequence[torch.Tensor],
    which: int,
    shapes: Sequence[torch.Size],
    operand: torch.Tensor,
) -> bool:
    """Tell whether an operand may take values of its kind; indices may not."""
    if operand.is_floating_point() or operand.is_complex():
        return True
    return is_data(call, operands, which, shapes)


# -- points ----------------------------------------------------------------------------------------


def _points(
    call: Replay, operands: Sequence[torch.Tensor], free: list[int], shapes: Sequence[torch.Size]
) -> list[_Point]:
    """Return points near the operands, somewhere else, and of equal values; the first is needed."""
    points = []
    for kind in ("near", "far", "equal", "zero"):
        truths = any(operands[i].dtype == torch.bool for i in free)
        if kind == "zero" and not truths:
            continue
        values = [_value(t, kind, i) if i in free else t.clone() for i, t in enumerate(operands)]
        try:
            results = call([value.clone() for value in values])
        except FAILS:
            if kind == "near":
                raise Unmeasured("it cannot be run on other values") from None
            continue
        if [result.shape for result in results] != list(shapes):
            raise Unmeasured("the size of its result depends on the values")
        points.append(_Point(values, [result.clone() for result in results]))
    return points


def _value(operand: torch.Tensor, kind: str, number: int) -> torch.Tensor:
    """Return values for a free operand, of its shape and strides."""
    random = np.random.default_rng([len(kind), number, operand.numel()])
    count = operand.numel()
    dtype = operand.dtype
    if kind in ("equal", "zero"):
        return torch.full_like(operand, kind == "equal")
    if dtype == torch.bool:
        values: NDArray[Any] = random.random(count) < 0.5
        return operand.clone() if kind == "near" else _like(operand, values)
    if not (dtype.is_floating_point or dtype.is_complex):
        least = max(-9, torch.iinfo(dtype).min)
        return (
            operand.clone()
            if kind == "near"
            else _like(operand, random.integers(least, 9, count, endpoint=True))
        )
    if kind == "far":
        values = random.normal(size=count) * _scale(operand)
        return _like(
            operand, values + 1j * random.normal(size=count) if dtype.is_complex else values
        )
    # Towards zero, so that probabilities, angles and positive numbers stay what they are.
    actual = (
        operand.detach().reshape(-1).numpy().astype(np.complex128 if dtype.is_complex else float)
    )
    actual = np.where(np.isfinite(actual), actual, random.normal(size=count))
    small = 0.01 * _scale(operand) * random.random(count)
    values = np.where(actual == 0, small, actual * (1 - 0.05 * random.random(count)))
    return _like(operand, values)


def _like(operand: torch.Tensor, values: NDArray[Any]) -> torch.Tensor:
    made = torch.empty_like(operand)
    return made.copy_(torch.from_numpy(np.asarray(values)).reshape(operand.shape))


def _scale(operand: torch.Tensor) -> float:
    """Return how large the values are on average; 1 where all are zero."""
    sizes = operand.detach().abs().double()
    sizes = sizes[sizes.isfinite() & (sizes > 0)]
    return float(sizes.mean()) if sizes.numel() else 1.0


# -- element by element ----------------------------------------------------------------------------


def _pointwise(
    call: Replay, operands: Sequence[torch.Tensor], shapes: Sequence[torch.Size]
) -> list[Pattern] | None:
    """Return the patterns of an op that works element by element (broadcast), else None."""
    if not call.inner_ops(operands).pointwise:
        return None
    patterns = []
    for shape in shapes:
        entries = []
        for i, operand in enumerate(operands):
            numbers = torch.arange(operand.numel()).reshape(operand.shape)
            try:
                source = numbers.broadcast_to(shape).reshape(-1).numpy()
            except RuntimeError:
                return None
            place = np.arange(len(source))
            entries.append(np.stack([place, np.full_like(place, i), source], axis=1))
        patterns.append(_sorted(np.concatenate(entries)))
    return patterns


# -- smooth ops ------------------------------------------------------------------------------------


def _steady(call: Replay, changes: _Changes, points: list[_Point]) -> list[Pattern] | None:
    """Return the patterns of an op whose Jacobian is zero in the same places at two points.

    None where it is not, or where far changes reach other elements: an op that chooses (sort, max)
    may have chosen the same ones by chance.
    """
    if len(points) < 2:
        return None
    near, far = (_nonzero(call, point.operands) for point in points[:2])
    if near is None or far is None:
        return None
    if any(not np.array_equal(one, other) for one, other in zip(near, far, strict=True)):
        return None
    floating = [i for i, t in enumerate(points[0].operands) if t.is_floating_point()]
    reached = changes.patterns(floating, points[1:2], slice(1, 3))
    for pattern, found in zip(near, reached, strict=True):
        if len(np.unique(np.concatenate([pattern, found]), axis=0)) != len(pattern):
            return None
    others = [i for i in range(len(points[0].operands)) if i not in floating]
    rest = changes.patterns(others)
    return [_sorted(np.concatenate(both)) for both in zip(near, rest, strict=True)]


def _nonzero(call: Replay, operands: list[torch.Tensor]) -> list[Pattern] | None:
    """Return which entries of the Jacobian are not zero; None where there is none, or a NaN."""
    matrices = jacobians(call, operands)
    if matrices is None:
        return None
    patterns = []
    for of_result in matrices:
        entries = [np.zeros((0, 3), np.int64)]
        for i, matrix in of_result.items():
            if not np.isfinite(matrix).all():
                return None
            places, sources = np.nonzero(matrix)
            entries.append(np.stack([places, np.full_like(places, i), sources], axis=1))
        if not of_result:
            return None
        patterns.append(_sorted(np.concatenate(entries)))
    return patterns


# -- change by change ------------------------------------------------------------------------------


class _Changes:
    """Changes one element after the other and notes which elements of the results change."""

    def __init__(
        self,
        call: Replay,
        operands: Sequence[torch.Tensor],
        free: list[int],
        shapes: Sequence[torch.Size],
        points: list[_Point],
    ) -> None:
        self._call = call
        self._free = free
        self._shapes = shapes
        self._points = points
        self._candidates = [self._of(operand, i) for i, operand in enumerate(operands)]

    def patterns(
        self,
        which: Sequence[int] | None = None,
        points: Sequence[_Point] | None = None,
        some: slice = slice(None),
    ) -> list[Pattern]:
        """Return for each result which elements (of ``which`` operands, all by default) change it,
        at ``points`` (all), changed in ``some`` ways (all)."""
        points = self._points if points is None else points
        which = range(len(self._candidates)) if which is None else which
        sizes = [operand.numel() for operand in points[0].operands]
        runs = sum(sizes[i] * len(self._candidates[i][some]) for i in which) * len(points)
        if runs > MOST_RUNS:
            raise Unmeasured("it is too large")
        found = [[np.zeros((0, 3), np.int64)] for _ in self._shapes]
        for i, point in product(which, points):
            for place in range(sizes[i]):
                changed = [np.zeros(shape.numel(), bool) for shape in self._shapes]
                for candidate in self._candidates[i][some]:
                    self._change(point, i, place, candidate, changed)
                for entries, mask in zip(found, changed, strict=True):
                    where = np.flatnonzero(mask)
                    entries.append(
                        np.stack([where, np.full_like(where, i), np.full_like(where, place)], 1)
                    )
        return [_sorted(np.concatenate(entries)) for entries in found]

    def _of(self, operand: torch.Tensor, which: int) -> list[Callable[[Any], Any]]:
        """Return how each element of an operand is changed: functions of its value."""
        if operand.dtype == torch.bool:
            return [lambda value: not value]
        far: Any = 1e3 * (_scale(operand) + 1)
        if operand.is_floating_point() or operand.is_complex():
            return [
                lambda value: value * 0.97 if value != 0 else 0.001,
                lambda value: value + far,
                lambda value: value - far,
                lambda value: 0.0 if value != 0 else 1.0,
            ]
        if which in self._free:
            return [
                lambda value: value + 1,
                lambda value: value + 50,
                lambda value: value - 50,
                lambda value: 0 if value != 0 else 1,
            ]
        sizes = [size for shape in self._shapes for size in shape]
        sizes += [size for operand in self._points[0].operands for size in operand.shape]
        values = {int(value) for value in operand.reshape(-1)} | set(range(max(sizes, default=0)))
        if len(values) > MOST_CANDIDATES:
            raise Unmeasured("it is too large")
        return [lambda _, value=value: value for value in sorted(values)]  # type: ignore[misc]

    def _change(
        self,
        point: _Point,
        which: int,
        place: int,
        change: Callable[[Any], Any],
        changed: list[NDArray[np.bool_]],
    ) -> None:
        inputs = [operand.clone() for operand in point.operands]
        element = inputs[which][tuple(np.unravel_index(place, tuple(inputs[which].shape)))]
        try:
            element.fill_(change(element.item()))
            results = self._call(inputs)
        except FAILS:
            return  # an index too far, a probability above 1
        for result, before, mask in zip(results, point.results, changed, strict=True):
            if result.shape != before.shape:
                raise Unmeasured("the size of its result depends on the values")
            mask |= _differs(result, before)


def _sorted(entries: NDArray[np.int64]) -> Pattern:
    pattern: Pattern = np.unique(entries.astype(np.int64), axis=0)
    return pattern


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    """Return the elements in a dtype that NumPy has."""
    flat = tensor.detach().resolve_conj().resolve_neg().reshape(-1)
    array: NDArray[Any] = (flat.double() if flat.is_floating_point() else flat).numpy()
    return array


def _differs(result: torch.Tensor, before: torch.Tensor) -> NDArray[np.bool_]:
    """Tell which elements differ by more than rounding."""
    one, other = _array(result), _array(before)
    if not (result.is_floating_point() or result.is_complex()):
        return np.asarray(one != other)
    rounding = 1e-9 * np.maximum(np.abs(one), np.abs(other))
    close = (np.abs(one - other) <= rounding) | (one == other)
    return np.asarray(~(close | (np.isnan(one) & np.isnan(other))))


# -- the test --------------------------------------------------------------------------------------


def _test(call: Replay, free: list[int], points: list[_Point], patterns: list[Pattern]) -> None:
    """Change all that should not matter, at once: what a part of each result is fed by stays.

    Raises Unmeasured where that part changes all the same.
    """
    if len(points) < 2:
        return
    near, far = points[:2]
    random = np.random.default_rng(0)
    for result, pattern in enumerate(patterns):
        count = near.results[result].numel()
        if not count:
            continue
        parts = [np.arange(count) == random.integers(count) for _ in range(4)]
        parts += [random.random(count) < 0.5 for _ in range(2)]
        for part in parts:
            fed = pattern[part[pattern[:, 0]]]
            mixed = [
                _mixed(near.operands[i], far.operands[i], fed[fed[:, 1] == i, 2])
                if i in free
                else near.operands[i].clone()
                for i in range(len(near.operands))
            ]
            try:
                results = call(mixed)
            except FAILS:
                continue
            if not _agree(results[result], near.results[result], part):
                raise Unmeasured("which elements matter depends on the others")


def _mixed(near: torch.Tensor, far: torch.Tensor, kept: NDArray[np.int64]) -> torch.Tensor:
    """Return the far values but for the places that are kept."""
    mask = torch.zeros(near.numel(), dtype=torch.bool)
    mask[torch.from_numpy(kept)] = True
    made = torch.empty_like(near)
    return made.copy_(torch.where(mask.reshape(near.shape), near, far))


def _agree(result: torch.Tensor, expected: torch.Tensor, part: NDArray[np.bool_]) -> bool:
    one, other = _array(result)[part], _array(expected)[part]
    if not (result.is_floating_point() or result.is_complex()):
        return bool((one == other).all())
    finite = np.abs(other[np.isfinite(other)])
    tolerance = AGREE * (finite.max() if len(finite) else 0.0)
    return bool(np.allclose(one, other, rtol=AGREE, atol=tolerance, equal_nan=True))


# -- derivatives -----------------------------------------------------------------------------------


def derivatives(
    call: Replay, operands: Sequence[torch.Tensor], patterns: Sequence[Pattern]
) -> list[NDArray[np.float64] | None]:
    """Return the derivatives of each pattern's entries at the operands, NaN where there are none.

    None for a result that has none at all. Raises Unmeasured where autograd knows of a derivative
    outside of the pattern.
    """
    floating = [i for i, t in enumerate(operands) if t.is_floating_point()]
    found = _slopes(call, operands, patterns, floating)
    if found is None:  # one of them is no variable for torch (running_mean): one by one
        single = [_slopes(call, operands, patterns, [i]) for i in floating]
        found = [
            _merged([slopes[result] for slopes in single if slopes is not None])
            for result in range(len(patterns))
        ]
    return found


def _merged(slopes: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    known = [each for each in slopes if each is not None]
    return np.nanmax(known, axis=0) if known else None


def _slopes(
    call: Replay,
    operands: Sequence[torch.Tensor],
    patterns: Sequence[Pattern],
    variables: list[int],
) -> list[NDArray[np.float64] | None] | None:
    """Return the derivatives with respect to some operands, None where torch cannot tell."""
    matrices = jacobians(call, operands, variables)
    if matrices is None:
        return None
    return [
        _picked(of_result, pattern) if of_result else None
        for of_result, pattern in zip(matrices, patterns, strict=True)
    ]


def _picked(matrices: Matrices, pattern: Pattern) -> NDArray[np.float64]:
    """Return the entries of the Jacobian that the pattern names."""
    found = np.full(len(pattern), np.nan)
    for i, matrix in matrices.items():
        mine = pattern[:, 1] == i
        places, sources = pattern[mine, 0], pattern[mine, 2]
        found[mine] = matrix[places, sources]
        outside = matrix.copy()
        outside[places, sources] = 0
        if (np.nan_to_num(outside) != 0).any():
            raise Unmeasured("its derivatives contradict what was measured")
    return found


def jacobians(
    call: Replay, operands: Sequence[torch.Tensor], variables: Sequence[int] | None = None
) -> list[Matrices] | None:
    """Return for each result the matrices (its elements, an operand's) by operand.

    They are with respect to ``variables``, by default all floating operands, and empty for a result
    that has no derivative. None where torch refuses.
    """
    if variables is None:
        variables = [i for i, t in enumerate(operands) if t.is_floating_point()]
    leaves = [t.clone().requires_grad_(i in variables) for i, t in enumerate(operands)]
    try:
        with torch.enable_grad():
            results = call([leaf.clone() for leaf in leaves])
            return [
                dict(zip(variables, _jacobian(each, [leaves[i] for i in variables]), strict=True))
                if each.requires_grad and each.is_floating_point()
                else {}
                for each in results
            ]
    except FAILS:
        return None


def _jacobian(result: torch.Tensor, leaves: list[torch.Tensor]) -> list[NDArray[np.float64]]:
    """Return a matrix for each leaf: elements of the result, elements of the leaf."""
    count = result.numel()
    unit = torch.eye(count, dtype=result.dtype).reshape(count, *result.shape)
    try:
        rows: Any = _vmap(lambda row: _backward(result, leaves, row), allow_none_pass_through=True)(
            unit
        )
    except FAILS:  # a backward function that cannot be run on a batch
        each = [_backward(result, leaves, row) for row in unit]
        rows = [
            None if column[0] is None else torch.stack(column) for column in zip(*each, strict=True)
        ]
    return [
        np.zeros((count, leaf.numel()))
        if row is None
        else row.detach().reshape(count, leaf.numel()).double().numpy()
        for row, leaf in zip(rows, leaves, strict=True)
    ]


def _backward(result: torch.Tensor, leaves: list[torch.Tensor], row: torch.Tensor) -> Any:
    """Do what ``torch.autograd.grad`` does, which would import sympy for the sake of one check."""
    return _engine_run_backward(
        (result,), (row,), True, False, tuple(leaves), True, accumulate_grad=False
    )
