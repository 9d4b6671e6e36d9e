"""The curves of training loops: their numbers, and where guessing is on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.training.axis import Guess, below, crossed, scale_of
from torchreel.stage.training.facts import classes_of, training_of
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
    assert training.loss is not None
    classes = classes_of(own, training.loss)
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
    assert "log" not in {each.text for each in scene.drawn}


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
