"""The graph of a backward pass on stage: recorded from left to right, walked from right to left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from manim import VGroup, VMobject

from torchreel.records import Backward, Drawn, Step, Trace
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color, identity, mix
from torchreel.stage.graph.diagram import Link, Node, Wave, is_leaf, waves
from torchreel.stage.graph.part import Draw, Part, Wire
from torchreel.stage.graph.pictures import Pictures
from torchreel.stage.graph.placement import Placed, Title
from torchreel.stage.motion import BEAT, part
from torchreel.stage.text import text_width

_FUNCTION_GAP = 54
_FUNCTION_SIZE = 1.15
"""Type size of autograd's names, in the smallest."""


class GraphTree(VGroup):
    """The graph that a backward pass walks: leaves left, the root right.

    Nothing of it is there at first. :meth:`appear` brings leaves, :meth:`record` the nodes of a
    step that just ran, :meth:`start` the gradient of the root, and :meth:`cross` lets gradients
    flow, wave by wave (:attr:`waves` is their true order). Each returns an animation to play.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, backward: Backward, placed: Placed, limit: float = 1.0
    ) -> None:
        self.canvas, self.trace, self.backward, self.placed = canvas, trace, backward, placed
        self.waves = waves(placed.diagram, backward)
        diagram = placed.diagram
        self._pictures = Pictures(canvas, trace, placed.sizes, limit)
        self._fills = colors_of(placed, canvas)
        # Where a tensor shows its values by their colours, all do.
        self._by_identity = all(node.kind != "tensor" for node in diagram.nodes)
        self._labels: dict[int, list[VMobject]] = {}
        data = {i for i, node in enumerate(diagram.nodes) if _is_data(node)}
        self.wires = [
            Wire(canvas, curve, data=link.source in data)
            for curve, link in zip(placed.curves, diagram.links, strict=True)
        ]
        self.bodies = [self._body(number) for number in range(len(diagram.nodes))]
        self.names = {
            number: self._pictures.title(diagram.nodes[number], title)
            for number, title in placed.titles.items()
        }
        self.names |= {
            number: names
            for number, node in enumerate(diagram.nodes)
            if (names := self._pictures.names_over(node, placed.boxes[number])) is not None
        }
        self.factors = {
            number: self._factor(number, title) for number, title in placed.factors.items()
        }
        self.functions = self._functions()
        self._terms = self._parts_of_sums()
        self.capsules: dict[int, Part] = {}
        self.grown: set[int] = set()
        self._lit: set[int] = set()
        self._named: set[int] = set()
        self._made = {
            node.tensor: node.step
            for node in backward.nodes
            if node.tensor is not None and node.step is not None
        }
        super().__init__(
            *self.wires,
            *self.bodies,
            *self.names.values(),
            *self.factors.values(),
            *(part for _, part in self.functions),
            *(each for parts in self._terms.values() for each in parts.values()),
        )

    @property
    def steps(self) -> frozenset[int]:
        """The steps that recorded the graph."""
        return frozenset(node.step for node in self.backward.nodes if node.step is not None)

    def nodes_of(self, tensor: int) -> list[int]:
        """Return the nodes that show a tensor: its elements, or it as one."""
        nodes = enumerate(self.placed.diagram.nodes)
        return [number for number, node in nodes if node.kind != "op" and node.tensor == tensor]

    def colors(self, nodes: Iterable[int]) -> list[Color] | None:
        """Return the colours of elements, or None where they are coloured by their values."""
        elements = [self._fills[number] for number in nodes if number in self._fills]
        return elements if elements and self._by_identity else None

    # Forward.

    def appear(self, tensors: Iterable[int], run_time: float = BEAT) -> Draw | None:
        """Return the animation in which leaves pop up, or None where all are there."""
        nodes = [
            number
            for tensor in tensors
            for number in self.nodes_of(tensor)
            if number not in self.grown
        ]
        if not nodes:
            return None
        self.grown |= set(nodes)
        return Draw(self, self._popping(nodes), run_time)

    def record(self, step: int, run_time: float) -> Draw | None:
        """Return the animation in which a step that just ran is recorded, or None where it has no
        node: lines grow to the op, the op pops up, a line grows to what it made."""
        diagram = self.placed.diagram
        ops = [i for i, node in enumerate(diagram.nodes) if step in node.steps]
        if not ops:
            return None
        self.settle()
        into = [
            i
            for i, link in enumerate(diagram.links)
            if link.target in ops and not self.wires[i].forward and self._ready(link.source, step)
        ]
        sources = [diagram.links[i].source for i in into]
        leaves = [node for node in dict.fromkeys(sources) if node not in self.grown]
        new = [op for op in ops if op not in self.grown]
        out = [
            i
            for i, link in enumerate(diagram.links)
            if link.source in ops
            and not self.wires[i].forward
            and diagram.nodes[link.target].kind != "op"
            and self._ready(link.target, step)
        ]
        made = [diagram.links[i].target for i in out]
        made = [node for node in dict.fromkeys(made) if node not in self.grown]
        told = {*ops, *sources}
        functions = [part for owner, part in self.functions if owner in told]
        self.grown |= {*leaves, *new, *made}
        self._lit = {*into, *out}
        for op in ops:
            self._light(op, step)
        early = self._popping(leaves)
        popping = self._popping(new)
        late = self._popping(made)

        def draw(t: float) -> None:
            early(part(t, 0.0, 0.3))
            for i in into:
                self.wires[i].record(part(t, 0.05, 0.5))
            popping(part(t, 0.32, 0.6))
            for each in functions:
                each.reveal(max(each.shown, part(t, 0.4, 0.7)))
            for i in out:
                self.wires[i].record(part(t, 0.5, 0.85))
            late(part(t, 0.66, 1.0))

        return Draw(self, draw, run_time)

    def settle(self) -> None:
        """Let what was lit become part of the graph."""
        for number in self._lit:
            self.wires[number].record(1.0, lit=0.0)
        self._lit = set()
        for number, node in enumerate(self.placed.diagram.nodes):
            if node.kind == "op" and number in self.grown:
                self._outline(number, self.canvas.theme.muted, 3)
                for label in self._labels[number]:
                    self.bodies[number].repaint(label, self.canvas.theme.text)

    # Backward.

    def start(self, run_time: float = BEAT) -> Draw:
        """Return the animation in which the root's own gradient pops up under it, and what no step
        of the trace recorded (laps that were not kept, a graph of gradients) is there too."""
        self.settle()
        nodes, roots = self.placed.diagram.nodes, self.placed.diagram.roots
        missing = [number for number in range(len(nodes)) if number not in self.grown]
        wires = [wire for wire in self.wires if wire.forward < 1]
        self.grown |= set(missing)
        joining = self._popping(missing)
        popping = self._capsules({root: nodes[root].gradient for root in roots})

        def draw(t: float) -> None:
            joining(part(t, 0.0, 0.5))
            for wire in wires:
                wire.record(part(t, 0.0, 0.5), lit=0.0)
            popping(part(t, 0.3, 1.0))

        return Draw(self, draw, run_time)

    def cross(self, wave: Wave, run_time: float) -> Draw:
        """Return the animation in which gradients cross some links, and arrive."""
        links = self.placed.diagram.links
        nodes = self.placed.diagram.nodes
        held = [
            each.tensor for each in self.backward.accumulations if each.before is not None
        ]  # they show it until all has come
        gradients = {node: self._arrived(nodes[node]) for node in wave.arrived}
        gradients |= {
            node: self.backward.edges[edge].gradient
            for node, edge in wave.part
            if node not in self._terms and nodes[node].tensor not in held
        }
        gradients = {
            node: each
            for node, each in gradients.items()
            if nodes[node].kind != "op" or nodes[node].kept
        }
        popping = self._capsules(gradients, passing={node for node, _ in wave.part})
        terms = [each for i in wave.links for each in self._brought_by(links[i])]
        at = 0.78 if terms else 0.62
        factors = [self.factors[i] for i in wave.links if i in self.factors]
        ops = {links[i].source for i in wave.links if nodes[links[i].source].kind == "op"}
        leaving = {links[i].target for i in wave.links if nodes[links[i].target].kind == "op"}

        def draw(t: float) -> None:
            for number in wave.links:
                self.wires[number].flow(part(t, 0.0, 0.72))
            for factor in factors:
                factor.reveal(part(t, 0.25, 0.6))
            for op in ops:
                if t > 0.5:
                    self._outline(op, self.canvas.theme.grad, 4.5)
            for op in leaving:
                if t > 0.9:
                    self._outline(op, self.canvas.theme.muted, 3)
            for each in terms:
                each.reveal(max(each.shown, part(t, 0.55, 0.8)))
            popping(part(t, at, 1.0))

        return Draw(self, draw, run_time)

    def keep(self, gradients: dict[int, int]) -> None:
        """Show at once what ``.grad`` of some tensors (by record id) holds before a pass."""
        nodes = {
            number: gradient
            for tensor, gradient in gradients.items()
            for number in self.nodes_of(tensor)
        }
        self._capsules(dict(nodes))(1.0)

    def point(self, tensor: int, run_time: float = BEAT) -> Draw:
        """Return the animation in which what a tensor's ``.grad`` keeps is pointed at."""
        nodes = [number for number in self.nodes_of(tensor) if number in self.capsules]
        plates = [(self.capsules[number], self.capsules[number].submobjects[0]) for number in nodes]
        theme, px = self.canvas.theme, self.canvas.artboard.px

        def draw(t: float) -> None:
            lit = part(t, 0.0, 0.35)
            for capsule, plate in plates:
                color = mix(theme.grad, theme.focus, lit)
                capsule.outline(plate, color, self.canvas.stroke(px(4 + 2 * lit)))

        return Draw(self, draw, run_time)

    def empty(self, gradients: dict[int, int | None], step: Step) -> Draw:
        """Return the animation in which a step empties the ``.grad`` of some tensors: in its place
        is the record that it holds now, or None."""
        new: list[tuple[Part, Part | None]] = []
        gone = [self.capsules.pop(number) for number in self._emptied_within(gradients)]
        for tensor, after in gradients.items():
            for number in self.nodes_of(tensor):
                node, box = self.placed.diagram.nodes[number], self.placed.boxes[number]
                if after is None:
                    capsule = self._pictures.emptied(node, box, step.number)
                else:
                    capsule = self._pictures.capsule(node, box, after, self.placed.room(number))
                self.add(capsule)
                new.append((capsule, self.capsules.get(number)))
                self.capsules[number] = capsule
                gone += self._terms.pop(number, {}).values()
        exchange = _exchange(new)

        def draw(t: float) -> None:
            exchange(t)
            for each in gone:
                each.reveal(1.0 - t)

        return Draw(self, draw, BEAT)

    # Parts.

    def _parts_of_sums(self) -> dict[int, dict[int, Part]]:
        """Return what adds up to the gradients of nodes, by the edges over which it comes."""
        found = {}
        for number, node in enumerate(self.placed.diagram.nodes):
            if node.terms:
                parts = self._pictures.terms(
                    node, self.placed.boxes[number], self.placed.room(number)
                )
                found[number] = dict(zip(node.terms, parts, strict=False))
        return {number: parts for number, parts in found.items() if parts}

    def _brought_by(self, link: Link) -> list[Part]:
        """Return what a link adds to the sum at its source."""
        parts = self._terms.get(link.source, {})
        return [part for edge, part in parts.items() if edge in link.edges]

    def _emptied_within(self, gradients: dict[int, int | None]) -> list[int]:
        """Return the ops that hold leaves within, none of which keeps a gradient any more."""
        nodes, found = self.backward.nodes, []
        for number, op in enumerate(self.placed.diagram.nodes):
            if op.kind != "op" or number not in self.capsules:
                continue
            within = {
                nodes[edge.target].tensor
                for edge in self.backward.edges
                if edge.source in op.ops and is_leaf(nodes[edge.target])
            }
            kept = within & {total.tensor for total in self.backward.accumulations}
            if all(each in gradients and gradients[each] is None for each in kept):
                found.append(number)
        return found

    def _arrived(self, node: Node) -> int | None:
        """Return what a node's capsule shows when all has arrived: what ``.grad`` then holds, of
        what keeps nothing its gradient."""
        kept = {total.tensor: total.after for total in self.backward.accumulations}
        return kept.get(node.tensor, node.gradient) if node.tensor is not None else node.gradient

    def _body(self, number: int) -> Part:
        node, box = self.placed.diagram.nodes[number], self.placed.boxes[number]
        if node.kind == "element":
            fill = self._fills[number] if self._by_identity else None
            return self._pictures.element(node, box, fill)
        if node.kind == "tensor":
            return self._pictures.tensor(node, box)
        body, self._labels[number] = self._pictures.op(node, box)
        return body

    def _factor(self, number: int, title: Title) -> Part:
        factor = self.placed.diagram.links[number].factor
        assert factor is not None
        theme = self.canvas.theme
        source = Drawn(0, title.text, "derivative", step=factor.step, index=factor.place)
        ink = mix(theme.grad, theme.text, 0.35)
        return Part(self.canvas.label(title.text, title.x, title.y, title.size, ink, source=source))

    def _functions(self) -> list[tuple[int, Part]]:
        """Return autograd's names under the columns, on an artboard that has room for them."""
        if self.canvas.artboard.code is None:
            return []
        found: list[tuple[int, Part]] = []
        size = _FUNCTION_SIZE * self.canvas.artboard.floor
        nodes = self.placed.diagram.nodes
        boxes = self.placed.boxes
        bottom = max(box.y + box.below for box in boxes) + self.canvas.artboard.px(_FUNCTION_GAP)
        bottom = min(bottom, self.canvas.artboard.stage.bottom - size)
        right = -1e9
        for column, x in zip(self.placed.layers.columns, self.placed.columns, strict=True):
            there = [number for number in column if number < len(nodes)]
            names = {name for number in there for name in _functions_of(nodes[number])}
            if len(names) != 1:  # in this column stand others too
                continue
            text = names.pop()
            width = text_width(text, size)
            if x - width / 2 < max(right + size, self.canvas.artboard.margin):
                continue
            right = x + width / 2
            label = self.canvas.label(
                text,
                x,
                bottom,
                size,
                self.canvas.theme.muted,
                weight="Medium",
                source=Drawn(0, text, "function"),
            )
            owner = next(number for number in there if _functions_of(nodes[number]))
            found.append((owner, Part(label)))
        return found

    def _capsules(
        self, gradients: dict[int, int | None], passing: Collection[int] = ()
    ) -> Callable[[float], None]:
        """Return what lets the gradients of some nodes pop up, in place of what is there.

        Beside what ``.grad`` keeps stands its name, not yet beside those of ``passing``.
        """
        new: list[tuple[Part, Part | None]] = []
        for number, gradient in gradients.items():
            if gradient is None:
                continue
            node, box = self.placed.diagram.nodes[number], self.placed.boxes[number]
            room = self.placed.room(number)
            capsule = self._pictures.capsule(node, box, gradient, room)
            self.add(capsule)
            new.append((capsule, self.capsules.get(number)))
            self.capsules[number] = capsule
            if number not in self._named and number not in passing:
                name = self._pictures.capsule_name(self.placed, number, gradient, room)
                if name is not None:
                    self.add(name)
                    new.append((name, None))
                    self._named.add(number)

        return _exchange(new)

    def _popping(self, nodes: list[int]) -> Callable[[float], None]:
        parts = [self.bodies[number] for number in nodes]
        parts += [self.names[number] for number in nodes if number in self.names]

        def draw(share: float) -> None:
            for each in parts:
                each.reveal(share)

        return draw

    def _ready(self, number: int, step: int) -> bool:
        """Tell whether what a node shows is there once ``step`` has run."""
        node = self.placed.diagram.nodes[number]
        if node.kind == "op":
            return number in self.grown
        made = self._made.get(node.tensor) if node.tensor is not None else None
        return made is None or made <= step

    def _light(self, op: int, step: int) -> None:
        node, theme = self.placed.diagram.nodes[op], self.canvas.theme
        if len(node.text) < 2:
            self._outline(op, theme.focus, 5)
            return
        self._outline(op, theme.text, 5)  # of several symbols, one is lit
        for label, owner in zip(self._labels[op], node.steps, strict=False):
            color = theme.focus if owner == step else theme.text if owner < step else theme.muted
            self.bodies[op].repaint(label, color)

    def _outline(self, op: int, color: Color, width: float) -> None:
        body = self.bodies[op]
        body.outline(body.submobjects[0], color, self.canvas.stroke(self.canvas.artboard.px(width)))


def _exchange(pairs: list[tuple[Part, Part | None]]) -> Callable[[float], None]:
    """Return what lets parts pop up in place of others."""

    def draw(share: float) -> None:
        for new, old in pairs:
            if old is not None and share > 0:
                old.reveal(0.0)
            new.reveal(share)

    return draw


def colors_of(placed: Placed, canvas: Canvas) -> dict[int, Color]:
    """Return the colour of each element of a graph.

    What an op makes of one element alone keeps its colour; what comes of several has a new one.
    Data that no gradient goes to has none.
    """
    diagram, theme = placed.diagram, canvas.theme
    before: dict[int, list[int]] = defaultdict(list)
    for link in diagram.links:
        before[link.target].append(link.source)
    boxes = placed.boxes
    order = sorted(range(len(boxes)), key=lambda n: (boxes[n].x, boxes[n].y))
    origin: dict[int, int | None] = {}
    count = 0
    for number in order:
        node = diagram.nodes[number]
        sources = {origin.get(each) for each in before[number]} - {None}
        if _is_data(node):
            origin[number] = None
        elif len(sources) == 1:
            origin[number] = sources.pop()
        elif node.kind == "op":
            origin[number] = -1 - number  # of several: told by its result
        else:
            origin[number] = count
            count += 1
        if node.kind != "op" and (origin[number] or 0) < 0:
            origin[number] = count
            count += 1
    colors = {}
    for number, node in enumerate(diagram.nodes):
        at = origin[number]
        if node.kind == "element":
            colors[number] = (
                identity(at, count, theme.name)
                if at is not None and at >= 0
                else mix(theme.line, theme.muted, 0.4)
            )
    return colors


def _is_data(node: Node) -> bool:
    return node.kind != "op" and not node.parameter and node.gradient is None


def _functions_of(node: Node) -> tuple[str, ...]:
    if node.kind == "op":
        return node.functions
    return ("AccumulateGrad",) if node.parameter else ()
