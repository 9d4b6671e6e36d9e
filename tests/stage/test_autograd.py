"""Autograd on stage: any graph that fits is drawn, and every number on it is PyTorch's own."""

from __future__ import annotations

import ast
import functools
import itertools
import random
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.stage.conftest import play_cell
from tests.stage.test_director import _reads_as
from torchreel.records import Backward, Drawn, Trace
from torchreel.stage import registry
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.colors import THEMES
from torchreel.stage.director import LessonScene
from torchreel.stage.graph.act import zone_of
from torchreel.stage.graph.diagram import (
    Diagram,
    befores,
    calls_around,
    common_call,
    is_leaf,
    ops_of,
    waves,
)
from torchreel.stage.graph.fold import compose, foldings
from torchreel.stage.graph.placement import COLUMNS, Placed, factor_text
from torchreel.stage.graph.tree import GraphTree
from torchreel.stage.numerals import MINUS
from torchreel.tracer import trace_script

Play = Callable[..., LessonScene]


def _random_lines(seed: int, ops: int) -> str:
    """Return a script of scalar ops that use values of before, some of them twice."""
    dice = random.Random(seed)
    lines = ["v0 = torch.tensor(0.5, requires_grad=True)"]
    lines += ["v1 = torch.tensor(-1.5, requires_grad=True)"]
    for number in range(2, ops + 2):
        one, other = dice.sample(range(max(0, number - 4), number), 2)
        op = dice.choice(["v{} * v{}", "v{} + v{}", "v{}.sin() + v{}", "v{}.tanh() * v{}"])
        lines.append(f"v{number} = {op.format(one, other)}")
    return "\n".join([*lines, f"v{ops + 1}.backward()"])


CELLS = {
    "lesson": "x = torch.tensor([2.0, 3.0], requires_grad=True)\n"
    "y = x * 3\nz = y.sum()\nz.backward()\nprint(x.grad)",
    "paths": "x = torch.tensor(3.0, requires_grad=True)\n"
    "a = x * 2\nb = x**2\ny = a + b\ny.backward()\nprint(x.grad)",
    "again": "x = torch.tensor([2.0, 3.0], requires_grad=True)\n"
    "optimizer = torch.optim.SGD([x], lr=0.1)\n"
    "(x * 3).sum().backward()\n(x * 3).sum().backward()\n"
    "optimizer.zero_grad()\nprint(x.grad)\n(x * 4).sum().backward()",
    "zeros": "k = torch.tensor([2.0, 3.0], requires_grad=True)\n"
    "sgd = torch.optim.SGD([k], lr=0.1)\n"
    "(k * 3).sum().backward()\n(k * 3).sum().backward()\n"
    "sgd.zero_grad(set_to_none=False)\n(k * 4).sum().backward()\nk.grad = None",
    "chain": "x = torch.tensor(0.5, requires_grad=True)\n"
    "a = x * 2\nb = a + 1\nc = b**2\nd = c.sin()\ne = d.exp()\nf = e * 3\nf.backward()",
    "diamond": "w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)\n"
    "v = torch.tensor([1.0, -1.0])\n"
    "h = w @ v\nr = h.relu()\nq = h * h\ns = r + q\ny = s.sum()\ny.backward()",
    "mlp": "torch.manual_seed(0)\nX = torch.randn(4, 3)\nt = torch.randn(4, 1)\n"
    "net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))\n"
    "loss = ((net(X) - t) ** 2).mean()\nloss.backward()",
    "square": "x = torch.tensor(-2.0, requires_grad=True)\ny = x * x\ny.backward()",
    "unbound": "m = torch.tensor([1.0, 2.0], requires_grad=True)\nd = m * 2\n"
    "i, j = d.unbind()\ny = i * j\ny.backward()",
    "block": "W = torch.tensor([[1.0, 2.0, 0.5], [3.0, 4.0, -1.0]], requires_grad=True)\n"
    "v = torch.tensor([1.0, -1.0, 2.0])\na = W @ v\nb = W * 0.5\n"
    "s = (a**2).sum() + b.sum()\ns.backward()",
    "wide": "m = torch.tensor(2.0, requires_grad=True)\nv = torch.tensor(3.0, requires_grad=True)\n"
    "h = torch.tensor(1.5, requires_grad=True)\nk = 0.5 * m * v**2\nf = m * 9.81 * h\ny = k + f\n"
    "y.backward()",
    "complex": "z = torch.tensor(1.0 + 2.0j, requires_grad=True)\nr = z * 2\n"
    "q = (r * r.conj()).real + r.real\nq.backward()",
    "neuron": "w = torch.tensor(-1.5, requires_grad=True)\n"
    "b = torch.tensor(0.5, requires_grad=True)\nx = torch.tensor(2.0)\ny = w * x + b\n"
    "loss = (y - 1) ** 2\nloss.backward()",
    "fourth": "g = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)\n"
    "p = g.softmax(0)\ns = p[1]\ns.backward()",
    "long": "h = torch.tensor(0.5, requires_grad=True)\nfor lap in range(50):\n"
    "    h = (h * 1.01).tanh()\nh.backward()",
    "recurrent": "torch.manual_seed(0)\ncell = torch.nn.LSTMCell(2, 3)\n"
    "a, c = torch.zeros(1, 3), torch.zeros(1, 3)\n"
    "for lap in range(6):\n    a, c = cell(torch.ones(1, 2), (a, c))\n"
    "s = a.sum()\ns.backward()",
    "double": "p = torch.tensor([1.0, 2.0], requires_grad=True)\nq = (p**3).sum()\n"
    "(g,) = torch.autograd.grad(q, p, create_graph=True)\ng.sum().backward()",
    "one_complex": "u = torch.tensor(1 + 2j, requires_grad=True)\nv = u * (3 - 1j)\n"
    "w = v.abs()\nw.backward()",
    "retained": "x = torch.tensor(2.0, requires_grad=True)\nh = x * 3\nh.retain_grad()\n"
    "y = h**2\ny.backward()\nprint(h.grad)",
    "hooked": "x = torch.tensor(2.0, requires_grad=True)\ny = x * 3\n"
    "y.register_hook(lambda g: g * 10)\nz = y + 1\nz.backward()\nprint(x.grad)",
    "returned": "x = torch.tensor(3.0, requires_grad=True)\ny = x**2 + 2 * x\n"
    "(g,) = torch.autograd.grad(y, x)\nprint(g)",
    "failed": "x = torch.tensor(2.0, requires_grad=True)\ny = x * x\ny.backward()\n"
    "try:\n    y.backward()\nexcept RuntimeError as error:\n    print(error)\nprint(x.grad)",
    "by_hand": "x = torch.tensor([1.0, 2.0])\n"
    "w = torch.tensor([0.5, -1.0], requires_grad=True)\n"
    "loss = ((w * x).sum() - (x + 1).sum()) ** 2\nloss.backward()\n"
    "with torch.no_grad():\n    w -= 0.1 * w.grad\nw.grad = None\nprint(w.grad)",
    "later": "x = torch.tensor([1.0, 2.0], requires_grad=True)\na = (x * 2).sum()\n"
    "b = (x * 3).sum()\nb.backward()\na.backward()",
    "partly": "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = x.clone()\n"
    "y[0].mul_(4)\ns = y.sum()\ns.backward()",
    "random1": _random_lines(1, 12),
    "random2": _random_lines(2, 22),
    # Modules that lead to a ring where all that a call did directly is put together.
    "heads": "class Heads(torch.nn.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.body = torch.nn.Linear(3, 4)\n"
    "        self.age = torch.nn.Linear(4, 1)\n        self.sex = torch.nn.Linear(4, 2)\n\n"
    "    def forward(self, x, task):\n        h = torch.tanh(self.body(x))\n"
    "        return (self.age if task == 'age' else self.sex)(h) * 2\n\n\n"
    "torch.manual_seed(0)\nnet = Heads()\nx = torch.randn(2, 3)\n"
    "a = net(x, 'age')\nb = net(x, 'sex')\nloss = (a + b).mean()\nloss.backward()",
    "residual": "class Residual(torch.nn.Module):\n    def __init__(self, dim):\n"
    "        super().__init__()\n        self.fc1 = torch.nn.Linear(dim, dim)\n"
    "        self.fc2 = torch.nn.Linear(dim, dim)\n        self.norm = torch.nn.LayerNorm(dim)\n\n"
    "    def forward(self, x):\n        h = torch.relu(self.fc1(x))\n        h = self.fc2(h)\n"
    "        return self.norm(x + h)\n\n\n"
    "torch.manual_seed(0)\nblock = Residual(6)\nbatch = torch.randn(3, 6)\n"
    "out = block(batch)\nloss = out.mean()\nloss.backward()",
    "force": "class Force(torch.nn.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.k = torch.nn.Parameter(torch.tensor(0.5))\n\n"
    "    def forward(self, x):\n        e = (self.k * x).exp()\n"
    "        (g,) = torch.autograd.grad(e.sum(), x, create_graph=True)\n"
    "        return g * e\n\n\n"
    "force = Force()\nx = torch.randn(3, requires_grad=True)\n"
    "loss = force(x).mean()\nloss.backward()",
}
LOOP = (
    "u = torch.tensor(1.0, requires_grad=True)\nsgd = torch.optim.SGD([u], lr=0.1)\n"
    "for lap in range(3):\n    sgd.zero_grad()\n    loss = u * u\n    loss.backward()\n"
    "    sgd.step()"
)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("autograd")
    cells = {**CELLS, "loop": LOOP}
    text = "\n".join(f"# %% {name}\n{lines}\n" for name, lines in cells.items())
    (folder / "script.py").write_text(f"import torch\n\n{text}")
    return trace_script(folder / "script.py", root=Path(folder))


@pytest.fixture(scope="module")
def play(trace: Trace) -> Play:
    return functools.cache(functools.partial(play_cell, trace))


def _placed(trace: Trace, cell: str, artboard: str) -> tuple[Placed, Backward]:
    part = trace.of_cell(cell)
    canvas = Canvas(ARTBOARDS[artboard], THEMES["dark"])
    backward = part.backwards[0]
    placed = compose(part, backward, zone_of(canvas), canvas.artboard)
    assert placed is not None
    return placed, backward


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_no_text_is_cut_small_or_covered(play: Play, cell: str, artboard: str) -> None:
    theme = "dark" if artboard == "page" else "light"
    assert play(cell, artboard, theme).warnings == []


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_any_graph_fits_and_no_node_covers_another(trace: Trace, cell: str, artboard: str) -> None:
    placed, backward = _placed(trace, cell, artboard)
    zone = ARTBOARDS[artboard].stage
    assert len(backward.nodes) <= 25 or len(placed.columns) <= COLUMNS[artboard]
    for box in placed.boxes:
        assert zone.x - 1 <= box.left
        assert box.right <= zone.right + 1
        assert zone.y - 1 <= box.y - box.above
        assert box.y + box.below <= zone.bottom + 1
    for one, other in itertools.combinations(placed.boxes, 2):
        apart = (
            one.right <= other.left
            or other.right <= one.left
            or one.y + one.below <= other.y - other.above
            or other.y + other.below <= one.y - one.above
        )
        assert apart
    drawn = {step for node in placed.diagram.nodes for step in node.steps}
    assert drawn == {node.step for node in backward.nodes if node.step is not None}


@pytest.mark.parametrize("cell", ["lesson", "paths", "chain", "diamond", "neuron", "mlp"])
def test_graphs_without_a_knot_have_no_crossing(trace: Trace, cell: str) -> None:
    for artboard in ARTBOARDS:
        assert _placed(trace, cell, artboard)[0].layers.crossings == 0


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_flow_from_the_root_in_the_true_order(trace: Trace, cell: str) -> None:
    placed, backward = _placed(trace, cell, "film")
    diagram, reached = placed.diagram, set(placed.diagram.roots)
    crossed: list[int] = []
    for wave in waves(diagram, backward):
        for number in wave.links:
            link = diagram.links[number]
            assert link.target in reached or diagram.nodes[link.target].kind == "op"
            reached.add(link.source)
            crossed.append(number)
        reached |= set(wave.arrived)
    assert sorted(crossed) == [i for i, link in enumerate(diagram.links) if link.passes]
    assert _edges_in_order(diagram, crossed)


def _edges_in_order(diagram: Diagram, crossed: list[int]) -> bool:
    """Tell whether the ops pass their gradients on in the order in which autograd ran them."""
    edges = [min(diagram.links[i].edges) for i in crossed if diagram.links[i].edges]
    ops = [diagram.nodes[diagram.links[i].target].ops for i in crossed if diagram.links[i].edges]
    first = {op: min(e for e, o in zip(edges, ops, strict=True) if o == op) for op in ops}
    order = [first[op] for op in dict.fromkeys(ops)]
    return order == sorted(order)


_NOT_REPLAYED = ("long", "recurrent", "double", "complex", "force", "returned", "failed")
REPLAYED = [cell for cell in CELLS if cell not in _NOT_REPLAYED]
"""Cells whose passes begin with a line that ends in ``backward()``."""


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", REPLAYED)
def test_every_number_is_pytorchs_own(play: Play, trace: Trace, cell: str, artboard: str) -> None:
    """Replays the cell without the tracer and asks PyTorch for each value and gradient."""
    scene = play(cell, artboard, "dark" if artboard == "page" else "light")
    known = _replayed(trace.of_cell(cell), cell)
    checked = 0
    for drawn in scene.drawn:
        if drawn.source == "value" and drawn.tensor in known:
            value = known[drawn.tensor][drawn.index].item()
            assert _reads(drawn.text, value), f"{drawn.text} is drawn for {value}"
            checked += 1
        elif drawn.source == "derivative":
            checked += _check_derivative(trace.of_cell(cell), cell, drawn)
    assert checked > 0


def _reads(text: str, value: float) -> bool:
    number = text.replace(MINUS, "-")
    if "e" in number:  # one digit, rounded
        return float(number) == float(f"{value:.0e}")
    return _reads_as(text, value) or float(number) == value


def _run(cell: str, until: int | None = None) -> dict[str, torch.Tensor]:
    scope: dict[str, object] = {"torch": torch}
    exec("\n".join(_lines(cell, until)), scope)
    return {name: value for name, value in scope.items() if isinstance(value, torch.Tensor)}


def _lines(cell: str, until: int | None = None) -> list[str]:
    """Return the lines of a cell, to the end of a statement, counted from 1."""
    nodes = (node for node in ast.walk(ast.parse(CELLS[cell])) if isinstance(node, ast.stmt))
    ends = [node.end_lineno for node in sorted(nodes, key=lambda node: node.lineno)]
    return CELLS[cell].splitlines()[: None if until is None else ends[until - 1]]


def _replayed(trace: Trace, cell: str) -> dict[int, torch.Tensor]:
    """Return the values of the named tensors, and of the gradients that passes brought them."""
    known: dict[int, torch.Tensor] = {}
    for run in trace.runs:
        held = _run(cell, run.statement)  # not the names within a function
        known |= {
            record: held[name]
            for name, record in run.changed.items()
            if record is not None and name in held
        }
    for backward in trace.backwards:
        statement = trace.runs[trace.steps[backward.step].run].statement
        root = _lines(cell, statement)[-1].removesuffix(".backward()")
        before = _run(cell, statement - 1)
        loss = eval(root, {"torch": torch, **before})
        for node in backward.nodes:
            if node.gradient is not None and node.names and node.names[-1] in before:
                known[node.gradient] = torch.autograd.grad(
                    loss, before[node.names[-1]], retain_graph=True
                )[0]
        for edge in backward.edges:  # what autograd's own node makes of what reached it
            source = backward.nodes[edge.source]
            alone = sum(each.target == edge.target for each in backward.edges) == 1
            named = source.names and source.names[-1] in before
            if named and edge.gradient is not None and not alone:
                function: Any = before[source.names[-1]].grad_fn
                made = function(known[source.gradient if source.gradient is not None else -1])
                made = made if isinstance(made, tuple) else (made,)
                known.setdefault(edge.gradient, made[edge.input])
        after = _run(cell, statement)
        owner = {node.tensor: node.names[-1] for node in backward.nodes if node.names}
        for total in backward.accumulations:
            if total.tensor in owner:
                gradient = after[owner[total.tensor]].grad
                assert gradient is not None
                known[total.after] = gradient
    return {record: value.detach() for record, value in known.items()}


def _check_derivative(trace: Trace, cell: str, drawn: Drawn) -> int:
    """Compare a derivative with autograd's, where both ends of the link have a name."""
    assert drawn.step is not None
    step = trace.steps[drawn.step]
    place, operand, operand_place = drawn.index
    names = {record: name for run in trace.runs for name, record in run.changed.items()}
    result, source = names.get(step.results[0]), names.get(step.operands[operand].tensor)
    twice = sum(each.tensor == step.operands[operand].tensor for each in step.operands) > 1
    if result is None or source is None or twice:
        return 0
    until = trace.runs[step.run].statement
    made = _run(cell, until)[result]
    assert made.grad_fn is not None
    # Of this op alone: to another of its operands may lead a way from the source too.
    alone = torch.zeros_like(made)
    alone.view(-1)[place] = 1
    function: Any = made.grad_fn
    back = function(alone)
    back = back if isinstance(back, tuple) else (back,)
    number = sum(each.tensor is not None for each in step.operands[:operand])
    value = back[number].flatten()[operand_place].item()
    text = drawn.text.removeprefix("×")
    assert _reads(text, value)
    return 1


def test_the_lesson_is_drawn_whole(play: Play) -> None:
    scene = play("lesson")
    cue = [drawn for drawn in scene.drawn if drawn.cue == 4]
    assert sorted(each.text for each in cue if each.source == "symbol") == ["×3", "×3", "Σ"]
    assert sorted(each.text for each in cue if each.source == "derivative") == [
        *("×1", "×1", "×3", "×3"),
    ]
    values = sorted(each.text for each in cue if each.source == "value")
    assert values == sorted(["2.", "3.", "6.", "9.", "15.", "1.", "1.", "1.", "3.", "3."])
    assert "x.grad" in [each.text for each in cue]
    # Before the backward line there is no gradient on the screen.
    early = [drawn for drawn in scene.drawn if drawn.cue < 4]
    assert not [drawn for drawn in early if drawn.source == "derivative"]
    assert len([drawn for drawn in early if drawn.cue == 3 and drawn.source == "value"]) == 5


class _Opening(LessonScene):
    """A scene that notes which values are there as its first frame is drawn."""

    first: list[str] | None = None

    def play(self, *args: Any, **kwargs: Any) -> None:
        if self.first is None:
            told = self.sources_on_stage()
            self.first = [drawn.text for drawn in told if drawn.source == "value"]
        super().play(*args, **kwargs)


@pytest.mark.parametrize(("cell", "values"), [("lesson", ["2.", "3."]), ("paths", ["3."])])
def test_a_clip_begins_with_its_leaf(trace: Trace, cell: str, values: list[str]) -> None:
    scene = play_cell(trace, cell, kind=_Opening)
    assert isinstance(scene, _Opening)
    assert scene.first == values


def test_a_second_pass_adds_and_zero_grad_empties(play: Play) -> None:
    scene = play("again")
    passes = scene.trace.backwards
    total = passes[1].accumulations[0]
    second = [drawn for drawn in scene.drawn if drawn.cue == 3]
    values = [(each.tensor, each.text) for each in second if each.source == "value"]
    x = [(total.tensor, "2."), (total.tensor, "3.")]
    assert sorted(values) == sorted(
        [*x, *((total.before, "3."), (total.gradient, "3."), (total.after, "6.")) * 2]
    )
    assert [drawn.text for drawn in second if drawn.source == "sign"] == ["+", "="]
    # What was there is gone, the tensor is as it was, and the strip tells what .grad holds.
    for cue, chips in ((4, ["x.grad", "(2,)", "zero_grad", "x.grad", "None"]), (5, ["None"])):
        there = [drawn for drawn in scene.drawn if drawn.cue == cue]
        assert [(each.tensor, each.text) for each in there if each.source == "value"] == x
        assert [each.text for each in there][-len(chips) :] == chips
        assert [each.text for each in there].count("None") == 2
    # The third pass finds nothing, and nothing is added.
    assert passes[2].accumulations[0].before is None
    third = {drawn.tensor for drawn in scene.drawn if drawn.cue == 6 and drawn.source == "value"}
    assert passes[2].accumulations[0].after in third
    assert total.after not in third


def test_what_arrives_over_several_edges_is_added_in_writing(play: Play) -> None:
    scene = play("paths")
    (backward,) = scene.trace.backwards
    leaf = backward.nodes[-1]
    edges = [edge.gradient for edge in backward.edges if backward.nodes[edge.target] == leaf]
    last = [drawn for drawn in scene.drawn if drawn.cue == 5 and drawn.tensor is not None]
    told = [drawn.text for drawn in last if drawn.source == "value" and drawn.tensor in edges]
    x = torch.tensor(3.0, requires_grad=True)
    ways = [torch.autograd.grad(made, x)[0].item() for made in (x**2, x * 2)]
    assert told == [f"{way:.0f}." for way in ways] == ["6.", "2."]
    after = backward.accumulations[0].after
    (total,) = [each.text for each in last if (each.tensor, each.source) == (after, "value")]
    assert float(total) == sum(ways)
    assert [drawn.text for drawn in last if drawn.source == "name"][-1] == "x.grad"
    assert [drawn.text for drawn in scene.drawn if drawn.cue == 5].count("+") == 2  # and the op's


def test_a_cell_is_wide_enough_for_its_number(trace: Trace) -> None:
    placed, _ = _placed(trace, "wide", "page")
    nodes = placed.diagram.nodes
    wide = [placed.boxes[i] for i, node in enumerate(nodes) if node.name in ("f", "y")]
    assert all(box.width > box.height for box in wide)
    narrow = [placed.boxes[i] for i, node in enumerate(nodes) if node.name == "m"]
    assert all(box.width == box.height for box in narrow)
    canvas = Canvas(ARTBOARDS["page"], THEMES["dark"])
    tree = GraphTree(canvas, trace.of_cell("wide"), trace.of_cell("wide").backwards[0], placed)
    told = {label.text for each in tree.bodies for label in each if isinstance(label, Label)}
    assert {"29.43", "38.43", "2."} <= told


def test_sums_are_written_only_where_all_that_came_is_known(trace: Trace) -> None:
    known = {cell: _placed(trace, cell, "film")[0].diagram for cell in ("square", "unbound")}
    terms = [node.terms for node in known["square"].nodes if node.terms]
    assert len(terms) == 1
    assert len(terms[0]) == 2
    assert not known["unbound"].has_terms  # two outputs of one op: nothing is added


def test_a_complex_number_is_not_drawn_as_one_of_its_parts(play: Play) -> None:
    scene = play("one_complex")
    values = [drawn.tensor for drawn in scene.drawn if drawn.source == "value"]
    dtypes = {scene.trace.tensor(each).dtype for each in values if each is not None}
    assert dtypes == {"float32"}  # of w and its gradient


def test_zeros_are_a_gradient_and_none_is_not(play: Play) -> None:
    scene = play("zeros")
    last = scene.trace.backwards[2].accumulations[0]
    zeros = [drawn for drawn in scene.drawn if drawn.cue == 4 and drawn.tensor == last.before]
    assert [drawn.text for drawn in zeros if drawn.source == "value"] == ["0.", "0."]
    assert "None" not in [drawn.text for drawn in scene.drawn if drawn.cue == 4]
    added = {drawn.tensor for drawn in scene.drawn if drawn.cue == 5 and drawn.source == "value"}
    assert added == {last.tensor, last.before, last.gradient, last.after}
    texts = [drawn.text for drawn in scene.drawn if drawn.cue == 6]
    assert texts.count("None") == 2
    assert "= None" in texts
    assert "4." not in texts


def test_a_long_graph_folds_and_tells_every_op(trace: Trace) -> None:
    chain, _ = _placed(trace, "chain", "page")
    texts = [node.text for node in chain.diagram.nodes if node.kind == "op"]
    assert [text for each in texts for text in each] == ["×2", "+1", "**2", "sin", "exp", "×3"]
    net, _ = _placed(trace, "mlp", "page")
    module = next(node for node in net.diagram.nodes if node.module is not None)
    assert module.text == ("0",)  # the first layer of it
    assert module.kept  # its parameters are within it, and keep their gradients


@pytest.mark.parametrize("cell", CELLS)
def test_no_folding_makes_a_ring(trace: Trace, cell: str) -> None:
    part = trace.of_cell(cell)
    backward = part.backwards[-1]
    for folding in foldings(part, backward):
        together = sorted(node for op in folding.ops for node in op)
        assert together == sorted(node for op in ops_of(part, backward) for node in op)
        TopologicalSorter(befores(backward, folding.ops)).prepare()  # raises where there is one


@pytest.mark.parametrize("cell", ["heads", "mlp"])
def test_an_op_that_is_a_module_is_all_that_its_call_did(trace: Trace, cell: str) -> None:
    part = trace.of_cell(cell)
    backward = part.backwards[0]
    folded = 0
    for folding in foldings(part, backward):
        for op in folding.modules:
            call = common_call(part, backward, op)
            ran = [
                node.number
                for node in backward.nodes
                if node.step is not None and call in calls_around(part, node.step)
            ]
            assert sorted(op) == ran
            folded += len(op) > 1
    assert folded


@pytest.mark.parametrize(
    ("cell", "line", "shown"),
    [("later", "a", ["1.", "2.", "6."]), ("partly", "y = x.clone()", ["1.", "2."])],
)
def test_nothing_is_on_stage_before_it_is_there(
    trace: Trace, cell: str, line: str, shown: list[str]
) -> None:
    """A gradient that a later line leaves, a number that a later line writes."""
    told = play_cell(trace, cell, "film", until=line).sources_on_stage()
    values = {each.text for each in told if each.source == "value"}
    assert values >= set(shown)
    assert not values & {"3.", "9.", "4."} - ({"4."} if cell == "later" else set())


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_what_a_network_played_is_in_the_graph_that_comes_after_it(
    play: Play, trace: Trace, artboard: str
) -> None:
    scene = play("heads", artboard, "dark" if artboard == "page" else "light")
    inside = [step for step in trace.of_cell("heads").steps if step.call is not None]
    assert inside
    assert all(scene.network.covers(step) for step in inside)
    tree = scene.autograd.tree
    assert tree is not None
    assert tree.grown == set(range(len(tree.placed.diagram.nodes)))
    assert all(wire.forward for wire in tree.wires)


def test_a_module_that_calls_none_is_drawn_op_by_op(play: Play, trace: Trace) -> None:
    scene = play("force", "film", "light")
    inside = [step for step in trace.of_cell("force").steps if step.call is not None]
    assert inside
    assert all(scene.autograd.covers(step) for step in inside)


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_every_leaf_of_two_heads_is_drawn_or_within_its_module(trace: Trace, artboard: str) -> None:
    placed, backward = _placed(trace, "heads", artboard)
    nodes = placed.diagram.nodes
    drawn = {node.tensor for node in nodes if node.kind != "op"}
    holding = {number for node in nodes if node.kind == "op" and node.kept for number in node.ops}
    leaves = [node for node in backward.nodes if is_leaf(node)]
    assert len(leaves) == 6
    for leaf in leaves:
        users = {edge.source for edge in backward.edges if edge.target == leaf.number}
        assert leaf.tensor in drawn or users <= holding


@pytest.mark.parametrize("cell", ["long", "double"])
def test_what_no_step_recorded_is_there_when_the_pass_begins(play: Play, cell: str) -> None:
    tree = play(cell).autograd.tree
    assert tree is not None
    assert tree.grown == set(range(len(tree.placed.diagram.nodes)))
    assert all(wire.forward == 1 for wire in tree.wires)


def test_a_leaf_shows_what_its_grad_holds_not_what_arrived(trace: Trace) -> None:
    part = trace.of_cell("again")
    canvas = Canvas(ARTBOARDS["page"], THEMES["dark"])
    second = part.backwards[1]
    placed = compose(part, second, zone_of(canvas), canvas.artboard)
    assert placed is not None
    tree = GraphTree(canvas, part, second, placed)
    for wave in tree.waves:
        tree.cross(wave, 1.0).interpolate(1.0)
    leaf = tree.nodes_of(second.accumulations[0].tensor)[0]
    label = tree.capsules[leaf].submobjects[1]
    assert isinstance(label, Label)
    assert label.text == "6."


def test_no_derivative_where_none_was_measured_or_they_differ(trace: Trace) -> None:
    square, _ = _placed(trace, "square", "page")
    factors = [link.factor for link in square.diagram.links if link.edges]
    assert [factor.value for factor in factors if factor] == [-2.0, -2.0]
    mlp, _ = _placed(trace, "mlp", "film")
    for link in mlp.diagram.links:
        if "linear" in mlp.diagram.nodes[link.target].text and link.factor is not None:
            assert link.factor.value == 1.0  # of the bias; the weights' differ


def test_an_input_stands_wherever_the_code_uses_it(trace: Trace) -> None:
    placed, _ = _placed(trace, "residual", "film")
    nodes = placed.diagram.nodes
    (batch,) = [i for i, node in enumerate(nodes) if node.kind != "op" and node.name == "x"]
    taken = {nodes[link.target].text for link in placed.diagram.links if link.source == batch}
    assert taken == {("fc1",), ("+",)}
    assert trace.of_cell("residual").tensor(nodes[batch].tensor or 0).shape == (3, 6)
    for cell, names in {"mlp": {"X", "t"}, "heads": {"x"}}.items():
        for artboard in ARTBOARDS:
            drawn = {node.name for node in _placed(trace, cell, artboard)[0].diagram.nodes}
            assert names <= drawn


def test_a_gradient_that_a_hook_changed_says_so(play: Play) -> None:
    scene = play("hooked")
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g * 10)  # type: ignore[no-untyped-call]
    (came,) = torch.autograd.grad(y + 1, y)
    last = [drawn for drawn in scene.drawn if drawn.cue == 4]
    assert [each.text for each in last if each.source == "sign"] == ["hook"]
    assert f"{came.item():.0f}." in [each.text for each in last if each.source == "value"]
    placed, _ = _placed(scene.trace, "hooked", "page")
    assert [node.name for node in placed.diagram.nodes if node.hooked] == ["y"]


def test_what_a_pass_returns_has_its_name_and_what_is_printed_is_shown(play: Play) -> None:
    scene = play("returned")
    (backward,) = scene.trace.backwards
    (returned,) = scene.trace.steps[backward.step].results
    there = [drawn for drawn in scene.drawn if drawn.cue == 4]
    assert "g" in [each.text for each in there if each.tensor == returned]
    assert "tensor(8.)" in [each.text for each in there]


def test_the_graph_stays_where_a_second_pass_raises(play: Play) -> None:
    scene = play("failed")
    for cue in (4, 5, 6):
        there = [drawn for drawn in scene.drawn if drawn.cue == cue]
        assert [each.text for each in there if each.source == "symbol"] == ["×"]
        assert "x.grad" in [each.text for each in there]
    assert any("second time" in each.text for each in scene.drawn if each.cue == 5)


def test_a_step_by_hand_keeps_the_names_of_what_it_works_with(play: Play) -> None:
    scene = play("by_hand")
    # x + 1 asks for no gradient: the graph stays, and shows it as data.
    told = [drawn.text for drawn in scene.drawn if drawn.cue == 3]
    assert {"5.", "×", "Σ", "-", "**2"} <= {text.replace(MINUS, "-") for text in told}
    emptied = [drawn.text for drawn in scene.drawn if drawn.cue == 6]
    assert [emptied.count(text) for text in ("w.grad", "= None", "None")] == [2, 1, 1]
    assert "None" in [drawn.text for drawn in scene.drawn if drawn.cue == 7]


def test_a_derivative_is_written_as_its_op_is() -> None:
    values = {3.0: "×3", -0.5: f"×{MINUS}0.5", 0.045: "×0.045", 0.4987: "×0.50", 1234.5: "×1234"}
    assert {value: factor_text(value) for value in values} == values


def test_a_training_loop_has_a_picture_of_its_own(trace: Trace) -> None:
    part = trace.of_cell("loop")
    scene = LessonScene.__new__(LessonScene)
    from torchreel.stage.graph.act import Autograd

    act = Autograd(scene, part, Canvas(ARTBOARDS["page"], THEMES["dark"]), 1.0, lambda _: False)
    assert part.backwards
    assert not any(act.covers(step) for step in part.steps)


def test_a_clip_with_a_pass_depends_on_the_graphs_files() -> None:
    assert "stage/graph/tree.py" in registry.sources(["torch.Tensor.backward"])
    assert "stage/graph/tree.py" not in registry.sources(["torch.Tensor.reshape"])
