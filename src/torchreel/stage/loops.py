"""The loops of a cell that no act draws: which laps are shown, how fast, and the lap they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

from torchreel.records import Drawn, Run, Step, Trace
from torchreel.stage.arrangement import Family
from torchreel.stage.stage import Stage

SLOW_LAPS = 3
"""So many laps are shown, each faster than the one before; one cue stands for all others."""

_MOST = 3
"""The most tensors that are shown at the end of a loop."""

_PACE = (1.0, 0.5, 0.3)
_QUICK, _REST = 0.2, 0.7


class Loops:
    """The laps of a cell's loops; ``drawn`` tells which steps an act draws: loops with such steps
    are shown as far as they are kept. So are ``busy`` ones, whose laps an act has chosen."""

    def __init__(
        self, trace: Trace, drawn: Callable[[Step], bool], busy: Iterable[int] = ()
    ) -> None:
        self.trace = trace
        self._laps = {each.statement: each.laps for each in trace.loops}
        self._kept = {each.statement: each.kept for each in trace.loops}
        self._around = {
            each.number: trace.cells[0].loops_around(each.number)
            for each in trace.cells[0].statements
        }
        self._around |= {loop: (loop, *self._around.get(loop, ())) for loop in self._laps}
        self._lap_of: dict[int, int] = {}
        turns = dict.fromkeys(self._laps, 0)
        self._busy: set[int] = {*busy}
        for run in trace.runs:
            loop = self._loop(run)
            self._lap_of[id(run)] = (0 if loop is None else run.lap_of(loop)) or run.lap
            if run.statement in turns:
                turns[run.statement] += 1
                self._lap_of[id(run)] = turns[run.statement]
            if any(drawn(trace.steps[number]) for number in run.steps):
                self._busy |= set(self._around.get(run.statement, ()))
        self._rest: dict[int, int] = {}

    def runs(self, runs: list[Run]) -> list[Run]:
        """Return the runs that are shown: of a loop the first laps, then one run for the rest."""
        shown: list[Run] = []
        for outer, each in groupby(runs, self._outermost):
            group = list(each)
            if outer is None or outer in self._busy:
                shown += group
                continue
            first = [run for run in group if not self._is_late(run)]
            shown += first
            around = self._around[first[-1].statement] if first else ()
            seen = {each: self._seen(each, first) for each in around if each in self._laps}
            # The last lap of an outer loop may end before the loop in it starts.
            loop = next((each for each in seen if self._laps[each] > seen[each]), None)
            if loop is not None:
                rest = self._rest_of(outer, loop, first[-1], seen[loop])
                shown += [rest] if rest.changed else []
        return shown

    def stands_for_many(self, run: Run) -> bool:
        """Tell whether a run stands for the laps that are not shown."""
        return id(run) in self._rest

    def laps(self, run: Run) -> int:
        """Return how many laps a run stands for."""
        return self._rest.get(id(run), 1)

    def pace(self, run: Run) -> float:
        """Return how long what a run plays lasts, of what it would last outside of a loop."""
        if self._loop(run) is None:
            return 1.0
        if self.stands_for_many(run):
            return _REST
        lap = self._lap_of.get(id(run), 1)
        return _PACE[lap - 1] if lap <= len(_PACE) else _QUICK

    def counter(self, run: Run) -> Drawn | None:
        """Return the lap that a run belongs to, of how many; None outside of loops."""
        loop = self._loop(run)
        if loop is None:
            return None
        laps = self._laps[loop]
        lap = laps if self.stands_for_many(run) else self._lap_of.get(id(run), 1)
        return Drawn(0, f"{min(lap, laps)}/{laps}", "lap", index=(loop, min(lap, laps), laps))

    def _loop(self, run: Run) -> int | None:
        """Return the innermost loop that a run belongs to."""
        return next(
            (each for each in self._around.get(run.statement, ()) if each in self._laps), None
        )

    def _seen(self, loop: int, shown: list[Run]) -> int:
        """Return how many laps of a loop are among the shown runs; the kept ones where no run is of
        the loop alone."""
        laps = (self._lap_of[id(run)] for run in shown if self._loop(run) == loop)
        return max(laps, default=len(self._kept[loop]))

    def _outermost(self, run: Run) -> int | None:
        around = [each for each in self._around.get(run.statement, ()) if each in self._laps]
        return around[-1] if around else None

    def _is_late(self, run: Run) -> bool:
        """Tell whether a run is of a lap after the first ones, where some laps are not kept."""
        loop = self._loop(run)
        if loop is None:
            return False
        gaps = self._kept[loop] != tuple(range(1, self._laps[loop] + 1))
        return gaps and self._lap_of[id(run)] > SLOW_LAPS

    def _rest_of(self, outer: int, loop: int, last: Run, seen: int) -> Run:
        """Return the run that stands for the laps after ``last``: what names hold at the end."""
        names = dict(self.trace.names)
        held: dict[str, int] = {}
        ended: dict[str, int] = {}
        for run in self.trace.runs:
            run.rebind(names)
            if run is last:
                held = dict(names)
            if outer in self._around.get(run.statement, ()):
                ended = dict(names)
        changed = {name: tensor for name, tensor in ended.items() if held.get(name) != tensor}
        rest = Run(last.cell, loop, seen + 1, (), changed)
        self._rest[id(rest)] = self._laps[loop] - seen
        return rest


def play_many(stage: Stage, run: Run) -> None:
    """Show what the laps that a run stands for made of its names: the values change in place."""
    held = {key: each for key, each in run.changed.items() if each is not None}
    new = {key: stage.record(held[key]) for key in list(held)[:_MOST]}
    old = {key: stage.record(stage.names[key]) for key in new if key in stage.names}
    family: Family = "in_place" if len(new) == 1 else "left_right"
    alike = old.keys() == new.keys() and all(
        (old[key].shape, old[key].dtype) == (new[key].shape, new[key].dtype) for key in new
    )
    blocks = stage.arrange(family, list((old if alike else new).values()), bare=len(new) > 1)
    stage.names |= {key: record.id for key, record in new.items()}
    if alike and all(block.has_cells for block in blocks):
        pairs = zip(blocks, new.values(), strict=True)
        stage.play(*(stage.write(block, record) for block, record in pairs))
    elif alike:
        stage.arrange(family, list(new.values()), bare=len(new) > 1)
