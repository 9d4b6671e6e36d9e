from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from torchreel.site.byterange import with_ranges

BODY = bytes(range(100))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/clip.mp4":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found"]
    start_response("200 OK", [("Content-Type", "video/mp4"), ("Content-Length", "100")])
    return [BODY[:50], BODY[50:]]


def ask(
    asked: str, path: str = "/clip.mp4", method: str = "GET"
) -> tuple[str, dict[str, str], bytes]:
    answer: list[Any] = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_RANGE": asked}
    content = with_ranges(application)(environ, lambda *args: answer.extend(args))
    return answer[0], dict(answer[1]), b"".join(content)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-5", 95, 100),
        ("bytes=50-999", 50, 100),
    ],
)
def test_a_part_is_answered(asked: str, start: int, end: int) -> None:
    status, headers, body = ask(asked)
    assert status.startswith("206")
    assert body == BODY[start:end]
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/100"
    assert headers["Content-Length"] == str(end - start)
    assert headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=20-10", "bytes=-", "bytes=-0"])
def test_what_is_not_there_is_refused(asked: str) -> None:
    status, headers, body = ask(asked)
    assert status.startswith("416")
    assert headers["Content-Range"] == "bytes */100"
    assert body == b""


@pytest.mark.parametrize("asked", ["", "bytes=1-2,4-5", "lines=1-2"])
def test_other_requests_are_passed_on(asked: str) -> None:
    status, _, body = ask(asked)
    assert (status, body) == ("200 OK", BODY)


def test_what_is_not_found_stays_so() -> None:
    assert ask("bytes=0-9", path="/no")[0].startswith("404")
