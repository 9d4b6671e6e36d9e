"""A cell of a real trace becomes a clip whose cues are true to its film."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from torchreel.records import Clip, TorchReelError, Trace
from torchreel.render.job import QUALITIES, Job, Look, clip_inputs
from torchreel.render.scenes import find_scene
from torchreel.render.worker import Worker
from torchreel.stage.artboard import ARTBOARDS
from torchreel.tracer import trace_script

SCRIPT = """import torch

# %% pair
x = torch.arange(4)
y = x.reshape(2, 2)
"""
DRAFT = Look(quality="draft")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("render")
    (root / "lessons/small").mkdir(parents=True)
    (root / "scenes").mkdir()
    (root / "lessons/small/lesson.py").write_text(SCRIPT)
    return root


@pytest.fixture(scope="module")
def trace(root: Path) -> Trace:
    return trace_script(root / "lessons/small/lesson.py", root=root)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def job(trace: Trace) -> Job:
    inputs = clip_inputs("slice", ("torch.arange", "torch.Tensor.reshape"), None, DRAFT)
    return Job(trace.of_cell("pair"), DRAFT, None, {1: 4, 2: 5}, inputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clip")


@pytest.fixture(scope="module")
def clip(job: Job, folder: Path, root: Path, worker: Worker) -> Clip:
    return worker.render(job, folder, root)


@pytest.fixture
def with_scene(job: Job, root: Path) -> Callable[[str], Job]:
    """Return the job with a scene of its own, of this source."""

    def scene(source: str) -> Job:
        (root / "scenes/small.py").write_text(source)
        return replace(job, scene=find_scene(root / "scenes", job.trace.script, "pair"))

    return scene


def test_a_clip_is_four_files_of_the_right_size(clip: Clip, folder: Path) -> None:
    files = ["clip.gif", "clip.mp4", "opening.webp", "poster.webp"]
    assert sorted(path.name for path in folder.iterdir()) == files
    assert sorted(clip.files.values()) == files
    assert (clip.width, clip.height, clip.fps) == (640, 400, 15)
    for name in clip.files.values():
        with av.open(folder / name) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (640, 400)


def test_every_cue_starts_at_a_keyframe_and_all_time_is_told(clip: Clip, folder: Path) -> None:
    with av.open(folder / "clip.mp4") as container:
        frames = list(container.decode(video=0))
    keyframes = [frame.time for frame in frames if frame.key_frame]
    assert [cue.start for cue in clip.cues] == pytest.approx(keyframes)
    assert clip.duration == len(frames) / clip.fps
    assert [cue.end for cue in clip.cues] == [*(cue.start for cue in clip.cues[1:]), clip.duration]
    assert [(cue.number, cue.statement) for cue in clip.cues] == [(1, 1), (2, 2)]


def test_the_poster_is_the_last_frame_of_a_cue(clip: Clip, folder: Path) -> None:
    distances = distances_from(folder, "poster.webp")
    ends = [distances[round(cue.end * clip.fps) - 1] for cue in clip.cues]
    assert min(ends) < 3
    assert max(ends) > 10
    assert clip.cues[ends.index(min(ends))].number == clip.poster


def test_the_opening_is_a_frame_that_tells_not_yet_what_the_first_line_makes(
    clip: Clip, folder: Path
) -> None:
    distances = distances_from(folder, "opening.webp")
    first = round(clip.cues[0].end * clip.fps)
    assert distances.index(min(distances)) < first - 1
    assert min(distances) < 3
    empty = np.asarray(Image.open(folder / "opening.webp").convert("L")).max()
    assert empty > 128  # something is written on it


def distances_from(folder: Path, still: str) -> list[float]:
    """Return how far each frame of the film is from a still: the mean over its bytes."""
    pixels = np.asarray(Image.open(folder / still).convert("RGB")).astype(int)
    with av.open(folder / "clip.mp4") as container:
        frames = [
            frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
            for frame in container.decode(video=0)
        ]
    return [float(np.abs(pixels - frame).mean()) for frame in frames]


def test_a_poster_time_at_which_no_cue_ends_is_an_error(
    with_scene: Callable[[str], Job], root: Path, worker: Worker, tmp_path: Path
) -> None:
    job = with_scene(
        "from torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n"
        "    def construct(self):\n"
        "        self.play_lines()\n"
        "        self.poster_time = 0.5\n"
    )
    with pytest.raises(TorchReelError, match=r"poster_time is 0\.500 s, where no cue ends"):
        worker.render(job, tmp_path, root)


def test_what_was_drawn_and_what_went_in_is_recorded(clip: Clip, job: Job) -> None:
    assert {each.text for each in clip.drawn if each.source == "value"} == {"0", "1", "2", "3"}
    assert clip.digest == job.digest
    assert clip.inputs == job.inputs
    assert {"trace", "artboard", "manim", "stage/director.py", "stage/ops/reshape.py"} < set(
        clip.inputs
    )
    assert "stage/ops/squeeze.py" not in clip.inputs


def test_qualities_have_even_sizes() -> None:
    for board in ARTBOARDS:
        for quality in QUALITIES:
            assert all(side % 2 == 0 for side in Look(board, "dark", quality).size)


def test_a_scene_of_the_cells_own_is_played(
    with_scene: Callable[[str], Job], root: Path, worker: Worker, clip: Clip, tmp_path: Path
) -> None:
    job = with_scene(
        "from torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n"
        "    def construct(self):\n"
        "        self.play_lines(hold=3)\n"
    )
    longer = worker.render(job, tmp_path, root)
    assert longer.duration > clip.duration + 3
    assert not list((root / "scenes").rglob("*.pyc"))


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ("self.play_line('q')", "scenes/small.py:4", "no line still to play match 'q'"),
        ("1 / 0", "scenes/small.py:4", "ZeroDivisionError: division by zero"),
        ("self.trace = None; self.play_lines()", "scenes/small.py:4", "'NoneType'"),
        ("pass", "scenes/small.py:2", "shows no line of it"),
        ("self.wait()", "scenes/small.py:2", "shows no line of it"),
    ],
)
def test_a_scene_that_fails_is_a_problem_with_its_place(
    with_scene: Callable[[str], Job],
    root: Path,
    worker: Worker,
    tmp_path: Path,
    line: str,
    where: str,
    what: str,
) -> None:
    job = with_scene(
        "from torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n"
        "    def construct(self):\n"
        f"        {line}\n"
    )
    with pytest.raises(TorchReelError) as raised:
        worker.render(job, tmp_path, root)
    assert raised.value.problem.where == where
    assert what in raised.value.problem.what
    assert raised.value.problem.remedy


def test_a_fault_of_the_stage_is_a_problem_of_the_line_being_shown(
    job: Job, root: Path, worker: Worker, tmp_path: Path
) -> None:
    broken = replace(job.trace.steps[1], op="torch.Tensor.reshape", results=(99,))
    trace = replace(job.trace, steps=(job.trace.steps[0], broken))
    with pytest.raises(TorchReelError) as raised:
        worker.render(replace(job, trace=trace), tmp_path, root)
    assert raised.value.problem.where.startswith("lessons/small/lesson.py:")
    assert raised.value.problem.what.startswith(
        "TorchReel could not draw this line and raised Index"
    )
    assert raised.value.problem.remedy.startswith(
        "This is a fault of TorchReel, not of the script."
    )
    assert "Raised in" in raised.value.problem.remedy


def test_what_an_author_covers_is_told_with_its_place(
    with_scene: Callable[[str], Job], root: Path, worker: Worker, tmp_path: Path
) -> None:
    job = with_scene(
        "from torchreel.records import Drawn\n"
        "from torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n"
        "    def construct(self):\n"
        "        self.play_line('x')\n"
        "        (x, y), size = self.block('x').pose.corners[1], self.block('x').pose.size\n"
        "        label = self.canvas.label('here', x, y + size / 2, 44, self.canvas.theme.text,\n"
        "                                  source=Drawn(0, 'here', 'sign'))\n"
        "        self.add(label)\n"
        "        self.play_line('y')\n"
    )
    clip = worker.render(job, tmp_path, root)
    assert {each.cue for each in clip.warnings} == {2}
    told = [str(each) for each in job.told(clip.warnings)]
    assert "'here' stands on the tensor (4,)" in "".join(told)
    assert all(each.startswith("lessons/small/lesson.py:5: clip 'pair' on page") for each in told)
    assert "torchreel animate lessons/small/lesson.py --cell pair" in told[0]


def test_a_scene_file_that_cannot_be_imported_is_a_problem_with_its_place(
    with_scene: Callable[[str], Job], root: Path, worker: Worker, tmp_path: Path
) -> None:
    job = with_scene(
        "from torchreel.stage import LessonScene\nimport nothing\nclass Pair(LessonScene): ...\n"
    )
    with pytest.raises(TorchReelError) as raised:
        worker.render(job, tmp_path, root)
    assert raised.value.problem.where == "scenes/small.py:2"


def test_a_cue_that_the_film_cannot_keep_is_an_error(
    with_scene: Callable[[str], Job], root: Path, worker: Worker, tmp_path: Path
) -> None:
    job = with_scene(
        "from dataclasses import replace\n"
        "from torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n"
        "    def construct(self):\n"
        "        self.play_lines()\n"
        "        self.cues[1] = replace(self.cues[1], start=self.cues[1].start + 0.2)\n"
    )
    with pytest.raises(TorchReelError, match="cue 2 runs from"):
        worker.render(job, tmp_path, root)


def test_a_process_that_dies_is_a_problem_and_the_next_job_is_rendered(
    with_scene: Callable[[str], Job], job: Job, root: Path, worker: Worker, tmp_path: Path
) -> None:
    deadly = with_scene(
        "import os\nfrom torchreel.stage import LessonScene\n"
        "class Pair(LessonScene):\n    def construct(self):\n        os._exit(9)\n"
    )
    with pytest.raises(TorchReelError, match="died") as raised:
        worker.render(deadly, tmp_path, root)
    assert raised.value.problem.where == "lessons/small/lesson.py:4"
    assert worker.render(job, tmp_path, root).cues


def test_a_film_holds_jobs_one_after_the_other(
    job: Job, clip: Clip, root: Path, worker: Worker, tmp_path: Path
) -> None:
    seconds, told = worker.film([job, job], tmp_path / "film.mp4", root)
    assert not told
    assert seconds == pytest.approx(2 * clip.duration)
    with av.open(tmp_path / "film.mp4") as container:
        frames = list(container.decode(video=0))
    starts = [cue.start for cue in clip.cues]
    again = [clip.duration + start for start in starts]
    assert [each.time for each in frames if each.key_frame] == pytest.approx(starts + again)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
