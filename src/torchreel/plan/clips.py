"""Which clips are current, and making those that are not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torchreel.plan.outcome import changes
from torchreel.plan.project import Project
from torchreel.plan.traces import CellSummary, TraceSummary
from torchreel.records import Clip, Problem, TorchReelError, Trace
from torchreel.render.job import Job, Look, clip_inputs
from torchreel.render.scenes import SceneSource, find_scene
from torchreel.render.worker import Worker
from torchreel.store import Store, digest_of, write_clip


@dataclass(frozen=True)
class Plan:
    """A clip as it should be now, and why the last one is not that; ``why`` empty where it is."""

    key: str
    summary: TraceSummary
    cell: str
    look: Look
    scene: SceneSource | None
    inputs: Mapping[str, str]
    digest: str
    why: tuple[str, ...]


class Clips:
    """The clips of a project."""

    def __init__(
        self, project: Project, store: Store, current: Mapping[str, str], look: Look
    ) -> None:
        self._project = project
        self._store = store
        self._current = current
        self._look = look

    def key(self, script: str, cell: str) -> str:
        """Return a clip's key in the index."""
        return self._store.clip_key(script, cell, self._look.artboard, self._look.theme)

    def plan(self, summary: TraceSummary, cell: str) -> Plan:
        """Return what a clip should be now; raises TorchReelError where its sources are broken."""
        known = summary.cells[cell]
        if not known.cues:
            raise TorchReelError(_no_cue(summary, cell, known))
        scene = find_scene(self._project.scenes, summary.script, cell)
        inputs = clip_inputs(known.digest, known.ops, scene, self._look)
        digest, key = digest_of(inputs), self.key(summary.script, cell)
        last = self._current.get(key)
        whole = self.whole(digest)
        why: tuple[str, ...] = ()
        if last != digest or whole is None:
            before = self.whole(last) if last else None
            why = changes(before.inputs if before else None, inputs) or ("its files are missing",)
        script = f"{summary.script} changed"
        why = tuple(script if each == "trace changed" else each for each in why)
        return Plan(key, summary, cell, self._look, scene, inputs, digest, why)

    def whole(self, digest: str) -> Clip | None:
        """Return a clip that was kept, unless one of its files is missing."""
        folder = self._store.clip_folder(digest)
        try:
            clip = self._store.clip(digest)
        except (OSError, ValueError):
            return None
        return clip if all((folder / name).is_file() for name in clip.files.values()) else None

    def used(self, digest: str) -> Path:
        """Return a clip's folder, and note that it was used just now: pruning goes by that."""
        folder = self._store.clip_folder(digest)
        os.utime(folder)
        return folder

    def warnings(self, plan: Plan) -> list[Problem]:
        """Return what the checker found wrong with the frames of a clip that was kept."""
        clip = self.whole(plan.digest)
        if clip is None or not clip.warnings:
            return []
        return self._job(plan, self._store.trace(plan.summary.digest)).told(clip.warnings)

    def make(self, plan: Plan, trace: Trace, worker: Worker) -> None:
        """Render a clip and keep it; raises TorchReelError, at once where its sources are others
        by now."""
        self._check(plan)
        job = self._job(plan, trace)
        folder = self._store.clip_folder(plan.digest)
        with self._store.writing(folder) as scratch:
            clip = worker.render(job, scratch, self._project.root)
            self._check(plan)
            write_clip(clip, scratch)
            if self.whole(plan.digest) is None:
                shutil.rmtree(folder, ignore_errors=True)

    def _check(self, plan: Plan) -> None:
        now = self.plan(plan.summary, plan.cell)
        if now.digest != plan.digest:
            raise TorchReelError(_changed(changes(plan.inputs, now.inputs)))

    @staticmethod
    def _job(plan: Plan, trace: Trace) -> Job:
        lines = lines_of(trace, plan.cell)
        return Job(trace.of_cell(plan.cell), plan.look, plan.scene, lines, plan.inputs)


def lines_of(trace: Trace, cell: str) -> dict[int, int]:
    """Return the line in the script's file of each statement of a cell."""
    found = trace.cell(cell)
    return {each.number: found.line + each.lines[0] - 1 for each in found.statements}


def _no_cue(summary: TraceSummary, cell: str, known: CellSummary) -> Problem:
    return Problem(
        f"{summary.script}:{known.line}",
        f"cell {cell!r} has nothing to show: none of its lines ran a torch op or printed",
        "Give it a line that does, or take its clip out of the page.",
    )


def _changed(why: tuple[str, ...]) -> Problem:
    """Return the one problem of all clips that are drawn with what changed."""
    what = f"{', '.join(why)} while the build was at work: the clips that it draws were not made"
    return Problem("", what, "Build again: what was made before that is kept.")
