from __future__ import annotations

import textwrap

import pytest

from torchreel.records import Cell, TorchReelError
from torchreel.tracer import parse_cells


def cells(source: str) -> tuple[Cell, ...]:
    return parse_cells(textwrap.dedent(source).lstrip("\n"), "lessons/shape/lesson.py")


def problem(source: str) -> tuple[str, str]:
    with pytest.raises(TorchReelError) as raised:
        cells(source)
    return raised.value.problem.where, raised.value.problem.what


def test_a_cell_goes_from_its_mark_to_the_next_without_blank_ends() -> None:
    first, second = cells(
        """
        import torch

        # %% reshape

        x = torch.arange(12)

        y = x.reshape(3, 4)

        # %%  squeeze it
        z = y
        """
    )
    assert (first.name, first.line) == ("reshape", 5)
    assert first.source == "x = torch.arange(12)\n\ny = x.reshape(3, 4)"
    assert [statement.lines for statement in first.statements] == [(1, 1), (3, 3)]
    assert (second.name, second.line, second.source) == ("squeeze it", 10, "z = y")


def test_a_script_without_marks_is_one_cell_named_after_the_file() -> None:
    (cell,) = cells("\n\nx = 1\n")
    assert (cell.name, cell.line, cell.source) == ("lesson", 1, "x = 1")


def test_a_mark_in_a_string_or_behind_code_or_indented_is_no_mark() -> None:
    (cell,) = cells(
        '''
        # %% only
        text = """
        # %% no
        """
        x = 1  # %% no
        if x:
            # %% no
            pass
        # %%% no
        '''
    )
    assert cell.name == "only"
    assert [statement.number for statement in cell.statements] == [1, 2, 3, 4]


def test_prose_marks_of_notebooks_end_a_cell_and_start_none() -> None:
    (cell,) = cells("# %% [markdown]\n# Words.\n# %% one\nx = 1\n# %% [markdown]\n# More.\ny = 2\n")
    assert (cell.name, cell.source) == ("one", "x = 1")


def test_statements_are_numbered_in_source_order_with_parents_kinds_and_headers() -> None:
    (cell,) = cells(
        """
        # %% all
        import torch

        @torch.no_grad()
        def step(x: int,
                 y: dict[str, int] = {"a": 1}):  # a comment: here
            return x

        for i in range(3):
            if i: step(i)
            else:
                a = 1; b = 2
        with torch.no_grad() as g:
            pass
        try:
            x = (1 +
                 2)
        except ValueError:
            x = 3
        finally:
            x = 4
        while lambda: 1: break
        match (x):
            case 1:
                y = 5
        class Net: size: int = 3
        é = "é"; z = é
        """
    )
    found = [(s.number, s.parent, s.kind, s.text) for s in cell.statements]
    header = '@torch.no_grad()\ndef step(x: int,\n         y: dict[str, int] = {"a": 1}):'
    assert found == [
        (1, None, "import", "import torch"),
        (2, None, "definition", header),
        (3, 2, "plain", "return x"),
        (4, None, "loop", "for i in range(3):"),
        (5, 4, "block", "if i:"),
        (6, 5, "plain", "step(i)"),
        (7, 5, "plain", "a = 1"),
        (8, 5, "plain", "b = 2"),
        (9, None, "block", "with torch.no_grad() as g:"),
        (10, 9, "plain", "pass"),
        (11, None, "block", "try:"),
        (12, 11, "plain", "x = (1 +\n     2)"),
        (13, 11, "plain", "x = 3"),
        (14, 11, "plain", "x = 4"),
        (15, None, "loop", "while lambda: 1:"),
        (16, 15, "plain", "break"),
        (17, None, "block", "match (x):"),
        (18, 17, "plain", "y = 5"),
        (19, None, "definition", "class Net:"),
        (20, 19, "plain", "size: int = 3"),
        (21, None, "plain", 'é = "é"'),
        (22, None, "plain", "z = é"),
    ]
    assert cell.statements[1].lines == (3, 6)


def test_moving_a_cell_or_a_comment_in_another_leaves_its_statements_equal() -> None:
    one = cells("# %% a\nx = 1\n# %% b\ny = 2\n")[1]
    moved = cells("import os\n\n# %% c\n# words\nx = 1\n\n\n# %% b\ny = 2\n")[1]
    assert moved.statements == one.statements
    assert moved.line != one.line


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("# %% a\nx = 1\n# %% a\n", "lesson.py:3", "a second cell is called 'a'"),
        ("# %% a\n# %%  \nx = 1\n", "lesson.py:2", "no name"),
        ("# %% a\nx = (1,\n# %% b\n2)\n", "lesson.py:3", "inside a statement"),
        ("# %% a\nx = 1\ny = = 2\n", "lesson.py:3", "SyntaxError: invalid syntax"),
        ("x = 1\nreturn x\n", "lesson.py:2", "SyntaxError: 'return' outside function"),
        ("if True:\nx = 1\n", "lesson.py:2", "IndentationError: expected an indented block"),
    ],
)
def test_bad_scripts_are_problems_with_a_line(source: str, where: str, what: str) -> None:
    at, said = problem(source)
    assert at == f"lessons/shape/{where}"
    assert what in said


def test_a_syntax_error_shows_a_caret_under_its_place() -> None:
    with pytest.raises(TorchReelError) as raised:
        cells("if True:\n    y = = 2\n")
    assert raised.value.problem.remedy.splitlines() == ["y = = 2", "        ^"]
