"""The Manim vocabulary: mobjects, and one choreography per kind of op (never imports torch)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchreel.stage.director import LessonScene

__all__ = ["LessonScene"]


def __getattr__(name: str) -> Any:
    # Manim is imported when a scene asks for it, not when a file list does.
    if name == "LessonScene":
        from torchreel.stage.director import LessonScene

        return LessonScene
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
