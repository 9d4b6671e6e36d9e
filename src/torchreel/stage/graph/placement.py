"""Where the nodes and links of a diagram stand inside a zone, in pixels (pure)."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Shape, TensorRecord, Trace
from torchreel.stage import numerals
from torchreel.stage.artboard import Artboard, Zone
from torchreel.stage.graph.diagram import Diagram, Node
from torchreel.stage.graph.layers import Layers, arrange, heights, least_height, ranks
from torchreel.stage.layout import DEPTH_X, DEPTH_Y, SLAB
from torchreel.stage.text import ADVANCE, text_width

Points = NDArray[np.float64]

COLUMNS = {"page": 5, "film": 9}
"""The most columns of nodes side by side in a picture that is not dense."""

_CELL_MOST = {"page": 120.0, "film": 116.0}
_CELL_LEAST = {"page": 76.0, "film": 56.0}
_CELL_DENSE = {"page": 56.0, "film": 44.0}
_BETWEEN = {"page": 1.25, "film": 1.7}
"""The most that two columns are apart, in cells."""
_STEP = 4.0
_GAPS = (56, 36, 24, 12)
"""Distances between the nodes of a column in film pixels: the largest that fits is taken."""
_LEVEL = 9.0
"""A link whose ends are less apart in height is drawn level."""
_LINES = 6
_SYMBOLS = {"page": 12, "film": 24}
"""An op's node has at most so many lines below each other, and so many symbols in all."""
_FEW = 4
"""A tensor of at most so many elements has room for its numbers, if there is room at all."""
_NAMES = 3
_NAMES_WIDE = 0.25
"""Over an op stand at most so many names, on at most this share of the artboard's width."""
LINE_OF_TERM = 1.1
"""Height of a line of a sum of gradients, in em."""
_TERM_LEAST = 24.0
"""A block of a sum is not less high than this, in film pixels."""
DIGIT_WIDTH = 0.90
"""A number takes at most this share of its cell's width."""
_CHARS = 6
"""A cell is widened for a number of at most so many characters."""
_LINE = 1.2
"""Height of a line of symbols in an op's node, in em."""


@dataclass(frozen=True)
class Sizes:
    """The measures that follow from the side of a cell, in pixels; a tensor of few elements that
    is ``written`` is as large as its numbers need, one of one dimension as a row or a column.
    Numbers are as wide as they need to be ``precise``, or else as they need to be there at all."""

    artboard: Artboard
    cell: float
    written: Literal["row", "column"] | None = None
    precise: bool = False

    @property
    def depth(self) -> float:
        """Thickness of a cell."""
        return SLAB * self.cell

    @property
    def pad(self) -> float:
        """From a parameter's cells to its frame."""
        return self.artboard.px(12)

    @property
    def radius(self) -> float:
        """Half the height of an op's node of one line."""
        return 0.46 * self.cell

    @property
    def symbol(self) -> float:
        """Type size in an op's node."""
        return max(self.artboard.floor, 0.42 * self.cell)

    @property
    def around(self) -> float:
        """What an op's node has left and right of its symbols, in em."""
        return 0.9 if self.cell >= _CELL_LEAST[self.artboard.name] else 0.6

    @property
    def read(self) -> float:
        """Type size of gradients and derivatives: what must be read."""
        return max(1.11 * self.artboard.floor, 0.40 * self.cell)

    @property
    def name(self) -> float:
        """Type size of a tensor's name."""
        return min(self.artboard.type_title, max(1.11 * self.artboard.floor, 0.46 * self.cell))

    @property
    def capsule(self) -> float:
        """Height of a capsule."""
        return 1.5 * self.read

    @property
    def below(self) -> float:
        """From a cell, or its frame, to the capsule under it."""
        return self.artboard.px(7)

    @property
    def least_between(self) -> float:
        """Least distance between two columns."""
        return 0.62 * self.cell + self.artboard.px(8)


@dataclass(frozen=True)
class Box:
    """A node's body around its middle ``(x, y)``, and what it reserves above and below.

    ``width`` and ``height`` are the body's front; ``pad`` is the frame's distance; ``unit`` the
    side of a cell within a tensor's grid of ``rows`` and ``columns`` cells; ``terms`` the height of
    what adds up to the gradient, which stands between the body and it, on a ``plate`` of a width;
    ``capsule`` is the width of the gradient's capsule, ``names`` that of the names over an op.
    """

    x: float
    y: float
    width: float
    height: float
    pad: float
    depth: float
    above: float
    below: float
    unit: float = 0.0
    grid: tuple[int, int] = (1, 1)
    terms: float = 0.0
    plate: float = 0.0
    capsule: float = 0.0
    names: float = 0.0

    @property
    def left(self) -> float:
        """The x at which links arrive."""
        return self.x - self.width / 2 - self.pad

    @property
    def right(self) -> float:
        """The x at which links leave."""
        return self.x + self.width / 2 + max(self.pad, DEPTH_X * self.depth)

    @property
    def top(self) -> float:
        """The upper edge of the body with its thickness or frame."""
        return self.y - self.height / 2 - max(self.pad, -DEPTH_Y * self.depth)

    @property
    def bottom(self) -> float:
        """The lower edge of the body or its frame."""
        return self.y + self.height / 2 + self.pad

    @property
    def under(self) -> float:
        """The lower edge of what stands over the gradient."""
        return self.bottom + self.terms


@dataclass(frozen=True)
class Title:
    """A text beside a block or a line: a tensor's name, or the derivative of a link; its middle
    ``(x, y)`` and its type size."""

    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Placed:
    """A diagram in its place: a box for each node, a curve (cubic Bézier points) for each link,
    the middle of each column, the names of tensors, and the derivatives of links."""

    diagram: Diagram
    sizes: Sizes
    boxes: tuple[Box, ...]
    curves: tuple[Points, ...]
    columns: tuple[float, ...]
    layers: Layers
    titles: dict[int, Title]
    factors: dict[int, Title]
    between: float

    def room(self, number: int) -> float:
        """Return how wide a text above or below a node may be, in pixels."""
        return _room(self.boxes[number], self.between)


def place(
    diagram: Diagram, trace: Trace, zone: Zone, artboard: Artboard, *, dense: bool = False
) -> Placed | None:
    """Return the picture of a diagram that has the fewest crossings, as large as it fits a zone, or
    None where none is readable. ``dense``: in as many columns as there is room for, and smaller."""
    most = None if dense else COLUMNS[artboard.name]
    least = (_CELL_DENSE if dense else _CELL_LEAST)[artboard.name]
    if not diagram.nodes or not _may_fit(diagram, trace, zone, Sizes(artboard, least), most):
        return None
    for late in (False, True):
        placed = _arranged(diagram, trace, zone, Sizes(artboard, least), most, late=late)
        if placed is not None:
            return placed
    return None


def _arranged(
    diagram: Diagram, trace: Trace, zone: Zone, smallest: Sizes, most: int | None, *, late: bool
) -> Placed | None:
    """Return the picture with the fewest crossings for which there are enough columns."""
    groups, links = diagram.groups, diagram.pairs
    columns = max(ranks(groups, links)) + 1
    while most is None or most >= columns:
        layers = arrange(groups, links, most, late=late)
        placed = _largest(diagram, trace, layers, zone, smallest)
        for over in (2, 3) if placed is None else ():
            spread = layers.with_leaves_over(over, groups, links)
            if placed is None and (most is None or len(spread.columns) <= most):
                placed = _largest(diagram, trace, spread, zone, smallest)
        if placed is not None:
            return placed
        most = len(layers.columns) - 1  # fewer columns, though more lines may cross there
    return None


def _largest(
    diagram: Diagram, trace: Trace, layers: Layers, zone: Zone, smallest: Sizes
) -> Placed | None:
    few = any(_few(node, trace) for node in diagram.nodes)
    blocks: list[tuple[Literal["row", "column"] | None, bool]]
    blocks = [(way, each) for each in (True, False) for way in ("row", "column")] if few else []
    for written, precise in (*blocks, (None, True), (None, False)):
        least_sizes = replace(smallest, written=written, precise=precise)
        least = _fit(diagram, trace, layers, zone, least_sizes)
        size = _CELL_MOST[smallest.artboard.name]
        while least is not None and size > smallest.cell:
            placed = _fit(diagram, trace, layers, zone, replace(least_sizes, cell=size))
            if placed is not None:
                return placed
            size -= _STEP
        if least is not None:
            return least
    return None


def _few(node: Node, trace: Trace) -> bool:
    """Tell whether a node shows a tensor of few elements as one block."""
    if node.kind != "tensor" or node.tensor is None:
        return False
    return node.tensor in trace.values and 2 <= trace.tensor(node.tensor).numel <= _FEW


def _may_fit(diagram: Diagram, trace: Trace, zone: Zone, sizes: Sizes, most: int | None) -> bool:
    """Tell, before the costly ordering, whether the smallest picture's columns are too many, too
    wide or too high."""
    gap = sizes.artboard.px(_GAPS[-1])
    bodies = [_body(node, trace, sizes) for node in diagram.nodes]
    led_to = {link.target for link in diagram.links}
    for late in (False, True):
        column = ranks(diagram.groups, diagram.pairs, late=late)
        if most is not None and max(column) >= most:
            return False
        wide: dict[int, float] = defaultdict(float)
        high: dict[int, float] = defaultdict(lambda: -gap)
        for number, (body, at) in enumerate(zip(bodies, column, strict=True)):
            wide[at] = max(wide[at], _width(body))
            if number in led_to:  # leaves may stand in other columns
                high[at] += body.above + body.below + gap
        across = sum(wide.values()) + sizes.least_between * (len(wide) - 1)
        if max(high.values(), default=0.0) <= zone.height and across <= zone.width:
            return True
    return False


def _fit(diagram: Diagram, trace: Trace, layers: Layers, zone: Zone, sizes: Sizes) -> Placed | None:
    bodies = [_body(node, trace, sizes) for node in diagram.nodes]
    widths = [
        max((_width(bodies[node]) for node in column if node < len(bodies)), default=0.0)
        for column in layers.columns
    ]
    spare = zone.width - sum(widths)
    between = spare / max(1, len(widths) - 1)
    if between < sizes.least_between and len(widths) > 1:
        return None
    between = min(between, _BETWEEN[sizes.artboard.name] * sizes.cell + sizes.artboard.px(10))
    above, below = _reaches(diagram, bodies)
    for gap in map(sizes.artboard.px, _GAPS):
        if least_height(layers, above, below, gap) > zone.height:  # before the costly heights
            continue
        y = heights(layers, above, below, gap)
        top = min(y[node] - above.get(node, 0.0) for node in y)
        bottom = max(y[node] + below.get(node, 0.0) for node in y)
        if bottom - top <= zone.height:
            break
    else:
        return None
    down = zone.y + (zone.height - (bottom - top)) * 0.5 - top
    left = zone.center_x - (sum(widths) + between * (len(widths) - 1)) / 2
    boxes: list[Box | None] = [None] * len(bodies)
    edges = []
    for column, width in zip(layers.columns, widths, strict=True):
        edges.append((left, left + width))
        for node in column:
            if node < len(bodies):
                boxes[node] = _at(bodies[node], left + width / 2, y[node] + down)
        left += width + between
    placed = tuple(box for box in boxes if box is not None)
    at = {node: place + down for node, place in y.items()}
    curves = _curves(diagram, layers, placed, edges, at)
    titles = _titles(diagram, placed, curves, between, sizes)
    return Placed(
        diagram,
        sizes,
        placed,
        curves,
        tuple((a + b) / 2 for a, b in edges),
        layers,
        titles,
        _factors(diagram, placed, curves, titles, sizes),
        between,
    )


def _reaches(diagram: Diagram, bodies: Sequence[Box]) -> tuple[dict[int, float], dict[int, float]]:
    """Return how far each node reaches up and down: elements of one tensor, and the parts of an op,
    all as far as the widest reaching, so that what belongs together stands level."""
    alike = [node for node, count in Counter(diagram.groups).items() if count > 1]
    rows = [i for i, node in enumerate(diagram.nodes) if node.group in alike]
    up = max((bodies[i].above for i in rows if not diagram.nodes[i].first), default=0.0)
    down = max((bodies[i].below for i in rows), default=0.0)
    above = {i: max(body.above, up if i in rows else 0.0) for i, body in enumerate(bodies)}
    below = {i: down if i in rows else body.below for i, body in enumerate(bodies)}
    return above, below


def _at(body: Box, x: float, y: float) -> Box:
    shift = (DEPTH_X * body.depth - body.pad) / 2 if DEPTH_X * body.depth > body.pad else 0.0
    return replace(body, x=x - shift, y=y)


def _width(body: Box) -> float:
    return max(
        body.width + body.pad + max(body.pad, DEPTH_X * body.depth),
        body.plate,
        body.capsule,
        body.names,
    )


def _body(node: Node, trace: Trace, sizes: Sizes) -> Box:
    if node.kind == "op":
        return _op_body(node, sizes)
    record = trace.tensor(node.tensor if node.tensor is not None else 0)
    pad = sizes.pad if node.parameter else 0.0
    if node.kind == "element":
        height = unit = sizes.cell
        width, grid = _width_of_element(record, trace, sizes), (1, 1)
    else:
        grid = grid_of(record.shape)
        unit = unit_of(grid, sizes, known=record.id in trace.values)
        width, height = grid[1] * unit, grid[0] * unit
        if sizes.written and _few(node, trace):
            unit = max(unit, sizes.artboard.digits_from + 2)
            if sizes.written == "column" and len(record.shape) == 1:
                grid = record.numel, 1
            width, height = grid[1] * _width_of_cell(node, trace, unit, sizes), grid[0] * unit
        if not unit:
            width, height = slab_of(grid, sizes)
    depth = SLAB * (sizes.cell if node.kind == "element" else min(sizes.cell, max(unit, 30)))
    above = height / 2 + max(pad, -DEPTH_Y * depth)
    below = height / 2 + pad
    if node.name and node.first:
        above += 1.25 * sizes.name
    terms = terms_height(node, (width, height), unit, sizes) if node.terms else 0.0
    below += terms
    if node.gradient is not None:
        below += sizes.below
        below += sizes.capsule if node.kind == "element" else gradient_height(height, unit, sizes)
    plate = capsule = 0.0
    if node.kind == "element":
        plate = _plate_of(node, trace, sizes) if terms else 0.0
        values = None if node.gradient is None else trace.values.get(node.gradient)
        capsule = capsule_of(values, node.index, sizes, _CHARS)[0] if values is not None else 0.0
    return Box(0, 0, width, height, pad, depth, above, below, unit, grid, terms, plate, capsule)


def capsule_of(
    values: NDArray[np.generic], index: tuple[int, ...], sizes: Sizes, most: int
) -> tuple[float, str | None]:
    """Return width and text of the capsule of an element of a gradient: as wide as the smallest, or
    as its number needs, of at most so many characters (None where it needs more). Powers of ten are
    written where nothing else is short enough."""
    least = 1.1 * sizes.cell
    chars = int((least - 0.7 * sizes.capsule) / (ADVANCE * sizes.read))
    counts = range(max(2, chars), max(3, chars + 1, most + 1))
    written = [texts for each in counts if (texts := numerals.write_all(values, each)) is not None]
    if not written or len(index) != values.ndim:  # of another shape: of another output
        return least, None
    plain = [texts for texts in written if "e" not in "".join(texts)] or written[:1]
    precise = (texts for texts in plain if not sizes.precise or _says(texts, values))
    place = int(np.ravel_multi_index(index, values.shape)) if index else 0
    text = next(precise, plain[-1] if sizes.precise else plain[0])[place]
    return max(least, text_width(text, sizes.read) + 0.8 * sizes.capsule), text


def _says(texts: Sequence[str], values: NDArray[np.generic]) -> bool:
    """Tell whether texts are as precise as two decimals, large numbers to two in a thousand."""
    if not np.issubdtype(values.dtype, np.floating):
        return True
    said = np.array([float(text.replace(numerals.MINUS, "-")) for text in texts])
    with np.errstate(invalid="ignore"):  # of infinities
        apart, sizes = np.abs(said - values.ravel()), np.abs(values.ravel())
    return bool((np.isnan(apart) | (apart <= np.where(sizes < 100, 0.00501, 0.002 * sizes))).all())


def _written(values: NDArray[np.generic], least: int, sizes: Sizes) -> list[str]:
    """Return how numbers are written in the fewest characters, no fewer than ``least`` where more
    say no more; the texts are empty where there are none."""
    counts = range(least, max(least, _CHARS) + 1)
    found = [texts for count in counts if (texts := numerals.write_all(values, count)) is not None]
    precise = (texts for texts in found if not sizes.precise or _says(texts, values))
    return next(precise, found[-1] if found and sizes.precise else (found or [[""]])[0])


def _plate_of(node: Node, trace: Trace, sizes: Sizes) -> float:
    """Return the most that the plate of an element's sum is wide."""
    sums = [numerals.write(float(trace.values[each][node.index]), _CHARS) for each in node.brought]
    return plate_width([each or "" for each in sums], sizes)


def plate_width(texts: Sequence[str], sizes: Sizes) -> float:
    """Return the width of the plate on which numbers are added."""
    size = sizes.read
    widest = max(text_width(text, size) for text in texts)
    return max(1.1 * sizes.cell, widest + text_width("+ ", size) + 0.6 * size)


def _width_of_element(record: TensorRecord, trace: Trace, sizes: Sizes) -> float:
    """Return the width of the cells of a tensor: wider than high where a number needs that."""
    em = ADVANCE * sizes.artboard.floor
    fitting = int(DIGIT_WIDTH * sizes.cell / em)
    longest = max(map(len, _written(trace.values[record.id], fitting, sizes)))
    return max(sizes.cell, (longest + 0.1) * em / DIGIT_WIDTH)


def _width_of_cell(node: Node, trace: Trace, unit: float, sizes: Sizes) -> float:
    """Return the width of a cell of a tensor and of its gradient: what their numbers need."""
    em = ADVANCE * sizes.artboard.floor
    longest = 0
    for number in (node.tensor, node.gradient):
        values = trace.values.get(-1 if number is None else number)
        if values is not None:
            written = _written(values, int(DIGIT_WIDTH * unit / em), sizes)
            longest = max(longest, *map(len, written))
    return max(unit, (longest + 0.1) * em / DIGIT_WIDTH)


def terms_height(node: Node, body: tuple[float, float], unit: float, sizes: Sizes) -> float:
    """Return the height of what adds up to a node's gradient: of an element lines below each other,
    of a tensor small blocks side by side; 0 where these would be too small to be seen."""
    if node.kind == "element":
        return sizes.below + (LINE_OF_TERM * len(node.terms) + 0.4) * sizes.read
    scale = term_width(node, body[0], sizes) / body[0]
    height = scale * gradient_height(body[1], unit, sizes)
    return sizes.below + height if height >= sizes.artboard.px(_TERM_LEAST) else 0.0


def term_width(node: Node, width: float, sizes: Sizes) -> float:
    """Return the width of the block of each of the gradients that add up under a tensor."""
    count = len(node.terms)
    return (width - (count - 1) * sizes.artboard.floor) / count


def gradient_height(height: float, unit: float, sizes: Sizes) -> float:
    """Return the height of the gradient's block under a tensor's: less where it has no digits."""
    digits = unit >= sizes.artboard.digits_from
    return (height if digits else 0.6 * height) + 2 * sizes.artboard.px(6)


def _op_body(node: Node, sizes: Sizes) -> Box:
    texts, size = lines_of(node, sizes.artboard), sizes.symbol
    columns = -(-len(texts) // _LINES)
    rows = -(-len(texts) // columns)
    widest = max(text_width(text, size) for text in texts)
    height = max(2 * sizes.radius, (rows * _LINE + 0.5) * size)
    width = max(2 * sizes.radius, columns * widest + (columns - 1) * size + sizes.around * size)
    pad = sizes.pad if node.kept else 0.0
    below = height / 2 + pad + (sizes.below + sizes.capsule * 0.6 if node.kept else 0.0)
    names = sum(width for *_, width in names_over(node, sizes))
    above = height / 2 + pad + (1.25 * name_of_op(sizes) if names else 0.0)
    return Box(0, 0, width, height, pad, 0.0, above, below, grid=(rows, columns), names=names)


def name_of_op(sizes: Sizes) -> float:
    """Return the type size of the names over an op."""
    return 1.05 * sizes.artboard.floor


def names_over(node: Node, sizes: Sizes) -> list[tuple[str, int | None, float]]:
    """Return the names that are written over an op, each with its tensor and the width that it
    takes: of many the first and the last, none where they are too wide."""
    names: list[tuple[str, int | None]] = [*node.within]
    if len(names) > _NAMES:
        names = [names[0], ("…", None), names[-1]]
    size = name_of_op(sizes)
    found = [
        (name, tensor, text_width(name, size) + size * (place > 0))
        for place, (name, tensor) in enumerate(names)
    ]
    wide = sum(width for *_, width in found)
    return found if wide <= sizes.artboard.width * _NAMES_WIDE else []


def lines_of(node: Node, artboard: Artboard) -> tuple[str, ...]:
    """Return the symbols that are written in an op's node: all, or of very many the first."""
    most = _SYMBOLS[artboard.name]
    return node.text if len(node.text) <= most else (*node.text[: most - 1], "…")


def grid_of(shape: Shape) -> tuple[int, int]:
    """Return the rows and columns of the flat picture of a tensor: leading dimensions below each
    other."""
    columns = shape[-1] if shape else 1
    rows = int(np.prod(shape[:-1], dtype=np.int64)) if shape else 1
    return max(1, rows), max(1, columns)


def unit_of(grid: tuple[int, int], sizes: Sizes, *, known: bool) -> float:
    """Return the side of a cell of a tensor's grid: large enough for digits where that fits, else
    small cells without, else 0 (a slab that shows the texture)."""
    rows, columns = grid
    digits = sizes.artboard.digits_from + 2
    if known and columns * digits <= 1.7 * sizes.cell and rows * digits <= 2.6 * sizes.cell:
        return min(sizes.cell, max(digits, min(1.4 * sizes.cell / columns, sizes.cell)))
    unit = min(1.5 * sizes.cell / columns, 1.5 * sizes.cell / rows)
    return unit if known and unit >= sizes.artboard.px(10) else 0.0


def slab_of(grid: tuple[int, int], sizes: Sizes) -> tuple[float, float]:
    """Return width and height of the slab of a large tensor, in proportion as far as it can be."""
    rows, columns = grid
    longest = 1.5 * sizes.cell
    width = longest * min(1.0, max(0.3, columns / rows))
    height = longest * min(1.0, max(0.3, rows / columns))
    return width, height


def _curves(
    diagram: Diagram,
    layers: Layers,
    boxes: Sequence[Box],
    edges: Sequence[tuple[float, float]],
    y: dict[int, float],
) -> tuple[Points, ...]:
    starts, ends = _ports(diagram, layers, boxes, y)
    column = {node: i for i, nodes in enumerate(layers.columns) for node in nodes}
    curves = []
    for number, path in enumerate(layers.paths):
        at, end = np.array(starts[number]), np.array(ends[number])
        # Up or down only between the columns: in one, wider nodes may stand above or below.
        out = np.array([max(at[0], edges[column[path[0]]][1]), at[1]])
        last = np.array([min(end[0], edges[column[path[-1]]][0]), end[1]])
        bends = []
        for waypoint in path[1:-1]:
            left, right = edges[column[waypoint]]
            bends.append(_bend(out, np.array([left, y[waypoint]])))
            out = np.array([right, y[waypoint]])
        bends.append(_bend(out, last))
        pieces = [_straight(at, bends[0][0])]
        for one, other in itertools.pairwise(bends):
            pieces += [one, _straight(one[-1], other[0])]
        pieces += [bends[-1], _straight(bends[-1][-1], end)]
        curves.append(np.concatenate([each for each in pieces if each[-1, 0] > each[0, 0]]))
    return tuple(curves)


def _ports(
    diagram: Diagram, layers: Layers, boxes: Sequence[Box], y: dict[int, float]
) -> tuple[dict[int, tuple[float, float]], dict[int, tuple[float, float]]]:
    """Return where each link leaves and arrives: side by side, in the order of the other ends."""
    out: dict[int, list[int]] = defaultdict(list)
    into: dict[int, list[int]] = defaultdict(list)
    for number, path in enumerate(layers.paths):
        out[path[0]].append(number)
        into[path[-1]].append(number)
    starts: dict[int, tuple[float, float]] = {}
    ends: dict[int, tuple[float, float]] = {}
    for ports, lists, side in ((starts, out, 1), (ends, into, -1)):
        for node, numbers in lists.items():
            box = boxes[node]
            round_ = diagram.nodes[node].kind == "op"
            near = {n: y[layers.paths[n][1 if side > 0 else -2]] for n in numbers}
            ordered = sorted(numbers, key=lambda n: (near[n], n))
            reach = 0.9 * box.height if round_ else 0.5 * box.height
            step = min(0.46 * box.height, reach / len(ordered))
            for place, number in enumerate(ordered):
                dy = (place - (len(ordered) - 1) / 2) * step
                x = box.right if side > 0 else box.left
                if round_:
                    r = min(box.height, box.width) / 2
                    x -= side * (r - math.sqrt(max(0.0, r * r - min(abs(dy), r) ** 2)))
                ports[number] = (x, box.y + dy)
    return starts, ends


def _bend(start: Points, end: Points) -> Points:
    if abs(end[1] - start[1]) < _LEVEL:
        middle = (start[1] + end[1]) / 2
        start, end = np.array([start[0], middle]), np.array([end[0], middle])
    reach = np.array([(end[0] - start[0]) * 0.55, 0.0])
    return np.array([start, start + reach, end - reach, end])


def _straight(start: Points, end: Points) -> Points:
    return np.array([start, start + (end - start) / 3, start + (end - start) * 2 / 3, end])


def points_on(curve: Points, count: int = 24) -> Points:
    """Return points along a curve, ``count`` a piece."""
    t = np.linspace(0, 1, count)[:, None]
    pieces = [
        (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
        for a, b, c, d in curve.reshape(-1, 4, 2)
    ]
    return np.concatenate(pieces)


def factor_text(value: float) -> str | None:
    """Return how a local derivative is written: ``×3``, ``×−0.5``, ``×0.045``; None where it does
    not fit."""
    whole = numerals.write(value, 6, 3 if abs(value) < 0.1 else 2)
    if whole is None:
        return None
    exact = "e" not in whole and float(whole.replace(numerals.MINUS, "-")) == round(value, 6)
    return f"×{whole.rstrip('0') if exact and '.' in whole else whole}".rstrip(".")


Rectangle = tuple[float, float, float, float]


def _titles(
    diagram: Diagram,
    boxes: Sequence[Box],
    curves: Sequence[Points],
    between: float,
    sizes: Sizes,
) -> dict[int, Title]:
    """Return the names of the tensors: whole and large where that covers nothing, else smaller, or
    only the last part of the name."""
    drawn = np.concatenate([np.zeros((0, 2)), *map(points_on, curves)])
    found: dict[int, Title] = {}
    for number, node in enumerate(diagram.nodes):
        if not node.name or not node.first or node.kind == "op":
            continue
        others = [each for at, each in enumerate(boxes) if at != number]
        taken = [each for other in others for each in _rectangles(other)]
        taken += [(other.left, other.y - other.above, other.right, other.top) for other in others]
        taken += map(_extent, found.values())
        box, free = boxes[number], None
        tries = itertools.product(_texts_of(node), (0.0, -1.0, 1.0), _sizes_of_names(sizes))
        for text, side, size in tries:
            title = _title(text, box, size, side)
            extent = _extent(title)
            covered = any(_share(extent, each) for each in taken) or _inside(drawn, extent)
            if sizes.artboard.holds(extent) and not covered:
                free = title
                break
        free = free or title_within(node, box, _room(box, between), sizes)
        if free is not None:
            found[number] = free
    return found


def title_within(node: Node, box: Box, room: float, sizes: Sizes) -> Title | None:
    """Return the name over a tensor's block, no wider than the room; None where none fits."""
    for text in _texts_of(node):
        fitting = min(sizes.name, room / (ADVANCE * len(text)))
        if fitting >= _sizes_of_names(sizes)[-1]:
            return _title(text, box, fitting)
    return None


def _texts_of(node: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys((node.name, node.name.rsplit(".", 1)[-1])))


def _sizes_of_names(sizes: Sizes) -> tuple[float, float, float]:
    """Return the type sizes of a tensor's name, from the wanted to the least."""
    least = 1.05 * sizes.artboard.floor
    return sizes.name, (sizes.name + least) / 2, least


def _title(text: str, box: Box, size: float, side: float = 0.0) -> Title:
    """Return a name over the middle of its block, or level with its left (-1) or right (1) side."""
    x = box.x + (DEPTH_X * box.depth / 2 if not box.pad else 0)
    x += side * (box.width / 2 + box.pad - text_width(text, size) / 2)
    return Title(text, x, box.top - 0.68 * size, size)


def _extent(title: Title) -> Rectangle:
    """Return what a name takes up, with a little air at its ends."""
    half, high = text_width(title.text, title.size) / 2 + 0.2 * title.size, 0.5 * title.size
    return title.x - half, title.y - high, title.x + half, title.y + high


def _room(box: Box, between: float) -> float:
    return max(box.right - box.left + 0.7 * between, box.capsule)


def _factors(
    diagram: Diagram,
    boxes: Sequence[Box],
    curves: Sequence[Points],
    titles: dict[int, Title],
    sizes: Sizes,
) -> dict[int, Title]:
    """Return the derivative of each link, beside it and on nothing else: as large as is read well,
    or smaller where only that has room; none where that has none."""
    taken = [each for box in boxes for each in _rectangles(box)]
    taken += map(_extent, titles.values())
    lines = [points_on(curve) for curve in curves]
    drawn = np.concatenate([np.zeros((0, 2)), *lines])
    found: dict[int, Title] = {}
    for size in (sizes.read, sizes.artboard.floor):
        for number, link in enumerate(diagram.links):
            text = factor_text(link.factor.value) if link.factor is not None else None
            if text is None or not link.passes or number in found:
                continue
            above = _outside(diagram, boxes, number)
            places = _beside(lines[number], text, size, sizes, above=above)
            title = _freest([Title(text, *place, size) for place in places], taken, drawn, sizes)
            if title is not None:
                found[number] = title
                taken.append(_extent(title))
    return found


def _freest(
    titles: Sequence[Title], taken: Sequence[Rectangle], drawn: Points, sizes: Sizes
) -> Title | None:
    """Return the first text that covers nothing and has no line near, or else the one with the
    least of lines near; None where each covers something."""
    close, near = sizes.artboard.px(3), sizes.artboard.px(6)
    there = np.array(taken).reshape(-1, 4)
    best, least = None, math.inf
    for title in titles:
        half, high = text_width(title.text, title.size) / 2, 0.365 * title.size
        box = (title.x - half, title.y - high, title.x + half, title.y + high)
        tight = (box[0] - close, box[1] - close, box[2] + close, box[3] + close)
        covered = (np.minimum(there[:, 2:], box[2:]) > np.maximum(there[:, :2], box[:2])).all(1)
        if not sizes.artboard.holds(box) or covered.any() or _inside(drawn, tight):
            continue
        lines = _inside(drawn, (box[0] - 2, box[1] - near, box[2] + 2, box[3] + near))
        if lines < least:
            best, least = title, lines
        if not lines:
            break
    return best


def beside_capsule(
    placed: Placed,
    number: int,
    capsule: tuple[float, float],
    text: tuple[float, float],
    taken: Sequence[Rectangle],
) -> tuple[float, float] | None:
    """Return the middle of a text beside the capsule under a node, on nothing else and inside the
    artboard; None where there is no room. ``capsule`` and ``text`` are widths and heights,
    ``taken`` is where other such texts stand."""
    box, board = placed.boxes[number], placed.sizes.artboard
    y = box.under + placed.sizes.below + capsule[1] / 2
    away = capsule[0] / 2 + board.px(9) + text[0] / 2
    others = (each for at, each in enumerate(placed.boxes) if at != number)
    taken = [*taken, *(each for other in others for each in _rectangles(other))]
    taken += map(_extent, (*placed.titles.values(), *placed.factors.values()))
    lines = [points_on(curve) for curve in placed.curves]
    for x in (box.x - away, box.x + away):
        place = (x - text[0] / 2, y - text[1] / 2, x + text[0] / 2, y + text[1] / 2)
        free = not any(_share(place, other) for other in taken)
        if board.holds(place) and free and not any(_inside(line, place) for line in lines):
            return x, y
    return None


def _outside(diagram: Diagram, boxes: Sequence[Box], number: int) -> bool:
    """Tell whether above a link is away from those that it meets at either end."""
    link = diagram.links[number]
    source, target = boxes[link.source], boxes[link.target]
    if sum(other.target == link.target for other in diagram.links) > 1:
        return source.y <= target.y
    return target.y <= source.y


def _beside(
    line: Points, text: str, size: float, sizes: Sizes, *, above: bool
) -> list[tuple[float, float]]:
    """Return places beside a line, the best first: its middle on the outer side, then others."""
    places = []
    height = 0.73 * size
    clear, air = height / 2 + sizes.artboard.px(17), sizes.artboard.px(12)
    steep = abs(line[-1, 1] - line[0, 1]) > 0.5 * height
    sides = (-1, 1) if above else (1, -1)
    for side, share in itertools.product(sides, (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)):
        x, y = line[round(share * (len(line) - 1))]
        for slide in (0.0, 0.5, 0.9) if steep else (0.0,):
            places.append((float(x), float(y + side * clear * (1 + slide))))
    if not steep:  # further away, over the nodes at its ends
        x, y = line[len(line) // 2]
        far = itertools.product((0.5, 0.9, 1.3), sides)
        places += [(float(x), float(y + side * clear * (1 + slide))) for slide, side in far]
    else:  # left and right of it
        out = text_width(text, size) / 2 + air
        for share, side in itertools.product((0.5, 0.4, 0.6, 0.3, 0.7), (-1, 1)):
            x, y = line[round(share * (len(line) - 1))]
            places += [(float(x + side * out * (1 + slide)), float(y)) for slide in (0.0, 0.3)]
    return places


def _rectangles(box: Box) -> list[Rectangle]:
    """Return what a node takes up, but for a tensor's name: body, an op's names, sum, capsule."""

    def wide(width: float, top: float, bottom: float) -> Rectangle:
        return box.x - width / 2, top, box.x + width / 2, bottom

    found = [(box.left, box.top, box.right, box.y + box.below)]
    found.append(wide(box.names, box.y - box.above, box.top))
    found.append(wide(box.plate, box.bottom, box.under))
    found.append(wide(box.capsule, box.under, box.y + box.below))
    return found


def _share(one: Rectangle, other: Rectangle) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / ((one[2] - one[0]) * (one[3] - one[1]))


def _inside(line: Points, box: Rectangle) -> int:
    x, y = line[:, 0], line[:, 1]
    return int(np.sum((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])))
