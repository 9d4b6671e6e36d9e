"""The line that calls a model: it is lit once the lines of ``forward`` have run, and the strip
names what each line names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.stage.conftest import play_cell
from torchreel.records import Trace
from torchreel.returns import returned_calls, shown_runs
from torchreel.site.captions import statement_caption
from torchreel.site.words import LANGUAGES
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.director import LessonScene
from torchreel.stage.frame import is_visible
from torchreel.stage.nets.nodeview import NodeView
from torchreel.tracer import trace_script

SCRIPT = """
import torch
import torch.nn.functional as F
from torch import nn


# %% own
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(40, 20)
        self.out = nn.Linear(20, 3)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return self.out(x)


model = Net()
images = torch.rand(4, 40)
logits = model(images)
alias = logits

# %% elsewhere
pictures = torch.rand(2, 40)
scores = model(pictures)
other = scores

# %% small
class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 3)
        self.two = nn.Linear(3, 1)

    def forward(self, a):
        a = torch.tanh(self.one(a))
        return self.two(a)


small = Small()
points = torch.rand(4, 2)
guess = small(points)

# %% looped
class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.only = nn.Linear(40, 20)

    def forward(self, x):
        return self.only(x)


half = Half()
for _ in range(2):
    y = half(images)

# %% nested
class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x):
        x = self.encoder(x)
        return torch.sigmoid(x * 2)


folded = Folded()
code = folded(images)

# %% several
pair = torch.rand(1, 5, 40)
memory = nn.LSTM(40, 20, batch_first=True)
out, (state, cell) = memory(pair)

# %% window
photo = torch.rand(1, 1, 6, 6)
conv = nn.Conv2d(1, 1, 3)
maps = conv(photo)

# %% within
class Score(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 4)
        self.two = nn.Linear(4, 1)

    def forward(self, a):
        a = torch.relu(self.one(a))
        return torch.sigmoid(self.two(a))


score = Score()
share = (score(points) > 0.5).float().mean()

# %% lonely
sure = score(points[1])

# %% twice
class Large(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(40, 20)
        self.last = nn.Linear(20, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        return self.last(x)


large = Large()
before = large(images)
best = large(images).argmax(1)
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("calls")
    (folder / "calls.py").write_text(SCRIPT)
    traced = trace_script(folder / "calls.py", root=Path(folder))
    assert traced.error is None
    return traced


def _told(trace: Trace, cell: str, artboard: str = "film") -> list[tuple[str, set[str]]]:
    """Return each cue's line, and the names and shapes that stand on stage at its end."""
    scene = play_cell(trace, cell, artboard)
    lines = {each.number: each.text for each in trace.of_cell(cell).cells[0].statements}
    kinds = ("name", "shape", "module", "op")
    return [
        (
            lines[cue.statement],
            {each.text for each in scene.drawn if each.cue == cue.number and each.source in kinds},
        )
        for cue in scene.cues
    ]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_each_line_is_told_by_the_names_that_stand_in_it(trace: Trace, artboard: str) -> None:
    told = dict(_told(trace, "own", artboard))
    assert {"x", "(4, 40)", "hidden", "(4, 20)"} <= told["x = F.relu(self.hidden(x))"]
    assert {"x", "(4, 20)", "out", "(4, 3)"} <= told["return self.out(x)"]
    assert {"images", "(4, 40)", "model", "logits", "(4, 3)"} <= told["logits = model(images)"]
    assert "x" not in told["logits = model(images)"]
    assert "alias = logits" not in told


def test_the_line_of_the_call_shows_all_that_it_went_through(trace: Trace) -> None:
    told = dict(_told(trace, "own"))
    assert not {"hidden", "out"} <= told["return self.out(x)"]
    assert {"hidden", "out", "relu"} <= told["logits = model(images)"]


def test_a_line_without_a_picture_of_its_own_shows_the_chain_and_tells_its_last_op(
    trace: Trace,
) -> None:
    told = dict(_told(trace, "nested"))
    line = told["return torch.sigmoid(x * 2)"]
    assert {"sigmoid", "(4, 8)"} <= line
    assert told["x = self.encoder(x)"] & {"(4, 16)", "(4, 8)"} == {"(4, 16)", "(4, 8)"}
    assert told["x = self.encoder(x)"].isdisjoint({"(4, 40)"})


def test_a_call_whose_lines_are_elsewhere_is_told_whole_at_its_end(trace: Trace) -> None:
    told = _told(trace, "elsewhere")
    assert [line for line, _ in told] == [
        "pictures = torch.rand(2, 40)",
        "scores = model(pictures)",
    ]
    assert {"pictures", "(2, 40)", "model", "(2, 3)"} <= told[-1][1]


def test_nodes_are_told_line_by_line(trace: Trace) -> None:
    told = dict(_told(trace, "small"))
    assert {"a", "(4, 2)", "one", "(4, 3)"} <= told["a = torch.tanh(self.one(a))"]
    assert {"a", "(4, 3)", "two", "(4, 1)"} <= told["return self.two(a)"]
    assert {"points", "(4, 2)", "small", "guess", "(4, 1)"} <= told["guess = small(points)"]


class Filling(LessonScene):
    """Notes how many lines, and how many circles after the first layer, are there after any
    play."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[float, int, int]] = []
        self.view: NodeView | None = None

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        for view in (each for each in self.mobjects if isinstance(each, NodeView)):
            self.view = view
            lines = [edge.line for edges in view.edges for edge in edges]
            full = [part for nodes in view.nodes[1:] for part in nodes.submobjects[1::3]]
            counts = (sum(map(is_visible, lines)), sum(map(is_visible, full)))
            self.seen.append((self.renderer.time, *counts))


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_each_line_ends_with_its_layer_drawn_where_no_line_names_the_result(
    trace: Trace, artboard: str
) -> None:
    scene = play_cell(trace, "within", artboard, kind=Filling)
    assert isinstance(scene, Filling)
    lines = {each.number: each.text for each in trace.of_cell("within").cells[0].statements}
    ends = {lines[cue.statement]: cue.end for cue in scene.cues}
    at_end = [
        [counts for time, *counts in scene.seen if time <= ends[line] + 1e-6][-1]
        for line in ("a = torch.relu(self.one(a))", "return torch.sigmoid(self.two(a))")
    ]
    assert at_end == [[2 * 4, 4], [2 * 4 + 4, 4 + 1]]
    told = dict(_told(trace, "within", artboard))
    assert "(4, 1)" not in told["a = torch.relu(self.one(a))"]
    assert scene.warnings == []


def test_a_chain_seen_before_is_told_line_by_line_where_no_line_names_the_result(
    trace: Trace,
) -> None:
    scene = play_cell(trace, "twice")
    lines = {each.number: each.text for each in trace.of_cell("twice").cells[0].statements}
    first, last = (
        {(each.source, each.text) for each in scene.drawn if each.cue == cue.number}
        for cue in scene.cues[-3:-1]
    )
    assert [lines[cue.statement] for cue in scene.cues[-3:-1]] == [
        "x = F.relu(self.first(x))",
        "return self.last(x)",
    ]
    assert {("shape", "(4, 20)"), ("module", "first")} <= first
    assert ("shape", "(4, 3)") not in first
    assert {("shape", "(4, 20)"), ("shape", "(4, 3)"), ("module", "last")} <= last


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_no_piece_of_a_line_stands_between_a_node_and_its_index(
    trace: Trace, artboard: str
) -> None:
    scene = play_cell(trace, "within", artboard, kind=Filling)
    assert isinstance(scene, Filling)
    assert scene.view is not None
    circles = scene.view.nodes[1].submobjects[1::3]
    plates = [plain.submobjects[0] for plain in scene.view.nodes[1].submobjects[2::3]]
    met, begun = set(), set()
    for edge in scene.view.edges[1]:
        (x, y, _), (to_x, to_y, _) = edge.line.get_start(), edge.line.get_end()
        slope = (to_y - y) / (to_x - x)
        back = [y - slope * (x - each.get_x()) - each.get_y() for each in circles]
        (place,) = (at for at, off in enumerate(back) if abs(off) < 1e-6)
        plate = plates[place]
        begun.add(place)
        left, right = (side[0] for side in (plate.get_left(), plate.get_right()))
        if abs(slope * (left - circles[place].get_x())) < plate.height / 2:
            met.add(place)
            beyond = x >= right - 1e-6
            assert beyond or abs(y - plate.get_y()) >= plate.height / 2 - 1e-6
        else:
            assert x == pytest.approx(circles[place].get_x())
    assert begun == {0, 1, 2, 3}
    assert met >= {1, 2}


def test_nodes_tell_which_sample_of_a_batch_they_are(trace: Trace) -> None:
    own = trace.of_cell("within")
    scene = play_cell(trace, "within", kind=Filling)
    assert isinstance(scene, Filling)
    assert scene.view is not None
    batch = scene.view.layers[0].sample.record.id
    (told,) = {
        (each.tensor, each.index)
        for each in scene.drawn
        if each.source == "index" and each.text == "[0]"
    }
    assert told == (batch, (0, 0))
    points = own.values[batch].reshape(own.tensor(batch).shape)
    assert np.array_equal(scene.view.layers[0].values, points[told[1][1]].astype(float))
    assert "[0]" not in {each.text for each in play_cell(trace, "lonely").drawn}


def test_the_line_of_a_call_makes_one_cue_and_none_in_a_loop(trace: Trace) -> None:
    calls = returned_calls(trace)
    lines = {
        (cell.name, each.number): each.text for cell in trace.cells for each in cell.statements
    }
    called = [lines[str(trace.runs[at].cell), trace.runs[at].statement] for at in calls]
    assert called == [
        "logits = model(images)",
        "guess = small(points)",
        "code = folded(images)",
        "before = large(images)",
    ]
    assert all(trace.runs[at] in shown_runs(trace) for at in calls)
    assert [line for line, _ in _told(trace, "looped")].count("y = half(images)") == 0


def test_captions_tell_a_call_by_the_names_of_its_line(trace: Trace) -> None:
    run = next(trace.runs[at] for at in returned_calls(trace))
    for words in LANGUAGES.values():
        caption = statement_caption(trace, run, words)
        assert "images (4, 40)" in caption
        assert "logits (4, 3)" in caption


def test_all_that_a_module_gives_is_told(trace: Trace) -> None:
    pair, memory = torch.rand(1, 5, 40), torch.nn.LSTM(40, 20, batch_first=True)
    out, (state, cell) = memory(pair)
    _, told = _told(trace, "several")[-1]
    assert {"pair", "out", "state", "cell"} <= told
    assert {str(tuple(each.shape)) for each in (pair, out, state, cell)} <= told


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_module_is_told_with_what_went_in(trace: Trace, artboard: str) -> None:
    _, told = _told(trace, "window", artboard)[-1]
    assert {"photo", "(1, 1, 6, 6)", "conv", "maps", "(1, 1, 4, 4)"} <= told
