"""What the script's names hold, from look to look."""

from __future__ import annotations

import ast
from types import FrameType
from typing import Any

import torch

from torchreel.tracer.cells import Script
from torchreel.tracer.literals import is_plain, literal
from torchreel.tracer.tensors import Tensors
from torchreel.tracer.values import is_transformed


class Names:
    """The tensors and the plain values that the names of a script held at the last look.

    Only names that stand in the script's source are looked at, so there are never more of them
    than it has words.
    """

    def __init__(self, script: Script, tensors: Tensors) -> None:
        self._tensors = tensors
        self._mentioned = _mentioned(script.tree)
        self._records: dict[str, int] = {}
        self._plain: dict[str, tuple[Any, str]] = {}

    def look(self, frame: FrameType) -> tuple[dict[str, int | None], dict[str, str]]:
        """Return the names whose tensor is another than at the last look (None: it is gone), and
        those that hold another plain value, with its text.

        The names are those that the frame's code sees: the script's globals, and in a function its
        own names before them. So a call's names come and go with it.
        """
        records: dict[str, int] = {}
        plain: dict[str, tuple[Any, str]] = {}
        held = self._held(frame)
        for name, value in held.items():
            if issubclass(type(value), torch.Tensor):
                if is_transformed(value):
                    continue
                records[name] = self._tensors.record(value)
            elif is_plain(value):
                before = self._plain.get(name)
                same = before is not None and before[0] is value
                plain[name] = before if before is not None and same else (value, literal(value))
        changed: dict[str, int | None] = {
            name: record for name, record in records.items() if self._records.get(name) != record
        }
        changed |= {name: None for name in self._records if name not in records}
        told = {
            name: text
            for name, (_, text) in plain.items()
            if name not in self._plain or self._plain[name][1] != text
        }
        self._records, self._plain = records, plain
        return changed, told

    def _held(self, frame: FrameType) -> dict[str, Any]:
        held: dict[str, Any] = {}
        local = frame.f_locals
        for scope in (frame.f_globals, local) if local is not frame.f_globals else (local,):
            held |= {name: scope[name] for name in self._mentioned if name in scope}
        return held


def _mentioned(tree: ast.Module) -> list[str]:
    """Return every word of a script that may name a value."""
    words: list[str] = []
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if isinstance(value, str) and field in ("id", "arg", "name", "asname", "rest"):
                words.append(value.partition(".")[0])
            elif isinstance(value, list) and field == "names":
                words += (name for name in value if isinstance(name, str))
    return [word for word in dict.fromkeys(words) if not word.startswith("__")]
