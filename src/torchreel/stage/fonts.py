"""Finding the fonts of the stage (no Manim here)."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Literal

from torchreel.records import Problem, TorchReelError

Weight = Literal["Medium", "ExtraBold"]
WEIGHTS: tuple[Weight, ...] = ("Medium", "ExtraBold")

_FALLBACKS = ("DejaVuSansMono", "LiberationMono", "NotoSansMono", "Menlo", "consola")


def font_folders() -> list[Path]:
    """Return the folders in which this system keeps fonts, the user's own first."""
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    if sys.platform == "win32":
        return [
            Path(os.environ.get("LOCALAPPDATA", home)) / "Microsoft/Windows/Fonts",
            Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",
        ]
    data = os.environ.get("XDG_DATA_HOME", str(home / ".local/share"))
    system = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    folders = [Path(data) / "fonts", home / ".fonts"]
    return folders + [Path(folder) / "fonts" for folder in system if folder]


@functools.cache
def font_file(weight: Weight) -> Path:
    """Return the file of JetBrains Mono in this weight, or of the next best monospace font.

    Raises TorchReelError where no monospace font is found at all.
    """
    files = _installed()
    bold = weight == "ExtraBold"
    wanted = [f"JetBrainsMono-{weight}", "JetBrainsMono-" + ("Bold" if bold else "Regular")]
    for name in _FALLBACKS:
        wanted += [f"{name}-Bold", name] if bold else [name, f"{name}-Regular"]
    for name in wanted:
        if name in files:
            return files[name]
    raise TorchReelError(
        Problem("", "no monospace font is installed", "Install JetBrains Mono: `torchreel doctor`.")
    )


def font_files() -> list[Path]:
    """Return the files of every font that clips are drawn with."""
    return [font_file(weight) for weight in WEIGHTS]


@functools.cache
def _installed() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in font_folders():
        for file in sorted(folder.rglob("*.[ot]tf")):
            files.setdefault(file.stem, file)
    return files
