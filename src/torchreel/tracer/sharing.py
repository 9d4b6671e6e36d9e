"""Whether a call left a tensor's memory in other hands: NumPy's, a buffer's, another library's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from torchreel.tracer.literals import tensors_in
from torchreel.tracer.values import UNREADABLE, unseen

SHARING = frozenset(["torch.frombuffer", "torch.utils.dlpack.to_dlpack", "torch.Tensor.__dlpack__"])
"""Ops that share memory whatever they are given."""

FROM_DLPACK = "torch.utils.dlpack.from_dlpack"
STORAGES = (torch.UntypedStorage, torch.TypedStorage)


def is_shared(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> bool:
    """Tell whether a call that returned ``result`` made a tensor of memory that something else
    holds, which is no tensor or is not known to torch as one, or gave a tensor's memory away."""
    values = [*args, *kwargs.values()]
    if op in SHARING or (
        op == "torch.Tensor.set_" and any(isinstance(each, STORAGES) for each in values)
    ):
        return True
    if op == FROM_DLPACK and kwargs.get("copy") is not True:
        tensor = next(tensors_in(values), None)
        return tensor is None or _address(tensor) == _address(result)
    arrays = {_array(each) for each in [*values, result] if isinstance(each, np.ndarray)}
    arrays.discard(0)
    return bool(arrays) and any(_address(each) in arrays for each in tensors_in([values, result]))


def _array(array: np.ndarray[Any, Any]) -> int:
    """Return where an array's first element is; 0 of an empty one."""
    return int(array.__array_interface__["data"][0]) if array.size else 0


def _address(tensor: torch.Tensor) -> int:
    """Return where a tensor's first element is; -1 where it has no memory that can be told."""
    try:
        with unseen():
            return tensor.data_ptr() or -1
    except UNREADABLE:
        return -1
