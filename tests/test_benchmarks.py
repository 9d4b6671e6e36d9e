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
