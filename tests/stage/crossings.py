"""How many lines of a graph must cross in a drawing from left to right: the exact number.

A drawing is swept from left to right. What the sweep meets is a row of open lines, from above: a
node takes lines that lie side by side and puts its own in their place, and two neighbours may
cross. The least crossings are the shortest way (Dijkstra) to a sweep that has met every node.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

Link = tuple[int, int]
Row = tuple[Link, ...]
State = tuple[Row, frozenset[int]]
"""The open lines, and the nodes that the sweep has not met."""


def least_crossings(links: Sequence[Link]) -> int:
    """Return the least number of crossings of any drawing in which every line goes to the right."""
    sweep = _Sweep(_kernel(Counter(links)))
    count = itertools.count()
    waiting = [(0, next(count), sweep.start)]
    met: dict[State, int] = {}
    while True:
        crossings, _, state = heapq.heappop(waiting)
        if not state[1]:
            return crossings
        if met.get(state, crossings + 1) <= crossings:
            continue
        met[state] = crossings
        for more, then in sweep.onward(state):
            heapq.heappush(waiting, (crossings + more, next(count), then))


class _Sweep:
    def __init__(self, weight: Counter[Link]) -> None:
        self._weight = weight
        self._into: dict[int, list[int]] = defaultdict(list)
        self._out: dict[int, list[int]] = defaultdict(list)
        for source, target in weight:
            self._into[target].append(source)
            self._out[source].append(target)
        self.start: State = ((), frozenset(self._into) | frozenset(self._out))

    def onward(self, state: State) -> Iterator[tuple[int, State]]:
        """Yield what may come next, and how many lines cross in it."""
        row, left = state
        ready = [(node, *at) for node in sorted(left) if (at := self._together(row, node))]
        for node, first, last in ready:
            if self._leaving(node) <= self._arriving(node):  # nothing is gained by waiting
                yield from self._meet(state, node, first, last)
                return
        for node, first, last in ready:
            yield from self._meet(state, node, first, last)
        for node in sorted(left):
            if not self._into[node]:
                for place in range(len(row) + 1):
                    yield from self._meet(state, node, place, place)
        for place, (one, other) in enumerate(itertools.pairwise(row)):
            if one[1] != other[1]:
                crossed = (*row[:place], other, one, *row[place + 2 :])
                yield self._weight[one] * self._weight[other], (crossed, left)

    def _together(self, row: Row, node: int) -> tuple[int, int] | None:
        """Return where the lines to a node lie, if all are open and lie side by side."""
        places = [place for place, (_, target) in enumerate(row) if target == node]
        if not places or len(places) < len(self._into[node]):
            return None
        first, last = places[0], places[-1] + 1
        return (first, last) if last - first == len(places) else None

    def _meet(self, state: State, node: int, first: int, last: int) -> Iterator[tuple[int, State]]:
        row, left = state
        for order in itertools.permutations(self._out[node]):
            new = tuple((node, target) for target in order)
            yield 0, ((*row[:first], *new, *row[last:]), left - {node})

    def _arriving(self, node: int) -> int:
        return sum(self._weight[source, node] for source in self._into[node])

    def _leaving(self, node: int) -> int:
        return sum(self._weight[node, target] for target in self._out[node])


def _kernel(weight: Counter[Link]) -> Counter[Link]:
    """Return a graph with as many crossings and fewer nodes: without ends and without nodes in the
    middle of a line; several lines between two nodes are one, which weighs more."""
    while True:
        into: dict[int, list[int]] = defaultdict(list)
        out: dict[int, list[int]] = defaultdict(list)
        for source, target in weight:
            out[source].append(target)
            into[target].append(source)
        for node in {*into, *out}:
            if len(into[node]) + len(out[node]) == 1:
                weight = Counter({link: n for link, n in weight.items() if node not in link})
                break
            if len(into[node]) == len(out[node]) == 1:
                before, after = (into[node][0], node), (node, out[node][0])
                weight[before[0], after[1]] += min(weight.pop(before), weight.pop(after))
                break
        else:
            return weight
