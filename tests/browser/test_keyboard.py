"""The player's keys: all of it by keyboard, and none of it outside the figure."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Course
from tests.browser.player import Player

SHAPE = "shape/index.html"


@pytest.fixture
def player(page: Page, course: Course) -> Player:
    """The first clip of the lesson, its player ready and slow."""
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    player.slow()
    return player


def test_arrows_in_the_code_go_from_line_to_line(
    player: Player, page: Page, course: Course
) -> None:
    numbers = player.find(".tr-number")
    numbers.first.focus()
    page.keyboard.press("ArrowDown")
    player.expect_line(2)
    expect(numbers.nth(1)).to_be_focused()
    assert player.paused
    end = course.clip("shape", "reshape").cues[1].end
    assert player.time == pytest.approx(end, abs=0.06)  # its last frame: what it made
    page.keyboard.press("ArrowUp")
    player.expect_line(1)
    page.keyboard.press("End")
    player.expect_line(3)
    page.keyboard.press("ArrowDown")
    player.expect_line(3)
    page.keyboard.press("Home")
    player.expect_line(1)
    assert page.locator(".tr-code").first.locator("a[tabindex='0']").count() == 1


def test_letters_play_step_and_move(player: Player, page: Page) -> None:
    player.find(".tr-code pre").focus()
    page.keyboard.press("s")
    expect(player.button("step")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    player.expect_state("!video.paused")
    page.keyboard.press("Space")
    player.expect_paused()
    page.keyboard.press("n")
    player.expect_line(2)
    page.keyboard.press("N")
    player.expect_line(3)
    page.keyboard.press("p")
    player.expect_line(2)


def test_enter_on_a_line_number_plays_the_line(player: Player, page: Page) -> None:
    player.find(".tr-number").nth(2).focus()
    page.keyboard.press("Enter")
    player.expect_line(3)
    player.expect_state("!video.paused")


def test_arrows_in_the_bar_go_from_step_to_step(player: Player, page: Page) -> None:
    bar = player.find(".tr-seek input")
    bar.focus()
    page.keyboard.press("ArrowRight")
    player.expect_line(2)
    page.keyboard.press("ArrowRight")
    player.expect_line(3)
    expect(bar).to_have_attribute("aria-valuetext", "3 / 3: z = x.reshape(2, 2, 3)")
    page.keyboard.press("ArrowLeft")
    player.expect_line(2)


def test_every_button_is_reached_and_named(player: Player, page: Page) -> None:
    player.button("toggle").focus()
    reached = []
    for _ in range(8):
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("Tab")
    assert reached == [
        "Play",
        "Previous step (P)",
        "Next step (N)",
        "Position",
        "Stop after each line (S)",
        "Speed",
        "Captions",
        "Full screen, with the code",
    ]


def test_keys_do_nothing_outside_the_figure(player: Player, page: Page) -> None:
    for key in ("ArrowDown", "Space", "End"):
        page.keyboard.press(key)
    expect(player.lit).to_have_count(0)
    assert player.paused


@pytest.mark.parametrize("key", ["f", "s", "n", "p", ",", "."])
def test_keys_do_not_reach_the_page_from_the_figure(player: Player, page: Page, key: str) -> None:
    page.evaluate("window.heard = []; addEventListener('keydown', e => heard.push(e.key))")
    player.find(".tr-code pre").focus()
    page.keyboard.press(key)
    assert page.evaluate("heard") == []
    assert page.url.endswith(SHAPE)
    expect(page.locator("input.md-search__input")).not_to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("x")
    assert page.evaluate("heard") == ["x"]
