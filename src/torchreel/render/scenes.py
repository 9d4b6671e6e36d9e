"""Finding a cell's own scene in ``scenes/``, without importing it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torchreel.records import Problem, TorchReelError
from torchreel.render.source import meaning
from torchreel.syntax import parse


@dataclass(frozen=True)
class SceneSource:
    """A scene class: its file, its name, the digest of its code, and the line it starts on."""

    file: Path
    name: str
    digest: str
    line: int = 1


def scene_name(cell: str) -> str:
    """Return the class name of a cell's scene: ``train_loop`` is ``TrainLoop``."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^0-9A-Za-z]+", cell))


def find_scene(scenes: Path, script: str, cell: str) -> SceneSource | None:
    """Return the scene that the course has for a cell of ``lessons/<lesson>/<script>``, if any.

    It is the class named as the cell in ``scenes/<lesson>.py``. Raises TorchReelError where that
    file is not Python.
    """
    file = scenes / f"{PurePosixPath(script).parent.name}.py"
    if not file.is_file():
        return None
    try:
        tree = parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        where = f"{scenes.name}/{file.name}:{error.lineno}"
        raise TorchReelError(
            Problem(where, f"the scene file is not Python: {error.msg}", "Mend the line.")
        ) from error
    classes = _scene_classes(tree)
    name = scene_name(cell)
    if name not in classes:
        return None
    return SceneSource(file, name, _digest(tree, classes, name), classes[name].lineno)


def _scene_classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    """Return the classes that derive from a Scene, by name (of the file, in source order)."""
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
            if any(base.endswith("Scene") or base in classes for base in bases):
                classes[node.name] = node
    return classes


def _digest(tree: ast.Module, classes: dict[str, ast.ClassDef], name: str) -> str:
    """Return the digest of a class, of the code around the scenes, and of the scenes they name."""
    shared = [node for node in tree.body if node not in classes.values()]
    used: dict[str, ast.ClassDef] = {}
    waiting = [name, *_names(*shared)]
    while waiting:
        candidate = waiting.pop()
        if candidate in classes and candidate not in used:
            used[candidate] = classes[candidate]
            waiting += _names(classes[candidate])
    return meaning(*(node for node in tree.body if node in shared or node in used.values()))


def _names(*nodes: ast.AST) -> set[str]:
    return {node.id for root in nodes for node in ast.walk(root) if isinstance(node, ast.Name)}
