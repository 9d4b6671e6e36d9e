"""The frozen values that cross every boundary of the package.

A script becomes a :class:`Trace` (tracer), a cell of it becomes a :class:`Clip` (render), a page
embeds the clip (site). This module imports neither torch nor Manim. The words are those of the
contract: lesson, cell, statement, step, cue, clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Array = NDArray[np.generic]


@dataclass(frozen=True)
class Problem:
    """What went wrong, where and what to do: the one form of every message about bad input.

    ``where`` is ``path:line`` of the source (or a path, or empty), ``what`` one sentence,
    ``remedy`` what to do next.
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"\n    {self.remedy}" if self.remedy else "")


class TorchReelError(Exception):
    """Raised for bad input; carries the :class:`Problem` that is shown to the author."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


TRACE_VERSION = 1
"""Version of the trace's schema; a stored trace of another version is made again."""


@dataclass(frozen=True)
class Statement:
    """One statement of a cell, as Python's ``ast`` sees it.

    ``number`` counts from 1 within the cell, in source order, nested ones included. ``lines`` are
    the first and last line, counted from 1 within ``Cell.source``. ``text`` is its source without
    common indentation; of a compound statement the header only (``for x in data:``). ``parent`` is
    the number of the compound statement around it, or None at the top level of the cell.
    """

    number: int
    lines: tuple[int, int]
    text: str
    parent: int | None = None
    kind: Literal["plain", "loop", "block", "definition", "import"] = "plain"


@dataclass(frozen=True)
class Cell:
    """A ``# %% name`` section of a script: what one clip is rendered from.

    ``line`` is the line in the file (from 1) on which ``source`` starts. ``source`` is verbatim,
    without the marking comment and without blank lines at either end.
    """

    name: str
    line: int
    source: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class TensorRecord:
    """One version of one tensor, as it was when a step had just run.

    ``stride`` and ``offset`` count elements, ``storage`` is a serial number that lives and dies
    with the storage (never a pointer), ``storage_size`` is in elements. The values are in
    ``Trace.values[id]`` where they were kept.
    """

    id: int
    shape: Shape
    stride: Shape
    dtype: str
    device: str
    storage: int
    offset: int
    storage_size: int
    requires_grad: bool = False
    leaf: bool = True

    @property
    def numel(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Operand:
    """One argument of a step: a tensor (by record id) or a literal (as Python text).

    ``name`` is the keyword it was passed by, or None when it was passed by position.
    """

    tensor: int | None = None
    literal: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Provenance:
    """Which input elements went into each element of a step's result, as measured.

    ``kind`` is "moves" (elements were only moved; ``array`` names an (n, 2) int64 array of
    ``Trace.arrays``: for each element of the result in row-major order, which operand it came from
    and its row-major place there, both -1 where the element came from no operand), "feeds"
    (``array`` names an (m, 3) int64 array of result place, operand, operand place, sorted, and
    ``derivatives`` an (m,) float64 array of the local derivatives at the actual operands) or
    "opaque" (``reason`` says why nothing truthful can be told). ``result`` is the position in
    ``Step.results``, operands are counted as in ``Step.operands``.
    """

    kind: Literal["moves", "feeds", "opaque"]
    result: int = 0
    array: str | None = None
    derivatives: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """One torch op that ran.

    ``op`` is the qualified torch name (``torch.Tensor.reshape``, ``torch.arange``), ``expression``
    the source text of the call, ``view`` tells that the result shares storage with an operand.
    ``run`` is the index in ``Trace.runs`` of the statement run it belongs to, ``line`` the line in
    the script's file, for messages.
    """

    number: int
    run: int
    op: str
    expression: str
    operands: tuple[Operand, ...]
    results: tuple[int, ...]
    view: bool = False
    line: int = 0
    provenance: tuple[Provenance, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run of one statement, or a part of one.

    A run that nested runs interrupt (a loop, a call, a ``with``) comes in several parts with the
    same cell, statement and lap, so that ``Trace.runs`` is in the order of time.

    ``cell`` is None for lines before the first mark. ``lap`` counts the runs of the same statement
    from 1. ``changed`` maps each name whose tensor is another one after the run than before it to
    the tensor's record id, or to None when the name no longer holds a tensor.
    """

    cell: str | None
    statement: int
    lap: int = 1
    steps: tuple[int, ...] = ()
    changed: Mapping[str, int | None] = field(default_factory=dict)
    printed: str = ""


@dataclass(frozen=True)
class ScriptError:
    """An exception that left the script: its line in the file, its type and its message."""

    line: int
    type: str
    message: str


@dataclass(frozen=True)
class Environment:
    """What the script ran on: versions as text, ``device`` the kind of accelerator or ``cpu``."""

    python: str
    torch: str
    device: str = "cpu"


@dataclass(frozen=True)
class Trace:
    """What the tracer saw of one script.

    ``script`` is its path relative to the project, with forward slashes. ``names`` maps the names
    that held tensors before the first run to their records (empty for a whole script; filled in a
    slice, see :meth:`of_cell`). ``inputs`` maps each file the run depended on (script, local
    modules, data) to the sha256 of its content. ``values`` maps record ids to arrays, contiguous
    and of a dtype that NumPy knows (bfloat16 and float8 widened to float32). ``arrays`` are further
    arrays by name, such as the maps of :class:`Provenance`.
    """

    script: str
    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    steps: tuple[Step, ...]
    tensors: tuple[TensorRecord, ...]
    environment: Environment
    names: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    error: ScriptError | None = None
    version: int = TRACE_VERSION
    values: Mapping[int, Array] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def cell(self, name: str) -> Cell:
        """Return the cell called ``name``; raises KeyError that lists the cells there are."""
        for cell in self.cells:
            if cell.name == name:
                return cell
        known = ", ".join(cell.name for cell in self.cells)
        raise KeyError(f"no cell {name!r} in {self.script}; its cells are: {known}")

    def names_after(self, cell: str | None, statement: int | None = None) -> dict[str, int]:
        """Return which names held which tensor records at a moment.

        The moment is the end of the last run of ``statement`` in ``cell`` (nested runs included),
        or of the whole cell where ``statement`` is None.
        """
        last = -1
        for index, run in enumerate(self.runs):
            if run.cell == cell and statement in (None, run.statement):
                last = index
        names = dict(self.names)
        for run in self.runs[: last + 1]:
            for name, tensor in run.changed.items():
                if tensor is None:
                    names.pop(name, None)
                else:
                    names[name] = tensor
        return names

    def of_cell(self, name: str) -> Trace:
        """Return the part of the trace that this cell uses, renumbered: the input of its clip.

        Tensor, storage and step numbers count from 0 in the order the cell meets them and source
        lines are dropped, so an edit elsewhere in the script leaves the slice equal.
        """
        return _slice(self, name)

    def tensor(self, id: int) -> TensorRecord:
        """Return the tensor record with this id."""
        return self.tensors[id]


@dataclass(frozen=True)
class Cue:
    """One statement being shown: ``start`` and ``end`` in seconds of the clip.

    ``number`` counts from 1 within the clip. ``laps`` is how many laps the cue stands for (1 but
    for the folded laps of a loop). ``steps`` are step numbers and ``tensors`` the record ids of
    the tensors on stage at its end, both of the cell's slice of the trace.
    """

    number: int
    start: float
    end: float
    statement: int
    lap: int = 1
    laps: int = 1
    steps: tuple[int, ...] = ()
    tensors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """One text that a clip drew, and where in the trace it came from: the clip's manifest.

    ``source`` says which fact it is: an element's value (``index`` names it), the size of one
    dimension (``index`` holds the dimension), or a tensor's name, shape, stride, dtype or device;
    an op's name (``step`` names it) or a line of code (``statement`` of the cue).
    """

    cue: int
    text: str
    source: Literal["value", "size", "name", "shape", "stride", "dtype", "device", "op", "code"]
    tensor: int | None = None
    index: tuple[int, ...] = ()
    step: int | None = None


@dataclass(frozen=True)
class Clip:
    """A rendered cell: its files, its cues and the manifest of what it drew.

    ``files`` maps ``mp4``, ``gif`` and ``poster`` to file names in the clip's own folder;
    ``width`` and ``height`` are pixels, ``duration`` seconds, ``inputs`` every named input of the
    digest with its own hash, so that staleness can be explained.
    """

    script: str
    cell: str
    artboard: str
    theme: str
    quality: str
    width: int
    height: int
    fps: int
    duration: float
    cues: tuple[Cue, ...]
    drawn: tuple[Drawn, ...]
    files: Mapping[str, str]
    digest: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)


def _slice(trace: Trace, name: str) -> Trace:
    cell = trace.cell(name)
    runs = [run for run in trace.runs if run.cell == name]
    steps = [trace.steps[number] for run in runs for number in run.steps]
    before: dict[str, int] = dict(trace.names)
    for run in trace.runs:
        if run.cell == name:
            break
        for key, tensor in run.changed.items():
            if tensor is None:
                before.pop(key, None)
            else:
                before[key] = tensor

    tensor_ids: dict[int, int] = {}
    storage_ids: dict[int, int] = {}
    step_ids = {step.number: index for index, step in enumerate(steps)}

    def tensor_id(old: int) -> int:
        return tensor_ids.setdefault(old, len(tensor_ids))

    arrays: dict[str, Array] = {}

    def renamed(old: str | None, new: str) -> str | None:
        if old is None:
            return None
        arrays[new] = trace.arrays[old]
        return new

    def provenance(step: Step) -> tuple[Provenance, ...]:
        number = step_ids[step.number]
        return tuple(
            replace(
                each,
                array=renamed(each.array, f"step{number}.{each.result}"),
                derivatives=renamed(each.derivatives, f"step{number}.{each.result}.derivatives"),
            )
            for each in step.provenance
        )

    def operand(value: Operand) -> Operand:
        return value if value.tensor is None else replace(value, tensor=tensor_id(value.tensor))

    renumbered_steps = tuple(
        replace(
            step,
            number=step_ids[step.number],
            run=0,
            line=0,
            operands=tuple(operand(value) for value in step.operands),
            results=tuple(tensor_id(result) for result in step.results),
            provenance=provenance(step),
        )
        for step in steps
    )
    renumbered_runs = tuple(
        replace(
            run,
            steps=tuple(step_ids[number] for number in run.steps),
            changed={
                key: None if tensor is None else tensor_id(tensor)
                for key, tensor in run.changed.items()
            },
        )
        for run in runs
    )
    run_of_step = {number: i for i, run in enumerate(renumbered_runs) for number in run.steps}
    used = {value.tensor for step in steps for value in step.operands if value.tensor is not None}
    names = {key: tensor_id(tensor) for key, tensor in before.items() if tensor in used}
    tensors = []
    for old, new in tensor_ids.items():
        record = trace.tensors[old]
        storage = storage_ids.setdefault(record.storage, len(storage_ids))
        tensors.append(replace(record, id=new, storage=storage))
    statements = tuple(replace(statement, lines=(0, 0)) for statement in cell.statements)
    return Trace(
        script=trace.script,
        cells=(replace(cell, line=0, source="", statements=statements),),
        runs=renumbered_runs,
        steps=tuple(replace(step, run=run_of_step[step.number]) for step in renumbered_steps),
        tensors=tuple(tensors),
        environment=Environment(python="", torch="", device=trace.environment.device),
        names=names,
        values={new: trace.values[old] for old, new in tensor_ids.items() if old in trace.values},
        arrays=arrays,
    )
