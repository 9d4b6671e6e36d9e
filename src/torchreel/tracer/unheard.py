"""Calls that no torch function mode hears, or hears in pieces: each is one step, or none.

Torch asks no mode where a call takes no tensor (``torch.from_numpy``), or where it gives one other
memory (``Tensor.set_``). Of a transform of ``torch.func`` a mode hears what runs within it, on
tensors that are not the script's: the shapes of one example, gradients of another level.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import dlpack
from torch.utils.data import dataloader

if TYPE_CHECKING:
    from torchreel.tracer.recorder import Recorder

TRANSFORMS = (
    *("vmap", "grad", "grad_and_value", "jacrev", "jacfwd", "hessian", "functionalize"),
    *("vjp", "jvp", "linearize"),
)
"""Functions of ``torch.func``: most return a function, the last three call the one they are given,
and two of these return what came of it beside a function."""

CALLING = {"vjp": "vjp_fn", "jvp": "", "linearize": "jvp_fn"}
"""The transforms that call, and how torch's documentation names the function that they return."""

LEGACY_TYPE = type(torch.FloatTensor)


def install(recorder: Recorder) -> None:
    """Stand before these calls, for the rest of the process."""
    owners: Any = (torch, torch.Tensor, dlpack, torch.func)
    package, tensor, exchange, transforms = owners
    parameter: Any = torch.nn.Parameter
    tensor.__new__ = _making(recorder, tensor, "torch.Tensor")
    parameter.__new__ = _making(recorder, parameter, "torch.nn.Parameter")
    copying: Any = copy
    copying.copy = _copying(recorder, copy.copy)
    for name in ("from_numpy", "frombuffer", "load"):
        setattr(package, name, _told(recorder, getattr(package, name), f"torch.{name}"))
    for name in ("nested_tensor", "as_nested_tensor"):
        told = _told(recorder, getattr(torch.nested, name), f"torch.nested.{name}")
        setattr(torch.nested, name, told)
    tensor.set_ = _told(recorder, tensor.set_, "torch.Tensor.set_")
    for name in ("from_dlpack", "to_dlpack"):
        told = _told(recorder, getattr(exchange, name), f"torch.utils.dlpack.{name}")
        setattr(exchange, name, told)
        setattr(package, name, told)
    loader: Any = dataloader.DataLoader
    fetching: Any = dataloader._BaseDataLoaderIter
    rebuilding: Any = torch._utils
    loader.__iter__ = _aside(recorder, loader.__iter__)  # draws the seed of its workers
    fetching.__next__ = _aside(recorder, fetching.__next__)
    rebuilding._rebuild_tensor = _aside(recorder, rebuilding._rebuild_tensor)
    swapping: Any = torch.utils
    swapping.swap_tensors = _aside(recorder, swapping.swap_tensors)
    for name in TRANSFORMS:
        setattr(transforms, name, _transforming(recorder, getattr(transforms, name), name))
    package.vmap = transforms.vmap


def _told(recorder: Recorder, function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """Return a function each of whose calls is a step, and nothing of what runs within it."""

    @functools.wraps(function)
    def told(*args: Any, **kwargs: Any) -> Any:
        frame = recorder.caller(sys._getframe(1))
        if frame is None:
            return function(*args, **kwargs)
        with recorder.aside():
            return recorder.observe(function, op, frame, args, kwargs)

    return told


def legacy(recorder: Recorder) -> Callable[[Any], Any]:
    """Return a function that stands in a script between ``torch.FloatTensor`` and its call."""

    def called(kind: Any) -> Any:
        if type(kind) is not LEGACY_TYPE:
            return kind
        return _told(recorder, kind, f"torch.{kind.__name__}")

    return called


def _making(recorder: Recorder, made: type, op: str) -> Callable[..., Any]:
    """Return a ``__new__`` of a class: its calls are steps, of those for its subclasses nothing is
    told."""
    make = made.__new__
    told = _told(recorder, functools.partial(make, made), op)

    @functools.wraps(make)
    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return told(*args, **kwargs) if cls is made else make(cls, *args, **kwargs)

    return new


def _copying(recorder: Recorder, duplicate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``copy.copy``, which tells of a tensor that it is copied: its memory is not."""
    told = _told(recorder, duplicate, "copy.copy")

    @functools.wraps(duplicate)
    def copied(x: Any) -> Any:
        return told(x) if isinstance(x, torch.Tensor) else duplicate(x)

    return copied


def _aside(recorder: Recorder, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function nothing of which is told: how a batch is fetched, what ``copy`` and
    ``pickle`` make a tensor of, how two tensors are swapped."""

    @functools.wraps(function)
    def aside(*args: Any, **kwargs: Any) -> Any:
        if recorder.caller(sys._getframe(1)) is None:
            return function(*args, **kwargs)
        with recorder.aside():
            return function(*args, **kwargs)

    return aside


def _transforming(recorder: Recorder, transform: Any, name: str) -> Callable[..., Any]:
    """Return a transform whose functions tell their calls."""
    op = f"torch.func.{name}"
    if name in CALLING:
        calling = _told(recorder, transform, op)

        @functools.wraps(transform)
        def called(*args: Any, **kwargs: Any) -> Any:
            made = calling(*args, **kwargs)
            return tuple(
                _told(recorder, each, f"{op}.{CALLING[name]}")
                if isinstance(each, FunctionType)
                else each
                for each in made
            )

        return called

    @functools.wraps(transform)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        return _told(recorder, transform(*args, **kwargs), op)

    return transformed
