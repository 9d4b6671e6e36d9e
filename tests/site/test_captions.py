"""What pages quote and say of real runs: modules, training, errors, plain values, devices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
import torch

from torchreel.records import Cue, TorchReelError, Trace
from torchreel.site.captions import loop_caption, statement_caption
from torchreel.site.code import code
from torchreel.site.facts import quote
from torchreel.site.literals import data_text
from torchreel.site.payload import payload
from torchreel.site.references import Moment, Target
from torchreel.site.statements import last_run
from torchreel.site.words import ENGLISH, JAPANESE, Words
from torchreel.tracer import trace_script

TRAIN = """\
x = torch.arange(8.0).reshape(4, 2)
t = torch.tensor([0, 1, 1, 0])
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(6):
    optimizer.zero_grad()
    y = model(x)
    loss = loss_function(y, t)
    loss.backward()
    optimizer.step()
accuracy = (model(x).argmax(1) == t).float().mean().item()
print(f"right: {accuracy:.0%}")
name = "a net"
"""
ERROR = """\
a = torch.ones(2, 3)
try:
    a @ a
except RuntimeError as error:
    print(error)
a.add_(1)
b = a.double()
c = a.to("meta")
most = a.max(dim=1)
array = a.numpy()
n = a.sum().item()
d = a + torch.zeros(3)
"""
BY_HAND = """\
with torch.no_grad():
        for each in model.parameters():
            each -= 0.05 * each.grad"""
HEAD = "import torch\nfrom torch import nn\n\ntorch.manual_seed(3)\n\n"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("captions")
    script = folder / "script.py"
    script.write_text(f"{HEAD}# %% train\n{TRAIN}\n# %% error\n{ERROR}")
    return trace_script(script, root=folder)


@pytest.fixture(scope="module")
def untraced() -> dict[str, object]:
    """What the training leaves without the tracer, with its losses."""
    scope: dict[str, object] = {"losses": []}
    exec(
        HEAD + TRAIN.replace("optimizer.step()", "optimizer.step(); losses.append(loss.item())"),
        scope,
    )
    return scope


def said(trace: Trace, text: str, cell: str = "train") -> str:
    target = Target(None, None, text.partition(" |")[0], format=text.partition("| ")[2])
    return quote(trace, Moment("script.py", cell), target, "page:1")


def test_numbers_of_a_training_are_quoted(trace: Trace, untraced: dict[str, object]) -> None:
    losses, model = untraced["losses"], untraced["model"]
    assert isinstance(losses, list)
    assert isinstance(model, torch.nn.Sequential)
    assert said(trace, "loss.first") == f"{losses[0]:.4g}"
    assert said(trace, "loss.last | .6f") == f"{losses[-1]:.6f}"
    assert said(trace, "loss.min") == f"{min(losses):.4g}"
    assert said(trace, "loss.max") == f"{max(losses):.4g}"
    assert said(trace, "loss.laps") == "6"
    assert said(trace, "loss | .5f") == f"{losses[-1]:.5f}"
    assert said(trace, "accuracy") == str(untraced["accuracy"])
    assert said(trace, "accuracy.value | .0%") == format(untraced["accuracy"], ".0%")
    assert said(trace, "name") == "a net"
    assert said(trace, "epoch") == "5"
    assert said(trace, "printed") == f"right: {untraced['accuracy']:.0%}"


def test_the_optimizer_of_a_training_is_quoted(trace: Trace) -> None:
    assert said(trace, "optimizer.kind") == "SGD"
    assert said(trace, "optimizer.lr") == "0.05"
    assert said(trace, "optimizer.lr | .0%") == "5%"
    assert said(trace, "optimizer.nesterov") == "False"
    with pytest.raises(TorchReelError, match="an optimizer has no 'mood' that can be quoted"):
        said(trace, "optimizer.mood")
    with pytest.raises(TorchReelError, match="no optimizer has stepped at the end of cell 'error'"):
        said(trace, "optimizer.lr", "error")


def test_modules_and_their_parameters_are_quoted(trace: Trace, untraced: dict[str, object]) -> None:
    model = untraced["model"]
    assert isinstance(model, torch.nn.Sequential)
    assert said(trace, "model.0.weight.shape") == "(3, 2)"
    bias = model.state_dict()["2.bias"]
    assert said(trace, "model.2.bias.data") == data_text(bias.numpy())
    assert said(trace, "model.0.kind") == "Linear"
    assert said(trace, "model.0.detail") == "in_features=2, out_features=3, bias=True"
    assert said(trace, "model.numel") == str(sum(each.numel() for each in model.parameters()))


def test_what_laps_that_were_left_out_may_have_changed_is_not_quoted(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    lines = TRAIN.split("accuracy")[0].replace("range(6)", "(lap for lap in range(9))")
    lines = lines.replace("optimizer.step()", BY_HAND)
    script.write_text(f"{HEAD}w = torch.ones(2, requires_grad=True)\n# %% train\n{lines}")
    left = trace_script(script, root=tmp_path)
    for text in ("model.0.weight.data", "model.0.bias.grad"):
        with pytest.raises(TorchReelError, match="the trace does not know"):
            said(left, text)
    assert said(left, "model.0.weight.shape") == "(3, 2)"
    assert said(left, "loss.laps") == "9"


@pytest.mark.parametrize("laps", ["range(9)", "(lap for lap in range(9))"])
def test_what_the_last_step_of_an_optimizer_left_is_quoted(tmp_path: Path, laps: str) -> None:
    script = tmp_path / "script.py"
    lines = TRAIN.split("accuracy")[0].replace("range(6)", laps)
    script.write_text(f"{HEAD}# %% train\n{lines}")
    names: dict[str, object] = {}
    exec(script.read_text(), names)  # the oracle: torch without the tracer
    model = names["model"]
    assert isinstance(model, torch.nn.Sequential)
    bias = model.state_dict()["0.bias"]
    quoted = said(trace_script(script, root=tmp_path), "model.0.bias.data")
    assert quoted == data_text(bias.numpy())


def test_the_environment_and_errors_are_quoted(trace: Trace) -> None:
    assert said(trace, "environment.torch") == torch.__version__
    assert said(trace, "environment.device") == "cpu"
    assert said(trace, "environment.seed") == "3"
    with pytest.raises(RuntimeError) as raised:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert said(trace, "error.type", "error") == "RuntimeError"
    assert said(trace, "error.message", "error") == str(raised.value)


CAPTIONS = {
    ("train", 3): (
        "Sequential makes 0.weight (3, 2), 0.bias (3,), 2.weight (2, 3) and 2.bias (2,).",
        "Sequential で 0.weight (3, 2)、0.bias (3,)、2.weight (2, 3) と 2.bias (2,) ができます。",
    ),
    ("train", 7): ("zero_grad empties the gradients.", "zero_grad で勾配を空にします。"),
    ("train", 8): (
        "model makes y (4, 2) from x (4, 2), through Linear, ReLU, Linear.",
        "model で、x (4, 2) が Linear、ReLU、Linear を通って y (4, 2) になります。",
    ),
    ("train", 9): (
        "loss_function makes loss () from y (4, 2) and t (4,).",
        "loss_function で、y (4, 2) と t (4,) から loss () ができます。",
    ),
    ("train", 11): (
        "SGD changes 4 parameters a little (lr 0.05).",
        "SGD が 4 個のパラメータを少しだけ動かします（lr 0.05）。",
    ),
    ("error", 5): (
        "add_ writes into a; its shape stays (2, 3).",
        "add_ が a を直接書きかえます。形は (2, 3) のままです。",
    ),
    ("error", 6): (
        "double turns float32 numbers into float64.",
        "double で、数の型が float32 から float64 に変わります。",
    ),
    ("error", 7): ("to moves c from cpu to meta.", "to で、c が cpu から meta へ移ります。"),
    ("error", 8): (
        "max makes a tensor (2,) and a tensor (2,) from a (2, 3).",
        "max で、a (2, 3) から (2,) のテンソルと (2,) のテンソルができます。",
    ),
    ("error", 9): ("numpy reads a (2, 3).", "numpy が a (2, 3) を読みます。"),
    ("error", 10): (
        "sum makes a tensor () from a (2, 3). n is 12.0.",
        "sum で、a (2, 3) から () のテンソルができます。n は 12.0 です。",
    ),
    ("error", 11): (
        "zeros makes a tensor (3,). + makes d (2, 3) from a (2, 3) and a tensor (3,).",
        "zeros で (3,) のテンソルができます。"
        "+ で、a (2, 3) と (3,) のテンソルから d (2, 3) ができます。",
    ),
}


@pytest.mark.parametrize(("cell", "statement"), CAPTIONS)
def test_a_statement_is_told_in_both_languages(trace: Trace, cell: str, statement: int) -> None:
    run = last_run(trace, trace.cell(cell), statement)
    assert run
    told = tuple(statement_caption(trace, run, words) for words in (ENGLISH, JAPANESE))
    assert told == CAPTIONS[cell, statement]


def test_a_backward_pass_names_root_and_leaves(trace: Trace) -> None:
    run = last_run(trace, trace.cell("train"), 10)
    assert run
    told = statement_caption(trace, run, ENGLISH)
    assert told.startswith("backward() goes from loss back along the graph and adds to .grad of ")
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        assert name in told
    assert "loss からグラフを逆にたどり" in statement_caption(trace, run, JAPANESE)


def test_an_error_is_told_with_its_message(trace: Trace) -> None:
    run = last_run(trace, trace.cell("error"), 3)
    assert run
    message = "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"
    assert statement_caption(trace, run, ENGLISH) == f"@ raises RuntimeError: {message}"
    assert statement_caption(trace, run, JAPANESE).endswith(f"RuntimeError が起きます：{message}")


def test_a_loop_is_told_with_its_laps_and_where_its_numbers_went(
    trace: Trace, untraced: dict[str, object]
) -> None:
    losses = untraced["losses"]
    assert isinstance(losses, list)
    went = (f"{losses[0]:.4g}", f"{losses[-1]:.4g}")
    english = loop_caption(trace, "train", 6, ENGLISH)
    assert english.startswith("The loop runs 6 laps.")
    assert f"loss goes from {went[0]} to {went[1]}." in english
    assert f"loss は {went[0]} から {went[1]} になります。" in loop_caption(
        trace, "train", 6, JAPANESE
    )


def test_a_loop_of_one_lap_runs_one_lap(trace: Trace) -> None:
    once = replace(trace, loops=tuple(replace(each, laps=1) for each in trace.loops))
    assert loop_caption(once, "train", 6, ENGLISH).startswith("The loop runs 1 lap. ")
    assert loop_caption(once, "train", 6, JAPANESE).startswith("ループが 1 周します。")


def test_an_optimizer_of_one_parameter_changes_one_parameter(trace: Trace) -> None:
    (first, *_) = trace.optimizers
    alone = replace(trace, optimizers=(replace(first, updates=first.updates[:1]),))
    run = replace(trace.runs[0], steps=(first.step,))
    assert statement_caption(alone, run, ENGLISH) == "SGD changes 1 parameter a little (lr 0.05)."


def test_a_plain_value_is_told(trace: Trace) -> None:
    run = last_run(trace, trace.cell("train"), 12)
    assert run
    assert f"accuracy is {run.plain['accuracy']}." in statement_caption(trace, run, ENGLISH)


HOOKED = """\
optimizer.register_step_post_hook(measure)
for lap in range(2):
    optimizer.zero_grad()
    y = model(x)
    loss = y.square().mean()
    loss.backward()
    optimizer.step()
"""
UNSEEN = """\
x = torch.arange(8.0).reshape(4, 2)
model = nn.Linear(2, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)


def measure(*_):
    global hidden, counted
    hidden = model(x).detach().mean()
    counted = 7


"""


def test_a_name_that_no_shown_code_has_is_not_listed(tmp_path: Path) -> None:
    """What a hook sets is quoted where a page asks for it, and stands beside no line."""
    (tmp_path / "script.py").write_text(f"{HEAD}{UNSEEN}# %% hooked\n{HOOKED}")
    trace = trace_script(tmp_path / "script.py", root=tmp_path)
    cell = trace.cell("hooked")
    step = next(each.number for each in cell.statements if "step()" in each.text)
    run = next(each for each in trace.runs if each.statement == step)
    assert "hidden" in run.changed
    assert "counted" in run.plain
    told = payload(trace, cell, Cue(1, 0.0, 1.0, step))
    names = {each["name"] for each in told["vars"]} | {*told["changed"]}
    assert names >= {"x", "y", "loss"}
    assert names.isdisjoint({"hidden", "counted"})
    html = code(trace, cell, ENGLISH, lambda _: ())
    assert "loss&nbsp;()" in html
    assert "hidden" not in html


VIEWS = """import torch

# %% views
x = torch.arange(12)
v = x.view(3, 4)
w = v[1:]
y = x.clone()
v[1, 2] = 99
u = w + 1
"""


def test_beside_a_line_stands_what_it_names_or_writes(tmp_path: Path) -> None:
    """Names of memory that a line writes through one of them are one entry, of the line's name."""
    (tmp_path / "script.py").write_text(VIEWS)
    trace = trace_script(tmp_path / "script.py", root=tmp_path)
    cell = trace.cell("views")
    told = {
        each.text: payload(trace, cell, Cue(1, 0.0, 1.0, each.number)) for each in cell.statements
    }
    written = told["v[1, 2] = 99"]
    assert written["changed"] == ["v"]
    (only,) = written["vars"]
    assert (only["name"], only["sharing"]) == ("v", ["x", "w"])
    assert only["data"][1][2] == "99"
    assert [each["name"] for each in told["y = x.clone()"]["vars"]] == ["y", "x"]
    assert [each["name"] for each in told["u = w + 1"]["vars"]] == ["u", "w"]
    assert all("sharing" not in each for each in told["u = w + 1"]["vars"])


CAUGHT = """import torch

# %% caught
a = torch.ones(2, 3)
try:
    b = a @ a
except RuntimeError as error:
    print(error)
for row in (0, 1, 2):
    try:
        c = a[
            row
        ]
    except IndexError:
        pass
"""


@pytest.mark.parametrize("words", [ENGLISH, JAPANESE])
def test_a_line_that_raised_is_marked_and_says_what(tmp_path: Path, words: Words) -> None:
    (tmp_path / "script.py").write_text(CAUGHT)
    trace = trace_script(tmp_path / "script.py", root=tmp_path)
    cell = trace.cell("caught")
    a = torch.ones(2, 3)
    told = []
    calls: tuple[Callable[[], torch.Tensor], ...] = (lambda: a @ a, lambda: a[2])
    for call in calls:
        with pytest.raises((RuntimeError, IndexError)) as raised:
            call()
        told.append(f"{type(raised.value).__name__}: {raised.value}")
    html = code(trace, cell, words, lambda _: ())
    lines = re.findall(r'<span class="(tr-line[^"]*)" data-line="(\d+)"', html)
    assert [int(number) for kind, number in lines if "tr-failed" in kind.split()] == [3, 10]
    notes = re.findall(r'tr-spoken">([^<]*)</span>([^<]*)</span></span>', html)
    assert notes == [(f"{words.raises} ", escape(each)) for each in told]
    steps = {each.number: each.text.strip() for each in cell.statements}
    (number,) = [each for each, text in steps.items() if text.startswith("c = a[")]
    errors = [payload(trace, cell, Cue(1, 0, 1, number, lap=lap)).get("error") for lap in (1, 3)]
    assert errors == [None, told[1]]
