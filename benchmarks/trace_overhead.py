#!/usr/bin/env python
"""What tracing costs: the same scripts with and without the tracer, in turns.

Each script times itself and prints the seconds, so both runs measure the same lines and nothing of
what comes before (importing torch) or after (measuring provenance, writing the trace). Seconds are
the processor's, on one thread: what else runs on the machine counts little. A round runs every
script once plain and once traced, each in a process of its own; medians and ratios are of all
rounds.

To see torchlens beside it, which traces a forward pass and no training loop, put it in an
environment of its own, outside the project, and name its Python:

    python -m venv /tmp/torchlens
    /tmp/torchlens/bin/pip install torch==2.13.0 torchlens
    .venv/bin/python benchmarks/trace_overhead.py --torchlens /tmp/torchlens/bin/python
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from torchreel.tracer import trace_script

NET = """
import statistics
import time
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)

class SimpleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))

model = SimpleNet()
"""

TRAINING = """
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
criterion = nn.CrossEntropyLoss()
images = torch.rand(64, 8, 784)
labels = torch.randint(0, 10, (64, 8))

def train(laps):
    for lap in range(laps):
        optimizer.zero_grad()
        loss = criterion(model(images[lap % 64]), labels[lap % 64])
        loss.backward()
        optimizer.step()

model(images[0])  # whatever torch does once is done
started = time.process_time()
train({laps})
print("seconds", time.process_time() - started)
"""

FORWARD = """
x = torch.rand(8, 784)
seconds = []
y = model(x)  # whatever is done once is done
"""

SMALL = """
import time
import torch

torch.set_num_threads(1)
x = torch.arange(12.0)
started = time.process_time()
"""

SMALL_OPS = """
y = x.reshape(3, 4)
z = y.T @ y
w = (z * 2 + 1).relu()
m = w.mean(dim=0)
i = m.argmax()
v = y[1:, ::2]
s = torch.cat([v, v + 1])
p = s.softmax(dim=1)
k = p > 0.5
x = torch.where(y > 5, y, -y).flatten()
"""
"""Ten lines, sixteen torch calls."""

TORCHLENS = "torchlens.trace(model, x)"


@dataclass(frozen=True)
class Task:
    """A script in its plain form; ``beside`` holds forms of it under other tracers."""

    name: str
    plain: str
    beside: Mapping[str, str]


def main() -> None:
    """Run the rounds and print the table."""
    options = _options()
    tasks = _tasks(options.laps, options.passes, options.torchlens)
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="torchreel-benchmark-") as folder:
        for number in range(options.rounds):
            for task in tasks:
                for form, run in _forms(task, Path(folder), options.torchlens).items():
                    times.setdefault((task.name, form), []).append(run())
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    print(_table(tasks, times))
    if options.torchlens is None:
        print("\nWithout torchlens; --help says how to see it beside.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument(
        "--laps",
        type=int,
        nargs="+",
        default=[600, 1800],
        help="laps of the training loop; the course's has 1800 (default: 600 1800)",
    )
    parser.add_argument(
        "--passes",
        type=int,
        default=20,
        help="forward passes, and repetitions of the small ops (default: %(default)s)",
    )
    parser.add_argument(
        "--torchlens", metavar="PYTHON", help="the Python of an environment that has torchlens"
    )
    return parser.parse_args()


def _tasks(laps: list[int], passes: int, torchlens: str | None) -> list[Task]:
    train = NET + TRAINING
    small = SMALL + SMALL_OPS * passes + 'print("seconds", time.process_time() - started)\n'
    # Line after line, not in a loop: of a loop the tracer keeps few laps.
    forward = _passes("y = model(x)", passes)
    beside = {}
    if torchlens:
        beside["torchlens"] = "import torchlens\n" + _passes(TORCHLENS, passes)
    return [
        *(
            Task(f"SimpleNet, {count} laps of training", train.replace("{laps}", str(count)), {})
            for count in laps
        ),
        Task("SimpleNet, one forward pass", forward, beside),
        Task(f"{16 * passes} small ops, line by line", small, {}),
    ]


def _passes(call: str, passes: int) -> str:
    timed = f"start = time.process_time()\n{call}\nseconds.append(time.process_time() - start)\n"
    first = FORWARD.replace("y = model(x)", call)
    return NET + first + timed * passes + 'print("seconds", statistics.median(seconds))\n'


def _forms(task: Task, folder: Path, torchlens: str | None) -> dict[str, Callable[[], float]]:
    forms = {"plain": lambda: _plain(task.plain, folder, sys.executable)}
    forms["traced"] = lambda: _traced(task.plain, folder)
    for name, text in task.beside.items():
        forms[name] = lambda text=text: _plain(text, folder, torchlens or sys.executable)
    return forms


def _plain(text: str, folder: Path, python: str) -> float:
    script = folder / "script.py"
    script.write_text(text)
    # The tracer sets both for its own run.
    environment = os.environ | {"PYTHONHASHSEED": "0", "TORCH_COMPILE_DISABLE": "1"}
    ran = subprocess.run(
        [python, "-B", str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return _seconds(ran.stdout)


def _traced(text: str, folder: Path) -> float:
    script = folder / "script.py"
    script.write_text(text)
    trace = trace_script(script, root=folder)
    if trace.error is not None:
        sys.exit(f"the script failed: {trace.error}")
    return _seconds("".join(run.printed for run in trace.runs))


def _seconds(printed: str) -> float:
    found = re.search(r"^seconds (\S+)$", printed, re.MULTILINE)
    if found is None:
        sys.exit(f"the script did not print its seconds but:\n{printed}")
    return float(found[1])


def _table(tasks: list[Task], times: Mapping[tuple[str, str], list[float]]) -> str:
    """Return a line for each form: median, fastest and slowest time, and the ratio of medians."""
    heads = ("", "", "median ms", "fastest", "slowest", "over plain")
    rows = [f"{heads[0]:36} {heads[1]:10}" + "".join(f"{head:>12}" for head in heads[2:])]
    for task in tasks:
        plain = median(times[task.name, "plain"])
        for (name, form), seconds in times.items():
            if name == task.name:
                middle = median(seconds)
                columns = (middle * 1e3, min(seconds) * 1e3, max(seconds) * 1e3, middle / plain)
                label = name if form == "plain" else ""
                rows.append(f"{label:36} {form:10}" + "".join(f"{c:12.2f}" for c in columns))
    return "\n".join(rows)


if __name__ == "__main__":
    main()
