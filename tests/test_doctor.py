"""The doctor: every check, with the thing there and with it missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from torchreel import doctor
from torchreel.doctor import Finding, System
from torchreel.stage import fonts

ROOT = Path(__file__).parents[1]


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH and a home with nothing in them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    return folder


def command(folder: Path, name: str, script: str = "exit 0") -> None:
    """Put a shell script called ``name`` into ``folder``."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def package(folder: Path, name: str, version: str, code: str = "", requires: str = "") -> None:
    """Write an importable package with metadata into ``folder``."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (metadata / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n{needs}")


def test_this_machine_has_what_a_build_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(ROOT) == 0
    printed = capsys.readouterr().out
    assert "JetBrainsMono-ExtraBold" in printed
    assert printed.endswith("Nothing that a build needs is missing.\n")


def test_something_missing_is_named_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site").write_text("a file")
    assert doctor.run(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "Missing: site/." in printed
    assert "rm " in printed


def test_looking_imports_neither_torch_nor_manim() -> None:
    code = (
        "import sys; from pathlib import Path; from torchreel import doctor;"
        "doctor.look(Path.cwd());"
        "assert not {'torch', 'manim'} & set(sys.modules), 'a heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("running", "state"),
    [((3, 10), "missing"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "missing")],
)
def test_python(running: tuple[int, int], state: str) -> None:
    assert doctor.python(running).state == state


def test_a_package_that_does_not_fit_is_named_with_its_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "course_of_old", "1.0", requires="rich<1")
    package(tmp_path, "course_of_wonder", "1.0", requires="no-such-package>=2")
    monkeypatch.syspath_prepend(str(tmp_path))
    old, wonder = doctor.packages("course_of_old"), doctor.packages("course_of_wonder")
    assert (old.state, wonder.state) == ("missing", "missing")
    assert old.found.startswith("rich ")
    assert old.remedy.endswith("-m pip install 'rich<1'")
    assert wonder.found == "no-such-package not installed"


def test_torch_says_what_it_was_built_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "torch", "2.13.0+cu130")
    version_file = tmp_path / "torch" / "version.py"
    version_file.write_text("cuda: Optional[str] = '13.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert doctor.torch() == Finding("torch", "ok", "2.13.0, built for CUDA 13.0")
    version_file.write_text("cuda: Optional[str] = None\n")
    assert doctor.torch().found == "2.13.0, built for the CPU only"


def test_torchvision_beside_a_torch_for_another_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "operator torchvision::nms does not exist"
    package(tmp_path, "torchvision", "0.28.0", code=f"raise RuntimeError({error!r})")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = doctor.torchvision()
    assert found.state == "optional", "the lessons do without the operators"
    assert found.found == f"0.28.0, built for another device than torch (RuntimeError: {error})"
    assert "both for CUDA or both for the CPU" in found.remedy


def test_torchvision_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "torchvision", "0.28.0", code="raise ImportError('no such library')")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = doctor.torchvision()
    assert found.state == "missing"
    assert found.found == "0.28.0, which fails at import: ImportError: no such library"


def test_torchvision_made_for_another_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "torch", "2.11.0+cu130")
    package(tmp_path, "torchvision", "0.28.0", requires="torch==2.13.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = doctor.torchvision()
    assert found.state == "missing"
    assert found.found == "0.28.0 is for torch ==2.13.0, but torch is 2.11.0+cu130"
    assert found.remedy.endswith("-m pip install torch torchvision==0.28.0")


def test_missing_packages_of_the_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.scikit_learn().state == "ok"
    monkeypatch.setattr(doctor, "version_of", lambda package: None)
    for found in (doctor.scikit_learn(), doctor.torchvision()):
        assert found.state == "missing"
        assert found.found.startswith("not installed")
        assert found.remedy == f"{sys.executable} -m pip install '{found.check}'"


def test_manim_missing(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda package: None)
    uncompilable = doctor.manim("fedora")
    assert "cairo-devel pango-devel" in uncompilable.remedy
    command(empty_path, "cc")
    command(empty_path, "pkg-config", 'test "$1 $2 $3" = "--exists cairo pangocairo"')
    compilable = doctor.manim("fedora")
    assert compilable.remedy == f"{sys.executable} -m pip install 'manim>=0.22,<0.23'"


def test_h264() -> None:
    assert doctor.h264().state == "ok"
    missing = doctor.h264("libx999")
    assert (missing.state, missing.found.split()[-1]) == ("missing", "libx999")


def test_a_stand_in_for_the_font_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "fonts" / "DejaVuSansMono.ttf"
    stand_in.parent.mkdir()
    stand_in.write_bytes(b"")
    monkeypatch.setattr(fonts, "font_folders", lambda: [stand_in.parent])
    caches = (fonts.font_file, fonts._installed)
    for cache in caches:
        cache.cache_clear()
    try:
        medium = doctor.font("Medium", "arch")
        assert (medium.state, medium.found) == (
            "missing",
            "not installed; DejaVuSansMono.ttf would stand in",
        )
        assert "ttf-jetbrains-mono" in medium.remedy
        stand_in.unlink()
        for cache in caches:
            cache.cache_clear()
        assert doctor.font("Medium", "arch").found == "no monospace font"
    finally:
        for cache in caches:
            cache.cache_clear()


def test_inter(empty_path: Path) -> None:
    assert doctor.inter("debian").found == "cannot look: no fc-list"
    command(empty_path, "fc-list")
    assert doctor.inter("debian").found == "not installed"
    command(empty_path, "fc-list", "echo Inter.otf: Inter:style=Bold")
    assert doctor.inter("debian") == Finding("Inter", "ok", "installed")


def test_browser(empty_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "apt-get install chromium" in doctor.browser("debian").remedy
    assert doctor.browser("macos").remedy.endswith("-m playwright install chromium")
    brought = tmp_path / "browsers" / "chromium-1234"
    brought.mkdir(parents=True)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(brought.parent))
    assert doctor.browser("macos") == Finding("Chromium", "ok", str(brought))
    command(empty_path, "chromium")
    assert doctor.browser("macos").found == str(empty_path / "chromium")


def test_folder(tmp_path: Path) -> None:
    assert doctor.folder(tmp_path / "build").found == "can be made"
    (tmp_path / "build").mkdir()
    assert doctor.folder(tmp_path / "build").found == "writable"
    assert doctor.folder(tmp_path / "nowhere" / "build").state == "missing"
    (tmp_path / "site").write_text("")
    assert doctor.folder(tmp_path / "site").remedy == f"rm {tmp_path / 'site'}"


@pytest.mark.parametrize(
    ("manager", "system"),
    [("apt-get", "debian"), ("dnf", "fedora"), ("pacman", "arch")],
)
def test_the_system_is_known_by_its_package_manager(
    empty_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str, system: System
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert doctor.this_system() == "other"
    command(empty_path, manager)
    assert doctor.this_system() == system


@pytest.mark.parametrize("system", ["debian", "macos", "fedora", "arch"])
def test_the_doctor_names_the_packages_that_the_set_up_installs(system: System) -> None:
    setup = (ROOT / "setup.sh").read_text()
    for names in doctor.PACKAGES.values():
        for package in names.get(system, "").split():
            assert package in setup, f"{package} ({system}) is not in setup.sh"
