"""The curves of training loops: their numbers, and where guessing is on them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from manim import VMobject
from torch.nn import functional

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Cue, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.colors import THEMES
from torchreel.stage.director import LessonScene
from torchreel.stage.numerals import MINUS
from torchreel.stage.training.axis import Guess, below, crossed, scale_of
from torchreel.stage.training.byhand import with_steps_by_hand
from torchreel.stage.training.changes import change_of
from torchreel.stage.training.curve import LossCurve
from torchreel.stage.training.facts import (
    _are_shares,
    classes_of,
    points_of,
    training_of,
    versions_of,
)
from torchreel.stage.training.passes import norm_text, path_of
from torchreel.stage.training.ring import BACKWARD, TrainingRing
from torchreel.tracer import trace_script

SETUP = """import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(12, 4)
"""
LOOP = """model = nn.Linear(4, {features})
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
targets = {targets}
for lap in range(5):
    optimizer.zero_grad()
    scores = model(x)
    loss = {loss}
    loss.backward()
    optimizer.step()
"""
WHOLE, SHARES = "torch.randint(0, 3, (12,))", "torch.rand(12, 1)"
KNOWN = {
    "classes": (3, WHOLE, "F.cross_entropy(scores, targets)"),
    "module": (3, WHOLE, "nn.CrossEntropyLoss(label_smoothing=0.1)(scores, targets)"),
    "places": (
        15,
        "torch.randint(0, 5, (12, 3))",
        "F.cross_entropy(scores.view(12, 5, 3), targets)",
    ),
    "two": (1, SHARES, "F.binary_cross_entropy_with_logits(scores, targets)"),
    "sigmoid": (1, SHARES, "F.binary_cross_entropy(scores.sigmoid(), targets)"),
}
UNKNOWN = {
    "summed": (3, WHOLE, "F.cross_entropy(scores, targets, reduction='sum')"),
    "weighed": (3, WHOLE, "F.cross_entropy(scores, targets, torch.tensor([1.0, 2.0, 3.0]))"),
    "soft": (3, "torch.rand(12, 3)", "F.cross_entropy(scores, targets)"),
    "more": (3, WHOLE, "F.cross_entropy(scores, targets) + scores.square().mean()"),
    "square": (1, SHARES, "F.mse_loss(scores, targets)"),
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    cells = {
        name: LOOP.format(features=features, targets=targets, loss=loss)
        for name, (features, targets, loss) in (KNOWN | UNKNOWN).items()
    }
    script = write_cells(tmp_path_factory.mktemp("losses"), cells, SETUP)
    traced = trace_script(script, root=script.parent)
    assert traced.error is None
    return traced


def _guess(trace: Trace, cell: str) -> Guess | None:
    own = trace.of_cell(cell)
    training = training_of(own)
    assert training is not None
    classes = classes_of(own, training.losses[0])
    return None if classes is None else Guess(classes)


@pytest.mark.parametrize("cell", KNOWN)
def test_guessing_costs_what_pytorch_asks_for_scores_that_are_all_alike(
    trace: Trace, cell: str
) -> None:
    features, targets, loss = KNOWN[cell]
    torch.manual_seed(0)
    names = {"torch": torch, "nn": torch.nn, "F": functional, "scores": torch.zeros(12, features)}
    names["targets"] = eval(targets, names)
    guess = _guess(trace, cell)
    assert guess is not None
    assert guess.value == pytest.approx(eval(loss, names).item())
    scene = play_cell(trace, cell)
    assert scene.warnings == []
    assert f"= {guess.value:.2f}" in {each.text for each in scene.drawn}
    assert guess.classes.text in {each.text for each in scene.drawn if each.cue == len(scene.cues)}


@pytest.mark.parametrize("cell", UNKNOWN)
def test_no_guess_is_drawn_where_the_trace_does_not_know_it(trace: Trace, cell: str) -> None:
    assert _guess(trace, cell) is None
    scene = play_cell(trace, cell)
    assert scene.warnings == []
    assert "ln" not in {each.text for each in scene.drawn}


def test_laps_that_are_not_kept_are_told_once_whatever_a_lap_prints(tmp_path: Path) -> None:
    told = LOOP.format(features=3, targets=WHOLE, loss=KNOWN["classes"][2])
    told = told.replace("range(5)", "range(40)") + "    if lap % 9 == 0:\n        print(lap)\n"
    script = write_cells(tmp_path, {"told": told}, SETUP)
    scene = play_cell(trace_script(script, root=tmp_path), "told")
    assert [cue.laps for cue in scene.cues if cue.laps > 1] == [37]
    assert scene.cues[-1].laps == 37
    assert {each.text for each in scene.drawn if each.source == "lap"} >= {"1/40", "3/40", "40/40"}
    assert "10/40" not in {each.text for each in scene.drawn if each.source == "lap"}


def test_a_few_round_numbers_are_beside_a_curve() -> None:
    for low, high in [(0.0, 2.4), (0.0, 147.0), (-3.0, 0.2), (0.001, 0.0093), (0.0, 1e6)]:
        scale = scale_of(np.array([low, high]), None)
        assert (scale.bottom, scale.top) == (min(low, 0.0), max(high, 0.0))
        assert 2 <= len(scale.ticks) <= 4
        assert 0.0 in scale.ticks
        assert scale.bottom <= scale.ticks[0] < scale.ticks[-1] <= scale.top * (1 + 1e-9)


def test_an_axis_with_guessing_shows_it_and_lets_what_is_far_higher_leave(trace: Trace) -> None:
    guess = _guess(trace, "classes")
    assert guess is not None
    assert scale_of(np.array([0.2, 0.1]), guess).guess is None
    assert scale_of(np.array([1.0, 0.1]), guess).top > guess.value
    assert scale_of(np.array([2.0, 0.1]), guess).top == 2.0
    assert scale_of(np.array([147.0, 1.1]), guess).top == pytest.approx(3 * guess.value)


def test_what_is_above_the_axis_is_cut_where_it_crosses_it() -> None:
    line = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 9.0], [3.0, 1.0], [4.0, 0.0]])
    first, second = below(line, 2.0)
    assert first.tolist() == [[0.0, 1.0], [0.5, 2.0]]
    assert second.tolist() == [[2.875, 2.0], [3.0, 1.0], [4.0, 0.0]]
    assert below(line, 10.0)[0].tolist() == line.tolist()
    assert len(crossed(line, 2.0)) == len(line) + 2
    assert below(line[1:3], 2.0) == []


FORGOTTEN = """layers = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
adam = torch.optim.Adam(layers.parameters())
targets = torch.randint(0, 3, (12,))
for lap in range({laps}):
    adam.zero_grad()
    scores = layers(x)
    loss = F.cross_entropy(scores, targets)
    loss.backward()
"""
SOURCES = ("value", "norm", "module", "op")
BY_HAND = """w = torch.zeros(4, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr, ws, losses = 0.125, [], []
for lap in range(12):
    loss = (x @ w + b - 2).square().mean()
    loss.backward()
{update}
    ws.append(w.tolist())
    losses.append(loss.item())
"""
UPDATES = {
    "places": """
    with torch.no_grad():
        b -= lr * b.grad
        w -= lr * w.grad
        w.grad.zero_()
        b.grad.zero_()
""",
    "data": """
    w.data -= lr * w.grad
    b.data = b.data - lr * b.grad
    w.grad = None
    b.grad = None
""",
    "listed": """
    with torch.no_grad():
        for p in [w, b]:
            p.add_(p.grad, alpha=-lr)
            p.grad = None
""",
    "anew": """
    w = (w - lr * w.grad).detach().requires_grad_()
    b = (b - lr * b.grad).detach().requires_grad_()
""",
    "momentum": """
    moved = 0.5 * moved + w.grad if lap else w.grad.clone()
    with torch.no_grad():
        w.sub_(lr * moved)
        w.grad.zero_()
        b.copy_(b - b.grad * lr)
        b.grad.zero_()
""",
}


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    cells = {name: BY_HAND.format(update=update.strip("\n")) for name, update in UPDATES.items()}
    script = write_cells(tmp_path_factory.mktemp("hand"), cells, SETUP)
    traced = trace_script(script, root=script.parent)
    assert traced.error is None
    return traced


@pytest.mark.parametrize("name", UPDATES)
def test_weights_that_lines_move_by_gradients_are_trained(by_hand: Trace, name: str) -> None:
    """Replays it: after each lap that is known the matrix is what it is without the tracer."""
    trace = with_steps_by_hand(by_hand.of_cell(name))
    names: dict[str, Any] = {}
    exec(SETUP + BY_HAND.format(update=UPDATES[name].strip("\n")), names)
    training = training_of(trace)
    assert training is not None
    assert (training.laps, training.share) == (12, None)
    (loss,), (learner,) = training.losses, training.learners
    assert learner.name == "w"
    assert points_of(trace, loss)[:, 1].tolist() == pytest.approx(names["losses"], rel=1e-6)
    versions = versions_of(trace, training, learner)
    assert [lap for lap, _ in versions] == [0, 1, 2, 3, 10, 12]
    for lap, weight in versions[1:]:
        np.testing.assert_allclose(weight, np.array(names["ws"][lap - 1]), rtol=1e-6)


@pytest.mark.parametrize("board", ["page", "film"])
def test_a_step_by_hand_is_in_the_ring(by_hand: Trace, board: str) -> None:
    """It is called as in the code, and its picture is the gradient times the rate of the code."""
    scene = play_cell(by_hand, "places", board)
    assert scene.warnings == []
    part = by_hand.of_cell("places")
    stations = {
        next(s.text for s in part.cells[0].statements if s.number == cue.statement): {
            (d.source, d.text) for d in scene.drawn if d.cue == cue.number
        }
        for cue in scene.cues[2:]
    }
    assert {("op", "-="), ("setting", f"{MINUS}0.12×")} <= stations["w -= lr * w.grad"]
    assert ("op", "zero_") in stations["w.grad.zero_()"]
    assert ("op", "backward") in stations["loss.backward()"]
    assert [cue.laps for cue in scene.cues if cue.laps > 1] == [9]


LINE = """t = torch.linspace(0, 1, 8)
y = 3 * t + 1
w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for lap in range(2):
    pred = w * t + b
    loss = ((pred - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad{seen_w}
        b -= 0.5 * b.grad{seen_b}
        w.grad.zero_()
        b.grad.zero_()
"""


@pytest.mark.parametrize("board", ["page", "film"])
def test_each_weight_moved_by_hand_is_at_the_step_at_its_own_line(
    tmp_path: Path, board: str
) -> None:
    """Replays it: what a line did, its numbers and its name are there from it to the next pass."""
    seen: list[tuple[str, float, float]] = []
    see = "; seen.append(('{0}', {0}.item() + 0.5 * {0}.grad.item(), {0}.grad.item()))"
    lines = LINE.format(seen_w=see.format("w"), seen_b=see.format("b"))
    exec(SETUP + lines, {"seen": seen})
    trace = _cell(tmp_path, "line", LINE.format(seen_w="", seen_b=""))
    scene = play_cell(trace, "line", board)
    assert scene.warnings == []
    code = {each.number: each.text for each in trace.of_cell("line").cells[0].statements}
    lap: list[tuple[str, float, float]] = []
    made = False
    for cue in scene.cues[4:]:
        line = code[cue.statement]
        if line.startswith("pred"):
            lap, made = [], True
        if "-=" in line:
            lap.append(seen.pop(0))
            assert lap[-1][0] == line[0]
        drawn = [each for each in scene.drawn if each.cue == cue.number]
        names = {each.text for each in drawn if each.source == "name"}
        assert made == ("pred" in names), line
        if not lap:
            continue
        name, before, gradient = lap[-1]
        reach = [each.text.replace(MINUS, "-") for each in drawn if each.source == "reach"]
        assert [float(each) for each in reach] == pytest.approx([before, gradient], abs=0.006)
        assert names & {"w", "b"} == {name}, line
        assert f"{MINUS}0.5×" in {each.text for each in drawn if each.source == "setting"}
    assert seen == []


RIVALS = """maker = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4))
critic = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
m_opt = torch.optim.SGD(maker.parameters(), lr=0.1)
c_opt = torch.optim.SGD(critic.parameters(), lr=0.1)
for lap in range(6):
    fake = maker(x)
    c_loss = critic(x).square().mean() + (critic(fake.detach()) - 1).square().mean()
    c_opt.zero_grad()
    c_loss.backward()
    c_opt.step()
    m_loss = critic(fake).square().mean()
    m_opt.zero_grad()
    m_loss.backward()
    m_opt.step()
"""


def _cell(folder: Path, name: str, lines: str) -> Trace:
    script = write_cells(folder, {name: lines}, SETUP)
    traced = trace_script(script, root=folder)
    assert traced.error is None
    return traced


@pytest.mark.parametrize("board", ["page", "film"])
def test_a_loop_that_never_steps_is_the_ring_without_its_step(tmp_path: Path, board: str) -> None:
    """Replays it: the loss and the gradient are the same in every lap, for the weights are."""
    trace = _cell(tmp_path, "forgotten", FORGOTTEN.format(laps=50))
    training = training_of(trace.of_cell("forgotten"))
    assert training is not None
    assert not training.steps
    scene = play_cell(trace, "forgotten", board)
    assert scene.warnings == []
    laps = scene.cues[2:]  # after the model and the targets
    assert [cue.laps for cue in laps] == [1] * 4 * 3 + [47]
    names: dict[str, Any] = {}
    exec(SETUP + FORGOTTEN.format(laps=1), names)
    norm = torch.nn.utils.clip_grad_norm_(names["layers"].parameters(), math.inf).item()
    drawn = [each for each in scene.drawn if each.cue > 2]
    told = {source: {d.text for d in drawn if d.source == source} for source in SOURCES}
    assert told["value"] == {f"{names['loss'].item():.2f}"}
    assert told["norm"] == {f"{norm:.2f}"}
    assert told["module"] == {"layers"}
    assert told["op"] == {"zero_grad", "backward"}
    assert "step" in {each.text for each in drawn if each.source == "sign"}
    weight = trace.of_cell("forgotten").values[training.learners[0].first]
    assert np.array_equal(weight, names["layers"][0].weight.detach().numpy())


@pytest.mark.parametrize("forgiven", ["adam.step()", "layers[0].weight.data.mul_(0.9)"])
def test_a_loop_that_moves_its_weights_lacks_no_step(tmp_path: Path, forgiven: str) -> None:
    trace = _cell(tmp_path, "moved", FORGOTTEN.format(laps=5) + f"    {forgiven}\n")
    training = training_of(trace.of_cell("moved"))
    assert training is None or training.steps


def test_each_pass_of_two_models_has_its_own_models_gradient_and_curve(tmp_path: Path) -> None:
    """Replays two models that train each other; both are in the path of the second pass."""
    kept: list[float] = []
    lines = RIVALS
    for loss, model in (("c_loss", "critic"), ("m_loss", "maker")):
        keep = f"kept.append(nn.utils.clip_grad_norm_({model}.parameters(), 1e9).item())"
        lines = lines.replace(f"{loss}.backward()", f"{loss}.backward(); {keep}")
    exec(SETUP + lines, {"kept": kept})
    trace = _cell(tmp_path, "rivals", RIVALS)
    own = trace.of_cell("rivals")
    paths = [path_of(own, each) for each in own.backwards[:2]]
    named = [[own.modules[module].name for module in path.modules] for path in paths]
    assert named == [["critic"], ["maker", "critic"]]
    assert [path.features for path in paths] == [(4, 8, 1), (4, 6, 4, 8, 1)]
    first = own.runs[own.steps[next(c.first for c in own.calls if c.first is not None)].run]
    assert path_of(own, own.backwards[1], first).features == (4, 6, 4)
    scene = play_cell(trace, "rivals")
    assert scene.warnings == []
    norms = {cue.number: set[str]() for cue in scene.cues}
    names = {cue.number: set[str]() for cue in scene.cues}
    for drawn in scene.drawn:
        if drawn.source == "norm":
            norms[drawn.cue].add(drawn.text)
        if drawn.source in ("name", "series"):
            names[drawn.cue].add(drawn.text)
    for cue in scene.cues[2:11]:  # of the first lap: no gradient is told as another loss's
        own_one = {"c_loss": f"{kept[0]:.2f}", "m_loss": f"{kept[1]:.2f}"}
        assert norms[cue.number] <= {own_one[each] for each in names[cue.number]}
    assert norms[6] == {f"{kept[0]:.2f}"}
    assert norms[10] == {f"{kept[1]:.2f}"}
    assert names[scene.cues[-1].number] >= {"c_loss", "m_loss"}


def test_what_functions_do_in_a_lap_is_of_the_lap(tmp_path: Path) -> None:
    """A forward that is written in the same cell plays in the ring, and none after the curve."""
    called = "def forward(x):\n    return layers(x)\n\n" + FORGOTTEN.format(laps=30)
    called = called.replace("scores = layers(x)", "scores = forward(x)") + "    adam.step()\n"
    scene = play_cell(_cell(tmp_path, "called", called), "called")
    assert scene.warnings == []
    assert [cue.laps for cue in scene.cues[2:]] == [1] * 5 * 3 + [27]


HASTE = """model = nn.Linear(4, 3)
optimizer = torch.optim.{kind}(model.parameters(), lr={rate})
targets = torch.randint(0, 3, (12,))
for lap in range(4):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), targets)
    loss.backward()
    optimizer.step()
    print("lap", lap)
"""


def _first_step(kind: str, rate: float) -> tuple[float, float, float]:
    """Return how far the weights, their gradient and the first step reach, as PyTorch has it."""
    names: dict[str, Any] = {}
    lines = HASTE.format(kind=kind, rate=rate).replace("range(4)", "range(1)")
    start = lines.replace("range(1)", "range(0)")
    exec(SETUP + start, names)
    before = names["model"].weight.detach().clone()
    exec(SETUP + lines, names)
    weight = names["model"].weight
    changed = weight.detach() - before
    return tuple(each.abs().max().item() for each in (before, weight.grad, changed))


def test_a_step_that_is_a_hundred_times_as_large_looks_so(tmp_path: Path) -> None:
    changes = []
    for rate in (0.001, 0.1):
        trace = _cell(tmp_path, "haste", HASTE.format(kind="Adam", rate=rate)).of_cell("haste")
        step = trace.optimizers[0]
        canvas = Canvas(ARTBOARDS["film"], THEMES["dark"])
        change = change_of(canvas, trace, step, step.updates[0].before)
        assert change is not None
        changes.append(change)
        before, _, changed = _first_step("Adam", rate)
        texts = [each and each.reach and each.reach.text for each in (change.before, change.other)]
        assert texts == [f"±{before:.2g}", f"±{changed:.2g}"] == [texts[0], f"±{rate}"]
    others = [each.other for each in changes if each.other is not None]
    assert len({part.limit for part in (*others, *(each.before for each in changes))}) == 1
    sizes = [np.abs(each.numbers).max() / each.limit for each in others]
    assert sizes[1] / sizes[0] == pytest.approx(100, rel=1e-3)


@pytest.mark.parametrize("board", ["page", "film"])
def test_plain_descent_is_told_with_its_learning_rate(tmp_path: Path, board: str) -> None:
    scene = play_cell(_cell(tmp_path, "plain", HASTE.format(kind="SGD", rate=0.05)), "plain", board)
    assert scene.warnings == []
    before, gradient, _ = _first_step("SGD", 0.05)
    cue = next(each.cue for each in scene.drawn if each.source == "setting")
    told = {each.text for each in scene.drawn if each.cue == cue and each.source == "reach"}
    assert told == {f"±{before:.2g}", f"±{gradient:.2g}"}
    assert {each.text for each in scene.drawn if each.source == "setting"} == {f"{MINUS}0.05×"}


@pytest.mark.parametrize("board", ["page", "film"])
def test_what_a_lap_prints_is_to_be_read(tmp_path: Path, board: str) -> None:
    scene = play_cell(_cell(tmp_path, "told", HASTE.format(kind="SGD", rate=0.05)), "told", board)
    assert scene.warnings == []
    printed = {each.text for each in scene.drawn if each.source == "printed"}
    assert printed == {"lap 0", "lap 1", "lap 2", "lap 3"}


def test_the_code_is_lit_as_soon_as_the_station_is(tmp_path: Path) -> None:
    """Looks as each animation begins: the bar stands where it belongs, and nothing moves it."""
    told: list[tuple[int, int, bool]] = []

    class Watched(LessonScene):
        def compile_animations(self, *args: Any, **kwargs: Any) -> list[Any]:
            animations = super().compile_animations(*args, **kwargs)
            code, shown = self._code, {type(each) for each in self.mobjects}
            if TrainingRing in shown and code is not None and self.playing is not None:
                lit = code.lines[round(code.lit)].statement
                moves = id(code) in {id(each.mobject) for each in animations}
                told.append((self.playing.statement, lit, moves))
            return animations

    lines = HASTE.format(kind="SGD", rate=0.05)
    play_cell(_cell(tmp_path, "code", lines), "code", "film", kind=Watched)
    assert {statement for statement, _, _ in told} >= {5, 6, 7, 8, 9}
    assert [each for each in told if each[0] != each[1] or each[2]] == []


EPOCHS = """model = nn.Linear(4, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
targets = torch.randint(0, 3, (12,))
batches = list(zip(x.split(3), targets.split(3)))
right = torch.tensor(0.0)
for epoch in range(12):
    for inputs, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        right = (model(x).argmax(1) == targets).float().mean()
    with torch.no_grad():
        whole = F.cross_entropy(model(x), targets)
    print(f"{epoch}: {whole:.3f}")
"""
SUMMED = """model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
targets = torch.randint(0, 3, (12,))
for lap in range(4):
    loss = F.cross_entropy(model(x), targets)
    loss.backward()
    if lap % 2 == 1:
        optimizer.step()
        optimizer.zero_grad()
"""


def test_on_film_the_curve_is_beside_the_ring_from_the_first_lap_on(tmp_path: Path) -> None:
    trace = _cell(tmp_path, "epochs", EPOCHS)
    together: dict[str, set[tuple[bool, bool]]] = {"page": set(), "film": set()}
    for board, seen in together.items():

        class Watched(LessonScene):
            def wait(self, *args: Any, **kwargs: Any) -> None:
                if self.playing is not None and self.training.covers(self.playing):
                    shown = [part for each in self.mobjects for part in each.get_family()]
                    rings = [each for each in shown if isinstance(each, TrainingRing)]
                    curves = [each for each in shown if isinstance(each, LossCurve)]
                    assert all(a.zone.right < b.zone.x for a in rings for b in curves)
                    seen.add((bool(rings), bool(curves)))  # noqa: B023
                super().wait(*args, **kwargs)

        scene = play_cell(trace, "epochs", board, kind=Watched)
        assert scene.warnings == []
    assert together == {
        "page": {(True, False), (False, True)},
        "film": {(True, True)},
    }


def test_nothing_is_told_before_it_is_so(tmp_path: Path) -> None:
    """Replays the first lap: no accuracy stands there before the line that makes it has run."""
    trace = _cell(tmp_path, "epochs", EPOCHS)
    names: dict[str, Any] = {}
    exec(SETUP + EPOCHS.replace("split(3)", "split(3)[:1]").replace("range(12)", "range(1)"), names)
    scene = play_cell(trace, "epochs", "film")
    first = [cue for cue in scene.cues if cue.laps == 1 and "right" not in _line(trace, cue)]
    cues = {cue.number for cue in first[3:7]}  # of the first lap, up to its step
    assert not {each.text for each in scene.drawn if each.cue in cues and "%" in each.text}
    measured = next(cue for cue in scene.cues[5:] if "right" in _line(trace, cue))
    told = {each.text for each in scene.drawn if each.cue == measured.number}
    assert f"{round(100 * names['right'].item())}%" in told


def _line(trace: Trace, cue: Cue) -> str:
    return next(each.text for each in trace.cells[0].statements if each.number == cue.statement)


def test_what_runs_between_later_laps_does_not_come_after_the_last(tmp_path: Path) -> None:
    scene = play_cell(_cell(tmp_path, "epochs", EPOCHS), "epochs")
    assert scene.cues[-1].laps == 12 * 4 - 3
    printed = [each for each in scene.drawn if each.source == "printed"]
    assert {each.cue for each in printed} == {scene.cues[-1].number}
    told = [*dict.fromkeys(each.text.partition(":")[0] for each in printed)]
    assert told[-1] == "11"
    assert told == sorted(told, key=int)


def test_weights_change_in_the_lap_that_steps(tmp_path: Path) -> None:
    """A step in every second lap changes the weights in the second lap, not in the first."""
    trace = _cell(tmp_path, "summed", SUMMED).of_cell("summed")
    training = training_of(trace)
    assert training is not None
    assert [lap for lap, _ in versions_of(trace, training, training.learners[0])][:2] == [0, 2]
    scene = play_cell(_cell(tmp_path, "summed", SUMMED), "summed", "film")
    assert scene.warnings == []
    first = next(each.cue for each in scene.drawn if each.source == "setting")
    assert scene.cues[first - 1].statement == 8


@pytest.mark.parametrize(("forgets", "passes"), [(False, {1}), (True, {1, 2, 3})])
def test_passes_that_add_up_are_drawn_as_more_arrows(
    tmp_path: Path, forgets: bool, passes: set[int]
) -> None:
    lines = HASTE.format(kind="Adam", rate=0.001)
    lines = lines.replace("    optimizer.zero_grad()\n", "") if forgets else lines
    arrows: dict[int, int] = {}
    pink = [*THEMES["dark"].grad, 1.0]

    class Watched(LessonScene):
        def wait(self, *args: Any, **kwargs: Any) -> None:
            for ring in (each for each in self.mobjects if isinstance(each, TrainingRing)):
                if ring.moment.lit == BACKWARD and not ring.moment.emptied:
                    parts = [part for part in ring.get_family() if isinstance(part, VMobject)]
                    shown = [part for part in parts if not isinstance(part, Label)]
                    heads = [np.allclose(np.array(part.fill_rgbas)[0], pink) for part in shown]
                    arrows[ring.moment.passes] = sum(heads) - 2  # a disc, the arrow into the card
            super().wait(*args, **kwargs)

    scene = play_cell(_cell(tmp_path, "heap", lines), "heap", kind=Watched)
    assert scene.warnings == []
    assert arrows == {each: each for each in passes}


CALLED = """net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
adam = torch.optim.Adam(net.parameters(), lr=0.01)

def train_step(inputs):
    adam.zero_grad()
    loss = net(inputs).square().mean()
    loss.backward()
    norms.append(torch.cat([each.grad.flatten() for each in net.parameters()]).norm().item())
    nn.utils.clip_grad_norm_(net.parameters(), 0.01)
    norms.append(torch.cat([each.grad.flatten() for each in net.parameters()]).norm().item())
    adam.step()
    return loss.item()

norms, told = [], []
for epoch in range(40):
    told.append(train_step(x))
print("end", len(told))
"""


@pytest.mark.parametrize("board", ["page", "film"])
def test_a_step_in_a_function_that_a_loop_calls_is_in_the_ring(tmp_path: Path, board: str) -> None:
    """Replays it: in each lap the gradient is told as the pass left it, then as it was clipped."""
    trace = _cell(tmp_path, "called", CALLED)
    training = training_of(trace.of_cell("called"))
    assert training is not None
    names: dict[str, Any] = {}
    exec(SETUP + CALLED, names)
    assert training.laps == 40
    (loss,) = training.losses
    assert trace.series[loss].name == "loss"
    assert points_of(trace, loss)[:, 1].tolist() == pytest.approx(names["told"], rel=1e-6)
    scene = play_cell(trace, "called", board)
    assert scene.warnings == []
    assert [cue.laps for cue in scene.cues if cue.laps > 1] == [37]
    told: dict[int, list[str]] = {1: [], 2: [], 3: []}
    for cue in scene.cues:
        lap = next(
            (d.index[1] for d in scene.drawn if d.cue == cue.number and d.source == "lap"), 0
        )
        norms = [d.text for d in scene.drawn if d.cue == cue.number and d.source == "norm"]
        told[lap] = [*dict.fromkeys([*told[lap], *norms])] if lap in told else []
    for lap in (1, 2, 3):
        left, clipped = names["norms"][2 * lap - 2 : 2 * lap]
        assert left > 10 * clipped
        assert told[lap] == [norm_text(left), norm_text(clipped)]
    last = {each.text for each in scene.drawn if each.cue == scene.cues[-1].number}
    assert "end 40" in last


def test_a_loss_is_no_share_and_a_learning_rate_is_none() -> None:
    random = np.random.default_rng(0)
    losses: Any = np.sort(random.uniform(0.1, 1.0, 30))[::-1]
    right = np.minimum(np.arange(30) * 3, 64).astype(np.float64)
    assert _are_shares(right / 64)
    assert _are_shares(np.asarray((right / 97).astype(np.float32), dtype=np.float64))
    assert _are_shares(np.cumsum(right) / (np.arange(1, 31) * 64))
    assert not _are_shares(losses)
    assert not _are_shares(losses[::-1])
    assert not _are_shares(losses[::-1].astype(np.float32).astype(np.float64))
    assert not _are_shares(np.array([0.1, 0.05, 0.025]))
    assert not _are_shares(np.full(3, 0.5))
    assert not _are_shares(np.array([0.5, 1.5]))


STEPPED = """model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

def train():
    for part in x.split(3):
        with torch.autocast("cpu", enabled=False):
            loss = model(part).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

def measured():
    with torch.no_grad():
        return model(x).square().mean().item()

def fit(epochs):
    for epoch in range(epochs):
        train()
        print(f"epoch {epoch}: {measured():.4f}")

fit(5)
"""


def test_laps_are_told_as_they_were_in_blocks_and_functions(tmp_path: Path) -> None:
    """Nor does an epoch's measuring come after the curve of all epochs; what it printed does."""
    trace = _cell(tmp_path, "stepped", STEPPED)
    scene = play_cell(trace, "stepped", "film")
    assert scene.warnings == []
    laps: dict[str, list[str]] = {}
    for cue in scene.cues:
        told = [d.text for d in scene.drawn if d.cue == cue.number and d.source == "lap"]
        if told and cue.laps == 1:
            laps.setdefault(_line(trace.of_cell("stepped"), cue), []).append(told[-1])
    each = ["1/20", "2/20", "3/20"]
    assert laps["loss = model(part).square().mean()"] == laps["loss.backward()"] == each
    assert scene.cues[-1].laps == 17
    counted = [d.text for d in scene.drawn if d.source == "plain"]
    assert {"epoch", "0"} <= {*counted}
    assert "epochs" not in counted
    names: dict[str, Any] = {}
    exec(SETUP + STEPPED, names)
    printed = [d.text for d in scene.drawn if d.source == "printed"]
    assert printed[-1] == f"epoch 4: {names['measured']():.4f}"


TURNS = """first, second = nn.Linear(4, 4), nn.Linear(4, 1)
one = torch.optim.SGD(first.parameters(), lr=0.1)
other = torch.optim.SGD(second.parameters(), lr=0.1)
for lap in range(20):
    judged = second(first(x).detach()).square().mean()
    other.zero_grad()
    judged.backward()
    other.step()
    fooled = (second(first(x)) - 1).square().mean()
    one.zero_grad()
    fooled.backward()
    one.step()
"""


def test_on_film_two_losses_have_a_curve_each_beside_the_ring(tmp_path: Path) -> None:
    trace = _cell(tmp_path, "rivals", TURNS)
    series = trace.of_cell("rivals").series
    curves: list[dict[str, Any]] = []

    class Watched(LessonScene):
        def wait(self, *args: Any, **kwargs: Any) -> None:
            there = [part for each in self.mobjects for part in each.get_family()]
            if any(isinstance(part, TrainingRing) for part in there):
                of = [part for part in there if isinstance(part, LossCurve)]
                curves.append(
                    {series[each.number].name: each.told and each.told.text for each in of}
                )
            super().wait(*args, **kwargs)

    scene = play_cell(trace, "rivals", "film", kind=Watched)
    assert scene.warnings == []
    names: dict[str, Any] = {}
    exec(SETUP + TURNS, names)
    last = {name: norm_text(names[name].item()) for name in ("judged", "fooled")}
    assert all(each.keys() == last.keys() for each in curves)
    assert curves[-1] == last
    assert {"judged": norm_text(_first(trace, "judged")), "fooled": None} in curves


def _first(trace: Trace, name: str) -> float:
    part = trace.of_cell("rivals")
    (number,) = [at for at, each in enumerate(part.series) if each.name == name]
    return float(points_of(part, number)[0, 1])


def test_a_loss_without_a_name_has_its_curve(tmp_path: Path) -> None:
    """It goes by what is called for it, and the last lap's stands beside the last lap."""
    lines = HASTE.format(kind="SGD", rate=0.05).replace("range(4)", "range(30)")
    lines = lines.replace("    loss = F.cross_entropy(model(x), targets)\n", "")
    lines = lines.replace("loss.backward()", "F.cross_entropy(model(x), targets).backward()")
    scene = play_cell(_cell(tmp_path, "unnamed", lines), "unnamed", "film")
    assert scene.warnings == []
    last = [each for each in scene.drawn if each.cue == scene.cues[-1].number]
    assert "30/30" in {each.text for each in last}
    values = [scene.trace.tensor(each.tensor or 0) for each in last if each.source == "value"]
    assert all(each.shape for each in values)  # of the weights, not a loss of another lap
    named = HASTE.format(kind="SGD", rate=0.05).replace("range(4)", "range(30)")
    names: dict[str, Any] = {}
    exec(SETUP + named, names)
    assert {each.text for each in last if each.source == "series"} >= {
        norm_text(names["loss"].item())
    }
    assert "F.cross_entropy(…)" in {each.text for each in scene.drawn}


ALONE = """line = nn.Linear(1, 1)
sgd = torch.optim.SGD(line.parameters(), lr=0.1)
for lap in range(30):
    sgd.zero_grad()
    loss = (line(x[:, :1]) - 2 * x[:, :1]).square().mean()
    loss.backward()
    sgd.step()
    weights.append(line.weight.item())
"""


@pytest.mark.parametrize("board", ["page", "film"])
def test_a_weight_of_one_number_is_written_below_the_curve(tmp_path: Path, board: str) -> None:
    """Replays it: what is written on the tile, and in the card of the step, is the weight."""
    lines = ALONE.replace("    weights.append(line.weight.item())\n", "")
    scene = play_cell(_cell(tmp_path, "alone", lines), "alone", board)
    assert scene.warnings == []
    names: dict[str, Any] = {"weights": []}
    exec(SETUP + ALONE, names)
    last = [each for each in scene.drawn if each.cue == scene.cues[-1].number]
    assert {f"{names['weights'][-1]:.2f}"} == {
        each.text.replace(MINUS, "-") for each in last if each.source == "value"
    }
    assert "weight" in {each.text for each in last if each.source == "name"}
    weights = {f"{each:.2f}" for each in names["weights"][:3]}
    told = {each.text.replace(MINUS, "-") for each in scene.drawn if each.source == "reach"}
    assert weights & told
