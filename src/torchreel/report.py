"""What a build says on the terminal: a line a clip while it runs, then a table and the problems."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from torchreel.plan import Build, Outcome
from torchreel.plan.outcome import What
from torchreel.records import Problem
from torchreel.site.words import counted

_VERBS = {"trace": "running", "clip": "rendering"}
_COLORS = {"failed": "bold red", "rendered": "green", "traced": "green", "stale": "yellow"}
_USUAL = ":page:dark"
_FEW = 3
_PLAIN_WIDTH = 120


def terminal(*, stderr: bool = False) -> Console:
    """Return the console to write to; wide enough for a table where it is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH)
    )


class Terminal:
    """A Progress that shows what is being made: spinners on a terminal, else a line when done."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or terminal(stderr=True)
        self._spinners = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def started(self, key: str, what: What, why: tuple[str, ...]) -> None:
        """Show a spinner for what is being made."""
        text = f"{_VERBS[what]} {name_of(key)} [dim]({escape(told(why))})[/dim]"
        with self._lock:
            self._tasks[key] = self._spinners.add_task(text, total=None)

    def finished(self, outcome: Outcome) -> None:
        """Print a line about what was made; what was reused says nothing."""
        with self._lock:
            task = self._tasks.pop(outcome.key, None)
            if task is not None:
                self._spinners.remove_task(task)
        if outcome.state != "reused":
            self._console.print(
                f"{_state(outcome)} {name_of(outcome.key)}"
                f" [dim]{outcome.seconds:.1f} s ({escape(told(outcome.why))})[/dim]",
                soft_wrap=True,
            )

    def __enter__(self) -> Self:
        self._spinners.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spinners.stop()


def name_of(key: str) -> str:
    """Return a key as it is shown: the artboard and theme only where they are unusual."""
    return escape(key.removesuffix(_USUAL))


def told(why: Iterable[str]) -> str:
    """Return reasons in one line; more than three of one folder are counted, not listed."""
    by_folder: dict[str, list[str]] = {}
    for reason in why:
        path = reason.split(" ")[0]
        folder = path.split("/")[0] + "/" if "/" in path else reason
        by_folder.setdefault(folder, []).append(reason)
    lines = (
        each if len(each) <= _FEW else [f"{folder} changed in {len(each)} files"]
        for folder, each in by_folder.items()
    )
    return "; ".join(line for each in lines for line in each)


def table(build: Build) -> Table:
    """Return the table of what a build made, reused or failed to make."""
    made = sum(outcome.state in ("rendered", "traced") for outcome in build.outcomes)
    title = f"{made} made, {counted(len(build.problems), 'problem')}, {build.seconds:.1f} s"
    table = Table(caption=title, caption_justify="left", box=None, pad_edge=False)
    for name in ("clip", "", "seconds", "kB", "why"):
        table.add_column(name, justify="right" if name in ("seconds", "kB") else "left")
    for outcome in build.outcomes:
        table.add_row(
            name_of(outcome.key),
            _state(outcome),
            f"{outcome.seconds:.1f}" if outcome.seconds else "",
            f"{outcome.bytes / 1000:.0f}" if outcome.bytes else "",
            escape(told(outcome.why)),
        )
    return table


def print_problems(console: Console, problems: Iterable[Problem]) -> None:
    """Print each problem: where, what, and what to do."""
    for problem in problems:
        console.print(f"[bold red]✗[/] {escape(str(problem))}", soft_wrap=True)


def print_warnings(console: Console, warnings: Iterable[Problem]) -> None:
    """Print what the checker found wrong with frames; the remedy once, after the last of a place.

    It is no error: the clip is there, and a person looks at it.
    """
    told = list(warnings)
    for index, each in enumerate(told):
        last = index + 1 == len(told) or told[index + 1].remedy != each.remedy
        said = each if last else replace(each, remedy="")
        console.print(f"[bold yellow]![/] {escape(str(said))}", soft_wrap=True)


def _state(outcome: Outcome) -> str:
    color = _COLORS.get(outcome.state, "dim")
    return f"[{color}]{outcome.state}[/]"
