"""Which ops of a pass are drawn on their own and which together, so that the picture can be read.

The finest picture that fits is taken: first what is not needed goes (tensors without a name, data
without a gradient), then the ops of a module become one node, then neighbouring ops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from torchreel.records import Backward, Trace
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.graph.diagram import Detail, Drawing, Ops, befores, calls_around, ops_of
from torchreel.stage.graph.placement import Placed, place

_DATA: tuple[Literal["all", "named", "none"], ...] = ("all", "named", "none")
_LEAVES: tuple[Literal["all", "outer"], ...] = ("all", "outer")


def _details(*results: Literal["all", "named", "root"]) -> tuple[Detail, ...]:
    """Return how fine a picture may be, the finest first."""
    return tuple(
        Detail(elements, data, shown, leaves)
        for leaves in _LEAVES
        for shown in results
        for data in _DATA
        for elements in (4, 1)
    )


_FINE, _ALL = _details("all", "named"), _details("all", "named", "root")
_LAST = Detail(1, data="none", results="root", leaves="none")
_NODES_OF_ONE = 25
"""Ops of a pass of at most so many nodes are put together by module alone, if at all."""
_OPS_MOST = 40
"""A pass with more ops than this begins with stretches of them together."""


@dataclass(frozen=True)
class Folding:
    """The ops of a pass, put together; ``modules`` are those that stand for a module's call."""

    ops: tuple[Ops, ...]
    modules: frozenset[Ops] = frozenset()


def compose(trace: Trace, backward: Backward, zone: Zone, artboard: Artboard) -> Placed | None:
    """Return the finest picture of a pass's graph that fits the zone, of those that are as fine the
    one with the fewest crossings; None where it has no node.

    A small graph is dense before ops that are in no module are put together, and before what no
    gradient goes to is left out.
    """

    def finest(folding: Folding, *, dense: bool = False, data: bool) -> Placed | None:
        pictures = _pictures(trace, backward, folding, zone, artboard, dense=dense, data=data)
        return _fewest_crossings(pictures)

    small = len(backward.nodes) <= _NODES_OF_ONE
    apart = _by_module(trace, backward)
    for data in (True, False) if small else ():
        for folding in apart:
            placed = finest(folding, data=data)
            if placed is not None and placed.layers.crossings:
                dense = finest(apart[0], dense=True, data=data)
                placed = _fewest_crossings(each for each in (placed, dense) if each)
            if placed is not None:
                return placed
        for folding in apart:
            placed = finest(folding, dense=True, data=data)
            if placed is not None:
                return placed
    for folding in foldings(trace, backward):
        for data in (True, False):
            placed = finest(folding, dense=small, data=data)
            if placed is not None:
                return placed
    drawing = Drawing(trace, backward, folding.ops, _LAST, folding.modules)
    return place(drawing.diagram().without_terms(), trace, zone, artboard)


def _pictures(
    trace: Trace,
    backward: Backward,
    folding: Folding,
    zone: Zone,
    artboard: Artboard,
    *,
    dense: bool,
    data: bool,
) -> Iterator[Placed]:
    """Yield the pictures of a folding that fit, the finest first: those with the ``data`` that has
    a name, or those without any."""
    tried = set()
    for detail in _ALL if dense else _FINE:
        if detail.leaves == "outer" and not folding.modules:
            continue
        if data == (detail.data == "none"):
            continue
        whole = Drawing(trace, backward, folding.ops, detail, folding.modules).diagram()
        for diagram in dict.fromkeys((whole, whole.without_terms())):
            placed = (
                None if diagram in tried else place(diagram, trace, zone, artboard, dense=dense)
            )
            tried.add(diagram)
            if placed is not None:
                yield placed
                break


def _fewest_crossings(pictures: Iterable[Placed]) -> Placed | None:
    """Return the first picture without a crossing, or else the first of those with the fewest."""
    best: Placed | None = None
    for each in pictures:
        if best is None or each.layers.crossings < best.layers.crossings:
            best = each
        if not best.layers.crossings:
            break
    return best


def foldings(trace: Trace, backward: Backward) -> Iterator[Folding]:
    """Yield ever coarser ways to put the ops of a pass together, the finest first."""
    apart = _by_module(trace, backward)
    yield from apart if len(apart[0].ops) <= _OPS_MOST else apart[1:]
    folding = apart[-1]
    if len(folding.ops) > _OPS_MOST:
        folding = _by_stretch(backward, folding)
        yield folding
    while len(folding.ops) > 1:
        merged = _coarser(trace, backward, folding)
        if merged is None:
            return
        folding = merged
        yield folding


def _by_module(trace: Trace, backward: Backward) -> list[Folding]:
    """Return the ways to put ops together by module alone: first none of them."""
    found = [_by_call(trace, backward, depth) for depth in _depths(trace, backward)]
    return [Folding(ops_of(trace, backward)), *found]


def _depths(trace: Trace, backward: Backward) -> range:
    """Return the depths of the module calls in which the ops ran, the innermost first."""
    steps = [node.step for node in backward.nodes if node.step is not None]
    deepest = max((len(calls_around(trace, step)) for step in steps), default=0)
    return range(deepest, 0, -1)


def _by_call(trace: Trace, backward: Backward, depth: int) -> Folding:
    """Put together the ops of each module call that is at most ``depth`` calls deep.

    Only of whole calls: what a call does around inner calls that are drawn apart is not the module,
    and as one op it would lead into them and come out of them, in a ring.
    """
    around: dict[Ops, list[int]] = {}
    for op in ops_of(trace, backward):
        step = backward.nodes[op[0]].step
        around[op] = [] if step is None else calls_around(trace, step)[::-1][:depth]
    apart = {call for calls in around.values() for call in calls[:-1]}
    together: dict[int, list[Ops]] = defaultdict(list)
    for op, calls in around.items():
        if calls and calls[-1] not in apart:
            together[calls[-1]].append(op)
    return _without_rings(backward, tuple(around), list(together.values()))


def _without_rings(backward: Backward, ops: tuple[Ops, ...], groups: list[list[Ops]]) -> Folding:
    """Put together the ops of each group, but of none that is in a ring with what is outside it:
    with what no module did between two of its ops."""
    while True:
        made = {
            op: tuple(node for each in group for node in each) for group in groups for op in group
        }
        folded = tuple(dict.fromkeys(made.get(op, op) for op in ops))
        ring = _ring(befores(backward, folded))
        whole = [group for group in groups if made[group[0]] not in ring or len(group) == 1]
        if len(whole) == len(groups):
            return Folding(folded, frozenset(made.values()))
        groups = whole


def _ring(before: dict[Ops, list[Ops]]) -> list[Ops]:
    """Return ops each of which comes before the next and the last before the first, if any do."""
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        ring: list[Ops] = error.args[1]
        return ring
    return []


def _by_stretch(backward: Backward, folding: Folding) -> Folding:
    """Put together ops that come one after the other, so that few are left.

    Stretches of an order in which each op comes after those it takes from lead to no ring.
    """
    before = befores(backward, folding.ops[::-1])
    order = list(TopologicalSorter(before).static_order())
    size = -(-len(order) // _OPS_MOST)
    stretches = [order[start : start + size] for start in range(0, len(order), size)]
    ops = tuple(tuple(node for op in stretch for node in op) for stretch in stretches)
    return Folding(ops, folding.modules & frozenset(ops))


def _coarser(trace: Trace, backward: Backward, folding: Folding) -> Folding | None:
    """Put two ops together, one of which takes what the other made: the pair that says least."""
    op_of = {node: op for op in folding.ops for node in op}
    links: dict[tuple[Ops, Ops], bool] = {}
    for edge in backward.edges:
        pair = op_of.get(edge.source), op_of.get(edge.target)
        if pair[0] is None or pair[1] is None or pair[0] == pair[1]:
            continue
        links[pair[0], pair[1]] = bool(backward.nodes[edge.target].names)
    longest = _longest(folding.ops, links)

    def cost(pair: tuple[Ops, Ops]) -> tuple[object, ...]:
        source, target = pair
        shorter = _longest(*_merged(folding.ops, links, pair)) < longest
        first, second = (backward.nodes[op[0]].step for op in pair)
        apart = None in (first, second) or (
            trace.steps[first or 0].run != trace.steps[second or 0].run
        )
        modules = sum(op in folding.modules for op in pair)
        return modules, not shorter, links[pair], apart, len(source) + len(target), min(target)

    for source, target in sorted(links, key=cost):
        ops, between = _merged(folding.ops, links, (source, target))
        if _longest(ops, between) < len(ops) + 1:
            return Folding(ops, folding.modules & frozenset(ops))
    return None


def _merged(
    ops: tuple[Ops, ...], links: dict[tuple[Ops, Ops], bool], pair: tuple[Ops, Ops]
) -> tuple[tuple[Ops, ...], dict[tuple[Ops, Ops], bool]]:
    made = (*pair[0], *pair[1])
    new = {op: made if op in pair else op for op in ops}
    between = {
        (new[source], new[target]): named
        for (source, target), named in links.items()
        if new[source] != new[target]
    }
    return tuple(dict.fromkeys(new.values())), between


def _longest(ops: tuple[Ops, ...], links: dict[tuple[Ops, Ops], bool]) -> int:
    """Return how many ops the longest way from the root holds, more than there are in a ring."""
    before: dict[Ops, list[Ops]] = {op: [] for op in ops}
    for source, target in links:
        before[source].append(target)
    far: dict[Ops, int] = {}
    try:
        for op in TopologicalSorter(before).static_order():
            far[op] = 1 + max((far[each] for each in before[op]), default=0)
    except CycleError:
        return len(ops) + 1
    return max(far.values(), default=0)
