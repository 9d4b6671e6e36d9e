"""The torch call that raised while the recorder slept, read back from the exception's traceback.

Nothing is run again. The expression that raised is looked up in the source, and what stands in it
as plain names and attributes is looked up in the frame; where that does not show which torch
function it was and with which tensors, nothing is told.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch
from torch import nn

from torchreel.syntax import parse
from torchreel.tracer.literals import PLAIN, tensors_in
from torchreel.tracer.ops import op_name

TORCH = str(Path(torch.__file__).parent)

OPERATORS: dict[type[ast.operator], str] = {
    **{ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Mod: "remainder"},
    **{ast.MatMult: "matmul", ast.FloorDiv: "__floordiv__", ast.Pow: "__pow__"},
    **{ast.BitAnd: "__and__", ast.BitOr: "__or__", ast.BitXor: "__xor__"},
}
"""Methods of a tensor that torch calls for an operator."""


class Unknown(Exception):  # noqa: N818 (a finding, not an error)
    """The expression does not show what was called, or with what."""


@dataclass(frozen=True)
class Missed:
    """A torch call that raised: its op's name, its arguments, the script's frame, and where in it:
    the index of the instruction and the line."""

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    frame: FrameType
    instruction: int
    line: int


def missed_call(error: BaseException, file: str) -> Missed | None:
    """Return the torch call of ``file`` (a script's), or one that torch itself made for it, from
    which an exception came; None where it came from elsewhere, or that cannot be told."""
    entries = list(_entries(error.__traceback__))
    own = [entry for entry in entries if entry.tb_frame.f_code.co_filename == file]
    if not own:
        return None
    for entry in reversed(entries):
        name = entry.tb_frame.f_code.co_filename
        if name != file and not name.startswith(TORCH):
            return None
        try:
            op, args, kwargs = _call(entry)
        except (Unknown, SyntaxError):
            if name == file:
                return None
            continue
        return Missed(op, args, kwargs, own[-1].tb_frame, own[-1].tb_lasti, own[-1].tb_lineno)
    return None


def _entries(traceback: TracebackType | None) -> Any:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _call(entry: TracebackType) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return op, arguments and keywords of what a frame was calling."""
    frame = entry.tb_frame
    node = _expression(frame, entry.tb_lasti)
    args: tuple[Any, ...]
    written = isinstance(node, ast.AugAssign)
    if isinstance(node, ast.AugAssign):
        node = ast.BinOp(node.target, node.op, node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        name = OPERATORS[type(node.op)]
        name += "_" if written and hasattr(torch.Tensor, f"{name}_") else ""
        args = (_value(node.left, frame), _value(node.right, frame))
        kwargs: dict[str, Any] = {}
    elif isinstance(node, ast.Subscript):
        name, args = "__getitem__", (_value(node.value, frame), _value(node.slice, frame))
        kwargs = {}
    elif isinstance(node, ast.Call):
        args = tuple(_value(each, frame) for each in node.args)
        kwargs = {each.arg or "": _value(each.value, frame) for each in node.keywords}
        if "" in kwargs:
            raise Unknown
        owner = _value(node.func.value, frame) if isinstance(node.func, ast.Attribute) else None
        if not isinstance(owner, torch.Tensor):
            return _function(node.func, frame, args, kwargs)
        name, args = getattr(node.func, "attr", ""), (owner, *args)
    else:
        raise Unknown
    method = getattr(torch.Tensor, name, None)
    if method is None or not any(isinstance(each, torch.Tensor) for each in args):
        raise Unknown
    return op_name(method), args, kwargs


def _function(
    func: ast.expr, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return a call of one of torch's functions that takes a tensor."""
    function = _value(func, frame)
    tensors = list(tensors_in([args, kwargs]))
    name = op_name(function) if hasattr(function, "__qualname__") else ""
    if isinstance(function, type) or not tensors or not name.startswith("torch."):
        raise Unknown
    return name, args, kwargs


def _expression(frame: FrameType, instruction: int) -> ast.AST:
    """Return the syntax tree of what an instruction of a frame computes."""
    positions = list(frame.f_code.co_positions())[instruction // 2]
    first, last, column, stop = positions
    if first is None or last is None or column is None or stop is None:
        raise Unknown
    lines = [
        linecache.getline(frame.f_code.co_filename, number).encode()
        for number in range(first, last + 1)
    ]
    if not all(lines):
        raise Unknown
    lines[-1] = lines[-1][:stop]
    lines[0] = lines[0][column:]
    text = b"".join(lines).decode()
    statement = parse(text if "=" in text and first == last else f"({text})").body[0]
    return statement.value if isinstance(statement, ast.Expr) else statement


def _value(node: ast.AST, frame: FrameType) -> Any:
    """Return what a name, an attribute of a module or a plain value holds; raises Unknown."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        for scope in (frame.f_locals, frame.f_globals):
            if node.id in scope:
                return scope[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand, frame)
        if isinstance(number, int | float):
            return -number
    if isinstance(node, ast.Tuple | ast.List):
        items = [_value(each, frame) for each in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    if isinstance(node, ast.Attribute):
        return _attribute(_value(node.value, frame), node.attr)
    raise Unknown


def _attribute(owner: Any, name: str) -> Any:
    """Return an attribute that is only looked up, never computed."""
    if isinstance(owner, nn.Module):
        for held in (owner._parameters, owner._buffers, owner._modules):
            if name in held:
                return held[name]
    held = getattr(owner, "__dict__", {})
    if name in held and (isinstance(owner, nn.Module | type(torch)) or _is_plain(held[name])):
        return held[name]
    raise Unknown


def _is_plain(value: Any) -> bool:
    return isinstance(value, (*PLAIN, torch.Tensor, tuple))
