"""`torchreel serve`: what is saved is built again, and the page that is open shows it."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Course
from tests.browser.player import Player

SCENE = """\
from torchreel.stage import LessonScene


class Unsqueeze(LessonScene):
    def construct(self):
        self.play_lines(hold=0.5)
"""
PATIENCE = 120_000
"""Milliseconds: longer than a slow machine takes to render a short draft."""


@pytest.fixture
def served(course: Course, tmp_path: Path) -> Iterator[Course]:
    """The small course in a folder of its own, served by the command."""
    root = tmp_path / "course"
    shutil.copytree(course.root, root, ignore=shutil.ignore_patterns("site"))
    edit(
        root / "mkdocs.yml", "  - torchreel\n  - i18n", "  - torchreel: {quality: draft}\n  - i18n"
    )
    (root / "scenes").mkdir()
    (root / "scenes/shape.py").write_text(SCENE)
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "torchreel", "serve", "-a", address],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"http://{address}/", server)
            yield Course(root, f"http://{address}/")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
    assert server.returncode == 0, (tmp_path / "log").read_text()


def free_port() -> int:
    """Return a port that nobody has, and that the system gives nobody who asks for any port."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def address(served: Course) -> str:
    """Return the address of the clip as it is now in the build."""
    digest = served.clip("shape", "unsqueeze").digest[:8]
    return f"{served.url}clips/shape/unsqueeze-{digest}.mp4"


def test_what_is_saved_reaches_the_open_page(browser: Browser, served: Course) -> None:
    page = browser.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(f"{served.url}shape/index.html")
    player = Player.of(page, 1)
    expect(player.line(1)).to_contain_text("a = y.unsqueeze(0)")
    first = address(served)
    expect(player.video).to_have_js_property("src", first)

    edit(
        served.root / "lessons/shape/lesson.py",
        "y.unsqueeze(0)\nb = a.squeeze(0)",
        "y.unsqueeze(1)\nb = a.squeeze(1)",
    )
    expect(player.line(1)).to_contain_text("a = y.unsqueeze(1)", timeout=PATIENCE)
    expect(player.find(".tr-transcript li").first).to_contain_text("(3, 1, 4)")
    second = address(served)
    assert second != first
    expect(player.video).to_have_js_property("src", second)

    edit(served.root / "lessons/shape/index.md", "A gradient is another matter.", "Always.")
    expect(page.locator(".lead")).to_contain_text("Always.", timeout=PATIENCE)
    expect(player.video).to_have_js_property("src", second)

    edit(served.root / "scenes/shape.py", "hold=0.5", "hold=3.0")
    expect(player.video).not_to_have_js_property("src", second, timeout=PATIENCE)
    player = Player.of(page, 1)
    player.line(2).click()
    player.expect_line(2)
    player.expect_state("!video.seeking && video.currentTime > 5 && video.readyState > 1")
    assert failed == []
    page.close()
