"""Forgetting artifacts that nothing names any more, but not at once."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from torchreel.store import Store

KEPT = 50
"""So many of the latest unnamed artifacts of a kind stay: an edit taken back costs nothing."""

_YOUNG = 3600.0
_ABANDONED = 24 * 3600.0


def prune(store: Store) -> None:
    """Delete old artifacts that the index does not name, and what a killed build left."""
    index = store.index()
    _prune(store.root / "traces", set(index.traces.values()))
    _prune(store.root / "clips", set(index.clips.values()))


def _prune(folder: Path, named: set[str]) -> None:
    if not folder.is_dir():
        return
    now = time.time()
    ages = {path: now - path.stat().st_mtime for path in folder.iterdir()}
    unnamed = sorted(
        (path for path in ages if path.name not in named and not path.name.startswith(".")),
        key=lambda path: ages[path],
    )
    # Another build may have made it a moment ago, and not yet have named it.
    old = [path for path in unnamed[KEPT:] if ages[path] > _YOUNG]
    old += [path for path in ages if path.name.startswith(".") and ages[path] > _ABANDONED]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
