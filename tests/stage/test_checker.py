"""The checker on real mobjects: pictures that are made wrong on purpose, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.stage.conftest import Staged
from torchreel.records import Drawn
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene

Spoil = Callable[[LessonScene], None]


def _title_on_the_block(scene: LessonScene) -> None:
    _, top, _, _ = scene.block("x").pose.front
    scene.add(_label(scene, "x", top + 20))


def _small_print(scene: LessonScene) -> None:
    scene.add(_label(scene, "small", 60, size=20))


def _two_blocks_in_one_place(scene: LessonScene) -> None:
    block = scene.block("x")
    other = scene.stage.make_block(block.record, block.placement)
    pose = other.pose
    other.set_pose(replace(pose, corners=pose.corners + pose.size / 2))
    scene.add(other)


def _beyond_the_edge(scene: LessonScene) -> None:
    theme = scene.canvas.theme
    scene.add(scene.canvas.rectangle(-50, 300, 100, 40, fill=theme.surface2))


def _light_that_stays(scene: LessonScene) -> None:
    scene.stage.play(scene.stage.light(scene.block("x"), [0]))
    scene._check_at_rest()
    lit = scene.canvas.rectangle(300, 100, 90, 40, line=scene.canvas.theme.focus, stroke=8)
    scene.add(lit)
    scene._check_at_rest()


def _nothing(scene: LessonScene) -> None:
    scene.remove(*scene.mobjects)
    scene._check_at_rest()


def _label(scene: LessonScene, text: str, y: float, size: float = 50) -> Label:
    x, source = scene.canvas.artboard.stage.center_x, Drawn(0, text, "sign")
    return scene.canvas.label(text, x, y, size, scene.canvas.theme.text, source=source)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_title_on_the_block, "'x' stands on the tensor"),
        (_small_print, "'small' is 20 px high, too small to read"),
        (_two_blocks_in_one_place, "overlap"),
        (_beyond_the_edge, "something is cut by the left edge of the frame"),
        (_light_that_stays, "two things are lit: the frame on the tensor"),
        (_nothing, "nothing is on the stage"),
    ],
)
def test_a_picture_made_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, staged: Staged, artboard: str, spoil: Spoil, said: str
) -> None:
    def construct(self: LessonScene) -> None:
        self.play_line("x")
        assert self.warnings == []
        spoil(self)
        self.wait(0.1)

    monkeypatch.setattr(LessonScene, "construct", construct)
    found = staged("lesson", artboard).warnings
    assert any(said in each.what for each in found), found
    assert {(each.cue, each.statement) for each in found} == {(2, 1)}


def test_a_flaw_in_the_middle_of_a_line_is_told(
    monkeypatch: pytest.MonkeyPatch, staged: Staged
) -> None:
    def construct(self: LessonScene) -> None:
        self.play_line("x")
        before = list(self.mobjects)
        _title_on_the_block(self)
        self.wait(0.1)
        self.remove(*(each for each in self.mobjects if each not in before))
        self.play_lines()

    monkeypatch.setattr(LessonScene, "construct", construct)
    found = staged("lesson").warnings
    assert [each.cue for each in found] == [2]
