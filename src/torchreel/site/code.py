"""The code of a cell as HTML: one element a line, its number before it, what it made behind it, or
below it what it raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from torchreel.records import Cell, Run, Statement, Trace
from torchreel.site.literals import shape_text
from torchreel.site.statements import last_run, words_of
from torchreel.site.words import Words


def code(trace: Trace, cell: Cell, words: Words, cues_of: Callable[[int], Sequence[int]]) -> str:
    """Return the lines of a cell; ``cues_of`` gives the cues that show a statement."""
    source = highlight(cell.source, PythonLexer(stripnl=False), HtmlFormatter[str](nowrap=True))
    owners, made, raised = _owners(cell), _made(trace, cell), _raised(trace, cell)
    rows = zip(cell.source.split("\n"), source.removesuffix("\n").split("\n"), strict=True)
    lines = []
    for number, (plain, text) in enumerate(rows, 1):
        owner = owners.get(number)
        cues = cues_of(owner) if owner is not None else ()
        shape = f'<span class="tr-shape">{made.get(number, "")}</span>' if owner else ""
        kind = "tr-line tr-failed" if number in raised else "tr-line"
        lines.append(
            f'<span class="{kind}" data-line="{number}"{_data(owner, cues)}{_indent(plain)}>'
            f"{_gutter(number, cell, owner, cues, words)}"
            f'<span class="tr-text">{_indented(text)}</span>{shape}'
            f"{_error(raised.get(number, ''), words)}</span>"
        )
    label = escape(f"{words.code}: {trace.script}, {cell.name}")
    return (
        f'<div class="tr-code highlight no-copy"><pre tabindex="0" role="region"'
        f' aria-label="{label}"><code>{"".join(lines)}</code></pre></div>'
    )


def header_lines(statement: Statement) -> tuple[int, int]:
    """Return the lines of a statement that are its own: of a loop only its header."""
    if statement.kind in ("plain", "import"):
        return statement.lines
    first = statement.lines[0]
    return first, first + statement.text.count("\n")


def _data(owner: int | None, cues: Sequence[int]) -> str:
    if owner is None:
        return ""
    shown = f' data-cues="{" ".join(map(str, cues))}"' if cues else ""
    return f' data-statement="{owner}"{shown}'


def _indent(text: str) -> str:
    """Say how far in a line begins: where it is too long, its rest begins further in."""
    spaces = len(text) - len(text.lstrip(" "))
    return f' style="--tr-indent: {spaces}"' if spaces else ""


def _indented(text: str) -> str:
    spaces = len(text) - len(text.lstrip(" "))
    return f'<span class="tr-indent">{text[:spaces]}</span>{text[spaces:]}' if spaces else text


def _gutter(line: int, cell: Cell, owner: int | None, cues: Sequence[int], words: Words) -> str:
    """Return a line's number: a link to its transcript item where a cue shows it."""
    if not cues:
        return f'<span class="tr-number" data-number="{line}"></span>'
    label = escape(words.line.format(line=line))
    target = escape(f"#{cell.name}-{owner}".replace(" ", "-"))
    return f'<a class="tr-number" href="{target}" data-number="{line}" aria-label="{label}"></a>'


def _made(trace: Trace, cell: Cell) -> dict[int, str]:
    """Return the note at the end of a line: the tensors its statement made, not those of a body."""
    notes: dict[int, str] = {}
    for statement in cell.statements:
        run = last_run(trace, cell, statement.number)
        changed = run.changed if run else {}
        written = words_of(statement.text)
        inner = _names_below(trace, cell, statement.number)
        texts = [
            f"{escape(name)} {shape_text(trace.tensor(tensor).shape)}".replace(" ", "&nbsp;")
            for name, tensor in changed.items()
            if tensor is not None and name not in inner and name in written
        ]
        if texts:
            line = header_lines(statement)[1]
            notes[line] = " ".join([*filter(None, [notes.get(line)]), *texts])
    return notes


def _raised(trace: Trace, cell: Cell) -> dict[int, str]:
    """Return what a statement raised last, the class and the message, by its own last line."""
    lines = {each.number: header_lines(each)[1] for each in cell.statements}
    return {
        lines[run.statement]: error
        for run in trace.runs
        if run.cell == cell.name and (error := error_of(trace, run))
    }


def error_of(trace: Trace, run: Run) -> str:
    """Return the class and the message of what the last torch call of a run that failed raised;
    nothing where none did."""
    found = [clash for step in run.steps if (clash := trace.steps[step].clash) is not None]
    return f"{found[-1].type}: {found[-1].message}" if found else ""


def _error(text: str, words: Words) -> str:
    if not text:
        return ""
    label = f'<span class="tr-spoken">{escape(words.raises)} </span>'
    return f'<span class="tr-raised">{label}{escape(text)}</span>'


def _names_below(trace: Trace, cell: Cell, number: int) -> set[str]:
    """Return the names that the statements of a body made."""
    names: set[str] = set()
    for statement in cell.statements:
        if statement.parent == number:
            run = last_run(trace, cell, statement.number)
            names |= set(run.changed if run else ()) | _names_below(trace, cell, statement.number)
    return names


def _owners(cell: Cell) -> dict[int, int]:
    """Return which statement each line belongs to; the innermost wins."""
    owners: dict[int, int] = {}
    for statement in sorted(cell.statements, key=_extent, reverse=True):
        for line in range(statement.lines[0], statement.lines[1] + 1):
            owners[line] = statement.number
    return owners


def _extent(statement: Statement) -> int:
    return statement.lines[1] - statement.lines[0]
