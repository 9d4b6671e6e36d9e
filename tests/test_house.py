"""The rules of the house that no linter knows: imports outside the package, words in the papers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from torchreel.nav import pages

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "torchreel"
PAPERS = ("README.md", "CONTRIBUTING.md")
LIGHT = ("cli", "doctor", "mkdocs", "plan", "records", "site", "store", "tracer", "render")


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted names that a Python file imports, wherever it does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def files() -> list[Path]:
    """Return the files of the project: those that git tracks or would."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [file for file in found if file.is_file()]


def lessons() -> list[Path]:
    return sorted(script.parent for script in (ROOT / "lessons").glob("*/lesson.py"))


def test_lessons_import_nothing_of_ours() -> None:
    for script in (ROOT / "lessons").rglob("*.py"):
        ours = [name for name in imports(script) if re.match(r"(torchreel|scenes)\b", name)]
        assert not ours, f"{script.relative_to(ROOT)} imports {ours}"


def test_the_digits_alone_import_torchvision() -> None:
    """Beside a torch for the CPU only its import needs what `lessons/digits.py` does first."""
    importers = [
        script.name
        for script in (ROOT / "lessons").rglob("*.py")
        if any(name.split(".")[0] == "torchvision" for name in imports(script))
    ]
    assert importers == ["digits.py"]


def test_scenes_import_manim_and_the_stage() -> None:
    for scene in (ROOT / "scenes").rglob("*.py"):
        for name in imports(scene):
            head = name.split(".")[0]
            assert head != "torch", f"{scene.relative_to(ROOT)} imports torch"
            assert head != "torchreel" or name.startswith("torchreel.stage"), (
                f"{scene.relative_to(ROOT)} imports {name}; of ours it may use torchreel.stage"
            )


@pytest.mark.parametrize("module", LIGHT)
def test_a_build_with_nothing_to_do_loads_neither_torch_nor_manim(module: str) -> None:
    code = (
        f"import sys, torchreel.{module};"
        "heavy = {'torch', 'manim'} & set(sys.modules);"
        "sys.exit(f'it loads {heavy}' if heavy else 0)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize("paper", PAPERS)
def test_every_make_target_in_the_papers_exists(paper: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / paper).read_text(), re.MULTILINE))
    assert named, f"{paper} names no target"
    assert named <= targets


def test_every_make_target_is_in_contributing_and_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    helped = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)[0].split())
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert targets == helped == phony
    for target in targets - {"help"}:
        assert f"`make {target}`" in contributing


def test_every_torchreel_command_in_the_papers_exists() -> None:
    text = "".join((ROOT / paper).read_text() for paper in (*PAPERS, "Makefile"))
    named = set(re.findall(r"(?:bin\)?/|`)torchreel ([a-z]+)", text))
    assert named
    for command in sorted(named):
        asked = subprocess.run(
            [Path(sys.executable).with_name("torchreel"), command, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, f"torchreel {command}: {asked.stderr}"


def test_every_lesson_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert lessons()
    for folder in lessons():
        assert f"(lessons/{folder.name}/index.md)" in readme, f"{folder.name} is not listed"


@pytest.mark.parametrize("paper", PAPERS)
def test_links_and_folders_in_the_papers_exist(paper: str) -> None:
    text = (ROOT / paper).read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    named = re.findall(r"`((?:[\w.-]+/)+)`", text)
    for link in links:
        assert (ROOT / link).exists(), f"{paper} links to {link}"
    for name in named:
        places = (ROOT / name, PACKAGE / name)
        assert any(place.exists() for place in places), f"{paper} names {name}"


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    hosts = r"\b(?:pypi|pythonhosted|npmjs|debian|nodesource|download\.pytorch)\.(?:org|com)\b"
    places = r"(?<![\w.<>:/~)-])/(?:work|root|home|Users|opt)/\w"
    forbidden = re.compile(f"{hosts}|{places}")
    for file in files():
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode().splitlines(), start=1):
            found = forbidden.search(line)
            assert not found, f"{file.relative_to(ROOT)}:{number}: {found}"


def test_constraints_pin_every_dependency_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+", pin) for pin in pins)
    versions = {canonical(name): version for name, version in (pin.split("==") for pin in pins)}
    assert len(versions) == len(pins)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        need = Requirement(text)
        pinned = versions.get(canonical(need.name))
        assert pinned, f"constraints.txt does not pin {need.name}"
        assert need.specifier.contains(pinned), f"{need.name}=={pinned} is not {need.specifier}"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("page", ["index.md", "index.ja.md"])
def test_the_home_page_starts_with_the_first_lesson_of_the_navigation(page: str) -> None:
    listed = pages((ROOT / "mkdocs.yml").read_text(encoding="utf-8")) or ()
    names = [entry.page for entry in listed]
    first = next(name for name in names if (ROOT / "lessons" / name).parent in lessons())
    text = (ROOT / "lessons" / page).read_text(encoding="utf-8")
    button = re.search(r"\]\(([^)]+)\)\{[^}]*\.md-button--primary", text)
    assert button
    assert button[1] == first
