"""Branches of a network: what each link works on, as torch.fx has it, and what is side by side."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import fx

from tests.stage.conftest import play_cell
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.director import LessonScene
from torchreel.stage.nets.lanes import segments_of
from torchreel.stage.nets.links import INPUT, Chain, chain_of
from torchreel.stage.nets.scores import are_scores
from torchreel.stage.training.passes import path_of
from torchreel.tracer import trace_script

SCRIPT = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Linear(12, 16)
        self.item = nn.Linear(20, 16)
        self.head = nn.Linear(32, 3)

    def forward(self, user, item):
        user = F.relu(self.user(user))
        item = F.relu(self.item(item))
        return self.head(torch.cat([user, item], dim=1))


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16))
        self.wide = nn.Linear(64, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.deep(x) + self.wide(x))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, padding=1)
        self.down2 = nn.Conv2d(4, 8, 3, padding=1)
        self.mid = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        first = F.relu(self.down1(x))
        second = F.relu(self.down2(F.max_pool2d(first, 2)))
        up = self.up(F.relu(self.mid(second)))
        return self.out(torch.cat([first, up], dim=1))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.bn1(self.conv1(x)))))


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.shortcut = nn.Conv2d(4, 8, 1)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(16, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.enc(torch.relu(self.enc(x))))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 8)
        self.mean = nn.Linear(8, 2)
        self.spread = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.tanh(self.body(x))
        return self.mean(x), self.spread(x)


class Meeting(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Linear(6, 5)
        self.head = nn.Linear(8, 4)

    def forward(self, x, noise):
        return self.head(torch.cat([self.look(x), noise], dim=1))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.three = nn.Conv2d(3, 4, 3, padding=1)
        self.five = nn.Conv2d(3, 4, 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.proj = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        narrow, middle, wide = self.one(x), self.three(x), self.five(x)
        return torch.cat([narrow, middle, wide, self.proj(self.pool(x))], dim=1)


class Answers(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 12)
        self.age = nn.Linear(12, 1)
        self.kind = nn.Linear(12, 2)
        self.job = nn.Linear(12, 20)
        self.city = nn.Linear(12, 30)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return self.age(x), self.kind(x), self.job(x), self.city(x)


class Gathered(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(20, 3)

    def forward(self, a, b, c, d):
        return self.head(torch.cat([a, b, c, d], dim=1))


inception, answers, gathered = Inception(), Answers(), Gathered()
towers, branches, unet, block = Towers(), Branches(), UNet(), Block()
shared, heads, meeting, projected = Shared(), Heads(), Meeting(), Projected()
bag = nn.EmbeddingBag(50, 8)
tiny = nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 8))
judge = nn.Linear(6, 4)
x = torch.rand(4, 16)
"""
CELLS = {
    "towers": "out = towers(torch.rand(5, 12), torch.rand(5, 20))",
    "branches": "out = branches(torch.rand(4, 64))",
    "unet": "out = unet(torch.rand(2, 1, 16, 16))",
    "block": "out = block(torch.rand(2, 4, 8, 8))",
    "shared": "out = shared(x)",
    "heads": "out = heads(x)",
    "meeting": "out = meeting(torch.rand(2, 6), torch.rand(2, 3))",
    "projected": "out = projected(torch.rand(2, 4, 10, 10))",
    "inception": "out = inception(torch.rand(2, 3, 12, 12))",
    "answers": "age, kind, job, city = answers(x)",
    "gathered": "out = gathered(*(torch.rand(2, 5) for _ in range(4)))",
    "bag": "out = bag(torch.randint(0, 50, (2, 5)))",
    "tiny": "out = tiny(torch.rand(3, 8))",
    "attention": "layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)\n"
    "out = layer(torch.rand(3, 6, 16))",
    "judged": "scores = judge(torch.rand(3, 6))\n"
    "loss = F.cross_entropy(scores, torch.tensor([1, 0, 2]))",
    "measured": "guess = judge(torch.rand(3, 6))\nloss = F.mse_loss(guess, torch.rand(3, 4))",
}
LOOP = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
reader = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 8))
viewer = nn.Linear(20, 8)
words, pixels = torch.rand(5, 12), torch.rand(5, 20)
optimizer = torch.optim.SGD([*reader.parameters(), *viewer.parameters()], lr=0.1)
# %% loop
for lap in range(3):
    optimizer.zero_grad()
    said = reader(words)
    seen = viewer(pixels)
    loss = F.mse_loss(said, seen)
    loss.backward()
    optimizer.step()
"""
MODELS = [
    *("towers", "branches", "unet", "block", "shared", "heads", "meeting", "projected"),
    *("inception", "answers", "gathered"),
]

Play = Callable[..., LessonScene]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("lanes")
    cells = "".join(f"\n# %% {name}\n{lines}\n" for name, lines in CELLS.items())
    (folder / "lanes.py").write_text(SCRIPT + cells)
    traced = trace_script(folder / "lanes.py", root=Path(folder))
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(SCRIPT, "lanes.py", "exec"), names)
    return names


@pytest.fixture(scope="module")
def play(trace: Trace) -> Play:
    return functools.cache(functools.partial(play_cell, trace))


def chain(trace: Trace, cell: str) -> Chain:
    own = trace.of_cell(cell)
    return chain_of(own, next(each for each in own.calls if each.parent is None), 16)


def sources_of(model: torch.nn.Module) -> list[tuple[int, ...]]:
    """What each op of a model's forward works on, as torch.fx has it: places, inputs below 0."""
    nodes = list(fx.symbolic_trace(model).graph.nodes)
    inputs = [each for each in nodes if each.op == "placeholder"]
    links = [each for each in nodes if each.op in ("call_module", "call_function", "call_method")]
    places = {node: INPUT - at for at, node in enumerate(inputs)}
    places |= {node: at for at, node in enumerate(links)}
    return [tuple(places[each] for each in node.all_input_nodes) for node in links]


@pytest.mark.parametrize("cell", MODELS)
def test_links_work_on_what_torch_fx_says(trace: Trace, models: dict[str, Any], cell: str) -> None:
    links = chain(trace, cell).links
    assert [link.sources for link in links] == sources_of(models[cell])


@pytest.mark.parametrize(
    ("cell", "rows", "joined"),
    [
        ("towers", [["user", "relu"], ["item", "relu"]], True),
        ("branches", [["0", "1", "2"], ["wide"]], True),
        ("projected", [["conv1", "relu", "conv2"], ["shortcut"]], True),
        ("heads", [["mean"], ["spread"]], False),
        ("meeting", [["look"], []], True),
        ("inception", [["one"], ["three"], ["five"], ["pool", "proj"]], True),
        ("answers", [["age"], ["kind"], ["job"], ["city"]], False),
        ("gathered", [[], [], [], []], True),
    ],
)
def test_what_runs_side_by_side_stands_so(
    trace: Trace, cell: str, rows: list[list[str]], joined: bool
) -> None:
    own = chain(trace, cell)
    (found,) = [each for each in segments_of(own) if len(each.lanes) > 1]
    assert [[own.links[at].name for at in lane.places] for lane in found.lanes] == rows
    assert found.joined == joined


@pytest.mark.parametrize("cell", ["unet", "block", "shared", "bag", "tiny", "attention"])
def test_a_way_around_links_leaves_them_in_one_row(trace: Trace, cell: str) -> None:
    own = chain(trace, cell)
    (segment,) = segments_of(own)
    (lane,) = segment.lanes
    assert lane.places == tuple(range(len(own.links)))


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_nothing_is_cut_or_on_top_of_another(play: Play, cell: str, artboard: str) -> None:
    assert play(cell, artboard).warnings == []


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("towers", {"user", "item", "head"}),
        ("branches", {"wide", "head"}),
        ("unet", {"down1", "down2", "mid", "up", "out"}),
        ("attention", {"self_attn", "norm1", "linear1", "linear2", "norm2"}),
        ("inception", {"one", "three", "five", "proj"}),
        ("answers", {"body", "age", "kind", "job", "city"}),
    ],
)
def test_every_module_with_parameters_is_named(
    play: Play, cell: str, names: set[str], artboard: str
) -> None:
    scene = play(cell, artboard)
    told = {each.text for each in scene.drawn if each.source == "module"}
    assert names <= told


@pytest.mark.parametrize(
    ("cell", "scores"),
    [
        ("towers", True),
        ("branches", True),
        ("judged", True),
        ("measured", False),
        ("bag", False),
        ("tiny", False),
        ("attention", False),
    ],
)
def test_only_scores_have_an_answer(trace: Trace, cell: str, scores: bool) -> None:
    assert are_scores(trace.of_cell(cell), chain(trace, cell)) == scores


def test_a_loss_of_two_models_side_by_side_names_both(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(LOOP)
    trace = trace_script(tmp_path / "loop.py", root=tmp_path)
    began = trace.backwards[0]
    names = {each.number: each.name for each in trace.modules}
    path = path_of(trace, began)
    assert ([names[each] for each in path.modules], path.features) == (["reader", "viewer"], (1, 1))
    roots = [call for call in trace.calls if call.parent is None]
    calls = {names[call.module]: call for call in reversed(roots)}  # of the first lap
    for name, features in (("reader", (12, 16, 8)), ("viewer", (20, 8))):
        first = calls[name].first
        assert first is not None
        own = path_of(trace, began, trace.runs[trace.steps[first].run])
        assert ([names[each] for each in own.modules], own.features) == ([name], features)
    assert play_cell(trace, "loop").warnings == []
