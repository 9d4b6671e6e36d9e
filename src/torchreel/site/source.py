"""What a page's Markdown asks for, before any artifact is read: clip blocks and references.

    /// clip | reshape
        alt: Twelve cells fold into {{ y.shape }}.

    1. `torch.arange(12)` lays out twelve numbers: {{ x.shape }}.
    ///

A code span quotes, too. Fenced code, comments and an escaped ``\\{{`` are left alone. Joining the
pieces of a page, with their ``raw`` text for what is not plain, gives the page back to the letter.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torchreel.records import Problem

LESSON_SCRIPT = "lesson.py"
"""The script that is meant where a page names none."""

OPTIONS = ("alt", "show")
"""The options of a clip block: see :class:`ClipBlock`."""

SHOW = ("all", "video", "loop", "poster", "card")
"""What ``show`` may say: everything; only the video; the video over and over, without sound; only
its poster (a picture); a card that leads to the page beside the clip's script."""

_FRONT_MATTER = re.compile(r"\A-{3}[ \t]*\n(?:.*\n)*?(?:-{3}|\.{3})[ \t]*\n\n*")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r"^(?P<lead>[ \t>]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_HEADER = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>/{3,})[ \t]*clip(?![\w-])(?P<rest>.*)$")
_SLASHES = re.compile(r"^[ \t]*(?P<fence>/{3,})(?P<rest>.*)$")
_OPTION = re.compile(r"^(?P<indent>[ ]+)(?P<name>[\w-]+):(?P<value>.*)$")
_ITEM = re.compile(r"^(?P<indent>[ ]*)(?:\d+[.)]|[-*+])[ ]+(?P<text>.*)$")
_INLINE = re.compile(
    r"""\\\{\{                                                  # escaped
      | <!--.*?-->                                              # comment
      | (?<![`\\])(?P<tick>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=tick)(?!`)  # code span
      | (?P<reference>\{\{(?:[^{}\n]*\}\})?)""",
    re.VERBOSE | re.DOTALL,
)
_IN_CODE = re.compile(r"(?P<escaped>\\\{\{)|\{\{(?:[^{}\n]*\}\})?")


@dataclass(frozen=True)
class Reference:
    """``{{ name.shape }}``, quoted from a trace.

    ``line`` is in the source, ``raw`` as written; ``code`` says that it stands in a code span.
    """

    line: int
    raw: str
    code: bool = False

    @property
    def text(self) -> str | None:
        """What stands between the braces, or None where they are not closed."""
        return self.raw[2:-2].strip() if self.raw.endswith("}}") else None


@dataclass(frozen=True)
class Escape:
    """``\\{{`` in a code span, where Markdown keeps a backslash: two braces, no reference."""

    line: int
    raw: str


Prose = tuple["str | Reference | Escape", ...]
"""Markdown with its references."""


@dataclass(frozen=True)
class Item:
    """One item of a transcript, with the nested items of a loop's body."""

    line: int
    prose: Prose
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class ClipBlock:
    """``/// clip | target`` to its closing ``///``.

    ``script`` is relative to the project; a script alone means the cell that is named after it (it
    has no marks). The options are ``alt``, what the clip shows in words, and ``show``, one of
    :data:`SHOW`. ``problems`` says what is wrong with the block's own text.
    """

    line: int
    raw: str
    indent: str
    script: str
    cell: str
    options: Mapping[str, Prose] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    problems: tuple[Problem, ...] = ()

    def prose(self) -> Iterator[Prose]:
        """Yield the Markdown in the block, options first."""
        yield from self.options.values()
        waiting = list(self.items)
        while waiting:
            item = waiting.pop(0)
            yield item.prose
            waiting[:0] = item.items


@dataclass(frozen=True)
class Slashes:
    """A line that starts with ``///`` and is none of ours: another extension's, or a mistake."""

    line: int
    raw: str


Piece = str | Reference | Escape | ClipBlock | Slashes


def front_matter(text: str) -> str:
    """Return the front matter at the start of a page, with its closing line, or nothing."""
    match = _FRONT_MATTER.match(text)
    return match[0] if match else ""


def beside(page: str, script: str) -> str:
    """Return the path of ``script`` (as a page writes it) relative to the project."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), script))


def parse(text: str, page: str, first_line: int = 1) -> tuple[Piece, ...]:
    """Return the pieces of a page's Markdown, in order.

    ``page`` is the page's path relative to the project, ``first_line`` the line of the source
    file on which ``text`` starts (builders strip the front matter).
    """
    head = front_matter(text)
    body = text[len(head) :]
    parser = _Parser(page, first_line + head.count("\n"))
    pieces = tuple(parser.pieces(_LINE.findall(body)))
    return (head, *pieces) if head else pieces


def prose(text: str, line: int) -> Prose:
    """Return Markdown split at its references; ``line`` is the line on which it starts."""
    pieces: list[str | Reference | Escape] = []
    start = 0
    for match, special in _inline(text, line):
        pieces += [text[start : match.start()], special]
        start = match.end()
    pieces.append(text[start:])
    return tuple(piece for piece in pieces if piece != "")


def _inline(text: str, line: int) -> Iterator[tuple[re.Match[str], Reference | Escape]]:
    """Yield what is not plain in the text, with where it stands."""
    for match in _INLINE.finditer(text):
        if match["reference"]:
            yield match, Reference(line + text.count("\n", 0, match.start()), match[0])
        elif match["tick"]:
            for inner in _IN_CODE.finditer(text, match.start(), match.end()):
                at = line + text.count("\n", 0, inner.start())
                raw = inner[0]
                yield inner, Escape(at, raw) if inner["escaped"] else Reference(at, raw, True)


@dataclass(frozen=True)
class _Parser:
    """The parser of one page; its lines keep their line ends."""

    page: str
    first_line: int

    def pieces(self, lines: Sequence[str]) -> Iterator[Piece]:
        start = index = 0
        while index < len(lines):
            special, end = self._special(lines, index)
            if special is None:
                index += 1
                continue
            yield from self._prose(lines, start, index)
            yield special
            start = index = end
        yield from self._prose(lines, start, len(lines))

    def problem(self, index: int, what: str, remedy: str) -> Problem:
        """Return a problem in the line with this index."""
        return Problem(f"{self.page}:{self.first_line + index}", what, remedy)

    def _special(self, lines: Sequence[str], start: int) -> tuple[Piece | None, int]:
        """Return what starts on a line that is not prose, and the index after it."""
        if end := _fence_end(lines, start):
            return "".join(lines[start:end]), end
        if header := _HEADER.match(lines[start]):
            return self._block(lines, start, header)
        if _SLASHES.match(lines[start]):
            return Slashes(self.first_line + start, lines[start]), start + 1
        return None, start

    def _prose(self, lines: Sequence[str], start: int, end: int) -> Prose:
        return prose("".join(lines[start:end]), self.first_line + start)

    def _block(
        self, lines: Sequence[str], start: int, header: re.Match[str]
    ) -> tuple[ClipBlock, int]:
        end = _block_end(lines, start, header["fence"])
        last = end or _options_end(lines, start)
        problems = []
        if not end:
            what, remedy = "the clip block is not closed", "End it with a line `///`."
            problems.append(self.problem(start, what, remedy))
        script, cell = _target(header["rest"])
        if not cell:
            problems.append(self.problem(start, "the clip block names no cell", _NAME_A_CELL))
        indent = header["indent"]
        inner = lines[start + 1 : last - 1 if end else last]
        body = _Body(self, start + 1, [line.rstrip("\n").removeprefix(indent) for line in inner])
        options, items = body.options(), body.items()
        block = ClipBlock(
            line=self.first_line + start,
            raw="".join(lines[start:last]),
            indent=indent,
            script=beside(self.page, script),
            cell=cell,
            options=options,
            items=items,
            problems=(*problems, *body.problems),
        )
        return block, last


_NAME_A_CELL = "Write `/// clip | cell`, or `/// clip | other.py:cell`."
_INDENT = "Indent options by four spaces, right below the header; number the transcript 1., 2., …"


class _Body:
    """The lines between a block's header and its end: options, then the transcript."""

    def __init__(self, parser: _Parser, first: int, lines: Sequence[str]) -> None:
        self.parser, self.first, self.lines = parser, first, lines
        self.index = 0
        self.problems: list[Problem] = []

    def options(self) -> dict[str, Prose]:
        """Read the options; a deeper indented line goes on with the one above it."""
        found: dict[str, Prose] = {}
        while option := self._option():
            name, text, index = option
            line = self.parser.first_line + self.first + index
            if name in OPTIONS:
                found[name] = prose(text, line)
            else:
                self._problem(index, f"unknown option {name!r}", f"Options: {', '.join(OPTIONS)}.")
            if name == "show" and text not in SHOW:
                self._problem(index, f"unknown `show: {text}`", f"One of: {', '.join(SHOW)}.")
        return found

    def _option(self) -> tuple[str, str, int] | None:
        index = self.index
        match = _OPTION.match(self.lines[index]) if index < len(self.lines) else None
        if not match:
            return None
        text = [match["value"].strip()]
        self.index += 1
        while self.index < len(self.lines):
            line = self.lines[self.index]
            if not line.strip() or len(line) - len(line.lstrip()) <= len(match["indent"]):
                break
            text.append(line.strip())
            self.index += 1
        return match["name"], "\n".join(text), index

    def items(self) -> tuple[Item, ...]:
        """Read the transcript: items at one level, deeper ones nested in the item above them."""
        rows: list[tuple[int, int, list[str]]] = []  # indent, index, lines
        for index in range(self.index, len(self.lines)):
            line = self.lines[index]
            match = _ITEM.match(line)
            if match:
                rows.append((len(match["indent"]), index, [match["text"]]))
            elif rows and line.startswith(" ") and line.strip():
                rows[-1][2].append(line.strip())
            elif line.strip() and rows and self.lines[index - 1].strip():
                rows[-1][2].append(line.strip())  # a lazy continuation, as Markdown has it
            elif line.strip():
                what = f"a clip block holds options and a numbered list, not {line.strip()!r}"
                self._problem(index, what, _INDENT)
        return self._nested(rows)

    def _nested(self, rows: Sequence[tuple[int, int, list[str]]]) -> tuple[Item, ...]:
        items = []
        starts = [i for i, row in enumerate(rows) if row[0] <= rows[0][0] + 1]
        for start, end in itertools.pairwise([*starts, len(rows)]):
            _, index, text = rows[start]
            line = self.parser.first_line + self.first + index
            nested = self._nested(rows[start + 1 : end])
            items.append(Item(line, prose("\n".join(text), line), nested))
        return tuple(items)

    def _problem(self, index: int, what: str, remedy: str) -> None:
        self.problems.append(self.parser.problem(self.first + index, what, remedy))


def _target(rest: str) -> tuple[str, str]:
    """Split ``| other.py:cell`` into script and cell; the cell is empty where none is named."""
    bar, _, target = rest.strip().partition("|")
    script, _, cell = target.strip().rpartition(":")
    if not script and cell.endswith(".py"):
        script, cell = cell, posixpath.basename(cell).removesuffix(".py")
    return script or LESSON_SCRIPT, "" if bar else cell


def _fence_end(lines: Sequence[str], start: int) -> int | None:
    """Return the index after the fenced code that starts here, or None where none does."""
    match = _FENCE.match(lines[start])
    if not match or (match["fence"][0] == "`" and "`" in match["info"]):
        return None
    mark = match["fence"]
    closing = re.compile(rf"^[ \t>]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
    for index in range(start + 1, len(lines)):
        if closing.match(lines[index]):
            return index + 1
    return None


def _block_end(lines: Sequence[str], start: int, fence: str) -> int | None:
    """Return the index after the block's closing line, or None where it is not closed."""
    for index in range(start + 1, len(lines)):
        match = _SLASHES.match(lines[index])
        if match and not match["rest"].strip() and match["fence"] == fence:
            return index + 1
        if match and match["rest"].strip():
            return None
    return None


def _options_end(lines: Sequence[str], start: int) -> int:
    """Return the index after the header and its options: what an unclosed block takes away."""
    index = start + 1
    while index < len(lines) and _OPTION.match(lines[index]):
        index += 1
    return index
