"""The marks that stand in a page's Markdown for what is put in when it is HTML.

A mark is one private-use character: no Markdown syntax touches it, nothing splits it, and it is
found again in text, in attributes and in code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape

from torchreel.records import Problem, TorchReelError
from torchreel.site.artifacts import Artifacts, ReportedError
from torchreel.site.facts import quote
from torchreel.site.references import Moment, parse_reference
from torchreel.site.source import ClipBlock, Escape, Prose, Reference

_FIRST, _LAST = 0xF0000, 0xFFFFD  # a private-use plane
_MARK = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_CODE = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)
_TAG = re.compile(r"(<[^<>]*>)")


_WHOLE = 28
"""Characters: text no longer than this is not parted where a line ends."""


@dataclass(frozen=True)
class _Mark:
    """What was ``raw`` in the source; ``problem`` is why ``text`` could not be quoted.

    ``style`` is the class of the code element around the text; None where it stands in one.
    """

    raw: str
    text: str = ""
    problem: Problem | None = None
    known: bool = False
    style: str | None = "tr-value"


class Quotes:
    """The marks of one page, in the order they were given out.

    ``above`` is the moment at which prose reads names: the end of the cell of the nearest clip
    block above, or None. ``report`` is called once with each problem whose mark is on the page,
    and with whether it was reported before.
    """

    def __init__(
        self, artifacts: Artifacts, page: str, report: Callable[[Problem, bool], None]
    ) -> None:
        self._artifacts, self._page, self._report = artifacts, page, report
        self._marks: list[_Mark] = []
        self._reported: set[Problem] = set()
        self.above: Moment | None = None

    def block(self, block: ClipBlock) -> str:
        """Return the mark of a clip block, whose cell is then the one above."""
        self.above = Moment(block.script, block.cell)
        where = f"{self._page}:{block.line}"
        what = "a clip block cannot stand here"
        remedy = "Put it between blank lines, outside of raw HTML and indented code."
        return self._give(_Mark(block.raw, problem=Problem(where, what, remedy)))

    def prose(self, prose: Prose, moment: Moment | None) -> str:
        """Return Markdown with marks for its references, which are read at this moment."""
        return "".join(
            piece if isinstance(piece, str) else self._give(self._inline(piece, moment))
            for piece in prose
        )

    def plain(self, text: str) -> str:
        """Return text with the quotes in place of their marks, as they are in attributes."""
        return self._replace(text, lambda mark: mark.text or mark.raw)

    def html(self, html: str) -> str:
        """Return HTML with the quotes in place of their marks; code keeps what was written."""
        parts = _CODE.split(html)
        for index, part in enumerate(parts):
            if index % 2:
                parts[index] = _MARK.sub(lambda match: escape(self._at(match).raw), part)
            else:
                parts[index] = self._visible(part)
        return "".join(parts)

    def silent(self, page: str) -> Quotes:
        """Return quotes for another page that report nothing."""
        return Quotes(self._artifacts, page, lambda problem, known: None)

    def _visible(self, html: str) -> str:
        parts = _TAG.split(html)
        for index, part in enumerate(parts):
            show = _attribute if index % 2 else _element
            parts[index] = self._replace(part, show)
        return "".join(parts)

    def _replace(self, text: str, show: Callable[[_Mark], str]) -> str:
        def replaced(match: re.Match[str]) -> str:
            mark = self._at(match)
            if mark.problem and mark.problem not in self._reported:
                self._reported.add(mark.problem)
                self._report(mark.problem, mark.known)
            return show(mark)

        return _MARK.sub(replaced, text)

    def _at(self, match: re.Match[str]) -> _Mark:
        number = ord(match[0]) - _FIRST
        return self._marks[number] if number < len(self._marks) else _Mark(match[0], match[0])

    def _give(self, mark: _Mark) -> str:
        self._marks.append(mark)
        return chr(_FIRST + len(self._marks) - 1)

    def _inline(self, piece: Reference | Escape, moment: Moment | None) -> _Mark:
        if isinstance(piece, Escape):
            return _Mark(piece.raw, piece.raw.removeprefix("\\"), style=None)
        mark = self._quoted(piece, moment)
        return _in_code(mark) if piece.code else mark

    def _quoted(self, reference: Reference, moment: Moment | None) -> _Mark:
        where = f"{self._page}:{reference.line}"
        target = parse_reference(reference, self._page)
        if isinstance(target, Problem):
            return _Mark(reference.raw, problem=target)
        if target.script and target.cell:
            moment = Moment(target.script, target.cell)
        if moment is None:
            what = f"`{reference.raw}` has no clip above it whose cell could be meant"
            remedy = f"Name the cell: {{{{ cell:{target.text} }}}}."
            return _Mark(reference.raw, problem=Problem(where, what, remedy))
        try:
            trace = self._artifacts.trace(moment.script, where)
            self._artifacts.cell(moment.script, moment.cell, where)
            text = quote(trace, moment, target, where)
            style = "tr-expression" if target.attribute == "expression" else "tr-value"
            return _Mark(reference.raw, text, style=style)
        except TorchReelError as error:
            # Where a clip's own cell is not known, its block says so.
            known = isinstance(error, ReportedError) or (
                target.cell is None and not self._artifacts.has_cell(moment.script, moment.cell)
            )
            return _Mark(reference.raw, problem=error.problem, known=known)


def _in_code(mark: _Mark) -> _Mark:
    """Return the mark of a code span, whose braces may not be meant for us."""
    problem = mark.problem
    if problem and r"\{{" not in problem.remedy:
        remedy = f"{problem.remedy} Two braces in code are written `\\{{{{`.".strip()
        problem = replace(problem, remedy=remedy)
    return replace(mark, problem=problem, style=None)


def _element(mark: _Mark) -> str:
    if mark.problem:
        problem = escape(f"{mark.raw}: {mark.problem.what}. {mark.problem.remedy}")
        return f'<mark class="tr-problem">{problem}</mark>'
    text = escape(mark.text)
    if not mark.style:
        return text
    style = mark.style if len(mark.text) <= _WHOLE else f"{mark.style} tr-parted"
    return f'<code class="{style}">{text}</code>'


def _attribute(mark: _Mark) -> str:
    return escape(mark.text or mark.raw)
