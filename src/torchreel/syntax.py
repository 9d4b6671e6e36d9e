"""Python source as a tree, from any thread."""

from __future__ import annotations

import ast
import threading

# CPython counts the depth of the tree it makes in one place for all threads; where the garbage
# collector lets another thread in, both counts are wrong and it raises SystemError. Mended in
# CPython 3.11.8 and 3.12.2 (its issue 106905).
_ONE_AT_A_TIME = threading.Lock()


def parse(source: str) -> ast.Module:
    """Return the tree of Python source; raises SyntaxError, or ValueError for a null byte."""
    with _ONE_AT_A_TIME:
        return ast.parse(source)  # noqa: TID251
