"""What a terminal shows of a text: its control characters obeyed, its colours left out."""

from __future__ import annotations

import re
import unicodedata

from torchreel.stage.text import terminal_columns

_TAB = 8
"""A tab goes on to the next multiple of so many columns."""

_CODE = re.compile(
    r"\x1b\[(?P<numbers>[0-?]*)[ -/]*(?P<what>[@-~]|$)"  # the cursor goes, something is erased
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # a title, a link
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)


def screen(text: str) -> list[str]:
    """Return the lines that stand on a screen of any size after ``text`` was written to it."""
    shown, at = _Screen(), 0
    text = unicodedata.normalize("NFC", text)
    for code in _CODE.finditer(text):
        shown.write(text[at : code.start()])
        shown.obey(code["what"] or "", code["numbers"] or "")
        at = code.end()
    shown.write(text[at:])
    return ["".join(line).rstrip() for line in shown.lines]


class _Screen:
    """Lines of columns, and the place where the next character goes.

    A wide character has two columns, and the second of them is empty.
    """

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self._line = self._column = 0

    def write(self, text: str) -> None:
        """Write characters, and go where the control characters among them say."""
        for character in text:
            if character == "\n":
                self._go(self._line + 1, 0)
            elif character == "\r":
                self._go(self._line, 0)
            elif character == "\b":
                self._go(self._line, self._column - 1)
            elif character == "\t":
                self._go(self._line, (self._column // _TAB + 1) * _TAB)
            elif character >= " " and character != "\x7f":
                self._put(character)

    def obey(self, what: str, numbers: str) -> None:
        """Obey a code of ECMA-48 by its last letter; those that say how text looks do nothing."""
        given = [int(each) if each.isdigit() else 0 for each in numbers.split(";")]
        first = max(1, given[0])
        if what in "AF":
            self._go(self._line - first, 0 if what == "F" else self._column)
        elif what in "BE":
            self._go(self._line + first, 0 if what == "E" else self._column)
        elif what in "CD":
            self._go(self._line, self._column + (first if what == "C" else -first))
        elif what == "G":
            self._go(self._line, first - 1)
        elif what in "Hf":
            self._go(first - 1, max(1, (*given, 1)[1]) - 1)
        elif what in "JK":
            self._erase(what, given[0])

    def _go(self, line: int, column: int) -> None:
        self._line, self._column = max(0, line), max(0, column)
        self.lines += [[] for _ in range(self._line + 1 - len(self.lines))]

    def _put(self, character: str) -> None:
        line, wide = self.lines[self._line], terminal_columns(character)
        line += " " * (self._column + wide - len(line))
        if wide:
            line[self._column : self._column + wide] = [character, *[""] * (wide - 1)]
        elif self._column:
            line[self._column - 1] += character
        self._column += wide

    def _erase(self, what: str, part: int) -> None:
        """Erase from the cursor on (0), up to it (1) or all (2): of its line, or of the screen."""
        line = self.lines[self._line]
        if part == 0:
            del line[self._column :]
        else:
            end = self._column + 1 if part == 1 else len(line)
            line[:end] = " " * len(line[:end])
        if what == "J":
            others = self.lines[self._line + 1 :] if part == 0 else self.lines[: self._line]
            for other in others if part < 2 else self.lines:
                other.clear()
