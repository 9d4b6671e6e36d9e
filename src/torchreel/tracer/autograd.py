"""The graphs that backward passes walk, watched by hooks that leave with the pass."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.graph import Node, get_gradient_edge

from torchreel.records import Accumulation, Backward, GraphEdge, GraphNode
from torchreel.tracer.hold import Hold
from torchreel.tracer.literals import tensors_in
from torchreel.tracer.values import is_transformed

if TYPE_CHECKING:
    from torchreel.tracer.recorder import Recorder

NODES_KEPT = 10_000
"""The graph of a pass is told when it has at most so many nodes; the accumulations always are."""


@dataclass(frozen=True)
class _Made:
    """A tensor that a step made, held weakly, and its record."""

    tensor: Hold[torch.Tensor]
    record: int


class Autograd:
    """Knows which step recorded which node of autograd's graph, and records the backward passes.

    A node is known by its sequence number, which autograd itself gives it: nothing is attached to
    the script's graph, and none of it is held.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.backwards: list[Backward] = []
        self._recorder = recorder
        self._steps: dict[int, int] = {}
        self._made: dict[int, dict[int, _Made]] = {}
        self._watching = False
        self._finished: Backward | None = None

    def install(self) -> None:
        """Stand before the engine, and before ``Function.apply``, which no mode sees."""
        autograd: Any = torch.autograd
        run = autograd._engine_run_backward
        apply = autograd.Function.__dict__["apply"].__func__
        recorder = self._recorder

        @functools.wraps(run)
        def observed_run(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            recorder.begins(outputs)
            if recorder.sleeper is not None:
                return run(outputs, *args, **kwargs)
            return self._run(run, outputs, args, kwargs)

        @functools.wraps(apply)
        def observed_apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            frame = self._recorder.caller(sys._getframe(1))
            call = functools.partial(apply, cls)
            if frame is None:
                return call(*args, **kwargs)
            # The mode stays on: what the script's own forward() does are steps too.
            return self._recorder.observe(call, f"{cls.__name__}.apply", frame, args, kwargs)

        autograd._engine_run_backward = observed_run
        autograd.Function.apply = classmethod(observed_apply)

    @staticmethod
    def mark() -> int:
        """Return the sequence number that the next node will get."""
        return int(torch._C._autograd._get_sequence_nr())

    def note(self, step: int, mark: int, tensors: Iterable[torch.Tensor]) -> None:
        """The step ``step`` recorded the nodes since ``mark`` and made ``tensors``."""
        for number in range(mark, self.mark()):
            self._steps.setdefault(number, step)  # a step within this one has told already
        with torch._C.DisableTorchFunction():
            for tensor in tensors:
                for made in _with_base(tensor):
                    self._note(made)
        if self._finished is not None:
            self.backwards.append(replace(self._finished, step=step))
            self._recorder.budget.backward(self.backwards[-1])
        self._finished = None

    def _note(self, tensor: torch.Tensor) -> None:
        if not tensor.requires_grad or tensor.grad_fn is None:
            return
        outputs = self._made.setdefault(_sequence(tensor.grad_fn), {})
        if tensor.output_nr not in outputs:
            record = self._recorder.tensors.record(tensor)
            outputs[tensor.output_nr] = _Made(Hold(tensor), record)

    def forget(self) -> None:
        """What ran was no step."""
        self._finished = None

    def _run(self, run: Any, outputs: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        inputs = args[3] if len(args) > 3 else ()
        transformed = _transformed() or any(map(is_transformed, tensors_in([*outputs, *inputs])))
        if self._watching or not self._recorder.awake or transformed:
            return run(outputs, *args, **kwargs)
        frame = self._recorder.caller(sys._getframe(2))
        if frame is not None:  # before torch 2.13 no mode sees torch.autograd.backward
            again = functools.partial(self._watch, run, args=args, kwargs=kwargs)
            name = "torch.autograd.backward"
            return self._recorder.observe(lambda *roots: again(roots), name, frame, outputs, {})
        return self._watch(run, outputs, args, kwargs)

    def _watch(
        self, run: Any, outputs: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        self._watching = True
        try:
            with torch._C.DisableTorchFunction():
                observed = _Pass(self._recorder, outputs, self._steps, self._made)
            try:
                results = run(outputs, *args, **kwargs)
            finally:
                observed.leave()
            with torch._C.DisableTorchFunction():
                inputs = args[3] if len(args) > 3 else ()
                captured = zip(inputs, results, strict=True) if results else ()
                self._finished = observed.told(captured)
            return results
        finally:
            self._watching = False


class _Pass:
    """One run of the engine: the graph as it is before, and what the hooks on its nodes hear."""

    def __init__(
        self,
        recorder: Recorder,
        outputs: Iterable[Any],
        steps: Mapping[int, int],
        made: Mapping[int, Mapping[int, _Made]],
    ) -> None:
        self._tensors = recorder.tensors
        self._steps, self._made = steps, made
        self._names = recorder.names_of_tensors()
        self._roots = [edge[0] for edge in map(_edge, outputs) if edge is not None]
        self._nodes = _graph(self._roots)
        self._index = {node: number for number, node in enumerate(self._nodes)}
        self._told_whole = len(self._nodes) <= NODES_KEPT
        self._ran: dict[int, None] = {}
        self._arrived: dict[int, tuple[int, int]] = {}
        self._crossed: dict[tuple[int, int], int] = {}
        self._receivers = self._find_receivers()
        self._before = {number: self._grad(number) for number in self._receivers}
        self._handles = list(self._listen())

    def leave(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def told(self, captured: Iterable[tuple[Any, torch.Tensor | None]]) -> Backward:
        """Return what was heard; ``captured`` are the inputs of ``torch.autograd.grad``, at whose
        nodes the pass stops, and their gradients."""
        for given, gradient in captured:
            edge = _edge(given)
            if gradient is not None and edge is not None and edge[0] in self._index:
                heard = edge[1], self._tensors.record(gradient)
                self._arrived.setdefault(self._index[edge[0]], heard)
        waiting = [number for number in range(len(self._nodes)) if number not in self._ran]
        order = [*self._ran, *waiting]
        accumulations = tuple(made for number in order for made in self._accumulation(number))
        if not self._told_whole:
            return Backward(-1, (), (), (), accumulations)
        place = {number: position for position, number in enumerate(order)}
        crossed_last = sorted(self._graph_edges(place), key=lambda edge: edge.gradient is None)
        return Backward(
            step=-1,
            roots=tuple(dict.fromkeys(place[self._index[root]] for root in self._roots)),
            nodes=tuple(self._graph_node(number, position) for number, position in place.items()),
            edges=tuple(crossed_last),
            accumulations=accumulations,
        )

    def _listen(self) -> Iterator[Any]:
        for number, node in enumerate(self._nodes):
            if self._told_whole or number in self._receivers:
                yield node.register_prehook(functools.partial(self._hear_arrival, number))
            if self._told_whole and node.next_functions:
                yield node.register_hook(functools.partial(self._hear_crossing, number))

    def _hear_arrival(self, number: int, gradients: tuple[torch.Tensor | None, ...]) -> None:
        self._ran[number] = None
        for slot, gradient in enumerate(gradients):
            if gradient is not None:
                self._arrived[number] = slot, self._tensors.record(gradient)
                break

    def _hear_crossing(
        self, number: int, onward: tuple[torch.Tensor | None, ...], _arrived: Any
    ) -> None:
        for index, gradient in enumerate(onward):
            if gradient is not None:
                self._crossed[number, index] = self._tensors.record(gradient)

    def _graph_edges(self, place: Mapping[int, int]) -> Iterator[GraphEdge]:
        """Yield the edges, those of the node that ran first before the others."""
        for number in place:
            for index, (target, output) in enumerate(self._nodes[number].next_functions):
                if target is None:
                    continue
                reached = self._index[target]
                # Of torch.autograd.grad: the engine drops what does not lead to an input.
                taken = reached in self._ran or reached in self._arrived
                gradient = self._crossed.get((number, index)) if taken else None
                yield GraphEdge(place[number], place[reached], index, gradient, output)

    def _graph_node(self, number: int, position: int) -> GraphNode:
        node = self._nodes[number]
        slot, gradient = self._arrived.get(number, (None, None))
        tensor, record = _leaf(node), None
        if tensor is not None:
            record = self._tensors.record(tensor)
        else:
            made = self._made.get(_sequence(node), {})
            output = made.get(min(made, default=0) if slot is None else slot)
            if output is not None:
                tensor, record = output.tensor(), output.record
                if tensor is not None and self._tensors.record(tensor) != record:
                    tensor = None  # it was written in place since, and is another node's
        return GraphNode(
            number=position,
            name=type(node).__name__,
            step=self._steps.get(_sequence(node)),
            tensor=record,
            gradient=gradient,
            names=self._names.get(id(tensor), ()) if tensor is not None else (),
        )

    def _find_receivers(self) -> dict[int, torch.Tensor]:
        """Return by node the tensors to whose ``.grad`` the pass adds."""
        receivers = {}
        for number, node in enumerate(self._nodes):
            leaf = _leaf(node)
            if leaf is not None:
                receivers[number] = leaf
            for made in self._made.get(_sequence(node), {}).values():
                tensor = made.tensor()
                if tensor is not None and tensor.retains_grad:
                    receivers[number] = tensor
        return receivers

    def _grad(self, number: int) -> int | None:
        gradient = self._receivers[number].grad
        return None if gradient is None else self._tensors.record(gradient)

    def _accumulation(self, number: int) -> Iterator[Accumulation]:
        if number not in self._receivers or number not in self._arrived:
            return
        before, after = self._before[number], self._grad(number)
        gradient = self._arrived[number][1]
        if after is None or after == before or not self._adds_up(before, gradient, after):
            return  # a hook of the script took it; torch.autograd.grad leaves .grad alone
        tensor = self._tensors.record(self._receivers[number])
        yield Accumulation(tensor, before, gradient, after)

    def _adds_up(self, before: int | None, gradient: int, after: int) -> bool:
        """Tell whether the gradient was added, and nothing else was done, where that is known."""
        known = self._tensors.values
        total = known.get(after)
        parts = [known.get(each) for each in (before, gradient) if each is not None]
        if total is None or any(part is None for part in parts):
            return True
        precision = torch.finfo(getattr(torch, self._tensors.records[after].dtype)).eps
        wide: Any = np.array(parts, dtype=np.float64)
        with np.errstate(all="ignore"):
            added = wide.sum(0)
            close = np.abs(added - total) <= precision * np.abs(wide).sum(0)
        return bool((close | (added == total) | np.isnan(total)).all())


def _edge(given: Any) -> tuple[Node, int] | None:
    """Return the node and which output of it a tensor (or a GradientEdge) is."""
    if not isinstance(given, torch.Tensor):
        return given.node, given.output_nr
    if not given.requires_grad:
        return None  # the engine raises
    edge = get_gradient_edge(given)
    return edge.node, edge.output_nr


def _leaf(node: Node) -> torch.Tensor | None:
    """Return the tensor that an AccumulateGrad serves, of other nodes None."""
    if type(node).__name__ != "AccumulateGrad":
        return None
    leaf: Any = node
    variable: torch.Tensor = leaf.variable
    return variable


def _graph(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that can be reached from the roots, nearer ones first."""
    found = dict.fromkeys(roots)
    waiting = list(found)
    for node in waiting:
        for target, _ in node.next_functions:
            if target is not None and target not in found:
                found[target] = None
                waiting.append(target)
    return list(found)


def _sequence(node: Node) -> int:
    return int(node._sequence_nr())


def _with_base(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the tensor, and the one it is a view of: writing a view gives that a new node."""
    base = tensor._base
    return (tensor,) if base is None else (tensor, base)


def _transformed() -> bool:
    """Tell whether torch.func is at work: its tensors are not the script's."""
    return bool(torch._C._are_functorch_transforms_active())
