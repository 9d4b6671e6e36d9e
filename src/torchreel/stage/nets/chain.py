"""A module as a chain: what goes in, the funnels and gates it passes, what comes out; links that
run side by side stand one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manim import Mobject, VGroup

from torchreel.records import Drawn, Trace
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.arrangement import (
    CELLS_MAX,
    LARGE_LANES,
    Kind,
    Part,
    Slot,
    arrange_rows,
    body,
    fits,
)
from torchreel.stage.nets.cells import Cells
from torchreel.stage.nets.column import Column, Maps, Portrait, batch_of
from torchreel.stage.nets.dots import dots_of
from torchreel.stage.nets.funnel import Funnel, module_label, weight_labels
from torchreel.stage.nets.gate import Gate, has_picture
from torchreel.stage.nets.handover import Identified
from torchreel.stage.nets.lanes import Lane, Segment, segments_of
from torchreel.stage.nets.links import INPUT, Chain, Link
from torchreel.stage.nets.sample import Sample, matrices_of, sample_of, weight_of
from torchreel.stage.nets.scores import are_scores
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.text import text_width

Activation = Column | Maps | Cells

_NO_ENDS = ("arrow", "dots", "fork", "join")
_OVER = 1.2
"""A name may be so much wider than its funnel."""
_LOW_CELLS, _LOW_AIR = 1, 0.72
_NAMES = 4
"""So many names of what is left out are written at most."""

RESHAPES = ("flatten", "Flatten", "view", "reshape", "squeeze", "unsqueeze", "Unflatten")
"""What only changes the shape is an arrow: the activation after it shows what it did."""


class ModuleChain(Identified):
    """The overview of one call of a module, from left to right in ``zone``.

    ``parts`` are the mobjects of each link, by its place; ``activations`` what comes out of each
    that shows it (INPUT and below: what goes in). A chain too long for the zone shows its first
    links and its last ones, between them dots and the names of those with parameters.
    """

    def __init__(self, canvas: Canvas, trace: Trace, chain: Chain, zone: Zone) -> None:
        self.canvas, self.trace, self.chain = canvas, trace, chain
        self.samples = samples_of(trace, chain)
        self.limit = limit_of(*(sample.numbers for sample in self.samples.values()))
        self.rows = arrange_rows(
            _segments(chain, self.samples, zone, canvas.artboard.floor), zone, canvas.artboard
        )
        self.zone = zone
        self.parts: dict[int, Mobject] = {}
        self.activations: dict[int, Activation] = {}
        self.portrait: Portrait | None = None
        super().__init__()
        for row in filter(None, self.rows):
            self._draw_row(row)

    def _draw_row(self, row: Sequence[Slot]) -> None:
        sizes: dict[int, VGroup] = {}
        size_y = self._size_y(row)
        for slot in row:
            self._draw(slot)
            place = slot.part.place
            if slot.part.kind in ("column", "maps", "cells"):
                size = self._size(slot)
                sizes[place] = self.activations[place].label(size_y, self.canvas.theme.text, size)
        self.add(self._skips(row))
        crowded = _crowded(sizes)
        for place, label in sizes.items():
            if place not in crowded:
                self.know(("size", self.samples[place].record.id), label)
        written = [label for place, label in sizes.items() if place not in crowded]
        self._write_weights(row, written)

    def _size(self, slot: Slot) -> float | None:
        """Return how large sizes are written below a slot; None: as large as they like to be."""
        return None if slot.low is None else self.canvas.artboard.floor

    def _size_y(self, row: Sequence[Slot]) -> float:
        """Return the y of the sizes below the columns of a row."""
        tall = [slot for slot in row if slot.part.kind not in ("gate", *_NO_ENDS)] or row
        lowest = max(slot.zone.bottom for slot in tall)
        board = self.canvas.artboard
        return lowest + (board.type_title * 1.05 if row[0].low is None else board.floor * 0.7)

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
            self.add(dots_of(self.canvas, slot.center_x, slot.center_y), *self._hidden(slot))
        elif kind in ("fork", "join"):
            self.add(_way(self.canvas, slot, body(self.zone, self.canvas.artboard).center_y))
        elif kind in ("funnel", "gate"):
            link = self.chain.links[place]
            self.parts[place] = self._link(slot, link)
            weight = None if link.weight is None else self.trace.tensor(link.weight).name
            self.know(("gate", place) if weight is None else ("weight", weight), self.parts[place])
        else:
            scores = kind == "cells" and are_scores(self.trace, self.chain)
            drawn = activation(
                self.canvas, slot, self.samples[place], self.limit, place=place, scores=scores
            )
            self.activations[place] = drawn
            self.know(("values", self.samples[place].record.id), drawn)

    def _link(self, slot: Slot, link: Link) -> Mobject:
        canvas, artboard = self.canvas, self.canvas.artboard
        if link.weight is None or link.module is None:
            return gate_of(canvas, slot, link)
        lines = _in_lines(link.name, slot.width, artboard.floor)
        if lines:
            wide = max(text_width(line, 1.0) for line in lines)
            size = max(artboard.floor, min(artboard.type_size, slot.width / wide))
            size = self._size(slot) or size
            air = 0.62 if slot.low is None else _LOW_AIR
            top = slot.top_over(wide * size) - size * (air + 0.95 * (len(lines) - 1))
            y = max(top, self.zone.y + size * 0.5)
            source = Drawn(0, link.name, "module", module=link.module)
            name = VGroup(
                *(
                    canvas.label(
                        line,
                        slot.center_x,
                        y + 0.95 * at * size,
                        size,
                        canvas.theme.param,
                        source=source,
                    )
                    for at, line in enumerate(lines)
                )
            )
            self.know(("name", link.name), name)
        return funnel_of(canvas, slot, self.trace, link)

    def _hidden(self, slot: Slot) -> list[VGroup]:
        """Return the names of the modules with parameters that dots stand for, above them."""
        size, names = self.canvas.artboard.floor, _names(self.chain, slot.part.hidden)
        y = slot.center_y - size * (0.9 + len(names))
        return [
            module_label(self.canvas, text, module, slot.center_x, y + 1.05 * at * size, size)
            for at, (text, module) in enumerate(names)
        ]

    def _write_weights(self, row: Sequence[Slot], sizes: Sequence[VGroup]) -> None:
        """Write the sizes of all weights below their funnels, where those of the columns let it."""
        unit, labels = self.canvas.artboard.unit, list[tuple[str, VGroup]]()
        size_y = self._size_y(row)
        if any(target.part.kind == "funnel" for _, target in self._ways(row)):
            return  # the way there ends where they would be written
        for slot in row:
            link = self.chain.links[slot.part.place] if slot.part.kind == "funnel" else None
            if slot.low is None and link is not None and link.weight is not None:
                records = [self.trace.tensor(each) for each in (link.weight, *link.others)]
                label = weight_labels(self.canvas, records, slot.center_x, size_y, slot.width)
                labels.append((records[0].name, label))
        air = self.canvas.artboard.floor * unit / 2
        if all(_is_clear(label, sizes, air) for _, label in labels):
            for name, label in labels:
                self.know(("sizes", name), label)

    def _skips(self, row: Sequence[Slot]) -> VGroup:
        """Return the ways around links of a row, as arcs below it."""
        below = self._size_y(row) + self.canvas.artboard.type_title * 0.62  # what the sizes take
        low = min(self.zone.bottom + self.canvas.artboard.px(4), below)
        return VGroup(*(_arc(self.canvas, *ends, low) for ends in self._ways(row)))

    def _ways(self, row: Sequence[Slot]) -> list[tuple[Slot, Slot]]:
        """Return where the ways around links of a row begin and end."""
        order = list(dict.fromkeys(slot.part.place for slot in row))
        hidden = {at: slot for slot in row for at in slot.part.hidden}
        ends = hidden | {slot.part.place: slot for slot in row if slot.part.kind not in _NO_ENDS}
        into = {
            slot.part.place: slot for slot in row if slot.part.kind in ("funnel", "gate", "arrow")
        }
        return [
            (ends[source], into[target])
            for source, target in self.chain.skips
            if source in ends
            and target in into
            and target in self.parts
            and (source in hidden or order.index(target) > order.index(source) + 1)
        ]


def samples_of(trace: Trace, chain: Chain) -> dict[int, Sample]:
    """Return what goes into a chain (INPUT) and what comes out of each of its links."""
    found = {INPUT - at: sample_of(trace, each) for at, each in enumerate(chain.inputs)}
    found.update({at: sample_of(trace, link.result) for at, link in enumerate(chain.links)})
    return found


def activation(
    canvas: Canvas,
    slot: Slot,
    sample: Sample,
    limit: float,
    *,
    place: int,
    scores: bool = False,
) -> Activation:
    """Return the picture of a sample in its slot: what came out of the link at ``place``, or the
    ``scores`` of classes."""
    kind = slot.part.kind
    paper = sample.picture is not None and place <= INPUT
    if kind == "cells":
        return Cells(canvas, slot, sample, limit, scores=scores)
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


def _segments(
    chain: Chain, samples: dict[int, Sample], zone: Zone, floor: float
) -> list[list[list[Part]]]:
    """Return the rows of parts of an overview, by segments: what comes out of every link where
    there is much room, else of those with parameters; as many links from both ends of each row as
    there is room for."""
    one = [Segment((Lane(tuple(range(len(chain.links)))),))]
    for segments in (segments_of(chain), one):
        every = _rows(chain, samples, segments, floor, every=True)
        if fits(every, zone, easily=True):
            return every
        longest = max(len(lane.places) for each in segments for lane in each.lanes)
        for most in range(longest, 1, -1):
            rows = _rows(chain, samples, segments, floor, most)
            if fits(rows, zone):
                return rows
    return _rows(chain, samples, one, floor, 2)


def _rows(
    chain: Chain,
    samples: dict[int, Sample],
    segments: Sequence[Segment],
    floor: float,
    most: int | None = None,
    *,
    every: bool = False,
) -> list[list[list[Part]]]:
    """Return the parts of segments: ``most`` links of each row, ``every`` with all that comes out
    of links."""
    found: list[list[list[Part]]] = []
    if segments[0].forks:
        found.append([_head(samples[INPUT])])
    for number, segment in enumerate(segments):
        rows = []
        for lane in segment.lanes:
            low = len(segment.lanes) > LARGE_LANES
            row = _some_parts(chain, samples, lane.places, floor, most, every=every, low=low)
            if lane.head is not None:
                row = [*_head(samples[lane.head], lane.head), *row]
            elif number == 0 and not segment.forks:
                row = [*_head(samples[INPUT]), *row]
            if segment.forks:
                row.insert(0, Part("fork", lane.places[0]))
            if segment.joined:
                row.append(Part("join", lane.places[-1] if lane.places else INPUT))
            rows.append(row)
        found.append(rows)
    return found


def _head(sample: Sample, place: int = INPUT) -> list[Part]:
    """Return the parts of what goes in."""
    column = Part(kind_of(sample, last=False), place, (sample.features, sample.features))
    return [*(portrait_parts(sample) if place == INPUT else []), column]


def _some_parts(
    chain: Chain,
    samples: dict[int, Sample],
    places: Sequence[int],
    floor: float,
    most: int | None = None,
    *,
    every: bool = False,
    low: bool = False,
) -> list[Part]:
    """Return the parts of links one after the other, of at most so many from both ends; in a
    ``low`` row there is no room for many cells."""
    count = len(places)
    kept = count if most is None else min(most, count)
    first, last = (kept + 1) // 2, count - kept // 2
    parts: list[Part] = []
    for index, place in enumerate(places):
        if first <= index < last:
            if index == first:
                parts.append(_dots_part(chain, places[first:last], floor))
            continue
        link, sample = chain.links[place], samples[place]
        before, after = samples[link.sources[0]].features, sample.features
        final = place in chain.ends
        parts.append(_link_part(link, place, (before, after), floor))
        if every or link.has_parameters or final or link.kind in RESHAPES:
            cells = final and (not low or after <= _LOW_CELLS)
            parts.append(Part(kind_of(sample, last=cells), place, (after, after)))
    return parts


def _dots_part(chain: Chain, hidden: Sequence[int], floor: float) -> Part:
    """Return the dots for links that are left out, as wide as their names."""
    width = max((text_width(text, floor) for text, _ in _names(chain, hidden)), default=0.0)
    part = Part("dots", hidden[0], hidden=tuple(hidden))
    return part if width < 60 else replace(part, wide=(width + 20) / 90, fixed=True)


def _names(chain: Chain, hidden: Sequence[int]) -> list[tuple[str, int]]:
    """Return the names of links with parameters, the first ones, and a module of each."""
    links = [link for link in map(chain.links.__getitem__, hidden) if link.has_parameters]
    named = {gate_text(link): link.module for link in links}
    return [(text, module) for text, module in named.items() if module is not None][:_NAMES]


def _in_lines(name: str, room: float, size: float) -> list[str]:
    """Return a name in one line, or in two, broken after ``_``; none where it has no room so."""
    places = [at + 1 for at, each in enumerate(name) if each == "_" and 0 < at < len(name) - 1]
    halves = [[name[:at], name[at:]] for at in places]
    halves.sort(key=lambda lines: max(map(len, lines)))
    for wide in (1.0, _OVER):
        for lines in ([name], *halves):
            if max(text_width(each, size) for each in lines) <= room * wide:
                return lines
    return []


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


def _crowded(sizes: dict[int, VGroup]) -> list[int]:
    """Return the sizes that would touch the one before; the ends are always written."""
    crowded, edge = [], -1e9
    ordered = sorted(sizes, key=lambda place: sizes[place].get_center()[0])
    last = ordered[-1] if ordered else None
    for place in ordered:
        label = sizes[place]
        if label.get_left()[0] < edge and place != last:
            crowded.append(place)
        else:
            edge = label.get_right()[0] + 0.12
    return crowded


def _is_clear(label: VGroup, others: Sequence[VGroup], air: float) -> bool:
    """Tell whether there is a label, and no other so near beside it (Manim units)."""
    x = label.get_center()[0]
    return bool(len(label)) and all(
        abs(each.get_center()[0] - x) > air + (label.width + each.width) / 2 for each in others
    )


def _way(canvas: Canvas, slot: Slot, middle: float) -> VGroup:
    """Return the way from the middle of the picture to a row, or back to it."""
    color, stroke, fork = canvas.theme.muted, canvas.artboard.px(4), slot.part.kind == "fork"
    near, far = (middle, slot.center_y) if fork else (slot.center_y, middle)
    air, head = canvas.artboard.px(6), canvas.artboard.px(18)
    left, right = slot.x + air, slot.x + slot.width - air
    turn = left + 2 * air if fork else right - head - air  # clear of the sizes beside it
    corners = [(left, near), (turn, near), (turn, far), (right - head, far)]
    line = canvas.path(corners, color, stroke)
    return VGroup(line, canvas.arrow((right - head, far), (right, far), color, stroke))


def _arc(canvas: Canvas, source: Slot, target: Slot, low: float) -> VGroup:
    px = canvas.artboard.px
    tall = max(source.left, source.right) / 2
    if source.part.kind == "gate":
        tall = _reach(canvas, source)
    bottom = source.center_y + tall
    start = (source.x + source.width, bottom + px(2))
    if source.part.kind == "dots":
        start = (source.center_x, source.center_y + px(24))
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
