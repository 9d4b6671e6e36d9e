"""The set-up script on machines that are not this one: a PATH with nothing but what a test puts."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASICS = ["awk", "bash", "cat", "chmod", "dirname", "env", "grep", "mkdir", "paste", "sed"]
BASICS += ["sha256sum", "tail", "tr"]

# A Python that fits, for which venv, headers and pip work; `calls` is what it was asked.
PYTHON = """
echo "python $*" >> "$CALLS"
case $* in
    *'%d.%d'*) echo 3.11 ;;
    *sys.version\\)*) echo '3.11.2 (bookworm)' ;;
    *'-m venv'*) mkdir -p .venv/bin; cat "$0" > .venv/bin/python; chmod +x .venv/bin/python ;;
    *'-m pip'*) echo 'Collecting torch' ;;
esac
"""
INSTALLER = """
echo "apt-get $*" >> "$CALLS"
case $* in
    *install*) for name in python3 cc c++ pkg-config; do cat "$BARE/$name" > "$BIN/$name"; done
               chmod +x "$BIN"/*; echo 'Setting up python3' ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A copy of the project and a PATH."""

    project: Path
    bin: Path
    home: Path

    def has(self, name: str, script: str = "exit 0") -> None:
        """Put a command on the PATH."""
        command(self.bin / name, script)

    def set_up(self, purpose: str = "build", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the set-up and return what it said."""
        return subprocess.run(
            [str(self.project / "setup.sh"), purpose],
            env={
                "PATH": str(self.bin),
                "HOME": str(self.home),
                "BIN": str(self.bin),
                "BARE": str(self.home),
                "CALLS": str(self.home / "calls"),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """Return what python and apt-get were asked so far."""
        file = self.home / "calls"
        return file.read_text().splitlines() if file.exists() else []


def command(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine with the basic commands, root, and nothing else."""
    project, folder, home = tmp_path / "a clone", tmp_path / "bin", tmp_path / "home"
    for made in (project, folder, home):
        made.mkdir()
    for name in ("setup.sh", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    for name in BASICS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    result = Machine(project, folder, home)
    result.has("uname", "echo Linux")
    result.has("id", "echo 0")
    return result


def make_complete(machine: Machine) -> None:
    """Put everything that a build needs on the machine."""
    machine.has("python3", PYTHON)
    for name in ("cc", "c++", "pkg-config"):
        machine.has(name)
    machine.has("fc-list", "echo a font")


def test_fedora_is_told_its_command(machine: Machine) -> None:
    machine.has("dnf", "exit 99")
    result = machine.set_up()
    assert result.returncode == 1
    assert "sudo dnf install python3.13 python3.13-devel gcc gcc-c++ cairo-devel" in result.stderr
    assert "jetbrains-mono-fonts-all" in result.stderr
    assert not (machine.project / ".venv").exists()


def test_macos_is_told_its_command(machine: Machine) -> None:
    machine.has("uname", "echo Darwin")
    result = machine.set_up()
    assert result.returncode == 1
    assert "brew install python@3.13 cairo pango pkgconf" in result.stderr


def test_only_what_is_missing_is_asked_for(machine: Machine) -> None:
    make_complete(machine)
    machine.has("pacman", "exit 99")
    machine.has("fc-list", 'test "$1" = Inter && echo Inter')
    result = machine.set_up()
    assert "  sudo pacman -S --needed ttf-jetbrains-mono fontconfig\n" in result.stderr


def test_an_unknown_system_is_told_in_words(machine: Machine) -> None:
    result = machine.set_up()
    assert result.returncode == 1
    assert "a C compiler\n" in result.stderr
    assert "Python 3.11 to 3.13\n" in result.stderr


def test_without_root_and_sudo_debian_is_told_its_commands(machine: Machine) -> None:
    machine.has("apt-get", "exit 99")
    machine.has("id", "echo 1000")
    result = machine.set_up()
    assert result.returncode == 1
    assert "  apt-get update\n  apt-get install --no-install-recommends -y python3" in result.stderr


@pytest.mark.parametrize("sudo", [False, True])
def test_debian_installs_what_is_missing_and_then_makes_venv(machine: Machine, sudo: bool) -> None:
    machine.has("apt-get", INSTALLER)
    machine.has("fc-list", "echo a font")
    for name, script in {"python3": PYTHON, "cc": "", "c++": "", "pkg-config": ""}.items():
        command(machine.home / name, script)
    if sudo:
        machine.has("id", "echo 1000")
        machine.has("sudo", 'echo "sudo $*" >> "$CALLS"; exec "$@"')
    result = machine.set_up()
    assert result.returncode == 0, result.stderr
    calls = machine.calls()
    assert "apt-get update -qq" in calls
    [install] = [call for call in calls if call.startswith("apt-get install")]
    for package in ("python3-venv", "build-essential", "libpango1.0-dev"):
        assert package in install
    assert "fonts-inter" not in install, "a font is there"
    assert any(call.startswith("sudo ") for call in calls) == sudo
    assert any("--constraint constraints.txt --editable ." in call for call in calls)


def test_an_installation_that_helps_nothing_is_not_believed(machine: Machine) -> None:
    machine.has("apt-get", "exit 0")
    result = machine.set_up()
    assert result.returncode == 1
    assert "still missing after the installation: python" in result.stderr


def test_a_failed_installation_stops_with_its_log(machine: Machine) -> None:
    machine.has("apt-get", "echo 'E: no space left'; exit 100")
    result = machine.set_up()
    assert result.returncode == 1
    assert "apt-get failed" in result.stderr
    assert "no space left" in (machine.project / "build/setup.log").read_text()


def test_a_second_run_does_nothing(machine: Machine) -> None:
    make_complete(machine)
    assert machine.set_up().returncode == 0
    calls = machine.calls()
    assert any("-m venv" in call for call in calls)
    second = machine.set_up()
    assert (second.returncode, second.stdout) == (0, "")
    assert machine.calls() == calls


def test_other_versions_are_installed_into_the_same_venv(machine: Machine) -> None:
    make_complete(machine)
    machine.set_up()
    with (machine.project / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    before = len(machine.calls())
    assert machine.set_up().returncode == 0
    after = machine.calls()[before:]
    assert any("-m pip install" in call for call in after)
    assert not any("-m venv" in call for call in after)


def test_a_moved_clone_gets_a_new_venv(machine: Machine) -> None:
    make_complete(machine)
    machine.set_up()
    moved = machine.project.rename(machine.project.with_name("moved"))
    elsewhere = Machine(moved, machine.bin, machine.home)
    before = len(elsewhere.calls())
    assert elsewhere.set_up().returncode == 0
    assert any("-m venv --clear" in call for call in elsewhere.calls()[before:])


def test_the_tests_want_their_tools_a_font_and_a_browser(machine: Machine) -> None:
    make_complete(machine)
    result = machine.set_up("test")
    assert result.returncode == 0, result.stderr
    assert any("--editable .[dev]" in call for call in machine.calls())
    assert machine.calls()[-1] == "python -m playwright install chromium"


def test_a_failing_pip_fails_the_set_up_and_leaves_no_stamp(machine: Machine) -> None:
    make_complete(machine)
    machine.has(
        "python3", PYTHON.replace("echo 'Collecting torch'", "echo ERROR: no torch; exit 1")
    )
    for _ in range(2):
        result = machine.set_up()
        assert result.returncode == 1
        assert "ERROR: no torch" in result.stderr


def test_a_python_that_does_not_fit_is_named(machine: Machine) -> None:
    make_complete(machine)
    machine.has("python3.9", "exit 1")
    result = machine.set_up(PYTHON="python3.9")
    assert result.returncode == 1
    assert "PYTHON=python3.9 is not a Python 3.11, 3.12 or 3.13" in result.stderr


def test_an_unknown_purpose_is_refused(machine: Machine) -> None:
    assert machine.set_up("everything").returncode == 2
