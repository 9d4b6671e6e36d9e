"""A torch call run again on other operands, when the script has ended.

What is run again are torch's own functions, on the CPU, outside of autograd, with the random
generator put back and warnings swallowed: what the script does at its very end (``atexit``) cannot
tell. What does more than compute is not run: :class:`Unmeasured` says why.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from torchreel.records import Array, TensorRecord
from torchreel.tracer.literals import PLAIN, TORCH, tensors_in
from torchreel.tracer.values import unseen

OWN = re.compile(
    r"copy\.copy|torch\.nn\.Parameter|torch\.(Tensor\.|functional\.|nn\.functional\.|nn\.init\.|special\.|linalg\.|fft\.|_C\._\w+\.)?"
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

CHOOSING = frozenset(
    [
        *("histc", "histogram", "histogramdd"),
        *("lu", "lu_factor", "lu_factor_ex", "ldl_factor", "ldl_factor_ex"),
    ]
)
"""Functions with bins or pivots: no change of an element may happen to reach another choice."""

TENSORS = (torch.Tensor, torch.nn.Parameter)

ACCELERATOR = re.compile(r"(cuda|mps|xpu|hpu|mtia)(:\d+)?")

COPIES = frozenset(["_to_copy", "clone", "copy_", "detach", "alias", "lift_fresh", "positive"])
"""Inner ops that leave every element where it is, beside those that torch declares pointwise."""


REDUCING = frozenset(
    [
        *("sum", "nansum", "mean", "prod", "cumsum", "cumprod", "logsumexp", "linalg_vector_norm"),
        *("max", "min", "amax", "amin", "aminmax", "cummax", "cummin", "median", "nanmedian"),
        *("any", "all", "sort", "topk", "kthvalue", "mode", "avg_pool2d", "avg_pool3d"),
        *("max_pool2d_with_indices", "max_pool3d_with_indices"),
    ]
)
"""Inner ops that make a number of many, or choose one of many, though one may be all there is."""


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
    """A torch call, to be run again on other operands; it holds none of its own.

    ``count`` is how often it was run again.
    """

    def __init__(
        self, op: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Raise Unmeasured where the call does more than compute from its arguments."""
        self.count = 0
        name = op.rpartition(".")[2]
        if op.startswith("torch.func."):
            raise Unmeasured("what runs inside a torch.func transform is not known")
        if not OWN.fullmatch(op) or name in ELSEWHERE:
            raise Unmeasured("what it does beside computing is not known")
        if name in UNCHECKED | CHOOSING or "polynomial" in name:
            raise Unmeasured("it cannot be run on other values")
        self._func = torch.Tensor.cpu if func is torch.Tensor.cuda else func
        # What was in ``out`` does not matter: without it the same is computed.
        if name == "__deepcopy__":
            args = (args[0], {})  # nor what was copied before
        self._args = [_frozen(value) for value in args]
        self._kwargs = {key: _frozen(value) for key, value in kwargs.items() if key != "out"}
        self._inner: InnerOps | None = None

    def __call__(self, operands: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Run the call on these; return its results, or the operands that it wrote."""
        self.count += 1
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


def check_context() -> None:
    """Raise Unmeasured where a call that runs now cannot be told by running it again at the end."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        raise Unmeasured("it ran inside a torch.func transform")
    if torch._C._len_torch_dispatch_stack():
        raise Unmeasured("the script's own dispatch mode is active")


@contextlib.contextmanager
def unnoticed() -> Iterator[None]:
    """Let what runs inside leave no trace, and owe nothing to what the script has set."""
    state = torch.default_generator.get_state()
    try:
        with (
            unseen(),
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


class _Operand:
    """Stands for a tensor among the arguments of a call."""


def _frozen(value: Any) -> Any:
    """Return an argument as it is now, without its tensors, and with no device but the CPU."""
    if isinstance(value, torch.Tensor):
        if type(value) not in TENSORS:
            raise Unmeasured("an operand is of a subclass of Tensor")
        return _Operand()
    if isinstance(value, torch.Generator):
        raise Unmeasured("it draws random numbers")
    if isinstance(value, torch.device):
        return value if value.type == "meta" else torch.device("cpu")
    if isinstance(value, str) and ACCELERATOR.fullmatch(value):
        return "cpu"
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (*PLAIN, *TORCH, range, np.generic)):
        return value
    return _rebuilt(value, _frozen)


def _with(value: Any, rest: Iterator[torch.Tensor]) -> Any:
    """Return a frozen argument with the next tensors in it."""
    if isinstance(value, _Operand):
        return next(rest)
    if isinstance(value, Mapping | list | tuple | slice):
        return _rebuilt(value, lambda item: _with(item, rest))
    return value


def _rebuilt(value: Any, renewed: Callable[[Any], Any]) -> Any:
    """Return a list, tuple, slice or mapping with each of its items renewed."""
    if isinstance(value, Mapping):
        return {key: renewed(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[renewed(item) for item in value])
    if isinstance(value, list):
        return [renewed(item) for item in value]
    if isinstance(value, tuple):
        return tuple([renewed(item) for item in value])
    if isinstance(value, slice):
        return slice(*[renewed(item) for item in (value.start, value.stop, value.step)])
    raise Unmeasured(f"an argument is a {type(value).__qualname__}")


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
