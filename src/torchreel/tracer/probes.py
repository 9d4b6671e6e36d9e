"""Probes at statement boundaries, put into a script's syntax tree; its source stays untouched.

Every statement becomes ``enter(i); try: statement; finally: leave(i)``, and every lap of a loop
starts with ``lap(i)``, where ``i`` is the statement's index in ``Script.places``. What a ``for``
goes over becomes ``over(i, x)``, which returns ``x``: so the last lap is known beforehand. A call
of ``torch.FloatTensor`` or the like, in place of which nothing else can stand, becomes one of
``legacy(torch.FloatTensor)``. Line numbers are kept, so tracebacks are those of the script.
"""

from __future__ import annotations

import ast
import re

from torchreel.tracer.cells import Script, bodies

ENTER, LEAVE, LAP = "__torchreel_enter__", "__torchreel_leave__", "__torchreel_lap__"
OVER, LEGACY = "__torchreel_over__", "__torchreel_legacy__"
"""Builtins that the probes call (such names are not mangled in a class body)."""

LEGACY_TYPES = re.compile("(Float|Double|Half|BFloat16|Byte|Char|Short|Int|Long|Bool)Tensor")

DEEPEST = 5
"""Statements nested deeper than this get no probes: Python allows 20 nested blocks in a function,
and each probe is one more."""

COUNTED = ("enumerate", "zip", "reversed", "tqdm")
"""Calls that have as many elements as what they are given, and mostly no length of their own."""

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)


def probe(script: Script) -> ast.Module:
    """Put the probes into the script's own tree, and return it."""
    index = {id(place.node): number for number, place in enumerate(script.places)}
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Call) and LEGACY_TYPES.fullmatch(_last_name(node.func)):
            asked = ast.Call(ast.Name(LEGACY, ast.Load()), [node.func], [])
            node.func = ast.fix_missing_locations(ast.copy_location(asked, node.func))
    _probe_body(script.tree.body, index, depth=0)
    return script.tree


def _probe_body(body: list[ast.stmt], index: dict[int, int], depth: int) -> None:
    probed: list[ast.stmt] = []
    for node in body:
        _probe_inside(node, index, 0 if isinstance(node, SCOPES) else depth + 1)
        bare = depth > DEEPEST or _must_stay_bare(node)
        probed += [node] if bare else _guarded(node, index[id(node)])
    body[:] = probed


def _probe_inside(node: ast.stmt, index: dict[int, int], depth: int) -> None:
    for body in bodies(node):
        if _is_elif(body, node):  # guarded, a long chain of them would nest too deep
            _probe_inside(body[0], index, depth)
        else:
            _probe_body(body, index, depth)
    if isinstance(node, LOOPS) and depth <= DEEPEST + 1:
        node.body.insert(0, _call(LAP, index[id(node)], node))
        if isinstance(node, ast.For):
            node.iter = _over(node.iter, index[id(node)])


def _over(given: ast.expr, number: int) -> ast.expr:
    """Return what a loop goes over, asked for its length; of :data:`COUNTED` calls what is in
    them is asked."""
    if isinstance(given, ast.Call) and _last_name(given.func) in COUNTED:
        given.args = [
            each if isinstance(each, ast.Starred) else _over(each, number) for each in given.args
        ]
        return given
    asked = ast.Call(ast.Name(OVER, ast.Load()), [ast.Constant(number), given], [])
    return ast.fix_missing_locations(ast.copy_location(asked, given))


def _guarded(node: ast.stmt, number: int) -> list[ast.stmt]:
    leave = _call(LEAVE, number, node)
    guarded = ast.Try(body=[node], handlers=[], orelse=[], finalbody=[leave])
    return [_call(ENTER, number, node), _located(guarded, node)]


def _is_elif(body: list[ast.stmt], node: ast.stmt) -> bool:
    """Tell whether ``body`` is the ``elif`` of ``node``: an ``if`` in its own column."""
    return (
        isinstance(node, ast.If)
        and body is node.orelse
        and isinstance(body[0], ast.If)
        and body[0].col_offset == node.col_offset
    )


def _last_name(node: ast.expr) -> str:
    """Return the name that is called, without what it is an attribute of."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _must_stay_bare(node: ast.stmt) -> bool:
    """Tell statements that work only as the first of their body (docstrings, future imports), and
    those that do nothing when run."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, ast.Global | ast.Nonlocal | ast.Pass)


def _call(name: str, number: int, node: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name(name, ast.Load()), [ast.Constant(number)], [])
    return _located(ast.Expr(call), node)


def _located(made: ast.stmt, node: ast.stmt) -> ast.stmt:
    ast.copy_location(made, node)
    return ast.fix_missing_locations(made)
