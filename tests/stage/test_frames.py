"""The frames themselves: every cell stands where its tensor says, in its element's colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from manim.renderer.cairo_renderer import CairoRenderer
from numpy.typing import NDArray

from tests.stage.conftest import Staged
from torchreel.records import Run, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.colors import THEMES, identity
from torchreel.stage.director import LessonScene

Frame = NDArray[Any]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_cells_keep_their_colour_through_every_move(
    staged: Staged, trace: Trace, monkeypatch: pytest.MonkeyPatch, artboard: str, theme: str
) -> None:
    seen: list[tuple[Frame, NDArray[np.float64], float]] = []
    end_cue = LessonScene._end_cue

    def keep_frame(self: LessonScene, run: Run, start: float) -> None:
        end_cue(self, run, start)
        assert isinstance(self.renderer, CairoRenderer)
        CairoRenderer.update_frame(self.renderer, self, ignore_skipping=True)
        block = self.stage.block
        assert block is not None
        pose = block.pose
        seen.append((self.renderer.get_frame().copy(), pose.corners.copy(), pose.size))

    monkeypatch.setattr(LessonScene, "_end_cue", keep_frame)
    staged("lesson", artboard, theme)

    colours = [identity(index, 12, THEMES[theme].name) for index in range(12)]
    for cue, (frame, corners, size) in enumerate(seen):
        # At the last cue the block is solid: only the first slice faces the viewer.
        visible = range(6) if cue == 2 else range(12)
        for element in visible:
            found = _pixel(frame, corners[element] + 0.16 * size, artboard)
            assert found == pytest.approx(colours[element], abs=0.03), (cue, element)
    background = _pixel(seen[0][0], np.array([8.0, 8.0]), artboard)
    assert background == pytest.approx(THEMES[theme].bg, abs=0.01)


def test_small_values_have_a_scale_of_their_own_beside_large_ones(staged: Staged) -> None:
    fills, names = staged("scales").stage.fills, staged("scales").stage.names
    limits = {
        name: fills.limit_of(staged("scales").stage.record(names[name])) for name in ("a", "b", "c")
    }
    assert limits["a"] == pytest.approx(0.02, rel=0.02)
    assert limits["b"] == limits["c"] == fills.limit == pytest.approx(200, rel=0.02)


@pytest.mark.parametrize(
    ("cell", "names", "kind"), [("matmul", "ABC", "hue"), ("multiplied", "Wvabc", "value")]
)
def test_a_product_has_a_colour_a_tensor_where_all_its_numbers_are_whole(
    staged: Staged, cell: str, names: str, kind: str
) -> None:
    stage = staged(cell).stage
    records = [stage.record(stage.names[name]) for name in names]
    assert {stage.fills.kind(each) for each in records} == {kind}


def _pixel(frame: Frame, place: NDArray[np.float64], artboard: str) -> NDArray[np.float64]:
    scale = frame.shape[1] / ARTBOARDS[artboard].width
    x, y = (round(float(value) * scale) for value in place)
    color: NDArray[np.float64] = frame[y, x, :3] / 255
    return color
