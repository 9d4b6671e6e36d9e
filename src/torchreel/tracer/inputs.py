"""What a run depended on: local modules and data under the project's folder, the environment."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torchreel
from torchreel.store import file_digest, variable_digest
from torchreel.tracer.process import ENVIRONMENT

INSTALLED = ("site-packages", "dist-packages", "__pycache__")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Inputs:
    """Hears which files are opened for reading and keeps the digest each had at that moment.

    ``digests`` maps paths relative to ``root`` (forward slashes) to sha256, and so ``$NAME`` for
    each environment variable that a file under ``root`` asked for by its name; what copies them all
    (``dict(os.environ)``, to start a process with) asks for none. A file that the script itself
    wrote first is none, and of a variable it is the value before the run. Not heard: files that
    other processes or compiled code open, folders that are listed, variables in such a copy.
    """

    def __init__(self, root: Path) -> None:
        self.digests: dict[str, str] = {}
        self._root = root.resolve()
        self._package = Path(torchreel.__file__).resolve().parent
        self._written: set[str] = set()
        self._listening = False
        self._local = cache(self._is_local)
        self._copying: set[tuple[CodeType, int] | None] = set()

    def listen(self) -> None:
        """Start to hear; Python offers no end, so :meth:`stop` only closes the ears."""
        self._listening = True
        sys.addaudithook(self._heard)
        self._listen_to_variables()

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

    def _listen_to_variables(self) -> None:
        environment: Any = type(os.environ)
        read, walk, before = environment.__getitem__, environment.__iter__, dict(os.environ)

        def heard(variables: Any, name: str) -> Any:
            if self._listening and variables is os.environ and name not in ENVIRONMENT:
                asking = _asking(sys._getframe(1))
                local = asking is not None and self._local(asking.f_code.co_filename)
                if local and _instruction(asking) not in self._copying:
                    self.digests[f"${name}"] = variable_digest(before.get(name))
            return read(variables, name)

        def walked(variables: Any) -> Any:
            if self._listening and variables is os.environ:
                self._copying.add(_instruction(_asking(sys._getframe(1))))
            return walk(variables)

        environment.__getitem__, environment.__iter__ = heard, walked

    def _read(self, file: str) -> None:
        path = Path(os.path.realpath(file))
        if not self._local(str(path)) or str(path) in self._written:
            return
        name = path.relative_to(self._root).as_posix()
        if name not in self.digests:
            with contextlib.suppress(OSError):  # not there, or a folder: the script gets the error
                self.digests[name] = file_digest(path)

    def _is_local(self, file: str) -> bool:
        """Tell whether a file is the project's: under its folder, not hidden and not installed."""
        path = Path(os.path.realpath(file))
        if not path.is_relative_to(self._root) or path.is_relative_to(self._package):
            return False
        parts = path.relative_to(self._root).parts
        return not any(part.startswith(".") or part in INSTALLED for part in parts)


def _instruction(frame: FrameType | None) -> tuple[CodeType, int] | None:
    """Return which instruction a frame is at: one that walks over all variables copies them."""
    return None if frame is None else (frame.f_code, frame.f_lasti)


def _asking(frame: FrameType | None) -> FrameType | None:
    """Return the frame that asked for a variable, by ``os.environ.get`` or ``os.getenv`` too."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen "):
        frame = frame.f_back
    return frame
