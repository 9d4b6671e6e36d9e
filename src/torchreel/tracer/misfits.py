"""Sizes that did not fit in a torch call that raised, found in its operands' shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from torchreel.tracer.literals import tensors_in

Shape = Sequence[int]


@dataclass(frozen=True)
class Misfit:
    """Two facts that differ, the operands that they are facts of, and their dimensions where they
    are sizes (see :class:`torchreel.records.Clash`)."""

    facts: tuple[str, str]
    operands: tuple[int, ...] = ()
    dims: tuple[int, ...] = ()


@dataclass(frozen=True)
class Call:
    """A call that raised: ``op`` is the last word of its name, ``values`` are the step's operands
    (an argument that holds tensors is taken apart)."""

    op: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    values: list[Any]
    message: str

    @property
    def tensors(self) -> list[tuple[int, torch.Tensor]]:
        """The operands that are tensors, with their positions."""
        return [(at, each) for at, each in enumerate(self.values) if isinstance(each, torch.Tensor)]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument that may have been passed by its position or by its name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def says(self, *facts: object) -> bool:
        """Tell whether the message names all of these."""
        return all(re.search(rf"(?<![\w.]){fact}(?![\w.]*\w)", self.message) for fact in facts)


def misfit_of(call: Call) -> Misfit | None:
    """Return which sizes did not fit, or None where the operands do not show it."""
    rule = RULES.get(call.op)
    found = rule(call) if rule is not None else None
    return found or _dimension(call) or _broadcast(call)


def _sizes(
    one: tuple[int, Shape, int], other: tuple[int, Shape, int], factor: int = 1
) -> Misfit | None:
    """Return the misfit of two sizes, each by operand, shape and dimension, if they differ."""
    (at, shape, dim), (beside, against, along) = one, other
    if shape[dim] == against[along] * factor:
        return None
    dims = (dim % len(shape), along % len(against)) if factor == 1 else ()
    return Misfit((str(shape[dim]), str(against[along] * factor)), (at, beside), dims)


# -- elementwise ---------------------------------------------------------------------------------


def _broadcast(call: Call) -> Misfit | None:
    """Find the first dimension, from the last on, in which two operands are not broadcast."""
    tensors = call.tensors
    pairs = [(one, other) for i, one in enumerate(tensors) for other in tensors[i + 1 :]]
    for (at, one), (beside, other) in pairs:
        for back in range(1, min(one.dim(), other.dim()) + 1):
            sizes = one.shape[-back], other.shape[-back]
            if sizes[0] != sizes[1] and (1 not in sizes or "broadcast shape" in call.message):
                if not call.says(*sizes):
                    return None  # torch means something else
                dims = one.dim() - back, other.dim() - back
                return Misfit((str(sizes[0]), str(sizes[1])), (at, beside), dims)
    if "doesn't match the broadcast shape" in call.message and tensors:
        at, written = tensors[0]
        wide = tuple(np.broadcast_shapes(*(tensor.shape for _, tensor in tensors)))
        others = tuple(position for position, tensor in tensors if tuple(tensor.shape) == wide)
        return Misfit((_text(written.shape), _text(wide)), (at, *others[:1]))
    return None


def _expand(call: Call) -> Misfit | None:
    tensor, wanted = call.args[0], _integers(call.args[1:])
    if len(wanted) < tensor.dim():
        return Misfit((_text(tensor.shape), _text(wanted)), (0, 1))
    for back in range(1, tensor.dim() + 1):
        size = tensor.shape[-back]
        if size not in (1, wanted[-back]) and wanted[-back] != -1:
            return Misfit((str(size), str(wanted[-back])), (0, 1), (tensor.dim() - back, -1))
    return None


# -- matrix products, layers ---------------------------------------------------------------------


def _product(call: Call, first: int = 0, second: int = 1) -> Misfit | None:
    one, other = call.values[first], call.values[second]
    if not one.dim() or not other.dim():
        return Misfit((f"{one.dim()}D", f"{other.dim()}D"), (first, second))
    inner = -2 if other.dim() > 1 else -1
    found = _sizes((first, one.shape, -1), (second, other.shape, inner))
    if found is not None:
        return found
    for back in range(3, min(one.dim(), other.dim()) + 1):
        sizes = one.shape[-back], other.shape[-back]
        if sizes[0] != sizes[1] and (1 not in sizes or call.op in ("bmm", "baddbmm")):
            return _sizes((first, one.shape, -back), (second, other.shape, -back))
    return None


def _linear(call: Call) -> Misfit | None:
    (at, tensor), (beside, weight), *_ = call.tensors
    return _sizes((at, tensor.shape, -1), (beside, weight.shape, -1))


def _dot(call: Call) -> Misfit | None:
    return _sizes((0, call.values[0].shape, 0), (1, call.values[1].shape, 0))


def _convolution(call: Call) -> Misfit | None:
    (at, tensor), (beside, weight), *_ = call.tensors
    spatial = weight.dim() - 2
    if tensor.dim() not in (spatial + 1, spatial + 2):
        return Misfit((f"{tensor.dim()}D", f"{spatial + 2}D"), (at, beside))
    transposed = "transpose" in call.op
    groups = 1 if transposed else int(call.argument(6, "groups", 1))
    channels = (beside, weight.shape, 0 if transposed else 1)
    found = _sizes((at, tensor.shape, -spatial - 1), channels, factor=groups)
    if found is not None or transposed or "Kernel size" not in call.message:
        return found
    padding = call.argument(4, "padding", 0)
    for dim in range(-spatial, 0):
        pad = padding[dim] if isinstance(padding, tuple | list) else padding
        padded = tensor.shape[dim] + 2 * pad
        if padded < weight.shape[dim]:
            dims = (tensor.dim() + dim, weight.dim() + dim)
            return Misfit((str(padded), str(weight.shape[dim])), (at, beside), dims)
    return None


def _embedding(call: Call) -> Misfit | None:
    indices, weight = call.values[0], call.values[1]
    return _out_of(indices, (0, 1), weight.shape, 0)


def _loss(call: Call) -> Misfit | None:
    (at, scores), (beside, target), *_ = call.tensors
    if "out of bounds" in call.message:
        return _out_of(target, (beside, at), scores.shape, 1 if scores.dim() > 1 else 0)
    if "Using a target size" in call.message:
        return Misfit((_text(scores.shape), _text(target.shape)), (at, beside))
    if "batch_size" in call.message:
        return _sizes((at, scores.shape, 0), (beside, target.shape, 0))
    return None


def _layer_norm(call: Call) -> Misfit | None:
    tensor, normalized = call.values[0], _integers([call.argument(1, "normalized_shape")])
    for back in range(1, min(len(normalized), tensor.dim()) + 1):
        if tensor.shape[-back] != normalized[-back]:
            facts = str(tensor.shape[-back]), str(normalized[-back])
            return Misfit(facts, (0, 1), (tensor.dim() - back, -1))
    return None


def _batch_norm(call: Call) -> Misfit | None:
    (at, tensor), (beside, mean), *_ = call.tensors
    return _sizes((at, tensor.shape, 1), (beside, mean.shape, 0))


# -- shapes asked for ----------------------------------------------------------------------------


def _reshape(call: Call) -> Misfit | None:
    shape = call.argument(1, "shape", call.kwargs.get("size"))
    wanted = _integers([*call.args[1:]] or [shape])
    count = call.values[0].numel()
    if not wanted or not call.says(count) or "is invalid for input" not in call.message:
        return None
    if -1 in wanted:
        return Misfit((str(count), _text(wanted)), (0, 1))
    return Misfit((str(count), str(math.prod(wanted))), (0, 1))


def _permute(call: Call) -> Misfit | None:
    tensor, dims = call.values[0], _integers([*call.args[1:]] or [call.kwargs.get("dims")])
    if tensor.dim() == len(dims):
        return None
    return Misfit((str(tensor.dim()), str(len(dims))), (0, 1))


def _split(call: Call) -> Misfit | None:
    asked = call.argument(1, "split_size_or_sections", call.kwargs.get("split_size"))
    sizes, dim = _integers([asked]), int(call.argument(2, "dim", 0))
    tensor = call.values[0]
    if isinstance(asked, int) or sum(sizes) == tensor.shape[dim]:
        return None
    return Misfit((str(tensor.shape[dim]), str(sum(sizes))), (0, 1), (dim % tensor.dim(), -1))


def _one_element(call: Call) -> Misfit | None:
    count = call.values[0].numel()
    return Misfit((str(count), "1"), (0,)) if count != 1 else None


def _cat(call: Call) -> Misfit | None:
    (at, first), *others = call.tensors
    stacked = call.op == "stack"
    along = int(call.argument(1, "dim", call.kwargs.get("axis", 0)))
    for beside, other in others:
        if first.dim() != other.dim():
            return Misfit((_text(first.shape), _text(other.shape)), (at, beside))
        for dim in range(first.dim()):
            if stacked or dim != along % first.dim():
                found = _sizes((at, first.shape, dim), (beside, other.shape, dim))
                if found is not None:
                    return found
    return None


def _nested(call: Call) -> Misfit | None:
    """Find the list among lists that is longer or shorter than the first of its depth."""
    lists = [call.args[0]]
    while all(isinstance(each, list | tuple) for each in lists):
        for each in lists:
            if len(each) != len(lists[0]):
                return Misfit((str(len(lists[0])), str(len(each))), (0,))
        lists = [item for each in lists for item in each]
        if not lists:
            break
    return None


def _einsum(call: Call) -> Misfit | None:
    """Find the letter of the equation that stands for two sizes."""
    equation = call.args[0]
    seen: dict[str, tuple[int, Shape, int]] = {}
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    for term, (at, tensor) in zip(terms, call.tensors, strict=True):
        if "." in term or len(term) != tensor.dim():
            return None
        for dim, letter in enumerate(term):
            place = (at, tensor.shape, dim)
            found = _sizes(seen.setdefault(letter, place), place)
            if found is not None and "1" not in found.facts:
                return found
    return None


# -- indexes -------------------------------------------------------------------------------------


def _index(call: Call) -> Misfit | None:
    tensor, index = call.args[0], call.args[1]
    if call.op == "__setitem__" and re.search("expanded size|shape mismatch", call.message):
        return _assigned(call)
    places = list(_indexed(tensor, index))
    if "too many indices" in call.message:
        count = sum(width for _, _, _, width in places)
        return Misfit((str(count), str(tensor.dim())), (1, 0))
    for at, item, dim, _ in places:
        if isinstance(item, torch.Tensor) and item.dtype in (torch.bool, torch.uint8):
            for own in range(item.dim()):
                if item.shape[own] != tensor.shape[dim + own]:
                    return _sizes((at, item.shape, own), (0, tensor.shape, dim + own))
        elif isinstance(item, torch.Tensor | int | list):
            found = _out_of(torch.as_tensor(item), (at, 0), tensor.shape, dim)
            if found is not None:
                return found
    return None


def _indexed(tensor: torch.Tensor, index: Any) -> Iterator[tuple[int, Any, int, int]]:
    """Yield each part of an index: its operand's position, itself, the dimension of the tensor that
    it is about, and of how many dimensions."""
    several = isinstance(index, tuple)
    apart = next(tensors_in(index), None) is not None
    items = list(index) if several else [index]
    widths = [_width(item) for item in items]
    at, dim = 1, 0
    for item, width in zip(items, widths, strict=True):
        if item is ...:
            dim = tensor.dim() - sum(widths[len(widths) - items[::-1].index(...) :])
        yield at, item, dim, width
        at += apart and several
        dim += width


def _width(item: Any) -> int:
    if item is None or item is ... or isinstance(item, bool):
        return 0
    if isinstance(item, torch.Tensor) and item.dtype in (torch.bool, torch.uint8):
        return item.dim()
    return 1


def _assigned(call: Call) -> Misfit | None:
    tensor, index = call.args[0], call.args[1]
    value = call.values[-1]
    place = tensor.detach()[index]
    for back in range(1, min(place.dim(), value.dim()) + 1):
        if value.shape[-back] not in (1, place.shape[-back]):
            facts = str(place.shape[-back]), str(value.shape[-back])
            return Misfit(facts, (0, len(call.values) - 1))
    if value.dim() > place.dim():
        return Misfit((_text(place.shape), _text(value.shape)), (0, len(call.values) - 1))
    return None


def _along(call: Call) -> Misfit | None:
    """Find an index of gather, index_select, scatter and their like that is too great."""
    tensor, index = call.values[0], call.values[2]
    return _out_of(index, (2, 0), tensor.shape, int(call.values[1]))


def _out_of(
    indices: torch.Tensor, operands: tuple[int, int], shape: Shape, dim: int
) -> Misfit | None:
    """Return the first index that is not within a dimension's size."""
    size = shape[dim]
    for index in indices.reshape(-1).tolist():
        if not -size <= index < size:
            return Misfit((f"index {index}", f"size {size}"), operands, (-1, dim % len(shape)))
    return None


def _dimension(call: Call) -> Misfit | None:
    """Tell a dimension that the tensor does not have."""
    found = re.search(r"Dimension out of range .* but got (-?\d+)", call.message)
    if found is None or not call.tensors:
        return None
    at, tensor = call.tensors[0]
    where = [i for i, value in enumerate(call.values) if str(value) == found[1]]
    return Misfit((f"dim {found[1]}", f"{tensor.dim()}D"), (*where[:1], at) if where else (at,))


def _integers(values: Any) -> list[int]:
    """Return the integers of sizes that may be given as one tuple or one by one."""
    found: list[int] = []
    for value in values:
        found += _integers(value) if isinstance(value, tuple | list) else [int(value)]
    return found


def _text(shape: Shape) -> str:
    return str(tuple(shape))


def _reversed_product(call: Call) -> Misfit | None:
    return _product(call, 1, 0)


def _added_product(call: Call) -> Misfit | None:
    return _product(call, 1, 2)


RULES: dict[str, Callable[[Call], Misfit | None]] = {
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm", "mv"), _product),
    **{"__rmatmul__": _reversed_product, "linear": _linear, "einsum": _einsum},
    **dict.fromkeys(("addmm", "addmv", "baddbmm"), _added_product),
    **dict.fromkeys(("dot", "vdot"), _dot),
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _convolution for n in (1, 2, 3)},
    **{"embedding": _embedding, "layer_norm": _layer_norm, "batch_norm": _batch_norm},
    **dict.fromkeys(("cross_entropy", "nll_loss", "binary_cross_entropy"), _loss),
    **dict.fromkeys(("binary_cross_entropy_with_logits", "mse_loss", "l1_loss"), _loss),
    **dict.fromkeys(("reshape", "view", "_reshape_alias"), _reshape),
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    **dict.fromkeys(("permute",), _permute),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    **dict.fromkeys(("item", "__bool__", "__float__", "__int__"), _one_element),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), _cat),
    **dict.fromkeys(("tensor", "as_tensor"), _nested),
    **dict.fromkeys(("__getitem__", "__setitem__"), _index),
    **dict.fromkeys(("gather", "index_select", "scatter", "scatter_", "index_add_"), _along),
}
"""What to look for, by the last word of the op's name; elementwise ops need no entry."""
