"""Traces that are kept with their lesson: recorded where an accelerator is, used where none is.

That of ``lessons/gpu/lesson.py`` is ``trace.json`` and ``values.safetensors`` in
``lessons/gpu/recorded/lesson/``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError

from torchreel.records import Problem, TorchReelError, Trace
from torchreel.store import file_digest, put_trace, read_trace

RECORDED = "recorded"
"""The folder beside the scripts."""


def record(trace: Trace, script: Path, date: str) -> Path:
    """Keep a trace with its lesson, as recorded on a date (``2026-11-24``); return the folder.

    Raises TorchReelError where no tensor of it was on an accelerator.
    """
    if trace.environment.device == "cpu":
        what = "there is nothing to record: none of its tensors was on an accelerator"
        raise TorchReelError(Problem(trace.script, what, "Run this on a machine that has one."))
    folder = _folder(script)
    put_trace(replace(trace, environment=replace(trace.environment, recorded=date)), folder)
    return folder


def files_of(script: Path) -> dict[str, str]:
    """Return the digests of the files of a script's recording, by their path from its folder."""
    folder = _folder(script)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.relative_to(script.parent).as_posix(): file_digest(file) for file in files}


def recording_of(script: Path, name: str, digest: Callable[[str], str]) -> Trace | None:
    """Return the recorded trace of a script; None where there is none.

    ``name`` is the script's in messages, ``digest`` returns that of an input as it is now. Raises
    TorchReelError where the recording is of other inputs, or of another version of TorchReel.
    """
    folder = _folder(script)
    if not folder.is_dir():
        return None
    remedy = f"Record it again on such a machine (torchreel trace {name} --record), or delete it."
    where = f"{name.rpartition('/')[0]}/{RECORDED}/{script.stem}"
    try:
        trace = read_trace(folder)
    except (OSError, ValueError, SafetensorError) as error:
        what = f"the recorded trace cannot be read and is not used: {error}"
        raise TorchReelError(Problem(where, what, remedy)) from None
    changed = [each for each, then in trace.inputs.items() if digest(each) != then]
    if changed:
        told = f"{trace.environment.named}, {trace.environment.recorded}"
        what = f"the trace recorded on {told} is not used: {changed[0]} has changed since"
        raise TorchReelError(Problem(where, what, remedy))
    return trace


def _folder(script: Path) -> Path:
    return script.parent / RECORDED / script.stem
