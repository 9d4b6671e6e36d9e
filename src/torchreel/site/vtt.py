"""WebVTT: the timed text of a clip, as the ``data:`` URLs that also work from a file."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_BREAK = re.compile(r"\s*[\r\n]\s*")


@dataclass(frozen=True)
class TimedText:
    """A text and when it is shown, in seconds."""

    start: float
    end: float
    text: str


def text_track(cues: Iterable[TimedText]) -> str:
    """Return captions or chapters as WebVTT; the texts are plain."""
    escaped = (TimedText(cue.start, cue.end, html.escape(cue.text, quote=False)) for cue in cues)
    return _track(escaped)


def data_track(cues: Iterable[tuple[float, float, Any]]) -> str:
    """Return metadata as WebVTT: each cue's text is JSON."""
    return _track(TimedText(start, end, _json(payload)) for start, end, payload in cues)


def data_url(track: str) -> str:
    """Return a ``data:`` URL of a WebVTT text."""
    encoded = base64.b64encode(track.encode()).decode("ascii")
    return f"data:text/vtt;charset=utf-8;base64,{encoded}"


def _track(cues: Iterable[TimedText]) -> str:
    blocks = ["WEBVTT"]
    for number, cue in enumerate(cues, 1):
        start = round(cue.start * 1000)
        end = max(round(cue.end * 1000), start + 1)  # a cue that ends as it starts is dropped
        text = _BREAK.sub(" ", cue.text.strip())  # a blank line would end the cue
        blocks.append(f"{number}\n{_time(start)} --> {_time(end)}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"


def _json(payload: Any) -> str:
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Metadata is not unescaped by the browser: JSON's own escapes keep `-->`, `<` and `&` away.
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
