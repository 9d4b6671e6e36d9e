"""A slab: one block that stands for a tensor of too many elements, its values as an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from manim import Group, ImageMobject, VMobject
from numpy.typing import NDArray
from PIL import Image

from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import mix
from torchreel.stage.form import DEPTH_X, DEPTH_Y

Pixels = NDArray[np.float64]

_EDGE = 2.5
_DIM = 0.32


class SlabDrawing(Group):
    """The front is the image (rows, columns, 3) of colours, or plain without one."""

    def __init__(self, canvas: Canvas, image: Pixels | None) -> None:
        self.canvas = canvas
        self.image = image
        self.right, self.top, self.front = VMobject(), VMobject(), VMobject()
        self._shown: tuple[float, float, int, int] | None = None
        super().__init__(self.right, self.top, self.front)
        if image is not None:
            self.texture = ImageMobject(np.zeros((2, 2, 4), dtype=np.uint8))
            self.texture.set_resampling_algorithm(Image.Resampling.NEAREST)
            self.add(self.texture)

    def draw(self, block: Any) -> None:
        """Draw the slab of a block as it stands."""
        pose, theme = block.pose, self.canvas.theme
        there = bool(pose.shown[0])
        x, y = (float(v) for v in pose.corners[0])
        w, h = pose.size * pose.stretch[0], pose.size * pose.stretch[1]
        dx, dy = DEPTH_X * pose.depth, DEPTH_Y * pose.depth
        fill = mix(theme.surface2, theme.muted, 0.25)
        if self.image is not None:
            fill = mix(theme.surface2, self.image.mean(axis=(0, 1)), 0.7)
        dim = float(block.dims[0])
        fill = mix(fill, mix(theme.bg, fill, _DIM), dim)
        faces = (
            (self.front, [(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill),
            (
                self.top,
                [(x, y), (x + dx, y + dy), (x + w + dx, y + dy), (x + w, y)],
                mix(fill, theme.top, theme.top_light * 0.5),
            ),
            (
                self.right,
                [(x + w, y), (x + w + dx, y + dy), (x + w + dx, y + h + dy), (x + w, y + h)],
                mix(fill, theme.side, theme.side_shade),
            ),
        )
        width = self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        for face, corners, color in faces:
            closed = np.array([*corners, corners[0]], dtype=float)
            face.points = self.canvas.points(polyline(closed) if there else closed[:0])
            paint(face, block.shade(color), block.shade(theme.bg), width)
        if self.image is not None:
            square = np.array([(x, y), (x + w, y), (x, y + h), (x + w, y + h)])
            self.texture.points = self.canvas.points(square if there else np.zeros((4, 2)))
            self._paint(dim, float(block.faded), round(w), round(h))

    def _paint(self, dim: float, faded: float, width: int, height: int) -> None:
        if self.image is None or self._shown == (dim, faded, width, height):
            return
        self._shown = (dim, faded, width, height)
        bg = self.canvas.theme.bg
        pixels = self.image
        rows, columns = pixels.shape[:2]
        if columns > width > 0 or rows > height > 0:
            pixels = _box(pixels, min(columns, max(1, width)), min(rows, max(1, height)))
        pixels = pixels + (bg - pixels) * dim * (1 - _DIM)
        pixels = pixels + (bg - pixels) * faded
        opaque = np.full((*pixels.shape[:2], 4), 255, dtype=np.uint8)
        opaque[..., :3] = np.clip(pixels * 255, 0, 255).round()
        self.texture.pixel_array = opaque


def _box(pixels: Pixels, columns: int, rows: int) -> Pixels:
    """Return an image scaled down, each pixel the mean of a box."""
    image = Image.fromarray(np.clip(pixels * 255, 0, 255).round().astype(np.uint8))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BOX), dtype=float) / 255
