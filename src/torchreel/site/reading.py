"""What of a caption can be read while its cue lasts; the transcript has all of it."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=。)\s*")
_NARROW, _WIDE = 17, 8
"""Characters a second: the pace of subtitles in Latin script, and in Japanese."""


def seconds_to_read(text: str) -> float:
    """Return how long it takes to read a text, in seconds."""
    return sum(1 / (_WIDE if east_asian_width(each) in "WF" else _NARROW) for each in text)


def readable(text: str, seconds: float) -> str:
    """Return as many of a text's first sentences as can be read in this time, at least one."""
    end = None
    for sentence in _SENTENCE.finditer(text):
        if end is not None and seconds_to_read(text[: sentence.start()]) > seconds:
            return text[:end]
        end = sentence.start()
    return text if end is None or seconds_to_read(text) <= seconds else text[:end]
