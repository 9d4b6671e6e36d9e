"""A process that renders jobs: warm, on its own, and dead without taking the build down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypeVar

from torchreel.records import Clip, Problem, TorchReelError
from torchreel.render.job import Job
from torchreel.returns import shown_runs

_T = TypeVar("_T")

_RETRY = "Mend it and build again; until then the page keeps its last good clip."
_FAULT = """This is a fault of TorchReel, not of the script. Please report it with this line and \
what is in brackets; until it is mended, write the line otherwise, or leave it out of what is \
shown."""


class Worker:
    """One warm process behind a standard Executor; a death is a Problem, then it starts anew."""

    def __init__(self) -> None:
        self._executor: Executor | None = None
        self._pid = 0
        self._lock = threading.Lock()
        self._stopped = False

    def render(self, job: Job, folder: Path, root: Path) -> Clip:
        """Render a job's files into ``folder``; raises TorchReelError with what went wrong.

        ``root`` is the project: places in messages are relative to it.
        """
        return self._ask(job, _render, job, folder, root)

    def film(self, jobs: Sequence[Job], path: Path, root: Path) -> tuple[float, list[Problem]]:
        """Render jobs one after the other into one MP4 or GIF; return its length in seconds, and
        what the checker found wrong with its frames.

        Raises TorchReelError with what went wrong.
        """
        return self._ask(jobs[0], _film, jobs, path, root)

    def stills(
        self, jobs: Sequence[Job], folder: Path, root: Path
    ) -> tuple[list[Path], list[Problem]]:
        """Write stills of jobs into ``folder``; return their paths, and what the checker found
        wrong with their frames.

        Raises TorchReelError with what went wrong.
        """
        return self._ask(jobs[0], _stills, jobs, folder, root)

    def _ask(self, job: Job, task: Callable[..., _T | Problem], *args: Any) -> _T:
        try:
            made = self._start().submit(task, *args).result()
        except BrokenProcessPool as error:
            self._drop()
            where = f"{job.trace.script}:{_line(0, job)}"
            what = f"the process that rendered cell {job.cell!r} died"
            raise TorchReelError(
                Problem(where, what, "Is there memory left? Build again; the others went on.")
            ) from error
        if isinstance(made, Problem):
            raise TorchReelError(made)
        return made

    def close(self) -> None:
        """End the process when it has nothing more to do."""
        if self._executor:
            self._executor.shutdown()

    def stop(self) -> None:
        """End the process, whatever it is doing; a render in another thread raises."""
        with self._lock:
            self._stopped = True
            if self._executor:
                os.kill(self._pid, signal.SIGTERM)
        self._drop()

    def _start(self) -> Executor:
        with self._lock:
            if self._stopped:
                raise BrokenProcessPool("the worker was stopped")
            if self._executor is None:
                self._executor = ProcessPoolExecutor(1, _context(), _prepare)
                self._pid = self._executor.submit(os.getpid).result()
            return self._executor

    def _drop(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor:
            executor.shutdown(wait=False)


def _context() -> BaseContext:
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Manim alone: the stage is imported by each new process, so that a server that lives for
    # hours draws with the stage's files as they are now.
    context.set_forkserver_preload(["manim", "av"])
    return context


def _prepare() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _render(job: Job, folder: Path, root: Path) -> Clip | Problem:
    from torchreel.render.stock import SceneError, render

    try:
        clip = render(job, folder)
    except SceneError as error:
        return _problem(error.cause, job, root, _line(error.cues, job))
    except Exception as error:
        return _problem(error, job, root, _line(0, job))
    if not clip.cues:
        return _no_cue(job, root)
    return clip


def _no_cue(job: Job, root: Path) -> Problem:
    where = f"{job.trace.script}:{_line(0, job)}"
    if job.scene:
        where = f"{_relative(job.scene.file, root)}:{job.scene.line}"
    what = f"the scene of cell {job.cell!r} shows no line of it"
    return Problem(where, what, "Call `self.play_line(…)` or `self.play_lines()` in it.")


def _film(jobs: Sequence[Job], path: Path, root: Path) -> tuple[float, list[Problem]] | Problem:
    from torchreel.render.movie import Movie
    from torchreel.render.stock import SceneError, play

    look = jobs[0].look
    mp4, gif = (path if path.suffix == suffix else None for suffix in (".mp4", ".gif"))
    told: list[Problem] = []
    with Movie(look.size, look.fps, mp4=mp4, gif=gif) as movie:
        for job in jobs:
            try:
                told += job.told(play(job, movie).warnings)
            except SceneError as error:
                return _problem(error.cause, job, root, _line(error.cues, job))
    return movie.duration, told


def _stills(
    jobs: Sequence[Job], folder: Path, root: Path
) -> tuple[list[Path], list[Problem]] | Problem:
    from torchreel.render.stills import write_stills
    from torchreel.render.stock import SceneError

    paths: list[Path] = []
    told: list[Problem] = []
    for job in jobs:
        try:
            written, warnings = write_stills(job, folder)
        except SceneError as error:
            return _problem(error.cause, job, root, _line(error.cues, job))
        paths += written
        told += job.told(warnings)
    return paths, told


def _line(cues: int, job: Job) -> int:
    """Return the line of the statement that comes after this many cues."""
    shown = [run.statement for run in shown_runs(job.trace)]
    first = min(job.lines.values(), default=1)
    return job.lines.get(shown[cues], first) if cues < len(shown) else first


def _problem(error: BaseException, job: Job, root: Path, line: int) -> Problem:
    """Return what went wrong, where in the scene's own file, or else at the line being shown."""
    what, remedy = f"{type(error).__name__}: {error}", _RETRY
    told = f"the scene of cell {job.cell!r} raised"
    if isinstance(error, TorchReelError):
        what, remedy = error.problem.what, error.problem.remedy or remedy
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if job.scene and frame.filename == str(job.scene.file)]
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{_relative(Path(error.filename), root)}:{error.lineno}"
    elif own:
        where = f"{_relative(Path(own[-1].filename), root)}:{own[-1].lineno}"
    else:
        where = f"{job.trace.script}:{line}"
        last = frames[-1]
        if not isinstance(error, TorchReelError):
            told, remedy = "TorchReel could not draw this line and raised", _FAULT
        remedy += f" (Raised in {Path(last.filename).name}:{last.lineno}.)"
    return Problem(where, f"{told} {what}", remedy)


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
