"""The two artboards and their zones, in pixels with y down (no Manim here).

Source: the design's visual language (`film`) and its addendum for the lesson pages (`page`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FRAME_HEIGHT = 8.0
"""Height of every artboard in Manim units."""


@dataclass(frozen=True)
class Zone:
    """A rectangle of an artboard, in pixels from its top left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    @property
    def center_x(self) -> float:
        """The x of the middle."""
        return self.x + self.width / 2

    @property
    def center_y(self) -> float:
        """The y of the middle."""
        return self.y + self.height / 2

    def inset(self, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Zone:
        """Return the zone that is left inside these margins (pixels)."""
        return Zone(
            self.x + left,
            self.y + top,
            self.width - left - right,
            self.height - top - bottom,
        )

    def until(self, bottom: float) -> Zone:
        """Return the zone with another lower edge."""
        return replace(self, height=bottom - self.y)


@dataclass(frozen=True)
class Artboard:
    """A frame size, its zones and its type sizes (pixels).

    ``metric`` scales strokes, gaps, ticks and radii that are given in film pixels. ``digits_from``
    is the cell size from which digits are drawn, ``cells_from`` the smallest cell, ``cell_max`` the
    largest. ``code`` is None
    where the page beside the clip shows the code. ``margin`` is the least distance of any text
    from the edge, ``floor`` the smallest text.
    """

    name: str
    width: int
    height: int
    metric: float
    margin: float
    floor: float
    stage: Zone
    stage_above_tape: Zone
    tape: Zone
    slot_max: float
    strip: Zone
    code: Zone | None
    cell_max: float
    digits_from: float
    cells_from: float
    type_size: float
    type_lit: float
    type_chip: float
    type_op: float
    type_title: float
    type_digit_max: float

    @property
    def unit(self) -> float:
        """Manim units per pixel."""
        return FRAME_HEIGHT / self.height

    def holds(self, box: tuple[float, float, float, float]) -> bool:
        """Tell whether a text in a box (left, top, right, bottom) keeps from the edges."""
        left, top, right, bottom = box
        across = self.margin <= left and right <= self.width - self.margin
        return across and self.margin <= top and bottom <= self.height - self.margin

    def headed(self) -> Artboard:
        """Return the same with room for a line of the smallest text above the stage."""
        stage, above_tape = (
            zone.inset(top=1.4 * self.floor) for zone in (self.stage, self.stage_above_tape)
        )
        return replace(self, stage=stage, stage_above_tape=above_tape)

    def px(self, film: float) -> float:
        """Return a length given in film pixels in this artboard's pixels."""
        return film * self.metric


ARTBOARDS: dict[str, Artboard] = {
    "page": Artboard(
        name="page",
        width=1280,
        height=800,
        metric=1.4,
        margin=24,
        floor=36,
        stage=Zone(64, 28, 1152, 650),
        stage_above_tape=Zone(64, 26, 1152, 506),
        tape=Zone(64, 600, 1152, 60),
        slot_max=96,
        strip=Zone(64, 704, 1152, 64),
        code=None,
        cell_max=144,
        digits_from=68,
        cells_from=28,
        type_size=48,
        type_lit=60,
        type_chip=40,
        type_op=36,
        type_title=56,
        type_digit_max=60,
    ),
    "film": Artboard(
        name="film",
        width=1920,
        height=1080,
        metric=1.0,
        margin=24,
        floor=26,
        stage=Zone(64, 262, 1792, 674),
        stage_above_tape=Zone(64, 262, 1792, 534),
        tape=Zone(528, 830, 864, 58),
        slot_max=72,
        strip=Zone(64, 966, 1792, 74),
        code=Zone(64, 36, 1792, 202),
        cell_max=120,
        digits_from=50,
        cells_from=20,
        type_size=38,
        type_lit=48,
        type_chip=32,
        type_op=28,
        type_title=44,
        type_digit_max=56,
    ),
}
