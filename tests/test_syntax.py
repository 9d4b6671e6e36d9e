"""Trees are made one at a time: CPython's count of their depth is one for all threads."""

from __future__ import annotations

import ast
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from torchreel import syntax


def test_a_source_becomes_its_tree() -> None:
    source = "x = t.reshape(3, 4)  # in rows"
    assert ast.dump(syntax.parse(source)) == ast.dump(ast.parse(source))


def test_threads_parse_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[str] = []
    seen: list[int] = []
    parse = ast.parse

    def watched(source: str) -> ast.Module:
        inside.append(source)
        time.sleep(0.01)  # what the garbage collector does: other threads come in
        seen.append(len(inside))
        inside.remove(source)
        return parse(source)

    monkeypatch.setattr(ast, "parse", watched)
    with ThreadPoolExecutor(4) as threads:
        trees = list(threads.map(syntax.parse, (f"x = {number}" for number in range(8))))
    assert seen == [1] * 8
    assert [ast.unparse(tree) for tree in trees] == [f"x = {number}" for number in range(8)]


def test_what_is_no_python_is_an_error_and_the_next_source_is_read() -> None:
    with pytest.raises(SyntaxError):
        syntax.parse("x = (")
    assert syntax.parse("x = 1").body
