"""Stills of a clip, to look at: the frame at the end of every cue, and sheets of small ones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from torchreel.records import Flaw
from torchreel.render.job import STILLS, Job
from torchreel.render.movie import Movie, Pixels
from torchreel.render.stock import play

PHONE = 358
"""Width in pixels of a frame on a sheet: that of a player on a phone."""

_GAP, _COLUMNS = 8, 4

_LONGEST = 60
_NO_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
"""Characters that no system takes, or one of them does not, in the name of a file."""


class _Kept:
    """A sink that keeps every frame."""

    def __init__(self) -> None:
        self.frames: list[Pixels] = []

    def write(self, pixels: Pixels, index: int, cut: bool) -> None:
        self.frames.append(pixels[..., :3].copy())

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


def write_stills(job: Job, folder: Path) -> tuple[list[Path], tuple[Flaw, ...]]:
    """Write a job's stills into ``folder``, and return their paths in order, and what the checker
    found wrong with the frames; raises SceneError.

    ``<cell>-<cue>.png`` is the frame at the end of a cue, ``<cell>-cues.png`` a sheet of these,
    ``<cell>-motion.png`` a sheet of four frames a second.
    """
    name = _file_name(job)
    job = replace(job, look=replace(job.look, quality=STILLS))
    kept = _Kept()
    with Movie(job.look.size, job.look.fps, sinks=[kept]) as movie:
        played = play(job, movie)
    paths = []
    ends = [kept.frames[round(cue.end * movie.fps) - 1] for cue in played.cues]
    for cue, pixels in zip(played.cues, ends, strict=True):
        paths.append(folder / f"{name}-{cue.number:02}.png")
        Image.fromarray(pixels).save(paths[-1])
    for sheet, frames in (("cues", ends), ("motion", kept.frames)):
        paths.append(folder / f"{name}-{sheet}.png")
        _sheet(frames).save(paths[-1])
    return paths, played.warnings


def _file_name(job: Job) -> str:
    """Return a cell's name where it can be a file's; else what can, and the cell's first line."""
    name = _NO_NAME.sub("-", job.cell)[:_LONGEST]
    return name if name == job.cell else f"{name}-{min(job.lines.values())}"


def _sheet(frames: Sequence[Pixels]) -> Image.Image:
    """Return the frames side by side, in rows, each as wide as on a phone."""
    height = round(PHONE * frames[0].shape[0] / frames[0].shape[1])
    columns = min(_COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    size = (columns * (PHONE + _GAP) - _GAP, rows * (height + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "#3A4966")
    for index, pixels in enumerate(frames):
        small = Image.fromarray(pixels).resize((PHONE, height), Image.Resampling.LANCZOS)
        place = (index % columns * (PHONE + _GAP), index // columns * (height + _GAP))
        sheet.paste(small, place)
    return sheet
