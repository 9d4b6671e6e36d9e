"""A trace as lines of text: a row for each op, what was printed, and what a loop left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from rich.text import Text

from torchreel.records import (
    FOLLOWED,
    Array,
    Backward,
    Loop,
    ModuleCall,
    Operand,
    OptimizerStep,
    Run,
    Series,
    Statement,
    Step,
    Trace,
)
from torchreel.spelling import bare_name

HEADS = ("line", "run", "op", "in", "out", "memory", "device")
MEMORY = f"""memory: a view shares the memory of an operand, or of a tensor that a function had \
from elsewhere; in place wrote over an operand; a read gives a tensor that was there already; \
shared memory is held by others, too, such as a \
NumPy array; all else is new memory, called a copy where its numbers are seen to be an operand's \
(looked for in tensors of up to {FOLLOWED} elements)."""
RUN = "run: 1 is the first time that its line ran, 2 the second; empty where a line ran once."
NARROWEST = 12
"""So many characters are left to the shapes however narrow the terminal is."""

LAPS_NAMED = 10
"""So many of the laps of a loop that were kept are named."""

NOWHERE = -1
GRAD = "torch.Tensor.grad.__get__"
UNSET = ("None", "False", "0")


@dataclass(frozen=True)
class Row:
    """A line of the table: a text a column; ``times`` counts equal rows that followed each other.

    The columns ``in`` and ``out`` hold a text for each tensor.
    """

    line: str = ""
    run: str = ""
    op: str = ""
    taken: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    memory: str = ""
    device: str = ""
    style: str = ""
    times: int = 1

    @property
    def name(self) -> str:
        """The op, and how often it ran."""
        return self.op if self.times == 1 else f"{self.op} ×{self.times}"


@dataclass(frozen=True)
class Note:
    """A line across all columns."""

    text: str
    style: str = ""
    indent: int = 0


def summary(trace: Trace, width: int) -> Iterator[Text]:
    """Yield the lines of a trace, at most ``width`` characters wide where its words allow it."""
    yield Text(_title(trace), "bold")
    entries = list(_folded(_Lister(trace).entries()))
    yield from _laid_out(entries, width)
    yield from _series(trace.series, trace)
    rows = [entry for entry in entries if isinstance(entry, Row)]
    if rows:
        yield Text()
    for words in ([RUN] if any(row.run for row in rows) else []) + ([MEMORY] if rows else []):
        yield from (Text(line, "dim") for line in textwrap.wrap(words, width))


def _title(trace: Trace) -> str:
    told, ops, cells = trace.environment, len(trace.steps), len(trace.cells)
    device = f"{told.device} ({told.device_name})" if told.device_name else told.device
    seed = "" if told.seed is None else f", seed {told.seed}"
    counted = f"{ops} op{'s' * (ops != 1)} in {cells} cell{'s' * (cells != 1)}"
    return f"{trace.script}: {counted}, torch {told.torch} on {device}{seed}"


class _Lister:
    """Goes through a trace in the order of time."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._repeated = {(run.cell, run.statement) for run in trace.runs if run.lap > 1}
        self._loops = {(loop.cell, loop.statement): loop for loop in trace.loops}
        self._backwards = {backward.step: backward for backward in trace.backwards}
        self._optimizers = {step.step: step for step in trace.optimizers}
        self._seen: set[int] = set()

    def entries(self) -> Iterator[Row | Note]:
        """Yield a row for each op and module call, and notes about the rest."""
        shown: str | None = None
        for run in self._trace.runs:
            entries = [*self._loops_at(run), *self._run(run)]
            if entries and run.cell != shown:
                shown = run.cell
                yield Note("")
                yield Note(f"# %% {shown}" if shown else "(in no cell)", "bold")
            yield from entries

    def _statements(self, run: Run) -> Iterator[Statement]:
        """Yield the statement of a run and those around it, the innermost first."""
        cells = [cell for cell in self._trace.cells if cell.name == run.cell]
        number: int | None = run.statement
        while cells and number is not None:
            statement = cells[0].statements[number - 1]
            yield statement
            number = statement.parent

    def _loops_at(self, run: Run) -> Iterator[Note]:
        """Say of each loop once, where its first lap is, how many of its laps are below."""
        for statement in reversed(list(self._statements(run))):
            if loop := self._loops.pop((run.cell, statement.number), None):
                yield Note(f"{statement.text} {_laps(loop)}", "magenta", 6)

    def _run(self, run: Run) -> Iterator[Row | Note]:
        for number in run.steps:
            yield from self._step(self._trace.steps[number], run)
        for line in run.printed.splitlines():
            yield Note(f"> {line}", "green", 6)

    def _step(self, step: Step, run: Run) -> Iterator[Row | Note]:
        depth = 0
        for depth, call in enumerate(self._around(step), start=1):
            if call.number not in self._seen:
                self._seen.add(call.number)
                yield self._call(call, depth - 1)
        repeated = (run.cell, run.statement) in self._repeated
        yield Row(
            line=str(step.line),
            run=str(run.lap) if repeated else "",
            op="  " * depth + bare_name(step.op),
            taken=tuple(self._shapes(step.operands)),
            made=tuple(str(self._trace.tensors[record].shape) for record in step.results),
            memory=_memory(step, self._trace),
            device=self._device(step),
            style="red" if step.clash else "",
        )
        if step.clash:
            yield Note(f"{step.clash.type}: {step.clash.message}", "red", 6)
            if step.clash.facts:
                yield Note(" ≠ ".join(step.clash.facts), "bold red", 6)
        if backward := self._backwards.get(step.number):
            yield self._backward(backward)
        if optimizer := self._optimizers.get(step.number):
            yield _optimizer(optimizer, self._trace)

    def _around(self, step: Step) -> list[ModuleCall]:
        """Return the calls in which a step ran, the outermost first."""
        calls: list[ModuleCall] = []
        number = step.call
        while number is not None:
            calls.insert(0, self._trace.calls[number])
            number = calls[0].parent
        return calls

    def _call(self, call: ModuleCall, depth: int) -> Row:
        module = self._trace.modules[call.module]
        name = module.path or module.name
        return Row(
            op="  " * depth + (f"{name}: {module.kind}" if name else module.kind),
            taken=tuple(self._shapes(call.operands)),
            made=tuple(str(self._trace.tensors[record].shape) for record in call.results),
            style="cyan",
        )

    def _shapes(self, operands: Iterable[Operand]) -> Iterator[str]:
        for operand in operands:
            if operand.tensor is not None:
                yield str(self._trace.tensors[operand.tensor].shape)

    def _device(self, step: Step) -> str:
        given = [operand.tensor for operand in step.operands if operand.tensor is not None]
        devices = {self._trace.tensors[record].device for record in step.results or given}
        return ", ".join(sorted(devices))

    def _backward(self, backward: Backward) -> Note:
        reached = sum(node.gradient is not None for node in backward.nodes)
        names = {node.tensor: node.names for node in backward.nodes}
        grads = []
        for each in backward.accumulations:
            record = self._trace.tensors[each.tensor]
            name = record.name or next(iter(names.get(each.tensor, ())), "a leaf")
            grads.append(f"{name}.grad {record.shape}")
        text = f"backward through {reached} node{'s' * (reached != 1)}"
        return Note(text + (f": {', '.join(grads)}" if grads else ""), "yellow", 6)


def _laps(loop: Loop) -> str:
    told = f"{loop.laps} lap{'s' * (loop.laps != 1)}"
    if len(loop.kept) == loop.laps:
        return told
    more = len(loop.kept) - LAPS_NAMED
    named = ", ".join(map(str, loop.kept[:LAPS_NAMED]))
    return f"{told}, below: {named}" + (f" and {more} more" if more > 0 else "")


def _memory(step: Step, trace: Trace) -> str:
    if step.clash:
        return "raised"
    if step.written:
        return "in place"
    if step.view:
        return "view"
    if step.shared:
        return "shared"
    if step.op == GRAD and step.results:
        return "read"
    if any(_came(trace.moves(step.number, result)) for result in range(len(step.results))):
        return "copy"
    known = all(_has_memory(trace, each.tensor) for each in step.operands)
    return "new" if step.results and known else ""


def _has_memory(trace: Trace, tensor: int | None) -> bool:
    """Tell whether the memory of an operand is known: not of a sparse one, which has several."""
    return tensor is None or bool(trace.tensors[tensor].stride) or not trace.tensors[tensor].shape


def _came(moves: Array | None) -> bool:
    """Tell whether any element was moved here: those of ``zeros_like`` came from nowhere."""
    return moves is not None and bool(np.any(moves[:, 0] != NOWHERE))


def _far(norm: float | None) -> str:
    return "to what is no finite number" if norm is None else f"by {norm:.3g}"


def _optimizer(step: OptimizerStep, trace: Trace) -> Note:
    settings = ", ".join(
        f"{name}={value}" for name, value in step.settings.items() if value not in UNSET
    )
    updates = ", ".join(
        f"{each.name or f'a parameter {trace.tensors[each.before].shape}'} {_far(each.update_norm)}"
        for each in step.updates
    )
    return Note(f"{step.kind}({settings}) moved {updates or 'nothing'}", "yellow", 6)


def _series(series: tuple[Series, ...], trace: Trace) -> Iterator[Text]:
    named = [each for each in series if each.kind == "name"]
    if series:
        yield Text()
    for each in named:
        laps, values = trace.arrays[each.array].T
        told = f"{values[0]:.4g} to {values[-1]:.4g} ({'; '.join(_extremes(values))})"
        yield Text(f"{each.name} in {laps[-1]:.0f} laps: {told}")
    if others := len(series) - len(named):
        yield Text(f"and {others} series of the norms of gradients and updates (--json)")


def _extremes(values: Array) -> Iterator[str]:
    """Say which numbers were the least and the greatest, and how many were none."""
    numbers = values[np.isfinite(values)]
    if numbers.size:
        finite = "" if numbers.size == values.size else " of the finite ones"
        yield f"least {numbers.min():.4g}, greatest {numbers.max():.4g}{finite}"
    for name, count in (("NaN", np.isnan(values).sum()), ("infinite", np.isinf(values).sum())):
        if count:
            yield f"{count} {name}"


def _folded(entries: Iterable[Row | Note]) -> Iterator[Row | Note]:
    """Make one row of equal rows that follow each other."""
    last: Row | None = None
    for entry in entries:
        if last and isinstance(entry, Row) and replace(last, times=1) == entry:
            last = replace(last, times=last.times + 1)
            continue
        if last:
            yield last
        last = entry if isinstance(entry, Row) else None
        if isinstance(entry, Note):
            yield entry
    if last:
        yield last


def _laid_out(entries: list[Row | Note], width: int) -> Iterator[Text]:
    rows = [entry for entry in entries if isinstance(entry, Row)]
    if not rows:
        yield Text("No torch op ran.")
    columns = _columns(rows, width)
    head = Row(*HEADS[:3], HEADS[3:4], HEADS[4:5], *HEADS[5:], style="dim")
    for entry in [head, *entries] if rows else entries:
        if isinstance(entry, Row):
            yield from _lines(entry, columns)
        elif not entry.text:
            yield Text()
        else:
            indent = " " * entry.indent
            for text in textwrap.wrap(
                entry.text,
                width,
                initial_indent=indent,
                subsequent_indent=indent + "  ",
                break_on_hyphens=False,
            ):
                yield Text(text, entry.style)


def _columns(rows: list[Row], width: int) -> list[int]:
    """Return how wide each column is: ``in`` and ``out`` share what the others leave."""

    def widest(texts: Iterable[str], head: str) -> int:
        return max(map(len, [head, *texts]))

    fixed = [
        widest((row.line for row in rows), "line"),
        widest((row.run for row in rows), "run") if any(row.run for row in rows) else 0,
        min(widest((row.name for row in rows), "op"), width // 3),
        widest((row.memory for row in rows), "memory"),
        widest((row.device for row in rows), "device"),
    ]
    left = width - sum(fixed) - 2 * len(HEADS)
    given = widest((", ".join(row.taken) for row in rows), "in")
    made = widest((", ".join(row.made) for row in rows), "out")
    out = max(NARROWEST, min(made, left - min(given, left // 2)))
    taken = max(NARROWEST, min(given, left - out))
    return [*fixed[:3], taken, out, *fixed[3:]]


def _lines(row: Row, columns: list[int]) -> Iterator[Text]:
    """Yield a row: more than one line where its shapes do not fit side by side."""
    line, run, op, taken, made, memory, device = columns
    name = row.name if len(row.name) <= op else f"{row.name[: op - 1]}…"
    first = (row.line.rjust(line), *([row.run.rjust(run)] if run else []), name.ljust(op))
    lefts, rights = _wrapped(row.taken, taken), _wrapped(row.made, made)
    for index in range(max(len(lefts), len(rights), 1)):
        start = first if index == 0 else tuple(" " * len(text) for text in first)
        shapes = (
            (lefts[index] if index < len(lefts) else "").ljust(taken),
            (rights[index] if index < len(rights) else "").ljust(made),
        )
        end = (row.memory.ljust(memory), row.device.ljust(device)) if index == 0 else ()
        yield Text("  ".join((*start, *shapes, *end)).rstrip(), row.style)


def _wrapped(texts: tuple[str, ...], width: int) -> list[str]:
    """Return lines of whole shapes with commas between them."""
    lines: list[str] = []
    for index, text in enumerate(texts):
        part = text if index == len(texts) - 1 else f"{text},"
        if lines and len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines
