"""The real course, built once at draft quality and served on loopback, and a browser to read it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.files import serve_files
from torchreel.site.byterange import with_ranges

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Course:
    """The built course: its folder, and the URL it is served at (with a slash at the end)."""

    root: Path
    url: str

    @property
    def site(self) -> Path:
        """The folder of the built site."""
        return self.root / "site"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """The course of this repository, built at draft quality and served with byte ranges."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("lessons", "scenes"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "mkdocs.yml", root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    subprocess.run(
        [sys.executable, "-m", "torchreel.cli", "build", "--quality", "draft"],
        cwd=root,
        env={**os.environ, "SITE_URL": url},
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    application = with_ranges(serve_files(root / "site"))
    with make_server("127.0.0.1", port, application, _Server, _Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Course(root, url)
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's where it is installed, else the one that Playwright installs."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, headless=True
        )
        yield chromium
        chromium.close()
