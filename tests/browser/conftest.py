"""A small course with the real theme, built once and served on loopback, and a browser for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.files import serve_files
from torchreel.records import Clip
from torchreel.site.byterange import with_ranges
from torchreel.store import Store

ROOT = Path(__file__).parents[2]
LESSONS = Path(__file__).parent / "lessons"
NAV = "nav:\n  - Start: index.md\n  - Lessons: [shape/index.md, loops/index.md]\n"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
expect.set_options(timeout=60_000)  # a slow machine with other work to do may be late


@dataclass(frozen=True)
class Course:
    """The built course: its folder, and the URL it is served at (with a slash at the end)."""

    root: Path
    url: str

    @property
    def site(self) -> Path:
        """The folder of the built site."""
        return self.root / "site"

    def clip(self, lesson: str, cell: str) -> Clip:
        """Return what was rendered from a cell of a lesson."""
        store = Store(self.root / "build")
        return store.clip(store.index().clips[Store.clip_key(f"lessons/{lesson}/lesson.py", cell)])


class Server(ThreadingMixIn, WSGIServer):
    """A server of loopback that answers a browser's requests at once."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """Two short lessons under the course's own theme, traced, rendered as drafts, and served."""
    root = tmp_path_factory.mktemp("course")
    write_course(root)
    application = with_ranges(serve_files(root / "site"))
    with make_server("127.0.0.1", 0, application, Server, Quiet) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        subprocess.run(
            [sys.executable, "-m", "torchreel", "build", "--quality", "draft"],
            cwd=root,
            env={**os.environ, "SITE_URL": url},
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Course(root, url)
        server.shutdown()


def write_course(root: Path) -> None:
    """Write the sources of the small course: its lessons, the course's theme and settings."""
    shutil.copytree(LESSONS, root / "lessons")
    for folder in (".overrides", "assets"):
        shutil.copytree(ROOT / "lessons" / folder, root / "lessons" / folder)
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = re.sub(r"^nav:\n(?:[ ].*\n)+", NAV, settings, flags=re.MULTILINE)
    (root / "mkdocs.yml").write_text(settings, encoding="utf-8")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's where it is installed, else the one that Playwright installs."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, headless=True
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser context of its own, 1440 pixels wide, in which nothing may fail."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []
    context.close()
