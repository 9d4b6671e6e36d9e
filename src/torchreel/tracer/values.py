"""The values of tensors: read as NumPy holds them, and kept within a budget.

Whole are kept: tensors of at most SMALL elements until SMALL_BYTES of them are kept, and those of
at most WHOLE elements until WHOLE_BYTES of them are. Of the others a texture is kept
(``textures.py``) until TEXTURE_BYTES of them are, and statistics. So a trace's values never take
more than the sum of the three: 384 MiB.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import _disable_current_modes

from torchreel.records import Array

SMALL, SMALL_BYTES = 4096, 256 << 20
"""Kept whole in any case up to this many elements, and bytes in all."""

WHOLE, WHOLE_BYTES = 131_072, 64 << 20
"""Kept whole while there is room: a weight of 784 by 128, a batch of pictures."""

TEXTURE_BYTES = 64 << 20

UNREADABLE = (RuntimeError, NotImplementedError, TypeError, ValueError)
"""What torch raises where a tensor has no storage, strides, version or values to read (meta,
sparse, nested, inside vmap)."""

_from_numpy = torch.from_numpy  # the tracer stands before it while a script runs

is_transformed = torch._C._functorch.is_functorch_wrapped_tensor
"""Tells a tensor that torch.func puts in the place of one of the script's, for one example or one
level of gradients."""


def unseen() -> AbstractContextManager[object]:
    """Return a context in which no mode of the script's own sees what is read of its tensors."""
    if not torch._C._len_torch_dispatch_stack():
        return torch._C.DisableTorchFunction()
    stack = ExitStack()
    stack.enter_context(torch._C.DisableTorchFunction())
    stack.enter_context(_disable_current_modes())
    return stack


class Room:
    """How many bytes may still be kept of each kind of values."""

    def __init__(self) -> None:
        self._left = {"small": SMALL_BYTES, "whole": WHOLE_BYTES, "texture": TEXTURE_BYTES}

    def has(self, elements: int) -> bool:
        """Tell whether a tensor of so many elements may be kept whole (16 bytes each at most)."""
        if elements <= SMALL:
            return self._left["small"] >= 16 * elements
        return elements <= WHOLE and self._left["whole"] >= 16 * elements

    def take(self, elements: int, array: Array) -> None:
        """Count in the array of a tensor of so many elements that is kept whole."""
        self._left["small" if elements <= SMALL else "whole"] -= array.nbytes

    def take_texture(self, texture: Array) -> bool:
        """Count in a texture; False where there is no room for it."""
        if self._left["texture"] < texture.nbytes:
            return False
        self._left["texture"] -= texture.nbytes
        return True


def array_of(tensor: torch.Tensor) -> Array | None:
    """Return a copy of the values, contiguous, as NumPy holds them; None where they cannot be read.

    bfloat16 and float8 are widened to float32, quantized ones dequantized, complex ones are pairs.
    """
    if not _is_readable(tensor):
        return None
    try:
        read = tensor.detach()
        if read.is_quantized:
            read = read.dequantize()
        if read.is_complex():
            read = torch.view_as_real(read.resolve_conj().resolve_neg())
        # NumPy's memory, never the tensor's: what NumPy has held once can no longer be resized.
        array: Array = np.empty(read.shape, _held_as(read.dtype))
        _from_numpy(array).copy_(read)
    except UNREADABLE:
        return None
    return array


def _is_readable(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor has values of its own: it does not stand for others, or for none."""
    return (
        tensor.layout is torch.strided
        and tensor.device.type != "meta"
        and type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
        and not is_transformed(tensor)
    )


@cache
def _held_as(dtype: torch.dtype) -> np.dtype[Any]:
    """Return NumPy's dtype for torch's, float32 where it has none; raises TypeError for one that
    is no float, either."""
    try:
        return np.dtype(torch.empty(0, dtype=dtype, device="cpu").numpy().dtype)
    except TypeError:
        if dtype.is_floating_point:
            return np.dtype(np.float32)
        raise
