"""The signs that ops have in maths and in Python (no Manim here)."""

from __future__ import annotations

BINARY = {
    "add": "+",
    "sub": "−",
    "subtract": "−",
    "mul": "×",
    "multiply": "×",
    "div": "÷",
    "divide": "÷",
    "true_divide": "÷",
    "floor_divide": "//",
    "floordiv": "//",
    "truediv": "÷",
    "mod": "%",
    "remainder": "%",
    "fmod": "%",
    "pow": "**",
}
"""Arithmetic of two operands, by the op's bare name without underscores."""

REFLECTED = {
    "rsub": "−",
    "rdiv": "÷",
    "rtruediv": "÷",
    "rpow": "**",
    "rfloordiv": "//",
    "rmod": "%",
}
"""The same with a number before the tensor: ``10 - x``."""

RELATIONS = {
    "eq": "==",
    "ne": "!=",
    "not_equal": "!=",
    "lt": "<",
    "less": "<",
    "le": "<=",
    "less_equal": "<=",
    "gt": ">",
    "greater": ">",
    "ge": ">=",
    "greater_equal": ">=",
    "and": "&",
    "bitwise_and": "&",
    "logical_and": "&",
    "or": "|",
    "bitwise_or": "|",
    "logical_or": "|",
    "xor": "^",
    "bitwise_xor": "^",
    "logical_xor": "^",
}
"""Comparisons and logic, as Python writes them."""
