"""A trace that was recorded on an accelerator stands in where there is none, and says so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import torchreel
from tests.site.course import render, trace, write_artifacts
from tests.stage.conftest import play_cell
from torchreel.plan import RECORDED, Project, build, status
from torchreel.plan.recordings import record, recording_of
from torchreel.records import TorchReelError, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.devices.board import Board
from torchreel.store import Store
from torchreel.tracer import trace_script

SCRIPT = "import torch\n\n# %% twice\nx = torch.ones(2)\ny = x * 2\n"
LESSON = "lessons/far/lesson.py"
GPU = "cuda:0"
FILES = {f"lessons/far/{RECORDED}/lesson/{name}" for name in ("trace.json", "values.safetensors")}


def declared(ran: Trace) -> Trace:
    """Return a trace of this machine as if its tensors had been on an accelerator."""
    environment = replace(ran.environment, device="cuda", device_name="Declared GPU")
    return replace(ran, environment=environment)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "lessons" / "far"
    folder.mkdir(parents=True)
    (folder / "lesson.py").write_text(SCRIPT)
    (folder / "index.md").write_text("# Far\n\n/// clip | twice\n///\n")
    return Project(tmp_path)


@pytest.fixture
def recorded(project: Project) -> Project:
    ran = trace_script(project.root / LESSON, root=project.root)
    record(declared(ran), project.root / LESSON, "2026-11-24")
    return project


def test_a_build_shows_what_was_recorded_where_the_device_is_absent(recorded: Project) -> None:
    done = build(recorded, quality="draft")
    assert (done.problems, done.warnings) == ((), ())
    store = Store(recorded.build)
    index = store.index()
    environment = store.trace(index.traces[LESSON]).environment
    assert (environment.device_name, environment.recorded) == ("Declared GPU", "2026-11-24")
    clip = store.clip(index.clips[f"{LESSON}:twice:page:dark"])
    told = {(each.cue, each.text) for each in clip.drawn if each.source == "recorded"}
    assert told == {(cue.number, "Declared GPU 2026-11-24") for cue in clip.cues}
    assert {each.state for each in build(recorded, quality="draft").outcomes} == {"reused"}


def test_a_recording_that_comes_or_goes_makes_the_trace_stale(project: Project) -> None:
    build(project, quality="draft")
    ran = trace_script(project.root / LESSON, root=project.root)
    folder = record(declared(ran), project.root / LESSON, "2026-11-24")
    why = {each.key: each.why for each in status(project, quality="draft")}[LESSON]
    assert set(why) == {f"{name} added" for name in FILES}
    build(project, quality="draft")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    why = {each.key: each.why for each in status(project, quality="draft")}[LESSON]
    assert set(why) == {f"{name} changed" for name in FILES}


LESSONS = Path(__file__).parents[1] / "lessons"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of the lesson about the GPU, kept and read as if ``meta`` had been a GPU."""
    root = tmp_path_factory.mktemp("far")
    (root / "lessons/gpu").mkdir(parents=True)
    for name in ("digits.py", "gpu/lesson.py"):
        (root / "lessons" / name).write_bytes((LESSONS / name).read_bytes())
    script = root / "lessons/gpu/lesson.py"
    ran = declared(trace_script(script, root=root))
    tensors = [replace(each, device=each.device.replace("meta", GPU)) for each in ran.tensors]
    steps = [
        replace(each, clash=replace(each.clash, facts=("cpu", GPU))) if each.clash else each
        for each in ran.steps
    ]
    record(replace(ran, tensors=tuple(tensors), steps=tuple(steps)), script, "2026-11-24")
    kept = recording_of(script, "lessons/gpu/lesson.py", lambda name: ran.inputs[name])
    assert kept is not None
    return kept


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_lesson_about_the_gpu_plays_what_was_recorded_on_one(far: Trace, artboard: str) -> None:
    scene = play_cell(far, "gpu", artboard)
    assert scene.warnings == []
    told = {(each.text, each.source) for each in scene.drawn}
    assert {(GPU, "device"), ("cpu", "device"), (GPU, "clash"), ("cpu", "clash")} <= told
    assert ("Declared GPU 2026-11-24", "recorded") in told
    boards = [each for each in scene.mobjects if isinstance(each, Board)]
    assert [each.device for each in boards] == ["cpu", GPU]


def _edited(project: Project) -> str:
    (project.root / LESSON).write_text(SCRIPT + "z = y + 1\n")
    return f"the trace recorded on Declared GPU, 2026-11-24 is not used: {LESSON} has changed since"


def _damaged(project: Project) -> str:
    (project.root / f"lessons/far/{RECORDED}/lesson/trace.json").write_text("{}")
    return "the recorded trace cannot be read and is not used"


def _without_numbers(project: Project) -> str:
    (project.root / f"lessons/far/{RECORDED}/lesson/values.safetensors").write_text("a pointer")
    return "the recorded trace cannot be read and is not used"


@pytest.mark.parametrize("spoil", [_edited, _damaged, _without_numbers])
def test_a_recording_of_something_else_is_not_used_and_that_is_said(
    recorded: Project, spoil: Callable[[Project], str]
) -> None:
    what = spoil(recorded)
    done = build(recorded, quality="draft")
    assert done.problems == ()
    (warning,) = done.warnings
    assert what in str(warning)
    assert "--record" in str(warning)
    store = Store(recorded.build)
    assert store.trace(store.index().traces[LESSON]).environment.recorded == ""
    again = build(recorded, quality="draft")  # which traces nothing
    assert {each.state for each in again.outcomes} == {"reused"}
    assert again.warnings == (warning,)


def test_only_what_was_on_an_accelerator_is_recorded(project: Project) -> None:
    ran = trace_script(project.root / LESSON, root=project.root)
    with pytest.raises(TorchReelError, match="none of its tensors was on an accelerator"):
        record(ran, project.root / LESSON, "2026-11-24")
    done = torchreel("trace", LESSON, "--record", folder=project.root)
    assert done.returncode == 1
    assert "none of its tensors was on an accelerator" in done.stderr
    assert not (project.root / f"lessons/far/{RECORDED}").exists()


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_line_over_the_stage_is_clear_of_what_is_on_it(project: Project, artboard: str) -> None:
    ran = declared(trace_script(project.root / LESSON, root=project.root))
    ran = replace(ran, environment=replace(ran.environment, recorded="2026-11-24"))
    assert play_cell(ran, "twice", artboard).warnings == []


def test_a_page_says_it_in_its_language(tmp_path: Path) -> None:
    environment = replace(
        trace().environment, device="cuda", device_name="Declared GPU", recorded="2026-11-24"
    )
    write_artifacts(tmp_path, replace(trace(), environment=environment))
    block = "/// clip | reshape\n///\n"
    english, _ = render(tmp_path, block)
    japanese, _ = render(tmp_path, block, page="lessons/shape/index.ja.md")
    assert "Recorded on Declared GPU, 2026-11-24." in english
    assert "2026-11-24 に Declared GPU で記録しました。" in japanese


def test_a_page_of_what_ran_here_says_nothing_of_it(tmp_path: Path) -> None:
    write_artifacts(tmp_path)
    assert "tr-recorded" not in render(tmp_path, "/// clip | reshape\n///\n")[0]
