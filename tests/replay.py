"""A script of a lesson run once more, without the tracer: what PyTorch itself holds at each line.

Each statement of a cell gets a call before it and one after it, and each of its expressions a call
around it that hands its value on. Of the tracer no part is used but its list of which statement
stands where.
"""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from torchreel.tracer.cells import parse_script

Key = tuple[str, int, int]
"""A run of a statement: its cell, its number and its lap."""
Scope = dict[str, Any]

SMALL = 64
"""Local derivatives are asked for of results of at most so many elements."""


@dataclass(frozen=True)
class Held:
    """A tensor as it was at one moment: a copy of it, its strides then, and the tensor itself.

    ``derivatives`` holds, for each of its elements, what the op that made it hands back to each of
    its inputs when that element's gradient is 1: the input's node of the graph, and the gradient.
    """

    value: torch.Tensor
    stride: tuple[int, ...]
    live: torch.Tensor
    derivatives: tuple[tuple[tuple[Any, torch.Tensor | None], ...], ...] = ()


@dataclass
class Moment:
    """One run of one statement: what the names held before and after it, and what came up in it.

    Names are the script's, and those of parameters in their models (``layer1.weight``).
    ``values`` are the tensors of its expressions, by their text; ``outputs`` what modules without
    modules of their own returned, in order; ``gradients`` what the ``.grad`` of each tensor was
    before it and after it, by the tensor's ``id``.
    """

    before: Scope = field(default_factory=dict)
    after: Scope = field(default_factory=dict)
    values: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    outputs: list[Held] = field(default_factory=list)
    gradients: list[dict[int, torch.Tensor | None]] = field(default_factory=list)
    printed: str = ""


class Replay:
    """A run of a script without the tracer: its moments in the runs that are ``wanted``.

    ``entered`` is what the names held when a cell began; ``laps`` the numbers that they held at the
    end of each lap of a loop (by its cell and statement), and as ``layer1.weight.grad`` the norms
    of the gradients of the lap's last optimizer step; ``errors`` what the script caught;
    ``functions`` the names of all nodes of autograd that were met.
    """

    def __init__(self, script: Path, wanted: Collection[Key]) -> None:
        self.moments: dict[Key, Moment] = {key: Moment() for key in wanted}
        self.entered: dict[str, Scope] = {}
        self.laps: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
        self.errors: list[BaseException] = []
        self.functions: set[str] = set()
        self.names: Scope = {"__name__": "__main__", "__file__": str(script), "_replay": self}
        self._cell = ""
        self._runs: Counter[tuple[str, int]] = Counter()
        self._running: list[Key] = []
        self._norms: dict[str, float] = {}
        self._live: dict[int, torch.Tensor] = {}
        self._heard = io.StringIO()
        self._run(script)

    def _run(self, script: Path) -> None:
        source = script.read_text(encoding="utf-8")
        tree = ast.fix_missing_locations(_Marks(source).visit(ast.parse(source)))
        path, modules = list(sys.path), set(sys.modules)
        hooks = [
            register_module_forward_hook(self._returned),
            register_optimizer_step_pre_hook(self._steps),
        ]
        try:
            with contextlib.redirect_stdout(self._heard):
                exec(compile(tree, str(script), "exec"), self.names)
        finally:
            for hook in hooks:
                hook.remove()
            sys.path[:] = path
            for name in {"digits"} - modules:  # lessons/digits.py, of the course that was run
                sys.modules.pop(name, None)

    # What the calls in the script tell.

    def begin(self, cell: str, number: int, scope: Scope) -> None:
        """Hear that a statement begins."""
        if scope is self.names and cell != self._cell:
            self._cell = cell
            self.entered[cell] = self._held(scope)
        if cell != self._cell:  # a function of another cell: of the statement that called it
            return
        self._runs[cell, number] += 1
        self._running.append((cell, number, self._runs[cell, number]))
        moment = self._moment()
        if moment is not None:
            moment.before = self._held(scope)
            moment.gradients.append(self._gradients())
            moment.printed = self._heard.getvalue()

    def end(self, cell: str, number: int, scope: Scope) -> None:
        """Hear that a statement has ended; those within it that returned or raised have, too."""
        if cell != self._cell:
            return
        while self._running[-1][1] != number:
            self._running.pop()
        moment = self._moment()
        if moment is not None:
            moment.after = self._held(scope)
            moment.gradients.append(self._gradients())
            moment.printed = self._heard.getvalue().removeprefix(moment.printed)
        self._running.pop()

    def lap(self, cell: str, number: int, scope: Scope) -> None:
        """Hear that a lap of a loop has ended."""
        items = {k: v.item() if _is_number(v) else v for k, v in scope.items()}
        numbers = {k: float(v) for k, v in items.items() if isinstance(v, (int, float))}
        self.laps[cell, number].append(numbers | self._norms)

    def caught(self) -> None:
        """Hear that the script has caught an exception."""
        error = sys.exc_info()[1]
        assert error is not None
        self.errors.append(error)

    def value(self, text: str, value: Any) -> Any:
        """Hear the value of an expression, and return it."""
        moment = self._moment()
        if moment is not None and isinstance(value, torch.Tensor):
            held = self._hold(value)
            if value.grad_fn is not None:
                if value.numel() <= SMALL:
                    held = replace(held, derivatives=_derivatives(value))
                self._walk(value.grad_fn)
                value.retain_grad()
            moment.values[text].append(held)
        return value

    def _returned(self, module: nn.Module, given: Any, result: Any) -> None:
        moment = self._moment()
        if moment is not None and not list(module.children()):
            moment.outputs.append(self._hold(result))

    def _steps(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._norms = {
            f"{name}.grad": parameter.grad.norm().item()
            for name, parameter in self._parameters.items()
            if parameter.grad is not None
        }

    # What is kept of it.

    def _moment(self) -> Moment | None:
        return self.moments.get(self._running[-1]) if self._running else None

    def _held(self, scope: Scope) -> Scope:
        tensors = {k: v for k, v in scope.items() if isinstance(v, torch.Tensor)} | self._parameters
        return scope | {name: self._hold(tensor) for name, tensor in tensors.items()}

    @property
    def _parameters(self) -> dict[str, torch.Tensor]:
        """The parameters of the script's models, by their names in them."""
        return {
            name: parameter
            for model in self.names.values()
            if isinstance(model, nn.Module)
            for name, parameter in model.named_parameters()
        }

    def _hold(self, tensor: torch.Tensor) -> Held:
        self._live[id(tensor)] = tensor
        return Held(tensor.detach().clone(), tensor.stride(), tensor)

    def _gradients(self) -> dict[int, torch.Tensor | None]:
        return {
            key: None if tensor.grad is None else tensor.grad.clone()
            for key, tensor in self._live.items()
            if tensor.is_leaf or tensor.retains_grad
        }

    def _walk(self, node: Any) -> None:
        self.functions.add(node.name())
        for each, _ in node.next_functions:
            if each is not None:
                self._walk(each)


def _is_number(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() == 1


def _derivatives(
    tensor: torch.Tensor,
) -> tuple[tuple[tuple[Any, torch.Tensor | None], ...], ...]:
    node: Any = tensor.grad_fn
    inputs = [each for each, _ in node.next_functions]
    made = []
    for place in range(tensor.numel()):
        one = torch.zeros(tensor.numel(), dtype=tensor.dtype)
        one[place] = 1
        given = node(one.reshape(tensor.shape))
        given = given if isinstance(given, tuple) else (given,)
        made.append(tuple(zip(inputs, given, strict=True)))
    return tuple(made)


class _Marks(ast.NodeTransformer):
    """Puts the calls around the statements of cells, and around their expressions."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places = {
            (place.node.lineno, place.node.col_offset): (place.cell, place.statement)
            for place in parse_script(source, "").places
            if place.cell is not None
        }
        self.inside = False

    def visit(self, node: ast.AST) -> Any:
        text = ast.get_source_segment(self.source, node) if self.inside else None
        blocks = {
            name: block
            for name in ("body", "orelse", "finalbody")
            if isinstance(block := getattr(node, name, None), list)
        }
        for name in blocks:
            setattr(node, name, [])
        self.generic_visit(node)
        for name, block in blocks.items():
            setattr(node, name, self._block(block))
        if isinstance(node, ast.ExceptHandler):
            node.body.insert(0, _statement("caught()"))
        written = isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))
        valued = (ast.Call, ast.BinOp, ast.Attribute, ast.Subscript)
        if text is None or written or not isinstance(node, valued):
            return node
        call = _statement(f"value({text!r}, 0)").value
        assert isinstance(call, ast.Call)
        call.args[1] = node
        return call

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made, outer = [], self.inside
        for statement in body:
            cell, own = self.places.get((statement.lineno, statement.col_offset), (None, None))
            self.inside = own is not None and own.kind in ("plain", "loop", "block")
            new = self.visit(statement)
            if own is None or not self.inside:
                made.append(new)
            else:
                where = f"{cell!r}, {own.number}, locals()"
                if own.kind == "loop":
                    new.body.append(_statement(f"lap({where})"))
                made += [_statement(f"begin({where})"), new, _statement(f"end({where})")]
        self.inside = outer
        return made


def _statement(call: str) -> ast.Expr:
    (made,) = ast.parse(f"_replay.{call}").body
    assert isinstance(made, ast.Expr)
    return made
