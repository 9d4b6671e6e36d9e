"""What came of a build, and who is told while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torchreel.records import Problem

What = Literal["trace", "clip"]
State = Literal["traced", "rendered", "reused", "failed", "stale"]

_SHOWN = ("python", "torch", "manim", "av", "artboard", "theme", "quality")
"""Inputs whose value says more than that it changed."""


@dataclass(frozen=True)
class Outcome:
    """What came of one script or clip: ``seconds`` it took, ``bytes`` of its files."""

    key: str
    what: What
    state: State
    why: tuple[str, ...] = ()
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Build:
    """What came of all of them; problems are in the order of their places.

    ``warnings`` are what the checker found wrong with frames of the clips that there are.
    """

    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...]
    seconds: float
    warnings: tuple[Problem, ...] = ()


class Progress(Protocol):
    """Is told what a build does, from several threads."""

    def started(self, key: str, what: What, why: tuple[str, ...]) -> None:
        """Be told that a script or a clip is being made, and why."""

    def finished(self, outcome: Outcome) -> None:
        """Be told what came of it (also of what did not need making)."""


class Silent:
    """A Progress that tells nobody."""

    def started(self, key: str, what: What, why: tuple[str, ...]) -> None:
        """Say nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Say nothing."""


def changes(old: Mapping[str, str] | None, new: Mapping[str, str]) -> tuple[str, ...]:
    """Return what differs between the inputs of an artifact then and now, in words."""
    if old is None:
        return ("new",)
    reasons = []
    for name in dict.fromkeys([*new, *old]):
        if name not in old:
            reasons.append(f"{name} added")
        elif name not in new:
            reasons.append(f"{name} removed")
        elif old[name] != new[name]:
            shown = name in _SHOWN
            reasons.append(f"{name} {old[name]} → {new[name]}" if shown else f"{name} changed")
    return tuple(reasons)
