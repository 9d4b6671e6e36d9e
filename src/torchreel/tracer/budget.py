"""How large a trace may become, whatever the script does.

- ``trace.json``: about 100 MB. Each record counts as so many bytes as it takes there, its texts
  included. When BYTES are counted, the rest of the script runs unobserved; at the end of each of
  its top-level statements the names that stand in its source are looked at, so those that follow
  start with names that are right.
- Of one run of a top-level statement: 10,000 steps, 20,000 runs of statements within it and 200,000
  probes; then the rest of it runs unobserved. Of one call: 300 operands and 300 results. Of
  exceptions in laps that are not kept: 300.
- Values: 384 MiB (``values.py``). Maps of provenance: 500,000 entries, 16 MB
  (``provenance.py``). A series: 10,000 points (``curves.py``); there is one for each
  name that a loop's body binds, and two for each of the first 200 parameters (``norms.py``).
- What a run printed: 10,000 characters a part. A literal, a plain value: 200 characters.
"""

from __future__ import annotations

from collections.abc import Mapping

from torchreel.records import Backward, OptimizerStep, Step

BYTES = 96 << 20

STEPS, RUNS, PROBES = 10_000, 20_000, 200_000
"""Of one run of a top-level statement (deep recursion, nested loops)."""

TENSORS = 300
"""Of one call: what it takes, and what it returns."""

STEP, OPERAND, ID, RUN, NAME, TENSOR, CALL = 320, 75, 16, 150, 40, 400, 400
PROVENANCE, NODE, EDGE, ACCUMULATION, UPDATE = 180, 170, 110, 120, 250
"""Bytes of records in ``trace.json``, texts apart."""


class Budget:
    """Counts what is written; ``full`` when no more should be."""

    def __init__(self) -> None:
        self._texts = 0
        self._records = 0

    @property
    def full(self) -> bool:
        """Whether the trace is as large as it may become."""
        return self._texts + self._records >= BYTES

    def step(self, step: Step) -> None:
        """Count a step in, with the provenance that it will have."""
        texts = len(step.expression) + len(step.clash.message if step.clash else "")
        texts += sum(OPERAND + len(each.literal or "") for each in step.operands)
        self._texts += STEP + texts + (ID + PROVENANCE) * len(step.results)

    def backward(self, backward: Backward) -> None:
        """Count a backward pass in."""
        names = sum(len(node.names) for node in backward.nodes)
        graph = NODE * len(backward.nodes) + NAME * names + EDGE * len(backward.edges)
        self._texts += STEP + graph + ACCUMULATION * len(backward.accumulations)

    def optimizer(self, step: OptimizerStep) -> None:
        """Count an optimizer's step in."""
        texts = sum(NAME + len(text) for text in step.settings.values())
        self._texts += STEP + texts + UPDATE * len(step.updates)

    def run(self, printed: str, names: int, plain: Mapping[str, str], steps: int) -> None:
        """Count a part of a run in."""
        texts = len(printed) + sum(NAME + len(text) for text in plain.values())
        self._texts += RUN + texts + NAME * names + ID * steps

    def count(self, tensors: int, calls: int) -> None:
        """Say how many tensors and calls of modules there are now."""
        self._records = TENSOR * tensors + CALL * calls
