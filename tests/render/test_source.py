"""Sources are compared by what they mean; a cell's scene is found without importing it."""

from pathlib import Path

import pytest

from torchreel.records import TorchReelError
from torchreel.render.scenes import find_scene, scene_name
from torchreel.render.source import code_digest

SCENES = '''
"""The scenes of a lesson."""
from torchreel.stage import LessonScene

PAUSE = 1.0

class Base(LessonScene):
    def pause(self):
        self.wait(PAUSE)

class Reshape(Base):
    """Folds."""
    def construct(self):
        self.play_lines()  # all of them

class Unsqueeze(LessonScene):
    def construct(self):
        self.play_line("a = y.unsqueeze(0)")
'''


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    (tmp_path / "shape.py").write_text(SCENES)
    return tmp_path


def digests(scenes: Path, text: str = SCENES) -> tuple[str, str]:
    (scenes / "shape.py").write_text(text)
    found = [
        find_scene(scenes, "lessons/shape/lesson.py", cell) for cell in ("reshape", "unsqueeze")
    ]
    assert found[0] is not None
    assert found[1] is not None
    return found[0].digest, found[1].digest


def test_comments_layout_and_docstrings_mean_nothing() -> None:
    plain = code_digest("def f(x):\n    'says'\n    return x + 1\n")
    assert plain == code_digest("# about f\ndef f(x):\n    'another'\n    return (x  +  1)\n")
    assert plain != code_digest("def f(x):\n    'says'\n    return x + 2\n")
    assert code_digest("x = 'a'") != code_digest("x = 'b'")


@pytest.mark.parametrize(
    ("cell", "name"), [("reshape", "Reshape"), ("train_loop", "TrainLoop"), ("step 2", "Step2")]
)
def test_a_scene_is_named_as_its_cell(cell: str, name: str) -> None:
    assert scene_name(cell) == name


def test_a_cell_may_have_no_scene(scenes: Path) -> None:
    assert find_scene(scenes, "lessons/shape/lesson.py", "flatten") is None
    assert find_scene(scenes, "lessons/graph/lesson.py", "reshape") is None


def test_an_edit_of_one_scene_is_no_edit_of_another(scenes: Path) -> None:
    before = digests(scenes)
    edited = digests(scenes, SCENES.replace('"a = y.unsqueeze(0)"', '"a"'))
    assert edited[0] == before[0]
    assert edited[1] != before[1]


def test_what_scenes_share_is_part_of_each(scenes: Path) -> None:
    before = digests(scenes)
    edited = digests(scenes, SCENES.replace("PAUSE = 1.0", "PAUSE = 2.0"))
    assert edited[0] != before[0]
    assert edited[1] != before[1]


def test_a_scene_that_another_derives_from_is_part_of_that_one_alone(scenes: Path) -> None:
    before = digests(scenes)
    edited = digests(scenes, SCENES.replace("self.wait(PAUSE)", "self.wait(2 * PAUSE)"))
    assert edited[0] != before[0]
    assert edited[1] == before[1]


def test_comments_in_scenes_change_nothing(scenes: Path) -> None:
    assert digests(scenes) == digests(
        scenes, SCENES.replace("# all of them", "").replace("Folds", "x")
    )


def test_a_broken_scene_file_says_where(scenes: Path) -> None:
    (scenes / "shape.py").write_text("class Reshape(\n")
    with pytest.raises(TorchReelError) as raised:
        find_scene(scenes, "lessons/shape/lesson.py", "reshape")
    assert raised.value.problem.where == f"{scenes.name}/shape.py:1"
