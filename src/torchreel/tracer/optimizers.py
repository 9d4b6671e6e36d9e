"""Optimizers: each ``step()`` is one step of the trace, with what it did to every parameter."""

from __future__ import annotations

import functools
import math
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn.utils import clip_grad
from torch.optim import Optimizer

from torchreel.records import Operand, OptimizerStep, ParameterUpdate
from torchreel.tracer.literals import literal, tensors_in

if TYPE_CHECKING:
    from torchreel.tracer.recorder import Asleep, Recorder


class Listener(Protocol):
    """Who is told what a step measured."""

    def wanted(self) -> bool:
        """Tell whether a step that is not kept shall be measured."""

    def __call__(
        self, optimizer: Optimizer, gradients: Sequence[float], updates: Sequence[float]
    ) -> None:
        """Hear, for each parameter that has a gradient (see :func:`trained`), the Euclidean norms
        of its gradient and of what the step changed of it."""


@dataclass(frozen=True)
class _Unkept:
    """A step that is not kept: where it was, the parameters before it, and their gradients, with
    the versions that they had."""

    where: Asleep
    before: list[torch.Tensor]
    gradients: list[torch.Tensor | None]
    written: list[int | None]


PLAIN = (bool, int, float, str, list, tuple, type(None))


class Optimizers:
    """Records what optimizers do, and can tell the norms of every step, kept or not."""

    def __init__(self, recorder: Recorder) -> None:
        self.steps: list[OptimizerStep] = []
        self.listener: Listener | None = None
        self._recorder = recorder
        self._tensors = recorder.tensors
        self._unkept: weakref.WeakKeyDictionary[Optimizer, _Unkept] = weakref.WeakKeyDictionary()
        self._regular: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._stepping: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._scratch: weakref.WeakKeyDictionary[Optimizer, list[torch.Tensor]] = (
            weakref.WeakKeyDictionary()
        )

    def install(self) -> None:
        """Stand before ``step()`` of every optimizer, ``zero_grad()`` and the clipping of
        gradients."""
        optimizers: Any = Optimizer
        hooked = optimizers.profile_hook_step  # what torch itself puts around every step()

        def observed_hook(step: Any) -> Any:
            return self._observed_step(hooked(step))

        optimizers.profile_hook_step = staticmethod(observed_hook)
        modules: Any = torch.nn.Module
        for owner in (optimizers, modules):
            owner.zero_grad = self._observed_zero_grad(owner.zero_grad)
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            clipped = self._observed_clip(getattr(clip_grad, name))
            setattr(clip_grad, name, clipped)
            setattr(torch.nn.utils, name, clipped)

    # -- step ------------------------------------------------------------------------------------

    def _observed_step(self, step: Any) -> Any:
        recorder = self._recorder

        @functools.wraps(step)
        def observed(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            listened = self.listener is not None and self.listener.wanted()
            if optimizer in self._stepping:  # the step() of a base is part of its own
                return step(optimizer, *args, **kwargs)
            asleep = recorder.sleeper is not None and recorder.is_own_thread
            if asleep:
                if optimizer not in self._regular or not recorder.ends_kept:
                    self._remember(optimizer, sys._getframe(1))
                if not listened:
                    return step(optimizer, *args, **kwargs)
            frame = recorder.caller(sys._getframe(1))
            if frame is None and not listened:
                return step(optimizer, *args, **kwargs)
            self._stepping.add(optimizer)
            try:
                if frame is None:
                    return self._listened(step, optimizer, args, kwargs)
                return self._step(step, optimizer, frame, args, kwargs)
            finally:
                self._stepping.discard(optimizer)

        return observed

    def _listened(self, step: Any, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        last = self._unkept.get(optimizer)
        before = self._copies(optimizer) if last is None else last.before
        result = step(optimizer, *args, **kwargs)
        self._tell(optimizer, before)
        return result

    def _step(
        self, step: Any, optimizer: Optimizer, frame: FrameType, args: Any, kwargs: Any
    ) -> Any:
        if self._recorder.laps.number == 1:
            self._regular.add(optimizer)
        parameters = _parameters(optimizer)
        # Where there is a closure, what it calls are steps of their own.
        with self._recorder.aside():
            ids = [self._tensors.record(parameter) for parameter in parameters]
            operands = _operands(ids) + self._recorder.operands(args, kwargs)
            pending = self._recorder.pending(_op(optimizer, "step"), frame, operands)
            before = self._copies(optimizer)
            args = tuple(self._awakened(value) for value in args)
            kwargs = {name: self._awakened(value) for name, value in kwargs.items()}
            result = step(optimizer, *args, **kwargs)
            updates = tuple(self._updates(parameters, ids, before))
            changed = [update.after for update in updates if update.after != update.before]
            # A step by zero gradients writes the numbers that were there.
            results = changed or [update.after for update in updates]
            number = self._recorder.add(pending, results, written=bool(results))
            settings = _settings(optimizer)
            self.steps.append(OptimizerStep(number, type(optimizer).__name__, settings, updates))
            self._recorder.budget.optimizer(self.steps[-1])
            self._tell(optimizer, before)
        return result

    def _updates(
        self, parameters: list[torch.Tensor], ids: list[int], before: list[torch.Tensor]
    ) -> Iterator[ParameterUpdate]:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for parameter, record, old in zip(parameters, ids, before, strict=True):
                after = self._tensors.record(parameter)
                gradient = parameter.grad
                if gradient is None and after == record:
                    continue
                yield ParameterUpdate(
                    name=self._tensors.name_of(parameter),
                    before=record,
                    after=after,
                    gradient=None if gradient is None else self._tensors.record(gradient),
                    norm=_norm(old),
                    gradient_norm=0.0 if gradient is None else _norm(gradient),
                    update_norm=_norm(parameter.detach() - old),
                )

    def _awakened(self, value: Any) -> Any:
        """Return a closure that is observed though the step around it is not."""
        if not callable(value):
            return value

        @functools.wraps(value)
        def awakened(*args: Any, **kwargs: Any) -> Any:
            with self._recorder.awakened():
                return value(*args, **kwargs)

        return awakened

    def _copies(self, optimizer: Optimizer) -> list[torch.Tensor]:
        """Return the parameters as they are now, in memory that is used again at the next step."""
        parameters = _parameters(optimizer)
        with torch.no_grad(), torch._C.DisableTorchFunction():
            scratch = self._scratch.get(optimizer)
            if scratch is None or not _fit(scratch, parameters):
                scratch = [parameter.detach().clone() for parameter in parameters]
                self._scratch[optimizer] = scratch
            else:
                torch._foreach_copy_(scratch, parameters)
        return scratch

    def _tell(self, optimizer: Optimizer, before: list[torch.Tensor]) -> None:
        """Tell the listener the norms."""
        if self.listener is None:
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            pairs = [
                (parameter, old)
                for parameter, old in zip(_parameters(optimizer), before, strict=True)
                if parameter.grad is not None
            ]
            if not pairs:
                return
            olds = [old for _, old in pairs]
            moved = torch._foreach_sub(olds, [parameter for parameter, _ in pairs])
            gradients = [_dense(each.grad) for each, _ in pairs if each.grad is not None]
            norms = torch._foreach_norm([*gradients, *moved])
            numbers = [norm.item() for norm in norms]
        self.listener(optimizer, numbers[: len(pairs)], numbers[len(pairs) :])

    # -- steps that are not kept ---------------------------------------------------------------

    def _remember(self, optimizer: Optimizer, frame: FrameType) -> None:
        """Keep what a step begins with that is not kept: it may be the last of its loop. (Not so
        where it is made in every lap, and the last lap will be kept.)"""
        where = self._recorder.asleep_at(frame)
        if where is None:
            return
        parameters = _parameters(optimizer)
        with torch._C.DisableTorchFunction():
            gradients = [each.grad for each in parameters]
            written = [None if each is None else each._version for each in gradients]
        self._unkept[optimizer] = _Unkept(where, self._copies(optimizer), gradients, written)

    def settle(self) -> None:
        """Tell the last steps that were not kept: nothing is, from here on, what they left."""
        for optimizer, last in [*self._unkept.items()]:
            parameters = _parameters(optimizer)
            if _fit(last.before, parameters) and not self._recorder.budget.full:
                self._tell_unkept(optimizer, last, parameters)
        self._unkept.clear()

    def _tell_unkept(
        self, optimizer: Optimizer, last: _Unkept, parameters: list[torch.Tensor]
    ) -> None:
        updates = []
        ids = [self._tensors.record(parameter) for parameter in parameters]
        with torch.no_grad(), torch._C.DisableTorchFunction():
            olds = zip(parameters, ids, last.before, last.gradients, last.written, strict=True)
            for parameter, after, old, gradient, written in olds:
                if gradient is None:
                    continue
                known = gradient if gradient._version == written else None
                updates.append(
                    ParameterUpdate(
                        name=self._tensors.name_of(parameter),
                        before=self._tensors.record_before(old, after),
                        after=after,
                        gradient=None if known is None else self._tensors.record(known),
                        norm=_norm(old),
                        gradient_norm=None if known is None else _norm(known),
                        update_norm=_norm(parameter.detach() - old),
                    )
                )
        if updates:
            op, before = _op(optimizer, "step"), [update.before for update in updates]
            results = [update.after for update in updates]
            number = self._recorder.add_unkept(op, last.where, _operands(before), results)
            name = type(optimizer).__name__
            self.steps.append(OptimizerStep(number, name, _settings(optimizer), tuple(updates)))
            self._recorder.budget.optimizer(self.steps[-1])

    # -- gradients -------------------------------------------------------------------------------

    def _observed_zero_grad(self, zero_grad: Any) -> Any:
        """One step: its operands are the gradients there were, its results what they are now
        (none, where they became None)."""

        recorder = self._recorder

        @functools.wraps(zero_grad)
        def observed(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if recorder.sleeper is not None:
                return zero_grad(owner, *args, **kwargs)
            frame = recorder.caller(sys._getframe(1))
            if frame is None:
                return zero_grad(owner, *args, **kwargs)
            if isinstance(owner, Optimizer):
                name, parameters = _op(owner, "zero_grad"), _parameters(owner)
            else:
                name, parameters = "torch.nn.Module.zero_grad", list(owner.parameters())
            call = functools.partial(zero_grad, owner)
            return self._written(name, call, parameters, frame, args, kwargs)

        return observed

    def _observed_clip(self, clip: Any) -> Any:
        @functools.wraps(clip)
        def observed(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            frame = self._recorder.caller(sys._getframe(1))
            if frame is None:
                return clip(parameters, *args, **kwargs)
            given = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            call = functools.partial(clip, given)
            name = f"torch.nn.utils.{clip.__name__}"
            return self._written(name, call, given, frame, args, kwargs)

        return observed

    def _written(
        self,
        name: str,
        call: Any,
        parameters: list[torch.Tensor],
        frame: FrameType,
        args: Any,
        kwargs: Any,
    ) -> Any:
        """Run a call that writes the parameters' gradients as one step."""
        with self._recorder.aside():
            before = self._gradients(parameters)
            operands = _operands(before) + self._recorder.operands(args, kwargs)
            pending = self._recorder.pending(name, frame, operands)
            result = call(*args, **kwargs)
            after = self._gradients(parameters)
            returned = [self._tensors.record(each) for each in tensors_in(result)]
            self._recorder.add(pending, [*after, *returned], written=bool(after))
        return result

    def _gradients(self, parameters: list[torch.Tensor]) -> list[int]:
        with torch._C.DisableTorchFunction():
            return [self._tensors.record(each.grad) for each in parameters if each.grad is not None]


def trained(optimizer: Optimizer) -> list[torch.Tensor]:
    """Return the optimizer's parameters that have a gradient, in the order of its groups."""
    with torch._C.DisableTorchFunction():
        return [each for each in _parameters(optimizer) if each.grad is not None]


def _parameters(optimizer: Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _fit(scratch: list[torch.Tensor], parameters: list[torch.Tensor]) -> bool:
    return len(scratch) == len(parameters) and all(
        (old.shape, old.dtype, old.device) == (new.shape, new.dtype, new.device)
        for old, new in zip(scratch, parameters, strict=True)
    )


def _operands(ids: list[int]) -> tuple[Operand, ...]:
    return tuple(Operand(tensor=record) for record in ids)


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_dense() if tensor.is_sparse else tensor


def _norm(tensor: torch.Tensor) -> float | None:
    norm = float(torch.linalg.vector_norm(_dense(tensor.detach())).item())
    return norm if math.isfinite(norm) else None


def _op(optimizer: Optimizer, method: str) -> str:
    cls = type(optimizer)
    if getattr(torch.optim, cls.__name__, None) is cls:
        return f"torch.optim.{cls.__name__}.{method}"
    name = cls.__qualname__ if cls.__module__ == "__main__" else f"{cls.__module__}.{cls.__name__}"
    return f"{name}.{method}"


def _settings(optimizer: Optimizer) -> dict[str, str]:
    """Return the plain options of the first group as Python text."""
    settings = {}
    for name, value in optimizer.param_groups[0].items():
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            settings[name] = literal(value.item())
        elif name != "params" and isinstance(value, PLAIN):
            settings[name] = literal(value)
    return settings
