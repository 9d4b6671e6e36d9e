"""What the course's own theme and settings put around its pages, and beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.site.test_mkdocs import PAGE, Course

ROOT = Path(__file__).parents[2]
URL = "https://small.example/reel/"
CLIP = "clips/shape/reshape-00000000"


def configure(course: Course, *lessons: str) -> None:
    """Give the small course the settings of the real one, with these lessons in its navigation."""
    listed = "".join(f"      - {lesson}/index.md\n" for lesson in lessons)
    nav = f"nav:\n  - Home: index.md\n  - about.md\n  - Lessons:\n{listed}"
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    text, replaced = re.subn(r"^nav:\n(?:[ ].*\n)+", nav, text, flags=re.MULTILINE)
    assert replaced == 1
    (course.root / "mkdocs.yml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """The small course under the real theme, built: two lessons and a page that is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITE_URL", URL)
        course = Course(tmp_path_factory.mktemp("themed"), patch)
        for folder in (".overrides", "assets"):
            shutil.copytree(ROOT / "lessons" / folder, course.root / "lessons" / folder)
        front = "title: {}\ndescription: {}\nminutes: {}\n---\n"
        for name, title, words, minutes in (
            ("shape/index.md", 'Boxes "<1>"', "They fold.", 5),
            ("shape/index.ja.md", "箱", "折ります。", 5),
            ("loops/index.md", "Loops", "Again.", 2),
            ("loops/index.ja.md", "ループ", "もう一度。", 2),
        ):
            head = front.format(title, words, minutes)
            page = PAGE.replace("title: Shape\n---\n", head)
            course.write(name, page.replace("clip | ", "clip | ../shape/lesson.py:"))
        course.write("loops/lesson.py", "import torch\n")
        for name in ("about.md", "about.ja.md"):
            course.write(name, "# About\n")
        configure(course, "shape", "loops")
        course.build()
        yield course


class Told(HTMLParser):
    """What the `og:` tags of a page tell other sites."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("property") or ""
        if tag == "meta" and name.startswith("og:"):
            assert name not in self.tags
            self.tags[name] = found["content"]


@pytest.mark.parametrize(
    ("page", "title", "description", "locale", "alt"),
    [
        ("shape/index.html", 'Boxes "<1>"', "They fold.", "en_US", "Animation of x ="),
        ("ja/shape/index.html", "箱", "折ります。", "ja_JP", "アニメーション"),
    ],
)
def test_other_sites_are_told_of_a_lesson_and_its_first_clip(
    course: Course, page: str, title: str, description: str, locale: str, alt: str
) -> None:
    told = Told(course.page(page)).tags
    assert alt in (told.pop("og:image:alt") or "")
    assert told == {
        "og:type": "website",
        "og:site_name": "TorchReel",
        "og:title": title,
        "og:description": description,
        "og:url": URL + page,
        "og:locale": locale,
        "og:image": f"{URL}{CLIP}.webp",
        "og:video": f"{URL}{CLIP}.mp4",
        "og:video:type": "video/mp4",
        "og:video:width": "320",
        "og:video:height": "200",
    }
    assert {f"{CLIP}.webp", f"{CLIP}.mp4"} <= course.files()


def test_a_site_that_does_not_know_its_address_names_none(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f'<link rel="canonical" href="{URL}shape/index.html">' in course.page("shape/index.html")
    monkeypatch.delenv("SITE_URL")
    course.build()
    for page in ("shape/index.html", "ja/shape/index.html", "404.html"):
        html = course.page(page)
        assert "localhost" not in html
        assert "og:title" in html
    monkeypatch.undo()
    course.build()


def test_a_page_without_a_clip_tells_of_the_site(course: Course) -> None:
    told = Told(course.page("about.html")).tags
    assert not [name for name in told if name.startswith(("og:image", "og:video"))]
    assert told["og:title"] == "TorchReel"
    assert told["og:description"]


@pytest.mark.parametrize("folder", ["", "ja/"])
def test_the_sitemap_of_a_language_holds_every_page_of_it(course: Course, folder: str) -> None:
    pages = {name for name in course.files() if name.endswith(".html")} - {"404.html"}
    own = {name for name in pages if name.startswith("ja/") == bool(folder)}
    assert {f"{folder}{name}.html" for name in ("index", "about", "shape/index")} < own
    listed = re.findall(r"<loc>(.*?)</loc>", course.page(f"{folder}sitemap.xml"))
    assert len(listed) == len(set(listed))
    assert {f"{URL}{name}" for name in own} <= set(listed)
    assert set(listed) <= {f"{URL}{name}" for name in pages}


def test_the_page_for_lost_readers_leads_home_in_both_languages(course: Course) -> None:
    html = course.page("404.html")
    content = html.partition("<article")[2].partition("</article>")[0]
    homes = re.findall(r'<a href="([^"]*)"', content)
    assert homes == ["/reel/index.html", "/reel/ja/index.html"]  # from whatever folder it is shown
    assert {"index.html", "ja/index.html"} <= course.files()


def test_the_number_of_a_lesson_is_its_place_in_the_navigation(course: Course) -> None:
    assert kickers(course) == {
        "shape/index.html": "Lesson 1 · about 5 minutes",
        "loops/index.html": "Lesson 2 · about 2 minutes",
        "ja/shape/index.html": "レッスン 1 · 約 5 分",
        "ja/loops/index.html": "レッスン 2 · 約 2 分",
    }
    configure(course, "loops", "shape")
    course.build()
    assert kickers(course) == {
        "loops/index.html": "Lesson 1 · about 2 minutes",
        "shape/index.html": "Lesson 2 · about 5 minutes",
        "ja/loops/index.html": "レッスン 1 · 約 2 分",
        "ja/shape/index.html": "レッスン 2 · 約 5 分",
    }


def test_a_lesson_says_how_to_run_it_and_where_it_is_if_that_is_known(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = course.page("shape/index.html")
    assert "<code>lessons/shape/lesson.py</code>" in page
    assert "git clone" not in page
    assert "lesson-run" not in course.page("about.html")
    monkeypatch.setenv("REPOSITORY", "https://code.example/reel")
    course.build()
    for name in ("shape/index.html", "ja/shape/index.html"):
        page = course.page(name)
        assert "<code>git clone https://code.example/reel</code>" in page
        assert '<a href="https://code.example/reel">' in page


def kickers(course: Course) -> dict[str, str]:
    """Return what stands above the title of each page that has such a line."""
    return {
        name: found[1].strip()
        for name in course.files()
        if name.endswith(".html")
        if (found := re.search(r'<p class="lesson-kicker">(.*?)</p>', course.page(name), re.DOTALL))
    }
