"""Every benchmark runs; what it measures is for people to read, no test depends on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_trace_overhead_prints_a_ratio_for_each_script() -> None:
    command = [sys.executable, str(BENCHMARKS / "trace_overhead.py")]
    short = ["--rounds", "1", "--laps", "3", "--passes", "1"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines() if " traced " in line]
    assert len(rows) == 3
    assert all(float(row[-1]) > 0 for row in rows)


def test_frame_cost_prints_what_a_frame_costs_and_on_what_it_is_spent() -> None:
    command = [sys.executable, str(BENCHMARKS / "frame_cost.py"), "--cells", "slabs"]
    short = ["--rounds", "1", "--quality", "draft"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[-8] for row in rows] == ["page", "film", "page"]
    for row in rows:
        assert all(float(number) > 0 for number in row[-7:-3])
        assert sum(int(share.rstrip("%")) for share in row[-3:]) in range(98, 103)
    assert float(rows[-1][-4]) == 1
