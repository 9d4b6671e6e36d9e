"""The player's benchmark runs; what it measures is for people to read, no test depends on it."""

from __future__ import annotations

import subprocess
import sys

from tests.browser.conftest import ROOT, Course


def test_player_sync_prints_both_figures(course: Course) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/player_sync.py")]
    page = [course.url + "shape/index.html", "--clip", "1", "--seeks", "4"]
    done = subprocess.run([*command, *page], capture_output=True, text=True, check=True)
    title, lit, seek = done.stdout.splitlines()
    assert title.startswith(page[0])
    assert lit.startswith("line lit")
    assert lit.endswith("(1)")
    assert seek.endswith("(4)")
