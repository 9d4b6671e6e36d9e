"""Which colour each element of each tensor of a clip has: by identity, by value, or by tensor.

A tensor keeps its colours through its life, so what is joined by moves (views, reshapes, indexing,
cat) is coloured alike, by the strictest of the ops that touch it (no Manim here).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from torchreel.records import Step, TensorRecord, Trace
from torchreel.spelling import bare_name
from torchreel.stage.colors import THEMES, Theme, ThemeName, identity, signed
from torchreel.stage.form import CELLS_MAX, visible
from torchreel.stage.memory import memory_positions, values_of
from torchreel.stage.seen import Seen

FillKind = Literal["identity", "hue", "rows", "value"]
"""identity: an element keeps the colour of its place in memory; hue: one colour a tensor (where
all products of the clip are of whole numbers, else by value); rows: a part of the ramp a tensor, so
that rows and columns of a broadcast are told apart (integers only, else by value); value: the
signed value map. The later one wins where ops differ."""

Points = NDArray[np.float64]

_STRICT: tuple[FillKind, ...] = ("identity", "hue", "rows", "value")
_GREY = 20
"""A tensor of values this many times smaller than the clip's largest would be all grey."""

_DATA = frozenset({"tensor", "as_tensor", "from_numpy"})
"""What makes a tensor of numbers that come from elsewhere."""

_INK_FROM = 8
"""A table of data without a negative number is drawn as ink from this many rows and columns."""

_TEXELS = 256
_RAMP = 256


class Fills:
    """The colours of a clip's tensors; ``kinds`` are those of the trace's steps, in order.

    The value map has one scale for the whole clip: ``limit``, the 99th percentile of the sizes of
    all values, has the full colour. Only a tensor that would be all grey on it (its own 99th
    percentile is below a twentieth of that) has a smaller scale, together with all others of its
    size; what is joined by moves or by the laps of a loop has one scale in any case.
    """

    def __init__(self, trace: Trace, kinds: Iterable[FillKind], theme: Theme) -> None:
        self.trace = trace
        self.theme = theme
        self._family = list(range(len(trace.tensors)))
        self._made = {made: step for step in trace.steps for made in step.results}
        self._kinds = dict(zip((step.number for step in trace.steps), kinds, strict=True))
        self._slots: dict[int, Points | None] = {}
        self._filled = {
            trace.tensor(made).storage: trace.tensor(made)
            for step in reversed(trace.steps)
            if not (step.view or step.written)
            for made in step.results
        }
        self._join()
        self._decide()
        self._limits = self._scales()
        self.limit = max(self._limits.values(), default=1.0)

    def kind(self, record: TensorRecord) -> FillKind:
        """Return how a tensor is coloured in this clip."""
        return self._of_family.get(self._root(record.id), "identity")

    def limit_of(self, record: TensorRecord) -> float:
        """Return the value that has the full colour in a tensor."""
        return self._limits.get(self._root(record.id), self.limit)

    def is_inked(self, record: TensorRecord) -> bool:
        """Tell whether a tensor is a table of data, drawn as ink on paper: a grey picture."""
        return self._root(record.id) in self._inked

    def colors(self, record: TensorRecord, elements: NDArray[np.int64]) -> Points:
        """Return the colours (n, 3) of these elements, given by their row-major places."""
        if isinstance(record, Seen):
            return self.colors(record.own, record.origin.ravel()[elements])
        values = values_of(self.trace, record)
        if values is not None and values.dtype == np.bool_:
            flat = values.ravel()[elements][:, None]
            return np.where(flat, self.theme.text, self.theme.surface)
        kind = self.kind(record)
        if values is not None and (peak := self._inked.get(self._root(record.id))):
            return by_ink(values.ravel()[elements].astype(float) / peak, self.theme)
        if kind == "value" and values is not None and not np.iscomplexobj(values):
            return by_value(
                values.ravel()[elements].astype(float), self.limit_of(record), self.theme
            )
        if kind == "value":
            return np.tile(self.theme.surface2, (len(elements), 1))
        if values is not None and self._root(record.id) in self._large:
            return self._by_number(record, values.ravel()[elements].astype(float))
        colors = by_place(self.places(record).ravel()[elements], self.theme)
        if values is None or not np.issubdtype(values.dtype, np.floating):
            return colors
        # What is no number has its own sign, whatever its place in memory.
        numbers: Points = values.ravel()[elements].astype(np.float64)
        odd = ~np.isfinite(numbers)
        colors[odd] = by_value(numbers[odd], self.limit_of(record), self.theme)
        return colors

    def image(
        self,
        record: TensorRecord,
        order: tuple[int, ...] | None = None,
        at: tuple[int, ...] = (),
    ) -> Points | None:
        """Return what the front of a slab shows, colours (rows, columns, 3) of at most 256 texels
        a side; None where nothing is known of the values. ``order`` is that of the slab, ``at`` an
        element of the slice that stands in front (none: the first)."""
        if isinstance(record, Seen):
            image = self.image(record.own)
            is_turned = record.shape == record.own.shape[::-1]
            return image if image is None or not is_turned else image.transpose(1, 0, 2)
        values = self._front(record, order, at)
        whole = "float" not in record.dtype
        if self.kind(record) != "value" and whole and record.numel and record.stride:
            return by_place(_thin(self._front_places(record, order, at)), self.theme)
        if values is None or not values.size or np.iscomplexobj(values):
            return None
        if values.dtype == np.bool_:
            return np.where(_thin(values)[..., None], self.theme.text, self.theme.surface)
        thin = _thin(values.astype(float))
        if len(record.shape) > 1 or self._root(record.id) in self._large:
            return self._by_number(record, thin)
        return by_value(thin, self.limit_of(record), self.theme)

    def _by_number(self, record: TensorRecord, numbers: Points) -> Points:
        """Return the colours (…, 3) of numbers of a table that has no place on the identity ramp:
        as ink where none is negative. A part of a large one is coloured as the whole is."""
        whole = self._large.get(self._root(record.id), record)
        least, most = self._ends(whole, numbers)
        if not least >= 0:
            return by_value(numbers, self.limit_of(record), self.theme)
        return by_ink(np.nan_to_num(numbers) / max(most, 1e-12), self.theme)

    def places(self, record: TensorRecord) -> Points:
        """Return where on the ramp (0 to 1) each element of a tensor lies, in its shape."""
        kind, root = self.kind(record), self._root(record.id)
        if kind == "hue":
            return np.full(record.shape, self._hue(root, kind))
        if kind == "rows":
            return self._row_places(record, root)
        return self._identity_places(record)

    # How colours come from the steps.

    def _identity_places(self, record: TensorRecord) -> Points:
        """Return where elements lie in their memory: as a share of it, or, where it was filled from
        other memory, as those lie that were copied there."""
        if not record.stride and record.shape:
            return np.linspace(0, 1, max(1, record.numel))[: record.numel].reshape(record.shape)
        slots = self._slots_of(record.storage)
        if slots is not None and len(slots) == record.storage_size:
            return slots[memory_positions(record)]
        return memory_positions(record) / max(1, record.storage_size - 1)

    def _slots_of(self, storage: int) -> Points | None:
        """Return the place on the ramp of each slot of a memory that was filled from others: what
        is read or written there later keeps it. None of any other memory."""
        if storage not in self._slots:
            made = self._filled.get(storage)
            moved = None if made is None else self._moved(self._made[made.id], made)
            slots = None
            if made is not None and moved is not None and made.stride:
                slots = np.arange(made.storage_size) / max(1, made.storage_size - 1)
                slots[memory_positions(made)] = moved
            self._slots[storage] = slots
        return self._slots[storage]

    def _moved(self, step: Step, record: TensorRecord) -> Points | None:
        """Return the places of elements that were copied from the step's operands."""
        moves = self.trace.moves(step.number, step.results.index(record.id))
        if (
            moves is None
            or record.numel != len(moves)
            or not np.any(np.greater_equal(moves[:, 0], 0))
        ):
            return None
        places = np.full(len(moves), np.nan)
        for operand, each in enumerate(step.operands):
            mine = moves[:, 0] == operand
            if each.tensor is not None and mine.any() and each.tensor != record.id:
                source = self.places(self.trace.tensor(each.tensor)).ravel()
                places[mine] = source[moves[mine, 1].astype(int)]
        return places.reshape(record.shape)

    def _row_places(self, record: TensorRecord, root: int) -> Points:
        step = self._made.get(record.id)
        if step is not None and self._kinds[step.number] == "rows":
            operands = [self.trace.tensor(e.tensor) for e in step.operands if e.tensor is not None]
            known = [self.places(each) for each in operands if each.id != record.id]
            try:
                mean = sum(np.broadcast_to(each, record.shape) for each in known) / max(
                    1, len(known)
                )
                return np.asarray(mean, dtype=float).reshape(record.shape)
            except ValueError:
                pass
        places = self._identity_places(record)
        if self._slots_of(record.storage) is not None:
            return places  # of rows already, from which it was filled
        start, width = self._hue(root, "rows"), 0.75 / max(1, len(self._ranked["rows"]))
        return start + width * places

    def _hue(self, root: int, kind: FillKind) -> float:
        ranked = self._ranked[kind]
        share = len(ranked) if kind == "rows" else max(1, len(ranked) - 1)
        return ranked.index(root) / max(1, share)

    def _join(self) -> None:
        first: dict[int, int] = {}
        for tensor in self.trace.tensors:
            self._unite(first.setdefault(tensor.storage, tensor.id), tensor.id)
        for step in self.trace.steps:
            operands = [each.tensor for each in step.operands if each.tensor is not None]
            for index, made in enumerate(step.results):
                moves = self.trace.moves(step.number, index)
                if moves is not None:
                    used = {int(operand) for operand in np.unique(moves[:, 0]) if operand >= 0}
                    chosen = [step.operands[operand].tensor for operand in used]
                    self._unite(made, *(tensor for tensor in chosen if tensor is not None))
                elif self._kinds[step.number] == "identity":
                    self._unite(made, *operands[:1])

    def _decide(self) -> None:
        self._of_family: dict[int, FillKind] = {}
        whole_products = all(
            self._are_whole(tensor)
            for step in self.trace.steps
            if self._kinds[step.number] == "hue"
            for tensor in (*step.results, *(each.tensor for each in step.operands))
            if tensor is not None
        )
        for step in self.trace.steps:
            kind = self._kinds[step.number]
            if any(
                self.trace.moves(step.number, index) is not None
                for index in range(len(step.results))
            ):
                kind = "identity"
            operands = [each.tensor for each in step.operands if each.tensor is not None]
            if kind == "hue" and not whole_products:
                kind = "value"
            for tensor in (*operands, *step.results):
                root = self._root(tensor)
                whole = "float" not in self.trace.tensor(tensor).dtype
                own: FillKind = "value" if kind == "rows" and not whole else kind
                before = self._of_family.get(root, "identity")
                self._of_family[root] = max(before, own, key=_STRICT.index)
        for root, group in self._grouped_by_laps().items():
            # No step is kept of what the last laps made: it is coloured as the first ones are.
            if root not in self._of_family and group in self._of_family:
                self._of_family[root] = self._of_family[group]
        self._inked = {
            self._root(made): peak
            for step in self.trace.steps
            if bare_name(step.op) in _DATA
            for made in step.results
            if (peak := self._ink_peak(made))
        }
        self._large = {  # the largest last
            self._root(each.id): each
            for each in sorted(self.trace.tensors, key=lambda each: each.numel)
            if "float" in each.dtype and each.numel > CELLS_MAX and len(each.shape) > 1
            if self.kind(each) == "identity"
        }
        self._ranked: dict[FillKind, list[int]] = {kind: [] for kind in _STRICT}
        for tensor in range(len(self.trace.tensors)):
            root = self._root(tensor)
            kind = self._of_family.get(root, "identity")
            if root not in self._ranked[kind]:
                self._ranked[kind].append(root)

    def _are_whole(self, tensor: int) -> bool:
        """Tell whether a tensor is known to hold whole numbers only, of whatever dtype."""
        values = values_of(self.trace, self.trace.tensor(tensor))
        if values is None or np.iscomplexobj(values):
            return False
        numbers = values.astype(np.float64)
        return bool(np.all(np.trunc(numbers) == numbers))

    def _scales(self) -> dict[int, float]:
        """Return the full colour's value by family of tensors (its root)."""
        sizes: dict[int, list[Points]] = {}
        group = self._grouped_by_laps()
        for tensor, values in self._sizes().items():
            sizes.setdefault(group[self._root(tensor)], []).append(values)
        known = {root: np.concatenate(each) for root, each in sizes.items()}
        own = {root: float(np.percentile(each, 99)) for root, each in known.items()}
        limits: dict[int, float] = {}
        left = sorted((root for root in own if own[root] > 0), key=lambda root: -own[root])
        while left:
            alike = [root for root in left if own[root] >= own[left[0]] / _GREY]
            limit = float(np.percentile(np.concatenate([known[root] for root in alike]), 99))
            limits |= dict.fromkeys(alike, limit or own[left[0]])
            left = left[len(alike) :]
        return {root: limits[group[root]] for root in group if group[root] in limits}

    def _sizes(self) -> dict[int, Points]:
        """Return the sizes of the finite values that are known of each tensor: those that are drawn
        of a large one."""
        textures = {
            each.id: self.trace.arrays[each.texture]
            for each in self.trace.tensors
            if each.texture is not None
        }
        found = {}
        for tensor, values in {**textures, **self.trace.values}.items():
            if values.dtype != np.bool_ and "complex" not in self.trace.tensor(tensor).dtype:
                flat = np.abs(values.astype(float)).ravel()
                found[tensor] = flat[np.isfinite(flat)]
        return {tensor: each for tensor, each in found.items() if len(each)}

    def _grouped_by_laps(self) -> dict[int, int]:
        """Return for each root the root that stands for it: one for all that a name held before
        and in the laps of a loop that binds it."""
        group = {self._root(tensor): self._root(tensor) for tensor in range(len(self._family))}
        names, cell = dict(self.trace.names), self.trace.cells[0]
        loops = {each.statement for each in self.trace.loops}
        for run in self.trace.runs:
            held = dict(names)
            run.rebind(names)
            if run.statement not in loops and not cell.loops_around(run.statement):
                continue
            for name in run.changed.keys() & held.keys() & names.keys():
                old, new = (group[self._root(each[name])] for each in (names, held))
                if old != new:
                    group = {key: new if each == old else each for key, each in group.items()}
        return group

    def _ink_peak(self, tensor: int) -> float:
        """Return the value of full ink in a table of data, 0 where a tensor is none."""
        record = self.trace.tensor(tensor)
        values = values_of(self.trace, record)
        if values is None or len(record.shape) < 2 or min(record.shape[-2:]) < _INK_FROM:
            return 0.0
        if values.dtype == np.bool_ or np.iscomplexobj(values) or not np.isfinite(values).all():
            return 0.0
        if values.min() < 0:
            return 0.0
        return 255.0 if record.dtype == "uint8" else float(values.max())

    def _unite(self, first: int, *others: int) -> None:
        for other in others:
            self._family[self._root(other)] = self._root(first)

    def _root(self, tensor: int) -> int:
        while self._family[tensor] != tensor:
            tensor = self._family[tensor]
        return tensor

    # What a slab shows.

    def _front(
        self,
        record: TensorRecord,
        order: tuple[int, ...] | None = None,
        at: tuple[int, ...] = (),
    ) -> NDArray[Any] | None:
        """Return the values of a tensor's front, at most two dimensions of them."""
        sizes, _ = visible(record.shape)
        values = values_of(self.trace, record)
        if not record.numel:
            return None
        if values is not None and order:
            return _slice_of(values, order, at)
        if values is not None:
            return _folded(values.reshape(-1, *sizes[-2:])[0] if len(sizes) > 2 else values)
        if record.texture is None or any(at):
            return None
        texture = self.trace.arrays[record.texture]
        if len(sizes) > 2:
            parts = int(np.prod(sizes[:-2], dtype=np.int64))
            texture = texture[: max(1, len(texture) // parts)]
        return _folded(texture)

    def _front_places(
        self,
        record: TensorRecord,
        order: tuple[int, ...] | None = None,
        at: tuple[int, ...] = (),
    ) -> Points:
        sizes, _ = visible(record.shape)
        shape = record.shape
        if record.numel > 1_000_000:
            return np.linspace(0, 1, _TEXELS)[None, :] * np.ones((min(_TEXELS, sizes[0]), 1))
        places = self.places(record)
        if order:
            return np.asarray(_slice_of(places, order, at), dtype=float)
        if len(shape) > 2:
            places = places.reshape(-1, *sizes[-2:])[0]
        return np.asarray(_folded(places), dtype=float)

    def _ends(self, record: TensorRecord, shown: Points) -> tuple[float, float]:
        """Return the least and the greatest finite value of a tensor, of what is ``shown`` of it
        where no more is known; NaN where it has none."""
        values, seen = values_of(self.trace, record), record.statistics
        numbers = shown if values is None else values.astype(float)
        finite = numbers[np.isfinite(numbers)]
        if seen is not None:
            finite = np.array([end for end in (seen.min, seen.max) if end is not None])
        least, most = (finite.min(), finite.max()) if len(finite) else (np.nan, np.nan)
        return float(least), 255.0 if record.dtype == "uint8" else float(most)


def by_ink(shares: Points, theme: Theme) -> Points:
    """Return the colours (…, 3) of numbers that are not negative: shares (0 to 1) of full ink."""
    shares = np.clip(shares, 0, 1)[..., None]
    return np.asarray(theme.surface2 + (theme.text - theme.surface2) * shares)


def by_value(values: Points, limit: float, theme: Theme) -> Points:
    """Return the signed value map's colours (…, 3)."""
    low, high = _signed_ramps(theme.name)
    share = np.clip(np.nan_to_num(np.abs(values), nan=0, posinf=np.inf) / limit, 0, 1)
    index = np.round(share * (_RAMP - 1)).astype(int)
    colors = np.where((values < 0)[..., None], low[index], high[index])
    return np.where(np.isnan(values)[..., None], theme.surface, colors)


def by_place(places: Points, theme: Theme) -> Points:
    """Return the identity ramp's colours (…, 3) of places from 0 to 1; NaN is a plain surface."""
    ramp = _identity_ramp(theme.name)
    index = np.round(np.clip(np.nan_to_num(places), 0, 1) * (_RAMP - 1)).astype(int)
    return np.where(np.isnan(places)[..., None], theme.surface2, ramp[index])


@functools.cache
def _signed_ramps(theme: ThemeName) -> tuple[Points, Points]:
    steps = np.linspace(0, 1, _RAMP)
    low = np.array([signed(-value, 1.0, theme) for value in steps])
    return low, np.array([signed(value, 1.0, theme) for value in steps])


@functools.cache
def _identity_ramp(theme: ThemeName) -> Points:
    assert theme in THEMES
    return np.array([identity(index, _RAMP, theme) for index in range(_RAMP)])


def _folded(values: NDArray[Any]) -> NDArray[Any]:
    """Return values in two dimensions, a long row folded into lines."""
    if values.ndim == 2:
        return values
    if values.ndim == 0:
        return values.reshape(1, 1)
    lines = max(1, min(8, len(values) // 64))
    kept = len(values) // lines * lines
    return values[:kept].reshape(lines, -1)


def _slice_of(
    values: NDArray[Any], order: tuple[int, ...], at: tuple[int, ...] = ()
) -> NDArray[Any]:
    """Return the rows and columns of values whose ``order`` is depth, down and across, in the slice
    that holds the element ``at`` (none: the first)."""
    index: list[int | slice] = [*(at or (0,) * values.ndim)]
    for dim in order[-2:]:
        index[dim] = slice(None)
    found = values[tuple(index)]
    return np.asarray(found if order[-2] < order[-1] else found.T)


def _thin(values: NDArray[Any]) -> NDArray[Any]:
    """Return at most 256 rows and columns; floats by the mean of boxes."""
    for axis in range(2):
        count = values.shape[axis]
        if count > _TEXELS:
            edges = np.arange(_TEXELS) * count // _TEXELS
            if values.dtype == np.bool_:
                values = values.take(edges, axis=axis)
            else:
                sizes = np.diff(np.append(edges, count))
                sums = np.add.reduceat(values, edges, axis=axis)
                values = sums / (sizes[:, None] if axis == 0 else sizes)
    return values
