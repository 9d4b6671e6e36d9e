"""Which elements a convolution takes for each of its results, where the trace did not measure it:
by the definition of the op, and only where its numbers come out."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchreel.records import Array, Step
from torchreel.spelling import bare_name
from torchreel.stage.facts import Facts

_MOST = 4096
"""Of tensors of more elements no window is followed."""


@dataclass(frozen=True)
class Sliding:
    """How a window slides along each of its dimensions, in elements."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """How many elements of the input the window spans along each dimension."""
        pairs = zip(self.size, self.dilation, strict=True)
        return tuple((size - 1) * apart + 1 for size, apart in pairs)

    def begins(self, cell: int, shape: Sequence[int]) -> tuple[int, ...]:
        """Return where the window of a cell of a result begins in the input; below 0 in the
        padding."""
        at = np.unravel_index(cell, tuple(shape))
        steps = zip(at, self.stride, self.padding, strict=True)
        return tuple(int(place) * stride - pad for place, stride, pad in steps)


def sliding_of(facts: Facts, step: Step) -> Sliding | None:
    """Return how the window of a step slides; None where its arguments do not tell."""
    operands = facts.operands(step)
    if bare_name(step.op) not in ("conv1d", "conv2d") or len(operands) < 2:
        return None
    size = operands[1].shape[2:]
    words = (("stride", 3, "1"), ("padding", 4, "0"), ("dilation", 5, "1"))
    found = [_numbers(_argument(step, at, word) or usual, len(size)) for word, at, usual in words]
    stride, padding, dilation = found
    if stride is None or padding is None or dilation is None:
        return None
    return Sliding(size, stride, padding, dilation)


def entries_of(facts: Facts, step: Step) -> Array | None:
    """Return (m, 3) result place, operand, operand place of a step, as ``Trace.feeds`` does; None
    where it is not one picture that a kernel slides over, where the tensors are too large, or where
    the numbers do not come out."""
    sliding, operands = sliding_of(facts, step), facts.operands(step)
    result = facts.results(step)[0]
    if sliding is None or not result.numel or max(e.numel for e in (*operands, result)) > _MOST:
        return None
    leads = [each.shape[:2] for each in (*operands[:2], result)]
    if len(result.shape) != len(sliding.size) + 2 or any(each != (1, 1) for each in leads):
        return None
    found: list[tuple[int, int, int]] = []
    for cell, pairs in enumerate(_seen(sliding, operands[0].shape[2:], result.shape[2:])):
        found += [(cell, 0, at) for _, at in pairs]
        found += [(cell, 1, k) for k, _ in pairs]
        found += [(cell, 2, 0)] * (len(operands) > 2)
    entries = np.array(found, dtype=np.int64)
    return entries if _comes_out(facts, step, entries) else None


def _seen(
    sliding: Sliding, inner: Sequence[int], outer: Sequence[int]
) -> list[list[tuple[int, int]]]:
    """Return for each cell of a result the elements of the window, and of the input, that meet."""
    along = []
    for dim, size in enumerate(sliding.size):
        places = np.arange(size) * sliding.dilation[dim] - sliding.padding[dim]
        starts = np.arange(outer[dim]) * sliding.stride[dim]
        along.append(
            [
                [
                    (k, int(start + at))
                    for k, at in enumerate(places)
                    if 0 <= start + at < inner[dim]
                ]
                for start in starts
            ]
        )
    return [
        [
            (
                int(np.ravel_multi_index([k for k, _ in pairs], sliding.size)),
                int(np.ravel_multi_index([at for _, at in pairs], tuple(inner))),
            )
            for pairs in itertools.product(*cell)
        ]
        for cell in itertools.product(*along)
    ]


def _comes_out(facts: Facts, step: Step, entries: Array) -> bool:
    """Tell whether these elements make the numbers that torch made."""
    values = [facts.values(each) for each in (*facts.operands(step), *facts.results(step)[:1])]
    if any(each is None for each in values):
        return False
    flat = [np.asarray(each, dtype=np.float64).ravel() for each in values]
    cells = np.unique(entries[:, 0])
    taken = [entries[entries[:, 1] == position] for position in range(len(flat) - 1)]
    groups = [np.searchsorted(cells, each[:, 0]) for each in taken]
    made = np.bincount(groups[0], flat[0][taken[0][:, 2]] * flat[1][taken[1][:, 2]], len(cells))
    if len(taken) > 2:
        made += np.bincount(groups[2], flat[2][taken[2][:, 2]], len(cells))
    return bool(np.allclose(made, flat[-1][cells], rtol=1e-3, atol=1e-4))


def _argument(step: Step, position: int, name: str) -> str | None:
    """Return the text of an argument by its name or its position."""
    named = next((each.literal for each in step.operands if each.name == name), None)
    unnamed = [each.literal for each in step.operands if each.name is None]
    return named or (unnamed[position] if position < len(unnamed) else None)


def _numbers(text: str | None, count: int) -> tuple[int, ...] | None:
    """Return the integers that a literal is, one for each dimension; None where it is none."""
    try:
        value = ast.literal_eval(text or "")
    except (SyntaxError, ValueError):
        return None
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(type(each) is int for each in numbers) or len(numbers) not in (1, count):
        return None
    return numbers * count if len(numbers) == 1 else numbers
