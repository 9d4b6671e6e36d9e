"""How a reader types an op: ``[ ]`` for ``__getitem__``, ``+`` for an ``add`` written so."""

from __future__ import annotations

import ast
import re

from torchreel.records import Step
from torchreel.syntax import parse

_OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "truediv": "/",
    "true_divide": "/",
    "floordiv": "//",
    "floor_divide": "//",
    "mod": "%",
    "remainder": "%",
    "pow": "**",
    "matmul": "@",
    "neg": "-",
    "pos": "+",
    "invert": "~",
    "bitwise_not": "~",
    "and": "&",
    "bitwise_and": "&",
    "or": "|",
    "bitwise_or": "|",
    "xor": "^",
    "bitwise_xor": "^",
    "lshift": "<<",
    "rshift": ">>",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
_WORDS = {
    "getitem": "[ ]",
    "setitem": "[ ] =",
    "delitem": "del [ ]",
    "contains": "in",
    "len": "len",
    "bool": "bool",
    "int": "int",
    "float": "float",
    "abs": "abs",
    "divmod": "divmod",
    "round": "round",
}
_LONGEST = 14
"""Longer texts are not told in place of a word or a name."""

_DUNDER = re.compile(r"__(\w+)__")


def bare_name(op: str) -> str:
    """Return the bare name of a qualified op: ``torch.Tensor.reshape`` is ``reshape``, an
    attribute's ``torch.Tensor.T.__get__`` is ``T``."""
    return op.removesuffix(".__get__").removesuffix(".__set__").rpartition(".")[2]


def spell(step: Step) -> str:
    """Return a step's op as its line spells it: ``reshape``, ``T``, ``@``, ``[ ]``, ``+=``.

    An op that the line calls by its name keeps the name: ``x.add(1)`` is ``add``, ``x + 1`` is
    ``+``.
    """
    name = bare_name(step.op)
    dunder = _DUNDER.fullmatch(name)
    plain = dunder[1] if dunder else name
    if plain in _WORDS and dunder:
        return _WORDS[plain]
    if re.search(rf"\b{re.escape(name)}\b", step.expression):
        return name
    return _operator(plain, step.expression) or (plain if dunder else name)


def brackets(step: Step) -> str | None:
    """Return the brackets of an indexing as its line has them, ``[0, 1:]`` or ``[0, 0] =``; None
    for other ops, and where they are long."""
    written = bare_name(step.op) == "__setitem__"
    if not written and bare_name(step.op) != "__getitem__":
        return None
    line = _parsed(step.expression)
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
    indexed = line.value if isinstance(line, ast.Expr) else targets[0]
    if not isinstance(indexed, ast.Subscript):
        return None
    text = _short(ast.get_source_segment(step.expression, indexed.slice))
    return f"[{text}]{' =' * written}" if text else None


def source_of(step: Step) -> str | None:
    """Return the code that made a step's result, ``x * 2``; None where it is long or a whole
    statement."""
    return _short(step.expression) if isinstance(_parsed(step.expression), ast.Expr) else None


def arguments_of(step: Step, called: str) -> tuple[str | None, ...]:
    """Return what stands by position in the parentheses of a step's call: the names, and None for
    anything else; nothing where it is no call of something ``called`` so (``self.layer1`` is)."""
    line = _parsed(step.expression)
    call = line.value if isinstance(line, ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func).split(".")[-1] != called:
        return ()
    return tuple(each.id if isinstance(each, ast.Name) else None for each in call.args)


def _parsed(expression: str) -> ast.stmt | None:
    try:
        return parse(expression).body[0]
    except (SyntaxError, IndexError):
        return None


def _short(text: str | None) -> str | None:
    words = " ".join((text or "").split())
    return words if 0 < len(words) <= _LONGEST else None


def _operator(plain: str, expression: str) -> str | None:
    """Return the operator that an op's bare name stands for, where the line has it."""
    if plain.endswith("_") and (sign := _OPERATORS.get(plain[:-1])):
        return f"{sign}=" if f"{sign}=" in expression else None
    for name, end in ((plain, ""), (plain[1:], "=" if plain[:1] == "i" else "")):
        sign = _OPERATORS.get(name)
        if sign and (name == plain or plain[0] in "ri") and sign + end in expression:
            return sign + end
    return None
