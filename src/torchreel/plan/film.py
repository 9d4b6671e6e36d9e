"""Filming any script: its cells one after the other, in one file, or as stills in a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torchreel.plan.clips import lines_of
from torchreel.plan.outcome import Progress, Silent
from torchreel.plan.traces import run_script
from torchreel.records import Problem, TorchReelError, Trace
from torchreel.render.job import Job, Look
from torchreel.render.worker import Worker
from torchreel.returns import shown_runs
from torchreel.tracer.process import Tail

_ELSEWHERE = "Name another place with -o."


@dataclass(frozen=True)
class Film:
    """A film that was written: its length in seconds (of stills: how many), what the checker found
    wrong with its frames, the error that ended the script, and the last that it wrote to stderr."""

    path: Path
    length: float
    warnings: tuple[Problem, ...]
    problem: Problem | None
    said: tuple[str, ...]


def film(
    script: Path,
    out: Path,
    *,
    look: Look | None = None,
    cell: str | None = None,
    timeout: float = 600.0,
    arguments: Sequence[str] = (),
    progress: Progress | None = None,
) -> Film:
    """Trace a script and write a film of its cells, or of one: a GIF where ``out`` ends in .gif,
    stills into the folder ``out`` where it has no ending.

    ``timeout`` is how many seconds the script may take, ``arguments`` are its ``sys.argv[1:]``. A
    script that raises, or that does not end in time, is filmed up to there. Raises TorchReelError
    where there is nothing to film, or where ``out`` cannot be written.
    """
    _check(out)
    told, name, errors = progress or Silent(), script.name, Tail()
    told.started(name, "trace", ("new",))
    # As python SCRIPT would run it.
    trace, problem = run_script(
        script, root=Path.cwd(), timeout=timeout, arguments=arguments, hear_errors=errors.hear
    )
    jobs = [
        Job(trace.of_cell(each), look or Look(artboard="film"), None, lines_of(trace, each))
        for each in _shown(trace, cell, problem)
    ]
    told.started(f"{name} as {out.name}", "clip", ("new",))
    length, warnings = _write(jobs, out, Path.cwd())
    return Film(out, length, tuple(warnings), problem, tuple(errors.lines))


def _check(out: Path) -> None:
    """Raise where a film cannot be written: before the script is run, which may take long."""
    folder = out.parent if out.suffix else out
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if out.suffix and out.is_dir():
        raise TorchReelError(Problem(str(out), "it is a folder", "Give the film another name."))
    if not there.is_dir():
        what = "it is a file, no folder to write to"
        raise TorchReelError(Problem(str(there), what, _ELSEWHERE))
    if not os.access(there, os.W_OK):
        raise TorchReelError(Problem(str(there), "this folder cannot be written to", _ELSEWHERE))


def _shown(trace: Trace, cell: str | None, problem: Problem | None) -> list[str]:
    """Return the cells to film: those with something to show, or the one that is asked for.

    Raises TorchReelError where there is none: with the script's own problem, if it has one.
    """
    known = [each.name for each in trace.cells]
    if cell is not None and cell not in known:
        raise TorchReelError(
            Problem(
                trace.script, f"there is no cell {cell!r}", f"Its cells are: {', '.join(known)}."
            )
        )
    shown = {run.cell for run in shown_runs(trace)}
    names = [name for name in known if name in shown and cell in (None, name)]
    if not names:
        what = "there is nothing to film: no torch op ran in a cell"
        remedy = "Let a line of it compute with torch, such as x = torch.arange(12)."
        raise TorchReelError(problem or Problem(trace.script, what, remedy))
    return names


def _write(jobs: list[Job], out: Path, root: Path) -> tuple[float, list[Problem]]:
    out.parent.mkdir(parents=True, exist_ok=True)
    worker = Worker()
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".making-") as scratch:
            part = Path(scratch) / out.name
            if out.suffix:
                length, told = worker.film(jobs, part, root)
                part.replace(out)
            else:
                out.mkdir(exist_ok=True)
                paths, told = worker.stills(jobs, Path(scratch), root)
                length = len(paths)
                for path in paths:
                    path.replace(out / path.name)
    except Exception:
        worker.close()
        raise
    except BaseException:
        worker.stop()
        raise
    worker.close()
    return length, told
