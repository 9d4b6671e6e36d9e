"""Which operands a call wrote: torch counts most writes, but not all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from torchreel.tracer.literals import tensors_in
from torchreel.tracer.ops import only_points
from torchreel.tracer.tensors import UNCOUNTED, Tensors, version_of

FIRST = {
    **dict.fromkeys(["embedding", "embedding_bag"], "torch.embedding_renorm_"),
    **{name: f"torch.nn.functional.{name}" for name in ("batch_norm", "instance_norm")},
}
"""Functions that write before they make their result, and as which op that is told: ``max_norm``
shortens the rows of the weight, then they are read; a norm counts its batch into the running
numbers, then it uses the batch's own."""

Before = tuple[torch.Tensor, int, int]
"""An operand before the call: the tensor, its record, its version."""


@dataclass
class Writes:
    """The records of operands that are others after a call, by those before it; ``written`` are
    those (before it) whose elements the call wrote."""

    changed: dict[int, int] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        tensors: Tensors,
        before: Iterable[Before],
        op: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Writes:
        """Look at the operands of a call that has just run."""
        writes = cls()
        aims = {id(tensor) for tensor in _aims(op, args, kwargs)}
        for tensor, record, version in before:
            uncounted = version == UNCOUNTED and id(tensor) in aims
            counted = version_of(tensor) != version and not only_points(op)
            written = uncounted or counted
            after = tensors.record(tensor, written=written)
            if after != record:
                writes.changed[record] = after
                if written or tensors.differ_in_values(record, after):
                    writes.written.add(record)
        return writes

    def are_all(self, op: str, results: Iterable[int]) -> bool:
        """Tell whether the call made nothing but what it wrote."""
        made = set(results) <= set(self.changed.values())
        return bool(self.written) and made and not only_points(op)

    def beside(self, told: Iterable[int]) -> dict[int, int]:
        """Return those that were written, but for the records that are told already."""
        known = set(told)
        return {
            record: after
            for record, after in self.changed.items()
            if record in self.written and after not in known
        }


def _aims(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the tensors that a call says it writes, by its op's name or an argument."""
    name = op.rpartition(".")[2]
    if kwargs.get("out") is not None:
        return list(tensors_in(kwargs["out"]))
    by_name = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
    if kwargs.get("inplace") is True or (by_name and not only_points(op)):
        return list(tensors_in(args[:1]))
    return []
