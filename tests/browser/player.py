"""A clip of a page, as a reader's hands and eyes know it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

# Play; note the video's time, and what is lit, in every frame of the page, after the player has
# looked at the time itself: however late a frame is, it must show what its time asks for.
_WATCH = """
(clip, [from, until]) => new Promise(done => {
  const video = clip.querySelector("video");
  const seen = [];
  const look = () => {
    const line = clip.querySelector(".tr-line.tr-now")?.dataset.line;
    const item = clip.querySelector(".tr-transcript li.tr-now")?.dataset.statement;
    seen.push([Number(line), Number(item), video.currentTime]);
    if (video.currentTime < until && !video.ended) return requestAnimationFrame(look);
    video.pause();
    done(seen);
  };
  const start = () => {
    video.addEventListener("play", () => requestAnimationFrame(look), { once: true });
    video.play();
  };
  const seek = () => {
    video.addEventListener("seeked", start, { once: true });
    video.currentTime = from;
  };
  if (from === null) start();
  else if (video.readyState) seek();
  else {
    video.addEventListener("loadedmetadata", seek, { once: true });
    video.preload = "auto";
    video.load();
  }
})
"""


class Player:
    """A ``torchreel-clip`` whose script runs."""

    def __init__(self, clip: Locator) -> None:
        clip.locator("xpath=self::*[contains(@class, 'tr-ready')]").wait_for()
        self.clip = clip
        self.page = clip.page
        self.video = clip.locator("video")
        self.lit = clip.locator(".tr-line.tr-now")

    @classmethod
    def of(cls, page: Page, number: int = 0) -> Player:
        """Return a clip of the page, by its number, once it is ready."""
        return cls(page.locator("torchreel-clip").nth(number))

    def find(self, selector: str) -> Locator:
        return self.clip.locator(selector)

    def button(self, action: str) -> Locator:
        return self.find(f"[data-action={action}]")

    def line(self, number: int) -> Locator:
        return self.find(f".tr-line[data-line='{number}']")

    @property
    def time(self) -> float:
        return float(self.video.evaluate("video => video.currentTime"))

    @property
    def paused(self) -> bool:
        return bool(self.video.evaluate("video => video.paused"))

    def watch(self, start: float | None = None, end: float = 1e9) -> list[tuple[int, int, float]]:
        """Play from one moment to another; return each frame's lit line, its item, the time."""
        seen = self.clip.evaluate(_WATCH, [start, end])
        return [(line, item, at) for line, item, at in seen]

    def slow(self) -> None:
        """Play as slowly as Chromium can: a clip must not go on while a test looks at it."""
        self.video.evaluate("video => { video.defaultPlaybackRate = video.playbackRate = 1 / 16 }")

    def expect_line(self, line: int) -> None:
        """Wait until a line is lit, and the transcript's item of its statement with it."""
        expect(self.lit).to_have_attribute("data-line", str(line))
        item = self.find(".tr-transcript li.tr-now")
        expect(item).to_have_attribute("data-statement", str(line))
        expect(item).to_have_attribute("aria-current", "step")

    def expect_state(self, state: str) -> None:
        """Wait until something holds, in JavaScript, of ``video``."""
        self.page.wait_for_function(f"video => {state}", arg=self.video.element_handle())

    def expect_paused(self) -> None:
        self.expect_state("video.paused")

    def expect_playing(self, start: float) -> None:
        """Wait until it plays, less than two seconds after a moment."""
        from_start = f"video.currentTime >= {start - 0.01} && video.currentTime < {start + 2}"
        self.expect_state(f"!video.paused && !video.seeking && {from_start}")


def until(page: Page, holds: Callable[[], object]) -> None:
    """Wait until something holds that the page's events bring about; raises TimeoutError."""
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        page.wait_for_timeout(50)  # meanwhile its events come in
