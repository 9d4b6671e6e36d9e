"""References such as ``{{ y.shape }}``: what they name, and when it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchreel.records import Problem
from torchreel.site.source import LESSON_SCRIPT, Reference, beside

_TARGET = re.compile(
    r"(?:(?:(?P<script>[^:{}]+\.py)\s*:)?(?P<cell>[^:{}|]+):)?\s*"
    r"(?P<text>\w+(?:\.\w+)*)(?P<index>(?:\[-?\d+\])*)\s*(?:\|\s*(?P<format>[^{}]+?))?"
)
_INDEX = re.compile(r"-?\d+")
_FORM = (
    "Write {{ name.shape }}, {{ cell:name.shape }} or {{ other.py:cell:name.shape }}; "
    r"write \{{ for two braces."
)


@dataclass(frozen=True)
class Target:
    """What a reference names; script and cell are None where the clip above is meant.

    ``text`` is the name with what is asked of it (``y.shape``, ``model.layer1.weight.shape``, or
    ``accuracy`` alone). ``index`` picks an element: of ``.shape`` and ``.stride`` one, of ``.data``
    a part, of ``printed`` a line. ``format`` is Python's, of a number (``.2f``).
    """

    script: str | None
    cell: str | None
    text: str
    index: tuple[int, ...] = ()
    format: str = ""

    @property
    def name(self) -> str:
        """The name without what is asked of it."""
        return self.text.rpartition(".")[0] or self.text

    @property
    def attribute(self) -> str:
        """What is asked of the name; nothing where its value is."""
        return self.text.rpartition(".")[2] if "." in self.text else ""


@dataclass(frozen=True)
class Moment:
    """When a name is read: at the end of a cell, or after one of its statements."""

    script: str
    cell: str
    statement: int | None = None


def parse_reference(reference: Reference, page: str) -> Target | Problem:
    """Return what a reference of this page names, or what is wrong with its text."""
    where = f"{page}:{reference.line}"
    if reference.text is None:
        return Problem(where, "`{{` is not closed on its line", _FORM)
    match = _TARGET.fullmatch(reference.text)
    if not match:
        return Problem(where, f"`{reference.raw}` is no reference to a name", _FORM)
    script, cell = match["script"], match["cell"]
    return Target(
        beside(page, script.strip() if script else LESSON_SCRIPT) if cell else None,
        cell.strip() if cell else None,
        match["text"],
        tuple(int(number) for number in _INDEX.findall(match["index"])),
        match["format"] or "",
    )
