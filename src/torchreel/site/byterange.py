"""Byte ranges for a WSGI server that ignores them: without, a video cannot be sought in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

Headers = list[tuple[str, str]]
Application = Callable[..., Iterable[bytes]]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def with_ranges(application: Application) -> Application:
    """Return the application with answers to ``Range`` (one range, of what is answered 200)."""

    def ranged(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: list[tuple[str, Headers]] = []

        def keep(status: str, headers: Headers, *_: Any) -> None:
            answer.append((status, headers))

        asked = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
        if not asked or environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        content = application(environ, keep)
        status, headers = answer[0]
        if not status.startswith("200"):
            start_response(status, headers)
            return content
        body = _read(content)
        status, headers, part = _part(body, headers, asked[1], asked[2])
        start_response(status, headers)
        return [part]

    return ranged


def _read(content: Iterable[bytes]) -> bytes:
    try:
        return b"".join(content)
    finally:
        if close := getattr(content, "close", None):
            close()


def _part(body: bytes, headers: Headers, first: str, last: str) -> tuple[str, Headers, bytes]:
    """Return status, headers and content for ``bytes=first-last``; either may be empty."""
    kept = [header for header in headers if header[0].lower() != "content-length"]
    start, end = _bounds(len(body), first, last)
    if start >= end:
        empty = [*kept, ("Content-Range", f"bytes */{len(body)}"), ("Content-Length", "0")]
        return "416 Range Not Satisfiable", empty, b""
    place = ("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
    length = ("Content-Length", str(end - start))
    return "206 Partial Content", [*kept, place, length], body[start:end]


def _bounds(size: int, first: str, last: str) -> tuple[int, int]:
    if not first:  # the last so many bytes; `bytes=-` asks for nothing
        return (max(0, size - int(last)), size) if last else (0, 0)
    return int(first), min(size, int(last) + 1) if last else size
