"""What is to be rendered, and the named inputs that its digest is made of (no Manim here)."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from torchreel.records import Flaw, Problem, Trace
from torchreel.render.scenes import SceneSource
from torchreel.render.source import source_digest
from torchreel.stage import registry
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.fonts import font_files, spare_files
from torchreel.store import digest_of, file_digest

RENDER = Path(__file__).parent


@dataclass(frozen=True)
class Quality:
    """How large a clip is beside its artboard, and its frames a second."""

    scale: float
    fps: int


STILLS = "stills"
"""The quality of stills: few frames, as large as the artboard; no film has it."""

QUALITIES: dict[str, Quality] = {
    "draft": Quality(0.5, 15),
    "standard": Quality(1, 30),
    "final": Quality(1, 60),
    STILLS: Quality(1, 4),
}


@dataclass(frozen=True)
class Look:
    """How a clip is drawn: keys of ``ARTBOARDS``, ``THEMES`` and ``QUALITIES``."""

    artboard: str = "page"
    theme: str = "dark"
    quality: str = "standard"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        board, scale = ARTBOARDS[self.artboard], QUALITIES[self.quality].scale
        return round(board.width * scale), round(board.height * scale)

    @property
    def fps(self) -> int:
        """Frames a second."""
        return QUALITIES[self.quality].fps


@dataclass(frozen=True)
class Job:
    """One clip to render; can be pickled.

    ``trace`` is the cell's slice (``Trace.of_cell``), ``scene`` the cell's own scene, or None where
    the plain ``LessonScene`` stages it. ``lines`` maps the cell's statements to their lines in the
    script's file, for messages.
    """

    trace: Trace
    look: Look = field(default_factory=Look)
    scene: SceneSource | None = None
    lines: Mapping[int, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def cell(self) -> str:
        """The name of the cell."""
        return self.trace.cells[0].name

    @property
    def digest(self) -> str:
        """The sha256 of the inputs: the name of the clip's folder."""
        return digest_of(dict(self.inputs))

    def told(self, warnings: Sequence[Flaw]) -> list[Problem]:
        """Return warnings as they are told to the author: at the line, and how to look at it."""
        return [
            Problem(
                f"{self.trace.script}:{self.lines.get(each.statement, 1)}",
                f"clip {self.cell!r} on {self.look.artboard}, cue {each.cue}: {each.what}",
                f"Look: torchreel animate {self.trace.script} --cell {self.cell} "
                f"--artboard {self.look.artboard} -o look",
            )
            for each in warnings
        ]


def clip_inputs(
    slice_digest: str, ops: Iterable[str], scene: SceneSource | None, look: Look
) -> dict[str, str]:
    """Return everything that a clip depends on, by name: a hash, or the value where it is short."""
    sources = {**registry.sources(ops), **_render_sources()}
    inputs = {"trace": slice_digest}
    if scene:
        inputs[f"scene {scene.name}"] = scene.digest
    inputs |= {name: source_digest(path) for name, path in sources.items()}
    inputs |= {f"font {path.name}": file_digest(path) for path in font_files()}
    inputs["other fonts"] = ", ".join(path.name for path in spare_files("ExtraBold"))
    inputs |= {"artboard": look.artboard, "theme": look.theme, "quality": look.quality}
    return inputs | {name: version(name) for name in ("manim", "av")}


def _render_sources() -> dict[str, Path]:
    found = {f"render/{path.name}": path for path in (RENDER / "movie.py", RENDER / "stock.py")}
    return found | {"spelling.py": RENDER.parent / "spelling.py"}


def environment() -> dict[str, str]:
    """Return the versions a clip is rendered with, for its record."""
    return {"python": platform.python_version(), "manim": version("manim"), "av": version("av")}
