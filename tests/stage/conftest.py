"""One script with many cells, traced once for all the tests of the stage."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from manim import Scene, tempconfig
from manim.renderer.cairo_renderer import CairoRenderer

from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.director import LessonScene
from torchreel.stage.frame import Parts
from torchreel.tracer import trace_script

CELLS = {
    "lesson": "x = torch.arange(12)\ny = x.reshape(3, 4)\nz = x.reshape(2, 2, 3)",
    "lesson2": "a = y.unsqueeze(0)\nb = a.squeeze(0)",
    "two_by_six": "x = torch.arange(12)\ny = x.reshape(2, 6)\nz = x.reshape(2, 2, 3)",
    "three_slices": "x = torch.arange(12)\nz = x.reshape(3, 2, 2)\ny = z.reshape(4, 3)",
    "four_slices": "x = torch.arange(24)\ny = x.reshape(4, 6)\nz = y.reshape(4, 2, 3)",
    "columns": "x = torch.arange(6)\ny = x.reshape(6, 1)\nz = x.reshape(1, 6)\nw = z.reshape(6)",
    "chain": "x = torch.arange(12).reshape(3, 4)\nf = x.flatten()",
    "wrapped": "y = torch.arange(12).reshape(3, 4)\na = y.unsqueeze(0)",
    "rows": "p = torch.arange(12).reshape(3, 4)",
    "row_frames": "a = p.unsqueeze(1)\nb = a.squeeze(1)",
    "cell_frames": "a = p.unsqueeze(-1)\nb = a.squeeze(-1)",
    "two_boxes": "x = torch.arange(5)\na = x.unsqueeze(0)\nb = a.unsqueeze(-1)\nc = b.squeeze()",
    "floats": "w = torch.linspace(-2, 2, 12).reshape(3, 4)\nr = w.relu()\nv = w.reshape(12)",
    "copy": "t = p.t()\nq = t.reshape(12)",
    "ranks": "s = torch.tensor(3.14)\nc = torch.zeros(2, 3, 4)\nd = torch.zeros(2, 2, 2, 2)",
    "many_ranks": "a = torch.tensor(3.14)\nb = torch.arange(3)\nc = torch.ones(3, 4)\n"
    "d = torch.zeros(3, 3, 4)\ne = torch.zeros(3, 2, 3, 3)",
    "bools": "m = torch.tensor([True, False])\nn = torch.tensor([float('nan'), float('inf'), 1.5])",
    "large": "x = torch.arange(1000)\ny = x.reshape(10, 100)\nu = y.unsqueeze(0)\nk = u.squeeze(0)",
    "empty": "e = torch.zeros(0, 3)\ng = e.reshape(3, 0)",
    "reused": "x = torch.ones(4)\nx = x.reshape(2, 2)\nx = torch.zeros(3)",
    "summed": "q = torch.arange(6.0).reshape(2, 3)\ns = q.sum(0)\nm = q.mean(dim=1, keepdim=True)",
    "arithmetic": "u = torch.tensor([1.0, 2.0, 3.0])\nv = u + 10\nw = u * v\nk = u > 1.5",
    "broadcast": "p = torch.tensor([[0], [10], [20]])\nq = torch.tensor([1, 2, 3, 4])\nr = p + q",
    "matmul": "A = torch.tensor([[1, 2, 0], [0, 1, 3]])\n"
    "B = torch.tensor([[2, 0, 1, 1], [1, 3, 0, 2], [0, 1, 2, 1]])\nC = A @ B",
    "transposed": "y = torch.arange(12).reshape(3, 4)\nt = y.T\nc = t.contiguous()",
    "turned_written": "y = torch.arange(12).reshape(3, 4)\nc = y.T.contiguous()\nc[0, 1] = 40\n"
    "d = c.view(3, 4)",
    "emptied": "x = torch.arange(6.0).reshape(2, 3)\ns = x.sum(0)\nx[0, 0] = 9\n"
    "s.zero_()\nx.fill_(2)",
    "transposed_narrow": "y = torch.arange(12).reshape(2, 6)\nt = y.T\nc = t.contiguous()",
    "picked": "x = torch.arange(12).reshape(3, 4)\nr = x[1]\nc = x[:, 1:3]\nv = x[x > 6]",
    "ranks_apart": "x = torch.arange(24)\nf = x.reshape(2, 2, 2, 3)",
    "joined": "f = torch.ones(2, 2)\ng = torch.zeros(2, 2)\n"
    "h = torch.cat([f, g])\nj = torch.stack([f, g])",
    "written": "x = torch.arange(12)\nv = x.view(3, 4)\nv[1, 3] = 99\nc = v.clone()\nc[0, 0] = -5",
    "copied": "x = torch.arange(12)\nv = x.view(3, 4)\nw = v.clone()\nx[5] = 7\nw[0, 0] = -5\n"
    "u = w.T\ns = w.sum(0)",
    "written_out": "x = torch.arange(3.0)\ny = torch.zeros(3)\ntorch.add(x, 1, out=y)\n"
    "z = torch.zeros(6)\ntorch.cat([x, x], out=z)",
    "scales": "a = torch.tensor([0.01, -0.02])\nb = torch.tensor([100.0, 200.0])\nc = a + b",
    "scaled": "u = torch.tensor([[1.0, -2.5], [0.5, 3.0]])\nv = 10 - u\nw = 2 * u\nx = u ** 2",
    "columns_added": "u = torch.arange(5)\nv = u * 3\nw = u + v\nk = u >= v",
    "one_number": "u = torch.arange(6).reshape(2, 3)\nt = torch.tensor(4)\nv = u * t\nw = t - u",
    "stretched": "u = torch.arange(4).reshape(2, 1, 2)\nt = torch.tensor([[10], [20], [30]])\n"
    "v = u + t",
    "not_numbers": "u = torch.tensor([float('nan'), float('inf'), 1.0])\nv = u * 2\n"
    "w = torch.maximum(u, v)",
    "squashed": "u = torch.tensor([[3.0, -1.0, 2.0], [0.5, 4.0, 1.0]])\na = u.sum(0)\n"
    "b = u.sum(dim=-1)\nc = u.mean(1, keepdim=True)\nd = u.max(dim=1).values\n"
    "e = u.argmax(0)\nf = u.sum()\ng = (u > 0).any(1)\nh = u.std()",
    "squashed_deep": "u = torch.arange(12).reshape(2, 2, 3)\na = u.sum((0, 2))\nb = u.prod(1)",
    "squashed_large": "u = torch.ones(40, 30)\na = u.sum(1)",
    "squashed_empty": "e = torch.zeros(0, 3)\nb = e.sum(0)\nm = e.sum()",
    "multiplied": "W = torch.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 0.0]])\n"
    "v = torch.tensor([2.0, 4.0])\na = W @ v\nb = v @ v\nc = v @ W.T",
    "batches": "A = torch.arange(12).reshape(2, 2, 3)\nB = torch.arange(12).reshape(2, 3, 2)\n"
    "C = torch.bmm(A, B)\nD = A @ B[0]",
    "layer": "W = torch.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 0.0]])\n"
    "x = torch.tensor([[2.0, 4.0]])\nb = torch.tensor([1.0, 2.0, 3.0])\n"
    "y = torch.nn.functional.linear(x, W, b)\nz = torch.nn.functional.linear(x, W)",
    "empty_product": "e = torch.zeros(0, 4)\nf = e @ torch.ones(4, 2)\n"
    "g = torch.zeros(2, 0) @ torch.zeros(0, 3)",
    "large_product": "W = torch.ones(60, 80)\nx = torch.ones(80, 20)\ny = W @ x",
    "nothing_added": "e = torch.zeros(0, 3)\ng = e + torch.ones(3)\nh = e * 2",
    "slabs_added": "u = torch.zeros(40, 50)\nv = u + torch.ones(50)\nw = u + v",
    "written_same": "k = torch.zeros(2, 3)\nk[0, 1] = 0",
    "sliced_write": "k = torch.arange(6).reshape(2, 3)\nn = k[:, 1:]\nn[0, 1] = 40\nk += 1",
    "turned": "b = torch.arange(24).reshape(2, 3, 4)\np = b.permute(2, 0, 1)\nq = p.contiguous()\n"
    "o = q.contiguous()",
    "turned_large": "b = torch.arange(600).reshape(20, 30)\nt = b.T\nc = t.clone()",
    "two_memories": "x = torch.arange(12)\ny = x.reshape(3, 4)\ns = y.sum(0)\nu = s * 2\n"
    "z = torch.zeros(6)\nw = z.view(2, 3)\ny[0, 0] = 7",
    "written_whole": "x = torch.arange(12)\ny = x.reshape(3, 4)\nz = y.reshape(2, 6)\nx += 1",
    "written_twice": "x = torch.arange(12)\ny = x.reshape(3, 4)\nx += 1\ny[1] = 0",
    "doubles": "p = torch.arange(12, dtype=torch.float64)\nq = p.view(3, 4)",
    "columns_asked": "x = torch.arange(12).reshape(3, 4)\nc = x[:, 1:3]",
    "row_asked": "x = torch.arange(12).reshape(3, 4)\nr = x[1]",
    "columns_then_sum": "x = torch.arange(12).reshape(3, 4)\nc = x[:, 1:3]\ns = x.sum(0)",
    "nothing_asked": "x = torch.arange(12).reshape(3, 4)\nn = x[3:]",
    "expanded": "p = torch.arange(4).reshape(4, 1)\nq = p.expand(4, 3)",
    "mask_asked": "x = torch.arange(12).reshape(3, 4)\nm = x % 5 > 2\nv = x[m]",
    "rows_asked": "x = torch.arange(12).reshape(3, 4)\ni = torch.tensor([2, 0])\np = x[i]",
    "gathered": "x = torch.arange(12).reshape(3, 4)\ni = torch.tensor([[0], [2], [1]])\n"
    "g = x.gather(1, i)",
    "one_element": "x = torch.arange(100, 220).reshape(2, 3, 4, 5)\ne = x[1, 2, 3, 4]\n"
    "t = x[1, 0].T\nf = t[2, 1]",
    "one_of_a_row": "x = torch.arange(12).reshape(3, 4)\ne = x[1, 2]\nr = x[1]",
    "long_name": "a_rather_long_name_for_a_tensor = torch.arange(12).reshape(3, 4)\n"
    "another_rather_long_name = a_rather_long_name_for_a_tensor.reshape(2, 6)",
}


def write_cells(folder: Path, cells: Mapping[str, str], head: str = "import torch\n") -> Path:
    """Write a script of these cells, and return its path."""
    script = folder / "script.py"
    body = "\n".join(f"# %% {name}\n{lines}\n" for name, lines in cells.items())
    script.write_text(f"{head}\n{body}")
    return script


@pytest.fixture(scope="session")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a script with all the cells above."""
    script = write_cells(tmp_path_factory.mktemp("stage"), CELLS)
    return trace_script(script, root=script.parent)


class _Blind(CairoRenderer):
    """Plays animations to their ends and draws nothing: what stands on stage is what is tested."""

    def update_frame(self, *_: Any, **__: Any) -> None:
        pass

    def save_static_frame_data(self, *_: Any, **__: Any) -> None:
        pass


class Watching(_Blind):
    """Draws nothing either, but looks at a few frames a second: ``seen`` is all that was written
    on them, each with the number of its cue."""

    RATE = 4

    def __init__(self) -> None:
        super().__init__(skip_animations=False)
        self.seen: dict[Drawn, None] = {}

    def update_frame(self, scene: Scene, *_: Any, **__: Any) -> None:
        """Look at this frame."""
        if isinstance(scene, LessonScene):
            self.look(scene)

    def look(self, scene: LessonScene) -> None:
        """Note what is written on a frame."""
        labels = Parts.of(scene.mobjects).labels
        assert all(each.source is not None and each.source.text == each.text for each in labels)
        for source in scene.sources_on_stage():
            self.seen[replace(source, cue=len(scene.cues) + 1)] = None


def play_cell(
    trace: Trace,
    cell: str,
    artboard: str = "page",
    theme: str = "dark",
    until: str | None = None,
    kind: type[LessonScene] = LessonScene,
    watching: Watching | None = None,
) -> LessonScene:
    """Play a cell of a trace, up to a line where one is given, without drawing any frame;
    ``kind`` is its scene. ``watching`` looks at frames between the ends of animations, too."""
    board = ARTBOARDS[artboard]
    options = {
        "dry_run": True,
        "frame_rate": 30 if watching is None else watching.RATE,
        "pixel_width": board.width // 4,
        "pixel_height": board.height // 4,
        "frame_height": 8.0,
        "frame_width": 8.0 * board.width / board.height,
        "progress_bar": "none",
        "verbosity": "ERROR",
    }
    with tempconfig(options):
        renderer = watching or _Blind(skip_animations=True)
        scene = (kind if until is None else _until(until))(
            trace.of_cell(cell), artboard, theme, renderer=renderer
        )
        scene.render()
    return scene


def _until(line: str) -> type[LessonScene]:
    class Partly(LessonScene):
        def construct(self) -> None:
            self.play_line(line)

    return Partly


Staged = Callable[..., LessonScene]


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """Return a function that plays a cell of the module's own ``CELLS``, once for each way."""
    head = getattr(request.module, "HEAD", "import torch\n")
    script = write_cells(tmp_path_factory.mktemp("played"), request.module.CELLS, head)
    return functools.cache(functools.partial(play_cell, trace_script(script, root=script.parent)))


@pytest.fixture(scope="session")
def staged(trace: Trace) -> Staged:
    """Return a function that plays a cell without drawing the frames between the lines."""
    return functools.partial(play_cell, trace)
