"""A WSGI application that serves a folder, to put the real range wrapper around."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Start = Callable[..., Any]


def serve_files(folder: Path) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """Return an application that answers with the files of ``folder`` and 404 else."""

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = folder / str(environ["PATH_INFO"]).lstrip("/")
        file = path / "index.html" if path.is_dir() else path
        if not file.is_file():
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not found"]
        data = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        start("200 OK", [("Content-Type", kind), ("Content-Length", str(len(data)))])
        return [data]

    return application
