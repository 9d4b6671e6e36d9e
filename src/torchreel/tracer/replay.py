"""A torch call run again on other operands, so that nobody notices.

What is run again are torch's own functions on clones, on the CPU, outside of autograd, with the
random generator put back and warnings swallowed: neither the script's tensors nor what it draws,
prints or profiles can tell. What could tell is not run: :class:`Unmeasured` says why.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from torchreel.records import Array, TensorRecord
from torchreel.tracer.literals import PLAIN, TORCH, tensors_in

OWN = re.compile(
    r"torch\.(Tensor\.|functional\.|nn\.functional\.|nn\.init\.|special\.|linalg\.|fft\.|_C\._\w+\.)?"
    r"(?!_[^_])[^.]+(\.__get__)?"
)
"""Names of functions of torch that compute from their arguments alone. Custom operators, collective
communication and other libraries' functions have other names."""

ELSEWHERE = frozenset(
    ["backward", "share_memory_", "pin_memory", "record_stream", "apply_", "map_", "map2_"]
)
"""Methods that do something beside computing: with gradients, memory, streams, Python code."""

UNCHECKED = frozenset(["ctc_loss", "ldl_solve", "lu_solve", "lu_unpack", "segment_reduce", "zeta"])
"""Functions that trust their operands: wrong ones would crash the process, or keep it for hours, as
would the special polynomials of a high degree."""

COUNTING = frozenset(["histc", "histogram", "histogramdd"])
"""Functions with bins that no change of an element may happen to reach."""

TENSORS = (torch.Tensor, torch.nn.Parameter)


COPIES = frozenset(["_to_copy", "clone", "copy_", "detach", "alias", "lift_fresh"])
"""Inner ops that leave every element where it is, beside those that torch declares pointwise."""


class Unmeasured(Exception):  # noqa: N818 (a finding, not an error)
    """Nothing truthful can be told of where the elements went; the message says why."""


class InnerOps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hears of which of torch's inner ops a call consists: their names, and whether torch declares
    all of them to work element by element."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self.pointwise = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else its first use would import torch._dynamo, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the op, and look at its tags."""
        name = func.overloadpacket.__name__
        self.names.add(name)
        self.pointwise &= torch.Tag.pointwise in func.tags or name in COPIES
        return func(*args, **(kwargs or {}))


class Replay:
    """A torch call, to be run again on other operands."""

    def __init__(
        self, op: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Raise Unmeasured where running it again could be noticed."""
        name = op.rpartition(".")[2]
        if not OWN.fullmatch(op) or name in ELSEWHERE:
            raise Unmeasured("what it does beside computing is not known")
        if name in UNCHECKED | COUNTING or "polynomial" in name:
            raise Unmeasured("it cannot be run on other values")
        self._func = torch.Tensor.cpu if func is torch.Tensor.cuda else func
        # What was in ``out`` does not matter: without it the same is computed.
        plain = {key: value for key, value in kwargs.items() if key != "out"}
        for value in (*args, *plain.values()):
            _check(value)
        self._args, self._kwargs = args, plain
        self._inner: InnerOps | None = None

    def __call__(self, operands: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Run the call on these; return its results, or the operands that it wrote."""
        rest = iter(operands)
        args = [_with(value, rest) for value in self._args]
        kwargs = {key: _with(value, rest) for key, value in self._kwargs.items()}
        versions = [operand._version for operand in operands]
        results = list(tensors_in(self._func(*args, **kwargs)))
        return results or [
            operand
            for operand, version in zip(operands, versions, strict=True)
            if operand._version != version
        ]

    def inner_ops(self, operands: Sequence[torch.Tensor]) -> InnerOps:
        """Return of which ops the call consists on these operands."""
        if self._inner is None:
            self._inner = InnerOps()
            with self._inner:
                self([operand.clone() for operand in operands])
        return self._inner


@contextlib.contextmanager
def unnoticed() -> Iterator[None]:
    """Let what runs inside leave no trace; raises Unmeasured where that cannot be promised."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        raise Unmeasured("it ran inside a torch.func transform")
    if _get_current_dispatch_mode_stack():
        raise Unmeasured("the script's own dispatch mode is active")
    if torch._C._get_tracing_state() is not None:
        raise Unmeasured("the script was being traced by torch.jit")
    if torch._C._autograd._profiler_enabled():
        raise Unmeasured("the script's profiler is running")
    state = torch.default_generator.get_state()
    try:
        with (
            torch._C.DisableTorchFunction(),
            torch.inference_mode(False),
            torch.no_grad(),
            np.errstate(all="ignore"),
            _exact(),
            _silent(),
            _unhooked(),
        ):
            yield
    finally:
        torch.default_generator.set_state(state)


def random_state() -> bytes:
    """Return the state of the CPU's default generator."""
    return bytes(torch.default_generator.get_state().numpy())


def clone_of(record: TensorRecord, array: Array) -> torch.Tensor:
    """Return a CPU tensor with a record's dtype and values, and its strides if they are dense."""
    tensor = torch.from_numpy(np.array(array, order="C"))
    dtype = getattr(torch, record.dtype)
    if dtype.is_complex:
        tensor = torch.complex(tensor[..., 0], tensor[..., 1])
    tensor = tensor.to(dtype)
    if record.stride != tensor.stride() and _is_dense(record):
        return torch.empty_strided(record.shape, record.stride, dtype=dtype).copy_(tensor)
    return tensor


def _is_dense(record: TensorRecord) -> bool:
    """Tell whether the strides are those of a permuted contiguous tensor."""
    expected = 1
    for stride, size in sorted(zip(record.stride, record.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _check(value: Any) -> None:
    if isinstance(value, torch.Tensor):
        if type(value) not in TENSORS:
            raise Unmeasured("an operand is of a subclass of Tensor")
    elif isinstance(value, torch.Generator):
        raise Unmeasured("it draws random numbers")
    elif isinstance(value, Mapping):
        for item in value.values():
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, slice):
        for item in (value.start, value.stop, value.step):
            _check(item)
    elif not isinstance(value, (*PLAIN, *TORCH, range, np.ndarray, np.generic)):
        raise Unmeasured(f"an argument is a {type(value).__qualname__}")


def _with(value: Any, rest: Iterator[torch.Tensor]) -> Any:
    """Return an argument with its tensors replaced, and with no other device than the CPU."""
    if isinstance(value, torch.Tensor):
        return next(rest)
    if isinstance(value, Mapping):
        return {key: _with(item, rest) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_with(item, rest) for item in value])
    if isinstance(value, list):
        return [_with(item, rest) for item in value]
    if isinstance(value, tuple):
        return tuple(_with(item, rest) for item in value)
    if isinstance(value, slice):
        return slice(*[_with(item, rest) for item in (value.start, value.stop, value.step)])
    if isinstance(value, torch.device):
        return value if value.type == "meta" else torch.device("cpu")
    if isinstance(value, str) and re.fullmatch(r"(cuda|mps|xpu|hpu|mtia)(:\d+)?", value):
        return "cpu"
    return value


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Swallow warnings. ``catch_warnings`` would make Python forget which it has shown once."""
    ignore: Any = ("ignore", None, Warning, None, 0)
    filters: Any = warnings.filters
    filters.insert(0, ignore)
    try:
        yield
    finally:
        filters.remove(ignore)


@contextlib.contextmanager
def _exact() -> Iterator[None]:
    """Keep the script's autocast out."""
    if not torch.is_autocast_enabled("cpu"):
        yield
        return
    with torch.autocast("cpu", enabled=False):
        yield


@contextlib.contextmanager
def _unhooked() -> Iterator[None]:
    """Keep the script's hooks of saved tensors from being called: only the innermost are."""
    if torch._C._autograd._top_saved_tensors_default_hooks(True) is None:
        yield
        return
    with torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, torch.Tensor.detach):
        yield
