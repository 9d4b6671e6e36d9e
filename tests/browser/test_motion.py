"""What moves by itself, and what does not where a reader asks for less motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Course
from tests.browser.player import Player, until


def test_without_motion_nothing_plays_and_steps_jump_to_their_last_frame(
    browser: Browser, course: Course
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(course.url + "index.html", wait_until="networkidle")
    page.locator("torchreel-card").first.hover()
    page.locator("torchreel-card a").last.focus()
    assert page.evaluate("[...document.querySelectorAll('video')].every(v => v.paused)")
    page.goto(course.url + "shape/index.html")
    player = Player.of(page)
    for cue in course.clip("shape", "reshape").cues:
        player.button("toggle").click()
        player.expect_line(cue.number)
        assert player.paused
        assert player.time == pytest.approx(cue.end, abs=0.06)
    player.line(2).click()
    player.expect_line(2)
    assert player.paused
    context.close()


def test_the_hero_names_the_line_of_its_picture_until_it_plays(
    browser: Browser, course: Course
) -> None:
    clip = course.clip("shape", "reshape")
    shown = next(cue for cue in clip.cues if cue.number == clip.poster)
    lines = ["x = torch.arange(12)", "y = x.reshape(3, 4)", "z = x.reshape(2, 2, 3)"]
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(course.url + "index.html")
    hero = Player(page.locator("torchreel-clip[data-show=loop]"))
    expect(hero.find(".tr-now-line code")).to_have_text(lines[shown.statement - 1])
    context.close()


def test_the_hero_moves_where_motion_is_welcome_and_can_be_stopped(
    page: Page, course: Course
) -> None:
    page.goto(course.url + "index.html")
    hero = Player(page.locator("torchreel-clip[data-show=loop]"))
    hero.expect_state("!video.paused && video.loop && video.muted")
    hero.slow()
    second = course.clip("shape", "reshape").cues[1]
    hero.video.evaluate(f"video => {{ video.currentTime = {second.start + 0.1} }}")
    shown = hero.find(".tr-now-line")
    expect(shown).to_contain_text("y = x.reshape(3, 4)")
    expect(shown).to_contain_text("y (3, 4)")
    hero.button("toggle").click()
    hero.expect_paused()
    expect(hero.button("toggle")).to_have_attribute("aria-label", "Play")


def test_the_heros_film_waits_for_the_pictures_of_the_page(page: Page, course: Course) -> None:
    held: list[Route] = []
    asked: list[str] = []
    page.route("**/reshape-*.webp", lambda route: held.append(route))
    page.on("request", lambda request: asked.append(request.url.rpartition(".")[2]))
    page.goto(course.url + "index.html", wait_until="domcontentloaded")
    hero = Player(page.locator("torchreel-clip[data-show=loop]"))
    until(page, lambda: held)
    page.wait_for_function("performance.getEntriesByType('paint').length")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert "mp4" not in asked
    held[0].continue_()
    hero.expect_state("!video.paused && video.currentTime > 0")
    assert "mp4" in asked


def test_cards_move_while_pointed_at(page: Page, course: Course) -> None:
    page.goto(course.url + "index.html")
    card = page.locator("torchreel-card").first
    video = card.locator("video").element_handle()
    assert page.evaluate("video => video.paused", video)
    card.hover()
    page.wait_for_function("video => !video.paused && video.currentTime > 0", arg=video)
    page.mouse.move(0, 0)
    page.wait_for_function("video => video.paused", arg=video)
    card.get_by_role("link").focus()
    page.wait_for_function("video => !video.paused", arg=video)
