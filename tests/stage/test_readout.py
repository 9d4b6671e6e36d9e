"""What a line takes out of tensors, or prints by their names: they are on stage, as torch has them
then, and no frame is empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.director import LessonScene
from torchreel.tracer import trace_script

SETUP = """import torch
torch.manual_seed(0)
x = torch.linspace(-1, 1, 20).reshape(-1, 1)
targets = 2 * x + 1
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
LOOP = """for epoch in range(6):
    optimizer.zero_grad()
    loss = ((model(x) - targets) ** 2).mean()
    loss.backward()
    optimizer.step()
"""
WAYS = {
    "items": ("print(model.weight.item(), model.bias.item())", ["model.weight", "model.bias"]),
    "text": ('print(f"{loss.item():.4f}")', ["loss"]),
    "named": ("w, b = model.weight, model.bias\nprint(w, 'and', b)", ["w", "b"]),
    "spelled": ('print(f"loss {loss:.3f}")', ["loss"]),
    "number": ("print(float(loss))", ["loss"]),
    "listed": ("print(x[:3].tolist(), loss.item())", ["x[:3]", "loss"]),
    "counted": (
        "right = ((model(x) > 1) == (targets > 1)).sum().item()\n"
        "print(f'{right / len(targets):.0%}', x.shape)",
        ["((model(x) > 1) == (targets > 1)).sum()"],
    ),
    "unsqueezed": ("print(loss.detach()[None].tolist())", ["loss[None]"]),
    "shared": ("p = x[:2].detach()\nprint(p.numpy())\nprint(p[0][0].tolist())", ["p[0][0]"]),
}
PLAIN = ("items", "text", "named", "spelled", "number")
"""Where no op but those that read has a part."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("readout")
    cells = {name: LOOP + lines for name, (lines, _) in WAYS.items()}
    script = write_cells(folder, cells, SETUP)
    traced = trace_script(script, root=folder)
    assert traced.error is None
    return traced


class Watched(LessonScene):
    """Notes after each play whether something is written on the stage, from the first tensor
    on."""

    def setup(self) -> None:
        super().setup()
        self.kept: list[bool] = []

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        if self.stage.blocks or self.kept:
            self.kept.append(self.is_set())


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("board", ["page", "film"])
@pytest.mark.parametrize("name", WAYS)
def test_what_a_line_reads_is_on_stage(trace: Trace, name: str, board: str) -> None:
    """Replays the script up to the cell's end, and reads the same tensors of it."""
    scene = play_cell(trace, name, board, kind=Watched)
    assert scene.warnings == []
    assert isinstance(scene, Watched)
    if name in PLAIN:
        assert all(scene.kept)
    names: dict[str, Any] = {}
    exec(SETUP, names)
    read = WAYS[name][1]
    for cell, (lines, _) in WAYS.items():
        exec(LOOP + lines, names)
        if cell == name:
            break
    last = [each for each in scene.drawn if each.cue == scene.cues[-1].number]
    told = [each.tensor for each in last if each.source == "value"]
    known = trace.of_cell(name).values
    for expression in read:
        values = eval(expression, names).detach().numpy()
        shown = (known[each] for each in told if each is not None)
        assert any(np.array_equal(values, each) for each in shown), expression
    printed = " ".join(each.text for each in last if each.source == "printed")
    assert printed.split() == trace.of_cell(name).runs[-1].printed.split()


def test_the_strip_gives_the_number_that_item_gives(trace: Trace) -> None:
    scene = play_cell(trace, "counted", until=WAYS["counted"][0].splitlines()[0])
    own = trace.of_cell("counted")
    read = own.steps[scene.cues[-1].steps[-1]].operands[0].tensor
    assert read is not None
    said = [each for each in scene.drawn if each.cue == scene.cues[-1].number]
    assert [each.text for each in said if each.source == "op"][-1:] == ["item"]
    right = str(own.values[read].item())
    # in its cell, as what goes into the item, and as what comes of it
    assert [each.text for each in said if each.tensor == read].count(right) >= 3
