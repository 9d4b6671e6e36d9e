"""Lesson 1, tensors as boxes of numbers."""

from torchreel.stage import LessonScene


class Boxes(LessonScene):
    """Rests a little on each box: its shape is to be read, and compared with the ones before."""

    def construct(self) -> None:
        """Play every line of the cell."""
        self.play_lines(hold=1.4)


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
