"""A course on disk, and what its pages ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torchreel.records import Problem, TorchReelError
from torchreel.site.requests import ClipRequest, clip_requests

_SCRIPT = "lesson.py"


@dataclass(frozen=True)
class Project:
    """The folders of a course; ``root`` holds ``mkdocs.yml``, ``docs`` is its ``docs_dir``."""

    root: Path
    docs: str = "lessons"

    @classmethod
    def of(cls, root: Path, docs: Path) -> Project:
        """Return the project of a site; raises TorchReelError where its pages lie elsewhere."""
        root, docs = root.resolve(), docs.resolve()
        if not docs.is_relative_to(root):
            what = f"`docs_dir` is not below the folder of the configuration, {root}"
            raise TorchReelError(Problem(str(docs), what, "Move one of them."))
        return cls(root, docs.relative_to(root).as_posix())

    @property
    def lessons(self) -> Path:
        """What is taught: pages, and scripts beside them."""
        return self.root / self.docs

    @property
    def scenes(self) -> Path:
        """The course's own scenes: a file a lesson."""
        return self.root / "scenes"

    @property
    def build(self) -> Path:
        """Where artifacts are kept."""
        return self.root / "build"

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
    """Return what the lessons of a project want made.

    Raises TorchReelError where a page is no text: MkDocs cannot go on then, either.
    """
    scripts: dict[str, None] = {}
    wanted = Wanted((), {}, [])
    missing: set[str] = set()
    for script in sorted(project.lessons.glob(f"*/{_SCRIPT}")):
        scripts[project.relative(script)] = None
    for page in sorted(project.lessons.rglob("*.md")):
        for request in _requests(project, page, wanted):
            if (project.root / request.script).is_file():
                scripts[request.script] = None
                if request.cell is not None:
                    places = wanted.clips.setdefault((request.script, request.cell), [])
                    places.append(request.where)
            elif request.script not in missing:
                missing.add(request.script)
                wanted.problems.append((request.script, _unknown_script(project, request)))
    return Wanted(tuple(scripts), wanted.clips, wanted.problems)


def _requests(project: Project, page: Path, wanted: Wanted) -> list[ClipRequest]:
    name = project.relative(page)
    try:
        return clip_requests(page.read_text(encoding="utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = page.read_bytes().count(b"\n", 0, error.start) + 1
        what = f"the page's text cannot be decoded: {error.reason}"
        raise TorchReelError(Problem(f"{name}:{line}", what, "Save it as UTF-8.")) from None
    except TorchReelError as error:
        wanted.problems.append((name, error.problem))
        return []


def _unknown_script(project: Project, request: ClipRequest) -> Problem:
    folder = (project.root / request.script).parent
    there = ", ".join(path.name for path in sorted(folder.glob("*.py")))
    remedy = (
        f"The scripts there are: {there}."
        if there
        else f"Write {request.script}: a plain torch script, its cells marked with `# %% name`."
    )
    return Problem(request.where, f"there is no script {request.script}", remedy)
