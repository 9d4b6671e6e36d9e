from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.site.course import write_artifacts
from torchreel import plan
from torchreel.records import Problem
from torchreel.store import Store

CONFIG = """\
site_name: Small
site_url: https://small.example/
use_directory_urls: {directory_urls}
docs_dir: lessons
theme: {{name: material, font: false}}
extra:
  alternate:
    - {{name: English, link: ./, lang: en}}
    - {{name: 日本語, link: ./ja/, lang: ja}}
plugins:
  - torchreel
  - i18n:
      docs_structure: suffix
      reconfigure_material: false
      languages:
        - {{locale: en, name: English, default: true, build: true}}
        - {{locale: ja, name: 日本語, build: true}}
"""
PAGE = """\
---
title: Shape
---

/// clip | reshape
///

Its shape: {{ y.shape }}.
"""


GENERATES = """\
from mkdocs.structure.files import File

PAGES = {
    "shape/made.md": "# Made\\n\\n/// clip | reshap\\n///\\n",
    "shape/deeper/made.md": "# Deeper\\n\\n/// clip | ../lesson.py:reshape\\n///\\n",
}

def on_files(files, config):
    for name, text in PAGES.items():
        files.append(File.generated(config, name, content=text))
"""


class Course:
    """A small course in two languages; ``made`` counts what the pipeline was asked to make."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.site = root, root / "site"
        self.made = 0
        self.problems: tuple[Problem, ...] = ()
        self.configure(directory_urls=False)
        for name in ("index.md", "index.ja.md", "shape/index.md", "shape/index.ja.md"):
            self.write(name, PAGE if "shape" in name else f"# {name}\n")
        self.write("shape/lesson.py", "import torch\n")
        write_artifacts(root)
        monkeypatch.setattr(plan, "build", self.make)

    def configure(self, *, directory_urls: bool) -> None:
        text = CONFIG.format(directory_urls=str(directory_urls).lower())
        (self.root / "mkdocs.yml").write_text(text, encoding="utf-8")

    def write(self, page: str, text: str) -> None:
        path = self.root / "lessons" / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def make(self, project: plan.Project, **_: Any) -> plan.Build:
        assert project.root == self.root
        self.made += 1
        return plan.Build((), self.problems, 0.0)

    def build(self, *, strict: bool = True) -> Any:
        config = load_config(str(self.root / "mkdocs.yml"), strict=strict)
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
        return config

    def page(self, name: str) -> str:
        return (self.site / name).read_text(encoding="utf-8")

    def files(self) -> set[str]:
        paths = [path for path in self.site.rglob("*") if path.is_file()]
        return {path.relative_to(self.site).as_posix() for path in paths}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    return Course(tmp_path, monkeypatch)


@pytest.mark.parametrize("directory_urls", [False, True])
def test_both_languages_embed_the_same_files(course: Course, directory_urls: bool) -> None:
    course.configure(directory_urls=directory_urls)
    config = course.build()
    assert course.made == 1
    clip = "clips/shape/reshape-00000000.mp4"
    assert f'src="../{clip}"' in course.page("shape/index.html")
    assert f'src="../../{clip}"' in course.page("ja/shape/index.html")
    others = {clip.replace(".mp4", end) for end in (".gif", ".webp", "-opening.webp")}
    assert {clip, *others} <= course.files()
    assert course.page("ja/sitemap.xml") == course.page("sitemap.xml")
    assert not [name for name in course.files() if name.endswith(".py")]
    assert Path(config.site_dir) == course.site
    assert config.strict
    assert [path.name for path in (course.root / "build").glob(".site-*")] == []


def test_the_page_for_lost_readers_is_of_the_first_language(course: Course) -> None:
    course.build()
    assert '<html lang="en"' in course.page("404.html")
    assert "ja/404.html" not in course.files()


def test_pages_link_the_style_and_the_script_of_the_player(course: Course) -> None:
    course.build()
    names = [name for name in course.files() if name.startswith("assets/torchreel-")]
    script, style = sorted(names, key=lambda name: name.endswith(".css"))
    for page, up in (("shape/index.html", ".."), ("ja/shape/index.html", "../..")):
        assert f'href="{up}/{style}"' in course.page(page)
        assert f'<script src="{up}/{script}" defer></script>' in course.page(page)
    assert ".tr-frame" in course.page(style)
    assert "customElements.define" in course.page(script)


def test_a_card_leads_to_the_lesson_in_its_language(course: Course) -> None:
    card = "\n/// clip | shape/lesson.py:reshape\n    show: card\n///\n"
    course.write("index.md", f"# Home\n{card}")
    course.write("index.ja.md", f"# ホーム\n{card}")
    words = "title: {}\ndescription: {}\nminutes: 5\n---\n"
    course.write(
        "shape/index.md", PAGE.replace("title: Shape\n---\n", words.format("Boxes", "Same"))
    )
    course.write(
        "shape/index.ja.md", PAGE.replace("title: Shape\n---\n", words.format("箱", "同じ"))
    )
    course.build()
    for page, link, title, kicker in (
        ("index.html", "shape/index.html", "Boxes", "Lesson 1 · about 5 min"),
        ("ja/index.html", "shape/index.html", "箱", "レッスン 1 · 約 5\N{NO-BREAK SPACE}分"),
    ):
        html = course.page(page)
        assert f'<a href="{link}">{title}</a>' in html
        assert kicker in html
        assert 'data-lesson="lessons/shape"' in html
        assert html.count("<torchreel-progress") == 1


def test_a_card_without_a_page_says_so(course: Course, caplog: pytest.LogCaptureFixture) -> None:
    course.write("index.md", "# Home\n\n/// clip | shape/lesson.py:reshape\n    show: card\n///\n")
    (course.root / "lessons/shape/index.md").unlink()
    (course.root / "lessons/shape/index.ja.md").unlink()
    with pytest.raises(Abort), caplog.at_level(logging.ERROR, logger="mkdocs"):
        course.build()
    assert "lessons/index.md:3: there is no page lessons/shape/index.md" in caplog.text


def test_a_page_is_quoted_in_its_language(course: Course) -> None:
    course.build()
    assert "keeps the 12 numbers" in course.page("shape/index.html")
    assert "並び順はそのままに" in course.page("ja/shape/index.html")


@pytest.mark.parametrize("page", ["shape/index.md", "shape/index.ja.md"])
def test_a_bad_page_fails_and_nothing_is_lost(
    course: Course, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    course.build()
    built = page.replace("index.md", "index.html").replace(
        "shape/index.ja.md", "ja/shape/index.html"
    )
    before, files = course.page(built), course.files()
    course.write(page, PAGE.replace("y.shape", "yy.shape"))
    course.write("index.md", "# A new start\n")
    (course.site / "kept.html").write_text("kept")
    with pytest.raises(Abort), caplog.at_level(logging.ERROR, logger="mkdocs"):
        course.build()
    said = [record.getMessage() for record in caplog.records if "yy" in record.getMessage()]
    assert len(said) == 1
    assert f"lessons/{page}:8: nothing that can be quoted is called 'yy'" in said[0]
    assert course.page(built) == before
    assert "A new start" in course.page("index.html")
    assert course.files() == files | {"kept.html"}


def test_a_bad_page_shows_why_where_there_was_none(course: Course) -> None:
    course.write("shape/index.ja.md", PAGE.replace("reshape", "reshap"))
    with pytest.raises(Abort):
        course.build()
    assert "there is no cell" in course.page("ja/shape/index.html")
    assert "search" in course.page("ja/index.html")
    assert "<video" in course.page("shape/index.html")


def test_what_the_pipeline_could_not_make_fails_the_build(course: Course) -> None:
    course.problems = (Problem("lessons/shape/lesson.py:3", "the script raised", "Mend it."),)
    with pytest.raises(Abort):
        course.build()
    assert "<video" in course.page("shape/index.html")
    course.build(strict=False)


def test_a_mended_course_is_published_exactly(course: Course) -> None:
    course.write("old.md", "# Old\n")
    course.write("shape/index.md", PAGE + "\n/// clap\n///\n")
    with pytest.raises(Abort):
        course.build()
    assert "old.html" in course.files()
    (course.root / "lessons" / "old.md").unlink()
    course.write("shape/index.md", PAGE)
    course.build()
    assert "old.html" not in course.files()
    assert "tr-problem" not in course.page("shape/index.html")


def test_an_exception_leaves_the_site_as_it_was(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    course.build()
    before = {name: (course.site / name).read_bytes() for name in course.files()}

    def fail(*_: Any, **__: Any) -> plan.Build:
        raise RuntimeError("no disk")

    monkeypatch.setattr(plan, "build", fail)
    course.write("index.md", "# Never published\n")
    with pytest.raises(RuntimeError, match="no disk"):
        course.build()
    assert {name: (course.site / name).read_bytes() for name in course.files()} == before
    assert list((course.root / "build").glob(".site-*")) == []


def test_a_link_that_leads_nowhere_fails_and_every_page_stays(course: Course) -> None:
    course.write("old.md", "# Old\n")
    course.build()
    before = {name: (course.site / name).read_bytes() for name in course.files()}
    (course.root / "lessons" / "old.md").unlink()
    course.write("index.md", "# Home\n\n[Gone](old.md)\n")
    with pytest.raises(Abort):
        course.build()
    assert {name: (course.site / name).read_bytes() for name in course.files()} == before
    course.build(strict=False)
    assert "Gone" in course.page("index.html")
    assert "old.html" not in course.files()


def test_a_page_that_a_plugin_generates_is_a_page_of_its_own(
    course: Course, caplog: pytest.LogCaptureFixture
) -> None:
    (course.root / "hook.py").write_text(GENERATES, encoding="utf-8")
    settings = course.root / "mkdocs.yml"
    one_language, _, _ = settings.read_text(encoding="utf-8").partition("  - i18n:")
    settings.write_text(f"{one_language}hooks: [hook.py]\n", encoding="utf-8")
    for page in ("index.ja.md", "shape/index.ja.md"):
        (course.root / "lessons" / page).unlink()
    with pytest.raises(Abort):
        course.build()
    assert "lessons/shape/made.md:3: there is no cell 'reshap'" in caplog.text
    course.build(strict=False)
    made = course.page("shape/deeper/made.html")
    assert 'src="../../clips/shape/reshape-' in made
    assert "tr-problem" not in made


def test_a_clip_that_no_page_shows_is_not_published(course: Course) -> None:
    course.build()
    keys = Store(course.root / "build").index().clips
    assert len(keys) == 3
    assert {name.split("-")[0] for name in course.files() if name.startswith("clips/")} == {
        "clips/shape/reshape"
    }
