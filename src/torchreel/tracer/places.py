"""Where in the script its frames are: which statement, and which expression's text."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import CodeType, FrameType

from torchreel.tracer.cells import Script, end, start

Span = tuple[tuple[int, int], tuple[int, int]]
"""First and last position: line (from 1) and column (from 0, in UTF-8 bytes), as ``ast`` counts."""


class Places:
    """Finds the statement and the expression that a frame of the script is running.

    ``file`` is the file name that the script was compiled with.
    """

    def __init__(self, script: Script, file: str) -> None:
        self.file = file
        self._script = script
        self._lines = [line.encode() for line in script.source.split("\n")]
        self._spans = [(start(place.node), end(place.node)) for place in script.places]
        self._of_code: dict[CodeType, list[Span | None]] = {}
        self._found: dict[Span, tuple[int | None, str]] = {}

    def innermost(
        self, frame: FrameType | None, unless: Callable[[FrameType], bool] | None = None
    ) -> FrameType | None:
        """Return the innermost frame of the script's own code; None where there is none, or where
        ``unless`` is true of a frame within it."""
        while frame is not None and frame.f_code.co_filename != self.file:
            if unless is not None and unless(frame):
                return None
            frame = frame.f_back
        return frame

    def find(self, frame: FrameType) -> tuple[int | None, str]:
        """Return the index of the statement that a frame of the script runs, and the text of the
        expression: of the whole statement where the instruction names none of its parts."""
        return self.find_at(frame.f_code, frame.f_lasti, frame.f_lineno)

    def find_at(self, code: CodeType, instruction: int, line: int) -> tuple[int | None, str]:
        """Return the same of an instruction of the script's code, which is on ``line``."""
        span = self._span(code, instruction, line)
        if span not in self._found:
            self._found[span] = self._search(span)
        return self._found[span]

    def _span(self, code: CodeType, instruction: int, line: int) -> Span:
        if code not in self._of_code:
            self._of_code[code] = [_whole(position) for position in code.co_positions()]
        span = self._of_code[code][instruction // 2]
        return span or ((line, 0), (line, 0))

    def _search(self, span: Span) -> tuple[int | None, str]:
        around = [index for index, place in enumerate(self._spans) if _holds(place, span)]
        if not around:  # an instruction without columns: the first statement of its line
            around = [index for index, place in enumerate(self._spans) if place[0][0] == span[0][0]]
            return (
                (around[0], self._script.places[around[0]].statement.text) if around else (None, "")
            )
        place = self._script.places[around[-1]]
        return around[-1], self._expression(place.node, span) or place.statement.text

    def _expression(self, statement: ast.stmt, span: Span) -> str | None:
        """Return the text of the smallest expression that holds the span.

        Not the span's own text: of a call in a chain over several lines Python marks only the part
        from the method's name on.
        """
        smallest: ast.expr | None = None
        for node in ast.walk(statement):  # outer ones come first
            if isinstance(node, ast.expr) and _holds(_span_of(node), span):
                smallest = node
        if smallest is None or not isinstance(getattr(smallest, "ctx", ast.Load()), ast.Load):
            return None
        return self._text(_span_of(smallest)).replace("\n" + " " * statement.col_offset, "\n")

    def _text(self, span: Span) -> str:
        """Return the source of a span (``ast.get_source_segment`` reads the whole source)."""
        (first, column), (last, stop) = span
        lines = self._lines[first - 1 : last]
        lines[-1] = lines[-1][:stop]  # first, as it may be the only one
        lines[0] = lines[0][column:]
        return b"\n".join(lines).decode()


def _whole(position: tuple[int | None, int | None, int | None, int | None]) -> Span | None:
    first, last, column, stop = position
    if first is None or last is None or column is None or stop is None:
        return None
    return (first, column), (last, stop)


def _span_of(node: ast.expr) -> Span:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _holds(outer: Span, inner: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
