"""A module as a chain: what goes in, the funnels and gates it passes, what comes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manim import Mobject, VGroup

from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.arrangement import CELLS_MAX, Kind, Part, Slot, arrange, fits
from torchreel.stage.nets.cells import Cells
from torchreel.stage.nets.column import Column, Maps, Portrait, batch_of
from torchreel.stage.nets.funnel import Funnel, module_label, weight_labels
from torchreel.stage.nets.gate import Gate, has_picture
from torchreel.stage.nets.handover import Identified
from torchreel.stage.nets.links import INPUT, Chain, Link
from torchreel.stage.nets.sample import Sample, matrices_of, sample_of, weight_of
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.text import text_width

Activation = Column | Maps | Cells

RESHAPES = ("flatten", "Flatten", "view", "reshape", "squeeze", "unsqueeze", "Unflatten")
"""What only changes the shape is an arrow: the activation after it shows what it did."""


class ModuleChain(Identified):
    """The overview of one call of a module, from left to right in ``zone``.

    ``parts`` are the mobjects of each link, by its place; ``activations`` what comes out of each
    that shows it (INPUT: what goes in). A chain too long for the zone shows its first links and its
    last ones, with dots between.
    """

    def __init__(self, canvas: Canvas, trace: Trace, chain: Chain, zone: Zone) -> None:
        self.canvas, self.trace, self.chain = canvas, trace, chain
        self.samples = samples_of(trace, chain)
        self.limit = limit_of(*(sample.numbers for sample in self.samples.values()))
        self.slots = arrange(
            _parts(chain, self.samples, zone, canvas.artboard.floor), zone, canvas.artboard
        )
        self.zone = zone
        self.parts: dict[int, Mobject] = {}
        self.activations: dict[int, Activation] = {}
        self.portrait: Portrait | None = None
        self.sizes: dict[int, VGroup] = {}
        super().__init__()
        for slot in self.slots:
            self._draw(slot)
        self.add(self._skips())
        crowded = self._crowded()
        for place, label in self.sizes.items():
            if place not in crowded:
                self.know(("size", self.samples[place].record.id), label)
        self._write_weights([self.sizes[place] for place in self.sizes if place not in crowded])

    @property
    def size_y(self) -> float:
        """The y of the sizes below the columns."""
        lowest = max(slot.zone.bottom for slot in self.slots)
        return lowest + self.canvas.artboard.type_title * 1.05

    def reveal(self, place: int, share: float) -> None:
        """Show the first ``share`` of what comes out of a link."""
        if place in self.activations:
            self.activations[place].reveal(share)

    def _draw(self, slot: Slot) -> None:
        place, kind = slot.part.place, slot.part.kind
        theme = self.canvas.theme
        if kind == "picture":
            self.portrait = Portrait(self.canvas, slot.square, self.samples[INPUT])
            self.know(("picture", self.samples[INPUT].record.id), self.portrait)
        elif kind == "arrow":
            self.parts.setdefault(place, VGroup())
            middle, half = slot.center_x, slot.width * 0.36
            y = slot.center_y
            self.add(
                self.canvas.arrow(
                    (middle - half, y), (middle + half, y), theme.muted, self.canvas.artboard.px(4)
                )
            )
        elif kind == "dots":
            self.add(_dots(self.canvas, slot))
        elif kind in ("funnel", "gate"):
            link = self.chain.links[place]
            self.parts[place] = self._link(slot, link)
            weight = None if link.weight is None else self.trace.tensor(link.weight).name
            self.know(("gate", place) if weight is None else ("weight", weight), self.parts[place])
        else:
            drawn = activation(self.canvas, slot, self.samples[place], self.limit, place=place)
            self.activations[place] = drawn
            self.sizes[place] = drawn.label(self.size_y, theme.text)
            self.know(("values", self.samples[place].record.id), drawn)

    def _link(self, slot: Slot, link: Link) -> Mobject:
        canvas, artboard = self.canvas, self.canvas.artboard
        if link.weight is None or link.module is None:
            return gate_of(canvas, slot, link)
        size = min(artboard.type_size, slot.width * 1.2 / text_width(link.name, 1.0))
        if size >= artboard.floor:
            top = slot.top_over(text_width(link.name, size))
            y = max(top - size * 0.62, self.zone.y + size * 0.5)
            name = module_label(canvas, link.name, link.module, slot.center_x, y, size)
            self.know(("name", link.name), name)
        return funnel_of(canvas, slot, self.trace, link)

    def _write_weights(self, sizes: Sequence[VGroup]) -> None:
        """Write the sizes of all weights below their funnels, where those of the columns let it."""
        unit, labels = self.canvas.artboard.unit, list[tuple[str, VGroup]]()
        for slot in self.slots:
            link = self.chain.links[slot.part.place] if slot.part.kind == "funnel" else None
            if link is not None and link.weight is not None:
                records = [self.trace.tensor(each) for each in (link.weight, *link.others)]
                label = weight_labels(self.canvas, records, slot.center_x, self.size_y, slot.width)
                labels.append((records[0].name, label))
        air = self.canvas.artboard.floor * unit / 2
        if all(_is_clear(label, sizes, air) for _, label in labels):
            for name, label in labels:
                self.know(("sizes", name), label)

    def _skips(self) -> VGroup:
        """Return the ways around links, as arcs over the chain."""
        group = VGroup()
        ends = {slot.part.place: slot for slot in self.slots if slot.part.kind not in ("arrow",)}
        below = self.size_y + self.canvas.artboard.type_title * 0.62  # what the sizes take
        low = min(self.zone.bottom - self.canvas.artboard.px(6), below)
        for source, target in self.chain.skips:
            if source in ends and target in self.parts:
                group.add(_arc(self.canvas, ends[source], self._gate_slot(target), low))
        return group

    def _gate_slot(self, place: int) -> Slot:
        return next(
            slot
            for slot in self.slots
            if slot.part.place == place and slot.part.kind in ("funnel", "gate", "arrow")
        )

    def _crowded(self) -> list[int]:
        """Return the sizes that would touch the one before; the ends are always written."""
        crowded, edge = [], -1e9
        ordered = sorted(self.sizes, key=lambda place: self.sizes[place].get_center()[0])
        last = ordered[-1] if ordered else None
        for place in ordered:
            label = self.sizes[place]
            if label.get_left()[0] < edge and place != last:
                crowded.append(place)
            else:
                edge = label.get_right()[0] + 0.12
        return crowded


def samples_of(trace: Trace, chain: Chain) -> dict[int, Sample]:
    """Return what goes into a chain (INPUT) and what comes out of each of its links."""
    found = {INPUT: sample_of(trace, chain.operand)}
    found.update({at: sample_of(trace, link.result) for at, link in enumerate(chain.links)})
    return found


def activation(
    canvas: Canvas, slot: Slot, sample: Sample, limit: float, *, place: int
) -> Activation:
    """Return the picture of a sample in its slot: what came out of the link at ``place``."""
    kind = slot.part.kind
    paper = sample.picture is not None and place == INPUT
    if kind == "cells":
        return Cells(canvas, slot, sample, limit)
    if kind == "maps":
        return Maps(canvas, slot, sample, limit, paper=paper)
    return Column(canvas, slot, sample, limit, paper=paper)


def gate_of(
    canvas: Canvas, slot: Slot, link: Link, *, lit: bool = False, radius: float | None = None
) -> Gate:
    """Return the gate of a link without parameters."""
    text = gate_text(link)
    source = (
        Drawn(0, text, "module", module=link.module)
        if link.module is not None
        else Drawn(0, text, "op", step=link.step)
    )
    return Gate(canvas, slot, link.kind, source, lit=lit, radius=radius)


def funnel_of(canvas: Canvas, slot: Slot, trace: Trace, link: Link, *, lit: bool = False) -> Funnel:
    """Return the funnel of a link with a weight."""
    assert link.weight is not None
    return Funnel(
        canvas,
        slot,
        weight_of(trace, link.weight),
        kernels=len(trace.tensor(link.weight).shape) == 4,
        by_rows=link.by_rows,
        others=matrices_of(trace, link.others),
        lit=lit,
    )


def gate_text(link: Link) -> str:
    """Return what is written on a gate: its name, its class where the name is a number."""
    return link.kind if link.name.isdigit() else link.name


def kind_of(sample: Sample, *, last: bool) -> Kind:
    """Return how a sample is drawn."""
    if sample.numbers is not None and sample.numbers.ndim == 3:
        return "maps"
    flat = sample.numbers is None or sample.numbers.ndim == 1
    return "cells" if last and flat and sample.features <= CELLS_MAX else "column"


def _parts(chain: Chain, samples: dict[int, Sample], zone: Zone, floor: float) -> list[Part]:
    """Return the parts of an overview: what comes out of every link where there is much room, else
    of those with parameters; as many links from both ends as there is room for."""
    count = len(chain.links)
    every = _some_parts(chain, samples, list(range(count)), floor, every=True)
    if fits(every, zone, easily=True):
        return every
    whole = _some_parts(chain, samples, list(range(count)), floor)
    if fits(whole, zone):
        return whole
    for kept in range(count - 1, 1, -1):
        first = list(range((kept + 1) // 2))
        last = list(range(count - kept // 2, count))
        parts = _some_parts(chain, samples, [*first, *last], floor)
        if fits(parts, zone):
            return parts
    return _some_parts(chain, samples, [0, count - 1], floor)


def _some_parts(
    chain: Chain,
    samples: dict[int, Sample],
    places: Sequence[int],
    floor: float,
    *,
    every: bool = False,
) -> list[Part]:
    operand = samples[INPUT]
    before = operand.features
    parts = portrait_parts(operand)
    parts.append(Part(kind_of(operand, last=False), INPUT, (before, before)))
    for index, place in enumerate(places):
        if index and place != places[index - 1] + 1:
            parts.append(Part("dots", place))
        link, sample = chain.links[place], samples[place]
        after = sample.features
        last = place == len(chain.links) - 1
        parts.append(_link_part(link, place, (before, after), floor))
        if every or link.has_parameters or last or link.kind in RESHAPES:
            parts.append(Part(kind_of(sample, last=last), place, (after, after)))
        before = after
    return parts


def portrait_parts(operand: Sample, wide: float = 1.0) -> list[Part]:
    """Return the picture of what goes in and the arrow from it to its column, if it may be one."""
    if operand.picture is None or operand.numbers is None or operand.numbers.ndim != 1:
        return []
    sheets = 1.3 if batch_of(operand) > 1 else 1.0
    return [Part("picture", INPUT, wide=wide * sheets), Part("arrow", INPUT)]


def _link_part(link: Link, place: int, features: tuple[int, int], floor: float) -> Part:
    if link.has_parameters:
        return Part("funnel", place, features)
    if link.kind in RESHAPES:
        return Part("arrow", place, features)
    if has_picture(link.kind):
        return Part("gate", place, features)
    width = text_width(gate_text(link), floor) + 50
    return Part("gate", place, features, wide=width / 128, fixed=True)


def _is_clear(label: VGroup, others: Sequence[VGroup], air: float) -> bool:
    """Tell whether there is a label, and no other so near beside it (Manim units)."""
    x = label.get_center()[0]
    return bool(len(label)) and all(
        abs(each.get_center()[0] - x) > air + (label.width + each.width) / 2 for each in others
    )


def _dots(canvas: Canvas, slot: Slot) -> VGroup:
    px = canvas.artboard.px
    r, step = px(4.5), px(17)
    return VGroup(
        *(
            canvas.rectangle(
                slot.center_x + place * step - r,
                slot.center_y - r,
                2 * r,
                2 * r,
                radius=r,
                fill=canvas.theme.muted,
            )
            for place in (-1, 0, 1)
        )
    )


def _arc(canvas: Canvas, source: Slot, target: Slot, low: float) -> VGroup:
    px = canvas.artboard.px
    tall = max(source.left, source.right) / 2
    if source.part.kind == "gate":
        tall = _reach(canvas, source)
    bottom = source.center_y + tall
    start = (source.x + source.width, bottom + px(2))
    end = (target.center_x, target.center_y + _reach(canvas, target) + px(8))
    corner = px(16)
    path = [
        start,
        (start[0], low - corner),
        (start[0] + corner, low),
        (end[0] - corner, low),
        (end[0], low - corner),
    ]
    color = canvas.theme.text
    line = canvas.path([(float(x), float(y)) for x, y in path], color, px(3.5))
    head = canvas.arrow((end[0], low - corner), end, color, px(3.5))
    return VGroup(line, head)


def _reach(canvas: Canvas, gate: Slot) -> float:
    """Return how far a gate reaches from its middle, in pixels."""
    return min(canvas.artboard.px(37), gate.width * 0.44)


def title_size(canvas: Canvas, text: str, room: float) -> float:
    """Return the largest size of a title in this room, in pixels."""
    artboard = canvas.artboard
    return float(np.clip(room / text_width(text, 1.0), artboard.floor, artboard.type_title))


__all__ = ["ModuleChain", "activation", "gate_of", "kind_of", "samples_of"]
