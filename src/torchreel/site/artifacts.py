"""What pages read: the current traces and clips of a store, and why one of them is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torchreel.records import Cell, Clip, Problem, TorchReelError, Trace
from torchreel.store import Store


class ReportedError(TorchReelError):
    """A problem that the build has told the author about before the page was rendered."""


@dataclass(frozen=True)
class ClipFiles:
    """A clip and the folder that holds its files; ``problem`` is why it could not be made anew."""

    clip: Clip
    folder: Path
    problem: Problem | None = None

    def path(self, kind: str) -> Path:
        """Return the path of the clip's ``mp4``, ``gif`` or ``poster``."""
        return self.folder / self.clip.files[kind]


class Artifacts:
    """The current artifacts of a store; traces are read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.index()
        self._traces: dict[str, Trace] = {}

    def trace(self, script: str, where: str) -> Trace:
        """Return the last good trace of a script; raises TorchReelError at ``where``."""
        if script not in self._traces:
            digest = self._index.traces.get(script)
            if digest is None:
                self._raise_known(script)
                raise TorchReelError(Problem(where, f"there is no trace of {script}", _BUILD))
            self._traces[script] = self._store.trace(digest)
        return self._traces[script]

    def cell(self, script: str, name: str, where: str) -> Cell:
        """Return a cell of a script; raises TorchReelError that points at ``where``."""
        trace = self.trace(script, where)
        known = [cell.name for cell in trace.cells]
        if name not in known:
            what = f"there is no cell {name!r} in {script}"
            raise TorchReelError(Problem(where, what, did_you_mean(name, known, "Its cells")))
        return trace.cell(name)

    def has_cell(self, script: str, name: str) -> bool:
        """Return whether a script's trace has a cell of this name."""
        try:
            return bool(self.cell(script, name, ""))
        except TorchReelError:
            return False

    def clip(self, script: str, cell: str, where: str) -> ClipFiles:
        """Return the last good clip of a cell; raises TorchReelError that points at ``where``."""
        key = self._store.clip_key(script, cell)
        digest = self._index.clips.get(key)
        if digest is None:
            self._raise_known(key)
            self.cell(script, cell, where)
            raise TorchReelError(Problem(where, f"there is no clip of {script}:{cell}", _BUILD))
        problems = self._index.problems
        problem = problems.get(key) or problems.get(script)
        return ClipFiles(self._store.clip(digest), self._store.clip_folder(digest), problem)

    def _raise_known(self, key: str) -> None:
        if problem := self._index.problems.get(key):
            raise ReportedError(problem)


_BUILD = "Run `torchreel build` first: it makes what pages embed."


def did_you_mean(name: str, known: Iterable[str], what: str) -> str:
    """Return a remedy for a name that is not known: the near ones first, then all there are."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    there = f"{what}: {', '.join(names) or 'none'}."
    return f"Did you mean {near[0]!r}? {there}" if near else there
