"""Lesson 5, the training loop: the same digit before and after, without explaining the network."""

from torchreel.stage import LessonScene


class Before(LessonScene):
    """What the network says of a digit before it has learned anything."""

    def construct(self) -> None:
        """Play every line of the cell."""
        self.network.explain = False
        self.play_lines(hold=2.0)


class After(Before):
    """What it says of the same digit afterwards."""
