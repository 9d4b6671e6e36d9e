"""A layered layout of a directed graph: columns, few crossings, straight lines (pure Python).

After Sugiyama, Tagawa and Toda (1981): ranks, order within the ranks, coordinates.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Link = tuple[int, int]

_STARTS = 12
_SWEEPS = 12
_ROUNDS = 300
_SHIFTS = 3
_SHIFTS_TRIED = 10_000
_RANKINGS = 40


@dataclass(frozen=True)
class Layers:
    """Which node stands in which column, from above; a link that is longer than one column passes
    through waypoints, which have the numbers after the last node's. ``paths`` holds the nodes and
    waypoints of each link, in the order in which the links were given."""

    columns: tuple[tuple[int, ...], ...]
    paths: tuple[tuple[int, ...], ...]

    @functools.cached_property
    def crossings(self) -> int:
        """How many pairs of links cross."""
        return sum(
            _crossings(left, right, self._between(number))
            for number, (left, right) in enumerate(itertools.pairwise(self.columns))
        )

    def with_leaves_over(
        self, columns: int, groups: Sequence[int], links: Sequence[Link]
    ) -> Layers:
        """Return the same with the leaves of each column spread over so many: the first of them
        stays, the next stands further left, where its line would pass."""
        led_to = {groups[target] for _, target in links}
        rank = {}
        for number, column in enumerate(self.columns):
            nodes = [node for node in column if node < len(groups)]
            leaves = list(dict.fromkeys(groups[node] for node in nodes))
            leaves = [group for group in leaves if group not in led_to]
            for group in {groups[node] for node in nodes}:
                away = leaves.index(group) % columns if group in leaves else 0
                rank[group] = number - away
        return _in_columns(tuple(_columns(groups, rank)), tuple(groups), tuple(links))

    def _between(self, number: int) -> list[Link]:
        left = set(self.columns[number])
        steps = itertools.chain.from_iterable(itertools.pairwise(path) for path in self.paths)
        return [step for step in steps if step[0] in left]


def ranks(groups: Sequence[int], links: Sequence[Link], *, late: bool = False) -> list[int]:
    """Return the column of each node, the members of a group in the same one.

    A node stands as far left as the ways to it are long, or (``late``) as far right as the ways
    from it; what nothing leads to just left of where it is first used. Raises ValueError where
    groups lead to each other in a ring.
    """
    into, out = _neighbours(groups, links)
    return _columns(groups, _ranked(groups, into, out, late=late))


def arrange(
    groups: Sequence[int], links: Sequence[Link], most: int | None = None, *, late: bool = False
) -> Layers:
    """Return the columns of a graph with few crossings.

    ``groups`` names the group of each node: its members stand in one column, one below the other
    and in their own order. Nodes are moved to other columns where that takes crossings away, but
    to no more columns than ``most`` (None: any number); ``late`` is as for :func:`ranks`.
    """
    best: Layers | None = None
    for rank in _rankings(groups, links, late=late):
        if best is not None and most is not None and max(rank) >= most:
            continue
        layers = _in_columns(tuple(rank), tuple(groups), tuple(links))
        if best is None or layers.crossings < best.crossings:
            best = layers
        if not best.crossings:
            break
    assert best is not None
    return best


Neighbours = Mapping[int, set[int]]


def _neighbours(groups: Sequence[int], links: Sequence[Link]) -> tuple[Neighbours, Neighbours]:
    """Return which groups lead to each group, and to which each leads."""
    into: dict[int, set[int]] = defaultdict(set)
    out: dict[int, set[int]] = defaultdict(set)
    for source, target in links:
        into[groups[target]].add(groups[source])
        out[groups[source]].add(groups[target])
    return into, out


def _longest_ways(groups: Collection[int], into: Neighbours) -> dict[int, int]:
    """Return how long the longest way to each group is."""
    rank: dict[int, int] = {}
    waiting = set(groups)
    while waiting:
        ready = [group for group in waiting if into[group] <= rank.keys()]
        if not ready:
            raise ValueError("the graph has a ring")
        for group in ready:
            rank[group] = max((rank[each] + 1 for each in into[group]), default=0)
        waiting -= set(ready)
    return rank


def _ranked(
    groups: Collection[int], into: Neighbours, out: Neighbours, *, late: bool
) -> dict[int, int]:
    ways = _longest_ways(set(groups), out if late else into)
    rank = {group: -way if late else way for group, way in ways.items()}
    beside = {
        group: min(rank[each] for each in out[group]) - 1
        for group in rank
        if not into[group] and out[group]
    }
    return {**rank, **beside}


def _columns(groups: Sequence[int], rank: Mapping[int, int]) -> list[int]:
    first = min(rank.values(), default=0)
    return [rank[group] - first for group in groups]


def _rankings(groups: Sequence[int], links: Sequence[Link], *, late: bool) -> Iterator[list[int]]:
    """Yield columns of the nodes: early and late, then with leaves that several groups use further
    left. A leaf that stands between two lines of another must be right of it for none to cross."""
    into, out = _neighbours(groups, links)
    both = [_ranked(groups, into, out, late=each) for each in (late, not late)]
    shared = sorted(group for group in set(groups) if not into[group] and len(out[group]) > 1)
    shifts = itertools.islice(itertools.product(range(_SHIFTS), repeat=len(shared)), _SHIFTS_TRIED)
    for shift in sorted(shifts, key=sum)[:_RANKINGS]:
        for rank in both:
            moved = {group: rank[group] - by for group, by in zip(shared, shift, strict=True)}
            yield _columns(groups, {**rank, **moved})


@functools.lru_cache(maxsize=1024)
def _in_columns(rank: tuple[int, ...], groups: tuple[int, ...], links: tuple[Link, ...]) -> Layers:
    """Return nodes in these columns, ordered so that few links cross.

    Kept: pictures of a graph that differ in what its nodes show have the same columns.
    """
    members: dict[tuple[int, ...], list[int]] = {}
    for node, group in enumerate(groups):
        members.setdefault((rank[node], group), []).append(node)
    paths = []
    free = itertools.count(len(groups))
    for source, target in links:
        path = [source]
        for column in range(rank[source] + 1, rank[target]):
            waypoint = next(free)
            # Links that run side by side stay together.
            members.setdefault((column, groups[source], groups[target], -1), []).append(waypoint)
            path.append(waypoint)
        paths.append((*path, target))
    units: list[list[tuple[int, ...]]] = [[] for _ in range(max(rank, default=0) + 1)]
    for key, nodes in members.items():
        units[key[0]].append(tuple(nodes))
    return Layers(_ordered(units, paths), tuple(paths))


def heights(
    layers: Layers, above: Mapping[int, float], below: Mapping[int, float], gap: float
) -> dict[int, float]:
    """Return the y of each node and waypoint: links as straight as their columns' order allows.

    A node reaches ``above`` and ``below`` its y (waypoints do not: what is missing is 0); ``gap``
    is left between. The least sum of squares over all links, by turns over the columns.
    """
    pulls: dict[int, list[tuple[int, float]]] = defaultdict(list)
    real = above.keys()
    ends = Counter(path[0] for path in layers.paths) + Counter(path[-1] for path in layers.paths)
    single = {path for path in layers.paths if ends[path[0]] <= 2 and ends[path[-1]] <= 2}
    for path in layers.paths:
        for one, other in itertools.pairwise(path):
            weight = (1.0, 2.0, 8.0)[(one not in real) + (other not in real)]
            weight *= 4.0 if path in single else 1.0
            pulls[one].append((other, weight))
            pulls[other].append((one, weight))
    offsets = [_offsets(column, above, below, gap) for column in layers.columns]
    y = {
        node: offset - (column_offsets[0] + column_offsets[-1]) / 2
        for column, column_offsets in zip(layers.columns, offsets, strict=True)
        for node, offset in zip(column, column_offsets, strict=True)
    }
    turns = list(zip(layers.columns, offsets, strict=True))
    for turn in range(_ROUNDS):
        moved = 0.0
        for column, column_offsets in turns if turn % 2 else reversed(turns):
            weights = [sum(weight for _, weight in pulls[node]) or 1e-6 for node in column]
            wanted = [
                sum(y[other] * weight for other, weight in pulls[node]) / total
                if pulls[node]
                else y[node]
                for node, total in zip(column, weights, strict=True)
            ]
            for node, place in zip(column, _spread(wanted, weights, column_offsets), strict=True):
                moved = max(moved, abs(place - y[node]))
                y[node] = place
        if moved < 0.05:
            break
    return y


def least_height(
    layers: Layers, above: Mapping[int, float], below: Mapping[int, float], gap: float
) -> float:
    """Return how high the highest column is; the measures are those of :func:`heights`."""
    return max(
        above.get(column[0], 0.0)
        + _offsets(column, above, below, gap)[-1]
        + below.get(column[-1], 0.0)
        for column in layers.columns
    )


def _offsets(
    column: Sequence[int], above: Mapping[int, float], below: Mapping[int, float], gap: float
) -> list[float]:
    """Return the least y of each node of a column, the first at 0."""
    steps = [
        below.get(one, 0.0) + gap + above.get(other, 0.0)
        for one, other in itertools.pairwise(column)
    ]
    return list(itertools.accumulate(steps, initial=0.0))


def _spread(
    wanted: Sequence[float], weights: Sequence[float], offsets: Sequence[float]
) -> list[float]:
    """Return the places nearest to the wanted ones that keep their distances.

    Isotonic regression by pooling neighbours that violate the order.
    """
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, size = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, size = total + heavy, size + many
        pools.append((mean, total, size))
    places = [mean for mean, _, size in pools for _ in range(size)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


Unit = tuple[int, ...]
Units = list[list[Unit]]


def _ordered(units: Units, paths: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    order = _Order(units, paths)
    best, least = units, order.crossings()
    for start in _starts(units):
        order.begin(start)
        found, crossings = order.improved()
        if crossings < least:
            best, least = found, crossings
        if least == 0:
            break
    return tuple(_flat(column) for column in best)


def _starts(units: Units) -> Iterator[Units]:
    yield units
    yield [list(reversed(column)) for column in units]
    dice = random.Random(0)
    for _ in range(_STARTS):
        yield [dice.sample(column, len(column)) for column in units]


class _Order:
    """The order of the units in each column, and where each node stands in it.

    Most of the time that a graph takes goes by here: what does not change is looked up once.
    """

    def __init__(self, units: Units, paths: Sequence[tuple[int, ...]]) -> None:
        column = {node: i for i, nodes in enumerate(units) for unit in nodes for node in unit}
        unit_of = {node: unit for nodes in units for unit in nodes for node in unit}
        self._between: list[list[Link]] = [[] for _ in units]
        # The nodes that each unit's links lead to, on its left and on its right.
        self._beside: dict[Unit, tuple[list[int], list[int]]]
        self._beside = {unit: ([], []) for nodes in units for unit in nodes}
        for left, right in itertools.chain.from_iterable(map(itertools.pairwise, paths)):
            self._between[column[left]].append((left, right))
            self._beside[unit_of[left]][1].append(right)
            self._beside[unit_of[right]][0].append(left)
        self._place = [0] * len(column)
        self.begin(units)

    def begin(self, units: Units) -> None:
        """Order the columns like these."""
        self._units = [list(column) for column in units]
        for number in range(len(units)):
            self._settle(number)

    def improved(self) -> tuple[Units, int]:
        """Sort each column by where its neighbours stand, to and fro, then swap neighbours; return
        the best order that was met, and how many links cross in it."""
        best, least = [list(column) for column in self._units], self.crossings()
        before: dict[bool, Units] = {}
        for sweep in range(_SWEEPS):
            forward = sweep % 2 == 0
            last = len(self._units) - 1
            for number in range(1, last + 1) if forward else range(last - 1, -1, -1):
                self._sort(number, 0 if forward else 1)
            self._swap()
            crossings = self.crossings()
            current = [list(column) for column in self._units]
            if crossings < least:
                best, least = current, crossings
            if least == 0 or current == before.get(forward):  # from here on it goes in a circle
                break
            before[forward] = current
        return best, least

    def crossings(self) -> int:
        """Return how many pairs of links cross."""
        place = self._place
        return sum(
            _inversions((place[one], place[other]) for one, other in links)
            for links in self._between
        )

    def _settle(self, number: int) -> None:
        for at, node in enumerate(itertools.chain.from_iterable(self._units[number])):
            self._place[node] = at

    def _sort(self, number: int, side: int) -> None:
        place, column = self._place, self._units[number]
        middles: dict[Unit, float] = {}
        for at, unit in enumerate(column):
            beside = self._beside[unit][side]
            middles[unit] = sum([place[node] for node in beside]) / len(beside) if beside else at
        column.sort(key=middles.__getitem__)
        self._settle(number)

    def _swap(self) -> None:
        """Swap units next to each other as long as that takes crossings away."""
        waiting = set(range(len(self._units)))
        while waiting:
            for number in range(len(self._units)):
                if number not in waiting:  # nothing changed beside it since it was last in order
                    continue
                waiting.discard(number)
                if self._swap_in(number):
                    waiting |= {number - 1, number, number + 1} & set(range(len(self._units)))

    def _swap_in(self, number: int) -> bool:
        """Go down a column once, and tell whether units were swapped."""
        place, column = self._place, self._units[number]
        met = [[[place[node] for node in side] for side in self._beside[u]] for u in column]
        swapped = False
        for i in range(len(column) - 1):
            one, other = met[i], met[i + 1]
            gain = 0
            for above, below in zip(one, other, strict=True):
                for p in above:
                    for q in below:
                        gain += (p > q) - (p < q)
            if gain > 0:
                column[i], column[i + 1] = column[i + 1], column[i]
                met[i], met[i + 1] = other, one
                swapped = True
        if swapped:
            self._settle(number)
        return swapped


def _crossings(left: Sequence[int], right: Sequence[int], links: Sequence[Link]) -> int:
    on_left = {node: i for i, node in enumerate(left)}
    on_right = {node: i for i, node in enumerate(right)}
    return _inversions((on_left[one], on_right[other]) for one, other in links)


def _inversions(ends: Iterable[tuple[int, int]]) -> int:
    """Return how many of these lines cross, each given by where its ends stand in two columns."""
    crossings = 0
    above: list[int] = []
    # Links from one node do not cross: the lower end of those from above is what counts.
    for _, end in sorted(ends):
        crossings += len(above) - bisect.bisect_right(above, end)
        bisect.insort(above, end)
    return crossings


def _flat(column: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(itertools.chain.from_iterable(column))
