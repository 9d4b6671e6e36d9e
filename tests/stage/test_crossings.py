"""Graphs of up to 25 nodes: whole, and with no crossing that another layout avoids."""

from __future__ import annotations

import functools
import itertools
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.stage.conftest import play_cell
from tests.stage.crossings import least_crossings
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Canvas
from torchreel.stage.checker import flaws
from torchreel.stage.colors import THEMES
from torchreel.stage.frame import Parts, frame_of
from torchreel.stage.graph.act import zone_of
from torchreel.stage.graph.diagram import Detail, Drawing, ops_of
from torchreel.stage.graph.fold import compose
from torchreel.stage.graph.placement import Placed, Points, points_on
from torchreel.stage.graph.tree import GraphTree
from torchreel.tracer import trace_script

SCRIPT = Path(__file__).with_name("graphs.py")
GRAPHS = re.findall(r"^# %% (\w+)$", SCRIPT.read_text(), re.MULTILINE)

MUST_CROSS = {"ladder": 2, "many_uses": 1}
"""Graphs of which every drawing from left to right has crossings, and how many."""

KNOWN = {
    "chain": ([(0, 1), (1, 2)], 0),
    "square": ([(0, 1), (0, 1), (1, 2)], 0),
    "diamond": ([(0, 1), (0, 2), (1, 3), (2, 3)], 0),
    # A leaf between the two lines of another.
    "nested": ([(0, 2), (0, 3), (1, 2), (1, 3), (2, 4), (3, 4)], 0),
    # Both of two lead to both of two, and no line can go around: from one source to one sink.
    "rung": ([(0, 1), (0, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 5), (4, 5)], 1),
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    path = Path(shutil.copy(SCRIPT, tmp_path_factory.mktemp("crossings")))
    return trace_script(path, root=path.parent)


Place = Callable[[str, str], Placed]


@pytest.fixture(scope="module")
def placed(trace: Trace) -> Place:
    @functools.cache
    def place(name: str, artboard: str) -> Placed:
        part = trace.of_cell(name)
        canvas = Canvas(ARTBOARDS[artboard], THEMES["dark"])
        found = compose(part, part.backwards[0], zone_of(canvas), canvas.artboard)
        assert found is not None
        return found

    return place


@pytest.mark.parametrize("name", KNOWN)
def test_the_least_crossings_of_known_graphs(name: str) -> None:
    links, crossings = KNOWN[name]
    assert least_crossings(links) == crossings


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_no_line_crosses_that_need_not(
    trace: Trace, placed: Place, name: str, artboard: str
) -> None:
    part = trace.of_cell(name)
    backward = part.backwards[0]
    assert len(backward.nodes) <= 25
    picture = placed(name, artboard)
    least = least_crossings(
        Drawing(part, backward, ops_of(part, backward), Detail(1)).diagram().pairs
    )
    assert least == MUST_CROSS.get(name, 0)
    assert _crossings(picture) == picture.layers.crossings <= least
    assert picture.layers.crossings == least_crossings(picture.diagram.pairs)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_op_of_a_small_graph_has_a_node_of_its_own_on_film(placed: Place, name: str) -> None:
    assert all(len(node.text) == 1 for node in placed(name, "film").diagram.nodes if node.ops)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_every_leaf_and_every_name_is_drawn(
    trace: Trace, placed: Place, name: str, artboard: str
) -> None:
    nodes = placed(name, artboard).diagram.nodes
    drawn = {node.tensor for node in nodes} | {each for n in nodes for _, each in n.within}
    passed = trace.of_cell(name).backwards[0].nodes
    assert {node.tensor for node in passed if node.names} <= drawn


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_no_line_runs_through_a_node(placed: Place, name: str, artboard: str) -> None:
    picture = placed(name, artboard)
    for link, curve in zip(picture.diagram.links, picture.curves, strict=True):
        x, y = points_on(curve).T
        for number, box in enumerate(picture.boxes):
            if number not in (link.source, link.target):
                inside = (x > box.left) & (x < box.right) & (y > box.y - box.above)
                assert not (inside & (y < box.y + box.below)).any()


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_is_written_over_another_nor_through_a_line(
    trace: Trace, placed: Place, name: str, artboard: str
) -> None:
    part = trace.of_cell(name)
    canvas = Canvas(ARTBOARDS[artboard], THEMES["dark"])
    picture = placed(name, artboard)
    tree = GraphTree(canvas, part, part.backwards[0], picture)
    tree.start().interpolate(1.0)
    for wave in tree.waves:
        tree.cross(wave, 1.0).interpolate(1.0)
    frame = frame_of(Parts.of([tree]), canvas)
    assert flaws(frame, canvas.artboard) == []
    lines = np.concatenate([points_on(curve) for curve in picture.curves])
    x, y = lines.T
    beside = {each.text for each in (*picture.titles.values(), *picture.factors.values())}
    for text in frame.texts:
        right, bottom = text.left + text.width, text.top + text.height
        within = (x > text.left) & (x < right) & (y > text.top) & (y < bottom)
        assert text.text not in beside or not within.any()


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("name", ["softmax", "logistic", "lstm", "many_uses3", "unbind", "rnn"])
def test_no_text_is_cut_small_or_covered(trace: Trace, name: str, artboard: str) -> None:
    assert play_cell(trace, name, artboard, "dark").warnings == []


@pytest.mark.parametrize("name", ["softmax", "variance", "logistic", "swish_gate"])
def test_a_tensor_of_few_elements_shows_them_where_there_is_room(trace: Trace, name: str) -> None:
    scene = play_cell(trace, name, "page", "dark")
    part = trace.of_cell(name)
    leaves = {node.tensor for node in part.backwards[0].nodes if node.name == "AccumulateGrad"}
    few = {leaf for leaf in leaves if leaf is not None and 2 <= part.tensor(leaf).numel <= 4}
    drawn = {(each.tensor, each.index) for each in scene.drawn if each.source == "value"}
    assert few
    assert all((leaf, (place,)) in drawn for leaf in few for place in range(2))


def _crossings(picture: Placed) -> int:
    """Return how many pairs of lines cross as they are drawn."""
    lines = [points_on(curve) for curve in picture.curves]
    return sum(_cross(one, other) for one, other in itertools.combinations(lines, 2))


def _cross(one: Points, other: Points) -> int:
    """Return how often two lines cross (not where they touch)."""
    a, b = one[:-1, None], one[1:, None]
    c, d = other[None, :-1], other[None, 1:]
    apart = _side(a, b, c) * _side(a, b, d) < 0
    return int(np.sum(apart & (_side(c, d, a) * _side(c, d, b) < 0)))


def _side(a: Points, b: Points, c: Points) -> Points:
    """Return on which side of the line from ``a`` to ``b`` a point lies."""
    u, v = b - a, c - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
