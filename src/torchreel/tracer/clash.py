"""What did not fit where a torch call raised: two facts, told by the operands themselves.

The message says which kind of misfit it was; what it was is read from the operands, and only what
they cannot tell (the dtype that an op wants) from the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from torchreel.records import Clash
from torchreel.tracer.literals import parts
from torchreel.tracer.misfits import Call, Misfit, misfit_of
from torchreel.tracer.values import UNREADABLE, unseen

MESSAGE_LENGTH = 2000
"""A message is cut at this many characters."""

DEVICE = re.compile(r"same device|expected device|on device|device type")
DTYPE = re.compile(
    r"dtype|data ?type|scalar type|result type|tensors used as indices"
    r"|type \(\w+\) .* should be the same",
    re.IGNORECASE,
)
DTYPES = {
    **{"float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16"},
    **{"long": "int64", "long long": "int64", "long int": "int64", "int": "int32"},
    **{"short": "int16", "char": "int8", "signed char": "int8", "byte": "uint8"},
    **{"unsigned char": "uint8", "bool": "bool"},
    **{"complexfloat": "complex64", "complexdouble": "complex128"},
}
"""What messages call dtypes, in lower case."""

FLOATING = "floating point"
"""The second fact where an op wants any floating point dtype, in the messages' own words."""

INDEX_OPERANDS = {"embedding": 0, "cross_entropy": 1, "nll_loss": 1, "__getitem__": 1}
"""Which operand of these ops has to hold integers."""


def clash_of(error: Exception, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Clash:
    """Return the record of an exception that this call raised; never raises itself."""
    message = message_of(error)
    given = list(parts(args, kwargs))
    call = Call(
        op=op.removesuffix(".__get__").removesuffix(".__set__").rpartition(".")[2],
        args=args,
        kwargs=kwargs,
        values=[value for _, value in given],
        message=message,
    )
    kind, misfit = "other", None
    try:
        with unseen():
            kind, misfit = _kind(call)
    except (*UNREADABLE, IndexError, KeyError, AttributeError, AssertionError):
        pass  # operands of a kind not thought of: nothing is told
    told = (type(error).__name__, message)
    if misfit is None:
        return Clash(*told)
    return Clash(*told, kind, misfit.facts, misfit.operands, misfit.dims)  # type: ignore[arg-type]


def message_of(error: BaseException) -> str:
    """Return an exception's message, cut, and without what no file could hold."""
    try:
        return str(error).encode("utf-8", "backslashreplace").decode()[:MESSAGE_LENGTH]
    except Exception:  # an exception class of somebody's own
        return ""


def _kind(call: Call) -> tuple[str, Misfit | None]:
    if DEVICE.search(call.message):
        return "device", _devices(call)
    if DTYPE.search(call.message) or "can require gradients" in call.message:
        return "dtype", _dtypes(call)
    return "shape", misfit_of(call)


def _devices(call: Call) -> Misfit | None:
    tensors = call.tensors
    # A number in a tensor of no dimensions may lie on the CPU: that is no clash.
    movable = [(at, t) for at, t in tensors if t.dim() or t.device.type != "cpu"]
    for some in (movable, tensors):
        for at, tensor in some[1:]:
            first, other = some[0][1].device, tensor.device
            if first != other:
                return Misfit((str(first), str(other)), (some[0][0], at))
    return None


def _dtypes(call: Call) -> Misfit | None:
    named = [DTYPES[word] for word in _words(call.message)]
    held = [(at, str(tensor.dtype).removeprefix("torch.")) for at, tensor in call.tensors]
    wants_float = FLOATING in call.message
    if wants_float and "gradients" in call.message and held:
        return Misfit((held[0][1], FLOATING), (held[0][0],))
    for at, dtype in held[1:]:
        if dtype != held[0][1] and (not named or {dtype, held[0][1]} <= set(named)):
            return Misfit((held[0][1], dtype), (held[0][0], at))
    if call.op in INDEX_OPERANDS:
        at, dtype = _at(call, INDEX_OPERANDS[call.op])
        wanted = next((name for name in named if name != dtype), "int64")
        return Misfit((dtype, wanted), (at,))
    if wants_float and held and held[0][1] in named:
        return Misfit((held[0][1], FLOATING), (held[0][0],))
    pair = list(dict.fromkeys(named))
    if len(pair) == 2 and held:  # what is found, then what is wanted of it
        found = next((at for at, dtype in held if dtype in pair), None)
        if found is not None:
            dtype = dict(held)[found]
            return Misfit((dtype, pair[1 - pair.index(dtype)]), (found,))
    return None


def _at(call: Call, argument: int) -> tuple[int, str]:
    """Return the operand's position and dtype of a tensor that is an argument, or the first of
    several in it."""
    value = call.args[argument] if argument < len(call.args) else None
    tensors = call.tensors
    if isinstance(value, torch.Tensor):
        tensors = [(at, tensor) for at, tensor in tensors if tensor is value]
    at, tensor = tensors[-1]
    return at, str(tensor.dtype).removeprefix("torch.")


def _words(message: str) -> list[str]:
    """Return what dtypes a message names, in its order."""
    message = re.sub(r"torch\.(cuda\.)?(\w+)Tensor", r" \2 ", message)
    message = re.sub(r"torch\.(float|int|uint)(\d+)", _short, message)
    message = message.replace(FLOATING, "").replace("c10::", "")
    names = sorted(DTYPES, key=len, reverse=True)
    pattern = rf"(?<![\w(])(?:{'|'.join(names)})(?!\w)|(?<=\()(?:{'|'.join(names)})(?=\))"
    return [found.lower() for found in re.findall(pattern, message, re.IGNORECASE)]


def _short(found: re.Match[str]) -> str:
    dtype = found[0].removeprefix("torch.")
    return next((word for word, name in DTYPES.items() if name == dtype), "")
