"""Putting a finished site in the place of the one before it, so that nothing good is lost."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from torchreel.site.searchtexts import keep_texts


def publish(built: Path, site: Path, broken: Collection[str] | None = None) -> None:
    """Make ``site`` what was ``built``.

    Without problems (``broken`` None) it becomes exactly that. With problems nothing is deleted,
    and the ``broken`` files (paths relative to the site) stay as they are where there are any, and
    what the search finds of them too.
    Hidden files of the site, such as a tracked ``.gitignore``, are never touched.
    """
    site.mkdir(parents=True, exist_ok=True)
    files = list(_files(built))
    kept = {name for name in broken or () if (site / name).is_file()}
    for name in files:
        if name not in kept:
            if kept and name.endswith("search_index.json"):
                keep_texts(built / name, site / name, kept)
            _replace(built / name, site / name)
    if broken is None:
        _remove_others(site, set(files))


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _hidden(path, folder):
            yield path.relative_to(folder).as_posix()


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _replace(source: Path, target: Path) -> None:
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return
    if target.is_dir():
        shutil.rmtree(target)
    for folder in target.parents:
        if folder.is_file():  # a file of the last site stands where a folder is wanted
            folder.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=".publishing-")
    os.close(handle)
    try:
        shutil.copyfile(source, scratch)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(target)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _remove_others(site: Path, files: Collection[str]) -> None:
    for name in list(_files(site)):
        if name not in files:
            (site / name).unlink()
    for folder in sorted(site.rglob("*"), reverse=True):
        if folder.is_dir() and not _hidden(folder, site) and not any(folder.iterdir()):
            folder.rmdir()
