"""The names of torch's ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.overrides import resolve_name

resolve_name(torch.add)  # fills torch's table of names, before the script runs
# As it is wrapped, each call would make Python forget which warnings it has shown once.
_resolve: Callable[[Any], str | None] = getattr(resolve_name, "__wrapped__", resolve_name)


UNINITIALIZED = frozenset(
    [
        *("torch.empty", "torch.empty_like", "torch.empty_strided", "torch.empty_permuted"),
        *("torch.Tensor.new_empty", "torch.Tensor.new_empty_strided"),
    ]
)
"""Ops whose results' values are not kept: they differ from run to run."""

RESIZING = frozenset(["torch.Tensor.resize_", "torch.Tensor.resize_as_"])
"""Ops that may give a tensor more memory than it had: nothing was written there."""


def is_uninitialized(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a call makes memory that it does not write: ``torch.empty(2)``, or a class of
    tensors (``torch.Tensor``, ``torch.FloatTensor``, ``x.new``) that is given sizes."""
    if op in UNINITIALIZED:
        return True
    if op == "torch.Tensor.new":
        args = args[1:]
    elif not op.endswith("Tensor"):
        return False
    sizes = int | np.integer | torch.Size
    return "size" in kwargs or (bool(args) and all(isinstance(each, sizes) for each in args))


@cache
def only_points(op: str) -> bool:
    """Tell whether an op gives a tensor another shape or other memory and writes nothing, as
    ``unsqueeze_`` does: torch itself declares it so."""
    packet = getattr(torch.ops.aten, op.rpartition(".")[2], None)
    overloads = [getattr(packet, name) for name in packet.overloads()] if packet else []
    return any(torch.Tag.inplace_view in overload.tags for overload in overloads)


def op_name(function: Callable[..., Any]) -> str:
    """Return the qualified torch name (``torch.Tensor.reshape``) of what a mode was called with.

    Where torch has one function under several names (``torch.mm`` is ``torch.spmm``), it is the one
    that the function itself has.
    """
    own = getattr(function, "__name__", "")
    if own and getattr(torch, own, None) is function:
        return f"torch.{own}"
    return _resolve(function) or f"{function.__module__}.{function.__qualname__}"
