"""What a build says while it runs and when it is done."""

from io import StringIO

from rich.console import Console

from torchreel.plan import Build, Outcome
from torchreel.records import Problem
from torchreel.report import Terminal, print_problems, table, told

KEY = "lessons/a/lesson.py:one:page:dark"
DONE = Outcome(KEY, "clip", "rendered", ("stage/ops/[x].py changed",), 1.25, 4321)
KEPT = Outcome("lessons/a/lesson.py", "trace", "reused")


def said(*, terminal: bool) -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, force_terminal=terminal, width=100, highlight=False), text


def test_without_a_terminal_there_is_a_plain_line_for_what_was_made() -> None:
    console, text = said(terminal=False)
    with Terminal(console) as progress:
        progress.started(KEY, "clip", DONE.why)
        progress.finished(DONE)
        progress.finished(KEPT)
    assert text.getvalue() == "rendered lessons/a/lesson.py:one 1.2 s (stage/ops/[x].py changed)\n"


def test_on_a_terminal_there_is_a_spinner_while_it_is_made() -> None:
    console, text = said(terminal=True)
    with Terminal(console) as progress:
        progress.started(KEY, "clip", ("new",))
        progress._spinners.refresh()
        assert "rendering lessons/a/lesson.py:one" in text.getvalue()
        progress.finished(DONE)
    assert "1.2 s" in text.getvalue()


def test_the_table_names_clip_state_seconds_size_and_reason() -> None:
    console, text = said(terminal=False)
    console.print(table(Build((KEPT, DONE), (), 2.0)))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert lines[0] == ["clip", "seconds", "kB", "why"]
    assert lines[1] == ["lessons/a/lesson.py", "reused"]
    assert lines[2][:4] == ["lessons/a/lesson.py:one", "rendered", "1.2", "4"]
    assert " ".join(lines[2][4:]) == "stage/ops/[x].py changed"
    assert " ".join(lines[3]) == "1 made, 0 problems, 2.0 s"


def test_reasons_of_many_files_are_counted_a_folder() -> None:
    few = ("lessons/a/lesson.py changed", "stage/tape.py changed", "stage/ops/cat.py added")
    assert told(few) == "; ".join(few)
    many = (*few, "stage/block.py changed", "torch 2.9.0 → 2.9.1", "stage/cast.py removed")
    assert told(many) == (
        "lessons/a/lesson.py changed; stage/ changed in 4 files; torch 2.9.0 → 2.9.1"
    )


def test_a_problem_is_said_as_it_is_with_its_brackets() -> None:
    console, text = said(terminal=False)
    print_problems(console, [Problem("a.py:1", "got [1, 2]", "Mend it.")])
    assert text.getvalue() == "✗ a.py:1: got [1, 2]\n    Mend it.\n"
