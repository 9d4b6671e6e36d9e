"""The built pages in Chromium: what a reader sees, on a phone and a desktop, in both languages."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Course
from tests.browser.player import Player, until

PAGES = {
    "home-en": "index.html",
    "home-ja": "ja/index.html",
    "shape-en": "shape/index.html",
    "shape-ja": "ja/shape/index.html",
    "lost": "404.html",
}

# What each track of each video holds, loaded as a reader's browser loads it.
TRACKS = """
async () => {
  const videos = [...document.querySelectorAll("torchreel-clip video")];
  const found = [];
  for (const video of videos) {
    const tracks = {};
    for (const element of video.querySelectorAll("track")) {
      element.track.mode = "hidden";
      if (element.readyState < HTMLTrackElement.LOADED) await new Promise((done, failed) => {
        element.addEventListener("load", done);
        element.addEventListener("error", () => failed(new Error(`${element.kind}: no cues`)));
      });
      tracks[`${element.kind} ${element.srclang}`] =
        [...element.track.cues].map(cue => [cue.startTime, cue.endTime, cue.text]);
    }
    found.push(tracks);
  }
  return found;
}
"""


@pytest.mark.parametrize("width", [358, 390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_asks_no_other_host(
    browser: Browser, course: Course, name: str, scheme: Any, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(course.url + PAGES[name], wait_until="networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    if width != 358:
        if name.startswith("shape"):
            player = Player.of(page)
            player.line(1).click()
            player.expect_line(1)
        assert _violations(page) == []
    assert said == []
    assert [url for url in asked if not url.startswith((course.url, "data:"))] == []
    context.close()


def _violations(page: Page) -> list[str]:
    """Return what axe objects to, its best practices included."""
    results = Axe().run(page)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", ["shape-en", "shape-ja"])
@pytest.mark.parametrize("opened", ["http", "file"])
def test_each_clip_has_chapters_and_captions(
    page: Page, course: Course, name: str, opened: str
) -> None:
    place = course.url + PAGES[name]
    page.goto(place if opened == "http" else (course.site / PAGES[name]).as_uri())
    tracks = page.evaluate(TRACKS)
    assert len(tracks) == 2
    for cell, found in zip(("reshape", "unsqueeze"), tracks, strict=True):
        starts = [pytest.approx(cue.start, abs=0.002) for cue in course.clip("shape", cell).cues]
        captions = {key for key in found if key.startswith("captions")}
        assert captions == {"captions en", "captions ja"}
        for cues in found.values():
            assert [cue[0] for cue in cues] == starts
    assert tracks[0]["captions ja"][1][2] == "reshape で (3, 4) に折ります。"
    assert tracks[0]["captions en"][1][2] == "reshape folds them into (3, 4)."
    chapters = next(value for key, value in tracks[0].items() if key.startswith("chapters"))
    assert [cue[2] for cue in chapters] == [
        "x = torch.arange(12)",
        "y = x.reshape(3, 4)",
        "z = x.reshape(2, 2, 3)",
    ]
    posters = page.evaluate(
        """() => Promise.all([...document.querySelectorAll("torchreel-clip video")].map(video =>
             new Promise(done => { const image = new Image();
               image.onload = () => done(image.naturalWidth); image.onerror = () => done(0);
               image.src = video.poster; })))"""
    )
    assert all(width > 0 for width in posters)


@pytest.mark.parametrize("name", ["shape-en", "shape-ja"])
def test_a_lesson_reads_without_javascript(browser: Browser, course: Course, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(course.url + PAGES[name])
    width = page.viewport_size["width"] if page.viewport_size else 0
    languages = page.locator(".md-select__inner").bounding_box()
    assert languages
    assert languages["x"] + languages["width"] <= width
    expect(page.locator("torchreel-clip video[controls]")).to_have_count(2)
    expect(page.locator(".tr-controls").first).to_be_hidden()
    expect(page.locator(".tr-code").first).to_contain_text("y = x.reshape(3, 4)")
    expect(page.locator(".tr-transcript").first.locator("li")).to_have_count(3)
    expect(page.locator(".tr-files a").first).to_be_visible()
    context.close()


def test_every_picture_comes_without_javascript(browser: Browser, course: Course) -> None:
    page = browser.new_page(java_script_enabled=False)
    came: set[str] = set()
    page.on("requestfinished", lambda request: came.add(request.url))
    page.goto(course.url + PAGES["shape-en"], wait_until="load")
    for cell in ("reshape", "unsqueeze"):
        page.locator(f"#clip-{cell} video").scroll_into_view_if_needed()
        digest = course.clip("shape", cell).digest[:8]
        picture = f"{course.url}clips/shape/{cell}-{digest}-opening.webp"
        until(page, partial(came.__contains__, picture))
    page.close()


def test_each_language_leads_to_the_other(page: Page, course: Course) -> None:
    page.goto(course.url + PAGES["shape-en"])
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="language").hover()
    page.get_by_role("link", name="日本語").click()
    page.wait_for_url("**/ja/shape/index.html")
    expect(page.locator("h1")).to_contain_text("箱の形を変える")
    expect(page.locator("html")).to_have_attribute("lang", "ja")


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("home-en", "unsqueeze", "shape/"),
        ("home-en", "gradient", "shape/"),
        ("home-ja", "勾配", "ja/loops/"),
        ("home-ja", "要素数", "ja/shape/"),
        ("home-ja", "形を変える", "ja/shape/"),
        ("home-ja", "箱の形を変えます", "ja/shape/"),
        ("home-ja", "reshape", "ja/shape/"),
    ],
)
def test_search_finds_the_lesson(
    page: Page, course: Course, name: str, query: str, found: str
) -> None:
    page.goto(course.url + PAGES[name])
    _search(page, query)
    expect(page.locator(f".md-search-result__link[href*='{found}']").first).to_be_visible()
    others = "ja/" if name.endswith("en") else "html"
    links = page.locator(".md-search-result__link").evaluate_all("all => all.map(a => a.href)")
    languages = {link.startswith(f"{course.url}ja/") for link in links}
    assert languages == {others != "ja/"}


@pytest.mark.parametrize("query", ["ネコ", "配勾"])
def test_search_finds_no_word_that_is_not_there(page: Page, course: Course, query: str) -> None:
    page.goto(course.url + PAGES["home-ja"])
    _search(page, query)
    expect(page.locator(".md-search-result__meta")).to_have_text("何も見つかりませんでした")


def _search(page: Page, query: str) -> None:
    box = page.locator("input.md-search__input")
    box.click()
    box.fill(query)
    box.press("End")  # Material waits for a key to come up


def test_other_sites_are_told_of_the_clip(page: Page, course: Course) -> None:
    page.goto(course.url + PAGES["shape-ja"])
    told = page.locator("meta[property^='og:']").evaluate_all(
        "all => Object.fromEntries(all.map(m => [m.getAttribute('property'), m.content]))"
    )
    assert told["og:title"] == "箱の形を変える"
    assert told["og:locale"] == "ja_JP"
    assert told["og:image:alt"].startswith("12 個のマスが (3, 4)")
    for kind, file in (("image", "webp"), ("video", "mp4")):
        digest = course.clip("shape", "reshape").digest[:8]
        assert told[f"og:{kind}"] == f"{course.url}clips/shape/reshape-{digest}.{file}"
        assert page.request.get(told[f"og:{kind}"]).ok


def test_lessons_are_numbered_and_lead_to_each_other(page: Page, course: Course) -> None:
    page.goto(course.url + PAGES["shape-en"])
    expect(page.locator(".lesson-kicker")).to_have_text("Lesson 1 · about 3 minutes")
    page.get_by_role("link", name="Next: Loops").click()
    expect(page.locator("h1")).to_contain_text("Loops")
    expect(page.locator(".lesson-kicker")).to_have_text("Lesson 2 · about 2 minutes")
    page.goto(f"{course.url}ja/loops/index.html")
    expect(page.locator(".lesson-kicker")).to_have_text("レッスン 2 · 約 2 分")


@pytest.mark.parametrize("folder", ["", "ja/"])
def test_the_sitemap_lists_both_languages(page: Page, course: Course, folder: str) -> None:
    listed = page.request.get(f"{course.url}{folder}sitemap.xml").text()
    for name in ("home-en", "home-ja", "shape-en", "shape-ja"):
        assert f"<loc>{course.url}{PAGES[name]}</loc>" in listed
