"""What the picture of a backward pass's graph consists of: cells, tensors, ops and links.

Pure: from a :class:`Backward` and its trace to nodes and links, finer or coarser.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Literal

import numpy as np

from torchreel.records import Backward, GraphEdge, GraphNode, Step, TensorRecord, Trace
from torchreel.spelling import bare_name
from torchreel.stage.graph.symbols import function_symbol, symbol

Kind = Literal["element", "tensor", "op"]
Ops = tuple[int, ...]
"""The nodes of autograd that one op of the picture stands for, as positions in the pass."""

_TERMS = 4
"""A sum of more gradients than this is not written at a node."""

_LINKS_OF_AN_OP = 8
"""An op with more links between elements than this is drawn as one node."""


@dataclass(frozen=True)
class Detail:
    """How fine a picture is: tensors of up to ``elements`` elements are drawn element by element,
    of ``data`` (what no gradient goes to) "all" is drawn, what has a name or "none", of results
    "all", those that have a name, or ("root") only what the pass began at, and of leaves "all",
    those that are not a folded module's own parameters ("outer"), or "none".
    """

    elements: int = 4
    data: Literal["all", "named", "none"] = "all"
    results: Literal["all", "named", "root"] = "all"
    leaves: Literal["all", "outer", "none"] = "all"


@dataclass(frozen=True)
class Factor:
    """The local derivative on a link, and where it was measured: the step, and the place of the
    result, the operand and its place (as in ``Provenance``)."""

    value: float
    step: int
    place: tuple[int, int, int]


@dataclass(frozen=True)
class Node:
    """One node of the picture.

    ``group`` is shared by the elements of one tensor and by the parts of one op; the ``first`` of
    a tensor's elements carries its name. Of an op, ``place`` is which element of the result it
    makes (None: all), ``text`` its symbols, ``functions`` autograd's names, ``ops`` which nodes of
    the pass it stands for. ``kept`` is a leaf whose ``.grad`` keeps the gradient, ``parameter`` a
    tensor that asks for one; an op that is ``kept`` holds such leaves within,
    ``module`` is the module it stands for. ``terms`` are the edges that bring what adds up to
    its gradient (``brought``), in the order in which it comes; none where only one does. ``asked``
    is the name of a gradient that the pass returns, ``hooked`` is one that a hook changed.
    ``within`` are the names that the script has for results of an op that are not drawn, with their
    tensors.
    """

    kind: Kind
    group: int
    tensor: int | None = None
    index: tuple[int, ...] = ()
    gradient: int | None = None
    name: str = ""
    first: bool = True
    kept: bool = False
    parameter: bool = False
    ops: Ops = ()
    steps: tuple[int, ...] = ()
    place: int | None = None
    text: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    module: int | None = None
    terms: tuple[int, ...] = ()
    brought: tuple[int, ...] = ()
    asked: str = ""
    hooked: bool = False
    within: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Link:
    """A line of the picture, from nearer the leaves to nearer the root; ``edges`` are the pass's
    edges that it stands for (none: from an op to what it made, or no gradient crossed it)."""

    source: int
    target: int
    edges: tuple[int, ...] = ()
    factor: Factor | None = None
    passes: bool = True


@dataclass(frozen=True)
class Diagram:
    """Nodes and links; ``roots`` are the nodes the pass began at."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    roots: tuple[int, ...]

    @property
    def has_terms(self) -> bool:
        """Whether gradients add up at a node."""
        return any(node.terms for node in self.nodes)

    def without_terms(self) -> Diagram:
        """Return the diagram without what adds up at its nodes."""
        return replace(
            self, nodes=tuple(replace(node, terms=(), brought=()) for node in self.nodes)
        )

    @property
    def groups(self) -> list[int]:
        """The group of each node."""
        return [node.group for node in self.nodes]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Source and target of each link."""
        return [(link.source, link.target) for link in self.links]


@dataclass(frozen=True)
class Wave:
    """What happens at once in the pass: gradients cross ``links``; ``arrived`` are the nodes to
    which the last gradient, ``part`` those to which one of several has come (and over which edge).
    """

    links: tuple[int, ...]
    arrived: tuple[int, ...]
    part: tuple[tuple[int, int], ...] = ()


def is_leaf(node: GraphNode) -> bool:
    """Tell whether a node of the pass stands for a leaf tensor, not for an op."""
    return node.name.endswith("AccumulateGrad") and node.tensor is not None


def is_pass(step: Step) -> bool:
    """Tell whether a step is itself a pass: each of the nodes that it recorded is an op."""
    return bare_name(step.op) in ("grad", "backward")


def ops_of(trace: Trace, backward: Backward) -> tuple[Ops, ...]:
    """Return the ops of a pass, one for each step that recorded some of its nodes; where that was a
    pass, one for each node."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for node in backward.nodes:
        if not is_leaf(node):
            alone = node.step is None or is_pass(trace.steps[node.step])
            key = ("node", node.number) if alone else ("step", node.step or 0)
            found[key].append(node.number)
    return tuple(tuple(nodes) for nodes in found.values())


def befores(backward: Backward, ops: Sequence[Ops]) -> dict[Ops, list[Ops]]:
    """Return for each of the ops, in their order, those whose results it takes."""
    op_of = {node: op for op in ops for node in op}
    before: dict[Ops, list[Ops]] = {op: [] for op in ops}
    for edge in backward.edges:
        source, target = op_of.get(edge.source), op_of.get(edge.target)
        if source is not None and target is not None and source != target:
            before[source].append(target)
    return before


class Drawing:
    """Makes the diagram of one pass for one way to put its ops together."""

    def __init__(
        self,
        trace: Trace,
        backward: Backward,
        ops: Sequence[Ops],
        detail: Detail,
        modules: frozenset[Ops] = frozenset(),
    ) -> None:
        self._trace, self._backward, self._detail = trace, backward, detail
        self._op_of = {node: op for op in ops for node in op}
        self._ops = ops
        self._modules = modules
        self._nodes: list[Node] = []
        self._links: list[Link] = []
        self._tensors: dict[int, tuple[int, ...]] = {}
        self._pictures: dict[Ops, tuple[int, ...]] = {}
        self._group = 0
        self._kept = {each.tensor for each in backward.accumulations}
        # An op that made several tensors: a node of the pass knows one of them.
        outputs: dict[int, set[int]] = defaultdict(set)
        for edge in backward.edges:
            outputs[edge.target].add(edge.output)
        self._several = {node for node, made in outputs.items() if len(made) > 1}
        # One tensor that is too large, and all but scalars are drawn as one.
        sizes = [
            trace.tensor(node.tensor).numel for node in backward.nodes if node.tensor is not None
        ]
        if max(sizes, default=0) > detail.elements:
            self._detail = replace(detail, elements=1)

    def diagram(self) -> Diagram:
        """Return the nodes and links of the pass."""
        incoming: dict[Ops, list[tuple[int, GraphEdge]]] = defaultdict(list)
        for position, edge in enumerate(self._backward.edges):
            source = self._op_of.get(edge.source)
            if source is not None and source != self._op_of.get(edge.target):
                incoming[source].append((position, edge))
        for op in self._forwards():
            self._draw_op(op, incoming[op])
        roots: tuple[int, ...] = ()
        for root in self._backward.roots:
            roots += self._shown(root)
        nodes = tuple(self._summed(number) for number in range(len(self._nodes)))
        return Diagram(nodes, tuple(self._links), roots)

    def _forwards(self) -> list[Ops]:
        """Return the ops in an order in which each comes after those whose results it takes."""
        # Lists, not sets, and the earliest step first: the same graph is always drawn alike.
        ops = sorted(self._ops, key=lambda op: (self._backward.nodes[op[0]].step or 0, op))
        return list(TopologicalSorter(befores(self._backward, ops)).static_order())

    def _draw_op(self, op: Ops, incoming: list[tuple[int, GraphEdge]]) -> None:
        results = self._results(op)
        parts = self._parts(op, results, [edge for _, edge in incoming])
        self._group += 1
        pictures = []
        for place in parts:
            pictures.append(len(self._nodes))
            self._nodes.append(self._op_node(op, place, results))
        self._pictures[op] = tuple(pictures)
        for node in results:
            for shown in self._shown(node.number):
                made = self._nodes[shown]
                if shown in pictures:
                    continue
                for at in pictures:
                    if self._nodes[at].place in (None, self._flat(made)):
                        self._links.append(Link(at, shown, passes=made.gradient is not None))
        for position, edge in sorted(incoming, key=lambda each: each[1].input):
            self._draw_edge(op, position, edge)
        if self._detail.data != "none":
            self._draw_data(op)

    def _draw_edge(self, op: Ops, position: int, edge: GraphEdge) -> None:
        crossed = edge.gradient is not None
        operand = self._operand(op, edge)
        for source in self._shown(edge.target):
            for at in self._pictures[op]:
                node = self._nodes[source]
                feeds, factor = self._feeds(op, self._nodes[at], operand, node)
                if feeds:
                    self._links.append(Link(source, at, (position,), factor, crossed))

    def _draw_data(self, op: Ops) -> None:
        call = common_call(self._trace, self._backward, op) if op in self._modules else None
        step, at = self._step(op), self._pictures[op]
        if call is not None:
            operands = self._trace.calls[call].operands
        else:
            operands = tuple(each for step in self._steps(op) for each in step.operands)
        for position, operand in enumerate(operands):
            record = None if operand.tensor is None else self._trace.tensor(operand.tensor)
            if record is None or record.requires_grad or record.numel == 0:
                continue
            if self._detail.data == "named" and not self._name(record.id):
                continue
            if step is None and any(
                link.source in self._tensors.get(record.id, ()) and link.target in at
                for link in self._links
            ):  # several ops that are drawn as one take it
                continue
            for source in self._tensor_nodes(record, None, ""):
                for number in at:
                    place = None if call is not None else position
                    feeds, _ = self._feeds(op, self._nodes[number], place, self._nodes[source])
                    if feeds:
                        self._links.append(Link(source, number, passes=False))

    def _summed(self, number: int) -> Node:
        """Return a node with what adds up at it."""
        terms = self._terms(number)
        brought = [self._backward.edges[edge].gradient for edge in terms]
        known = tuple(each for each in brought if each is not None)
        hooked = not terms and self._is_hooked(number)
        return replace(self._nodes[number], terms=terms, brought=known, hooked=hooked)

    def _is_hooked(self, number: int) -> bool:
        """Tell whether a node's gradient is another than what came over its edges."""
        node = self._nodes[number]
        links = (link for link in self._links if link.source == number and link.passes)
        edges = sorted({edge for link in links for edge in link.edges})
        if node.kind == "op" or not edges or node.gradient is None:
            return False
        known = [self._backward.edges[edge].gradient for edge in edges] + [node.gradient]
        values = [self._trace.values.get(-1 if each is None else each) for each in known]
        shapes = {None if each is None else each.shape for each in values}
        return None not in shapes and len(shapes) == 1 and not self._add_up(edges, node)

    def _terms(self, number: int) -> tuple[int, ...]:
        """Return the edges whose gradients add up at a node; none where ``.grad`` held something
        before: there more is added than what comes."""
        node = self._nodes[number]
        held = any(
            each.tensor == node.tensor and each.before is not None
            for each in self._backward.accumulations
        )
        if node.kind == "op" or held:
            return ()
        links = (link for link in self._links if link.source == number and link.passes)
        edges = sorted({edge for link in links for edge in link.edges})
        return tuple(edges) if 2 <= len(edges) <= _TERMS and self._add_up(edges, node) else ()

    def _add_up(self, edges: Sequence[int], node: Node) -> bool:
        """Tell whether the gradients of edges are known and have a node's gradient as their sum:
        not where they reach two outputs of an op, nor where a hook changed it."""
        values = self._trace.values
        total = values.get(node.gradient if node.gradient is not None else -1)
        brought = [self._backward.edges[edge].gradient for edge in edges]
        parts = [values.get(each) for each in brought if each is not None]
        record = None if node.tensor is None else self._trace.tensor(node.tensor)
        if total is None or record is None or np.iscomplexobj(total):
            return False
        if total.shape != record.shape or any(
            each is None or each.shape != total.shape for each in parts
        ):
            return False
        wide = np.array([each[node.index] for each in parts if each is not None], dtype=float)
        short = "16" in self._trace.tensor(node.gradient or 0).dtype
        precision = (1e-2 if short else 1e-5) * np.abs(wide).sum(0)
        return bool((np.abs(wide.sum(0) - total[node.index]) <= precision).all())

    # What is shown of a node of the pass: elements, a tensor, or the op that made it.

    def _shown(self, number: int) -> tuple[int, ...]:
        node = self._backward.nodes[number]
        record = None if node.tensor is None else self._trace.tensor(node.tensor)
        op = self._op_of.get(number)
        if op is not None and (record is None or self._hidden(node)):
            return self._pictures[op]
        if record is None or (op is None and self._within(number)):
            return ()
        name = node.names[-1] if node.names else record.name
        return self._tensor_nodes(record, node, name)

    def _hidden(self, node: GraphNode) -> bool:
        """Tell whether what a node made is not drawn: its op stands for it."""
        if node.number in self._several:
            return True
        if node.number in self._backward.roots or node.tensor in self._kept:
            return False
        results = self._detail.results
        return results == "root" or (results == "named" and not node.names)

    def _within(self, leaf: int) -> bool:
        """Tell whether a leaf is not drawn: only ops that stand for their module use it."""
        if self._detail.leaves != "outer":
            return self._detail.leaves == "none"
        users = {
            self._op_of.get(edge.source) for edge in self._backward.edges if edge.target == leaf
        }
        return len(users) == 1 and users <= self._modules

    def _tensor_nodes(
        self, record: TensorRecord, node: GraphNode | None, name: str
    ) -> tuple[int, ...]:
        if record.id in self._tensors:
            return self._tensors[record.id]
        self._group += 1
        base = Node(
            "tensor",
            self._group,
            record.id,
            gradient=node.gradient if node is not None else None,
            asked=self._asked(node.gradient) if node is not None else "",
            name=name or self._name(record.id),
            kept=record.id in self._kept,
            parameter=node is not None and is_leaf(node),
        )
        first = len(self._nodes)
        if self._by_element(record):
            for index in np.ndindex(record.shape):
                made = replace(base, kind="element", index=index, first=not any(index))
                self._nodes.append(made)
        else:
            self._nodes.append(base)
        self._tensors[record.id] = tuple(range(first, len(self._nodes)))
        return self._tensors[record.id]

    def _name(self, tensor: int) -> str:
        """Return the last name that the script gave this very tensor, if any."""
        names = [
            name for run in self._trace.runs for name, held in run.changed.items() if held == tensor
        ]
        names += [name for name, held in self._trace.names.items() if held == tensor]
        return names[-1] if names else self._trace.tensor(tensor).name

    def _asked(self, gradient: int | None) -> str:
        """Return the name that the script gave to a gradient, where the pass returned it."""
        returned = self._trace.steps[self._backward.step].results
        return self._name(gradient) if gradient is not None and gradient in returned else ""

    def _by_element(self, record: TensorRecord) -> bool:
        return 0 < record.numel <= self._detail.elements and record.id in self._trace.values

    # Ops.

    def _step(self, op: Ops) -> Step | None:
        steps = {self._backward.nodes[node].step for node in op}
        number = steps.pop()
        step = None if number is None or steps else self._trace.steps[number]
        return None if step is not None and is_pass(step) else step

    def _steps(self, op: Ops) -> list[Step]:
        """Return the steps that an op stands for, but for passes."""
        numbers = {self._backward.nodes[node].step for node in op}
        steps = [self._trace.steps[number] for number in numbers if number is not None]
        return sorted((step for step in steps if not is_pass(step)), key=lambda step: step.number)

    def _op_node(self, op: Ops, place: int | None, results: Sequence[GraphNode]) -> Node:
        nodes = [self._backward.nodes[number] for number in op]
        steps = sorted({node.step for node in nodes if node.step is not None})
        told = [step for step in steps if not is_pass(self._trace.steps[step])]
        texts = [symbol(self._trace.steps[step]) for step in told]
        texts += [function_symbol(node.name) for node in nodes if node.step not in told]
        module = self._module(op)
        if module is not None:
            record = self._trace.modules[module]
            texts = [record.path or record.name or record.kind]
        return Node(
            "op",
            self._group,
            ops=op,
            steps=tuple(steps),
            place=place,
            text=tuple(texts),
            functions=tuple(dict.fromkeys(node.name for node in nodes)),
            gradient=next((node.gradient for node in nodes if node.gradient is not None), None),
            kept=any(
                edge.source in op
                and edge.gradient is not None
                and is_leaf(self._backward.nodes[edge.target])
                and self._within(edge.target)
                for edge in self._backward.edges
            ),
            module=module,
            within=() if module is not None else self._names_within(op, results),
        )

    def _names_within(self, op: Ops, results: Sequence[GraphNode]) -> tuple[tuple[str, int], ...]:
        """Return the names of what an op made and that is not drawn, the first made first."""
        drawn = {node.number for node in results if not self._hidden(node)}
        found: dict[int, str] = {}
        nodes = [self._backward.nodes[number] for number in op if number not in drawn]
        for node in sorted(nodes, key=lambda node: node.step or 0):
            if node.number in self._several and node.step is not None:
                made = self._trace.steps[node.step].results
                found |= {each: self._name(each) for each in made if self._name(each)}
            elif node.names and node.tensor is not None:
                found[node.tensor] = node.names[-1]
        return tuple((name, tensor) for tensor, name in found.items())

    def _module(self, op: Ops) -> int | None:
        if op not in self._modules:
            return None
        call = common_call(self._trace, self._backward, op)
        return None if call is None else self._trace.calls[call].module

    def _results(self, op: Ops) -> list[GraphNode]:
        """Return the nodes of an op whose tensors others use, or the pass began at."""
        used = {
            edge.target
            for edge in self._backward.edges
            if edge.target in op and self._op_of.get(edge.source) != op
        }
        used |= set(self._backward.roots) & set(op)
        return [self._backward.nodes[number] for number in sorted(used)]

    def _parts(
        self, op: Ops, results: Sequence[GraphNode], edges: Iterable[GraphEdge]
    ) -> Sequence[int | None]:
        """Return which elements of the result the op is drawn for one by one: (None,) for none."""
        step = self._step(op)
        if step is None or len(results) != 1 or results[0].tensor is None:
            return (None,)
        made = self._trace.tensor(results[0].tensor)
        rows = self._rows(step)
        # An operand that no gradient goes to is drawn along with the op.
        involved = [
            self._trace.tensor(each.tensor) for each in step.operands if each.tensor is not None
        ]
        shown = all(self._shown(edge.target) for edge in edges)
        if rows is None or not shown or len(rows) > max(_LINKS_OF_AN_OP, made.numel):
            return (None,)
        if not all(self._by_element(record) for record in (made, *involved)):
            return (None,)
        hidden = [edge for edge in edges if self._nodes[self._shown(edge.target)[0]].kind == "op"]
        if hidden or self._hidden(results[0]):
            return (None,)
        return range(made.numel)

    def _rows(self, step: Step) -> list[tuple[int, int, int]] | None:
        """Return which element of which operand went into which element of the result."""
        return _rows(self._trace, step.number)

    def _flat(self, node: Node) -> int | None:
        if node.kind != "element" or node.tensor is None:
            return None
        shape = self._trace.tensor(node.tensor).shape
        return int(np.ravel_multi_index(node.index, shape)) if shape else 0

    def _operand(self, op: Ops, edge: GraphEdge) -> int | None:
        """Return which operand of an op's step an edge leads to, None where that is not sure."""
        step = self._step(op)
        tensor = self._backward.nodes[edge.target].tensor
        if step is None or tensor is None:
            return None
        same = [
            each.input
            for each in self._backward.edges
            if each.source == edge.source and self._backward.nodes[each.target].tensor == tensor
        ]
        places = [i for i, operand in enumerate(step.operands) if operand.tensor == tensor]
        order = sorted(same).index(edge.input)
        return places[order] if len(places) == len(same) else None

    def _feeds(
        self, op: Ops, at: Node, operand: int | None, source: Node
    ) -> tuple[bool, Factor | None]:
        """Tell whether a node leads to (a part of) an op, and the derivative if it was measured."""
        step = self._step(op)
        if step is None or operand is None:
            return True, None
        element = self._flat(source)
        derivatives = _derivatives(self._trace, step.number)
        found = [
            (row, derivatives[i] if derivatives is not None else None)
            for i, row in enumerate(_rows(self._trace, step.number) or ())
            if row[1] == operand
            and (at.place is None or row[0] == at.place)
            and (element is None or row[2] == element)
        ]
        if at.place is not None and element is not None and not found:
            return False, None
        values = {value for _, value in found}
        if len(values) != 1 or None in values or source.kind == "op":
            return True, None
        value = next(each for each in values if each is not None)
        return True, Factor(float(value), step.number, found[0][0])


def waves(diagram: Diagram, backward: Backward) -> list[Wave]:
    """Return what happens in a pass, in its true order: one wave for each op that ran."""
    made: dict[int, list[int]] = defaultdict(list)
    crossing: dict[int, list[int]] = defaultdict(list)
    for number, link in enumerate(diagram.links):
        if not link.passes:
            continue
        if link.edges:
            for position in link.edges:
                crossing[position].append(number)
        else:
            made[link.source].append(number)
    awaited: dict[int, int] = defaultdict(int)
    for link in diagram.links:
        if link.edges and link.passes:
            awaited[link.source] += 1
    op_of = {number: node.ops for node in diagram.nodes for number in node.ops}
    pictures: dict[Ops, list[int]] = defaultdict(list)
    for number, node in enumerate(diagram.nodes):
        if node.kind == "op":
            pictures[node.ops].append(number)
    by_op: dict[Ops, list[int]] = {}
    for position, edge in enumerate(backward.edges):
        if edge.gradient is not None and edge.source in op_of:
            by_op.setdefault(op_of[edge.source], []).extend(crossing[position])
    found: list[Wave] = []
    seen: dict[int, int] = defaultdict(int)
    for op, numbers in by_op.items():
        into = [number for picture in pictures[op] for number in made[picture]]
        kept = [picture for picture in pictures[op] if diagram.nodes[picture].kept]
        if into or kept:
            found.append(Wave(tuple(into), tuple(kept)))
        if numbers:
            found.append(_crossing(diagram, numbers, seen, awaited))
    return found


def _crossing(
    diagram: Diagram, numbers: list[int], seen: dict[int, int], awaited: dict[int, int]
) -> Wave:
    arrived, part = [], []
    for number in numbers:
        link = diagram.links[number]
        seen[link.source] += 1
        if seen[link.source] == awaited[link.source]:
            arrived.append(link.source)
        elif seen[link.source] == 1:
            part.append((link.source, link.edges[0]))
    part = [(node, edge) for node, edge in part if node not in arrived]
    # Elements that nothing came of: zeros arrive there with the others' gradients.
    groups = {diagram.nodes[node].group for node in arrived}
    arrived += [
        number
        for number, node in enumerate(diagram.nodes)
        if node.kind == "element" and node.group in groups and not awaited[number]
    ]
    return Wave(tuple(numbers), tuple(arrived), tuple(part))


def common_call(trace: Trace, backward: Backward, op: Ops) -> int | None:
    """Return the innermost module call in which all of an op's steps ran."""
    chains = []
    for node in op:
        step = backward.nodes[node].step
        chains.append([] if step is None else calls_around(trace, step))
    shared = [call for call in chains[0] if all(call in chain for chain in chains)]
    return shared[0] if shared else None


def calls_around(trace: Trace, step: int) -> list[int]:
    """Return the module calls in which a step ran, the innermost first."""
    found, call = [], trace.steps[step].call
    while call is not None:
        found.append(call)
        call = trace.calls[call].parent
    return found


def _rows(trace: Trace, step: int) -> list[tuple[int, int, int]] | None:
    for each in trace.steps[step].provenance:
        if each.result or each.array is None:
            continue
        array = trace.arrays[each.array]
        if each.kind == "feeds":
            return [(int(a), int(b), int(c)) for a, b, c in array]
        if each.kind == "moves":
            return [(i, int(b), int(c)) for i, (b, c) in enumerate(array) if b >= 0]
    return None


def _derivatives(trace: Trace, step: int) -> list[float] | None:
    for each in trace.steps[step].provenance:
        if each.result == 0 and each.kind == "feeds" and each.derivatives is not None:
            return [float(value) for value in trace.arrays[each.derivatives]]
    return None
