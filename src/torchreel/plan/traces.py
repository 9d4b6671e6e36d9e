"""Which traces are current, and making those that are not."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from torchreel import tracer
from torchreel.plan import recordings
from torchreel.plan.outcome import changes
from torchreel.plan.project import Project
from torchreel.records import (
    HARD_EXIT,
    HIDDEN,
    TIME_LIMIT,
    TRACE_VERSION,
    Problem,
    TorchReelError,
    Trace,
)
from torchreel.render.source import source_digest
from torchreel.returns import shown_runs
from torchreel.store import (
    Store,
    digest_of,
    file_digest,
    trace_digest,
    variable_digest,
    write_trace,
)
from torchreel.tracer.process import Hear, Tail

_SUMMARY = "summary.json"
_MISSING = "missing"
_PACKAGE = Path(tracer.__file__).parents[1]


@dataclass(frozen=True)
class CellSummary:
    """What a plan needs of a cell without reading the trace.

    ``digest`` is that of the cell's slice, ``line`` where its first statement stands, ``cues``
    whether any of its statements is shown.
    """

    digest: str
    line: int
    ops: tuple[str, ...]
    cues: bool


@dataclass(frozen=True)
class TraceSummary:
    """What a plan needs of a trace: kept beside it, so that an idle build reads no arrays.

    ``unused`` says why the trace that was recorded of the script is not used, where one was.
    """

    script: str
    digest: str
    inputs: Mapping[str, str]
    cells: Mapping[str, CellSummary]
    unused: Problem | None = None


class Traces:
    """The traces of a project, by script."""

    def __init__(self, project: Project, store: Store, current: Mapping[str, str]) -> None:
        self._project = project
        self._store = store
        self._current = current
        self._fixed = {
            "python": platform.python_version(),
            "torch": tracer.torch_version(),
            "tracer": tracer.source_digest(),
            "trace version": str(TRACE_VERSION),
            # What a trace is, and how it is cut into slices and hashed.
            **{name: source_digest(_PACKAGE / name) for name in ("records.py", "store.py")},
        }

    def last(self, script: str) -> TraceSummary | None:
        """Return the last good trace of a script, whether it is current or not."""
        digest = self._current.get(script)
        return self.read(digest) if digest else None

    def read(self, digest: str) -> TraceSummary | None:
        """Return the summary of a trace that was kept, unless one of its files is missing."""
        folder = self._store.trace_folder(digest)
        if not (folder / "trace.json").is_file() or not (folder / "values.safetensors").is_file():
            return None
        try:
            return msgspec.json.decode((folder / _SUMMARY).read_bytes(), type=TraceSummary)
        except (OSError, msgspec.DecodeError):
            return None

    def stale(self, script: str) -> tuple[str, ...]:
        """Return why the last trace of a script is not current; empty where it is."""
        last = self.last(script)
        return changes(last.inputs if last else None, self._inputs_now(script, last))

    def kept(self, script: str) -> TraceSummary | None:
        """Return a trace made earlier that is current now, if one was kept."""
        folder = self._store.root / "traces"
        for each in folder.iterdir() if folder.is_dir() else ():
            kept = self.read(each.name)
            if kept and kept.script == script and kept.inputs == self._inputs_now(script, kept):
                os.utime(each)
                return kept
        return None

    def make(self, script: str, timeout: float) -> TraceSummary:
        """Trace a script, for at most so many seconds, and keep what came of it; raises
        TorchReelError."""
        path = self._project.root / script
        before = file_digest(path)
        trace, problem = run_script(path, root=self._project.root, timeout=timeout)
        if problem:
            raise TorchReelError(problem)
        unused = None
        if trace.environment.device == "cpu":
            try:
                trace = recordings.recording_of(path, script, self._digest) or trace
            except TorchReelError as error:
                unused = error.problem
        inputs = {script: before, **trace.inputs, **self._recording(script), **self._fixed}
        summary = TraceSummary(script, digest_of(inputs), inputs, _cells(trace), unused)
        folder = self._store.trace_folder(summary.digest)
        if folder.exists():  # a damaged one, or the script reads something that is not recorded
            shutil.rmtree(folder, ignore_errors=True)
        with self._store.writing(folder) as scratch:
            write_trace(trace, scratch)
            (scratch / _SUMMARY).write_bytes(msgspec.json.encode(summary))
        return summary

    def _recording(self, script: str) -> dict[str, str]:
        """Return the files of a script's recording with their digests."""
        folder = script.rpartition("/")[0]
        files = recordings.files_of(self._project.root / script)
        return {f"{folder}/{name}": digest for name, digest in files.items()}

    def _inputs_now(self, script: str, summary: TraceSummary | None) -> dict[str, str]:
        files = summary.inputs.keys() - self._fixed.keys() if summary else {script}
        files = files | self._recording(script).keys()
        return {name: self._digest(name) for name in sorted(files)} | self._fixed

    def _digest(self, name: str) -> str:
        if name.startswith("$"):
            return variable_digest(os.environ.get(name[1:]))
        try:
            return file_digest(self._project.root / name)
        except OSError:
            return _MISSING


def _cells(trace: Trace) -> dict[str, CellSummary]:
    cells = {}
    for cell in trace.cells:
        part = trace.of_cell(cell.name)
        cells[cell.name] = CellSummary(
            digest=trace_digest(part),
            line=cell.line,
            ops=tuple(sorted(_acts(part) | {step.op for step in part.steps})),
            cues=bool(shown_runs(part)),
        )
    return cells


def _acts(part: Trace) -> set[str]:
    """Return what a cell's clip is drawn with beside its ops, by the name of what is drawn."""
    there = {
        "module": part.calls,
        "optimizer": part.optimizers,
        "clash": any(step.clash for step in part.steps),
    }
    return {name for name, found in there.items() if found}


ADVICE = {
    "EOFError": "Nobody answers input() while a lesson is traced: write the value into the script.",
    "MemoryError": "It asked for more than half of the machine's memory: let it take less.",
    "ModuleNotFoundError": "Install it where torchreel is installed, or put it beside the script.",
}

TORCH_MEMORY = "can't allocate memory"
"""What torch says in its RuntimeError where Python would raise MemoryError."""

USAGE = 2
"""The exit status of argparse where an argument is missing."""

ARGUMENTS = """Does it want arguments? A lesson is given none: let each have a default. `torchreel \
animate` and `trace` give a script what follows --."""

ENDS = {
    TIME_LIMIT: "Let it do less, make sure that its loop ends, or give it more time.",
    HARD_EXIT: "Let it reach its end, or end it with sys.exit(0).",
    HIDDEN: "Rename it: `python SCRIPT` finds the files beside a script first.",
}


def run_script(
    script: Path,
    *,
    root: Path,
    timeout: float = 600.0,
    arguments: Sequence[str] = (),
    hear_errors: Hear | None = None,
) -> tuple[Trace, Problem | None]:
    """Run a script whose output nobody sees; return its trace, and why it did not come to its end.

    ``timeout`` is in seconds, ``arguments`` are the script's; ``hear_errors`` is given what it
    writes to stderr. Raises TorchReelError where there is no trace.
    """
    heard = Tail()

    def hear_both(chunk: bytes) -> None:
        heard.hear(chunk)
        if hear_errors is not None:
            hear_errors(chunk)

    trace = tracer.trace_script(
        script,
        root=root,
        timeout=timeout,
        hear=heard.hear,
        hear_errors=hear_errors and hear_both,
        arguments=arguments,
    )
    return trace, raised(trace, heard.text) if trace.error else None


def raised(trace: Trace, output: str = "") -> Problem:
    """Return the problem of a script that did not come to its end.

    ``output`` is the end of what it wrote, where that was not shown: a script that ended itself
    says why in its last line.
    """
    error = trace.error
    assert error is not None
    where = f"{trace.script}:{error.line}" if error.line else trace.script
    if error.type in ENDS:
        return Problem(where, error.message, ENDS[error.type])
    if error.type == "SystemExit":
        said = "" if error.message == str(error.status) else f": {error.message}"
        if not said and (wrote := output.strip().splitlines()):
            said = f"; the last line it wrote: {wrote[-1]}"
        what = f"the script ended itself with exit status {error.status}{said}"
        advice = "Let it reach its end, or end it with sys.exit(0)."
        if error.status == USAGE:
            advice = ARGUMENTS
        return Problem(where, what, advice)
    kind = "MemoryError" if TORCH_MEMORY in error.message else error.type
    return Problem(
        where,
        f"the script raised {error.type}" + (f": {error.message}" if error.message else ""),
        ADVICE.get(kind, "Mend the line, or catch the exception where the lesson is about it."),
    )
