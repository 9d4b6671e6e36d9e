"""The layered layout: nothing overlaps, and no more lines cross than must."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from torchreel.stage.graph.layers import Layers, Link, arrange, heights, ranks

# Two elements through two ops into one, as in the sum of x * 3.
LESSON = ([0, 0, 1, 1, 2, 2, 3, 4], [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (6, 7)])
DIAMOND = (range(4), [(0, 1), (0, 2), (1, 3), (2, 3)])
RESIDUAL = (range(5), [(0, 1), (1, 2), (2, 3), (3, 4), (0, 3)])
# x, w1, b1, w2, b2 and the ops between: @ + relu @ + loss.
MLP = (
    range(11),
    [(0, 5), (1, 5), (5, 6), (2, 6), (6, 7), (7, 8), (3, 8), (8, 9), (4, 9), (9, 10)],
)
CROSSED = (range(4), [(0, 2), (0, 3), (1, 2), (1, 3)])  # every order has one crossing
TWISTED = (range(6), [(0, 4), (1, 3), (2, 5), (0, 3)])

GRAPHS = {
    "lesson": LESSON,
    "diamond": DIAMOND,
    "residual": RESIDUAL,
    "mlp": MLP,
    "crossed": CROSSED,
    "twisted": TWISTED,
}


def _random_graph(seed: int, nodes: int) -> tuple[range, list[Link]]:
    dice = random.Random(seed)
    links = [(dice.randrange(max(0, node - 6), node), node) for node in range(1, nodes)]
    links += [
        (a, b)
        for a, b in itertools.combinations(range(nodes), 2)
        if b - a < 6 and dice.random() < 0.05
    ]
    return range(nodes), list(dict.fromkeys(links))


@pytest.mark.parametrize("name", GRAPHS)
def test_no_order_of_the_columns_has_fewer_crossings(name: str) -> None:
    groups, links = GRAPHS[name]
    layers = arrange(groups, links)
    assert layers.crossings == _least_crossings(layers, groups)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_link_leads_to_the_right_one_column_at_a_time(name: str) -> None:
    groups, links = GRAPHS[name]
    layers = arrange(groups, links)
    column = {node: i for i, nodes in enumerate(layers.columns) for node in nodes}
    assert sorted(column) == list(range(len(column)))
    for path, link in zip(layers.paths, links, strict=True):
        assert (path[0], path[-1]) == link
        assert [column[node] for node in path] == list(
            range(column[path[0]], column[path[0]] + len(path))
        )


@pytest.mark.parametrize("seed", range(6))
def test_twenty_five_nodes_at_random_do_not_overlap(seed: int) -> None:
    groups, links = _random_graph(seed, 25)
    layers = arrange(groups, links)
    above = {node: 40.0 + 5 * (node % 3) for node in groups}
    below = {node: 60.0 + 7 * (node % 4) for node in groups}
    y = heights(layers, above, below, 20.0)
    for column in layers.columns:
        for one, other in itertools.pairwise(column):
            low, high = y[one] + below.get(one, 0.0), y[other] - above.get(other, 0.0)
            assert high - low >= 20.0 - 1e-6
    again = arrange(groups, links)
    assert again == layers  # the same graph is always drawn in the same way
    shuffled = [random.Random(seed).sample(column, len(column)) for column in layers.columns]
    assert layers.crossings <= Layers(tuple(map(tuple, shuffled)), layers.paths).crossings


def test_elements_of_a_tensor_stay_together_in_their_order() -> None:
    # Crossing them would be the shorter way: element 0 leads down, element 1 up.
    groups = [0, 0, 1, 2, 3]
    layers = arrange(groups, [(0, 3), (1, 2), (2, 4), (3, 4)])
    assert layers.columns[0] == (0, 1)
    assert layers.crossings == 0


def test_a_chain_is_a_straight_line_and_a_diamond_is_symmetric() -> None:
    reach = dict.fromkeys(range(4), 50.0)
    chain = heights(arrange(range(4), [(0, 1), (1, 2), (2, 3)]), reach, reach, 10.0)
    assert max(chain.values()) - min(chain.values()) < 0.1
    diamond = heights(arrange(*DIAMOND), reach, reach, 10.0)
    assert diamond[0] == pytest.approx(diamond[3], abs=0.1)
    assert (diamond[1] + diamond[2]) / 2 == pytest.approx(diamond[0], abs=0.1)


def test_what_nothing_leads_to_stands_beside_its_use() -> None:
    assert ranks(range(5), [(0, 2), (2, 3), (1, 3), (3, 4)]) == [0, 1, 1, 2, 3]


def test_a_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="ring"):
        ranks(range(2), [(0, 1), (1, 0)])


def _least_crossings(layers: Layers, groups: Sequence[int]) -> int:
    """Return the least crossings over all orders that keep each group together and in order."""

    def orders(column: tuple[int, ...]) -> list[tuple[int, ...]]:
        units: dict[object, list[int]] = {}
        for node in sorted(column):
            units.setdefault(groups[node] if node < len(groups) else ("way", node), []).append(node)
        return [
            tuple(itertools.chain.from_iterable(order))
            for order in itertools.permutations(units.values())
        ]

    choices = itertools.product(*(orders(column) for column in layers.columns))
    return min(Layers(tuple(columns), layers.paths).crossings for columns in choices)
