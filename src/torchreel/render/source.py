"""What a source file means, apart from its comments, layout and docstrings."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

from torchreel.store import digest_of
from torchreel.syntax import parse


def source_digest(path: Path) -> str:
    """Return the sha256 of what a Python file means; raises SyntaxError."""
    return code_digest(path.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=256)
def code_digest(text: str) -> str:
    """Return the sha256 of what Python source means; raises SyntaxError."""
    return meaning(*parse(text).body)


def meaning(*nodes: ast.AST) -> str:
    """Return the sha256 of these nodes without their docstrings and positions."""
    return digest_of([ast.dump(_Undocumented().visit(node)) for node in nodes])


class _Undocumented(ast.NodeTransformer):
    """Takes docstrings, and other lines that are only a string, out of the tree."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.copy_location(ast.Pass(), node) if is_text else node
