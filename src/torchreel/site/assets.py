"""The stylesheet and the script of the player, as a site publishes them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

_FILES = ("torchreel.css", "player.js")


@cache
def assets() -> dict[str, str]:
    """Return the texts by the names they get in a site, which change with them: style, script."""
    folder = resources.files("torchreel.site")
    return {
        _named(file, text): text
        for file in _FILES
        for text in (folder.joinpath(file).read_text("utf-8"),)
    }


def _named(file: str, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"torchreel-{digest}.{file.rpartition('.')[2]}"
