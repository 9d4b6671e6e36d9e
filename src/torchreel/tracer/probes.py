"""Probes at statement boundaries, put into a script's syntax tree; its source stays untouched.

Every statement becomes ``enter(i); try: statement; finally: leave(i)``, and every lap of a loop
starts with ``lap(i)``, where ``i`` is the statement's index in ``Script.places``. Line numbers are
kept, so tracebacks are those of the script.
"""

from __future__ import annotations

import ast

from torchreel.tracer.cells import Script, bodies

ENTER, LEAVE, LAP = "__torchreel_enter__", "__torchreel_leave__", "__torchreel_lap__"
"""Globals of the script that the probes call (such names are not mangled in a class body)."""


def probe(script: Script) -> ast.Module:
    """Put the probes into the script's own tree, and return it."""
    index = {id(place.node): number for number, place in enumerate(script.places)}
    for place in script.places:
        for body in bodies(place.node):
            _wrap(body, index)
        if isinstance(place.node, ast.For | ast.AsyncFor | ast.While):
            place.node.body.insert(0, _call(LAP, index[id(place.node)], place.node))
    _wrap(script.tree.body, index)
    return script.tree


def _wrap(body: list[ast.stmt], index: dict[int, int]) -> None:
    wrapped: list[ast.stmt] = []
    for node in body:
        if _must_stay_bare(node):
            wrapped.append(node)
            continue
        number = index[id(node)]
        leave = _call(LEAVE, number, node)
        guarded = ast.Try(body=[node], handlers=[], orelse=[], finalbody=[leave])
        wrapped += [_call(ENTER, number, node), _located(guarded, node)]
    body[:] = wrapped


def _must_stay_bare(node: ast.stmt) -> bool:
    """Tell the statements that only work first in their body (docstrings, future imports), or that
    do nothing when run."""
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
