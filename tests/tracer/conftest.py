"""Fixtures that run scripts under the tracer. Every run starts a process: share the traces."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from torchreel.records import Trace
from torchreel.tracer import trace_script


@pytest.fixture(scope="session")
def write() -> Callable[[Path, str, str], Path]:
    """Write a script into a project's ``lessons`` folder; its path below the project's."""

    def written(root: Path, source: str, name: str) -> Path:
        script = Path("lessons", f"{name}.py")
        (root / "lessons").mkdir(exist_ok=True)
        (root / script).write_text(textwrap.dedent(source))
        return script

    return written


@pytest.fixture(scope="session")
def trace(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[[Path, str, str], Path]
) -> Callable[..., Trace]:
    """Trace a script's text as ``lessons/<name>.py`` of a project with nothing else in it."""

    def traced(source: str, name: str = "lesson") -> Trace:
        root = tmp_path_factory.mktemp("project")
        return trace_script(write(root, source, name), root=root)

    return traced
