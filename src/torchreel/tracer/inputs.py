"""The files that a run depended on: local modules and data under the project's folder."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import torchreel
from torchreel.store import file_digest

INSTALLED = ("site-packages", "dist-packages", "__pycache__")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Inputs:
    """Hears which files are opened for reading and keeps the digest each had at that moment.

    ``digests`` maps paths relative to ``root`` (forward slashes) to sha256. A file that the script
    itself wrote first is none. Not heard: files that other processes or compiled code open, and
    folders that are listed.
    """

    def __init__(self, root: Path) -> None:
        self.digests: dict[str, str] = {}
        self._root = root.resolve()
        self._package = Path(torchreel.__file__).resolve().parent
        self._written: set[str] = set()
        self._listening = False

    def listen(self) -> None:
        """Start to hear; Python offers no end, so :meth:`stop` only closes the ears."""
        self._listening = True
        sys.addaudithook(self._heard)

    def stop(self) -> None:
        """Stop hearing, and add the local modules that the run imported."""
        self._listening = False
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                self._read(file)

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not self._listening or not isinstance(args[0], str | bytes):
            return
        path, mode, flags = args
        writes = any(letter in mode for letter in "wax+") if mode else bool(flags & WRITING)
        self._listening = False  # reading the file for its digest opens it once more
        try:
            if writes:
                self._written.add(os.path.realpath(os.fsdecode(path)))
            else:
                self._read(os.fsdecode(path))
        finally:
            self._listening = True

    def _read(self, file: str) -> None:
        path = Path(os.path.realpath(file))
        if not path.is_relative_to(self._root) or path.is_relative_to(self._package):
            return
        name = path.relative_to(self._root)
        hidden = any(part.startswith(".") or part in INSTALLED for part in name.parts)
        if hidden or str(path) in self._written or name.as_posix() in self.digests:
            return
        with contextlib.suppress(OSError):  # not there, or a folder: the script gets the error
            self.digests[name.as_posix()] = file_digest(path)
