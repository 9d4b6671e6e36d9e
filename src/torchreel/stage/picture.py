"""Colours as a picture: each element a rectangle with sharp edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from manim import ImageMobject
from numpy.typing import NDArray
from PIL import Image

from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.colors import Color

Colors = NDArray[np.float64]


class Picture(ImageMobject):
    """Colours (rows, columns, 3) in a rectangle of the artboard.

    Numbers with more rows or columns than it has pixels are reduced first (``shades.boxed``).
    """

    def __init__(self, canvas: Canvas, colors: Colors, zone: Zone) -> None:
        self.canvas = canvas
        self.zone = zone
        super().__init__(_pixels(colors))
        self.set_resampling_algorithm(Image.Resampling.NEAREST)
        self.stand(zone)

    def paint(self, colors: Colors) -> None:
        """Show other colours in the same rectangle."""
        self.pixel_array = _pixels(colors)
        self.orig_alpha_pixel_array = self.pixel_array[:, :, 3].copy()

    def thin(self, share: float) -> None:
        """Let what is behind show through, as much as ``share`` says."""
        self.pixel_array[:, :, 3] = round(255 * (1 - share))
        self.orig_alpha_pixel_array = self.pixel_array[:, :, 3].copy()

    def stand(self, zone: Zone) -> None:
        """Stand in another rectangle."""
        self.zone = zone
        corners = [
            (zone.x, zone.y),
            (zone.right, zone.y),
            (zone.x, zone.bottom),
            (zone.right, zone.bottom),
        ]
        self.points = self.canvas.points(np.array(corners, dtype=float))

    def reset_points(self) -> Picture:
        """Stand nowhere: :meth:`stand` says where."""
        self.points = np.zeros((4, 3))
        return self


def wiped(colors: Colors, empty: Color, share: float) -> Colors:
    """Return the colours with only the first ``share`` of their rows, the rest ``empty``."""
    rows = round(len(colors) * share)
    left = colors.copy()
    left[rows:] = empty
    return left


def _pixels(colors: Colors) -> Any:
    pixels = np.full((*colors.shape[:2], 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.rint(np.clip(colors, 0, 1) * 255)
    return pixels
