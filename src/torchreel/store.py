"""Artifacts by digest under ``build/``: traces, clips, and the index of what is current.

Layout::

    build/index.json                 which digest is current for each script and each clip
    build/traces/<digest>/           trace.json, values.safetensors
    build/clips/<digest>/            clip.json, clip.mp4, clip.gif, poster.webp

Every folder is written aside and renamed, so a killed build leaves nothing half-made and two
builds at once do not hurt each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import load_file, save_file

from torchreel.records import Array, Clip, Problem, TorchReelError, Trace


def digest_of(*parts: Any) -> str:
    """Return the sha256 (64 hex digits) of these parts; arrays and records are allowed."""
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else msgspec.json.encode(part, order="sorted")
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content (64 hex digits)."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def variable_digest(value: str | None) -> str:
    """Return the sha256 of an environment variable's value (None: it is not set)."""
    return digest_of(value)


def trace_digest(trace: Trace) -> str:
    """Return the sha256 of everything in a trace, values included."""
    arrays = [
        [key, str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        for key, value in sorted(_arrays(trace).items())
    ]
    return digest_of(_without_arrays(trace), arrays)


def write_trace(trace: Trace, folder: Path) -> None:
    """Write ``trace.json`` and ``values.safetensors`` into ``folder``, which must exist."""
    save_file(_arrays(trace), folder / "values.safetensors")
    data = msgspec.json.format(msgspec.json.encode(_without_arrays(trace)), indent=1)
    (folder / "trace.json").write_bytes(data)
    # safetensors lets nobody but the owner read what it writes
    shutil.copymode(folder / "trace.json", folder / "values.safetensors")


def put_trace(trace: Trace, folder: Path) -> None:
    """Write a trace's two files into ``folder``, made where it is not there.

    Raises TorchReelError where that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
            write_trace(trace, Path(scratch))
            for file in Path(scratch).iterdir():
                file.replace(folder / file.name)
    except OSError as error:
        what = f"the trace cannot be written there: {error.strerror}"
        raise TorchReelError(Problem(str(folder), what, "Name another folder.")) from error


def trace_json(trace: Trace) -> bytes:
    """Return everything in a trace as JSON, arrays as nested lists.

    JSON has no numbers for NaN and the infinities: they are the texts ``nan``, ``inf``, ``-inf``.
    """
    return msgspec.json.format(msgspec.json.encode(trace, enc_hook=_lists), indent=1) + b"\n"


def _lists(array: Any) -> Any:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.where(np.isfinite(array), array.astype(object), array.astype(str))
    return array.tolist()


def read_trace(folder: Path) -> Trace:
    """Read what :func:`write_trace` wrote; raises ``msgspec.ValidationError``."""
    trace = msgspec.json.decode((folder / "trace.json").read_bytes(), type=Trace)
    arrays = load_file(folder / "values.safetensors")
    return replace(
        trace,
        values={int(key): value for key, value in arrays.items() if key.isdecimal()},
        arrays={key: value for key, value in arrays.items() if not key.isdecimal()},
    )


def trace_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``trace.json``, with what :mod:`torchreel.records` says of it.

    ``values`` and ``arrays`` are empty there: they are in ``values.safetensors``, values under the
    number of their tensor and further arrays under their names.
    """
    return msgspec.json.schema(Trace, schema_hook=lambda _: {"type": "array"})


def _arrays(trace: Trace) -> dict[str, Array]:
    """Return values (under the tensor's number) and further arrays (under their names)."""
    values = {str(key): value for key, value in trace.values.items()}
    return {key: np.asarray(value, order="C") for key, value in {**values, **trace.arrays}.items()}


def _without_arrays(trace: Trace) -> Trace:
    return replace(trace, values={}, arrays={})


@dataclass(frozen=True)
class Index:
    """What is current: script to trace digest, clip key to clip digest, and what failed.

    A clip key is ``Store.clip_key``. An entry whose last build failed keeps the digest of its last
    good artifact; ``problems`` then holds why, under the same key (the script's path for a trace).
    """

    traces: Mapping[str, str] = field(default_factory=dict)
    clips: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


class Store:
    """The artifacts under one ``build/`` folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def clip_key(script: str, cell: str, artboard: str = "page", theme: str = "dark") -> str:
        """Return the index key of a clip: ``lessons/shape/lesson.py:reshape:page:dark``."""
        return f"{script}:{cell}:{artboard}:{theme}"

    def index(self) -> Index:
        """Return the index, empty where nothing was built yet or its file is of another schema."""
        try:
            return msgspec.json.decode((self.root / "index.json").read_bytes(), type=Index)
        except (FileNotFoundError, msgspec.DecodeError):
            return Index()

    def write_index(self, index: Index) -> None:
        """Replace the index in one step."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root, prefix=".index-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=1))
        Path(name).replace(self.root / "index.json")

    def trace(self, digest: str) -> Trace:
        """Return the trace with this digest; raises FileNotFoundError."""
        return read_trace(self.trace_folder(digest))

    def trace_folder(self, digest: str) -> Path:
        """Return the folder of a trace, whether it exists or not."""
        return self.root / "traces" / digest

    def clip(self, digest: str) -> Clip:
        """Return the clip with this digest; raises FileNotFoundError."""
        data = (self.clip_folder(digest) / "clip.json").read_bytes()
        return msgspec.json.decode(data, type=Clip)

    def clip_folder(self, digest: str) -> Path:
        """Return the folder of a clip, whether it exists or not."""
        return self.root / "clips" / digest

    @contextlib.contextmanager
    def writing(self, folder: Path) -> Iterator[Path]:
        """Yield a scratch folder that becomes ``folder`` when the block ends without an error."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        try:
            yield scratch
            scratch.chmod(0o755)
            with contextlib.suppress(OSError):  # another build made the same one: equal by digest
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def write_clip(clip: Clip, folder: Path) -> None:
    """Write ``clip.json`` into ``folder``, beside the files the clip names."""
    (folder / "clip.json").write_bytes(msgspec.json.format(msgspec.json.encode(clip), indent=1))
