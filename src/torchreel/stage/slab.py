"""A slab: one block that stands for a tensor of too many elements, its values as an image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from manim import Group, ImageMobject, VGroup, VMobject
from numpy.typing import NDArray
from PIL import Image

from torchreel.stage.canvas import Canvas, paint, polyline
from torchreel.stage.colors import Color, mix
from torchreel.stage.form import DEPTH_X, DEPTH_Y

Pixels = NDArray[np.float64]

_EDGE = 2.5
_DIM = 0.32


@dataclass(frozen=True)
class Sight:
    """What stays bright of a slab that is dimmed: which rows and columns of the front, and from
    where to where in depth, as shares of it. The slab is cut open to ``near``; ``images`` are those
    of the slices on the way there, the last stands in front then (none: the front stays)."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]
    near: float
    back: float
    images: Sequence[Pixels] = ()

    def bright(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """Tell which texels (rows, columns) of the front are bright."""
        down, across = (
            mask[np.arange(count) * len(mask) // count]
            for mask, count in ((self.rows, rows), (self.columns, columns))
        )
        if len(self.rows) == 1:  # a long row is folded into lines
            count = rows * columns
            flat = self.columns[np.arange(count) * len(self.columns) // count]
            return np.asarray(flat.reshape(rows, columns))
        return np.asarray(down[:, None] & across[None, :])


class SlabDrawing(Group):
    """The front is the image (rows, columns, 3) of colours, or plain without one."""

    def __init__(self, canvas: Canvas, image: Pixels | None) -> None:
        self.canvas = canvas
        self.image = image
        self.right, self.top = (VGroup(*(VMobject() for _ in range(3))) for _ in range(2))
        self.front = VMobject()
        self._shown: tuple[object, ...] | None = None
        super().__init__(self.right, self.top, self.front)
        if image is not None:
            self.texture = ImageMobject(np.zeros((2, 2, 4), dtype=np.uint8))
            self.texture.set_resampling_algorithm(Image.Resampling.NEAREST)
            self.add(self.texture)

    def draw(self, block: Any) -> None:
        """Draw the slab of a block as it stands."""
        pose, theme, sight = block.pose, self.canvas.theme, block.sight
        there, dim = bool(pose.shown[0]), float(block.dims[0])
        w, h = pose.size * pose.stretch[0], pose.size * pose.stretch[1]
        lean = np.array([DEPTH_X, DEPTH_Y]) * pose.depth
        fill = mix(theme.surface2, theme.muted, 0.25)
        if not block.record.numel:
            fill = theme.surface  # of an empty slot
        if self.image is not None:
            fill = mix(theme.surface2, self.image.mean(axis=(0, 1)), 0.7)
        dark = mix(fill, mix(theme.bg, fill, _DIM), dim)
        near = block.opened
        x, y = (float(v) for v in pose.corners[0] + lean * near)
        front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        self._face(block, self.front, front if there else [], dark)
        cuts = [near, max(near, sight.near), sight.back, 1.0] if sight else [0.0, 0.0, 1.0, 1.0]
        upper = sight is not None and bool(sight.rows[0] and sight.columns.all())
        beside = sight is not None and bool(sight.columns[-1] and sight.rows.all())
        for part, (start, end) in enumerate(itertools.pairwise(cuts)):
            (x0, y0), (x1, y1) = (pose.corners[0] + lean * share for share in (start, end))
            top = [(x0, y0), (x1, y1), (x1 + w, y1), (x0 + w, y0)]
            right = [(x0 + w, y0), (x1 + w, y1), (x1 + w, y1 + h), (x0 + w, y0 + h)]
            seen = there and end > start
            over, aside = (fill if part == 1 and bright else dark for bright in (upper, beside))
            for face, corners, color in (
                (self.top[part], top, mix(over, theme.top, theme.top_light * 0.5)),
                (self.right[part], right, mix(aside, theme.side, theme.side_shade)),
            ):
                self._face(block, face, corners if seen else [], color)
        if self.image is not None:
            square = np.array([(x, y), (x + w, y), (x, y + h), (x + w, y + h)])
            self.texture.points = self.canvas.points(square if there else np.zeros((4, 2)))
            self._paint(block, round(w), round(h))

    def _face(
        self, block: Any, face: VMobject, corners: list[tuple[float, float]], color: Color
    ) -> None:
        closed = np.array([*corners, *corners[:1]], dtype=float).reshape(-1, 2)
        face.points = self.canvas.points(polyline(closed) if len(closed) else closed)
        width = self.canvas.stroke(self.canvas.artboard.px(_EDGE))
        edge = self.canvas.theme.bg if block.record.numel else self.canvas.theme.line
        paint(face, block.shade(color), block.shade(edge), width)

    def _paint(self, block: Any, width: int, height: int) -> None:
        dim, faded, sight = float(block.dims[0]), float(block.faded), block.sight
        if self.image is None or self._shown == (dim, faded, width, height, id(sight)):
            return
        self._shown = (dim, faded, width, height, id(sight))
        bg, pixels = self.canvas.theme.bg, self.image
        if sight is not None and sight.images:
            pixels = sight.images[round(min(1.0, dim) * (len(sight.images) - 1))]
        rows, columns = pixels.shape[:2]
        if sight is None:
            dark = np.full((rows, columns), dim)
        else:
            dark = np.where(sight.bright(rows, columns), 0.0, dim)
        pixels = pixels + (bg - pixels) * dark[..., None] * (1 - _DIM)
        if columns > width > 0 or rows > height > 0:
            pixels = _box(pixels, min(columns, max(1, width)), min(rows, max(1, height)))
        pixels = pixels + (bg - pixels) * faded
        opaque = np.full((*pixels.shape[:2], 4), 255, dtype=np.uint8)
        opaque[..., :3] = np.clip(pixels * 255, 0, 255).round()
        self.texture.pixel_array = opaque


def _box(pixels: Pixels, columns: int, rows: int) -> Pixels:
    """Return an image scaled down, each pixel the mean of a box."""
    image = Image.fromarray(np.clip(pixels * 255, 0, 255).round().astype(np.uint8))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BOX), dtype=float) / 255
