"""Weak references of the tracer's own, of which the script is not told.

Torch refuses to swap tensors to which there are weak references (``torch.utils.swap_tensors``).
"""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

_Held = TypeVar("_Held")


class Hold(weakref.ref[_Held]):
    """A weak reference that ``weakref.getweakrefs`` does not tell, once they are hidden."""

    __slots__ = ()


def hide() -> None:
    """Let the ``weakref`` module tell none of them, for the rest of the process."""
    module: Any = weakref
    tell = module.getweakrefs

    def told(value: object) -> list[Any]:
        return [each for each in tell(value) if not isinstance(each, Hold)]

    module.getweakrefs = told
    module.getweakrefcount = lambda value: len(told(value))
