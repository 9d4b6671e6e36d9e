"""What is missing on this machine and how to get it: ``torchreel doctor``.

Every check is a function that returns one frozen :class:`Finding`. What can be known from package
metadata is not imported, so that the answer comes at once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torchreel.records import TorchReelError
from torchreel.stage.fonts import WEIGHTS, Weight, font_file

State = Literal["ok", "optional", "missing"]
System = Literal["debian", "macos", "fedora", "arch", "other"]

PYTHONS = ((3, 11), (3, 13))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_UNDECLARED = "operator torchvision::nms does not exist"

INSTALL: Mapping[System, str] = {
    "debian": "apt-get install",
    "macos": "brew install",
    "fedora": "dnf install",
    "arch": "pacman -S",
    "other": "install with your package manager:",
}
PACKAGES: Mapping[str, Mapping[System, str]] = {
    "cairo and pango": {
        "debian": "build-essential libcairo2-dev libpango1.0-dev pkg-config",
        "macos": "cairo pango pkgconf",
        "fedora": "gcc gcc-c++ cairo-devel pango-devel pkgconf-pkg-config",
        "arch": "base-devel cairo pango pkgconf",
        "other": "a C compiler, pkg-config and the headers of cairo and pango",
    },
    "JetBrains Mono": {
        "debian": "fonts-jetbrains-mono",
        "macos": "font-jetbrains-mono",
        "fedora": "jetbrains-mono-fonts-all",
        "arch": "ttf-jetbrains-mono",
        "other": "the font JetBrains Mono",
    },
    "Inter": {
        "debian": "fonts-inter",
        "macos": "font-inter",
        "fedora": "rsms-inter-fonts",
        "arch": "inter-font",
        "other": "the font Inter",
    },
    "Chromium": {"debian": "chromium", "fedora": "chromium", "arch": "chromium"},
}


@dataclass(frozen=True)
class Finding:
    """The answer of one check: what was found, and what to do where that is not enough."""

    check: str
    state: State
    found: str
    remedy: str = ""


def run(root: Path | None = None) -> int:
    """Print what was found; return 1 if something that a build needs is missing, else 0.

    ``root`` is the folder of the project, by default the current one.
    """
    findings = look(root or Path.cwd())
    Console().print(table(findings))
    missing = [finding.check for finding in findings if finding.state == "missing"]
    print(
        f"Missing: {', '.join(missing)}." if missing else "Nothing that a build needs is missing."
    )
    return 1 if missing else 0


def look(root: Path) -> list[Finding]:
    """Return every finding about this machine and the project in ``root``."""
    system = this_system()
    return [
        python(),
        packages(),
        torch(),
        torchvision(),
        scikit_learn(),
        manim(system),
        h264(),
        *(font(weight, system) for weight in WEIGHTS),
        inter(system),
        browser(system),
        folder(root / "build"),
        folder(root / "site"),
    ]


def table(findings: list[Finding]) -> Table:
    """Return the findings as a table: check, found, remedy."""
    marks = {"ok": "[green]✓[/]", "optional": "[yellow]–[/]", "missing": "[red]✗[/]"}
    result = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "check", "found", "remedy"):
        result.add_column(column, overflow="fold")
    for finding in findings:
        texts = (escape(text) for text in (finding.check, finding.found, finding.remedy))
        result.add_row(marks[finding.state], *texts)
    return result


def this_system() -> System:
    """Return which of the known systems this is, by its package manager."""
    if shutil.which("apt-get"):
        return "debian"
    if sys.platform == "darwin":
        return "macos"
    if shutil.which("dnf"):
        return "fedora"
    return "arch" if shutil.which("pacman") else "other"


def install(what: str, system: System) -> str:
    """Return the exact command that installs ``what``, a key of ``PACKAGES``."""
    sudo = "sudo " if system in ("debian", "fedora", "arch") and os.getuid() != 0 else ""
    return f"{sudo}{INSTALL[system]} {PACKAGES[what][system]}"


def python(running: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check the version of the running Python."""
    low, high = PYTHONS
    found = ".".join(map(str, running))
    if low <= running <= high:
        return Finding("Python", "ok", found)
    return Finding(
        "Python", "missing", found, "PYTHON=python3.13 make build, with a Python 3.11 to 3.13"
    )


def packages(name: str = "torchreel") -> Finding:
    """Check that every package that ``name`` requires is there, in a version that fits."""
    wrong = []
    wanted = [Requirement(text) for text in requires(name) or ()]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    for need in wanted:
        installed = version_of(need.name)
        if installed is None:
            wrong.append((need, f"{need.name} not installed"))
        elif not need.specifier.contains(installed, prereleases=True):
            wrong.append((need, f"{need.name} {installed}, not {need.specifier}"))
    if not wrong:
        return Finding("packages", "ok", f"all {len(wanted)}")
    arguments = " ".join(f"'{need.name}{need.specifier}'" for need, _ in wrong)
    found = "; ".join(text for _, text in wrong)
    return Finding("packages", "missing", found, f"{sys.executable} -m pip install {arguments}")


def torch() -> Finding:
    """Check that torch is there, and say for which device it was built."""
    installed = version_of("torch")
    if installed is None:
        return Finding("torch", "missing", "not installed", pip_install("torch"))
    built_for = Path(str(distribution("torch").locate_file("torch/version.py"))).read_text()
    cuda = re.search(r"^cuda\b[^=]*= *'(.+)'", built_for, re.MULTILINE)
    device = f"for CUDA {cuda[1]}" if cuda else "for the CPU only"
    return Finding("torch", "ok", f"{installed.partition('+')[0]}, built {device}")


def torchvision() -> Finding:
    """Check that torchvision is there, made for this torch, and can be imported beside it.

    The import runs in a process of its own: compiled operators for CUDA beside a torch for the CPU
    only fail there and nowhere else. The lessons do without these operators (`lessons/digits.py`).
    """
    installed, torch = version_of("torchvision"), version_of("torch")
    if installed is None:
        return Finding("torchvision", "missing", "not installed", pip_install("torchvision"))
    for need in map(Requirement, requires("torchvision") or ()):
        if need.name == "torch" and torch and not need.specifier.contains(torch, prereleases=True):
            found = f"{installed} is for torch {need.specifier}, but torch is {torch}"
            remedy = f"{sys.executable} -m pip install torch torchvision=={installed}"
            return Finding("torchvision", "missing", found, remedy)
    trial = subprocess.run(
        [sys.executable, "-c", "import torchvision"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if trial.returncode == 0:
        return Finding("torchvision", "ok", installed)
    reason = (trial.stderr.strip().splitlines() or ["it does not say why"])[-1]
    found = f"{installed}, which fails at import: {reason}"
    remedy = (
        "install torch and torchvision as one pair of builds, both for CUDA or both for the CPU"
    )
    if _UNDECLARED in reason:
        found = f"{installed}, built for another device than torch ({reason})"
        return Finding(
            "torchvision",
            "optional",
            found,
            f"none for the lessons; for scripts of yours, {remedy}",
        )
    return Finding("torchvision", "missing", found, remedy)


def scikit_learn() -> Finding:
    """Check that scikit-learn is there: the lessons' handwritten digits come with it."""
    installed = version_of("scikit-learn")
    if installed is None:
        return Finding(
            "scikit-learn",
            "missing",
            "not installed; the lessons' digits come with it",
            pip_install("scikit-learn"),
        )
    return Finding("scikit-learn", "ok", installed)


def manim(system: System) -> Finding:
    """Check that Manim is there; if not, whether its parts could be compiled here."""
    installed = version_of("manim")
    if installed is not None:
        return Finding("Manim", "ok", installed)
    if _compiles("cairo", "pangocairo"):
        return Finding("Manim", "missing", "not installed", pip_install("manim>=0.22,<0.23"))
    return Finding(
        "Manim",
        "missing",
        "not installed, nor what it is compiled with: a C compiler, cairo, pango",
        f"{install('cairo and pango', system)}, then {pip_install('manim>=0.22,<0.23')}",
    )


def h264(codec: str = "libx264") -> Finding:
    """Check that PyAV can be imported and brings the encoder of the MP4 files."""
    try:
        from av.codec import codecs_available
    except ImportError as error:
        return Finding("H.264", "missing", f"PyAV: {error}", pip_install("av"))
    if codec in codecs_available:
        return Finding("H.264", "ok", f"{codec} of PyAV {version('av')}")
    remedy = f"{sys.executable} -m pip install --force-reinstall --only-binary=av av"
    return Finding("H.264", "missing", f"PyAV {version('av')} without {codec}", remedy)


def font(weight: Weight, system: System) -> Finding:
    """Check that clips would be drawn with JetBrains Mono in this weight, not with a stand-in."""
    check, wanted = f"JetBrains Mono {weight}", f"JetBrainsMono-{weight}"
    try:
        found = font_file(weight)
    except TorchReelError:
        return Finding(check, "missing", "no monospace font", install("JetBrains Mono", system))
    if found.stem == wanted:
        return Finding(check, "ok", found.name)
    remedy = install("JetBrains Mono", system)
    return Finding(check, "missing", f"not installed; {found.name} would stand in", remedy)


def inter(system: System) -> Finding:
    """Check that the pages' own font is there: screenshots look as designed with it."""
    lister = shutil.which("fc-list")
    if lister is None:
        return Finding("Inter", "optional", "cannot look: no fc-list", install("Inter", system))
    listing = subprocess.run([lister, "Inter"], capture_output=True, text=True, check=False)
    if listing.stdout.strip():
        return Finding("Inter", "ok", "installed")
    return Finding("Inter", "optional", "not installed", install("Inter", system))


def browser(system: System) -> Finding:
    """Check that there is a browser for the tests; a build does without."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Finding("Chromium", "ok", found)
    if brought := sorted(_playwright_folder().glob("chromium-*")):
        return Finding("Chromium", "ok", str(brought[-1]))
    if system in PACKAGES["Chromium"]:
        remedy = install("Chromium", system)
    else:
        remedy = f"{sys.executable} -m playwright install chromium"
    return Finding("Chromium", "optional", "not found; only the tests need it", remedy)


def folder(path: Path) -> Finding:
    """Check that a folder can be written, or made where it is not there yet."""
    if path.exists() and not path.is_dir():
        return Finding(f"{path.name}/", "missing", "a file is in its place", f"rm {path}")
    place = path if path.exists() else path.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding(f"{path.name}/", "ok", "writable" if path.exists() else "can be made")
    return Finding(f"{path.name}/", "missing", "cannot be written", f"chmod u+rwx {place}")


def version_of(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def pip_install(requirement: str) -> str:
    """Return the command that installs a package beside this TorchReel."""
    return f"{sys.executable} -m pip install '{requirement}'"


def _compiles(*libraries: str) -> bool:
    pkg_config = shutil.which("pkg-config")
    if pkg_config is None or shutil.which("cc") is None:
        return False
    return subprocess.run([pkg_config, "--exists", *libraries], check=False).returncode == 0


def _playwright_folder() -> Path:
    if chosen := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(chosen)
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / cache / "ms-playwright"
