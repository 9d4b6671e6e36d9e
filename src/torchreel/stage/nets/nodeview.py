"""A network of linear layers as nodes: one circle a feature, one line a weight, both real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manim import Group, VGroup, VMobject

from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, Label, Switch
from torchreel.stage.colors import Color, mix, signed
from torchreel.stage.nets.column import batch_of
from torchreel.stage.nets.links import INPUT, Chain, Link
from torchreel.stage.nets.sample import Floats, Sample, sample_of
from torchreel.stage.nets.scores import are_scores
from torchreel.stage.nets.selection import Selection, select
from torchreel.stage.nets.shades import ink, limit_of, shade

Point = tuple[float, float]

_UNFOLLOWED = 0.34
_GAP = 1.25
"""Room that dots take, in nodes."""
_BELOW = 1.4
"""Room that the place of the sample in its batch takes below, in smallest texts."""
_PAD = 4
"""How far the plate of an index goes beyond it, in pixels."""
_FILLED = 0.6
"""When a node is filled, as a share of the time in which its lines come together."""


class Layer:
    """The nodes of one layer: which are drawn, where, and their colours; positions in pixels."""

    def __init__(self, sample: Sample, selection: Selection, x: float, zone: Zone) -> None:
        self.sample = sample
        self.selection = selection
        self.x = x
        rows = len(selection.indices) + _GAP * len(selection.gaps)
        self.pitch = zone.height / max(rows, 3.0)
        y = zone.center_y - self.pitch * rows / 2 + self.pitch / 2
        self.ys: list[float] = []
        self.dots: list[float] = []
        for place in range(len(selection.indices)):
            if place in selection.gaps:
                self.dots.append(y + (_GAP - 1) * self.pitch / 2)
                y += _GAP * self.pitch
            self.ys.append(y)
            y += self.pitch

    @property
    def values(self) -> Floats:
        """The values of the nodes that are drawn."""
        assert self.sample.numbers is not None
        chosen: Floats = self.sample.numbers.reshape(-1)[list(self.selection.indices)]
        return chosen


@dataclass(frozen=True)
class Edge:
    """The line of one weight into the node at place ``target`` of its layer, and its colours."""

    line: VMobject
    switch: Switch
    target: int
    color: Color
    bright: Color


class NodeView(Group):
    """The layers of a call whose parameters are all matrices, from left to right in ``zone``.

    The greatest score is followed: lines that do not lead into it are dim. ``reveal``
    shows the nodes one by one, each with all the lines that lead into it; ``count`` is how many
    there are after the first layer. Of a batch the first sample is drawn, which stands below it.
    """

    def __init__(self, canvas: Canvas, trace: Trace, chain: Chain, zone: Zone) -> None:
        self.canvas, self.trace, self.chain = canvas, trace, chain
        artboard = canvas.artboard
        self.matrices = [link for link in chain.links if link.weight is not None]
        samples = layers_of(trace, chain)
        numbers = [each.numbers for each in samples]
        self.limit = limit_of(*numbers)
        self.best = _best(samples[-1]) if are_scores(trace, chain) else None
        self.radius = artboard.px(23)
        self.head_y = zone.y + artboard.type_title * 0.55
        below = _BELOW * artboard.floor if batch_of(samples[0]) > 1 else 0.0
        room = zone.inset(top=artboard.type_title * 1.35, bottom=below)
        edge = artboard.px(100)
        xs = np.linspace(zone.x + edge, zone.right - edge, len(samples))
        self.layers = [
            Layer(sample, select(sample.numbers.reshape(-1)), float(x), room)
            for sample, x in zip(samples, xs, strict=True)
            if sample.numbers is not None
        ]
        pitches = [layer.pitch for layer in self.layers if len(layer.ys) > 1]
        self.radius = min([self.radius, *(0.4 * pitch for pitch in pitches)])
        self.edges = [self._edges(at) for at in range(len(self.matrices))]
        self.nodes = [self._nodes(at) for at in range(len(self.layers))]
        self.heads = self._heads()
        lines = VGroup(*(edge.line for edges in self.edges for edge in edges))
        self.count = sum(len(layer.ys) for layer in self.layers[1:])
        super().__init__(lines, *self.nodes, self.heads, self._which())
        self.reveal(1.0)

    def reveal(self, share: float) -> None:
        """Show ``share`` of the nodes (0: the first layer alone, 1: all); the one whose lines come
        together now is the only one whose lines are bright."""
        reached = share * self.count
        before = 0
        for edges, nodes in zip(self.edges, self.nodes[1:], strict=True):
            for edge in edges:
                since = reached - before - edge.target
                bright = since <= 1 and share < 1
                edge.line.stroke_rgbas[:, :3] = edge.bright if bright else edge.color
                edge.switch.turn(since > 0)
            for place, full in enumerate(nodes.full):
                full.turn(reached - before - place > _FILLED)
            nodes.light(share >= 1)
            before += len(nodes.full)

    def shares(self, place: int) -> tuple[float, float]:
        """Return which share of the nodes is there before a link of the chain ran, and after it."""
        ends = _ends(self.trace, self.chain)
        done = [sum(each < at for each in ends) for at in (place, place + 1)]
        sizes = [len(layer.ys) for layer in self.layers[1:]]
        before, after = (sum(sizes[:layers]) / self.count for layers in done)
        return before, after

    def _edges(self, at: int) -> list[Edge]:
        """Return one line for each weight between two layers, the heaviest painted last."""
        weight = self._matrix(self.matrices[at])
        left, right = self.layers[at], self.layers[at + 1]
        limit = limit_of(weight)
        last = at == len(self.matrices) - 1
        found: list[tuple[float, Edge]] = []
        for target, (j, y1) in enumerate(zip(right.selection.indices, right.ys, strict=True)):
            followed = not last or self.best is None or j == self.best
            for i, y0 in zip(left.selection.indices, left.ys, strict=True):
                strength = min(1.0, abs(float(weight[j, i])) / limit)
                bright = color = signed(float(weight[j, i]), limit, self.canvas.theme.name)
                if not followed:
                    color = mix(self.canvas.theme.bg, color, _UNFOLLOWED)
                width = self.canvas.artboard.px(1.0 + 3.6 * strength)
                start = (
                    self._past_index(left, i, (left.x, y0), (right.x, y1)) if at else (left.x, y0)
                )
                line = self.canvas.path([start, (right.x, y1)], color, width)
                edge = Edge(line, Switch(line), target, color, bright)
                found.append((strength + (2 if followed and last else 0), edge))
        return [edge for _, edge in sorted(found, key=lambda each: each[0])]

    def _nodes(self, at: int) -> Nodes:
        layer = self.layers[at]
        first = at == 0
        paper = first and layer.sample.picture is not None
        fills = (
            ink(layer.values, self.canvas.theme)
            if paper
            else shade(layer.values, self.limit, self.canvas.theme)
        )
        best = self.best if at == len(self.layers) - 1 else None
        return Nodes(self.canvas, layer, list(fills), self.radius, best, before=first)

    def _heads(self) -> VGroup:
        """Return the number of features over every layer, the modules' names between them."""
        canvas, artboard, theme = self.canvas, self.canvas.artboard, self.canvas.theme
        group = VGroup()
        for layer in self.layers:
            record = layer.sample.record
            text = str(layer.sample.features)
            source = Drawn(0, text, "size", record.id, (len(record.shape) - 1,))
            at = (layer.x, self.head_y, artboard.type_title)
            group.add(canvas.label(text, *at, theme.text, source=source))
        for place, link in enumerate(self.matrices):
            x = (self.layers[place].x + self.layers[place + 1].x) / 2
            source = Drawn(0, link.name, "module", module=link.module)
            at = (x, self.head_y, artboard.type_chip)
            group.add(canvas.label(link.name, *at, theme.param, source=source))
        return group

    def _which(self) -> VGroup:
        """Return which sample of a batch is drawn, below the first layer, where no line goes."""
        layer, artboard = self.layers[0], self.canvas.artboard
        if batch_of(layer.sample) < 2:
            return VGroup()
        text, y = "[0]", layer.ys[-1] + self.radius + 0.9 * artboard.floor
        source = Drawn(0, text, "index", layer.sample.record.id, (0, 0))
        at = (layer.x, y, artboard.floor)
        muted = self.canvas.theme.muted
        return VGroup(self.canvas.label(text, *at, muted, align=1.0, source=source))

    def _past_index(self, layer: Layer, index: int, start: Point, end: Point) -> Point:
        """Return where a line leaves its node: beyond the node's index, where that is in the way,
        so no piece of it stands between the two."""
        plate = plate_of(self.canvas, layer, str(index), start[1], self.radius, before=False)
        slope = (end[1] - start[1]) / (end[0] - start[0])
        reach = plate.height / 2
        if abs(slope) * (plate.x - start[0]) >= reach:
            return start
        beyond = plate.right - start[0]
        across = min(beyond, reach / abs(slope)) if slope else beyond
        return (start[0] + across, start[1] + slope * across)

    def _matrix(self, link: Link) -> Floats:
        assert link.weight is not None
        return self.trace.values[link.weight].astype(float)


class Nodes(VGroup):
    """The circles of one layer with their indices; ``full`` fills each or leaves it empty."""

    def __init__(
        self,
        canvas: Canvas,
        layer: Layer,
        fills: list[Color],
        radius: float,
        best: int | None,
        *,
        before: bool,
    ) -> None:
        super().__init__()
        self.canvas, self.layer, self.radius = canvas, layer, radius
        self.full: list[Switch] = []
        self._best: tuple[Switch, Switch] | None = None
        for index, y, fill in zip(layer.selection.indices, layer.ys, fills, strict=True):
            full = self._circle(y, fill)
            self.full.append(Switch(full))
            self.add(self._circle(y, canvas.theme.surface), full)
            plain = VGroup(*self._index(index, y, lit=False, before=before))
            self.add(plain)
            if index == best:
                lit = VGroup(self._ring(y), *self._index(index, y, lit=True, before=before))
                self.add(lit)
                self._best = (Switch(plain), Switch(lit))
        for y in layer.dots:
            self.add(*self._dots(y))

    def light(self, on: bool) -> None:
        """Light the greatest node, or let it look as the others."""
        if self._best is not None:
            plain, lit = self._best
            plain.turn(not on)
            lit.turn(on)

    def _circle(self, y: float, fill: Color) -> VMobject:
        r = self.radius
        line = mix(self.canvas.theme.muted, self.canvas.theme.bg, 0.2)
        box = (self.layer.x - r, y - r, 2 * r, 2 * r)
        stroke = self.canvas.artboard.px(2.5)
        return self.canvas.rectangle(*box, radius=r, fill=fill, line=line, stroke=stroke)

    def _ring(self, y: float) -> VMobject:
        r = self.radius + self.canvas.artboard.px(3)
        box = (self.layer.x - r, y - r, 2 * r, 2 * r)
        focus = self.canvas.theme.focus
        return self.canvas.rectangle(*box, radius=r, line=focus, stroke=self.canvas.artboard.px(6))

    def _index(self, index: int, y: float, *, lit: bool, before: bool) -> list[VMobject]:
        """Return a node's true index beside it, on a plate that keeps lines off."""
        canvas, artboard, theme = self.canvas, self.canvas.artboard, self.canvas.theme
        text = str(index)
        zone = plate_of(canvas, self.layer, text, y, self.radius, before=before)
        pad = artboard.px(_PAD)
        source = Drawn(0, text, "index", self.layer.sample.record.id, (index,))
        label: Label = canvas.label(
            text,
            zone.right - pad if before else zone.x + pad,
            y,
            _index_size(canvas, self.layer),
            theme.focus if lit else theme.muted,
            align=1.0 if before else 0.0,
            source=source,
        )
        plate = canvas.rectangle(zone.x, zone.y, zone.width, zone.height, radius=pad, fill=theme.bg)
        return [plate, label]

    def _dots(self, y: float) -> list[VMobject]:
        px = self.canvas.artboard.px
        r = px(4.5)
        step = min(px(14), self.layer.pitch * 0.22)
        return [
            self.canvas.rectangle(
                self.layer.x - r,
                y + place * step - r,
                2 * r,
                2 * r,
                radius=r,
                fill=self.canvas.theme.muted,
            )
            for place in (-1, 0, 1)
        ]


def plate_of(
    canvas: Canvas, layer: Layer, text: str, y: float, radius: float, *, before: bool
) -> Zone:
    """Return the plate of a node's index, ``before`` the node or after it."""
    px, size = canvas.artboard.px, _index_size(canvas, layer)
    gap, pad = radius + px(12), px(_PAD)
    wide = len(text) * 0.6 * size
    x = layer.x - gap - wide if before else layer.x + gap
    return Zone(x - pad, y - size * 0.45, wide + 2 * pad, size * 0.9)


def _index_size(canvas: Canvas, layer: Layer) -> float:
    artboard = canvas.artboard
    return min(max(layer.pitch * 0.7, artboard.floor), artboard.type_chip)


def has_nodes(trace: Trace, chain: Chain) -> bool:
    """Tell whether a chain can be drawn as nodes: every parameter a matrix kept whole, no ways
    around, samples known."""
    links = [link for link in chain.links if link.weight is not None]
    whole = all(
        link.weight in trace.values
        and len(trace.tensor(link.weight).shape) == 2
        and link.kind == "Linear"
        for link in links
        if link.weight is not None
    )
    known = all(
        sample.numbers is not None and sample.numbers.ndim == 1
        for sample in layers_of(trace, chain)
    )
    straight = all(link.sources == (place - 1,) for place, link in enumerate(chain.links))
    return bool(links) and whole and known and straight


def layers_of(trace: Trace, chain: Chain) -> list[Sample]:
    """Return the samples that stand as layers: what goes in, then what each matrix led to.

    A gate after a matrix works on its nodes: the layer shows what came out of the gate.
    """
    results = (chain.links[place].result for place in _ends(trace, chain))
    return [sample_of(trace, each) for each in (chain.operand, *results)]


def _ends(trace: Trace, chain: Chain) -> list[int]:
    """Return the links out of which the layers after the first one come: matrices, or the last gate
    after each."""
    ends: list[int] = []
    for place, link in enumerate(chain.links):
        if link.weight is not None:
            ends.append(place)
        elif ends and chain.links[place - 1].result in link.operands:
            before, after = (chain.links[each].result for each in (ends[-1], place))
            if sample_of(trace, after).features == sample_of(trace, before).features:
                ends[-1] = place
    return ends


def _best(sample: Sample) -> int | None:
    if sample.numbers is None or sample.numbers.size < 2:
        return None
    return int(np.argmax(sample.numbers))


__all__ = ["INPUT", "NodeView", "has_nodes", "layers_of"]
