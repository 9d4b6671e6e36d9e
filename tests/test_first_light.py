"""The whole line on the real course: edits reach the clip, its cues, its numbers and the page."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from torchreel.records import Clip
from torchreel.store import Store

ROOT = Path(__file__).parent.parent
LESSON = "lessons/shape/lesson.py"


@dataclass(frozen=True)
class Project:
    """A copy of the course in a folder of its own."""

    root: Path

    def build(self, *, fails: bool = False) -> str:
        """Run ``torchreel build``, check its exit status and return what it printed."""
        command = [sys.executable, "-m", "torchreel", "build", "--quality", "draft"]
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == (1 if fails else 0), printed
        return printed

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace ``old``, which must be there, in a file."""
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def clip(self, cell: str) -> Clip:
        """Return the current clip of a cell of the lesson."""
        store = Store(self.root / "build")
        return store.clip(store.index().clips[Store.clip_key(LESSON, cell)])

    def page(self, language: str = "") -> str:
        """Return the HTML of the lesson's page."""
        return (self.root / "site" / language / "shape" / "index.html").read_text()

    def text(self, language: str = "") -> str:
        """Return the lesson's page as a reader sees it."""
        return html.unescape(re.sub(r"<[^>]+>", "", self.page(language)))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The course as it is in this repository, built once at draft quality."""
    project = Project(tmp_path_factory.mktemp("course"))
    for folder in ("lessons", "scenes"):
        shutil.copytree(
            ROOT / folder, project.root / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "mkdocs.yml", project.root)
    printed = project.build()
    assert len(re.findall(r"\brendered\b", printed)) >= 2
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A built copy that a test may edit."""
    copy = tmp_path / "course"
    shutil.copytree(built.root, copy)
    return Project(copy)


def test_a_second_build_renders_nothing(project: Project) -> None:
    before = {cell: project.clip(cell).digest for cell in ("reshape", "unsqueeze")}
    pages = {path: path.read_bytes() for path in (project.root / "site").rglob("*.html")}
    printed = project.build()
    assert "rendered" not in printed
    assert len(re.findall(r"\breused\b", printed)) >= 2
    assert {cell: project.clip(cell).digest for cell in before} == before
    assert {path: path.read_bytes() for path in pages} == pages


def test_an_edit_of_the_script_reaches_clip_and_pages(project: Project) -> None:
    assert "(3, 4)" in project.text()
    project.edit(LESSON, "x.reshape(3, 4)", "x.reshape(2, 6)")
    project.build()
    clip = project.clip("reshape")
    second = [drawn for drawn in clip.drawn if drawn.cue == 2]
    assert "(2, 6)" in {drawn.text for drawn in second if drawn.source == "shape"}
    sizes = {drawn.index: drawn.text for drawn in second if drawn.source == "size"}
    assert sizes == {(0,): "2", (1,): "6"}
    elements = {
        drawn.index: drawn.text
        for drawn in second
        if drawn.source == "value" and len(drawn.index) == 2
    }
    assert elements == {(i, j): str(6 * i + j) for i in range(2) for j in range(6)}
    for language in ("", "ja"):
        text = project.text(language)
        assert "x.reshape(2, 6)" in text
        assert "(2, 6)" in text.replace("x.reshape(2, 6)", "")
        assert "(3, 4)" not in text
    assert "(1, 2, 6)" in project.text()


def test_only_the_clips_that_an_edit_changes_are_rendered(project: Project) -> None:
    before = {cell: project.clip(cell).digest for cell in ("reshape", "unsqueeze")}
    project.edit(LESSON, "x.reshape(2, 2, 3)", "x.reshape(3, 2, 2)")
    project.build()
    assert project.clip("unsqueeze").digest == before["unsqueeze"]
    assert project.clip("reshape").digest != before["reshape"]
    assert len(project.clip("reshape").cues) == 3


def test_a_comment_renders_nothing(project: Project) -> None:
    project.edit(
        LESSON, "y = x.reshape(3, 4)\n", "# three rows of four\ny = x.reshape(3, 4)  # y\n"
    )
    assert "rendered" not in project.build()
    assert "# three rows of four" in project.text()


def _raise_in_script(project: Project) -> None:
    project.edit(LESSON, "x.reshape(3, 4)", "x.reshape(5, 4)")


def _raise_in_scene(project: Project) -> None:
    project.edit("scenes/shape.py", "self.play_lines(hold=1.2)", "self.play_line('nowhere')")


def _ask_for_unknown_cell(project: Project) -> None:
    project.edit("lessons/shape/index.md", "clip | unsqueeze", "clip | unsqeeze")


def _misspell_name(project: Project) -> None:
    page = project.root / "lessons/shape/index.md"
    page.write_text(page.read_text() + "\nThe shape of {{ yy.shape }}.\n")


def _give_unknown_option(project: Project) -> None:
    project.edit("lessons/shape/index.md", "clip | unsqueeze\n", "clip | unsqueeze\n    size: 3\n")


def _drop_script(project: Project) -> None:
    empty = project.root / "lessons/empty"
    empty.mkdir()
    (empty / "index.md").write_text("# Empty\n\n/// clip | nothing\n///\n")


def _add_transcript_item(project: Project) -> None:
    page = project.root / "lessons/shape/index.md"
    lines = page.read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if re.match(r"\d+\. ", line))
    page.write_text("\n".join([*lines[: last + 1], "9. One too many.", *lines[last + 1 :]]) + "\n")


@pytest.mark.parametrize(
    ("spoil", "where", "what"),
    [
        (_raise_in_script, r"lessons/shape/lesson\.py:5", "invalid for input of size 12"),
        (_raise_in_scene, r"scenes/shape\.py:\d+", "nowhere"),
        (_ask_for_unknown_cell, r"lessons/shape/index\.md:\d+", "unsqeeze"),
        (_misspell_name, r"lessons/shape/index\.md:\d+", "yy"),
        (_give_unknown_option, r"lessons/shape/index\.md:\d+", "size"),
        (_drop_script, r"lessons/empty/index\.md:3", r"no script lessons/empty/lesson\.py"),
        (_add_transcript_item, r"lessons/shape/index\.md:\d+", r"w\[0, 0\] = -5"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, Callable) else None,  # type: ignore[arg-type]
)
def test_bad_input_is_named_and_nothing_built_is_lost(
    project: Project, spoil: Callable[[Project], None], where: str, what: str
) -> None:
    english, japanese = project.text(), project.text("ja")
    spoil(project)
    printed = project.build(fails=True)
    assert re.search(where, printed), printed
    assert re.search(what.replace("(", r"\(").replace(")", r"\)"), printed), printed
    assert "Traceback" not in printed
    for before, after in ((english, project.text()), (japanese, project.text("ja"))):
        assert before == after
    videos = re.findall(r'src="([^"]+\.mp4)', project.page())
    assert len(videos) == 4
    for video in videos:
        assert (project.root / "site/shape" / video).resolve().is_file()
    # Mended, it builds again.
    shutil.copytree(ROOT / "lessons", project.root / "lessons", dirs_exist_ok=True)
    shutil.copytree(ROOT / "scenes", project.root / "scenes", dirs_exist_ok=True)
    shutil.rmtree(project.root / "lessons/empty", ignore_errors=True)
    project.build()
