"""The course under Zensical, Material's successor, which runs the extension and no plugin."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Course
from tests.browser.player import Player


@pytest.fixture(scope="module")
def site(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site that Zensical makes of the course, whose clips are there already."""
    root = tmp_path_factory.mktemp("zensical")
    for folder in ("lessons", "build"):
        shutil.copytree(course.root / folder, root / folder)
    settings = (course.root / "mkdocs.yml").read_text(encoding="utf-8")
    head, name, listed = settings.partition("markdown_extensions:\n")
    listed = listed.replace("- torchreel\n", "- torchreel: {quality: draft}\n")
    (root / "mkdocs.yml").write_text(head + name + listed, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "rendered" not in made.stdout + made.stderr
    return root / "site"


@pytest.mark.parametrize("name", ["index.html", "index.ja.html"])
def test_the_shape_lesson_is_whole(site: Path, course: Course, name: str) -> None:
    html = (site / "shape" / name).read_text(encoding="utf-8")
    own = (course.site / ("ja/shape" if ".ja" in name else "shape") / "index.html").read_text(
        "utf-8"
    )
    for part in (
        r"<figure class=.tr-figure.*?</figure>",
        r'<ol [^>]*class="tr-transcript".*?</ol>',
    ):
        found = re.findall(part, html, re.DOTALL)
        assert len(found) == 2
        assert _plain(found) == _plain(re.findall(part, own, re.DOTALL))
    linked = re.findall(r'(?:src|href|poster)="(\.\./(?:clips|assets/torchreel)[^"]*)"', html)
    assert {link.rpartition(".")[2] for link in linked} == {"mp4", "gif", "webp", "css", "js"}
    for link in linked:
        assert (site / "shape" / link).is_file(), link


def test_the_player_follows_its_clip(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "shape" / "index.html").as_uri())
    player = Player.of(page)
    player.slow()
    player.line(2).click()
    player.expect_line(2)
    expect(player.find(".tr-vars .tr-lit")).to_have_text("y (3, 4) int64")
    assert errors == []
    page.close()


def _plain(parts: list[str]) -> list[str]:
    """Return what parts of a page say: their links lead through other folders."""
    return [re.sub(r"<[^>]*>", "", part) for part in parts]
