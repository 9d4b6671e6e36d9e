"""A product of matrices shows that the inner sizes of its shapes agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from torchreel.stage.agreement import Agreement
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Label
from torchreel.stage.stage import Stage
from torchreel.tracer import trace_script

CELLS = {
    "matrices": "A = torch.ones(2, 3)\nB = torch.ones(3, 4)\nC = A @ B",
    "vector": "A = torch.ones(3, 2)\nB = torch.ones(2)\nC = A @ B",
    "layer": "A = torch.ones(2, 3)\nW = torch.ones(4, 3)\nb = torch.ones(4)\n"
    "C = torch.nn.functional.linear(A, W, b)\nB = W.T",
    "batch": "A = torch.ones(2, 4, 3)\nB = torch.ones(2, 3, 4)\nC = A @ B",
    "one": "A = torch.ones(6, 1)\nB = torch.ones(1, 7)\nC = A @ B",
}


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_inner_sizes_are_lit_and_vanish(
    artboard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_cells(tmp_path, CELLS)
    trace = trace_script(path, root=tmp_path)
    for cell, lines in CELLS.items():
        shown: list[Agreement] = []
        put = Stage.put

        def watched(
            self: Stage, mobject: Any, *args: Any, kept: Any = shown, put: Any = put
        ) -> Any:
            kept += [mobject] if isinstance(mobject, Agreement) else []
            return put(self, mobject, *args)

        monkeypatch.setattr(Stage, "put", watched)
        scene = play_cell(trace, cell, artboard)
        monkeypatch.setattr(Stage, "put", put)
        assert scene.warnings == []
        (agreement,) = shown
        assert not any(prop is agreement for prop in scene.stage._props)
        scope: dict[str, Any] = {"torch": torch}
        exec(lines, scope)
        brackets = [each for each in agreement if isinstance(each, Bracket)]
        inner = str(scope["A"].shape[-1])
        assert [each.label.text for each in brackets] == ([] if cell == "one" else [inner, inner])
        labels = [each for each in agreement if isinstance(each, Label)]
        a, b, c = (str(tuple(scope[name].shape)) for name in "ABC")
        told = "".join(each.text for each in labels)
        assert told in ("", f"{a}@{b}{c}".replace(" ", ""))
        assert told or cell != "matrices"
        focus = scene.canvas.theme.focus
        lit = [each.text for each in labels if each.fill_rgbas[0, :3] == pytest.approx(focus)]
        assert lit == ([inner, inner] if told else [])
