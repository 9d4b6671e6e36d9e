#!/usr/bin/env python
"""How closely the player follows: the lit line against the picture, and how long a seek takes.

Both are measured in Chromium on a page of the built site, given as an address or a file:

    .venv/bin/torchreel serve
    .venv/bin/python benchmarks/player_sync.py http://127.0.0.1:8000/shape/index.html

The clip is played once. For each step the moment when its line was lit is compared with the moment
when its first frame was due on screen, as `requestVideoFrameCallback` says (its own error is a
frame of the screen, 17 ms). Then the clip is sought to steps in random order, and the time from
asking to the frame of that step on screen is taken.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]

SYNC = """
number => new Promise(done => {
  const clip = document.querySelectorAll("torchreel-clip.tr-ready")[number];
  const video = clip.querySelector("video");
  const cues = [...clip.querySelector("[kind=metadata]").track.cues];
  const frames = [], lit = [];
  let line = null;
  const look = () => {
    const now = clip.querySelector(".tr-line.tr-now")?.dataset.line;
    if (now && now !== line) lit.push([performance.now(), Number(line = now)]);
  };
  new MutationObserver(look).observe(clip, { attributes: true, subtree: true });
  const frame = (_, { expectedDisplayTime, mediaTime }) => {
    frames.push([expectedDisplayTime, mediaTime]);
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  video.addEventListener("ended", () => done({
    frames, lit, cues: cues.map(cue => [cue.startTime, JSON.parse(cue.text).lines[0]]),
  }), { once: true });
  video.preload = "auto";
  video.addEventListener("canplaythrough",
    () => clip.querySelector("[data-action=toggle]").click(), { once: true });
  video.load();
})
"""

SEEK = """
([number, count]) => new Promise(done => {
  const clip = document.querySelectorAll("torchreel-clip.tr-ready")[number];
  const video = clip.querySelector("video");
  const cues = [...clip.querySelector("[kind=metadata]").track.cues];
  const taken = [];
  let last = -1;
  const next = () => {
    if (taken.length === count) return done(taken);
    const others = cues.map((_, index) => index).filter(index => index !== last);
    last = others[Math.floor(Math.random() * others.length)];
    const { startTime, endTime } = cues[last];
    const asked = performance.now();
    const frame = (_, { expectedDisplayTime, mediaTime }) => {
      if (mediaTime < startTime - 0.05 || mediaTime > endTime)
        return video.requestVideoFrameCallback(frame);
      taken.push(expectedDisplayTime - asked);
      setTimeout(next, 50);
    };
    video.requestVideoFrameCallback(frame);
    video.currentTime = startTime + 0.005;
  };
  next();
})
"""


def main() -> None:
    """Measure and print."""
    options = _options()
    place = options.page
    if "://" not in place:
        place = Path(place).resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, headless=True
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(0)
        page.goto(place)
        page.locator("torchreel-clip.tr-ready").nth(options.clip).wait_for()
        print(f"{place}, clip {options.clip + 1}, Chromium {browser.version}")
        print(_line("line lit after its frame", _errors(page, options.clip), worst="furthest"))
        seeks = page.evaluate(SEEK, [options.clip, options.seeks])
        print(_line("seek to a step", seeks, worst="slowest"))
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", help="an address, or a file of the built site")
    parser.add_argument(
        "--clip", type=int, default=0, help="which clip of the page, from 0 (default: %(default)s)"
    )
    parser.add_argument("--seeks", type=int, default=60, help="(default: %(default)s)")
    return parser.parse_args()


def _errors(page: Page, clip: int) -> list[float]:
    """Return, for each step that lights another line, milliseconds from its frame to its line."""
    seen: dict[str, Any] = page.evaluate(SYNC, clip)
    steps: list[tuple[float, int]] = []
    for start, line in seen["cues"]:
        if not steps or steps[-1][1] != line:
            steps.append((start, line))
    assert [line for _, line in seen["lit"]] == [line for _, line in steps], seen["lit"]
    errors = []
    for (start, _), (lit, _) in zip(steps, seen["lit"], strict=True):
        due = next(due for due, time in seen["frames"] if time >= start - 0.002)
        errors.append(lit - due)
    return errors[1:]  # the first line is lit when the button is pressed


def _line(name: str, times: list[float], worst: str) -> str:
    far = max(times, key=abs)
    sizes = [abs(time) for time in times]
    most = quantiles(sizes, n=20, method="inclusive")[-1] if len(sizes) > 1 else sizes[0]
    return (
        f"{name:26} median {median(times):6.1f} ms   95 % within {most:6.1f} ms   "
        f"{worst} {far:6.1f} ms   ({len(times)})"
    )


if __name__ == "__main__":
    main()
