"""Modules: the trees that the script builds or calls, and the calls themselves.

Building a module is one step, however many lines of constructors and initialisation run for it:
its op is the class (``torch.nn.Linear``, ``SimpleNet``), its operands what the class was given, its
results the parameters and buffers of the whole tree. Of a statement that builds several modules one
of another (``nn.Sequential(nn.Linear(2, 3), nn.ReLU())``) the outermost is the step.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchreel.records import ModuleCall, ModuleRecord, Operand
from torchreel.tracer.literals import tensors_in

if TYPE_CHECKING:
    from torchreel.tracer.recorder import Pending, Recorder

WHOLE = (
    *("to", "cpu", "cuda", "float", "double", "half", "bfloat16", "type", "to_empty"),
    *("requires_grad_", "load_state_dict", "state_dict"),
)
"""Methods of a module that are one step, though they do the same to each of its tensors."""

CONSTRUCTORS = ("__init__", "_infer_parameters")


@dataclass(frozen=True)
class _Building:
    """A module whose constructor has begun, and the step that it will be."""

    module: weakref.ref[nn.Module]
    step: Pending


class Modules:
    """Records the trees of modules and their calls."""

    def __init__(self, recorder: Recorder) -> None:
        self.records: list[ModuleRecord] = []
        self.calls: list[ModuleCall] = []
        self._recorder = recorder
        self._tensors = recorder.tensors
        self._known: dict[int, tuple[weakref.ref[nn.Module], int]] = {}
        self._open: list[int] = []
        self._building: list[_Building] = []
        self._unnamed: list[tuple[int, object]] = []

    @property
    def call(self) -> int | None:
        """The innermost call that is running."""
        return self._open[-1] if self._open else None

    def install(self) -> None:
        """Stand before calls of modules, their construction, and the methods in ``WHOLE``."""
        modules: Any = nn.Module
        call = modules._call_impl
        recorder = self._recorder

        @functools.wraps(call)
        def observed_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if recorder.sleeper is not None:
                return call(module, *args, **kwargs)
            frame = recorder.caller(sys._getframe(1))
            if frame is None:
                return call(module, *args, **kwargs)
            with self._calling(module, frame, args, kwargs) as results:
                results.append(call(module, *args, **kwargs))
            return results[0]

        overrides: Any = torch.overrides
        asked = overrides.has_torch_function

        @functools.wraps(asked)
        def has_torch_function(args: Any) -> Any:
            # Attention and encoder layers take another path (other bits) where a mode is active.
            if not self._recorder.awake:
                return asked(args)
            with self._recorder.aside():
                return asked(args)

        overrides.has_torch_function = has_torch_function
        modules._call_impl = observed_call
        modules.__new__ = self._new
        modules.__deepcopy__ = self._deepcopy()
        for name in WHOLE:
            setattr(modules, name, self._whole(getattr(modules, name)))

    # -- building ------------------------------------------------------------------------------

    def _new(self, cls: type[nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
        create: Any = super(nn.Module, cls).__new__
        module: nn.Module = (
            create(cls) if create is object.__new__ else create(cls, *args, **kwargs)
        )
        frame = self._recorder.caller(sys._getframe(1))
        copied = sys._getframe(1).f_code.co_name == "__newobj__"
        if frame is not None and not copied and not _constructing(frame):
            operands = self._recorder.operands(args, kwargs)
            step = self._recorder.pending(_op(cls), frame, operands)
            self._building.append(_Building(weakref.ref(module), step))
        return module

    def settle(self) -> None:
        """Make steps of the modules whose constructors have ended."""
        if not self._building:
            return
        constructing = _constructing(sys._getframe(1))
        ended = [each for each in self._building if id(each.module()) not in constructing]
        self._building = [each for each in self._building if each not in ended]
        whole = [(module, each.step) for each in ended if (module := each.module()) is not None]
        for module, step in whole:
            others = [other for other, _ in whole if other is not module]
            if not any(_holds(other, module) for other in others):
                self._unnamed.append((self._register(self._root(module), step.frame), step.run))
                if records := self._records_of(module):  # of one without a tensor nothing is seen
                    self._recorder.add(step, records)

    def abandon(self, run: object) -> None:
        """A statement's run ended by an exception: what it was building may be half done."""
        self._building = [each for each in self._building if each.step.run is not run]

    def name_roots(self, run: object, frame: FrameType) -> None:
        """A statement's run ended: find the names that it gave to the modules it built."""
        for number in [number for number, built_in in self._unnamed if built_in is run]:
            module = self._module(number)
            if module is not None:
                name = _variable(module, frame)
                self.records[number] = replace(self.records[number], name=name)
        self._unnamed = [each for each in self._unnamed if each[1] is not run]

    def _whole(self, method: Any) -> Any:
        """Return a method of modules as one step: from their tensors to what they are after."""

        @functools.wraps(method)
        def observed(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            frame = self._recorder.caller(sys._getframe(1))
            if frame is None:
                return method(module, *args, **kwargs)
            with self._recorder.aside():
                self._register(self._root(module), frame)
                before = self._records_of(module)
                name = f"torch.nn.Module.{method.__name__}"
                tensors = tuple(Operand(tensor=record) for record in before)
                operands = tensors + self._recorder.operands(args, kwargs)
                step = self._recorder.pending(name, frame, operands)
                result = method(module, *args, **kwargs)
                given = [self._tensors.record(tensor) for tensor in tensors_in(result)]
                after = given or self._records_of(module)
                written = method.__name__ == "load_state_dict" and before != after
                self._recorder.add(step, after, written=written)
            return result

        return observed

    def _deepcopy(self) -> Any:
        """Return what ``copy.deepcopy`` does with a module, as one step: from the tensors of its
        tree to those of the new one."""

        def copied(module: nn.Module, memo: dict[int, Any]) -> Any:
            plan: Any = module.__reduce_ex__(4)
            rebuild: Any = copy._reconstruct  # type: ignore[attr-defined]
            frame = self._recorder.caller(sys._getframe(1))
            if frame is None:
                return rebuild(module, memo, *plan)
            with self._recorder.aside():
                self._register(self._root(module), frame)
                operands = tuple(Operand(tensor=each) for each in self._records_of(module))
                step = self._recorder.pending("copy.deepcopy", frame, operands)
                made = rebuild(module, memo, *plan)
                self._unnamed.append((self._register(made, frame), step.run))
                self._recorder.add(step, self._records_of(made))
            return made

        return copied

    # -- calls -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _calling(
        self, module: nn.Module, frame: FrameType, args: Any, kwargs: Any
    ) -> Iterator[list[Any]]:
        """Record a call; its result is put into the list that is yielded."""
        self.settle()
        if not self._open or self._number(module) is None:
            self._register(self._root(module), frame)
        known = self._number(module)
        assert known is not None
        number, first = len(self.calls), len(self._recorder.steps)
        self.calls.append(
            ModuleCall(
                number=number,
                module=known,
                operands=self._recorder.operands(args, kwargs),
                results=(),
                parent=self.call,
                training=module.training,
            )
        )
        self._open.append(number)
        results: list[Any] = []
        try:
            yield results
        finally:
            self._open.remove(number)
            last = len(self._recorder.steps) - 1
            self.calls[number] = replace(
                self.calls[number],
                results=tuple(self._tensors.record(each) for each in tensors_in(results)),
                first=first if last >= first else None,
                last=last if last >= first else None,
            )

    # -- trees -----------------------------------------------------------------------------------

    def _number(self, module: nn.Module) -> int | None:
        known = self._known.get(id(module))
        return known[1] if known is not None and known[0]() is module else None

    def _root(self, module: nn.Module) -> nn.Module:
        """Return the root of the known tree that the module is in now, else the module."""
        number = self._number(module)
        while number is not None and (parent := self.records[number].parent) is not None:
            number = parent
        known = self._module(number) if number is not None else None
        if known is not None:
            return known
        roots = [self._module(record.number) for record in self.records if record.parent is None]
        return next((root for root in roots if root is not None and _holds(root, module)), module)

    def _module(self, number: int) -> nn.Module | None:
        for known, its in self._known.values():
            if its == number:
                return known()
        return None

    def _register(self, root: nn.Module, frame: FrameType) -> int:
        """Record what is new in a tree, and return the number of its root."""
        numbers: dict[str, int] = {}
        named: set[int] = set()
        for path, module in nn.Module.named_modules(root):
            own = {**module._parameters, **module._buffers}
            for name, tensor in own.items():
                if tensor is not None and id(tensor) not in named:
                    named.add(id(tensor))
                    self._tensors.name(tensor, f"{path}.{name}" if path else name)
            numbers[path] = self._register_one(root, path, module, numbers, frame)
        return numbers[""]

    def _register_one(
        self,
        root: nn.Module,
        path: str,
        module: nn.Module,
        numbers: Mapping[str, int],
        frame: FrameType,
    ) -> int:
        parent = numbers[path.rpartition(".")[0]] if path else None
        number = self._number(module)
        if number is not None:
            record = self.records[number]
            if (record.path, record.parent) == (path, parent):
                if not path and not record.name:
                    self.records[number] = replace(record, name=_variable(root, frame))
                return number
        number = len(self.records)
        self._known[id(module)] = weakref.ref(module), number
        self.records.append(
            ModuleRecord(
                number=number,
                path=path,
                kind=type(module).__name__,
                parent=parent,
                name="" if path else _variable(root, frame),
                detail=_detail(module),
                parameters=self._recorded(module._parameters),
                buffers=self._recorded(module._buffers),
                cell=self._recorder.cell(frame),
            )
        )
        return number

    def _recorded(self, tensors: Mapping[str, torch.Tensor | None]) -> dict[str, int]:
        return {
            name: self._tensors.record(tensor)
            for name, tensor in tensors.items()
            if tensor is not None
        }

    def _records_of(self, module: nn.Module) -> list[int]:
        tensors = [*nn.Module.parameters(module), *nn.Module.buffers(module)]
        return [self._tensors.record(tensor) for tensor in tensors]


def is_construction(frame: FrameType) -> bool:
    """Tell whether a frame runs a module's constructor, or makes a lazy module's parameters."""
    code = frame.f_code
    if code.co_name not in CONSTRUCTORS or not code.co_argcount:
        return False
    return isinstance(frame.f_locals.get(code.co_varnames[0]), nn.Module)


def _constructing(frame: FrameType | None) -> set[int]:
    """Return the ids of the modules whose constructors this frame runs in."""
    found = set()
    while frame is not None:
        if is_construction(frame):
            found.add(id(frame.f_locals[frame.f_code.co_varnames[0]]))
        frame = frame.f_back
    return found


def _holds(root: nn.Module, module: nn.Module) -> bool:
    return any(part is module for part in nn.Module.modules(root))


def _op(cls: type[nn.Module]) -> str:
    if getattr(nn, cls.__name__, None) is cls:
        return f"torch.nn.{cls.__name__}"
    return cls.__qualname__ if cls.__module__ == "__main__" else f"{cls.__module__}.{cls.__name__}"


def _variable(module: nn.Module, frame: FrameType) -> str:
    for scope in (frame.f_locals, frame.f_globals):
        for name, value in list(scope.items()):
            if value is module and not name.startswith("__"):
                return name
    return ""


def _detail(module: nn.Module) -> str:
    try:
        return str(module.extra_repr())
    except Exception:  # the script's own, perhaps before the module is whole
        return ""
