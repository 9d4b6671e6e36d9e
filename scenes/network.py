"""Lesson 4, the network."""

from torchreel.stage import LessonScene


class Nodes(LessonScene):
    """The same network as nodes and lines, not as a chain."""

    def construct(self) -> None:
        """Play every line of the cell."""
        self.network.view = "nodes"
        self.play_lines(hold=2.0)
