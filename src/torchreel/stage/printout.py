"""What a line printed or raised, as a terminal shows it: its first lines, in the room below the
stage.

A line that is too long goes on in the next row, as long as rows are free; else it is cut.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from torchreel.records import PRINTED_KEPT, Clash, Drawn, Run, ScriptError, Trace
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.checker import Frame
from torchreel.stage.colors import Color
from torchreel.stage.strip import Band
from torchreel.stage.terminal import screen
from torchreel.stage.text import ADVANCE, columns, cut, text_width, wrap
from torchreel.syntax import parse

_LINE = 1.2
"""From one line to the next, in em."""

_PAD_X, _PAD_Y, _GAP = 20.0, 4.0, 12.0
"""Room around the text in its panel, and above the panel, in film pixels."""

_NAMED = 3
"""So many tensors that a line prints by their names are shown."""

_NUMBERS = ("float", "int", "bool")
"""What makes a plain number of a tensor."""

_MORE = "⋮"
_BETWEEN = 2
"""So many columns stand between the last line and how many more there are."""


def lines_of(run: Run) -> list[str]:
    """Return the lines that a run printed, as a terminal shows them; none where it is all blank."""
    lines = screen(run.printed)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def printed_by_name(trace: Trace, run: Run, names: Mapping[str, int]) -> list[int]:
    """Return the records of the tensors that a line printed by their names, at most three of them,
    in order; ``names`` says what each name holds. What has no values to show is left out."""
    texts = {each.number: each.text for each in trace.cells[0].statements}
    if not lines_of(run):
        return []
    try:
        line = parse(texts.get(run.statement, ""))
    except SyntaxError:  # the header of a compound statement
        return []
    spoken = sorted(_told_whole(line), key=lambda each: (each.lineno, each.col_offset))
    held = dict.fromkeys(names[each.id] for each in spoken if each.id in names)
    return [each for each in held if each in trace.values or trace.tensor(each).texture][:_NAMED]


def _told_whole(line: ast.AST) -> list[ast.Name]:
    """Return the names that a call of ``print`` tells by themselves, in a text or as numbers."""
    found: list[ast.Name] = []
    for call in ast.walk(line):
        told: list[ast.expr] = []
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("print", *_NUMBERS):
            told = call.args
        elif isinstance(call, ast.FormattedValue):
            told = [call.value]
        found += [each for each in told if isinstance(each, ast.Name)]
    return found


def room_below(frame: Frame, artboard: Artboard) -> Zone | None:
    """Return the zone below all that stands on a frame without its strip, down to the strip's lower
    edge; the whole stage where nothing does, None where something is in the strip's place."""
    strip, stage = artboard.strip, artboard.stage
    boxes = np.concatenate([frame.outlines, *(body.boxes for body in frame.bodies)])
    bottoms = (boxes[:, 1] + boxes[:, 3])[boxes[:, 1] + boxes[:, 3] > stage.y]
    if not len(bottoms):
        return stage
    lowest = float(bottoms.max())
    if lowest > strip.y:
        return None
    top = min(lowest + artboard.px(_GAP), strip.y)
    return Zone(strip.x, top, strip.width, strip.bottom - top)


def rows_in(zone: Zone, board: Artboard) -> int:
    """Return how many printed lines have room in a zone, as small as they may be."""
    return _fits(board.floor, zone, board)[1]


def rows_of(lines: Sequence[str], board: Artboard) -> int:
    """Return how many rows lines take where they are written as small as may be."""
    wide, _ = _fits(board.floor, board.strip, board)
    return sum(len(wrap(line, wide)) for line in lines)


class Printout(Band):
    """Lines of text on a panel at the lower edge of a zone, or in the middle of an empty stage;
    what has no room is cut, and says so.

    ``source`` gives a row's text and the number of its line their origin, ``edge`` is the colour of
    the panel's edge, ``rows`` is how many rows are shown, ``whole`` tells that the trace kept all
    that was printed, ``lap`` the lap of a loop it belongs to.
    """

    def __init__(
        self,
        canvas: Canvas,
        lines: Sequence[str],
        source: Callable[[str, int], Drawn],
        zone: Zone,
        *,
        whole: bool,
        lap: Drawn | None,
        edge: Color,
    ) -> None:
        super().__init__(canvas, lap)
        board, theme = canvas.artboard, canvas.theme
        size = _size(lines, zone, board)
        wide, most = _fits(size, zone, board)
        count = min(len(lines), most)
        more = _more(len(lines) - count, whole)
        taken = columns(more) + _BETWEEN if more else 0
        shown = _rows(lines[:count], wide, most, taken)
        self.rows = len(shown)
        widths = [columns(text) for _, text in shown]
        if more:
            widths[-1] += taken
        pad_x, step = board.px(_PAD_X), size * _LINE
        width = text_width("m" * max(widths), size) + 2 * pad_x
        height = self.rows * step + 2 * board.px(_PAD_Y)
        left, alone = board.strip.center_x - width / 2, zone.y == board.stage.y
        left = min(max(left, zone.x), zone.right - width)
        top = zone.center_y - height / 2 if alone else zone.bottom - height
        self.add(
            canvas.rectangle(
                left,
                top,
                width,
                height,
                radius=board.px(8),
                fill=theme.surface,
                line=edge,
                stroke=board.px(2.5),
            )
        )
        x, y = left + pad_x, top + board.px(_PAD_Y) + step / 2
        for row, (line, text) in enumerate(shown):
            told = source(text, line)
            self.add(canvas.label(text, x, y + row * step, size, theme.text, align=0, source=told))
        if more:
            x += text_width(shown[-1][1] + "m" * _BETWEEN, size)
            y += (self.rows - 1) * step
            told = source(more, count)
            self.add(canvas.label(more, x, y, size, theme.muted, align=0, source=told))


def printout_of(canvas: Canvas, trace: Trace, run: Run, zone: Zone, lap: Drawn | None) -> Printout:
    """Return what a run printed, at the lower edge of a zone."""
    position = next(at for at, each in enumerate(trace.runs) if each is run)
    whole = len(run.printed) < PRINTED_KEPT
    source = partial(_printed, position)
    edge = canvas.theme.line
    return Printout(canvas, lines_of(run), source, zone, whole=whole, lap=lap, edge=edge)


def _printed(position: int, text: str, line: int) -> Drawn:
    return Drawn(0, text, "printed", index=(position, line))


def message_lines(error: Clash | ScriptError) -> list[str]:
    """Return an exception as the last lines of a traceback have it: its class and its message."""
    told = f"{error.type}: {error.message}" if error.message else error.type
    return [line for line in screen(told) if line]


def message_of(
    canvas: Canvas,
    error: Clash | ScriptError,
    step: int | None,
    zone: Zone,
    lap: Drawn | None,
) -> Printout:
    """Return the class and the message of an exception, that of a step where one raised it, at the
    lower edge of a zone."""
    source, edge = partial(_raised, step), canvas.theme.error
    lines = message_lines(error)
    return Printout(canvas, lines, source, zone, whole=True, lap=lap, edge=edge)


def _raised(step: int | None, text: str, line: int) -> Drawn:
    return Drawn(0, text, "raised", step=step, index=(line,))


def _rows(lines: Sequence[str], wide: int, most: int, taken: int) -> list[tuple[int, str]]:
    """Return what stands in each of at most so many rows, and of which line it is.

    Rows that are free go to the first lines that need them, one is kept for each line after; what
    has no room then is cut. ``taken`` columns of the last row are not free.
    """
    shown: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        free = most - len(shown) - (len(lines) - 1 - number)
        pieces = wrap(line, wide)
        kept = pieces[: free - 1]
        rest = "".join(pieces[free - 1 :])
        shown += [(number, each) for each in kept]
        if rest or not kept:
            shown.append((number, cut(rest, wide - taken if last else wide)))
    return shown


def _more(left_out: int, whole: bool) -> str:
    """Return how many lines are left out, as far as that is known; nothing where none is."""
    if not left_out:
        return ""
    return f"{_MORE} +{left_out}" if whole else _MORE


def _size(lines: Sequence[str], zone: Zone, board: Artboard) -> float:
    """Return the largest type with which all lines fit, or the smallest there is."""
    longest = max(columns(line) for line in lines)
    for size in range(int(board.type_size), int(board.floor), -2):
        wide, rows = _fits(size, zone, board)
        if longest <= wide and len(lines) <= rows:
            return size
    return board.floor


def _fits(size: float, zone: Zone, board: Artboard) -> tuple[int, int]:
    """Return how many columns and rows of text of this size have room in a zone."""
    wide = (zone.width - 2 * board.px(_PAD_X)) / (ADVANCE * size)
    rows = (zone.height - 2 * board.px(_PAD_Y)) / (_LINE * size)
    return int(wide + 1e-6), max(1, int(rows + 1e-6))
