"""What the probes and the torch function mode report, made into runs and steps.

A run that other runs interrupt (a loop by its laps, a call by the function's body) is written in
parts, each with the steps, the printed text and the changed names since the part before, so that
``Recorder.runs`` is in the order in which things happened.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import CodeType, FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from torchreel.records import PRINTED_KEPT, Clash, Operand, Run, Step
from torchreel.tracer.autograd import Autograd
from torchreel.tracer.budget import PROBES, RUNS, STEPS, TENSORS, Budget
from torchreel.tracer.cells import Script
from torchreel.tracer.clash import clash_of
from torchreel.tracer.laps import Laps
from torchreel.tracer.likeness import unlink
from torchreel.tracer.literals import literal, parts, tensors_in
from torchreel.tracer.missed import missed_call
from torchreel.tracer.modules import Modules, is_construction
from torchreel.tracer.names import Names
from torchreel.tracer.norms import Norms
from torchreel.tracer.ops import RESIZING, is_uninitialized, op_name
from torchreel.tracer.optimizers import Optimizers
from torchreel.tracer.places import Places
from torchreel.tracer.provenance import Provenances
from torchreel.tracer.roots import Roots
from torchreel.tracer.sharing import is_shared
from torchreel.tracer.tensors import Tensors, version_of
from torchreel.tracer.unheard import install as listen_to_unheard
from torchreel.tracer.writes import FIRST, Before, Writes

KEPT_LAPS = frozenset([2, *(first * 10**power for power in range(15) for first in (1, 3))])
"""The laps of a loop that are kept in detail: 1, 2, 3, 10, 30, 100, 300 and so on, and beside them
the last one, where what the loop goes over has a length."""

SIZED = frozenset(
    [
        *(range, list, tuple, dict, set, frozenset, str),
        *(torch.Tensor, torch.nn.Parameter, torch.utils.data.DataLoader),
    ]
)
"""What may be asked for its length before a loop goes over it: others' may do more than tell it."""

MISSED = 300
"""So many exceptions in laps that are not kept are looked at: most are no torch call's."""

WITHOUT_RESULT = frozenset(
    [
        *("torch.Tensor.item", "torch.Tensor.tolist", "torch.Tensor.numpy"),
        "torch.utils.dlpack.to_dlpack",
        *("torch.Tensor.backward", "torch.autograd.backward", "torch.autograd.grad"),
        *("torch.Tensor.grad.__set__", "torch.Tensor.grad.__delete__"),
    ]
)
"""Calls that are steps though they neither return a tensor nor write one; others of that kind
(``x.shape``, ``len(x)``, ``repr(x)``) only ask."""


@dataclass(eq=False)
class _Open:
    """A run that has not ended: its statement's index, its frame's id, and the part to come.

    ``handled`` is the id of the exception that was being handled when it began. ``last`` is the
    number of a loop's last lap where it is known beforehand, 0 where it is not.
    """

    place: int
    lap: int
    frame: int
    handled: int
    laps: int = 0
    last: int = 0
    spent: int = 0
    parts: int = 0
    probes: int = 0
    steps: list[int] = field(default_factory=list)
    printed: str = ""


Instruction = tuple[CodeType, int, int]
"""Where a frame is: its code, the instruction, its line."""


@dataclass(frozen=True)
class Asleep:
    """Where a call is that is not kept: the loop it is in (its statement's index), the laps of that
    and of others, the instruction of the loop's own frame and that of the script's innermost."""

    loop: int
    laps: tuple[tuple[int, int], ...]
    own: Instruction
    call: Instruction


@dataclass(frozen=True)
class Pending:
    """A step that has begun: all that is known of it before it ran."""

    op: str
    expression: str
    operands: tuple[Operand, ...]
    run: _Open
    frame: FrameType
    line: int
    call: int | None


class Recorder(TorchFunctionMode):
    """The torch function mode of a traced script, and the functions that its probes call.

    Torch takes the mode off while its handler runs, so only outermost calls are seen. In the laps
    of a loop that are not kept the recorder sleeps: the mode is off and probes only count; its
    ``sleeper``, then, is what stands before a call asks first, for it costs least. What the
    mode does not see, or sees in too many pieces, is told by ``autograd``, ``modules`` and
    ``optimizers``.
    """

    def __init__(self, script: Script, places: Places) -> None:
        super().__init__()
        self.tensors = Tensors()
        self.laps = Laps(script)
        self.budget = Budget()
        self.provenances = Provenances(self.tensors)
        self.runs: list[Run] = []
        self.steps: list[Step] = []
        self._script = script
        self._places = places
        self._is_loop = self.laps.is_loop
        self._parents = _parents(script)
        self._yielding = {i for i, place in enumerate(script.places) if _yields(place.node)}
        self._leaving = {i for i, place in enumerate(script.places) if _may_leave(place.node)}
        self._counts = [0] * len(script.places)
        self._stack: list[_Open] = []
        self._names = Names(script, self.tensors)
        self.sleeper: _Open | None = None
        self._off = False
        self._aside = False
        self._raised: BaseException | None = None
        self._missed = 0
        self._thread = threading.get_ident()
        self._roots = Roots(self.laps, places, self.names_of_tensors)
        self.autograd = Autograd(self)
        self.modules = Modules(self)
        self.optimizers = Optimizers(self)

    def install(self) -> None:
        """Stand before what the mode does not see; for the rest of the process."""
        self.autograd.install()
        self.modules.install()
        self.optimizers.install()
        listen_to_unheard(self)
        self.optimizers.listener = Norms(self.laps, self.tensors, self.names_of_tensors)

    # -- probes ------------------------------------------------------------------------------

    def enter(self, place: int) -> None:
        """A statement starts."""
        self._counts[place] += 1
        if self.sleeper is not None and not self._is_loop[place]:
            return
        if threading.get_ident() != self._thread:
            return
        frame = sys._getframe(1)
        if self._is_loop[place]:
            self.laps.enter(place, frame)
            if self.sleeper is not None:
                return
        if self._is_spent():
            self._sleep(self._stack[0])
            return
        if self._stack:
            outer = self._stack[-1]
            self.modules.settle()
            self._write_part(outer, frame if self._parents[place] == outer.place else None)
        self._stack.append(_Open(place, self._counts[place], id(frame), id(sys.exception())))
        if self._is_spent():
            self._sleep(self._stack[0])

    def leave(self, place: int) -> None:
        """A statement ends, by an exception or a jump too."""
        error = sys.exception()
        if error is not None:
            unlink(error, self._places.file)
        others = self.sleeper is not None and self.sleeper.place != place
        if others and not self._is_loop[place]:
            if error is not None:
                self._miss(error)
            return
        if threading.get_ident() != self._thread:
            return
        frame = sys._getframe(1)
        if self._is_loop[place]:
            self.laps.leave(place, frame)
            if others:
                return
        if self.sleeper is not None:
            if self.sleeper.frame != id(frame):
                return
            self._wake()
        for depth in range(len(self._stack) - 1, -1, -1):
            if self._stack[depth].place == place:
                break
        else:  # it started while the recorder slept, in a generator
            return
        run, *abandoned = self._stack[depth:]
        if id(error) != run.handled:
            self.modules.abandon(run)
        self.modules.settle()
        self.modules.name_roots(run, frame)
        del self._stack[depth:]
        for other in abandoned:
            self._write_part(other, None)
        self._write_part(run, frame)

    def over(self, place: int, given: Any) -> Any:
        """A loop will go over ``given``, or over several such things side by side."""
        if self.sleeper is None and threading.get_ident() == self._thread and self._stack:
            loop = self._stack[-1]
            if loop.place == place:
                length = self._length(given)
                loop.last = min(loop.last or length, length)
        return given

    def _length(self, given: Any) -> int:
        """Return how many laps there will be over something, 0 where that is not known."""
        if type(given) not in SIZED:
            return 0
        with self.aside(), contextlib.suppress(Exception):
            self.sleeper = self._stack[-1]  # a data set's own length may be the script's doing
            try:
                return len(given)
            finally:
                self.sleeper = None
        return 0

    def lap(self, place: int) -> None:
        """A lap of a loop starts."""
        if threading.get_ident() != self._thread:
            return
        if self._raised is not None and sys.exception() is not self._raised:
            self._raised = None  # let go of it, and of all that its frames hold
        frame = sys._getframe(1)
        self.laps.lap(place, frame)
        sleeper = self.sleeper
        if sleeper is not None:  # most often
            if sleeper.place == place and sleeper.frame == id(frame):
                self._start_lap(sleeper, frame)
            return
        for loop in reversed(self._stack):
            if loop.place == place and loop.frame == id(frame):
                self._start_lap(loop, frame)
                break

    def _start_lap(self, loop: _Open, frame: FrameType) -> None:
        loop.laps += 1
        wanted = loop.laps in KEPT_LAPS or loop.laps == loop.last
        kept = wanted and not self._is_spent()
        if kept and self.sleeper is not None:
            self._wake()
        if self.sleeper is None:
            self._write_part(loop, frame)  # now its targets are bound
            # Who iterates over a generator goes on while it waits in its loop: no sleep there.
            if not kept and loop.place not in self._yielding:
                self._sleep(loop)
            else:
                self.laps.keep(loop.place)

    # -- torch calls and printed text ----------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        frame = self.caller(sys._getframe(1))
        if frame is None:
            return func(*args, **kwargs)
        op = op_name(func)
        self._aside = True  # torch has taken the mode off
        try:
            return self.observe(func, op, frame, args, kwargs)
        finally:
            self._aside = False

    def observe(
        self,
        func: Callable[..., Any],
        op: str,
        frame: FrameType,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Call ``func`` and record what it does as one step of the script's ``frame``."""
        self.modules.settle()
        given = list(islice(tensors_in([args, kwargs]), TENSORS))
        before = [(tensor, self.tensors.record(tensor), version_of(tensor)) for tensor in given]
        ids = {id(tensor): record for tensor, record, _ in before}
        pending = self.pending(op, frame, self.operands(args, kwargs, ids))
        mark, begun, memories = self.autograd.mark(), len(self.steps), self.tensors.memories
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            self.autograd.forget()
            if error is not self._raised:  # else a step within this one has told
                self._raised = error
                self.add(pending, [], clash=clash_of(error, op, args, kwargs))
            raise
        made = list(islice(tensors_in(result), TENSORS))
        shared = is_shared(op, args, kwargs, result)
        if shared:
            self.tensors.share([*made, *given])
        if is_uninitialized(op, args, kwargs) or self._grew(op, before):
            self.tensors.leave_unwritten(made)
        writes = Writes.of(self.tensors, before, op, args, kwargs)
        results = [self.tensors.record(tensor) for tensor in made]
        if not (results or writes.changed or op in WITHOUT_RESULT):
            self.autograd.forget()
            return result
        in_place = writes.are_all(op, results)
        told = {*results, *(made for step in self.steps[begun:] for made in step.results)}
        beside = writes.beside(told) if results and not in_place else {}
        if first := FIRST.get(op.rpartition(".")[2]):
            self._add_written(replace(pending, op=first), beside)
            pending, beside = _reading(pending, beside), {}
        number = self.add(
            pending,
            results or list(writes.changed.values()),
            written=in_place,
            shared=shared,
            older=memories if op.startswith("torch.func.") else 0,
        )
        self._add_written(pending, beside)
        self.autograd.note(number, mark, [*made, *given])
        known = self.provenances.note(self.steps[number], func, args, kwargs)
        if known:
            self.steps[number] = replace(self.steps[number], provenance=known)
        return result

    def _grew(self, op: str, before: Sequence[Before]) -> bool:
        """Tell whether a call gave a tensor more memory, and wrote nothing there."""
        return op in RESIZING and any(
            self.tensors.has_grown(tensor, record) for tensor, record, _ in before[:1]
        )

    def _add_written(self, pending: Pending, beside: Mapping[int, int]) -> None:
        """Tell what a call wrote beside what it made: each is a step that writes in place."""
        for record, after in beside.items():
            self.add(replace(pending, operands=(Operand(tensor=record),)), [after], written=True)

    def _miss(self, error: BaseException | None) -> None:
        """An exception leaves a statement in a lap that is not kept: a torch call that raised is a
        step all the same, of the statement that sleeps."""
        sleeper = self.sleeper
        if error is self._raised or sleeper is None or threading.get_ident() != self._thread:
            return
        self._raised = error
        if self._missed >= MISSED or self.budget.full or not isinstance(error, Exception):
            return
        self._missed += 1
        call = missed_call(error, self._places.file)
        if call is None:
            return
        self.tensors.slept()
        _, expression = self._places.find_at(call.frame.f_code, call.instruction, call.line)
        operands = self.operands(call.args, call.kwargs)
        pending = Pending(call.op, expression, operands, sleeper, call.frame, call.line, None)
        self.add(pending, [], clash=clash_of(error, call.op, call.args, call.kwargs))

    def heard(self, text: str) -> None:
        """The script printed ``text``."""
        if self.sleeper is not None or threading.get_ident() != self._thread or not self._stack:
            return
        frame = self._places.innermost(sys._getframe(1))
        if frame is not None:
            run = self._run_at(self._places.find(frame)[0])
            run.printed += text[: PRINTED_KEPT - len(run.printed)]

    def begins(self, outputs: Sequence[Any]) -> None:
        """A backward pass begins at ``outputs``, in a lap that is kept or not."""
        if threading.get_ident() == self._thread:
            self._roots.hear(outputs)

    def abandon(self) -> None:
        """Record nothing any more: this is a forked child."""
        self._thread = -1

    def finish(self, frame: FrameType | None = None) -> None:
        """Write the parts of the runs that did not end, and measure what was noted; ``frame`` is
        that of the script itself where it is in the middle of a statement."""
        if self.sleeper is not None:
            self.sleeper = None
            self.tensors.slept()
            self.optimizers.settle()
        while self._stack:
            run = self._stack.pop()
            self._write_part(run, None if self._stack else frame)
        self.provenances.measure(self.steps)

    # -- steps -----------------------------------------------------------------------------------

    @property
    def is_own_thread(self) -> bool:
        """Whether this is the thread of the script, and no forked child."""
        return threading.get_ident() == self._thread

    @property
    def awake(self) -> bool:
        """Whether what happens now is recorded."""
        asleep = self.sleeper is not None or not self._stack
        return not asleep and threading.get_ident() == self._thread

    def caller(self, frame: FrameType) -> FrameType | None:
        """Return the script's frame that a call comes from; None where the call is not recorded:
        asleep, aside, in a module's constructor, or not the script's doing."""
        if self.sleeper is not None or self._aside or not self.awake:  # most often the first
            return None
        return self._places.innermost(frame, unless=is_construction)

    def pending(self, op: str, frame: FrameType, operands: tuple[Operand, ...]) -> Pending:
        """Return a step that begins now."""
        place, expression = self._places.find(frame)
        return Pending(
            op=op,
            expression=expression,
            operands=operands,
            run=self._run_at(place),
            frame=frame,
            line=frame.f_lineno,
            call=self.modules.call,
        )

    def operands(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        ids: Mapping[int, int] | None = None,
    ) -> tuple[Operand, ...]:
        """Return the arguments of a call as they are now; ``ids`` are records known already."""
        ids = ids or {}
        return tuple(
            Operand(
                tensor=ids[id(part)] if id(part) in ids else self.tensors.record(part), name=name
            )
            if isinstance(part, torch.Tensor)
            else Operand(literal=literal(part), name=name)
            for name, part in islice(parts(args, kwargs), TENSORS)
        )

    def add(
        self,
        pending: Pending,
        results: Sequence[int],
        *,
        written: bool = False,
        shared: bool = False,
        older: int = 0,
        clash: Clash | None = None,
    ) -> int:
        """Write a step that has ended, or raised, and return its number.

        A result in an operand's memory is a view, and so is one in memory below the number
        ``older``: a function that ran within the step may have had it from elsewhere.
        """
        results = tuple(dict.fromkeys(results)) if written else tuple(results)
        given = {self._storage(each.tensor) for each in pending.operands if each.tensor is not None}
        memories = [self._storage(record) for record in results]
        number = len(self.steps)
        pending.run.steps.append(number)
        self.steps.append(
            Step(
                number=number,
                run=-1,
                op=pending.op,
                expression=pending.expression,
                operands=pending.operands,
                results=results,
                view=not written and any(each < older or each in given for each in memories),
                written=written,
                shared=shared,
                line=pending.line,
                call=pending.call,
                clash=clash,
            )
        )
        self.budget.step(self.steps[number])
        self._stack[0].spent += 1
        if self._is_spent():
            self.sleeper = self._stack[0]  # torch has taken the mode off for this call: it stays
        return number

    @property
    def ends_kept(self) -> bool:
        """Whether the loop whose lap is not kept will have its last lap kept."""
        return bool(self.sleeper and self.sleeper.last and self.sleeper.place not in self._leaving)

    def asleep_at(self, frame: FrameType) -> Asleep | None:
        """Return where the script calls from ``frame`` while nothing is kept; None where that is
        in no loop of its own."""
        loop, call = self.laps.innermost(), self._places.innermost(frame)
        own = call
        while loop is not None and own is not None and id(own) != loop[1]:
            own = own.f_back
        if loop is None or own is None or call is None:
            return None
        return Asleep(loop[0], self.laps.running(), _instruction(own), _instruction(call))

    def add_unkept(
        self, op: str, at: Asleep, operands: tuple[Operand, ...], results: Sequence[int]
    ) -> int:
        """Write a step of a lap that is not kept, as of the statement of the loop's body that did
        it, and return its number."""
        place = self._places.find_at(*at.own)[0]
        while place is not None and self._parents[place] != at.loop:
            place = self._parents[place]
        run = _Open(at.loop if place is None else place, dict(at.laps)[at.loop], 0, 0)
        expression = self._places.find_at(*at.call)[1]
        step = Step(
            number=len(self.steps),
            run=-1,
            op=op,
            expression=expression,
            operands=operands,
            results=tuple(results),
            written=True,
            line=at.call[2],
        )
        self.steps.append(step)
        self.budget.step(step)
        run.steps.append(step.number)
        self._write_part(run, None, at.laps)
        return step.number

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Look away: what is called meanwhile is one step, which the caller adds."""
        self.modules.settle()
        outer, self._aside = self._aside, True
        off = self._take_off()
        try:
            yield
        finally:
            if off:
                self.__enter__()  # type: ignore[no-untyped-call]
            self._aside = outer

    @contextlib.contextmanager
    def awakened(self) -> Iterator[None]:
        """Look again, while aside."""
        outer, self._aside = self._aside, False
        on = self in _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        if not on:
            self.__enter__()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            if not on:
                self._take_off()
            self._aside = outer

    def cell(self, frame: FrameType) -> str | None:
        """Return the cell of the statement that a frame of the script runs."""
        place, _ = self._places.find(frame)
        return None if place is None else self._script.places[place].cell

    def names_of_tensors(self) -> dict[int, tuple[str, ...]]:
        """Return the script's names by the tensors (their ids) that they hold now."""
        names: dict[int, tuple[str, ...]] = {}
        frame = self._places.innermost(sys._getframe(1))
        for name, value in _visible(frame).items() if frame is not None else ():
            names[id(value)] = (*names.get(id(value), ()), name)
        return names

    # -- runs ------------------------------------------------------------------------------------

    def _storage(self, record: int) -> int:
        return self.tensors.records[record].storage

    def _run_at(self, place: int | None) -> _Open:
        """Return the open run of a statement, else (a lambda, called elsewhere) the innermost."""
        for run in reversed(self._stack):
            if run.place == place:
                return run
        return self._stack[-1]

    def _write_part(
        self,
        run: _Open,
        frame: FrameType | None,
        laps: tuple[tuple[int, int], ...] | None = None,
    ) -> None:
        """Write what the run did since its last part; with a frame, what its names hold now. Given
        are the ``laps`` that it was in, unless they are running."""
        told = self._told_as(run)
        seen = frame if told is run else None
        changed, plain = self._names.look(seen) if seen is not None else ({}, {})
        if not (run.steps or run.printed or changed or plain):
            return
        place = self._script.places[told.place]
        part = Run(
            cell=place.cell,
            statement=place.statement.number,
            lap=told.lap,
            steps=tuple(run.steps),
            changed=changed,
            printed=run.printed,
            plain=plain,
            laps=self._laps_of(told.place, self.laps.running() if laps is None else laps),
        )
        if self.runs and _same(self.runs[-1], part):  # nothing was written between
            part = _joined(self.runs.pop(), part)
        for number in run.steps:
            self.steps[number] = replace(self.steps[number], run=len(self.runs))
        self.runs.append(part)
        self.budget.run(run.printed, len(changed), plain, len(run.steps))
        run.steps, run.printed = [], ""
        if self._stack:
            self._stack[0].parts += 1

    def _laps_of(
        self, place: int, laps: tuple[tuple[int, int], ...]
    ) -> tuple[tuple[int, int], ...]:
        """Return those of the laps that are of loops of the cell of a statement, around it."""
        places, cell = self._script.places, self._script.places[place].cell
        own = (each for each in laps if places[each[0]].cell == cell and each[0] != place)
        return tuple((places[loop].statement.number, lap) for loop, lap in own)

    def _is_spent(self) -> bool:
        """Tell whether the rest of the top-level statement shall run unobserved."""
        self.budget.count(len(self.tensors.records), len(self.modules.calls))
        if not self._stack:
            return False
        top = self._stack[0]
        top.probes += 1
        spent = top.spent >= STEPS or top.parts >= RUNS or top.probes >= PROBES
        return spent or self.budget.full

    def _told_as(self, run: _Open) -> _Open:
        """Return the run whose part it is: in a function of another cell, the one that called it.

        So a cell holds all that its statements do, wherever the functions and classes are.
        """
        if not self._stack:
            return run
        home = self._script.places[self._stack[0].place].cell
        if self._script.places[run.place].cell == home:
            return run
        own = [each for each in self._stack if self._script.places[each.place].cell == home]
        return own[-1]

    # -- sleep -----------------------------------------------------------------------------------

    def _sleep(self, sleeper: _Open) -> None:
        self.sleeper = sleeper
        self._off = self._take_off()

    def _take_off(self) -> bool:
        """Take the mode off, unless the script's own is above it: then stay, and pass on."""
        modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        if not modes or modes[-1] is not self:
            return False
        self.__exit__(None, None, None)
        return True

    def _wake(self) -> None:
        self.sleeper = None
        self.tensors.slept()
        self.optimizers.settle()
        if self._off:
            self._off = False
            self.__enter__()  # type: ignore[no-untyped-call]


def _instruction(frame: FrameType) -> Instruction:
    return frame.f_code, frame.f_lasti, frame.f_lineno


def _reading(pending: Pending, written: Mapping[int, int]) -> Pending:
    """Return a step that reads what was written before it."""
    operands = [
        each if each.tensor is None else replace(each, tensor=written.get(each.tensor, each.tensor))
        for each in pending.operands
    ]
    return replace(pending, operands=tuple(operands))


def _visible(frame: FrameType) -> dict[str, torch.Tensor]:
    """Return the tensors that a frame's code sees, by name: its own names hide the globals."""
    return {
        name: value
        for name, value in {**frame.f_globals, **frame.f_locals}.items()
        if isinstance(value, torch.Tensor) and not name.startswith("__")
    }


def _yields(node: ast.AST) -> bool:
    """Tell whether a statement hands control to others while it runs (yield, await)."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    return isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) or any(
        _yields(child) for child in ast.iter_child_nodes(node) if not isinstance(child, inner)
    )


def _may_leave(node: ast.AST) -> bool:
    """Tell whether a loop may end before it has gone over all that it goes over."""
    return any(isinstance(each, ast.Break | ast.Return) for each in ast.walk(node))


def _parents(script: Script) -> list[int | None]:
    """Return for each statement the index of the one around it."""
    index = {(place.cell, place.statement.number): i for i, place in enumerate(script.places)}
    return [
        None if place.statement.parent is None else index[place.cell, place.statement.parent]
        for place in script.places
    ]


def _same(one: Run, other: Run) -> bool:
    return (one.cell, one.statement, one.lap) == (other.cell, other.statement, other.lap)


def _joined(one: Run, other: Run) -> Run:
    """Return two parts of a run as one."""
    return replace(
        one,
        steps=one.steps + other.steps,
        changed={**one.changed, **other.changed},
        printed=one.printed + other.printed,
        plain={**one.plain, **other.plain},
        laps=other.laps,
    )
