"""A picture unrolls into the column of its pixels: every pixel goes to its own place."""

from __future__ import annotations

import numpy as np

from torchreel.stage import motion
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.nets.shades import Colors, Floats
from torchreel.stage.picture import Picture


class Unroll(Picture):
    """The pixels of a picture on their way to a column, row after row; see :meth:`at`.

    ``colors`` (rows, columns, 3) stand in the zone ``start``, one below the other in ``end``.
    """

    def __init__(self, canvas: Canvas, colors: Colors, start: Zone, end: Zone) -> None:
        self.colors = colors
        x, y = min(start.x, end.x), min(start.y, end.y)
        right, bottom = max(start.right, end.right), max(start.bottom, end.bottom)
        self.frame = Zone(x, y, right - x, bottom - y)
        rows, columns = colors.shape[:2]
        self._starts = _boxes(start, rows, columns)
        self._ends = _boxes(end, rows * columns, 1)
        blank = np.zeros((int(self.frame.height), int(self.frame.width), 3))
        super().__init__(canvas, blank, self.frame)
        self.at(0.0)

    def at(self, time: float) -> None:
        """Draw the pixels as they are at ``time`` (0 to 1)."""
        rows, columns = self.colors.shape[:2]
        share = np.repeat(motion.staggered(time, rows), columns)[:, None]
        boxes = self._starts + (self._ends - self._starts) * share
        corner = np.array([self.frame.x, self.frame.y])
        low = np.floor(boxes[:, :2] - corner).astype(int)
        high = np.maximum(np.ceil(boxes[:, 2:] - corner).astype(int), low + 1)
        pixels = np.zeros_like(self.pixel_array)
        fills = np.rint(self.colors.reshape(-1, 3) * 255).astype(np.uint8)
        for (x0, y0), (x1, y1), fill, gone in zip(low, high, fills, share[:, 0] > 0, strict=True):
            if gone:
                pixels[y0:y1, x0:x1, :3] = fill
                pixels[y0:y1, x0:x1, 3] = 255
        self.pixel_array = pixels


def _boxes(zone: Zone, rows: int, columns: int) -> Floats:
    """Return the boxes (left, top, right, bottom) of a grid's cells, in row-major order."""
    i, j = (grid.ravel() for grid in np.indices((rows, columns)))
    width, height = zone.width / columns, zone.height / rows
    left, top = zone.x + j * width, zone.y + i * height
    return np.stack([left, top, left + width, top + height], axis=1)
