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

_SPARES = (
    *("NotoSansMonoCJKjp", "NotoSansCJKjp", "NotoSansCJK", "NotoSansJP", "IBMPlexSansJP"),
    *("ipaexg", "ipag", "TakaoGothic", "VL-Gothic", "ヒラギノ角ゴシック W6", "meiryo", "msgothic"),
    *("NotoSansMono", "DejaVuSansMono", "DejaVuSans", "NotoSansSymbols2", "NotoSansSymbols"),
    *("Symbola", "NotoEmoji", "seguisym", "seguiemj", "Apple Symbols"),
)
"""Fonts with outlines of the characters that a monospace font of Latin lacks."""


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


@functools.cache
def spare_files(weight: Weight) -> tuple[Path, ...]:
    """Return the fonts of this system that have other characters, the first choice first."""
    files = _installed()
    styles = ("-Bold", "-Regular", "") if weight == "ExtraBold" else ("-Regular", "", "-Bold")
    named = ([name + style for style in styles if name + style in files] for name in _SPARES)
    return tuple(files[found[0]] for found in named if found)


def font_files() -> list[Path]:
    """Return the files of every font that clips are drawn with."""
    return [font_file(weight) for weight in WEIGHTS]


@functools.cache
def _installed() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in font_folders():
        for file in sorted(folder.rglob("*.[ot]t[fc]")):
            files.setdefault(file.stem, file)
    return files
