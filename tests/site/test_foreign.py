"""A site that is not ours: one entry in its mkdocs.yml brings clips of its own scripts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = "site_name: Foreign\ntheme: {name: material, font: false}\n"
GUIDE = Path(__file__).parents[2] / "lessons" / "your-site.md"
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)[^\n]*\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE
)


def block(language: str, number: int = 0) -> str:
    """Return what the guide tells a reader to write; clips are drafts here."""
    text = [text for each, text in BLOCKS if each == language][number]
    return text.replace("- torchreel\n", "- torchreel: {quality: draft}\n")


ALONE, PLUGIN = (CONFIG + block("yaml", number) for number in (0, 1))
SCRIPT, PAGE = block("python"), f"---\ntitle: Attention\n---\n\n{block('markdown')}"


def build(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site with the extension alone: docs/, no nav, one language; built strictly."""
    root = tmp_path_factory.mktemp("foreign")
    (root / "docs/guide").mkdir(parents=True)
    (root / "mkdocs.yml").write_text(ALONE)
    (root / "docs/index.md").write_text("# Home\n")
    (root / "docs/guide/index.md").write_text("# A guide without a script\n")
    (root / "docs/guide/attention.py").write_text(SCRIPT)
    (root / "docs/guide/attention.md").write_text(PAGE)
    made = build(root)
    assert made.returncode == 0, made.stderr
    return root


def check(root: Path) -> None:
    """The page shows the clip, its numbers and its words, and all that it links is there."""
    page = root / "site/guide/attention/index.html"
    html = page.read_text(encoding="utf-8")
    assert '<code class="tr-value">[[1.0, 3.0], [3.0, 13.0]]</code>' in html
    linked = re.findall(r'(?:src|href|poster)="(\.\./\.\./(?:clips|assets/torchreel)[^"]*)"', html)
    suffixes = [link.rpartition(".")[2] for link in linked]
    assert {"mp4", "gif", "webp", "css", "js"} <= set(suffixes)
    assert (suffixes.count("css"), suffixes.count("js")) == (1, 1)
    for link in linked:
        assert (page.parent / link).resolve().is_file(), link
    search = json.loads((root / "site/search/search_index.json").read_text(encoding="utf-8"))
    assert any("[[1.0, 3.0], [3.0, 13.0]]" in each["text"] for each in search["docs"])
    for noise in ("customElements", "MP4"):
        assert not any(noise in each["text"] for each in search["docs"])


def test_the_extension_alone_is_enough(site: Path) -> None:
    check(site)
    assert "torchreel-" not in (site / "site/index.html").read_text(encoding="utf-8")
    # MkDocs publishes what lies beside a page, and the extension leaves that to the site's author.
    assert (site / "site/guide/attention.py").is_file()


def test_what_is_wrong_fails_a_strict_build_and_says_where(site: Path) -> None:
    (site / "docs/guide/attention.md").write_text(PAGE.replace("{{ scores", "{{ scorse"))
    made = build(site)
    (site / "docs/guide/attention.md").write_text(PAGE)
    assert made.returncode == 1
    assert "docs/guide/attention.md:8: nothing that can be quoted" in made.stderr
    assert "Traceback" not in made.stderr


def test_the_plugin_makes_the_same_page(site: Path) -> None:
    (site / "mkdocs.yml").write_text(PLUGIN)
    made = build(site)
    assert made.returncode == 0, made.stderr
    assert "rendered" not in made.stderr  # the clips of the extension are those of the plugin
    check(site)
    assert not list((site / "site").rglob("*.py"))
