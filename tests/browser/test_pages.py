"""The built pages in Chromium: what a reader sees, on a phone and a desktop, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Course
from torchreel.store import Store

PAGES = {
    "home-en": "index.html",
    "home-ja": "ja/index.html",
    "shape-en": "shape/index.html",
    "shape-ja": "ja/shape/index.html",
}
SCRIPT = "lessons/shape/lesson.py"

# What each track of each video holds, loaded as a reader's browser loads it.
TRACKS = """
async () => {
  const videos = [...document.querySelectorAll("torchreel-clip video")];
  const found = [];
  for (const video of videos) {
    const tracks = {};
    for (const element of video.querySelectorAll("track")) {
      element.track.mode = "hidden";
      for (let i = 0; i < 100 && element.readyState < 2; i++)
        await new Promise(done => setTimeout(done, 20));
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
    assert said == []
    assert [url for url in asked if not url.startswith((course.url, "data:"))] == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    if width != 358:
        assert _violations(page) == []
    context.close()


def _violations(page: Page) -> list[str]:
    # The rules of WCAG 2.2 A and AA; axe's "best practices" object to Material's own landmarks.
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    results = Axe().run(page, options={"runOnly": levels})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", ["shape-en", "shape-ja"])
@pytest.mark.parametrize("opened", ["http", "file"])
def test_each_clip_plays_with_chapters_and_captions(
    browser: Browser, course: Course, name: str, opened: str
) -> None:
    page = browser.new_page()
    place = course.url + PAGES[name]
    page.goto(place if opened == "http" else (course.site / PAGES[name]).as_uri())
    tracks = page.evaluate(TRACKS)
    assert len(tracks) == 2
    store = Store(course.root / "build")
    for cell, found in zip(("reshape", "unsqueeze"), tracks, strict=True):
        clip = store.clip(store.index().clips[Store.clip_key(SCRIPT, cell)])
        starts = [pytest.approx(cue.start, abs=0.002) for cue in clip.cues]
        captions = {key for key in found if key.startswith("captions")}
        assert captions == {"captions en", "captions ja"}
        for cues in found.values():
            assert [cue[0] for cue in cues] == starts
    assert "(3, 4)" in tracks[0]["captions ja"][1][2]
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
    page.close()


def test_a_clip_seeks_to_a_line(browser: Browser, course: Course) -> None:
    """The server answers byte ranges, so the browser lands on the second that was asked for."""
    page = browser.new_page()
    page.goto(course.url + PAGES["shape-en"])
    store = Store(course.root / "build")
    clip = store.clip(store.index().clips[Store.clip_key(SCRIPT, "reshape")])
    video = page.locator("torchreel-clip video").first
    found = video.evaluate(
        """(video, time) => new Promise((done, failed) => {
             video.onerror = () => failed(video.error.message);
             video.onloadedmetadata = () => { video.currentTime = time; };
             video.onseeked = () => done([video.currentTime, video.duration, video.videoWidth]);
             video.preload = "auto"; video.load(); })""",
        clip.cues[1].start,
    )
    assert found == pytest.approx([clip.cues[1].start, clip.duration, clip.width], abs=0.06)
    page.close()


@pytest.mark.parametrize("name", ["shape-en", "shape-ja"])
def test_a_lesson_reads_without_javascript(browser: Browser, course: Course, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(course.url + PAGES[name])
    expect(page.locator("torchreel-clip video")).to_have_count(2)
    expect(page.locator(".tr-code").first).to_contain_text("y = x.reshape(3, 4)")
    expect(page.locator(".tr-transcript").first.locator("li")).to_have_count(3)
    expect(page.locator(".tr-files a").first).to_be_visible()
    context.close()


def test_each_language_leads_to_the_other(browser: Browser, course: Course) -> None:
    page = browser.new_page()
    page.goto(course.url + PAGES["shape-en"])
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="language").hover()
    page.get_by_role("link", name="日本語").click()
    page.wait_for_url("**/ja/shape/index.html")
    expect(page.locator("h1")).to_contain_text("箱の形を変える")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.close()


@pytest.mark.parametrize("name", ["home-en", "home-ja"])
def test_search_finds_the_lesson(browser: Browser, course: Course, name: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(course.url + PAGES[name])
    box = page.locator("input.md-search__input")
    box.click()
    box.press_sequentially("unsqueeze")
    expect(page.locator(".md-search-result__link[href*='shape/']").first).to_be_visible()
    page.close()
