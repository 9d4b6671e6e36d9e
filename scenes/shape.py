"""Lesson 2, the shape of the box."""

from torchreel.stage import LessonScene


class Reshape(LessonScene):
    """Dwells on every shape a little longer: there is one element to find again in each."""

    def construct(self) -> None:
        """Play every line of the cell."""
        self.play_lines(hold=1.2)
