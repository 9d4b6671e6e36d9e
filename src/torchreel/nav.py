"""The ``nav`` of a site's mkdocs.yml: where a new page goes, written without touching the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True)
class Entry:
    """A page of the navigation, the line it ends on, and the column of its dash.

    ``dash`` is None where it has none: in a list that is written in brackets.
    """

    page: str
    line: int
    dash: int | None


def pages(text: str) -> tuple[Entry, ...] | None:
    """Return the pages that the text of a mkdocs.yml lists, or None where it has no ``nav``."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    for key, value in root.value if isinstance(root, MappingNode) else ():
        if key.value == "nav":
            return tuple(_entries(value, None))
    return None


def with_page(text: str, page: str, is_lesson: Callable[[str], bool]) -> str | None:
    """Return the text with a page listed after the last lesson (the last page where none is one).

    Every other line stays to the letter. None where that cannot be done safely.
    """
    listed = pages(text)
    if not listed:
        return None
    after = ([entry for entry in listed if is_lesson(entry.page)] or list(listed))[-1]
    if after.dash is None:
        return None
    lines = text.splitlines(keepends=True)
    if not lines[after.line].endswith("\n"):
        lines[after.line] += "\n"
    lines.insert(after.line + 1, f"{' ' * after.dash}- {page}\n")
    made = "".join(lines)
    place = listed.index(after) + 1
    names = [entry.page for entry in listed]
    wanted = [*names[:place], page, *names[place:]]
    return made if [entry.page for entry in pages(made) or ()] == wanted else None


def _entries(node: Node, dash: int | None) -> Iterator[Entry]:
    if isinstance(node, SequenceNode):
        for each in node.value:
            yield from _entries(each, None if node.flow_style else node.start_mark.column)
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from _entries(value, None if node.flow_style else dash)
    elif isinstance(node, ScalarNode):
        yield Entry(node.value, node.end_mark.line, dash)
