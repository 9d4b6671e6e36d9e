"""The player in Chromium: code, values and transcript in step with the video."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import groupby
from typing import Any
from wsgiref.simple_server import make_server

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Course, Quiet, Server
from tests.browser.files import serve_files
from tests.browser.player import Player

SHAPE, LOOPS = "shape/index.html", "loops/index.html"


@pytest.fixture
def player(page: Page, course: Course) -> Player:
    """The first clip of the lesson, its player ready and slow."""
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    player.slow()
    return player


def test_lines_light_in_order_within_a_tenth_of_a_second(player: Player, course: Course) -> None:
    cues = course.clip("shape", "reshape").cues
    for cue in cues:
        frames = player.watch(max(cue.start - 0.05, 0), cue.start + 0.2)
        assert frames[-1][:2] == (cue.number, cue.statement)
        for line, item, at in frames:
            due = {each.number for each in cues if each.start - 0.01 <= at <= each.end + 0.1}
            assert line in due
            assert item == line


def test_every_line_of_a_clip_is_lit_once(player: Player) -> None:
    player.find(".tr-speed").select_option("1")
    assert [line for line, _ in groupby(line for line, _, _ in player.watch())] == [1, 2, 3]
    expect(player.lit).to_have_attribute("data-line", "3")  # and so it stays


def test_values_and_shapes_follow_the_line(player: Player) -> None:
    player.line(2).click()
    player.expect_line(2)
    values = player.find(".tr-vars")
    expect(values.locator(".tr-label")).to_have_text("After this line")
    expect(values.locator(".tr-lit")).to_have_text("y (3, 4) int64")
    expect(values.locator("li")).to_have_text(["y (3, 4) int64", "x (12,) int64"])
    rows = values.locator(".tr-row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1).locator("span")).to_have_text(["4", "5", "6", "7"])
    expect(player.lit.locator(".tr-shape")).to_have_text("y (3, 4)")
    expect(player.line(1).locator(".tr-shape")).to_be_visible()
    expect(player.line(3).locator(".tr-shape")).to_be_hidden()
    player.line(3).click()
    expect(player.line(3).locator(".tr-shape")).to_have_text("z (2, 2, 3)")
    first, second = (each.bounding_box() for each in values.locator(".tr-pile > *").all())
    assert first
    assert second
    assert second["y"] == first["y"]  # the tables of a stack stand side by side
    assert second["x"] > first["x"] + first["width"]


def test_what_was_printed_and_gradients_are_shown(page: Page, course: Course) -> None:
    page.goto(course.url + LOOPS)
    loop, gradient = Player.of(page, 0), Player.of(page, 1)
    loop.line(4).click()
    expect(loop.find(".tr-printed code")).to_have_text("tensor([3.0000, 1.5000])")
    gradient.line(2).click()
    expect(gradient.find(".tr-vars .tr-lit")).to_have_text("w (2,) float32 .grad [4., 6.]")
    gradient.line(1).click()
    expect(gradient.find(".tr-vars .tr-row span")).to_have_text(["2.", "3."])


# What the address is told to name; Material names the heading that is scrolled to.
NAMED = """
() => {
  const replace = history.replaceState.bind(history);
  window.named = [];
  history.replaceState = (state, title, url) => {
    named.push(String(url));
    replace(state, title, url);
  };
}
"""


@pytest.mark.parametrize("what", ["line", "number", "item", "segment"])
def test_a_click_goes_to_a_step_and_plays_it(
    player: Player, page: Page, course: Course, what: str
) -> None:
    start = course.clip("shape", "reshape").cues[2].start
    page.evaluate(NAMED)
    if what == "segment":
        box = player.find(".tr-seek").bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    else:
        place = {"line": ".tr-line .tr-text", "number": ".tr-number", "item": ".tr-transcript li"}
        player.find(place[what]).nth(2).click()
    player.expect_line(3)
    player.expect_playing(start)
    named = page.evaluate("named.some(url => url.endsWith('#reshape-3'))")
    assert named == (what == "number")


def test_a_step_of_the_transcript_brings_the_picture_into_sight(
    browser: Browser, course: Course
) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 420})
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    player.slow()
    last = player.find(".tr-transcript li").last
    last.evaluate("item => item.scrollIntoView({ block: 'start' })")
    expect(player.video).not_to_be_in_viewport(ratio=0.5)
    last.click()
    player.expect_line(3)
    expect(player.video).to_be_in_viewport(ratio=0.5)
    page.close()


def test_step_mode_stops_once_at_the_end_of_each_line(page: Page, course: Course) -> None:
    page.goto(course.url + SHAPE)
    player = Player.of(page, 1)
    player.button("step").click()
    expect(player.button("step")).to_have_attribute("aria-pressed", "true")
    page.evaluate("window.stops = []")
    player.video.evaluate("video => video.addEventListener('pause', () => stops.push(1))")
    for stops, cue in enumerate(course.clip("shape", "unsqueeze").cues, 1):
        player.button("toggle").click()
        page.wait_for_function(f"stops.length >= {stops}")
        assert player.paused
        assert player.time == pytest.approx(cue.end, abs=0.1)
        player.expect_line(cue.number)
        if cue.number == 1:  # at the end of a clip no other line follows
            player.expect_state(f"video.currentTime < {cue.end} && !video.seeking")
    assert page.evaluate("stops.length") == 2
    player.button("step").click()
    player.line(1).click()
    cue = course.clip("shape", "unsqueeze").cues[1]
    player.expect_state(f"video.currentTime > {cue.start + 0.2} && !video.paused")


def test_step_mode_does_not_stop_when_a_line_is_left_for_another(player: Player) -> None:
    player.button("step").click()
    player.line(1).click()
    player.expect_state("!video.paused && video.currentTime > 0.2")
    player.line(3).click()
    player.expect_line(3)
    player.expect_state("!video.seeking && !video.paused")
    player.line(2).click()
    player.expect_line(2)
    player.expect_state("!video.seeking && !video.paused")


def test_next_and_previous_go_step_by_step(player: Player) -> None:
    player.button("next").click()
    player.expect_line(2)
    player.button("next").click()
    player.expect_line(3)
    player.button("next").click()
    player.expect_line(3)
    player.button("previous").click()
    player.expect_line(2)
    player.button("previous").click()
    player.expect_line(1)
    player.button("previous").click()
    player.expect_line(1)


def test_previous_begins_a_line_anew_that_has_played_for_a_while(
    player: Player, course: Course
) -> None:
    start = course.clip("shape", "reshape").cues[1].start
    player.line(2).click()
    player.expect_playing(start)
    player.video.evaluate(f"video => {{ video.currentTime = {start + 1.1} }}")
    player.expect_state(f"video.currentTime > {start + 1} && !video.seeking")
    player.button("previous").click()
    player.expect_state(f"video.currentTime < {start + 0.9} && !video.seeking")
    player.expect_line(2)


def test_speed_is_the_videos(player: Player) -> None:
    expect(player.find(".tr-speed option")).to_have_text(["0.5×", "1×", "1.5×", "2×"])
    player.find(".tr-speed").select_option("2")
    assert player.video.evaluate("video => video.playbackRate") == 2


def test_captions_come_in_both_languages(player: Player) -> None:
    line = player.find(".tr-caption")
    expect(line).to_be_hidden()
    player.button("captions").click()
    player.line(2).click()
    expect(line).to_have_text("reshape folds them into (3, 4).")
    expect(line).to_have_attribute("lang", "en")
    player.button("captions").click()
    expect(line).to_have_text("reshape で (3, 4) に折ります。")
    expect(line).to_have_attribute("lang", "ja")
    expect(player.button("captions")).to_have_attribute("aria-label", "Captions: 日本語")
    player.button("captions").click()
    expect(line).to_be_hidden()
    player.button("captions").click()  # whose track is there already
    expect(line).to_have_text("reshape folds them into (3, 4).")
    player.line(3).click()
    expect(line).to_have_text("Or into (2, 2, 3).")


def test_captions_of_a_japanese_page_are_japanese_first(page: Page, course: Course) -> None:
    page.goto(f"{course.url}ja/{SHAPE}")
    player = Player.of(page)
    player.button("captions").click()
    player.line(3).click()
    expect(player.find(".tr-caption")).to_have_text("(2, 2, 3) にもなります。")


def test_full_screen_takes_the_code_along(player: Player, page: Page) -> None:
    player.button("screen").click()
    page.wait_for_function("document.fullscreenElement?.matches('.tr-figure')")
    expect(player.find(".tr-vars")).to_be_visible()
    for part in (".tr-media video", ".tr-code", ".tr-controls"):
        expect(player.find(part)).to_be_in_viewport(ratio=0.99)
    player.line(2).click()
    player.expect_line(2)
    player.button("screen").click()
    page.wait_for_function("!document.fullscreenElement")


# A phone on its side may show the page in one column: the wider one in two.
@pytest.mark.parametrize(("width", "height"), [(667, 375), (844, 390)])
def test_full_screen_on_a_phone_on_its_side(
    browser: Browser, course: Course, width: int, height: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(course.url + LOOPS)
    player = Player.of(page, 1)
    player.button("captions").click()
    player.button("screen").click()
    page.wait_for_function("document.fullscreenElement?.matches('.tr-figure')")
    line = player.find(".tr-line[data-cues]").last
    line.evaluate("line => line.click()")
    expect(line).to_have_attribute("aria-current", "step")
    for each in (player.video, *player.find(".tr-controls :is(button, input)").all(), line):
        expect(each).to_be_in_viewport(ratio=0.95)
    picture, buttons = player.video.bounding_box(), player.find(".tr-controls").bounding_box()
    assert picture
    assert buttons
    assert picture["height"] > height / 2
    assert buttons["height"] < 50  # one row
    page.close()


def test_buttons_stand_under_the_picture(player: Player) -> None:
    picture = player.video.bounding_box()
    buttons = player.find(".tr-controls").bounding_box()
    assert picture
    assert buttons
    assert buttons["y"] >= picture["y"] + picture["height"] - 1
    assert not player.video.evaluate("video => video.controls")


@pytest.mark.parametrize("width", [320, 358, 390])
def test_a_phone_has_every_button_on_one_row(browser: Browser, course: Course, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    tops = player.find(".tr-controls button, .tr-speed").evaluate_all(
        "all => all.map(each => Math.round(each.getBoundingClientRect().top))"
    )
    assert len(tops) == 7
    assert len(set(tops)) == 1
    code = player.find(".tr-code").bounding_box()
    picture = player.video.bounding_box()
    assert code
    assert picture
    assert code["y"] > picture["y"] + picture["height"]
    player.slow()
    player.line(2).click()
    player.expect_line(2)
    page.close()


# Lines whose number is not beside the start of their text, or of which something is cut off.
UNTIDY = """
() => [...document.querySelectorAll(".tr-line")].filter(line => {
  const { right } = line.getBoundingClientRect();
  const [number] = line.querySelector(".tr-number").getClientRects();
  const text = line.querySelector(".tr-indent + *, .tr-text:not(:has(.tr-indent))")
    ?.getClientRects()[0];
  const parts = [...line.querySelectorAll(".tr-text, .tr-shape")].flatMap(
    part => [...part.getClientRects()]);
  return (text && Math.abs(number.top - text.top) > 3) || parts.some(part => part.right > right);
}).map(line => line.textContent)
"""


@pytest.mark.parametrize("width", [358, 390])
def test_no_line_of_code_is_cut_or_parted_from_its_number(
    browser: Browser, course: Course, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(course.url + LOOPS)
    player = Player.of(page, 1)
    rows = player.line(1).locator(".tr-text").evaluate("text => text.getClientRects().length")
    assert rows > 1
    assert page.evaluate(UNTIDY) == []
    page.close()


UNCOVERED = """
number => {
  const { x, y, width, height } = number.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2) === number;
}
"""


def test_a_phone_keeps_the_picture_in_sight_of_its_code(browser: Browser, course: Course) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 640})
    page.goto(course.url + LOOPS)
    player = Player.of(page)
    player.find(".tr-vars").evaluate("values => values.scrollIntoView({ block: 'center' })")
    expect(player.video).to_be_in_viewport(ratio=0.95)
    number = player.find(".tr-number").first
    number.focus()
    expect(player.video).to_be_in_viewport(ratio=0.95)
    page.wait_for_function(UNCOVERED, arg=number.element_handle())  # what has the focus
    last = player.find(".tr-transcript li").last
    last.evaluate("item => item.scrollIntoView({ block: 'end' })")
    expect(last).to_be_in_viewport(ratio=0.95)
    expect(player.video).to_be_in_viewport(ratio=0.95)
    page.set_viewport_size({"width": 640, "height": 390})
    last.evaluate("item => item.scrollIntoView({ block: 'end' })")
    expect(player.video).not_to_be_in_viewport()
    page.close()


def test_a_laptop_keeps_the_film_in_sight_of_the_transcript(
    browser: Browser, course: Course
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 640})
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    steps = player.find(".tr-transcript")
    steps.evaluate(
        "steps => steps.append(...[...steps.children].map(each => each.cloneNode(true)))"
    )
    film, beside = player.find(".tr-film").bounding_box(), steps.bounding_box()
    assert film
    assert beside
    assert beside["x"] >= film["x"] + film["width"]
    steps.evaluate("steps => { steps.style.paddingBottom = '60rem' }")  # as of a longer cell
    page.evaluate("scrollBy(0, 900)")
    expect(player.find(".tr-film")).to_be_in_viewport(ratio=0.99)
    expect(steps).to_be_in_viewport()
    page.close()


@pytest.mark.parametrize(("lesson", "below"), [(SHAPE, False), (LOOPS, True)])
def test_beside_long_code_the_values_stand_below_the_film(
    page: Page, course: Course, lesson: str, below: bool
) -> None:
    page.goto(course.url + lesson)
    player = Player.of(page)
    film, values = player.find(".tr-film").bounding_box(), player.find(".tr-vars").bounding_box()
    assert film
    assert values
    assert (values["x"] < film["x"] + film["width"]) == below
    assert (values["y"] >= film["y"] + film["height"]) == below


def test_the_values_below_the_film_stay_in_sight_with_it(browser: Browser, course: Course) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(course.url + LOOPS)
    player = Player.of(page)
    film, values, steps = (player.find(each) for each in (".tr-film", ".tr-vars", ".tr-transcript"))
    expect(player.find("figure")).to_have_attribute("style", re.compile("--tr-values"))
    steps.evaluate("steps => { steps.style.paddingBottom = '60rem' }")  # as of a longer cell
    for place in ("start", "center", "end"):
        steps.evaluate("(steps, place) => steps.scrollIntoView({ block: place })", place)
        expect(values).to_be_in_viewport(ratio=0.99)
        above, below = film.bounding_box(), values.bounding_box()
        assert above
        assert below
        assert below["y"] >= above["y"] + above["height"] - 1
    page.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_below_a_clip_moves_while_it_plays(
    browser: Browser, course: Course, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, reduced_motion="reduce")
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    expect(player.find(".tr-vars")).to_have_attribute("style", re.compile("--tr-room"))
    if width == 390:
        expect(player.find(".tr-caption")).to_have_attribute("style", re.compile("--tr-room"))
    heights = set()
    for number in (1, 2, 3):
        player.line(number).click()
        player.expect_line(number)
        box = player.clip.bounding_box()
        assert box
        heights.add(round(box["height"]))
    assert len(heights) == 1
    page.close()


def test_a_phone_shows_captions_where_the_transcript_is_far(
    browser: Browser, course: Course
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{course.url}ja/{SHAPE}")
    player = Player.of(page)
    line = player.find(".tr-caption")
    expect(line).to_be_visible()
    expect(line).to_have_text(
        "再生するか、コードの行を選んでください。"
    )  # nothing has happened yet
    player.slow()
    player.line(2).click()
    expect(line).to_have_text("reshape で (3, 4) に折ります。")
    player.button("captions").click()
    expect(line).to_have_attribute("lang", "en")
    player.button("captions").click()
    expect(line).to_be_hidden()
    page.close()


def test_a_link_to_a_step_rests_on_it(page: Page, course: Course) -> None:
    start = course.clip("shape", "reshape").cues[2].start
    page.goto(f"{course.url}{SHAPE}#reshape-2")
    player = Player.of(page)
    player.expect_line(2)
    assert player.paused
    expect(player.video).to_be_in_viewport()
    page.evaluate("location.hash = '#reshape-3'")
    player.expect_line(3)
    player.slow()
    player.button("toggle").click()  # what plays is the step that the link names, from its start
    player.expect_playing(start)


@pytest.mark.parametrize("name", ["%", "%E0%A4%A", "reshape-99", "__proto__"])
def test_an_address_that_names_nothing_is_no_error(page: Page, course: Course, name: str) -> None:
    page.goto(f"{course.url}{SHAPE}#{name}")
    player = Player.of(page)
    expect(player.lit).to_have_count(0)
    player.slow()
    player.line(2).click()
    player.expect_line(2)


def test_another_language_leads_to_the_step_on_screen(page: Page, course: Course) -> None:
    page.goto(f"{course.url}{SHAPE}#unsqueeze-2")
    player = Player.of(page, 1)
    player.expect_line(2)
    page.get_by_role("button", name="Select language").hover()
    page.get_by_role("link", name="日本語").click()
    page.wait_for_url("**/ja/shape/**")
    player = Player.of(page, 1)
    player.expect_line(2)
    expect(player.video).to_be_in_viewport()
    expect(player.find(".tr-transcript .tr-now")).to_contain_text("squeeze")


def test_a_step_is_played_after_it_was_shown(player: Player, page: Page, course: Course) -> None:
    player.find(".tr-number").first.focus()
    page.keyboard.press("ArrowDown")
    started = player.clip.evaluate(
        """clip => new Promise(done => {
             const video = clip.querySelector("video");
             video.addEventListener("playing", () => done(video.currentTime), { once: true });
             clip.querySelector("[data-action=toggle]").click(); })"""
    )
    assert started == pytest.approx(course.clip("shape", "reshape").cues[1].start, abs=0.3)


def test_instant_navigation_and_back(page: Page, course: Course) -> None:
    page.goto(course.url + "index.html")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Start", exact=True).last.click()
    title = page.locator("h1")
    expect(title).to_contain_text("Changing the shape")
    assert page.url.endswith(SHAPE)
    assert page.evaluate("window.same")  # the page was not loaded anew
    play_the_second_line(page, course)
    page.go_back()
    expect(page.locator("torchreel-card").first).to_be_visible()
    assert page.url.endswith("/index.html")
    page.go_forward()
    expect(title).to_contain_text("Changing the shape")
    player = Player.of(page)
    player.line(3).click()
    player.expect_line(3)


def test_a_clip_that_did_not_load_says_so_and_can_be_tried_again(
    browser: Browser, course: Course
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(course.url + SHAPE)
    player = Player.of(page)
    player.slow()
    context.set_offline(True)
    player.line(2).click()
    expect(player.clip.get_by_role("alert")).to_have_text(
        "The clip could not be loaded. Press play to try again."
    )
    context.set_offline(False)
    player.button("toggle").click()
    player.expect_playing(course.clip("shape", "reshape").cues[1].start)
    expect(player.clip.get_by_role("alert")).to_have_count(0)
    context.close()


def test_a_clip_that_is_waited_for_says_so(player: Player, page: Page) -> None:
    held: list[Route] = []
    answer: Callable[[Route], None] = held.append
    page.route("**/*.mp4", lambda route: answer(route))
    player.line(2).click()
    waiting = re.compile(r"\btr-waiting\b")
    expect(player.clip).to_have_class(waiting)
    answer = Route.continue_
    for route in held:
        route.continue_()
    expect(player.clip).not_to_have_class(waiting)
    player.expect_state("!video.paused && video.readyState > 2")


def test_a_readers_own_colours_show_the_bar_and_the_line(browser: Browser, course: Course) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(f"{course.url}{SHAPE}#reshape-2")
    player = Player.of(page)
    player.expect_line(2)
    look = "(each, name) => getComputedStyle(each)[name]"
    paper = page.locator("body").evaluate(look, "backgroundColor")
    assert player.find(".tr-segments i").first.evaluate(look, "backgroundColor") != paper
    borders = [player.line(n).evaluate(look, "borderInlineStartColor") for n in (1, 2, 3)]
    assert [border == paper for border in borders] == [True, False, True]
    context.close()


def test_the_player_finds_a_moment_where_the_server_sends_whole_files(
    browser: Browser, course: Course
) -> None:
    application = serve_files(course.site)
    page = browser.new_page()
    with make_server("127.0.0.1", 0, application, Server, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = course.clip("shape", "reshape").cues[1].start
        page.goto(f"http://127.0.0.1:{server.server_port}/{SHAPE}#reshape-3")
        player = Player.of(page)
        player.expect_line(3)
        player.expect_state(f"video.readyState > 1 && video.currentTime > {start}")
        play_the_second_line(page, course)
        server.shutdown()
    page.close()


def test_the_player_works_from_a_file(page: Page, course: Course) -> None:
    page.goto((course.site / SHAPE).as_uri())
    play_the_second_line(page, course)


def play_the_second_line(page: Page, course: Course) -> None:
    player = Player.of(page)
    player.slow()
    player.line(2).click()
    player.expect_line(2)
    player.expect_playing(course.clip("shape", "reshape").cues[1].start)
    player.expect_state("video.readyState > 1")


def test_a_line_of_a_loop_goes_from_lap_to_lap(page: Page, course: Course) -> None:
    page.goto(course.url + LOOPS)
    player = Player.of(page)
    player.slow()
    cues = [cue for cue in course.clip("loops", "loop").cues if cue.statement == 3]
    body = player.line(3)
    expect(body).to_have_attribute("data-cues", " ".join(str(cue.number) for cue in cues))
    player.button("captions").click()
    for lap, cue in [(1, cues[0]), (2, cues[1]), (1, cues[0])]:
        body.click()
        player.expect_line(3)
        assert cue.start - 0.01 <= player.time < cue.end
        expect(player.find(".tr-caption")).to_contain_text(f"Lap {lap}: ")


def test_one_clip_plays_at_a_time(player: Player, page: Page) -> None:
    player.button("toggle").click()
    Player.of(page, 1).button("toggle").click()
    player.expect_paused()


def test_the_code_is_copied_with_what_it_needs_to_run(browser: Browser, course: Course) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(course.url + SHAPE)
    player = Player.of(page, 1)
    labels = """button => {
      const look = () => labels.push(button.getAttribute("aria-label"));
      window.labels = [];
      new MutationObserver(look).observe(button, { attributes: true });
    }"""
    player.button("copy").evaluate(labels)
    player.button("copy").click()
    page.wait_for_function("labels.includes('Copied')")  # for a moment
    copied: Any = page.evaluate("navigator.clipboard.readText()")
    script = (course.root / "lessons/shape/lesson.py").read_text(encoding="utf-8")
    assert copied == script
    scope: dict[str, Any] = {}
    exec(copied, scope)
    assert scope["b"].shape == (3, 4)
    context.close()


def test_a_seek_lands_where_it_was_asked_for(player: Player, course: Course) -> None:
    """The server answers byte ranges, so the browser lands on the second that was asked for."""
    clip = course.clip("shape", "reshape")
    found = player.video.evaluate(
        """(video, time) => new Promise((done, failed) => {
             video.onerror = () => failed(video.error.message);
             video.onloadedmetadata = () => { video.currentTime = time; };
             video.onseeked = () => done([video.currentTime, video.duration, video.videoWidth]);
             video.preload = "auto"; video.load(); })""",
        clip.cues[1].start,
    )
    assert found == pytest.approx([clip.cues[1].start, clip.duration, clip.width], abs=0.06)


def test_nothing_of_a_clip_is_loaded_before_it_is_wanted(page: Page, course: Course) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(course.url + SHAPE, wait_until="networkidle")
    player = Player.of(page)
    assert not [url for url in asked if url.endswith(".mp4")]
    player.line(1).click()
    player.expect_state("!video.paused && video.currentTime > 0.1")
    assert [url for url in asked if url.endswith(".mp4")]
