"""How an op is written in its node of the graph: the sign it has in maths, else its name."""

from __future__ import annotations

from torchreel.records import Step
from torchreel.spelling import bare_name
from torchreel.stage.signs import BINARY, REFLECTED

_UNARY = {
    "neg": "−",
    "negative": "−",
    "sum": "Σ",
    "sqrt": "√",
    "matmul": "@",
    "mm": "@",
    "mv": "@",
    "bmm": "@",
    "dot": "@",
    "rmatmul": "@",
    "t": "T",
    "getitem": "[ ]",
}
_LONGEST = 6


def symbol(step: Step) -> str:
    """Return the sign of a step's op with the number it works with: ``×3``, ``Σ``, ``relu``."""
    if step.op.endswith(".apply") and not step.op.startswith("torch."):  # of an own Function
        return step.op.split(".")[-2]
    name = bare_name(step.op).strip("_")
    numbers = [
        each.literal or "" for each in step.operands if each.tensor is None and each.name is None
    ]
    number = numbers[0] if len(numbers) == 1 and len(numbers[0]) <= _LONGEST else ""
    one = sum(each.tensor is not None for each in step.operands) == 1
    if name in BINARY:
        return BINARY[name] + (number.replace("-", "−") if one else "")
    if name.removeprefix("i") in BINARY:
        return BINARY[name.removeprefix("i")] + "=" + (number if one else "")
    if name in REFLECTED:
        return (number.replace("-", "−") if one else "") + REFLECTED[name]
    return _UNARY.get(name, name)


def function_symbol(name: str) -> str:
    """Return what is written for a function of autograd whose op is not in the trace."""
    plain = name.rstrip("0123456789").removesuffix("Backward").lower()
    return _UNARY.get(plain) or BINARY.get(plain) or plain
