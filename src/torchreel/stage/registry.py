"""Which choreography serves which op (no Manim here until one is asked for).

A choreography is a function in ``stage/ops/`` marked ``@choreography("reshape", "view")``. The
names are read from the source, so that finding out which files a clip depends on imports nothing,
and a new op touches one file.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from torchreel.spelling import bare_name
from torchreel.syntax import parse

if TYPE_CHECKING:
    from torchreel.records import Step
    from torchreel.stage.fills import FillKind
    from torchreel.stage.stage import Stage

    Play = Callable[[Stage, Step], None]

STAGE = Path(__file__).parent
FALLBACK = "fallback"
WRITTEN, READ, NOTHING = "written", "read", "nothing"
PROVENANCE = (WRITTEN, READ, "same", "moves", "feeds")
FOLDERS = {
    "graph": {"backward", "grad"},
    "nets": {"module", "optimizer", "clash", "to", "cuda", "cpu"},
    "training": {"optimizer", "zero_grad"},
    "devices": {"clash", "to", "cuda", "cpu"},
}
"""Which ops, or ``module``, ``optimizer`` and ``clash`` where a clip has one, each folder draws."""

Room = tuple[float, float, float, float]

_Function = TypeVar("_Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Choreography:
    """How one family of ops is played, and what it needs; see :func:`choreography`."""

    play: Play
    tape: bool
    fills: FillKind
    room: Room


def choreography(
    *ops: str, tape: bool = False, fills: FillKind = "value", room: Room = (0, 0, 0, 0)
) -> Callable[[_Function], _Function]:
    """Mark a function of the stage and a step as the choreography of these ops.

    ``ops`` are bare names (``spelling.bare_name``), written as literals. With ``tape`` the memory
    tape is on stage in a clip where such an op makes a view. ``fills`` says how the tensors of the
    op are coloured (``fills.py``): by "identity" where it creates or moves elements, by "value"
    where it computes, by "hue" (one colour a tensor) or by "rows" where operands must be told
    apart. ``room`` is what the picture needs around the block: left, top, right, bottom in film
    pixels.
    """

    def mark(function: _Function) -> _Function:
        function.choreography = (ops, tape, fills, room)  # type: ignore[attr-defined]
        return function

    return mark


def sources(ops: Iterable[str]) -> dict[str, Path]:
    """Return the stage files that a clip with these qualified ops depends on, by relative name."""
    names = {bare_name(op) for op in ops}
    known = _modules()
    stems = {known[name] for name in names if name in known}
    stems |= {known[name] for name in (FALLBACK, *PROVENANCE) if name in known}
    files = [*STAGE.glob("*.py"), *(STAGE / "ops" / f"{stem}.py" for stem in stems)]
    for folder, drawn in FOLDERS.items():
        if names & drawn:
            files += STAGE.glob(f"{folder}/*.py")
    return {f"stage/{file.relative_to(STAGE).as_posix()}": file for file in sorted(files)}


def find(op: str, provenance: str | None = None) -> Choreography:
    """Return the choreography of a qualified op: its own, that of what was seen of the step
    ("written", "read", "same", "moves", "feeds"), or the named box.

    What is written in place is told as that, by whatever op: ``add_``, ``relu(inplace=True)``,
    ``add(out=)``; so is what only "read" (``item``); what made "nothing" of nothing is the named
    box.
    """
    known = _modules_once()
    seen = provenance if provenance in PROVENANCE else FALLBACK
    own = () if provenance in (WRITTEN, READ, NOTHING) else (bare_name(op),)
    name = next((each for each in (*own, seen) if each in known), FALLBACK)
    stem = known[name]
    module = importlib.import_module(f"torchreel.stage.ops.{stem}")
    for function in vars(module).values():
        ops, *needs = getattr(function, "choreography", ((),))
        if name in ops:
            return Choreography(function, *needs)
    raise LookupError(f"stage/ops/{stem}.py has no choreography for {name!r}")


def is_creation(op: str) -> bool:
    """Tell whether a qualified op makes a tensor of nothing."""
    return _modules_once().get(bare_name(op)) == "creation"


@functools.cache
def _modules_once() -> dict[str, str]:
    # A worker lives for one build; a server, which asks for sources only, sees new files.
    return _modules()


def _modules() -> dict[str, str]:
    modules: dict[str, str] = {}
    for file in sorted((STAGE / "ops").glob("*.py")):
        for node in ast.walk(parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "choreography"
            ):
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        modules[str(argument.value)] = file.stem
    return modules
