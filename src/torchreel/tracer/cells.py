"""Cells and statements of a script, by its source alone (``ast`` and ``tokenize``, never torch).

A cell starts at a comment ``# %% name`` at the very start of a line and ends at the next; its name
is all that follows ``%%``. A mark inside a string is no mark. ``# %% [markdown]`` (also ``[md]``
and ``[raw]``), which jupytext and VS Code use for prose in comments, ends the cell before it and
starts none: like the lines before the first mark, its lines belong to no cell and run all the same.
A script without marks is one cell named after the file.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from torchreel.records import Cell, Problem, Statement, TorchReelError
from torchreel.syntax import parse

MARK = re.compile(r"# ?%%(?!%)(.*)")
PROSE = re.compile(r"\[(markdown|md|raw)\]")

Kind = Literal["plain", "loop", "block", "definition", "import"]
Position = tuple[int, int]
"""Line (from 1) and column (from 0, in characters of the line)."""

KINDS: dict[type[ast.stmt], Kind] = {
    ast.For: "loop",
    ast.AsyncFor: "loop",
    ast.While: "loop",
    ast.With: "block",
    ast.AsyncWith: "block",
    ast.If: "block",
    ast.Try: "block",
    ast.TryStar: "block",
    ast.Match: "block",
    ast.FunctionDef: "definition",
    ast.AsyncFunctionDef: "definition",
    ast.ClassDef: "definition",
    ast.Import: "import",
    ast.ImportFrom: "import",
}


@dataclass(frozen=True)
class Place:
    """A statement in the script: its cell (None: in no cell), its record and its syntax tree."""

    cell: str | None
    statement: Statement
    node: ast.stmt


@dataclass(frozen=True)
class Script:
    """A parsed script: ``path`` as messages name it, its cells, and every statement in order."""

    path: str
    source: str
    tree: ast.Module
    cells: tuple[Cell, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class _Section:
    """The lines ``first`` to ``last`` of the file (from 1) that belong to one cell, or to none."""

    name: str | None
    first: int
    last: int


def parse_cells(source: str, script: str) -> tuple[Cell, ...]:
    """Return the cells of a script's source; ``script`` is its path, for names and messages.

    Raises TorchReelError where Python cannot parse it, where two cells have one name or a cell has
    none, and where a mark stands inside a statement.
    """
    return parse_script(source, script).cells


def parse_script(source: str, script: str) -> Script:
    """Return the script's cells with the syntax tree; raises as :func:`parse_cells` does."""
    tree = _parse(source, script)
    sections = _sections(source, script)
    colons = _colons(source)
    lines = source.split("\n")
    cells, places = [], []
    loose = 0
    for section in sections:
        nodes = [node for node in tree.body if section.first <= start(node)[0] <= section.last]
        for node in nodes:
            if end(node)[0] > section.last:
                raise _problem(
                    f"{script}:{section.last + 1}",
                    "a cell's mark stands inside a statement",
                    f"Move the mark below the statement of line {start(node)[0]}, or indent it.",
                )
        if section.name is None:
            made = list(_statements(nodes, source, colons, first_number=loose + 1))
            loose += len(made)
            places += [Place(None, statement, node) for statement, node in made]
            continue
        line, text = _trimmed(lines, section)
        made = list(_statements(nodes, source, colons, first_line=line))
        places += [Place(section.name, statement, node) for statement, node in made]
        cells.append(Cell(section.name, line, text, tuple(statement for statement, _ in made)))
    return Script(script, source, tree, tuple(cells), tuple(places))


def start(node: ast.stmt) -> Position:
    """Return where a statement starts, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return (decorators[0] if decorators else node).lineno, node.col_offset


def end(node: ast.stmt) -> Position:
    """Return where a statement ends."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements that a compound statement holds, in source order."""
    for _, value in ast.iter_fields(node):
        if not isinstance(value, list) or not value:
            continue
        if isinstance(value[0], ast.stmt):
            yield value
        for item in value:
            if isinstance(item, ast.ExceptHandler | ast.match_case):
                yield item.body


def _parse(source: str, script: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run itself shows them
            # Compiled, for errors that the grammar alone does not show (a return outside). With the
            # script's name the error's place would be sought in the file, which may be newer.
            compile(source, "<script>", "exec", dont_inherit=True)
            return parse(source)
    except SyntaxError as error:
        where = f"{script}:{error.lineno}" if error.lineno else script
        raise _problem(
            where, f"{type(error).__name__}: {error.msg}", _caret(error, source)
        ) from None
    except ValueError as error:  # a null byte
        raise _problem(script, f"not a Python script: {error}", "") from None


def _caret(error: SyntaxError, source: str) -> str:
    if not error.lineno or not error.offset:
        return ""
    line = source.split("\n")[error.lineno - 1]
    column = error.offset - 1 - (len(line) - len(line.lstrip()))
    return f"{line.strip()}\n    {' ' * max(column, 0)}^"


def _problem(where: str, what: str, remedy: str) -> TorchReelError:
    return TorchReelError(Problem(where, what, remedy))


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _marks(source: str) -> list[tuple[int, str]]:
    """Return the line and the name of every mark."""
    marks = []
    for token in _tokens(source):
        if token.type == tokenize.COMMENT and token.start[1] == 0:
            found = MARK.match(token.string)
            if found:
                marks.append((token.start[0], found[1].strip()))
    return marks


def _sections(source: str, script: str) -> list[_Section]:
    last = source.count("\n") + 1
    marks = _marks(source)
    if all(PROSE.match(name) for _, name in marks):
        return [_Section(PurePath(script).stem, 1, last)]
    sections = [_Section(None, 1, marks[0][0] - 1)]
    lines: dict[str, int] = {}
    ends = [line - 1 for line, _ in marks[1:]] + [last]
    for (line, name), stop in zip(marks, ends, strict=True):
        if PROSE.match(name):
            sections.append(_Section(None, line + 1, stop))
            continue
        if not name:
            raise _problem(
                f"{script}:{line}", "this cell has no name", "Write a name after it: # %% reshape"
            )
        if name in lines:
            raise _problem(
                f"{script}:{line}",
                f"a second cell is called {name!r}; the first is on line {lines[name]}",
                "Give one of them another name.",
            )
        lines[name] = line
        sections.append(_Section(name, line + 1, stop))
    return sections


def _trimmed(lines: list[str], section: _Section) -> tuple[int, str]:
    """Return a section's first line that is not blank, and its text without blank ends."""
    first, last = section.first, section.last
    while first <= last and not lines[first - 1].strip():
        first += 1
    while last >= first and not lines[last - 1].strip():
        last -= 1
    if first > last:
        return section.first, ""
    return first, "\n".join(lines[first - 1 : last])


def _colons(source: str) -> list[Position]:
    """Return where every ``:`` of the script ends, in characters."""
    return [token.end for token in _tokens(source) if token.string == ":"]


def _statements(
    nodes: list[ast.stmt],
    source: str,
    colons: list[Position],
    *,
    first_line: int = 1,
    first_number: int = 1,
) -> Iterator[tuple[Statement, ast.stmt]]:
    """Yield every statement of a section, nested ones included, numbered in source order."""
    lines = source.split("\n")  # not splitlines: Python's lines end at newlines alone
    number = first_number - 1

    def visit(node: ast.stmt, parent: int | None) -> Iterator[tuple[Statement, ast.stmt]]:
        nonlocal number
        number += 1
        here = number
        inner = sorted(
            (child for body in bodies(node) for child in body), key=lambda child: start(child)
        )
        stop = _header_end(node, inner, lines, colons)
        yield (
            Statement(
                number=here,
                lines=(start(node)[0] - first_line + 1, end(node)[0] - first_line + 1),
                text=_text(lines, _characters(lines, start(node)), stop),
                parent=parent,
                kind=KINDS.get(type(node), "plain"),
            ),
            node,
        )
        for child in inner:
            yield from visit(child, here)

    for node in nodes:
        yield from visit(node, None)


def _characters(lines: list[str], position: Position) -> Position:
    """Turn ``ast``'s column (in UTF-8 bytes) into one in characters."""
    line, column = position
    return line, len(lines[line - 1].encode()[:column].decode())


def _header_end(
    node: ast.stmt, inner: list[ast.stmt], lines: list[str], colons: list[Position]
) -> Position:
    """Return where the text of a statement ends: of a compound one, behind its header's colon."""
    if isinstance(node, ast.Match):
        assert node.subject.end_lineno is not None
        assert node.subject.end_col_offset is not None
        subject = _characters(lines, (node.subject.end_lineno, node.subject.end_col_offset))
        return min(colon for colon in colons if colon > subject)
    if not inner:
        return _characters(lines, end(node))
    body = _characters(lines, start(inner[0]))
    return max(colon for colon in colons if colon <= body)


def _text(lines: list[str], first: Position, last: Position) -> str:
    """Return the source between two positions without its common indentation."""
    picked = lines[first[0] - 1 : last[0]]
    picked[-1] = picked[-1][: last[1]]
    picked[0] = " " * first[1] + picked[0][first[1] :]
    return textwrap.dedent("\n".join(picked)).strip()
