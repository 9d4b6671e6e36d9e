"""Making what is stale, and nothing else."""

from __future__ import annotations

import functools
import os
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from torchreel.plan.clips import Clips, Plan
from torchreel.plan.outcome import Build, Outcome, Progress, Silent, What
from torchreel.plan.project import Project, survey
from torchreel.plan.prune import prune
from torchreel.plan.traces import Traces, TraceSummary
from torchreel.records import Problem, TorchReelError
from torchreel.render.job import Look
from torchreel.render.worker import Worker
from torchreel.store import Index, Store


def build(
    project: Project,
    *,
    progress: Progress | None = None,
    quality: str = "standard",
    timeout: float = 600.0,
    workers: int | None = None,
) -> Build:
    """Trace the scripts and render the clips of a project that are stale, and update the index.

    What fails is a problem of the result; the rest is built all the same, and the index keeps the
    last good artifact. ``quality`` is a key of ``QUALITIES``, ``timeout`` how many seconds a
    script may take, ``workers`` how many clips render at a time (as many as there are CPUs).
    """
    started = time.perf_counter()
    run = _Run(project, progress or Silent(), Look(quality=quality), timeout)
    with _Renderers(workers or os.cpu_count() or 1) as renderers:
        pending = [
            future for script in run.wanted.scripts for future in run.make(script, renderers)
        ]
        for future in pending:
            future.result()
    run.write_index()
    prune(run.store)
    problems = {str(problem): problem for _, problem in run.problems}
    return Build(
        tuple(sorted(run.outcomes, key=lambda outcome: outcome.key)),
        tuple(problems[text] for text in sorted(problems)),
        time.perf_counter() - started,
        tuple(sorted(run.warnings, key=str)),
    )


def status(project: Project, *, quality: str = "standard") -> tuple[Outcome, ...]:
    """Return what a build would find, without making anything.

    ``state`` is "stale" (``why`` says what changed since the last build) or "reused".
    """
    run = _Run(project, Silent(), Look(quality=quality))
    return tuple(each for script in run.wanted.scripts for each in run.status(script))


class _Run:
    """One build: what is wanted, and what has come of it so far."""

    def __init__(
        self, project: Project, progress: Progress, look: Look, timeout: float = 600.0
    ) -> None:
        self.store = Store(project.build)
        self.wanted = survey(project)
        index = self.store.index()
        self.outcomes: list[Outcome] = []
        self.problems: list[tuple[str, Problem]] = list(self.wanted.problems)
        self.warnings: list[Problem] = []
        self._progress = progress
        self._timeout = timeout
        self._traces = Traces(project, self.store, index.traces)
        self._clips = Clips(project, self.store, index.clips, look)
        self._made_traces: dict[str, str] = {}
        self._made_clips: dict[str, str] = {}

    def make(self, script: str, renderers: _Renderers) -> list[Future[None]]:
        """Trace a script if need be; return its renders, which go on while others are traced."""
        summary = self._trace(script)
        pending = []
        for cell, places in self._cells(script).items():
            key = self._clips.key(script, cell)
            if summary is None:
                self._finish(Outcome(key, "clip", "failed", (f"{script} failed",)))
            elif cell not in summary.cells:
                self.problems += [(key, _unknown_cell(summary, cell, where)) for where in places]
                self._finish(Outcome(key, "clip", "failed", ("unknown cell",)))
            elif plan := self._plan(summary, cell):
                pending.append(renderers.submit(functools.partial(self._clip, plan)))
        return pending

    def status(self, script: str) -> list[Outcome]:
        """Return what of a script and its clips is stale, and why."""
        stale = self._traces.stale(script)
        summary = self._traces.last(script)
        found = [_found(script, "trace", stale)]
        for cell in self._cells(script):
            why = self._why(summary, cell)
            if stale and not why:
                why = (f"{script} is to be traced first",)
            found.append(_found(self._clips.key(script, cell), "clip", why))
        return found

    def _why(self, summary: TraceSummary | None, cell: str) -> tuple[str, ...]:
        if summary is None:
            return ("new",)
        if cell not in summary.cells:
            return ("unknown cell",)
        try:
            return self._clips.plan(summary, cell).why
        except TorchReelError as error:
            return (error.problem.what,)

    def write_index(self) -> None:
        """Update the index: what was made, what failed; what can not be any more is forgotten.

        A clip that no page embeds stays while its cell is there: the page may only be broken now.
        """
        index = self.store.index()
        traces, clips = dict(index.traces), dict(index.clips)
        if not self.wanted.problems:
            traces = {key: traces[key] for key in traces if key in self.wanted.scripts}
            clips = {key: clips[key] for key in clips if key in self._possible()}
        made = Index(
            traces | self._made_traces,
            clips | self._made_clips,
            dict(reversed(self.problems)),
        )
        if made != index:
            self.store.write_index(made)

    def _possible(self) -> set[str]:
        summaries = [self._traces.last(script) for script in self.wanted.scripts]
        summaries += [self._traces.read(digest) for digest in self._made_traces.values()]
        return {
            self._clips.key(summary.script, cell)
            for summary in summaries
            if summary
            for cell in summary.cells
        }

    def _cells(self, script: str) -> dict[str, list[str]]:
        return {cell: places for (of, cell), places in self.wanted.clips.items() if of == script}

    def _trace(self, script: str) -> TraceSummary | None:
        why = self._traces.stale(script)
        summary = self._traces.kept(script) if why else self._traces.last(script)
        if summary is None:
            self._attempt(
                Outcome(script, "trace", "traced", why),
                lambda: self._traces.make(script, self._timeout).digest,
            )
            made = self._made_traces.get(script)
            summary = self._traces.read(made) if made else None
        else:
            self._made_traces[script] = summary.digest
            self._finish(Outcome(script, "trace", "reused", why))
        if summary and summary.unused:
            self.warnings.append(summary.unused)
        return summary

    def _plan(self, summary: TraceSummary, cell: str) -> Plan | None:
        """Return the plan of a clip that must be rendered."""
        key = self._clips.key(summary.script, cell)
        try:
            plan = self._clips.plan(summary, cell)
        except TorchReelError as error:
            self._fail(Outcome(key, "clip", "failed"), error.problem)
            return None
        if self._clips.whole(plan.digest) is None:
            return plan
        self._made_clips[key] = plan.digest
        self.warnings += self._clips.warnings(plan)
        self._finish(
            Outcome(key, "clip", "reused", plan.why, bytes=_weight(self._clips.used(plan.digest)))
        )
        return None

    def _clip(self, plan: Plan, worker: Worker) -> None:
        def make() -> str:
            trace = self.store.trace(plan.summary.digest)
            self._clips.make(plan, trace, worker)
            self.warnings += self._clips.warnings(plan)
            return plan.digest

        self._attempt(Outcome(plan.key, "clip", "rendered", plan.why), make)

    def _attempt(self, outcome: Outcome, make: Callable[[], str]) -> None:
        """Make an artifact; note its digest, or what went wrong."""
        self._progress.started(outcome.key, outcome.what, outcome.why)
        started = time.perf_counter()
        try:
            digest = make()
        except TorchReelError as error:
            seconds = time.perf_counter() - started
            self._fail(replace(outcome, state="failed", seconds=seconds), error.problem)
            return
        clip = outcome.what == "clip"
        (self._made_clips if clip else self._made_traces)[outcome.key] = digest
        folder = self.store.clip_folder(digest) if clip else self.store.trace_folder(digest)
        seconds = time.perf_counter() - started
        self._finish(replace(outcome, seconds=seconds, bytes=_weight(folder)))

    def _fail(self, outcome: Outcome, problem: Problem) -> None:
        self.problems.append((outcome.key, problem))
        self._finish(outcome)

    def _finish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._progress.finished(outcome)


class _Renderers:
    """Threads that each drive a worker of their own; leaving by an exception ends all at once."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._workers = [Worker() for _ in range(count)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def submit(self, task: Callable[[Worker], None]) -> Future[None]:
        """Run a task with a worker as soon as one is free."""
        return self._threads.submit(self._run, task)

    def _run(self, task: Callable[[Worker], None]) -> None:
        worker = self._free.get()
        try:
            task(worker)
        finally:
            self._free.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            for worker in self._workers:
                worker.stop()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()


def _found(key: str, what: What, why: tuple[str, ...]) -> Outcome:
    return Outcome(key, what, "stale" if why else "reused", why)


def _unknown_cell(summary: TraceSummary, cell: str, where: str) -> Problem:
    known = ", ".join(summary.cells) or "none"
    return Problem(
        where, f"there is no cell {cell!r} in {summary.script}", f"Its cells are: {known}."
    )


def _weight(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(file.stat().st_size for file in folder.iterdir())
