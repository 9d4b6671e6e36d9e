"""The names of torch's ops."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.overrides import resolve_name

resolve_name(torch.add)  # fills torch's table of names, before the script runs
# As it is wrapped, each call would make Python forget which warnings it has shown once.
_resolve: Callable[[Any], str | None] = getattr(resolve_name, "__wrapped__", resolve_name)


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
