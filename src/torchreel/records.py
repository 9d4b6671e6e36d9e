"""The frozen values that cross every boundary of the package.

A script becomes a :class:`Trace` (tracer), a cell of it becomes a :class:`Clip` (render), a page
embeds the clip (site). This module imports neither torch nor Manim. The words are those of the
contract: lesson, cell, statement, step, cue, clip.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Array = NDArray[np.generic]

TensorId = Annotated[int, "tensor"]
"""Position of a record in ``Trace.tensors``."""
StorageId = Annotated[int, "storage"]
"""Serial number of a storage; it lives and dies with the storage, and is never a pointer."""
StepId = Annotated[int, "step"]
"""Position of a step in ``Trace.steps``."""
ModuleId = Annotated[int, "module"]
"""Position of a module in ``Trace.modules``."""
CallId = Annotated[int, "call"]
"""Position of a module's call in ``Trace.calls``."""
ArrayName = Annotated[str, "array"]
"""Name of an array in ``Trace.arrays``."""


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


TRACE_VERSION = 2
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

    def loops_around(self, statement: int) -> tuple[int, ...]:
        """Return the numbers of the loops that a statement runs in, the innermost first."""
        return tuple(each.number for each in self.around(statement) if each.kind == "loop")

    def around(self, statement: int) -> tuple[Statement, ...]:
        """Return the statements in whose body a statement is, the innermost first."""
        known = {each.number: each for each in self.statements}
        at, found = known.get(statement), list[Statement]()
        while at is not None and at.parent is not None:
            found.append(at := known[at.parent])
        return tuple(found)


@dataclass(frozen=True)
class Statistics:
    """What is told of a tensor whose values were not kept whole: of its finite elements the least,
    the greatest, the mean and the standard deviation (``torch.std``'s; all None where no element
    is finite), and how many elements are NaN or infinite."""

    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    nan: int = 0
    inf: int = 0


@dataclass(frozen=True)
class TensorRecord:
    """One version of one tensor, as it was when a step had just run.

    ``stride`` and ``offset`` count elements, ``storage_size`` is in elements. The values are in
    ``Trace.values[id]`` where they were kept whole; else ``texture`` names an array of at most two
    dimensions, in which each element is the mean of a box of the tensor's (leading dimensions one
    below the other: of a tensor of r rows, row i of a texture of n rows is the mean of its rows
    from ``i * r // n`` up to ``(i + 1) * r // n``; columns alike). ``statistics`` then tells of all
    elements. A tensor whose values cannot be read has none of the three; of a complex one there
    are whole values or none; where a trace would become too large, there is no texture.
    ``name`` is the parameter's or buffer's name in its module's tree (``layer1.weight``), else
    empty.
    """

    id: TensorId
    shape: Shape
    stride: Shape
    dtype: str
    device: str
    storage: StorageId
    offset: int
    storage_size: int
    requires_grad: bool = False
    leaf: bool = True
    name: str = ""
    texture: ArrayName | None = None
    statistics: Statistics | None = None

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes that the elements take in memory."""
        bits = re.search(r"\d+", self.dtype)
        return self.numel * (int(bits[0]) // 8 if bits else 1)  # torch.bool tells no size


@dataclass(frozen=True)
class Operand:
    """One argument of a step: a tensor (by record id) or a literal (as Python text).

    An index is written as it stands between the brackets (``1:3, None, ...``). ``name`` is the
    keyword it was passed by, or None when it was passed by position.
    """

    tensor: TensorId | None = None
    literal: str | None = None
    name: str | None = None


FOLLOWED = 256
"""Which elements went where is measured of steps whose operands and results have at most so many
elements each."""


@dataclass(frozen=True)
class Provenance:
    """Which input elements went into each element of a step's result, as measured on the operands
    as they were before the op ran. A step that no tensor went into has none.

    ``kind`` "moves" promises that each element is, bit for bit, the named element of the named
    operand, whatever the values that are moved: ``array`` names an (n, 2) int64 array of
    ``Trace.arrays``, for each element of the result in row-major order the operand and the
    row-major place there, both -1 where the element is a constant that came from no operand.
    Indices and masks are held at their values: they say from where, and are no source themselves.

    "feeds" promises that an element of the result depends on exactly these: ``array`` names an
    (m, 3) int64 array of result place, operand, operand place, sorted. An op that chooses (relu,
    sort, max) is fed by all that it chooses from, by those not chosen with derivative 0.
    ``derivatives`` names an (m,) float64 array of the local derivatives at the actual operands as
    autograd defines them (x ** 2 at 2 is 4, relu at 0 is 0); NaN where the operand has none (its
    elements are integers or truths); it is None where there are none at all.

    "opaque" promises nothing; ``reason`` says why nothing truthful can be told. ``result`` is the
    position in ``Step.results``, operands are counted as in ``Step.operands``.
    """

    kind: Literal["moves", "feeds", "opaque"]
    result: int = 0
    array: ArrayName | None = None
    derivatives: ArrayName | None = None
    reason: str = ""


@dataclass(frozen=True)
class Clash:
    """The exception of a torch call that raised, caught by the script or not.

    ``type`` and ``message`` are the exception's. ``kind`` says what did not fit, ``facts`` are the
    two texts that differ, as they are drawn on both sides of a not-equal sign (``cpu`` and
    ``cuda:0``, ``28`` and ``784``, ``int64`` and ``float32``, ``index 3`` and ``size 3``),
    ``operands`` the positions in ``Step.operands`` that they are facts of (of the first alone,
    where the second is what the op wants), and ``dims`` the dimensions where the facts are sizes
    (-1 for one that is none; empty where neither is). All three are empty where the kind is
    "other": nothing truthful can be told in two words.
    """

    type: str
    message: str
    kind: Literal["device", "shape", "dtype", "other"] = "other"
    facts: tuple[str, ...] = ()
    operands: tuple[int, ...] = ()
    dims: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """One torch op that ran, or raised (then ``clash`` says what, and there are no results).

    ``op`` is the qualified torch name (``torch.Tensor.reshape``, ``torch.arange``), ``expression``
    the source text of the call, ``view`` tells that the result shares storage with an operand, or
    (``torch.vmap`` of a function) with another tensor that was there before.
    ``run`` is the index in ``Trace.runs`` of the statement run it belongs to, ``line`` the line in
    the script's file, for messages. ``call`` is the innermost call of a module in which it ran.
    An op that writes in place has the new version of what it wrote as its result, ``written``.
    ``shared`` tells that what it made has memory that others hold, too (a NumPy array, a buffer,
    another library), or that it gave others the memory of an operand.
    A call that raised in a lap that is not kept is a step of the loop's own run, if the traceback
    shows which call it was, with which operands (of the first 300 exceptions in such laps).
    """

    number: StepId
    run: int
    op: str
    expression: str
    operands: tuple[Operand, ...]
    results: tuple[TensorId, ...]
    view: bool = False
    written: bool = False
    shared: bool = False
    line: int = 0
    provenance: tuple[Provenance, ...] = ()
    call: CallId | None = None
    clash: Clash | None = None


@dataclass(frozen=True)
class GraphNode:
    """A node of the graph that a backward pass walked.

    ``name`` is autograd's (``MulBackward0``, ``AccumulateGrad``). ``step`` is the op that recorded
    it (None of an AccumulateGrad, and of an op in a lap that is not kept), ``tensor`` what that op
    made, or the leaf whose ``.grad`` an AccumulateGrad adds to. ``gradient`` is what arrived at it:
    the root's gradient with respect to ``tensor``, summed over the edges that meet there; None
    where the pass did not reach it. ``names`` are the script's names for ``tensor`` when the pass
    began.
    """

    number: int
    name: str
    step: StepId | None = None
    tensor: TensorId | None = None
    gradient: TensorId | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphEdge:
    """An edge of that graph, from the ``source`` node (nearer the root) to the ``target``.

    ``gradient`` is what crossed it, None where nothing did. ``input`` is which of the source's
    inputs the target made, ``output`` which of the target's outputs that is.
    """

    source: int
    target: int
    input: int = 0
    gradient: TensorId | None = None
    output: int = 0


@dataclass(frozen=True)
class Accumulation:
    """What a backward pass added to the ``.grad`` of one tensor: before (None: there was none),
    the gradient that arrived, and after."""

    tensor: TensorId
    before: TensorId | None
    gradient: TensorId
    after: TensorId


@dataclass(frozen=True)
class Backward:
    """One backward pass (``backward()`` or ``torch.autograd.grad``), the one of step ``step``.

    ``nodes`` are in the true order in which autograd ran them, those it did not run last; ``edges``
    in the order in which the gradients crossed. ``roots`` are positions in ``nodes``.
    """

    step: StepId
    roots: tuple[int, ...]
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    accumulations: tuple[Accumulation, ...] = ()


@dataclass(frozen=True)
class ModuleRecord:
    """A module of a tree whose root the script called or built.

    ``path`` is its name within the tree (``layer1``, ``blocks.0.attn``; empty for the root),
    ``kind`` its class's name, ``detail`` its ``extra_repr`` (``in_features=784``),
    ``name`` the script's variable that holds the root. ``parameters`` and ``buffers`` are its own,
    by name, as they were when the tree was first seen. ``cell`` is where it was first seen.
    """

    number: ModuleId
    path: str
    kind: str
    parent: ModuleId | None = None
    name: str = ""
    detail: str = ""
    parameters: Mapping[str, TensorId] = field(default_factory=dict)
    buffers: Mapping[str, TensorId] = field(default_factory=dict)
    cell: str | None = None


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module: what went in and what came out; ``parent`` is the call around it.

    The steps that ran in it name it as their ``call``. ``first`` and ``last`` are the first and the
    last step that ran in it, those of calls within it included (None: none was kept).
    """

    number: CallId
    module: ModuleId
    operands: tuple[Operand, ...]
    results: tuple[TensorId, ...]
    parent: CallId | None = None
    training: bool = True
    first: StepId | None = None
    last: StepId | None = None


@dataclass(frozen=True)
class ParameterUpdate:
    """What one optimizer step did to one parameter; the norms are Euclidean (of the parameter
    before the step, of its gradient, of the difference), None where they are not finite. ``name``
    as in ``TensorRecord.name``."""

    name: str
    before: TensorId
    after: TensorId
    gradient: TensorId | None
    norm: float | None
    gradient_norm: float | None
    update_norm: float | None


@dataclass(frozen=True)
class OptimizerStep:
    """One ``optimizer.step()``, that of step ``step``: ``kind`` is the optimizer's class's name,
    ``settings`` its first group's plain options as Python text (``lr``: ``0.001``)."""

    step: StepId
    kind: str
    settings: Mapping[str, str]
    updates: tuple[ParameterUpdate, ...]


@dataclass(frozen=True)
class Loop:
    """How often a loop's body ran in all (``laps``), and which of these laps are kept in detail."""

    cell: str | None
    statement: int
    laps: int
    kept: tuple[int, ...]


@dataclass(frozen=True)
class Series:
    """A number that a loop's body left behind in each of its laps.

    ``kind`` "name": the plain number or the tensor of one element that ``name`` held at the end of
    a lap (a global that a function binds is of the loop that first changed it); "loss": what the
    lap's last backward pass began at where none of the names of the loop's own body holds it (in a
    function, for one), called as in the code; "gradient": the
    Euclidean norm of the gradient of the parameter ``name`` when an optimizer stepped; "update":
    the norm of what the step changed of it (both of every lap up to 32, then of every second, from
    64 on of every fourth, and so on). ``array`` names an (n, 2) float64 array of lap (from 1,
    counted over all the runs of the loop) and value: n is at most 10,000, and where there were more
    laps the least and the greatest value of each stretch are kept. ``cell`` and ``statement`` are
    the innermost loop's.
    """

    cell: str | None
    statement: int
    name: str
    kind: Literal["name", "loss", "gradient", "update"]
    array: ArrayName


PRINTED_KEPT = 10_000
"""At most so many characters are kept of what one part of a run printed."""


@dataclass(frozen=True)
class Run:
    """One run of one statement, or a part of one.

    A run that nested runs interrupt (a loop, a call, a ``with``) comes in several parts with the
    same cell, statement and lap, so that ``Trace.runs`` is in the order of time.

    What a function of another cell does is of the statement that called it, not of its own.
    ``cell`` is None for lines before the first mark. ``lap`` counts the runs of the same statement
    from 1. ``changed`` maps each name whose tensor is another one after the run than before it to
    the tensor's record id, or to None when the name no longer holds a tensor. ``plain`` maps each
    name that holds another plain value than before (a number, a text, a ``torch.Size``, a device, a
    dtype) to its Python text. ``laps`` are the loops of the cell that it ran in, also by a call:
    their statements, outer ones first, and the number of the lap, as ``Series`` counts them.
    """

    cell: str | None
    statement: int
    lap: int = 1
    steps: tuple[StepId, ...] = ()
    changed: Mapping[str, TensorId | None] = field(default_factory=dict)
    printed: str = ""
    plain: Mapping[str, str] = field(default_factory=dict)
    laps: tuple[tuple[int, int], ...] = ()

    def lap_of(self, loop: int) -> int:
        """Return the number of the lap of a loop that it ran in, 0 where it ran in none."""
        return next((lap for statement, lap in self.laps if statement == loop), 0)

    def rebind(self, names: dict[str, int]) -> None:
        """Bring up to date which names hold which tensor records: as they are after this run."""
        for name, tensor in self.changed.items():
            if tensor is None:
                names.pop(name, None)
            else:
                names[name] = tensor


TIME_LIMIT, HARD_EXIT, HIDDEN = "time limit", "os._exit", "hidden module"
"""What may end a script, or keep it from running, beside an exception."""
ENDS = (TIME_LIMIT, HARD_EXIT, HIDDEN, "SystemExit", "KeyboardInterrupt")
"""The types of errors that no line raised by mistake."""


@dataclass(frozen=True)
class ScriptError:
    """What ended the script before its end: an exception that left it, with its line in the file
    (0 where it has none), its type and its message. ``type`` may also be TIME_LIMIT, HARD_EXIT or
    HIDDEN: the message then says what happened. ``status`` is the exit status of its process."""

    line: int
    type: str
    message: str
    status: int = 1


@dataclass(frozen=True)
class Environment:
    """What the script ran on: versions as text, ``device`` the kind of accelerator or ``cpu``,
    ``device_name`` what the accelerator calls itself, ``seed`` torch's initial seed where the
    script set one, ``recorded`` the date (``2026-11-24``) of a trace kept with its lesson."""

    python: str
    torch: str
    device: str = "cpu"
    device_name: str = ""
    seed: int | None = None
    recorded: str = ""

    @property
    def named(self) -> str:
        """What the device calls itself, or its kind where it has no name."""
        return self.device_name or self.device


@dataclass(frozen=True)
class Trace:
    """What the tracer saw of one script.

    ``script`` is its path relative to the project, with forward slashes. ``names`` maps the names
    that held tensors before the first run to their records (empty for a whole script; filled in a
    slice, see :meth:`of_cell`). ``inputs`` maps each file the run depended on (script, local
    modules, data) to the sha256 of its content, and ``$NAME`` to that of the environment variable.
    ``values`` maps record ids to arrays, contiguous and of a dtype that NumPy knows (bfloat16 and
    float8 widened to float32). ``arrays`` are further arrays by name, such as the maps of
    :class:`Provenance`. ``source`` is the whole script as it ran; empty in a slice.
    """

    script: str
    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    steps: tuple[Step, ...]
    tensors: tuple[TensorRecord, ...]
    environment: Environment
    backwards: tuple[Backward, ...] = ()
    modules: tuple[ModuleRecord, ...] = ()
    calls: tuple[ModuleCall, ...] = ()
    optimizers: tuple[OptimizerStep, ...] = ()
    loops: tuple[Loop, ...] = ()
    series: tuple[Series, ...] = ()
    names: Mapping[str, TensorId] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    error: ScriptError | None = None
    version: int = TRACE_VERSION
    values: Mapping[int, Array] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    source: str = ""

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
            run.rebind(names)
        return names

    def of_cell(self, name: str) -> Trace:
        """Return the part of the trace that this cell uses, renumbered: the input of its clip.

        Tensor, storage and step numbers count from 0 in the order the cell meets them and source
        lines are dropped, so an edit elsewhere in the script leaves the slice equal.
        """
        return _slice(self, name)

    def outermost_call(self, step: Step) -> ModuleCall | None:
        """Return the call of a module, in no other one, in which a step ran; None where in none."""
        call = None if step.call is None else self.calls[step.call]
        while call is not None and call.parent is not None:
            call = self.calls[call.parent]
        return call

    def tensor(self, id: int) -> TensorRecord:
        """Return the tensor record with this id."""
        return self.tensors[id]

    def moves(self, step: int, result: int = 0) -> Array | None:
        """Return from where each element of a result was moved: (n, 2), operand and place, -1 for
        none; None where the step did not only move elements."""
        found = self._provenance(step, result)
        return self.arrays[found.array] if found and found.kind == "moves" and found.array else None

    def feeds(self, step: int, result: int = 0) -> tuple[Array, Array] | None:
        """Return which elements feed which of a result: (m, 3), result place, operand, operand
        place, and their derivatives (m,), NaN for none; None where that is not known."""
        found = self._provenance(step, result)
        if found is None or found.kind != "feeds" or found.array is None:
            return None
        entries = self.arrays[found.array]
        if found.derivatives is None:
            return entries, np.full(len(entries), np.nan)
        return entries, self.arrays[found.derivatives]

    def _provenance(self, step: int, result: int) -> Provenance | None:
        known = self.steps[step].provenance
        return next((each for each in known if each.result == result), None)


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
    dimension (``index`` holds the dimension) or of the whole tensor (no ``index``), or a tensor's
    name, shape, stride, offset in its memory, dtype, device or ``requires_grad``;
    an op's name (``step`` names it) or a line of code (``statement`` of the cue). Further: a place
    along a tensor's last dimension (``index`` holds it; along another one, the dimension, then the
    place; ``[0]`` where that is all that is drawn of it), a module's name or class (``module``), a
    series' name or its value at a lap (``index`` holds its position in ``Trace.series``, then the
    lap), the plain value of a name (``index`` holds the run's position), a clash's fact, class or
    matrix (``step``), a lap of a loop of so many (``index`` holds the statement, both), or a sign
    that tells no fact of its own (``≠``, the number of a station). In a
    graph: the "symbol" of an op (``×3``; ``step`` names it), the name of a "function" of autograd
    (``MulBackward0``), or a "derivative" of step ``step`` (``index`` holds the place in the result,
    the operand, and the place in it). In arithmetic: a "literal" that step ``step`` works with
    (``index`` holds its position in ``Step.operands``), or a "product" of two elements of its
    operands (``index`` holds the operand and the place in it, twice). What one row shows of a line
    that was "printed" (``index`` holds the run's position and the line's; a long line goes on in
    the rows that follow, and ends with ``…`` where it is cut), or how many lines are left out
    (``⋮ +3``; ``index`` holds the first of them); what one row shows, likewise, of the class and
    the message that step ``step`` "raised", or that ended the script (no ``step``). The Euclidean
    "norm" of a tensor, of it and those in ``index`` as if they were one, or (no tensor) of the
    gradients whose norms are series, at a lap (``index`` holds it, then their positions in
    ``Trace.series``). How far from 0 a tensor's elements "reach" (those of row ``index``, or all;
    with a ``step``: what that step changed of them; one element alone with its sign).
    A "setting" of the optimizer of step ``step``. The device and the date of a trace that
    was "recorded". A "tick", a round number beside the axis of a series (``index`` holds its
    position in ``Trace.series``). What a loss is for a "guess" that gives each class the same
    chance (``tensor`` holds the scores, ``index`` the dimension of the classes; no tensor: there
    are two), or how many these two are. What softmax makes of the scores of a tensor
    (``index`` holds the dimension, then an element's place): e to the "power" of it, its "share" of
    the sum of all powers along the dimension, or the "loss", minus the logarithm of its share. The
    "sum" along a dimension (``index`` likewise), and the "powersum" of the powers of e. The "count"
    of the tensors that step ``step`` joins, or parts one into.
    """

    cue: int
    text: str
    source: Literal[
        "value",
        "size",
        "name",
        "shape",
        "stride",
        "offset",
        "dtype",
        "device",
        "requires_grad",
        "op",
        "code",
        "index",
        "module",
        "series",
        "plain",
        "clash",
        "raised",
        "count",
        "lap",
        "sign",
        "symbol",
        "function",
        "derivative",
        "literal",
        "product",
        "printed",
        "bytes",
        "products",
        "norm",
        "reach",
        "setting",
        "tick",
        "guess",
        "recorded",
        "power",
        "share",
        "loss",
        "sum",
        "powersum",
    ]
    tensor: int | None = None
    index: tuple[int, ...] = ()
    step: int | None = None
    module: int | None = None


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a frame of a clip, in one sentence: something covered, cut, too small or
    empty; seen in the cue ``cue``, of the statement ``statement`` of the cell."""

    cue: int
    statement: int
    what: str


@dataclass(frozen=True)
class Clip:
    """A rendered cell: its files, its cues and the manifest of what it drew.

    ``files`` maps ``mp4``, ``gif``, ``poster`` (the frame that tells most) and ``opening`` (one of
    before anything came of it) to file names in the clip's own folder; ``poster`` is the
    number of the cue whose last frame the poster is, None where it is not known; ``width`` and
    ``height`` are pixels, ``duration`` seconds, ``inputs`` every named input of the digest with its
    own hash, so that staleness can be explained. ``warnings`` are what the checker found wrong with
    its frames.
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
    warnings: tuple[Flaw, ...] = ()
    poster: int | None = None


def _slice(trace: Trace, name: str) -> Trace:
    cell = trace.cell(name)
    runs = [run for run in trace.runs if run.cell == name]
    steps = [trace.steps[number] for run in runs for number in run.steps]
    number = _Renumbering()
    number.known["step"] = {step.number: index for index, step in enumerate(steps)}
    calls = _calls_of(trace, steps)
    number.known["call"] = {call.number: index for index, call in enumerate(calls)}
    modules = _modules_of(trace, name, calls)
    number.known["module"] = {module.number: index for index, module in enumerate(modules)}
    own_steps = number.known["step"]
    used = {value.tensor for step in steps for value in step.operands if value.tensor is not None}
    statements = tuple(replace(statement, lines=(0, 0)) for statement in cell.statements)
    made = replace(
        trace,
        cells=(replace(cell, line=0, source="", statements=statements),),
        steps=tuple(number(replace(step, run=0, line=0)) for step in steps),
        runs=tuple(number(run) for run in runs),
        backwards=tuple(number(each) for each in trace.backwards if each.step in own_steps),
        modules=tuple(number(module) for module in modules),
        calls=tuple(number(call) for call in calls),
        optimizers=tuple(number(each) for each in trace.optimizers if each.step in own_steps),
        loops=tuple(loop for loop in trace.loops if loop.cell == name),
        series=tuple(number(series) for series in trace.series if series.cell == name),
        names={
            key: number.id("tensor", tensor)
            for key, tensor in _names_before(trace, name).items()
            if tensor in used
        },
        environment=Environment(
            python="",
            torch="",
            device=trace.environment.device,
            device_name=trace.environment.device_name,
            recorded=trace.environment.recorded,
        ),
        inputs={},
        error=_error_of(trace, name),
        source="",
    )
    run_of_step = {step: index for index, run in enumerate(made.runs) for step in run.steps}
    tensors = tuple(number(trace.tensors[old]) for old in list(number.known["tensor"]))
    new_ids, new_arrays = number.known["tensor"], number.known["array"]
    return replace(
        made,
        steps=tuple(replace(step, run=run_of_step[step.number]) for step in made.steps),
        tensors=tensors,
        values={new: trace.values[old] for old, new in new_ids.items() if old in trace.values},
        arrays={f"array{new}": trace.arrays[old] for old, new in new_arrays.items()},
    )


def _error_of(trace: Trace, cell: str) -> ScriptError | None:
    """Return the exception that ended the script in a statement of a cell, if one did."""
    error = trace.error
    if error is None or error.type in ENDS or trace.runs[-1:] == () or trace.runs[-1].cell != cell:
        return None
    return replace(error, line=0)


def _names_before(trace: Trace, cell: str) -> dict[str, int]:
    """Return which names held which tensor records when a cell's first run began."""
    names: dict[str, int] = dict(trace.names)
    for run in trace.runs:
        if run.cell == cell:
            break
        run.rebind(names)
    return names


def _calls_of(trace: Trace, steps: list[Step]) -> list[ModuleCall]:
    """Return the module calls in which these steps ran, and those around them."""
    found: set[int] = set()
    for step in steps:
        call = step.call
        while call is not None and call not in found:
            found.add(call)
            call = trace.calls[call].parent
    return [trace.calls[number] for number in sorted(found)]


def _modules_of(trace: Trace, cell: str, calls: list[ModuleCall]) -> list[ModuleRecord]:
    """Return the whole trees of the modules that were first seen or called in a cell."""

    def root(module: int) -> int:
        parent = trace.modules[module].parent
        return module if parent is None else root(parent)

    roots = {root(call.module) for call in calls}
    roots |= {root(module.number) for module in trace.modules if module.cell == cell}
    return [module for module in trace.modules if root(module.number) in roots]


class _Renumbering:
    """Gives each tensor, storage and array the next number when it is first met.

    Called with a record, it returns the record with every number of its fields that are annotated
    as an id (``TensorId``) replaced; ids of what is not in the slice (a step of another cell)
    become None, or go with their key or their place in a tuple.
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[Any, int]] = {
            kind: {} for kind in ("tensor", "storage", "array", "step", "call", "module")
        }

    def __call__(self, record: Any) -> Any:
        hints = _hints(type(record))  # type: ignore[arg-type]
        values = {key: self._value(getattr(record, key), hint) for key, hint in hints.items()}
        return replace(record, **values)

    def id(self, kind: str, old: Any) -> Any:
        """Return the new number of ``old``; None of a step, call or module that is not there."""
        numbers = self.known[kind]
        if kind in ("tensor", "storage", "array"):
            new = numbers.setdefault(old, len(numbers))
            return f"array{new}" if kind == "array" else new
        return numbers.get(old)

    def _value(self, value: Any, hint: Any) -> Any:
        if value is None:
            return None
        kind = _id_kind(hint)
        if kind:
            return self.id(kind, value)
        if is_dataclass(value):
            return self(value)
        inner = get_args(hint)
        if isinstance(value, tuple) and inner:
            renewed = [self._value(each, inner[0]) for each in value]
            return tuple(
                new
                for new, old in zip(renewed, value, strict=True)
                if new is not None or old is None
            )
        if isinstance(value, Mapping) and inner:
            return {key: self._value(each, inner[1]) for key, each in value.items()}
        return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a record's fields that hold ids, or records that may."""
    hints = get_type_hints(kind, include_extras=True)
    return {each.name: hints[each.name] for each in fields(kind) if _holds_ids(hints[each.name])}


def _holds_ids(hint: Any) -> bool:
    return bool(
        _id_kind(hint)
        or (isinstance(hint, type) and is_dataclass(hint) and _hints(hint))
        or any(_holds_ids(inner) for inner in get_args(hint))
    )


def _id_kind(hint: Any) -> str | None:
    """Return which kind of id an annotation (``TensorId``, ``TensorId | None``) stands for."""
    options = (hint,) if get_origin(hint) is Annotated else ()
    if get_origin(hint) in (UnionType, Union):  # Annotated[…] | None is typing's
        options = get_args(hint)
    for option in options:
        if get_origin(option) is Annotated:
            kind: str = option.__metadata__[0]
            return kind
    return None
