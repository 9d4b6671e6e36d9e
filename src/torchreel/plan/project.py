"""A course on disk, and what its pages ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torchreel.records import Problem, TorchReelError
from torchreel.site.requests import ClipRequest, clip_requests

_SCRIPT = "lesson.py"


@dataclass(frozen=True)
class Project:
    """The folders of a course; ``root`` holds ``mkdocs.yml``."""

    root: Path

    @property
    def lessons(self) -> Path:
        """What is taught: a folder a lesson."""
        return self.root / "lessons"

    @property
    def scenes(self) -> Path:
        """The course's own scenes: a file a lesson."""
        return self.root / "scenes"

    @property
    def build(self) -> Path:
        """Where artifacts are kept."""
        return self.root / "build"

    @property
    def site(self) -> Path:
        """Where the published site is written."""
        return self.root / "site"

    def relative(self, path: Path) -> str:
        """Return a path below the root as it is written in messages and keys."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class Wanted:
    """What there is to make: scripts to trace, cells to render with the places that ask for them.

    ``problems`` are keyed as in the index.
    """

    scripts: tuple[str, ...]
    clips: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)


def survey(project: Project) -> Wanted:
    """Return what the lessons of a project want made."""
    scripts: dict[str, None] = {}
    wanted = Wanted((), {}, [])
    missing: set[str] = set()
    for folder in _lesson_folders(project):
        script = project.relative(folder / _SCRIPT)
        if (folder / _SCRIPT).is_file():
            scripts[script] = None
        else:
            missing.add(script)
            wanted.problems.append((script, _no_script(project, folder)))
    for page in sorted(project.lessons.rglob("*.md")):
        for request in _requests(project, page, wanted):
            if (project.root / request.script).is_file():
                scripts[request.script] = None
                if request.cell is not None:
                    places = wanted.clips.setdefault((request.script, request.cell), [])
                    places.append(request.where)
            elif request.script not in missing:
                wanted.problems.append((request.script, _unknown_script(project, request)))
    return Wanted(tuple(scripts), wanted.clips, wanted.problems)


def _lesson_folders(project: Project) -> Iterator[Path]:
    if project.lessons.is_dir():
        for folder in sorted(project.lessons.iterdir()):
            if (folder / _SCRIPT).is_file() or any(folder.glob("index*.md")):
                yield folder


def _requests(project: Project, page: Path, wanted: Wanted) -> list[ClipRequest]:
    name = project.relative(page)
    try:
        return clip_requests(page.read_text(encoding="utf-8"), name)
    except TorchReelError as error:
        wanted.problems.append((name, error.problem))
        return []


def _no_script(project: Project, folder: Path) -> Problem:
    return Problem(
        project.relative(folder),
        f"the lesson has no {_SCRIPT}",
        f"Write {project.relative(folder / _SCRIPT)}: a plain torch script, its cells marked "
        "with `# %% name`.",
    )


def _unknown_script(project: Project, request: ClipRequest) -> Problem:
    folder = (project.root / request.script).parent
    there = ", ".join(path.name for path in sorted(folder.glob("*.py"))) or "none"
    return Problem(
        request.where, f"there is no script {request.script}", f"The scripts there are: {there}."
    )
