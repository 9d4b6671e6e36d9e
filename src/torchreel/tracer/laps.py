"""Counts the laps of every loop, and reads the numbers that each lap leaves behind.

This runs in laps that are not kept, too, so it must be quick: a lap costs a few microseconds.
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from torchreel.records import Array, Loop, Series
from torchreel.tracer.cells import Script
from torchreel.tracer.curves import Curve
from torchreel.tracer.probes import LOOPS
from torchreel.tracer.values import UNREADABLE, unseen

Kind = Literal["name", "loss", "gradient", "update"]

function_modes = torch._C._len_torch_function_stack
dispatch_modes = torch._C._len_torch_dispatch_stack

WAITING = 1000
"""So many numbers are fetched from an accelerator at once: each fetch waits for its work."""


@dataclass(eq=False)
class _Running:
    """A loop that has not ended: its statement's index, its frame's id; whether a lap started."""

    place: int
    frame: int
    started: bool = False


class Laps:
    """The loops of a script as they run; recursion and generators may interleave them."""

    def __init__(self, script: Script) -> None:
        self._places = script.places
        self.is_loop = [place.statement.kind == "loop" for place in script.places]
        self._names = [names_bound(place.node) for place in script.places]
        self._shared = tuple(
            dict.fromkeys(
                name
                for place in script.places
                if isinstance(place.node, ast.Global)
                for name in place.node.names
            )
        )
        self._before: dict[str, Any] = {}
        self._owners: dict[str, int] = {}
        self._scopes: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._running: list[_Running] = []
        self._counts = [0] * len(script.places)
        self._kept: dict[int, list[int]] = {}
        self._curves: dict[tuple[int, Kind, int, str], Curve] = {}
        self._waiting: list[tuple[Curve, int, torch.Tensor]] = []
        self._begun: dict[tuple[int, str], torch.Tensor] = {}

    def enter(self, place: int, frame: FrameType) -> None:
        """A loop starts."""
        self._running.append(_Running(place, id(frame)))

    def lap(self, place: int, frame: FrameType) -> None:
        """A lap of it starts, and so the one before has ended."""
        loop = self._find(place, frame)
        if loop is None:
            return
        if loop.started:
            self._read(place, frame)
        loop.started = True
        self._counts[place] += 1
        if self._shared:
            self._before = {name: frame.f_globals.get(name) for name in self._shared}

    def leave(self, place: int, frame: FrameType) -> None:
        """A loop ends, by an exception or a jump too."""
        loop = self._find(place, frame)
        if loop is None:
            return
        self._running.remove(loop)
        if loop.started:
            self._read(place, frame)

    def keep(self, place: int) -> None:
        """The lap that has started is kept in detail."""
        self._kept.setdefault(place, []).append(self._counts[place])

    def begin(self, name: str, root: torch.Tensor, frame: FrameType) -> None:
        """A backward pass begins at what is called ``name`` in a frame of the script: a number of
        the lap's, though no name of the loop's own may hold it at its end."""
        loop = self._innermost()
        if loop is None:
            return
        if loop.frame != id(frame) or name not in self._names[loop.place]:
            self._begun[loop.place, name] = root.detach()

    @property
    def number(self) -> int:
        """The number of the lap that is running, in the innermost loop; 0 outside of loops."""
        loop = self._innermost()
        return 0 if loop is None else self._counts[loop.place]

    def innermost(self) -> tuple[int, int] | None:
        """Return the innermost loop that is running: its statement's index, its frame's id; None
        outside of loops."""
        loop = self._innermost()
        return None if loop is None else (loop.place, loop.frame)

    def running(self) -> tuple[tuple[int, int], ...]:
        """Return the loops that are in a lap, by their statements' indices, and the laps' numbers;
        outer ones first."""
        return tuple(
            (each.place, self._counts[each.place]) for each in self._running if each.started
        )

    def add(self, kind: Kind, name: str, number: float, of: int) -> None:
        """Add a number to a series of the innermost loop, that of parameter number ``of``."""
        loop = self._innermost()
        if loop is not None:
            self._curve(loop.place, kind, name, of).add(self._counts[loop.place], number)

    def loops(self) -> tuple[Loop, ...]:
        """Return the loops that ran, in the order of the source."""
        return tuple(
            Loop(at.cell, at.statement.number, count, tuple(self._kept.get(place, ())))
            for place, (at, count) in enumerate(zip(self._places, self._counts, strict=True))
            if count
        )

    def series(self) -> tuple[tuple[Series, ...], dict[str, Array]]:
        """Return the series, and the arrays that they name."""
        self._fetch()
        series: list[Series] = []
        arrays: dict[str, Array] = {}
        for key in sorted(self._curves):
            place, kind, _, name = key
            at = self._places[place]
            array = f"series{len(series)}"
            arrays[array] = self._curves[key].points()
            series.append(Series(at.cell, at.statement.number, name, kind, array))
        return tuple(series), arrays

    def _innermost(self) -> _Running | None:
        """Return the innermost loop that runs now; a generator's, which waits in it, does not."""
        if len(self._running) < 2:
            return self._running[0] if self._running else None
        frames: set[int] = set()
        at: FrameType | None = sys._getframe(1)
        while at is not None:
            frames.add(id(at))
            at = at.f_back
        return next((each for each in reversed(self._running) if each.frame in frames), None)

    def _find(self, place: int, frame: FrameType) -> _Running | None:
        for loop in reversed(self._running):
            if loop.place == place and loop.frame == id(frame):
                return loop
        return None

    def _curve(self, place: int, kind: Kind, name: str, of: int = 0) -> Curve:
        key = place, kind, of, name
        curve = self._curves.get(key)
        if curve is None:
            curve = self._curves[key] = Curve()
        return curve

    def _read(self, place: int, frame: FrameType) -> None:
        """Read what the names hold that the loop's body binds, or a function that it calls."""
        if self._begun:
            self._read_begun(place)
        if self._shared:
            self._read_shared(place, frame)
        if not self._names[place]:
            return
        if place not in self._scopes:
            self._scopes[place] = _scopes(self._names[place], frame.f_code)
        local, in_global = self._scopes[place]
        self._read_scope(place, local, frame.f_locals)
        if in_global:
            self._read_scope(place, in_global, frame.f_globals)

    def _read_begun(self, place: int) -> None:
        """Read what the last passes of a lap began at."""
        for key in [each for each in self._begun if each[0] == place]:
            number = self._number(place, "loss", key[1], self._begun.pop(key))
            if number is not None:
                self._curve(place, "loss", key[1]).add(self._counts[place], number)

    def _read_shared(self, place: int, frame: FrameType) -> None:
        """Read the globals that functions bind: each is of the loop that first saw it change."""
        for name, before in self._before.items():
            if frame.f_globals.get(name) is not before and name not in self._names[place]:
                self._owners.setdefault(name, place)
        own = tuple(name for name, owner in self._owners.items() if owner == place)
        self._read_scope(place, own, frame.f_globals)

    def _read_scope(self, place: int, names: tuple[str, ...], scope: dict[str, Any]) -> None:
        lap = self._counts[place]
        for name in names:
            value: Any = scope.get(name)
            kind = type(value)
            number: float | None
            if kind is Tensor and not _seen():
                number = self._read_number(place, "name", name, value)
            elif kind is float or kind is int:
                number = value
            elif issubclass(kind, torch.Tensor):
                number = self._number(place, "name", name, value)
            elif issubclass(kind, np.floating | np.integer):
                number = value
            else:
                continue
            if number is not None:
                self._curve(place, "name", name).add(lap, number)

    def _number(self, place: int, kind: Kind, name: str, tensor: torch.Tensor) -> float | None:
        """Return the number that a tensor of one element holds; one on an accelerator waits."""
        with unseen():
            return self._read_number(place, kind, name, tensor)

    def _read_number(self, place: int, kind: Kind, name: str, tensor: torch.Tensor) -> float | None:
        try:
            if tensor.numel() != 1 or tensor.is_complex():
                return None
            if tensor.is_cpu:
                return tensor.item()
            if not tensor.is_meta:
                curve, lap = self._curve(place, kind, name), self._counts[place]
                self._waiting.append((curve, lap, tensor.detach().clone()))
                if len(self._waiting) >= WAITING:
                    self._fetch()
        except UNREADABLE:
            pass
        return None

    def _fetch(self) -> None:
        with unseen():
            for curve, lap, tensor in self._waiting:
                curve.add(lap, tensor.item())
        self._waiting.clear()


def _seen() -> bool:
    """Tell whether a mode, the script's or the tracer's, would see what is read of a tensor."""
    return bool(function_modes() or dispatch_modes())


def names_bound(loop: ast.stmt) -> tuple[str, ...]:
    """Return the names that a loop's body binds, those excepted that its own header binds, and
    those that only a loop within it binds; none of what is no loop."""
    if not isinstance(loop, LOOPS):
        return ()
    header: set[str] = set()
    for part in ("target", "test"):
        header |= set(_bound(getattr(loop, part, None)))
    body = (name for statement in getattr(loop, "body", ()) for name in _bound(statement))
    return tuple(name for name in dict.fromkeys(body) if name not in header)


def _bound(node: ast.AST | None) -> list[str]:
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.comprehension)
    if node is None or isinstance(node, scopes):
        return []
    if isinstance(node, ast.Name):
        return [node.id] if isinstance(node.ctx, ast.Store) else []
    inner: Any = ast.iter_child_nodes(node)
    if isinstance(node, LOOPS):
        inner = node.orelse
    return [name for child in inner for name in _bound(child)]


def _scopes(names: tuple[str, ...], code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell the names that are local where this code runs from those that are global there."""
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return names, ()
    own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    return tuple(n for n in names if n in own), tuple(n for n in names if n not in own)
