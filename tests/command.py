"""The command line, run as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def torchreel(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``torchreel`` with these arguments in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "torchreel", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
