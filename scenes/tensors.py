"""Lesson 1, tensors as boxes of numbers."""

from torchreel.stage import LessonScene


class Digit(LessonScene):
    """Rests on the digit: there are 64 numbers to read, and then the 3 that they make."""

    def construct(self) -> None:
        """Play the one line."""
        self.play_lines(hold=3.6)


class More(LessonScene):
    """Rests on the badge, which is what the second line prints."""

    def construct(self) -> None:
        """Play both lines."""
        self.play_lines(hold=2.3)
