"""A build makes what is stale and nothing else, and says why; what fails is said with its place."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from torchreel.plan import Build, Outcome, Project, build, clips, status
from torchreel.plan.outcome import What, changes
from torchreel.plan.prune import KEPT, prune
from torchreel.records import Clip
from torchreel.render.job import Job, clip_inputs
from torchreel.render.worker import Worker
from torchreel.store import Index, Store

SCRIPT = """import torch

# %% pair
x = torch.arange(4)
y = x.reshape(2, 2)

# %% single
s = torch.ones(1)
"""
PAGE = "# Small\n\n/// clip | pair\n///\n\n/// clip | single\n///\n"
LESSON = "lessons/small/lesson.py"
PAIR, SINGLE = f"{LESSON}:pair:page:dark", f"{LESSON}:single:page:dark"


class Told:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[Outcome] = []

    def started(self, key: str, what: What, why: tuple[str, ...]) -> None:
        self.begun.append(key)

    def finished(self, outcome: Outcome) -> None:
        self.ended.append(outcome)


def write(project: Project, text: str = SCRIPT, page: str = PAGE, lesson: str = "small") -> None:
    folder = project.lessons / lesson
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lesson.py").write_text(text)
    (folder / "index.md").write_text(page)


def made(project: Project) -> Build:
    return build(project, quality="draft")


def states(done: Build) -> dict[str, str]:
    return {outcome.key: outcome.state for outcome in done.outcomes}


def why(done: Build) -> dict[str, tuple[str, ...]]:
    return {outcome.key: outcome.why for outcome in done.outcomes}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Build]:
    """A small course, built once; tests work on copies."""
    project = Project(tmp_path_factory.mktemp("course"))
    write(project)
    project.scenes.mkdir()
    return project, made(project)


@pytest.fixture
def project(built: tuple[Project, Build], tmp_path: Path) -> Project:
    """A copy of the small course that was built."""
    shutil.copytree(built[0].root, tmp_path / "course")
    return Project(tmp_path / "course")


def test_a_first_build_makes_everything(built: tuple[Project, Build]) -> None:
    project, done = built
    assert states(done) == {LESSON: "traced", PAIR: "rendered", SINGLE: "rendered"}
    assert set(why(done).values()) == {("new",)}
    assert all(outcome.bytes > 1000 and outcome.seconds > 0 for outcome in done.outcomes)
    assert done.problems == ()
    store = Store(project.build)
    index = store.index()
    assert store.clip(index.clips[PAIR]).cell == "pair"
    assert store.trace(index.traces[LESSON]).script == LESSON
    assert index.problems == {}


def test_a_second_build_makes_nothing(project: Project) -> None:
    index = (project.build / "index.json").stat()
    told = Told()
    done = build(project, quality="draft", progress=told)
    assert set(states(done).values()) == {"reused"}
    assert set(why(done).values()) == {()}
    assert told.begun == []
    assert {outcome.key for outcome in told.ended} == {LESSON, PAIR, SINGLE}
    assert (project.build / "index.json").stat().st_mtime_ns == index.st_mtime_ns


def test_a_build_with_nothing_to_do_imports_neither_torch_nor_manim(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from torchreel.plan import Project, build;"
        f"done = build(Project(Path({str(project.root)!r})), quality='draft');"
        "assert {each.state for each in done.outcomes} == {'reused'}, done;"
        "sys.exit(str({'torch', 'manim'} & set(sys.modules) or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.strip() == ""


def test_an_edit_of_one_cell_renders_only_its_clip_and_going_back_renders_none(
    project: Project,
) -> None:
    write(project, SCRIPT.replace("torch.ones(1)", "torch.ones(2)"))
    told = Told()
    done = build(project, quality="draft", progress=told)
    assert states(done) == {LESSON: "traced", PAIR: "reused", SINGLE: "rendered"}
    assert why(done)[SINGLE] == (f"{LESSON} changed",)
    assert why(done)[PAIR] == ()
    assert told.begun == [LESSON, SINGLE]
    new = Store(project.build).index().clips[SINGLE]
    write(project)
    back = made(project)
    assert set(states(back).values()) == {"reused"}
    assert Store(project.build).index().clips[SINGLE] != new


def test_a_comment_renders_nothing(project: Project) -> None:
    write(project, SCRIPT.replace("# %% single", "# a comment\n\n# %% single"))
    done = made(project)
    assert states(done) == {LESSON: "traced", PAIR: "reused", SINGLE: "reused"}
    assert why(done)[LESSON] == (f"{LESSON} changed",)


def test_a_scene_is_an_input_of_its_own_clip_alone(project: Project) -> None:
    (project.scenes / "small.py").write_text(
        "from torchreel.stage import LessonScene\n\n\nclass Single(LessonScene):\n"
        "    def construct(self):\n        self.play_lines(hold=0.2)\n"
    )
    done = made(project)
    assert states(done) == {LESSON: "reused", PAIR: "reused", SINGLE: "rendered"}
    assert why(done)[SINGLE] == ("scene Single added",)


def test_a_file_that_the_script_reads_is_an_input(project: Project) -> None:
    (project.lessons / "small/size.txt").write_text("1")
    read = "int(Path(__file__).with_name('size.txt').read_text())"
    text = SCRIPT.replace("torch.ones(1)", f"torch.ones({read})")
    write(project, text.replace("import torch", "from pathlib import Path\n\nimport torch"))
    assert states(made(project))[LESSON] == "traced"
    (project.lessons / "small/size.txt").write_text("2")
    done = made(project)
    assert states(done) == {LESSON: "traced", PAIR: "reused", SINGLE: "rendered"}
    assert why(done)[LESSON] == ("lessons/small/size.txt changed",)


def test_a_variable_that_the_script_asks_for_is_an_input(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LENGTH", "4")
    write(project, SCRIPT.replace("arange(4)", "arange(int(__import__('os').environ['LENGTH']))"))
    assert states(made(project))[LESSON] == "traced"
    assert set(states(made(project)).values()) == {"reused"}
    monkeypatch.setenv("LENGTH", "5")
    stale = {outcome.key: outcome.why for outcome in status(project, quality="draft")}
    assert stale[LESSON] == ("$LENGTH changed",)


def test_sources_that_change_during_a_build_are_one_problem(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, SCRIPT.replace("ones(1)", "ones(9)").replace("# %% pair", "# %% pair\nprint(1)"))
    now, planned, both = {"stage/block.py": "as it was"}, set[str](), threading.Event()
    render, rendered = Worker.render, list[str]()

    def inputs(cell: str, *given: Any) -> dict[str, str]:
        found = {**clip_inputs(cell, *given), **now}
        planned.add(cell)
        if len(planned) == 2:
            both.set()
        return found

    def edited(worker: Worker, job: Job, folder: Path, root: Path) -> Clip:
        rendered.append(job.cell)
        both.wait()
        now["stage/block.py"] = "edited"
        return render(worker, job, folder, root)

    monkeypatch.setattr(clips, "clip_inputs", inputs)
    monkeypatch.setattr(Worker, "render", edited)
    done = build(project, quality="draft", workers=1)
    assert {states(done)[PAIR], states(done)[SINGLE]} == {"failed"}
    assert len(rendered) == 1, "the other is not drawn for nothing"
    (problem,) = done.problems
    assert problem.what.startswith("stage/block.py changed while the build was at work")
    assert problem.remedy.startswith("Build again")
    monkeypatch.undo()
    assert not made(project).problems


def test_a_trace_of_another_tracer_or_schema_is_made_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("torchreel.tracer.source_digest", lambda: "other")
        patch.setattr("torchreel.tracer.torch_version", lambda: "9.9")
        patch.setattr("torchreel.plan.traces.source_digest", lambda path: path.name)
        found = {each.key: each.why for each in status(project, quality="draft")}
    said = "; ".join(found[LESSON])
    assert "tracer changed" in said
    assert "records.py changed" in said
    assert "torch 2." in said
    assert "→ 9.9" in said


def test_quality_is_an_input_that_says_its_values(project: Project) -> None:
    found = {each.key: each.why for each in status(project, quality="standard")}
    assert found[PAIR] == ("quality draft → standard",)


def test_changes_are_named() -> None:
    old = {"torch": "2.13", "a.py": "1", "scene A": "2", "same": "3"}
    new = {"torch": "2.14", "a.py": "9", "scene B": "2", "same": "3"}
    assert changes(old, new) == (
        "torch 2.13 → 2.14", "a.py changed", "scene B added", "scene A removed",
    )  # fmt: skip
    assert changes(old, old) == ()
    assert changes(None, new) == ("new",)


def test_status_says_what_is_stale_and_makes_nothing(project: Project) -> None:
    assert {each.state for each in status(project, quality="draft")} == {"reused"}
    write(project, SCRIPT.replace("ones(1)", "ones(3)"))
    before = sorted(project.build.rglob("*"))
    found = {each.key: (each.state, each.why) for each in status(project, quality="draft")}
    assert found[LESSON] == ("stale", (f"{LESSON} changed",))
    assert found[SINGLE] == ("stale", (f"{LESSON} is to be traced first",))
    assert sorted(project.build.rglob("*")) == before


def test_a_missing_file_of_a_clip_is_rendered_again(project: Project) -> None:
    store = Store(project.build)
    (store.clip_folder(store.index().clips[SINGLE]) / "clip.gif").unlink()
    done = made(project)
    assert states(done) == {LESSON: "reused", PAIR: "reused", SINGLE: "rendered"}
    assert (store.clip_folder(store.index().clips[SINGLE]) / "clip.gif").is_file()


def test_a_script_that_raises_keeps_its_last_good_artifacts(project: Project) -> None:
    before = Store(project.build).index()
    write(project, SCRIPT.replace("y = x.reshape(2, 2)", "y = x.reshape(3, 2)"))
    write(project, lesson="other")
    done = made(project)
    other = "lessons/other/lesson.py"
    assert states(done)[LESSON] == states(done)[PAIR] == "failed"
    assert states(done)[other] == "traced"
    assert states(done)[f"{other}:pair:page:dark"] == "rendered"
    (problem,) = done.problems
    assert problem.where == f"{LESSON}:5"
    assert "RuntimeError" in problem.what
    assert "invalid for input of size 4" in problem.what
    assert problem.remedy
    index = Store(project.build).index()
    assert index.traces[LESSON] == before.traces[LESSON]
    assert index.clips[PAIR] == before.clips[PAIR]
    assert index.problems == {LESSON: problem}
    write(project)
    assert made(project).problems == ()
    assert Store(project.build).index().problems == {}


def test_a_scene_that_raises_keeps_its_last_good_clip(project: Project) -> None:
    before = Store(project.build).index()
    (project.scenes / "small.py").write_text(
        "from torchreel.stage import LessonScene\n\n\nclass Single(LessonScene):\n"
        "    def construct(self):\n        self.play_line('nothing')\n"
    )
    done = made(project)
    assert states(done) == {LESSON: "reused", PAIR: "reused", SINGLE: "failed"}
    (problem,) = done.problems
    assert problem.where == "scenes/small.py:6"
    assert "no line still to play match 'nothing'" in problem.what
    index = Store(project.build).index()
    assert index.clips == before.clips
    assert index.problems == {SINGLE: problem}
    assert not list(project.build.rglob(".making-*"))


@pytest.mark.parametrize(
    ("spoil", "where", "what", "remedy"),
    [
        pytest.param(
            lambda project: write(project, page=PAGE.replace("| pair", "| pear")),
            "lessons/small/index.md:3",
            "there is no cell 'pear'",
            "Its cells are: pair, single.",
            id="unknown cell",
        ),
        pytest.param(
            lambda project: write(project, page=PAGE + "/// clip | other.py:a\n///\n"),
            "lessons/small/index.md:8",
            "there is no script lessons/small/other.py",
            "The scripts there are: lesson.py.",
            id="unknown script",
        ),
        pytest.param(
            lambda project: (project.root / LESSON).unlink(),
            "lessons/small/index.md:3",
            "there is no script lessons/small/lesson.py",
            "Write lessons/small/lesson.py",
            id="no script",
        ),
        pytest.param(
            lambda project: write(
                project, SCRIPT + "\n# %% nothing\nn = 1\n", PAGE + "/// clip | nothing\n///\n"
            ),
            f"{LESSON}:11",
            "cell 'nothing' has nothing to show",
            "Give it a line",
            id="no cue",
        ),
        pytest.param(
            lambda project: write(project, SCRIPT.replace("torch.ones(1)", "torch.ones(1")),
            f"{LESSON}:8",
            "'(' was never closed",
            "",
            id="syntax of a script",
        ),
        pytest.param(
            lambda project: (project.scenes / "small.py").write_text("class A:\n  x = (\n"),
            "scenes/small.py:2",
            "'(' was never closed",
            "Mend the line.",
            id="syntax of a scene",
        ),
    ],
)
def test_bad_input_is_one_problem_with_its_place(
    project: Project, spoil: Callable[[Project], object], where: str, what: str, remedy: str
) -> None:
    before = Store(project.build).index()
    spoil(project)
    problems = made(project).problems
    assert {problem.where for problem in problems} == {where}
    assert what in problems[0].what
    assert remedy in problems[0].remedy
    index = Store(project.build).index()
    assert index.clips[SINGLE] == before.clips[SINGLE]
    assert index.traces.keys() == before.traces.keys()
    assert problems[0] in index.problems.values()


def test_a_folder_without_pages_or_script_is_no_lesson(project: Project) -> None:
    (project.lessons / "assets").mkdir()
    (project.lessons / "assets/data.csv").write_text("1")
    assert made(project).problems == ()


def test_a_lesson_that_is_gone_is_forgotten(project: Project) -> None:
    shutil.rmtree(project.lessons / "small")
    write(project, "import torch\n\n# %% one\no = torch.ones(1)\n", "# Other\n", "other")
    assert made(project).problems == ()
    assert Store(project.build).index().traces.keys() == {"lessons/other/lesson.py"}
    assert Store(project.build).index().clips == {}


def test_two_builds_at_once_do_not_hurt_each_other(project: Project) -> None:
    write(project, SCRIPT.replace("ones(1)", "ones(3)"))
    done: list[Build] = []
    threads = [threading.Thread(target=lambda: done.append(made(project))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.problems for each in done] == [(), ()]
    store = Store(project.build)
    assert store.clip(store.index().clips[SINGLE]).script == LESSON
    assert set(states(made(project)).values()) == {"reused"}
    assert not list(project.build.rglob(".making-*"))


def test_ctrl_c_leaves_nothing_half_made(project: Project) -> None:
    (project.scenes / "small.py").write_text(
        "import time\nfrom pathlib import Path\nfrom torchreel.stage import LessonScene\n\n\n"
        "class Single(LessonScene):\n    def construct(self):\n"
        "        Path('rendering').write_text('')\n        time.sleep(600)\n"
    )
    code = (
        "from pathlib import Path; from torchreel.plan import Project, build;"
        "build(Project(Path.cwd()), quality='draft')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=project.root, stderr=subprocess.DEVNULL
    ) as child:
        while not (project.root / "rendering").exists():
            assert child.poll() is None
            time.sleep(0.02)
        assert list(project.build.rglob(".making-*"))
        child.send_signal(signal.SIGINT)
        assert child.wait() != 0
    assert not list(project.build.rglob(".making-*"))
    (project.scenes / "small.py").unlink()
    assert set(states(made(project)).values()) == {"reused"}


def test_old_artifacts_go_but_never_a_named_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = time.time() - 7 * 24 * 3600
    for number in range(KEPT + 10):
        folder = store.clip_folder(f"{number:064}")
        folder.mkdir(parents=True)
        os.utime(folder, (old + number, old + number))
    abandoned = tmp_path / "clips/.making-x"
    abandoned.mkdir()
    os.utime(abandoned, (old, old))
    named = f"{0:064}"
    store.write_index(Index(clips={"a": named}))
    prune(store)
    left = sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert left == [named, *(f"{number:064}" for number in range(10, KEPT + 10))]
