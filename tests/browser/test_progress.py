"""The reader's progress: kept in the browser, shown on the home page, forgotten on demand."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Course
from tests.browser.player import Player

# A site whose storage is blocked, as a browser's strictest settings do.
BLOCKED = """
Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
});
"""


def play_to_the_end(page: Page, count: int) -> None:
    for number in range(count):
        Player.of(page, number).video.evaluate(
            """video => new Promise(done => {
                 video.addEventListener("ended", () => done(), { once: true });
                 video.preload = "auto";
                 video.addEventListener("loadedmetadata", () => {
                   video.currentTime = video.duration - 0.3;
                   video.play();
                 }, { once: true });
                 video.load(); })"""
        )


def test_a_lesson_is_done_when_its_clips_were_played(page: Page, course: Course) -> None:
    page.goto(course.url + "shape/index.html")
    play_to_the_end(page, 1)
    page.goto(course.url + "index.html")
    cards = page.locator("torchreel-card")
    expect(cards).to_have_count(2)
    expect(page.locator(".tr-done").first).to_be_hidden()
    told = page.locator("torchreel-progress")
    expect_nothing_done(told)

    page.goto(course.url + "ja/shape/index.html")  # progress is of the lesson, in any language
    play_to_the_end(page, 2)
    page.goto(course.url + "index.html")
    expect(cards.first.locator(".tr-done")).to_be_visible()
    expect(cards.last.locator(".tr-done")).to_be_hidden()
    expect(told).to_contain_text("1 of 2 lessons done")
    expect(told.locator("progress")).to_have_attribute("value", "1")
    page.goto(course.url + "ja/index.html")
    expect(told).to_contain_text("2 レッスン中 1 レッスン完了")

    told.get_by_role("button", name="最初からやり直す").click()
    expect_nothing_done(told)
    expect(page.locator(".tr-done").first).to_be_hidden()
    page.reload()
    expect_nothing_done(told)


def test_another_tab_hears_of_it(page: Page, course: Course) -> None:
    page.goto(course.url + "index.html")
    told = page.locator("torchreel-progress")
    expect_nothing_done(told)
    other = page.context.new_page()
    other.goto(course.url + "shape/index.html")
    play_to_the_end(other, 2)
    expect(told).to_contain_text("1 of 2 lessons done")
    other.evaluate("localStorage.clear()")
    expect_nothing_done(told)


def expect_nothing_done(told: Locator) -> None:
    """Wait until the bar is there, empty, and says no more."""
    expect(told.locator("progress")).to_be_visible()
    expect(told.locator("progress")).to_have_js_property("value", 0)
    expect(told.get_by_role("button")).to_be_hidden()


def test_a_link_to_the_last_step_is_not_having_played_it(page: Page, course: Course) -> None:
    page.goto(course.url + "shape/index.html#reshape-3")
    player = Player.of(page)
    player.expect_line(3)
    player.expect_state("video.readyState > 2 && !video.seeking")
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('torch'))") == []


def test_blocked_storage_is_no_error(browser: Browser, course: Course) -> None:
    page = browser.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(error.stack or ""))
    page.add_init_script(BLOCKED)
    page.goto(course.url + "loops/index.html")
    play_to_the_end(page, 1)
    page.goto(course.url + "index.html")
    expect(page.locator("torchreel-card").first).to_be_visible()
    expect_nothing_done(page.locator("torchreel-progress"))
    assert [stack for stack in failed if "torchreel-" in stack] == []  # Material does say so
    page.close()
