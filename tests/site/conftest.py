from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.course import write_artifacts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with artifacts and no pages."""
    write_artifacts(tmp_path)
    return tmp_path
