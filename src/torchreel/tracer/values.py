"""The values of tensors: read as NumPy holds them, and kept within a budget.

Whole are kept: tensors of at most SMALL elements until SMALL_BYTES of them are kept, and those of
at most WHOLE elements until WHOLE_BYTES of them are. Of the others a texture is kept
(``textures.py``) until TEXTURE_BYTES of them are, and statistics. So a trace's values never take
more than the sum of the three: 384 MiB.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, suppress

import torch
from torch.utils._python_dispatch import _disable_current_modes

from torchreel.records import Array

SMALL, SMALL_BYTES = 4096, 256 << 20
"""Kept whole in any case up to this many elements, and bytes in all."""

WHOLE, WHOLE_BYTES = 131_072, 64 << 20
"""Kept whole while there is room: a weight of 784 by 128, a batch of pictures."""

TEXTURE_BYTES = 64 << 20

PLAIN_DTYPES = (torch.float32, torch.int64, torch.float64, torch.bool)
"""Dtypes that NumPy holds as they are: most tensors have one of these."""

UNREADABLE = (RuntimeError, NotImplementedError, TypeError, ValueError)
"""What torch raises where a tensor has no storage, strides, version or values to read (meta,
sparse, nested, inside vmap)."""


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
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return None
    if tensor.dtype in PLAIN_DTYPES and tensor.device.type == "cpu":
        with suppress(*UNREADABLE):  # one that stands for its negative
            # Torch copies: memory that NumPy has held once can no longer be resized.
            return _array(tensor.detach().clone(memory_format=torch.contiguous_format))
    try:
        read = tensor.detach().to("cpu", copy=True).resolve_conj().resolve_neg()
        if read.is_quantized:
            read = read.dequantize()
        if read.is_complex():
            read = torch.view_as_real(read)
        if read.is_floating_point() and read.dtype not in (
            torch.float16,
            torch.float32,
            torch.float64,
        ):
            read = read.to(torch.float32)
        return _array(read.contiguous())
    except UNREADABLE:
        return None


def _array(tensor: torch.Tensor) -> Array:
    array: Array = tensor.numpy().copy()  # its own would keep the tensor alive, to be counted
    return array
