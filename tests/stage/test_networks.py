"""Networks, training, devices and errors on stage: any script's, and every number PyTorch's own."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from manim import FadeIn, VGroup, VMobject

from tests.stage.conftest import play_cell, write_cells
from tests.stage.test_autograd import _reads as _reads_as
from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.code import CodeBand
from torchreel.stage.colors import THEMES
from torchreel.stage.devices.board import Board
from torchreel.stage.devices.flow import Flow
from torchreel.stage.director import LessonScene
from torchreel.stage.frame import is_visible
from torchreel.stage.nets.arrangement import Part, arrange, body
from torchreel.stage.nets.chain import ModuleChain
from torchreel.stage.nets.gate import CURVES
from torchreel.stage.nets.handover import move_of
from torchreel.stage.nets.links import INPUT, chain_of
from torchreel.stage.nets.nodeview import NodeView
from torchreel.stage.nets.sample import sample_of
from torchreel.stage.nets.selection import select
from torchreel.stage.nets.shades import boxed, limit_of, shade
from torchreel.stage.nets.thing import ModelThing, Thing
from torchreel.stage.picture import Picture
from torchreel.stage.training.curve import BINS, binned
from torchreel.stage.training.facts import SLOW_LAPS, training_of, versions_of
from torchreel.stage.training.tiles import liveliest, tiles_of
from torchreel.tracer import trace_script

HEAD = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(784, 32)
        self.relu = nn.ReLU()
        self.layer2 = nn.Linear(32, 10)

    def forward(self, x):
        return self.layer2(self.relu(self.layer1(x)))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(4 * 13 * 13, 10)

    def forward(self, x):
        return self.fc(self.pool(F.relu(self.conv1(x))).flatten(1))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 16)
        self.b = nn.Linear(16, 16)

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.a(x))))


X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
pixels = torch.rand(2, 784)
"""

CELLS = {
    "flat": "net = Digits()\nscores = net(pixels)\nagain = net(pixels)",
    "conv": "cnn = Tiny()\nscores = cnn(pixels.reshape(2, 1, 28, 28))",
    "skip": "block = Residual()\nout = block(torch.randn(3, 16))",
    "xor": "xor = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))\n"
    "optimizer = torch.optim.SGD(xor.parameters(), lr=0.5)\n"
    "def measure(*_):\n    global right\n    with torch.no_grad():\n"
    "        right = ((xor(X) > 0.5) == (Y > 0.5)).float().mean()\n"
    "optimizer.register_step_post_hook(measure)\n"
    "for lap in range(40):\n    optimizer.zero_grad()\n    guess = xor(X)\n"
    "    loss = F.mse_loss(guess, Y)\n    loss.backward()\n    optimizer.step()\n"
    "answer = xor(X)",
    "short": "one = nn.Linear(3, 2)\nadam = torch.optim.Adam(one.parameters())\n"
    "for lap in range(2):\n    adam.zero_grad()\n    loss = one(torch.ones(4, 3)).square().mean()\n"
    "    loss.backward()\n    adam.step()",
    "rivals": "maker = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))\n"
    "critic = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))\n"
    "m_opt = torch.optim.Adam(maker.parameters())\n"
    "c_opt = torch.optim.SGD(critic.parameters(), lr=0.1)\n"
    "for lap in range(6):\n    fake = maker(X)\n"
    "    c_loss = F.mse_loss(critic(X), Y) + critic(fake.detach()).square().mean()\n"
    "    c_opt.zero_grad()\n    c_loss.backward()\n    c_opt.step()\n"
    "    m_loss = (critic(fake) - 1).square().mean()\n"
    "    m_opt.zero_grad()\n    m_loss.backward()\n"
    "    nn.utils.clip_grad_norm_(maker.parameters(), 0.01)\n    m_opt.step()",
    "asked": "guess = xor(X)",
    "wide": "long = nn.Sequential(*[each for _ in range(8) for each in "
    "(nn.Linear(24, 24), nn.GELU())])\nout = long(torch.randn(2, 24))",
    "lens": "class Gated(nn.Sequential):\n    def forward(self, x):\n        x = self[0](x)\n"
    "        x = self[1](x)\n        return x\n"
    "few = Gated(nn.Linear(64, 16), nn.ReLU())(torch.randn(5, 64))\n"
    "more = Gated(nn.Linear(64, 32), nn.ReLU())(torch.randn(5, 64))",
    "cell": "lstm = nn.LSTM(8, 12)\nheard, _ = lstm(torch.randn(5, 2, 8))",
    "line": "line = nn.Linear(1, 1)\nguess = line(torch.tensor([[2.0], [3.0]]))",
    "curve": "curve = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))\n"
    "guess = curve(torch.tensor([[2.0], [3.0]]))",
    "single": "layer = nn.Linear(5, 3)\nout = layer(torch.randn(2, 5))",
    "devices": "far = Digits()\nfar.to('meta')\ntry:\n    far(pixels)\nexcept RuntimeError as e:\n"
    "    print(type(e))\nmoved = pixels.to('meta')\nout = far(moved)",
    "back": "far = Digits().to('meta')\nmoved = pixels.to('meta')\nout = far(moved)\n"
    "far = Digits()\nfar.to('meta')\nout = far(moved)",
    "pair": "one = nn.Linear(784, 16)\ntwo = nn.Linear(16, 4)\none = one.to('meta')\n"
    "two.to('meta')\nout = two(one(pixels.to('meta')))",
    "misfit": "narrow = nn.Linear(784, 8)\ntry:\n    narrow(pixels.reshape(2, 1, 28, 28))\n"
    "except RuntimeError as e:\n    print(type(e))\nout = narrow(pixels)",
    "kinds": "try:\n    torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.int64)\n"
    "except RuntimeError as e:\n    print(type(e))",
}
LOOKS = [("page", "dark"), ("film", "dark"), ("page", "light")]

Play = Callable[..., LessonScene]


@pytest.fixture(scope="module")
def source() -> str:
    return HEAD + "".join(f"\n# %% {name}\n{lines}\n" for name, lines in CELLS.items())


@pytest.fixture(scope="module")
def trace(source: str, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("networks")
    (folder / "networks.py").write_text(source)
    traced = trace_script(folder / "networks.py", root=Path(folder))
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def replay(source: str) -> dict[str, Any]:
    """What the names hold when the same script has run without a tracer."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "networks.py", "exec"), names)
    return names


@pytest.fixture(scope="module")
def play(trace: Trace) -> Play:
    return functools.cache(functools.partial(play_cell, trace))


def drawn(scene: LessonScene, *sources: str) -> list[Drawn]:
    return [each for each in scene.drawn if each.source in sources]


def texts(scene: LessonScene, source: str) -> set[str]:
    return {each.text for each in drawn(scene, source)}


@pytest.mark.parametrize(("artboard", "theme"), LOOKS)
@pytest.mark.parametrize("cell", CELLS)
def test_nothing_is_cut_too_small_or_on_top_of_another(
    play: Play, cell: str, artboard: str, theme: str
) -> None:
    assert play(cell, artboard, theme).warnings == []


@pytest.mark.parametrize("cell", CELLS)
def test_every_text_is_of_the_trace(play: Play, trace: Trace, cell: str) -> None:
    scene, own = play(cell, "film"), trace.of_cell(cell)
    checked = 0
    for each in scene.drawn:
        if each.source == "value" and each.tensor is not None and each.tensor in own.values:
            value = own.values[each.tensor].reshape(own.tensor(each.tensor).shape)[each.index]
            assert _reads_as(each.text, value.item())
        elif each.source == "size" and each.tensor is not None:
            assert each.text == str(own.tensor(each.tensor).shape[each.index[0]])
        elif each.source == "shape" and "×" in each.text and each.tensor is not None:
            sizes = tuple(int(size) for size in each.text.split("×"))
            assert sizes == own.tensor(each.tensor).shape[-len(sizes) :]
        elif each.source == "device" and each.tensor is not None:
            assert each.text == own.tensor(each.tensor).device
        elif each.source == "module" and each.module is not None:
            module = own.modules[each.module]
            assert each.text in (module.path.split(".")[-1], module.kind, module.name)
        elif each.source == "clash" and each.step is not None:
            clash = own.steps[each.step].clash
            assert clash is not None
            known = each.text in (*clash.facts, clash.type)
            assert known or each.text.replace("×", "x") in clash.message
        else:
            continue
        checked += 1
    assert checked


@pytest.mark.parametrize("cell", ["flat", "conv", "xor"])
def test_scores_are_those_of_an_untraced_run(
    play: Play, trace: Trace, replay: dict[str, Any], cell: str
) -> None:
    name = {"flat": "again", "conv": "scores", "xor": "answer"}[cell]
    own = trace.of_cell(cell)
    tensor = own.names_after(cell)[name]
    assert np.array_equal(own.values[tensor], replay[name].detach().numpy())
    result = replay[name][0]
    if len(result) > 1:
        lit = [each for each in drawn(play(cell), "index") if each.tensor == tensor]
        assert {int(each.text) for each in lit} == set(range(len(result)))


def test_every_number_of_a_training_loop_is_that_of_an_untraced_run(
    play: Play, trace: Trace
) -> None:
    """Replays the loop without the tracer: losses, gradient norms, accuracy, laps and weights."""
    torch.manual_seed(0)
    names: dict[str, Any] = {"__name__": "__main__", "kept": []}
    lines = HEAD + "\n".join(CELLS[cell] for cell in ("flat", "conv", "skip")) + "\n"
    keep = "kept.append((loss.item(), {k: (p.grad.clone(), p.detach().clone()) for k, p in xor"
    step = f"{keep}.named_parameters()}})); optimizer.step(); kept[-1] += (right.item(),)"
    exec(compile(lines + CELLS["xor"].replace("optimizer.step()", step), "xor.py", "exec"), names)
    scene, own = play("xor"), trace.of_cell("xor")
    seen: dict[str, set[int]] = {"loss": set(), "right": set()}
    for each in drawn(scene, "series"):
        if len(each.index) != 3:
            continue
        number, first, last = each.index
        series = own.series[number]
        values = [lap[0 if series.name == "loss" else 2] for lap in names["kept"]]
        value = float(np.mean(values[first - 1 : last]))
        percent = each.text.endswith("%")
        assert each.text == f"{round(100 * value)}%" if percent else _reads_as(each.text, value)
        seen[series.name].add(last)
    assert seen["loss"] >= {40}
    assert seen["right"] >= {40}
    slow = names["kept"][:SLOW_LAPS]
    told = _told_of_passes(scene, own)
    assert [name for name, _, _ in told] == ["loss"] * SLOW_LAPS
    for (_, loss, norm), (value, weights, _) in zip(told, slow, strict=True):
        assert _reads_as(loss, value)
        assert _reads_as(norm, math.hypot(*(grad.norm().item() for grad, _ in weights.values())))
    laps = {each.text for each in drawn(scene, "lap")}
    assert laps >= {"1/40", "2/40", "3/40", "40/40"}
    training = training_of(own)
    assert training is not None
    for lap, weight in versions_of(own, training, training.learners[0]):
        if 0 < lap < len(names["kept"]):  # the weights as the next lap's step met them
            before = names["kept"][lap][1][training.learners[0].name][1].numpy()
            assert np.array_equal(weight.reshape(before.shape), before.astype(float))


def _told_of_passes(scene: LessonScene, trace: Trace) -> list[tuple[str, ...]]:
    """Return the loss's name, its value and the norm that the cue of each backward pass tells."""
    passes = {each.step for each in trace.backwards}
    numbers = [cue.number for cue in scene.cues if cue.laps == 1 and passes & {*cue.steps}]
    return [
        tuple(
            next(each.text for each in drawn(scene, source) if each.cue == number)
            for source in ("name", "value", "norm")
        )
        for number in numbers
    ]


def test_each_of_two_losses_is_told_by_its_own_name_value_and_gradient(
    play: Play, trace: Trace
) -> None:
    """Replays two models that train each other, one of them clipped after its pass."""
    kept: list[tuple[str, float, float]] = []
    names: dict[str, Any] = {"__name__": "__main__", "kept": kept}
    lines = HEAD + "\n".join(CELLS[cell] for cell in itertools.takewhile("rivals".__ne__, CELLS))
    told = CELLS["rivals"]
    for loss, model in (("c_loss", "critic"), ("m_loss", "maker")):
        norm = f"nn.utils.clip_grad_norm_({model}.parameters(), 1e9).item()"
        keep = f"kept.append(('{loss}', {loss}.item(), {norm}))"
        told = told.replace(f"{loss}.backward()", f"{loss}.backward(); {keep}")
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(lines + "\n" + told, "rivals.py", "exec"), names)
    own = trace.of_cell("rivals")
    passes = _told_of_passes(play("rivals"), own)
    assert len(passes) == 2 * SLOW_LAPS
    for (name, loss, norm), (its_name, its_loss, its_norm) in zip(
        passes, kept[: 2 * SLOW_LAPS], strict=True
    ):
        assert name == its_name
        assert _reads_as(loss, its_loss)
        assert _reads_as(norm, its_norm)
    training = training_of(own)
    assert training is not None
    stepped = [each for each in own.optimizers if each.kind == "SGD"]
    first = own.values[stepped[0].updates[0].before].reshape(3, 2)
    last = own.values[stepped[-1].updates[0].after].reshape(3, 2)
    versions = versions_of(own, training, training.learners[0])
    assert len(versions) == len(stepped) + 1  # none of the other model's weight of the same name
    assert np.array_equal(versions[0][1], first.astype(float))
    assert np.array_equal(versions[-1][1], last.astype(float))


def test_laps_get_cues_one_by_one_then_one_for_the_rest(play: Play, trace: Trace) -> None:
    cues = play("xor").cues
    assert [cue.laps for cue in cues if cue.laps > 1] == [40 - SLOW_LAPS]
    assert {cue.lap for cue in cues if cue.laps == 1} == {1, 2, 3}
    assert max(cue.laps for cue in play("short").cues) == 1
    training = training_of(trace.of_cell("xor"))
    assert training is not None
    assert training.laps == 40


def test_links_are_the_calls_and_ops_of_the_forward(trace: Trace) -> None:
    own = trace.of_cell("skip")
    call = next(each for each in own.calls if each.parent is None)
    chain = chain_of(own, call, 12)
    assert [link.name for link in chain.links] == ["a", "relu", "b", "+", "relu"]
    assert chain.links[3].sources == (INPUT, 2)
    assert chain.skips == ((INPUT, 3),)
    assert [link.has_parameters for link in chain.links] == [True, False, True, False, False]


def test_matrices_side_by_side_stand_in_the_order_of_their_module(
    trace: Trace, replay: dict[str, Any]
) -> None:
    own = trace.of_cell("cell")
    call = next(each for each in own.calls if each.parent is None)
    (link,) = chain_of(own, call, 12).links
    assert link.weight is not None
    shown = [own.tensor(each).shape for each in (link.weight, *link.others)]
    assert shown == [tuple(each.shape) for each in replay["lstm"].parameters() if each.ndim == 2]


def test_deep_trees_fold_to_as_many_links_as_are_asked_for(trace: Trace) -> None:
    own = trace.of_cell("wide")
    call = next(each for each in own.calls if each.parent is None)
    assert len(chain_of(own, call, 40).links) == 16


def test_the_facts_of_a_clash_are_on_stage(play: Play) -> None:
    assert texts(play("devices"), "clash") == {"cpu", "meta", "RuntimeError"}
    facts = {"28", "784", "RuntimeError", "56×28", "784×8"}  # 2 pictures of 28 rows each
    assert texts(play("misfit"), "clash") == facts


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_strip_says_what_is_where_and_what_moves_it(
    play: Play, replay: dict[str, Any], artboard: str
) -> None:
    assert replay["far"].layer1.weight.is_meta
    scene = play("devices", artboard)
    told = [
        [(each.text, each.source) for each in scene.drawn if each.cue == cue.number]
        for cue in scene.cues
    ]
    moved = [("far", "module"), ("cpu", "device"), ("to", "op"), ("meta", "device")]
    assert any(set(moved) <= set(cue) for cue in told)
    clash = {("pixels", "name"), ("far", "module")}
    (raised,) = [cue for cue in told if any(text.startswith("RuntimeError") for text, _ in cue)]
    assert clash <= set(raised)


class Watched(LessonScene):
    """Notes every text that is on stage at the end of any play, not of a line alone."""

    seen: ClassVar[set[Drawn]] = set()

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        Watched.seen |= set(self.sources_on_stage())


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_plug_is_mended_where_the_same_call_goes_through(
    trace: Trace, replay: dict[str, Any], artboard: str
) -> None:
    Watched.seen = set()
    scene = play_cell(trace, "misfit", artboard, kind=Watched)
    assert scene.warnings == []
    given, out = replay["pixels"], replay["narrow"](replay["pixels"])
    texts = {(each.text, each.source) for each in Watched.seen}
    assert (str(given.shape[1]), "size") in texts
    assert {(str(tuple(each.shape)), "shape") for each in (given, out)} <= texts


class Flowing(LessonScene):
    """Notes what leads through a model at the end of any play."""

    flows: ClassVar[list[Flow]] = []

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        Flowing.flows += [each for each in self.mobjects if isinstance(each, Flow)]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_arrows_lead_through_the_model_to_as_many_features_as_torch_gives(
    trace: Trace, replay: dict[str, Any], artboard: str
) -> None:
    Flowing.flows = []
    play_cell(trace, "devices", artboard, kind=Flowing)
    (flow,) = set(Flowing.flows)
    ends = [each.get_left()[0] for each in (flow.into, flow.out, flow.result)]
    assert ends == sorted(ends)
    assert len(flow.into) == 1
    assert len(flow.result) == len(replay["far"].layer2.bias)


class Arriving(LessonScene):
    """Notes the pictures that can be seen on boards at the end of any play."""

    seen: ClassVar[list[int]] = []

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        if not any(isinstance(each, Board) for each in self.mobjects):
            return
        things = [each for each in self.mobjects if isinstance(each, Thing)]
        parts = [part for each in things for part in each.get_family()]
        pictures = [each for each in parts if isinstance(each, Picture)]
        Arriving.seen.append(sum(bool(each.pixel_array[..., 3].any()) for each in pictures))


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_numbers_are_shown_only_of_what_is_not_on_meta(
    trace: Trace, replay: dict[str, Any], artboard: str
) -> None:
    Arriving.seen = []
    play_cell(trace, "devices", artboard, kind=Arriving)
    weights = [each for each in replay["far"].parameters() if each.ndim == 2]
    assert all(each.is_meta for each in (*weights, replay["moved"]))
    assert not replay["pixels"].is_meta
    assert Arriving.seen[0] == len(weights) + 1
    assert Arriving.seen[-1] == 1  # the model is over there, the pixels are still here


@pytest.mark.parametrize("cell", ["devices", "back", "pair"])
def test_all_stands_at_last_where_torch_has_it(
    play: Play, replay: dict[str, Any], cell: str
) -> None:
    there = list(play(cell).mobjects)
    boards = [each for each in there if isinstance(each, Board)]
    stands = {
        thing.label.text: board.device
        for thing in there
        if isinstance(thing, Thing)
        for board in boards
        if board.zone.x < thing.zone.center_x < board.zone.right
    }
    held = {name: replay[name] for name in stands if name in replay}
    assert {"one", "two"} <= set(held) if cell == "pair" else "far" in held
    for name, value in held.items():
        tensor = value if isinstance(value, torch.Tensor) else next(value.parameters())
        assert stands[name] == str(tensor.device)


class Going(LessonScene):
    """Notes at the end of any play whether the stage is empty, and how red the code is by then."""

    empty: ClassVar[list[bool]] = []
    red: ClassVar[dict[bool, set[float]]] = {}

    def play(self, *args: Any, **kwargs: Any) -> None:
        super().play(*args, **kwargs)
        parts = [part for each in self.mobjects for part in each.get_family()]
        Going.empty.append(not any(isinstance(each, Picture | TensorBlock) for each in parts))
        run = self.playing
        for band in self.mobjects:
            if isinstance(band, CodeBand) and run is not None and len(run.steps) == 1:
                raised = self.trace.steps[run.steps[0]].clash is not None
                Going.red.setdefault(raised, set()).add(band.failed)


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_no_stage_is_empty_between_a_clash_and_its_mending(trace: Trace, artboard: str) -> None:
    Going.empty = []
    play_cell(trace, "misfit", artboard, kind=Going)
    assert Going.empty
    assert not any(Going.empty)


def test_the_line_that_raised_is_red_and_no_other(trace: Trace) -> None:
    Going.red = {}
    play_cell(trace, "devices", "film", kind=Going)
    assert 1.0 in Going.red[True]
    assert Going.red[False] == {0.0}


def test_a_batch_is_bracketed_and_an_activation_named(play: Play, trace: Trace) -> None:
    scene = play("flat")
    batch = [each for each in drawn(scene, "size") if each.index == (0,)]
    assert {each.text for each in batch} == {"2"}
    shapes = [trace.of_cell("flat").tensor(each.tensor).shape for each in batch if each.tensor]
    assert set(shapes) <= {(2, 784)}
    assert "relu" in texts(scene, "module")


def test_what_comes_out_is_coloured_by_its_numbers(trace: Trace, replay: dict[str, Any]) -> None:
    own, board, theme = trace.of_cell("flat"), ARTBOARDS["page"], THEMES["dark"]
    call = next(each for each in own.calls if each.parent is None)
    canvas, stage = Canvas(board, theme), board.stage
    flow = Flow(canvas, stage, None, stage, sample_of(own, call.results[0]))
    first = replay["again"][0].detach().numpy()
    fills = [cell.fill_rgbas[0, :3] for cell in flow.result if isinstance(cell, VMobject)]
    assert np.allclose(fills, shade(first, limit_of(first), theme))
    assert len(flow.into) == 0


@pytest.mark.parametrize("name", CURVES)
def test_a_gate_shows_pytorchs_function(name: str) -> None:
    at = torch.linspace(-3, 3, 25, dtype=torch.float64)
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "leakyrelu": torch.nn.functional.leaky_relu,
        "abs": torch.abs,
        "square": torch.square,
        "exp": torch.exp,
    }
    function = functions.get(name) or getattr(torch.nn.functional, name)
    assert np.allclose(CURVES[name](at.numpy()), function(at).numpy())


def test_a_text_keeps_its_proportions_where_its_picture_is_stretched() -> None:
    canvas = Canvas(ARTBOARDS["page"], THEMES["dark"])
    before = canvas.rectangle(0, 0, 600, 100)
    text = canvas.label("0.06", 50, 50, 40, THEMES["dark"].text)
    after = VGroup(canvas.rectangle(0, 0, 100, 100), text)
    ratio = text.width / text.height
    draw = move_of(before, after)
    draw(0.0)
    assert text.width / text.height == pytest.approx(ratio)
    assert after.width == pytest.approx(before.width)


def test_parts_stand_side_by_side_inside_their_zone() -> None:
    board = ARTBOARDS["page"]
    parts = [
        Part("picture", INPUT),
        Part("column", INPUT, (784, 784)),
        Part("funnel", 0, (784, 128)),
        Part("column", 0, (128, 128)),
        Part("cells", 1, (10, 10)),
    ]
    slots = arrange(parts, board.stage, board)
    assert all(one.x + one.width <= other.x + 1e-6 for one, other in itertools.pairwise(slots))
    assert slots[0].x >= board.stage.x
    assert slots[-1].x + slots[-1].width <= board.stage.right + 1e-6
    room = body(board.stage, board)
    assert all(slot.zone.y >= room.y - 1e-6 for slot in slots)
    assert slots[1].left > slots[3].left > slots[2].right * 0.9


def test_small_layers_are_drawn_whole_and_large_ones_where_most_happens() -> None:
    assert select(np.zeros(10)).indices == tuple(range(10))
    values = np.zeros(784)
    values[94:97] = [2.0, -3.0, 1.0]
    chosen = select(values)
    assert chosen.indices == (0, 94, 95, 96, 783)
    assert chosen.gaps == (1, 4)


def test_means_of_boxes_and_of_stretches() -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    assert boxed(matrix, 3, 2).tolist() == [[0.5, 2.5], [4.5, 6.5], [8.5, 10.5]]
    assert limit_of(np.array([np.nan, -2.0, 2.0])) == 2.0
    points = np.stack([np.arange(1.0, 1801.0), np.arange(1800.0)], axis=1)
    stretches = binned(points)
    assert len(stretches.mean) == BINS
    assert stretches.last[-1] == 1800
    assert stretches.mean[0] == pytest.approx(points[: int(stretches.last[0]), 1].mean())
    assert (stretches.low <= stretches.mean).all()
    assert (stretches.mean <= stretches.high).all()


def test_rows_of_pictures_become_tiles_and_the_liveliest_are_chosen() -> None:
    weight = np.zeros((4, 784))
    after = weight.copy()
    after[2] += 1
    after[0] += 0.5
    assert [tile.shape for tile in tiles_of(weight)] == [(28, 28)] * 4
    assert liveliest(weight, after, 2) == [0, 2]
    assert [tile.shape for tile in tiles_of(np.zeros((4, 2)))] == [(4, 2)]


@pytest.mark.parametrize("cell", ["asked", "single"])
def test_a_clip_of_a_network_begins_with_it_there(trace: Trace, cell: str) -> None:
    opening: list[type] = []

    class Opening(LessonScene):
        def play(self, *animations: Any, **settings: Any) -> None:
            if not self.renderer.time:
                coming: set[object] = {
                    each.mobject for each in animations if isinstance(each, FadeIn)
                }
                opening.extend(type(each) for each in self.mobjects if each not in coming)
            super().play(*animations, **settings)

    play_cell(trace, cell, kind=Opening)
    assert {NodeView, ModelThing} & {*opening}


def test_the_poster_of_a_training_loop_is_its_curve(play: Play) -> None:
    scene = play("xor")
    folded = next(cue for cue in scene.cues if cue.laps > 1)
    assert folded.start < scene.poster_time < folded.end


@pytest.mark.parametrize("view", ["chain", "nodes"])
def test_what_comes_in_a_play_takes_no_part_out_of_the_picture(trace: Trace, view: str) -> None:
    """Manim lists the parts of what moves once, as a play begins, and goes on drawing them."""
    own, canvas = trace.of_cell("flat"), Canvas(ARTBOARDS["film"], THEMES["dark"])
    chain = chain_of(own, next(each for each in own.calls if each.parent is None), 16)
    kind = ModuleChain if view == "chain" else NodeView
    picture = kind(canvas, own, chain, canvas.artboard.stage)
    reveal = (
        picture.reveal
        if isinstance(picture, NodeView)
        else lambda share: picture.reveal(len(chain.links) - 1, share)
    )
    parts, seen = set(), set()
    for share in np.linspace(0, 1, 41):
        reveal(float(share))
        parts.add(tuple(map(id, picture.get_family())))
        filled = [each for each in picture.get_family() if is_visible(each)]
        seen.add(len(filled))
    assert len(parts) == 1
    assert len(seen) >= 10  # the ten scores come one by one


PLAIN = {
    "lstm": ("rnn = nn.LSTM(8, 6)\nout, _ = rnn(torch.rand(3, 2, 8))", {"24×8", "24×6"}),
    "attention": (
        "mha = nn.MultiheadAttention(16, 2)\nq = torch.rand(3, 2, 16)\nout, _ = mha(q, q, q)",
        {"48×16", "16×16"},
    ),
    "embedding": ("emb = nn.Embedding(6, 6)\nout = emb(torch.tensor([[1, 2]]))", {"6×6"}),
    "linear": ("fc = nn.Linear(9, 5)\nout = fc(torch.rand(2, 9))", {"5×9"}),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    cells = {name: lines for name, (lines, _) in PLAIN.items()}
    head = "import torch\nfrom torch import nn\n"
    script = write_cells(tmp_path_factory.mktemp("plain"), cells, head)
    return trace_script(script, root=script.parent)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", PLAIN)
def test_a_module_shows_all_its_matrices_and_a_row_only_where_it_makes_a_feature(
    plain: Trace, cell: str, artboard: str
) -> None:
    own = plain.of_cell(cell)
    (call,) = (each for each in own.calls if each.parent is None)
    (link,) = chain_of(own, call, 16).links
    assert link.weight is not None
    matrices = {"×".join(map(str, own.tensor(each).shape)) for each in (link.weight, *link.others)}
    assert matrices == PLAIN[cell][1]
    assert link.by_rows == (cell == "linear")
    scene = play_cell(plain, cell, artboard)
    assert scene.warnings == []
    assert {each.text for each in scene.drawn if each.source == "shape"} >= matrices


TWO_LOSSES = """
import torch

torch.manual_seed(0)
a, b = (torch.tensor([0.3, 0.4], requires_grad=True) for _ in range(2))
one, two = torch.optim.SGD([a], lr=0.1), torch.optim.SGD([b], lr=0.1)

# %% two
for step in range(8):
    first = (a * a).sum()
    one.zero_grad()
    first.backward()
    one.step()
    second = (b * b).sum()
    two.zero_grad()
    second.backward()
    two.step()
"""


def test_what_a_pass_began_at_is_no_share(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(TWO_LOSSES)
    trace = trace_script(tmp_path / "two.py", root=tmp_path)
    scene = play_cell(trace, "two", "film")
    assert scene.warnings == []
    assert not [each.text for each in scene.drawn if each.text.endswith("%")]


def test_no_way_around_crosses_a_size(trace: Trace) -> None:
    own = trace.of_cell("skip")
    chain = chain_of(own, next(each for each in own.calls if each.parent is None), 12)
    for board in ARTBOARDS.values():
        canvas = Canvas(board, THEMES["dark"])
        picture = ModuleChain(canvas, own, chain, board.stage)
        (row,) = picture.rows
        ((line, _),) = picture._skips(row)
        sizes = [part for (kind, _), part in picture.identities.items() if kind == "size"]
        assert sizes
        for label in sizes:
            left, right = label.get_left()[0], label.get_right()[0]
            x, y = line.points[:, 0], line.points[:, 1]
            beside = (x > left) & (x < right)
            assert not beside.any() or y[beside].max() < label.get_bottom()[1]
