"""What makes a traced run be, to its script and to who watches it, that of ``python SCRIPT``."""

from __future__ import annotations

import contextlib
import os
import sys
import types
import warnings
from collections.abc import Iterator
from importlib.machinery import FrozenImporter, SourceFileLoader
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch

DEEPER = 60
"""So many frames more than Python's limit are allowed: the tracer's own, below and above the
script's."""

OWN = str(Path(__file__).parent) + os.sep


def as_main(file: Path, arguments: list[str]) -> types.ModuleType:
    """Make the module ``__main__``, and let ``sys.argv`` be what ``python script ...`` makes it."""
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __annotations__={},
        __file__=str(file),
        __builtins__=__builtins__,
        __cached__=None,
        __loader__=SourceFileLoader("__main__", str(file)),
    )
    sys.modules["__main__"] = module
    sys.argv = arguments
    sys.path.insert(0, str(file.parent))
    return module


def hidden(folder: Path) -> list[str]:
    """Return the names of files of a script's folder that have the name of a module in use: Python
    would have imported these in its place (but for a few that it loads before any script)."""
    found = []
    for name, module in sorted(sys.modules.items()):
        used = getattr(module, "__file__", None)
        if not used or "." in name or name == "__main__" or FrozenImporter.find_spec(name):
            continue
        files = (folder / f"{name}.py", folder / name / "__init__.py")
        there = [file for file in files if file.is_file()]
        if there and Path(used).resolve() not in [file.resolve() for file in there]:
            found.append(there[0].relative_to(folder).as_posix())
    return found


@contextlib.contextmanager
def deeper() -> Iterator[None]:
    """Let the script recurse as deep as it could untraced, and tell it the limit that it knows."""
    tell, change = sys.getrecursionlimit, sys.setrecursionlimit
    before = tell()
    change(before + DEEPER)
    sys.getrecursionlimit = lambda: tell() - DEEPER
    sys.setrecursionlimit = lambda limit: change(limit + DEEPER)
    try:
        yield
    finally:
        sys.getrecursionlimit, sys.setrecursionlimit = tell, change
        change(max(before, tell() - DEEPER))


def unlink(error: BaseException, file: str) -> None:
    """Take the tracer's own frames out of a traceback whose first frame is of ``file``, a script.

    What lies below the next function of the script has been through here already.
    """
    at = error.__traceback__
    while at is not None:
        inner = _without_own(at.tb_next)
        if inner is not at.tb_next:
            at.tb_next = inner
        if inner is not None:
            code = inner.tb_frame.f_code
            if code.co_filename == file and not code.co_name.startswith("<"):
                return
        at = inner


def _without_own(entry: TracebackType | None) -> TracebackType | None:
    """Return the entry that would be there without the tracer: of a function of torch's that asks
    whether a mode is active, and is called by that once more, the second call."""
    asking = entry.tb_next if entry is not None else None
    if asking is not None and _is_asking(asking.tb_frame) and _is_own(asking.tb_next):
        entry = asking.tb_next
    while entry is not None and _is_own(entry):
        entry = entry.tb_next
    return entry


def _is_own(entry: TracebackType | None) -> bool:
    return entry is not None and entry.tb_frame.f_code.co_filename.startswith(OWN)


def _is_asking(frame: FrameType) -> bool:
    return frame.f_code is torch.overrides.handle_torch_function.__code__


def attribute_warnings() -> None:
    """Let a warning be where it would be without the tracer: Python places it by counting frames,
    and tells once of each place."""
    module: Any = warnings
    show = module._showwarnmsg

    def shown(message: Any) -> None:
        own = _placed_at(sys._getframe(1), message) if message.filename.startswith(OWN) else None
        frame = own
        while frame is not None and frame.f_code.co_filename.startswith(OWN):
            frame = frame.f_back
        if frame is not None and _is_asking(frame) and frame.f_back is not None:
            frame = frame.f_back.f_back
        if own is None or frame is None:
            show(message)
            return
        own.f_globals.pop("__warningregistry__", None)
        warnings.warn_explicit(
            message.message,
            message.category,
            frame.f_code.co_filename,
            frame.f_lineno,
            frame.f_globals.get("__name__"),
            frame.f_globals.setdefault("__warningregistry__", {}),
            source=message.source,
        )

    module._showwarnmsg = shown


def _placed_at(frame: FrameType | None, message: Any) -> FrameType | None:
    """Return the frame at which a warning was placed."""
    place = message.filename, message.lineno
    while frame is not None and (frame.f_code.co_filename, frame.f_lineno) != place:
        frame = frame.f_back
    return frame
