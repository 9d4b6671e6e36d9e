"""Convolution and pooling: each window that is told is the one that PyTorch reads for its cell."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.stage.conftest import play_cell, write_cells
from tests.stage.test_director import _reads_as
from torchreel.records import Step, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.facts import Facts
from torchreel.stage.line import Part
from torchreel.stage.ops.geometry import entries_of
from torchreel.stage.rim import Rim
from torchreel.stage.seen import index_of
from torchreel.stage.stage import Stage
from torchreel.tracer import trace_script

HEAD = "import torch\nimport torch.nn.functional as F\n"
CELLS = {
    "conv": "x = torch.arange(36.0).reshape(1, 1, 6, 6).sin()\n"
    "w = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])\ny = F.conv2d(x, w)",
    "channels": "x = torch.arange(64.0).reshape(2, 2, 4, 4).sin()\n"
    "w = torch.arange(24.0).reshape(3, 2, 2, 2).cos()\nb = torch.tensor([0.5, 0.0, -0.5])\n"
    "y = F.conv2d(x, w, b, stride=2)",
    "padded": "x = torch.arange(16.0).reshape(1, 1, 4, 4)\n"
    "w = torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]])\ny = F.conv2d(x, w, padding=1)",
    "dilated": "x = torch.arange(25.0).reshape(1, 5, 5)\nw = torch.ones(1, 1, 2, 2)\n"
    "y = F.conv2d(x, w, dilation=2)",
    "grouped": "x = torch.arange(32.0).reshape(1, 2, 4, 4).sin()\n"
    "w = torch.arange(8.0).reshape(2, 1, 2, 2).cos()\ny = F.conv2d(x, w, groups=2)",
    "row": "x = torch.arange(6.0).reshape(1, 1, 6)\nw = torch.tensor([[[1.0, 2.0, -1.0]]])\n"
    "b = torch.tensor([0.25])\ny = F.conv1d(x, w, b, padding=1)",
    "max": "x = torch.arange(16.0).reshape(1, 1, 4, 4).sin()\ny = F.max_pool2d(x, 2)",
    "mean": "x = torch.arange(32.0).reshape(1, 2, 4, 4).sin()\ny = F.avg_pool2d(x, 2)",
    "padded_mean": "x = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)\n"
    "y = F.avg_pool2d(x, 2, stride=2, padding=1)",
    "row_mean": "x = torch.arange(8.0).reshape(1, 1, 8)\ny = F.avg_pool1d(x, 2)",
    "adaptive": "x = torch.arange(25.0).reshape(1, 1, 5, 5)\ny = F.adaptive_avg_pool2d(x, 2)",
    "large": "x = torch.rand(1, 1, 28, 28)\ny = F.max_pool2d(x, 2)",
    "picture": "x = torch.arange(784.0).sin().reshape(1, 1, 28, 28)\n"
    "w = torch.arange(9.0).cos().reshape(1, 1, 3, 3)\nb = torch.tensor([0.5])\n"
    "y = F.conv2d(x, w, b, padding=(1, 2))",
    "picture_strided": "x = torch.arange(784.0).sin().reshape(1, 1, 28, 28)\n"
    "w = torch.arange(9.0).cos().reshape(1, 1, 3, 3)\n"
    "y = F.conv2d(x, w, None, 2, padding=1, dilation=2)",
    "none": "x = torch.rand(0, 1, 4, 4)\ny = F.max_pool2d(x, 2)",
}
CONVOLVED = ("conv", "channels", "padded", "dilated", "grouped", "row")
POOLED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "max": torch.max,
    "mean": torch.mean,
    "row_mean": torch.mean,
    "adaptive": torch.mean,
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    script = write_cells(tmp_path_factory.mktemp("windows"), CELLS, HEAD)
    return trace_script(script, root=script.parent)


@functools.cache
def _scope(cell: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(HEAD + CELLS[cell], scope)
    return scope


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[list[Part]]:
    """The lines that are written of windows while a cell plays."""
    found: list[list[Part]] = []
    write = Stage.write_line

    def written(self: Stage, parts: list[Part], *run_time: float) -> Any:
        found.extend([parts] if "y" in self.names else [])
        return write(self, parts, *run_time)

    monkeypatch.setattr(Stage, "write_line", written)
    return found


def _elements(
    scene: LessonScene, line: list[Part], scope: dict[str, Any]
) -> list[tuple[str, tuple[int, ...], float]]:
    """Return the elements of a line: name, index and PyTorch's value."""
    named = {record: name for name, record in scene.stage.names.items()}
    found = []
    for part in line:
        if isinstance(part, tuple):
            block, element = part
            name, index = named[block.record.id], index_of(block.record, element)
            found.append((name, index, scope[name][index].item()))
    return found


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_number_is_one_that_torch_holds(trace: Trace, cell: str, artboard: str) -> None:
    scene, scope = play_cell(trace, cell, artboard), _scope(cell)
    assert scene.warnings == []
    assert scene.stage.blocks[-1].pose.shown.all()
    named = {record: name for name, record in scene.stage.names.items()}
    for drawn in scene.drawn:
        if drawn.source == "value" and drawn.tensor in named and cell not in ("large", "none"):
            assert _reads_as(drawn.text, scope[named[drawn.tensor]][drawn.index].item())
        elif drawn.source == "sign":
            assert not any(each.isdigit() for each in drawn.text)


def test_what_is_all_of_a_tensor_goes_by_its_name(trace: Trace) -> None:
    scene = play_cell(trace, "conv", "film")
    family = [part for block in scene.stage.blocks for part in block.title.get_family()]
    titles = [part.text for part in family if isinstance(part, Label)]
    assert "".join(titles) == "x(1, 1, 6, 6)w(1, 1, 3, 3)y(1, 1, 4, 4)"


@pytest.mark.parametrize("cell", CONVOLVED)
def test_the_products_are_those_of_the_window(
    trace: Trace, cell: str, lines: list[list[Part]]
) -> None:
    scene, scope = play_cell(trace, cell, "film"), _scope(cell)
    x, w, y = scope["x"].clone().requires_grad_(), scope["w"], scope["y"]
    call = CELLS[cell].splitlines()[-1].removeprefix("y = ")
    reads = eval(call, {"F": functional, **scope, "x": x, "w": torch.ones_like(w)})
    assert len(lines) == 3, "two at first, and the last"
    for line in lines:
        *terms, (name, index, made) = _elements(scene, line, scope)
        assert name == "y"
        assert made == y[index].item()
        (window,) = torch.autograd.grad(reads[index], x, retain_graph=True)
        inputs = [at for name, at, _ in terms if name == "x"]
        assert all(window[at] == 1 for at in inputs), "no element is told that is not read"
        values = [value for name, _, value in terms if name != "b"]
        total = sum(a * b for a, b in zip(values[::2], values[1::2], strict=True))
        total += sum(value for name, _, value in terms if name == "b")
        if "…" not in line:
            assert len(inputs) == int(window.sum())
            assert total == pytest.approx(made, abs=1e-4)


@pytest.mark.parametrize("cell", POOLED)
def test_what_is_pooled_is_the_window(trace: Trace, cell: str, lines: list[list[Part]]) -> None:
    scene, scope = play_cell(trace, cell, "film"), _scope(cell)
    assert len(lines) == 3, "two at first, and the last"
    for line in lines:
        *terms, (_, index, made) = _elements(scene, line, scope)
        assert made == scope["y"][index].item()
        if "…" not in line:
            told = POOLED[cell](torch.tensor([value for _, _, value in terms]))
            assert told.item() == pytest.approx(made)


def test_no_line_is_written_whose_numbers_make_another_result(
    trace: Trace, lines: list[list[Part]]
) -> None:
    """A mean that counts zeros of the padding is not the mean of what the window reads."""
    play_cell(trace, "padded_mean", "film")
    assert lines == []


def _last_step(trace: Trace) -> Step:
    return next(step for step in reversed(trace.steps) if "conv" in step.op)


@pytest.mark.parametrize("cell", ["conv", "padded", "row"])
def test_windows_by_definition_are_those_that_were_measured(trace: Trace, cell: str) -> None:
    own = trace.of_cell(cell)
    step = _last_step(own)
    known, found = own.feeds(step.number), entries_of(Facts(own), step)
    assert known is not None
    assert found is not None
    assert {*map(tuple, found.tolist())} == {*map(tuple, known[0].astype(int).tolist())}


@pytest.mark.parametrize("cell", ["picture", "picture_strided"])
def test_the_windows_of_a_picture_are_what_torch_reads(trace: Trace, cell: str) -> None:
    own, scope = trace.of_cell(cell), _scope(cell)
    step = _last_step(own)
    assert own.feeds(step.number) is None
    entries = entries_of(Facts(own), step)
    assert entries is not None
    x, y = scope["x"].clone().requires_grad_(), scope["y"]
    call = CELLS[cell].splitlines()[-1].removeprefix("y = ")
    ones = torch.ones_like(scope["w"])
    reads = eval(call, {"F": functional, **scope, "x": x, "w": ones}).ravel()
    for place in (0, y.shape[-1] - 1, y.numel() // 2, y.numel() - 1):
        (window,) = torch.autograd.grad(reads[place], x, retain_graph=True)
        mine = entries[(entries[:, 0] == place) & (entries[:, 1] == 0), 2]
        assert sorted(mine.tolist()) == window.ravel().nonzero().ravel().tolist()


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_window_walks_over_a_picture_and_tells_two_places(
    trace: Trace, artboard: str, lines: list[list[Part]]
) -> None:
    scene, scope = play_cell(trace, "picture", artboard), _scope("picture")
    assert len(lines) == 2
    for line in lines:
        *terms, (name, index, made) = _elements(scene, line, scope)
        assert (name, made) == ("y", scope["y"][index].item())
        assert terms


@pytest.mark.parametrize(("cell", "slots"), [("padded", 20), ("picture", 1), ("conv", 0)])
def test_padding_is_an_empty_rim(trace: Trace, cell: str, slots: int) -> None:
    scene = play_cell(trace, cell, "film")
    rims = [each for each in scene.mobjects if isinstance(each, Rim)]
    assert [len(each.submobjects) for each in rims] == [slots] * (slots > 0)
