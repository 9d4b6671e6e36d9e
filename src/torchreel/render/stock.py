"""Rendering a job with stock Manim: its frames go straight to a :class:`Movie`.

The one door is :func:`render`; a faster renderer replaces what is behind it.
"""

from __future__ import annotations

import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manim import Scene, tempconfig
from manim.renderer.cairo_renderer import CairoRenderer
from manim.scene.scene_file_writer import SceneFileWriter

from torchreel.records import Clip, Cue, Drawn, Flaw
from torchreel.render.job import Job, Look, environment
from torchreel.render.movie import Movie, Pixels, write_still
from torchreel.render.scenes import SceneSource
from torchreel.stage.artboard import FRAME_HEIGHT
from torchreel.stage.director import LessonScene

FILES = {
    "mp4": "clip.mp4",
    "gif": "clip.gif",
    "poster": "poster.webp",
    "opening": "opening.webp",
}


@dataclass(frozen=True)
class Played:
    """What a scene tells once it has played; times are seconds of the movie, on its frames.

    ``poster`` is its picture, the last frame of the cue ``poster_cue``; ``opening`` is the first
    frame at rest on which something is written, before anything has come of it.
    """

    cues: tuple[Cue, ...]
    drawn: tuple[Drawn, ...]
    warnings: tuple[Flaw, ...]
    poster: Pixels | None
    poster_cue: int | None
    opening: Pixels | None


class SceneError(Exception):
    """Raised where a scene raised ``cause`` after it had ended ``cues`` cues."""

    def __init__(self, cause: Exception, cues: int) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.cues = cues


def render(job: Job, folder: Path) -> Clip:
    """Render a job's files into ``folder``, which must exist; raises SceneError."""
    look = job.look
    paths = {kind: folder / name for kind, name in FILES.items()}
    with Movie(look.size, look.fps, mp4=paths["mp4"], gif=paths["gif"]) as movie:
        played = play(job, movie)
    if played.poster is not None:
        write_still(played.poster, paths["poster"])
        write_still(played.poster if played.opening is None else played.opening, paths["opening"])
    width, height = look.size
    return Clip(
        script=job.trace.script,
        cell=job.cell,
        artboard=look.artboard,
        theme=look.theme,
        quality=look.quality,
        width=width,
        height=height,
        fps=look.fps,
        duration=movie.duration,
        cues=played.cues,
        drawn=played.drawn,
        warnings=played.warnings,
        files=FILES,
        digest=job.digest,
        inputs=job.inputs,
        environment=environment(),
        poster=played.poster_cue,
    )


def play(job: Job, movie: Movie) -> Played:
    """Play a job's scene at the end of a movie; raises SceneError."""
    start = movie.frames
    with tempfile.TemporaryDirectory() as media, tempconfig(_config(job.look, Path(media))):
        renderer = _Renderer(movie)
        kind = scene_class(job.scene)
        scene = kind(job.trace, job.look.artboard, job.look.theme, renderer=renderer)
        try:
            scene.render()
        except Exception as error:
            raise SceneError(error, len(scene.cues)) from error
    cues = tuple(_on_frames(cue, start, movie) for cue in scene.cues)
    poster = renderer.poster(scene) if cues else None
    drawn, warnings = tuple(scene.drawn), tuple(scene.warnings)
    return Played(cues, drawn, warnings, poster, _poster_cue(scene), renderer.opening)


def _poster_cue(scene: LessonScene) -> int | None:
    shown = (cue.number for cue in scene.cues if cue.start <= scene.poster_time < cue.end)
    return next(shown, None)


def scene_class(source: SceneSource | None) -> type[LessonScene]:
    """Return the class of a cell's own scene, or the one that stages any cell.

    Raises what the file raises, and TypeError where the class is not a LessonScene.
    """
    if source is None:
        return LessonScene
    name = f"scenes.{source.file.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(source.file)
    sys.modules[name] = module
    # Compiled here, not imported: an import would leave a .pyc in a folder that is watched.
    exec(compile(source.file.read_bytes(), str(source.file), "exec"), module.__dict__)
    found: type[LessonScene] = getattr(module, source.name)
    if not issubclass(found, LessonScene):
        raise TypeError(f"{source.name} must derive from torchreel.stage.LessonScene")
    return found


class _Renderer(CairoRenderer):
    """Manim's Cairo renderer; its frames go to a movie, with a keyframe where a cue starts."""

    def __init__(self, movie: Movie) -> None:
        super().__init__(file_writer_class=_frames_of(self.write))
        self.opening: Pixels | None = None
        self._is_set = False
        self._movie, self._start = movie, movie.frames
        self._cues = -1
        self._still: tuple[int, Pixels] | None = None

    def play(self, scene: Scene, *animations: Any, **kwargs: Any) -> None:
        assert isinstance(scene, LessonScene)
        if len(scene.cues) != self._cues:
            self._cues = len(scene.cues)
            self._keep(scene)
            self._movie.cut()
        # What is set from the start is on the first frame.
        self._is_set = self.opening is None and scene.is_set()
        super().play(scene, *animations, **kwargs)
        if self.opening is None and scene.is_set():
            self.opening = self._movie.last

    def write(self, pixels: Pixels, repeat: int) -> None:
        """Write a frame to the movie, and keep it if the stage was set before it."""
        if self.opening is None and self._is_set:
            self.opening = pixels
        self._movie.write(pixels, repeat)

    def poster(self, scene: LessonScene) -> Pixels:
        """Return the frame of the scene's poster time; raises ValueError where no cue ends then."""
        self._keep(scene)
        if self._still is None or self._still[0] != self._poster_frame(scene):
            raise ValueError(f"poster_time is {scene.poster_time:.3f} s, where no cue ends")
        return self._still[1]

    def _keep(self, scene: LessonScene) -> None:
        """Keep the frame just written where it is the poster: the film itself loses detail."""
        last = self._movie.frames - 1
        if self._movie.last is not None and self._poster_frame(scene) == last:
            self._still = (last, self._movie.last)

    def _poster_frame(self, scene: LessonScene) -> int:
        return self._start + int(scene.poster_time * self._movie.fps + 1e-6)


def _frames_of(write: Callable[[Pixels, int], None]) -> type[SceneFileWriter]:
    """Return Manim's file writer, made to write its frames with ``write`` (pixels, how often)."""

    class Frames(SceneFileWriter):
        def begin_animation(self, allow_write: bool = False, **kwargs: Any) -> None:
            pass

        def end_animation(self, allow_write: bool = False) -> None:
            pass

        def write_frame(self, pixels: Any, *, repeat: int = 1) -> None:
            write(pixels, repeat)

        def finish(self) -> None:
            pass

    return Frames


def _config(look: Look, media: Path) -> dict[str, Any]:
    """Return the settings of Manim for a look, whatever a manim.cfg on this machine says."""
    width, height = look.size
    return {
        "pixel_width": width,
        "pixel_height": height,
        "frame_rate": look.fps,
        "frame_height": FRAME_HEIGHT,
        "frame_width": FRAME_HEIGHT * width / height,
        "media_dir": str(media),
        "format": None,
        "renderer": "cairo",
        "disable_caching": True,
        "progress_bar": "none",
        "verbosity": "ERROR",
        "seed": 0,
        "transparent": False,
        "dry_run": False,
        "save_sections": False,
        "from_animation_number": 0,
        "upto_animation_number": -1,
    }


def _on_frames(cue: Cue, start: int, movie: Movie) -> Cue:
    """Return the cue with its times on the frames of the movie, where ``start`` is time 0.

    Raises ValueError where the file can not keep what the cue promises: that a player can seek
    to its start.
    """
    first = start + round(cue.start * movie.fps)
    last = start + round(cue.end * movie.fps)
    if first not in movie.cuts or not first < last <= movie.frames:
        raise ValueError(
            f"cue {cue.number} runs from {cue.start:.3f} to {cue.end:.3f} s, but plays start at "
            + ", ".join(f"{(cut - start) / movie.fps:.3f}" for cut in movie.cuts if cut >= start)
            + f" and the film ends at {movie.duration:.3f} s"
        )
    return replace(cue, start=first / movie.fps, end=last / movie.fps)
