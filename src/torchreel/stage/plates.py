"""Pictures among tensors: which are one, their real colours, and the plates of one channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from manim import Group, VMobject
from numpy.typing import NDArray

from torchreel.records import Array, TensorRecord
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import Color, mix, rgb
from torchreel.stage.form import DEPTH_X, DEPTH_Y
from torchreel.stage.picture import Colors, Picture

TINTS = (rgb("#F0484B"), rgb("#3FCB70"), rgb("#5B84FF"))
"""Red, green and blue at their full value; each plate also bears its index."""

_BLACK = rgb("#0A0D14")
_LEAST, _LEAST_FLOAT = 2, 8
_ASPECT = 4.0
_EDGE = 2.5


@dataclass(frozen=True)
class Photo:
    """A tensor that is a picture, or a batch of them.

    ``colors`` (n, rows, columns, 3) are from 0 to 1, ``channels`` says whether the three channels
    are the last dimension, ``(H, W, 3)``, or come before the rows, ``(3, H, W)``; a batch in grey
    has none, ``(N, H, W)``.
    """

    record: TensorRecord
    colors: Colors
    channels: Literal["last", "first", "none"]

    @property
    def axes(self) -> dict[int, str]:
        """What each dimension is called: N, C, H, W, in the order in which they come; none where
        the first and the last could both be the channels."""
        first, last = self.record.shape[-3], self.record.shape[-1]
        rows, columns, channels = self.dims
        if first == last or channels is None:
            return {}
        named = {rows: "H", columns: "W", channels: "C"}
        return {0: "N", **named} if self.is_batch else named

    @property
    def is_batch(self) -> bool:
        """Tell whether there is a dimension of pictures in front."""
        return len(self.record.shape) == 4 or self.channels == "none"

    @property
    def dims(self) -> tuple[int, int, int | None]:
        """Which dimensions are the rows, the columns and the channels."""
        if self.channels == "none":
            return 1, 2, None
        first = int(self.is_batch)
        rows, columns, channels = (0, 1, 2) if self.channels == "last" else (1, 2, 0)
        return first + rows, first + columns, first + channels

    def place(self, picture: int, row: int, column: int, channel: int) -> tuple[int, ...]:
        """Return the index of one number of the tensor."""
        own = (row, column, channel) if self.channels == "last" else (channel, row, column)
        return (picture, *own) if self.is_batch else own

    def channel(self, channel: int, picture: int = 0) -> Colors:
        """Return one channel of a picture (rows, columns, 3) in its tint, zero as black."""
        low, high = mix(_BLACK, TINTS[channel], 0.05), TINTS[channel]
        return np.asarray(low + (high - low) * self.colors[picture][..., channel, None])


def photo_of(record: TensorRecord, values: Array | None) -> Photo | None:
    """Return a tensor as a picture, or None where it is none.

    A picture is of uint8, or of floats from 0 to 1 that are not all alike, has three channels and
    no side more than four times as long as the other.
    """
    if values is None or len(record.shape) not in (3, 4) or not values.size:
        return None
    channels: Literal["last", "first"] = "last" if record.shape[-1] == 3 else "first"
    if channels == "first" and record.shape[-3] != 3:
        return None
    rows, columns = record.shape[-3:-1] if channels == "last" else record.shape[-2:]
    byte = record.dtype == "uint8"
    least = _LEAST if byte else _LEAST_FLOAT
    if min(rows, columns) < least or max(rows, columns) > _ASPECT * min(rows, columns):
        return None
    shares = values.astype(float) / 255 if byte else values
    if not byte and not _are_shares(shares):
        return None
    colors: Colors = shares.astype(float).reshape(-1, *record.shape[-3:])
    return Photo(record, colors if channels == "last" else np.moveaxis(colors, 1, -1), channels)


def _are_shares(values: Array) -> bool:
    if not np.issubdtype(values.dtype, np.floating):
        return False
    least, most = float(values.min()), float(values.max())
    return 0 <= least < most <= 1


class Solid(Group):
    """A picture with a thickness of ``layers`` of one colour each, the nearest first."""

    def __init__(
        self, canvas: Canvas, colors: Colors, zone: Zone, layers: Sequence[Color], thickness: float
    ) -> None:
        self.canvas, self.layers, self.thickness = canvas, layers, thickness
        self.shown = 0.0
        self.colors = colors
        self.picture = Picture(canvas, colors, zone)
        self.edge = VMobject()
        self.sides = [(VMobject(), VMobject()) for _ in layers]
        super().__init__(
            *(side for pair in reversed(self.sides) for side in pair), self.picture, self.edge
        )
        self.stand(zone)

    def stand(self, zone: Zone) -> None:
        """Stand in another rectangle."""
        self.picture.stand(zone)
        self.redraw()

    def fade_into(self, shown: float) -> None:
        """Show this share (0 to 1) of the colours over the background."""
        self.shown = shown
        bg = self.canvas.theme.bg
        self.picture.paint(bg + (self.colors - bg) * shown)
        self.redraw()

    def redraw(self) -> None:
        """Draw the sides and the edge as the picture stands."""
        zone, theme = self.picture.zone, self.canvas.theme
        width = self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        near = np.array([(zone.x, zone.y), (zone.right, zone.y), (zone.right, zone.bottom)])
        step = np.array([DEPTH_X, DEPTH_Y]) * self.thickness
        for index, (top, right) in enumerate(self.sides):
            front, back = near + step * index, near + step * (index + 1)
            color, edge = self.layers[index], theme.bg
            for face, corners, shade in (
                (top, [front[0], back[0], back[1], front[1]], mix(color, theme.top, 0.15)),
                (right, [front[1], back[1], back[2], front[2]], mix(color, theme.side, 0.5)),
            ):
                closed = np.array([*corners, corners[0]])
                face.points = self.canvas.points(polyline(closed))
                paint(face, mix(theme.bg, shade, self.shown), edge, width)
        around = np.array([*near, (zone.x, zone.bottom), near[0]])
        self.edge.points = self.canvas.points(polyline(around))
        paint(self.edge, None, mix(theme.bg, theme.muted, self.shown), width)


def telling_pixel(colors: NDArray[np.float64]) -> tuple[int, int]:
    """Return the row and column of the pixel (rows, columns, 3) whose channels differ most."""
    spread = np.ptp(colors, axis=-1)
    row, column = np.unravel_index(int(spread.argmax()), spread.shape)
    return int(row), int(column)
