"""A tensor that is a picture: its real colours, opened into plates; a batch stands on a shelf."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from manim import FadeIn, FadeOut, Mobject, Scene, VGroup

from torchreel.records import Drawn, Run, Step, Trace
from torchreel.stage import motion, numerals
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.bracket import Bracket
from torchreel.stage.canvas import Canvas, polyline
from torchreel.stage.colors import ink_on, mix
from torchreel.stage.form import DEPTH_X, DEPTH_Y
from torchreel.stage.layout import BracketLine, bracket_room
from torchreel.stage.photos import Photos
from torchreel.stage.plates import TINTS, Photo, Solid, telling_pixel
from torchreel.stage.strip import Sentence
from torchreel.stage.text import text_width

_WIDE, _TALL = 0.36, 0.50
_PLATE = 0.76
_OVER, _UP = 0.29, 0.56
_MOST = 4
_CELL = 62.0
_THIN = 16.0


class Pictures:
    """Plays the steps that make a picture of nothing, or of other pictures."""

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas, photos: Photos) -> None:
        self.scene, self.trace, self.canvas, self.photos = scene, trace, canvas, photos
        self._there: list[Mobject] = []
        self._shown: tuple[int, ...] = ()

    def covers(self, step: Step) -> bool:
        """Tell whether a step's result is a picture, and all that it was made of."""
        if step.clash or len(step.results) != 1 or step.written:
            return False
        used = [each.tensor for each in step.operands if each.tensor is not None]
        return all(self.photos.of(each) is not None for each in (*step.results, *used))

    def sentence(self, step: Step) -> Sentence | None:
        """Return None: the strip says what it says of any step."""
        return None

    def play(self, step: Step) -> None:
        """Play one step that makes a picture."""
        photo = self.photos.of(step.results[0])
        assert photo is not None
        self.leave()
        self._shown = step.results
        if photo.is_batch:
            self._shelf(photo)
        else:
            self._open(photo)

    def printed(self, run: Run) -> None:
        """Change nothing."""

    def leave(self) -> None:
        """Take what is there off the stage."""
        if self._there:
            solids = [each for each in self._there if isinstance(each, Solid)]
            rest = [each for each in self._there if not isinstance(each, Solid)]
            self.scene.play(
                *(self._fading(each, 1.0, 0.0, motion.QUICK) for each in solids),
                *(FadeOut(each, run_time=motion.QUICK) for each in rest),
            )
            self.scene.remove(*self._there)
        self._there, self._shown = [], ()

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        return self._shown

    def _bracket(self, photo: Photo, line: BracketLine, *, lit: bool = False) -> Bracket:
        axis = self.photos.axis(photo, line.dim)
        return Bracket(self.canvas, line, photo.record, lit=lit, axis=axis)

    def _beside(self, photo: Photo) -> float:
        """Return the room in pixels that the rows' bracket and its label take at the left."""
        artboard, (rows, _, _) = self.canvas.artboard, photo.dims
        name, size = self.photos.axis(photo, rows), photo.record.shape[rows]
        text = f"{name}={size}" if name else str(size)
        return bracket_room(artboard) + text_width(text, artboard.type_size)

    # One picture.

    def _open(self, photo: Photo) -> None:
        """Show a picture, and its three channels as plates that leave it."""
        left, plates = self._zones(photo)
        px, theme = self.canvas.artboard.px, self.canvas.theme
        whole = Solid(self.canvas, photo.colors[0], left, (), 0)
        self._arrive(whole)
        self._grow(self._sides(photo, left, px(10)))
        self.scene.wait(motion.BEAT)
        y = left.center_y
        arrow = self.canvas.arrow(
            (left.right + px(26), y), (plates[0].x - px(26), y), theme.muted, px(5)
        )
        self._grow([arrow])
        made = [
            Solid(self.canvas, photo.channel(each), left, TINTS[each : each + 1], px(_THIN))
            for each in (2, 1, 0)
        ]
        for solid in made:
            solid.fade_into(1.0)
        self.scene.add(*made, whole)  # they come from behind it
        self._there += made
        self.scene.play(
            *(
                self._sliding(solid, left, plates[each])
                for solid, each in zip(made, (2, 1, 0), strict=True)
            )
        )
        lines = [*self._indices(photo, plates), self._depth(photo, plates)]
        lines += self._numbers(photo, plates)
        self._grow(lines)
        self._grow(self._pixel(photo, left))

    def _zones(self, photo: Photo) -> tuple[Zone, list[Zone]]:
        """Return where the picture stands, and its plates from the first to the last."""
        stage, px = self.canvas.artboard.stage, self.canvas.artboard.px
        rows, columns = photo.colors.shape[1:3]
        gap, room = px(96), self._beside(photo)
        most = stage.right - self.canvas.artboard.margin - gap - room - px(_THIN)
        fitting = most / (1 + _PLATE * (1 + 2 * _OVER))
        wide = min(_WIDE * stage.width, _TALL * stage.height * columns / rows, fitting)
        tall = wide * rows / columns
        plate, high = wide * _PLATE, tall * _PLATE
        across = plate * (1 + 2 * _OVER) + px(_THIN)
        x = stage.center_x - (room + wide + gap + across) / 2 + room
        y = stage.center_y - tall / 2 + px(34)
        low = stage.center_y + high * (0.5 + _UP) + px(4) - high
        plates = [
            Zone(x + wide + gap + each * _OVER * plate, low - each * _UP * high, plate, high)
            for each in range(3)
        ]
        return Zone(x, y, wide, tall), plates

    def _indices(self, photo: Photo, plates: list[Zone]) -> list[Mobject]:
        """Return the index of each plate in its upper right corner."""
        artboard, theme = self.canvas.artboard, self.canvas.theme
        size = artboard.type_chip
        made: list[Mobject] = []
        for channel, zone in enumerate(plates):
            source = Drawn(0, str(channel), "sign", photo.record.id, (channel,))
            if photo.channels == "last":
                source = replace(source, source="index")
            side = size * 1.2
            x, y = zone.right - side - artboard.px(6), zone.y + artboard.px(6)
            box = self.canvas.rectangle(x, y, side, side, radius=artboard.px(6), fill=theme.bg)
            label = self.canvas.label(
                str(channel), x + side / 2, y + side / 2, size, theme.text, source=source
            )
            made.append(VGroup(box, label))
        return made

    def _depth(self, photo: Photo, plates: list[Zone]) -> Bracket:
        """Return the lit bracket of the channels, along the plates."""
        first, last, gap = plates[0], plates[2], self.canvas.artboard.px(16)
        *_, channels = photo.dims
        assert channels is not None, "a picture that is opened has channels"
        start, end = np.array([first.x, first.y]), np.array([last.x, last.y])
        along = (end - start) / np.linalg.norm(end - start)
        out = np.array([along[1], -along[0]])
        a, b = start + out * gap, end + out * gap
        line = BracketLine(channels, (a[0], a[1]), (b[0], b[1]), (out[0], out[1]))
        return self._bracket(photo, line, lit=True)

    def _numbers(self, photo: Photo, plates: list[Zone]) -> list[Mobject]:
        """Return the numbers on the plates of a picture of a few pixels."""
        values, artboard = self.trace.values[photo.record.id], self.canvas.artboard
        rows, columns = photo.colors.shape[1:3]
        side = plates[0].width / columns
        texts = numerals.write_all(values, int(0.9 * side / (0.6 * artboard.floor)))
        if rows * columns > 16 or side < artboard.digits_from or texts is None:
            return []
        size = min(artboard.type_digit_max, 0.9 * side / (0.6 * max(map(len, texts))))
        made: list[Mobject] = []
        for row, column in np.ndindex(rows, columns):
            place = photo.place(0, row, column, 0)
            text = texts[int(np.ravel_multi_index(place, photo.record.shape))]
            color = ink_on(photo.channel(0)[row, column], self.canvas.theme)
            x, y = plates[0].x + (column + 0.5) * side, plates[0].y + (row + 0.5) * side
            if row == 0 and column == columns - 1:
                continue  # the plate's index stands there
            source = Drawn(0, text, "value", photo.record.id, place)
            made.append(self.canvas.label(text, x, y, size, color, source=source))
        return made

    def _pixel(self, photo: Photo, zone: Zone) -> list[Mobject]:
        """Return a frame around one pixel, and its three numbers in cells above the picture."""
        artboard, theme, px = self.canvas.artboard, self.canvas.theme, self.canvas.artboard.px
        row, column = telling_pixel(photo.colors[0])
        values = self.trace.values[photo.record.id]
        places = [photo.place(0, row, column, channel) for channel in range(3)]
        rows, columns = photo.colors.shape[1:3]
        side, cell = max(zone.width / columns, px(16)), px(_CELL)
        chars = int(0.9 * cell / (0.6 * artboard.floor))
        texts = numerals.write_all(np.array([values[each] for each in places]), chars)
        if texts is None:
            return []
        x = zone.x + (column + 0.5) * zone.width / columns
        y = zone.y + (row + 0.5) * zone.height / rows
        left = min(max(x - 1.5 * cell, zone.x), zone.right - 3 * cell)
        top = zone.y - cell - px(30)
        frame = self.canvas.rectangle(
            x - side / 2 - px(2),
            y - side / 2 - px(2),
            side + px(4),
            side + px(4),
            line=theme.text,
            stroke=px(3.5),
        )
        thread = self.canvas.path([(x, y - side / 2 - px(2)), (x, top + cell)], theme.text, px(3))
        made: list[Mobject] = [frame, thread]
        size = min(artboard.type_digit_max, 0.9 * cell / (0.6 * max(map(len, texts))))
        for channel, (text, place) in enumerate(zip(texts, places, strict=True)):
            fill = photo.channel(channel)[row, column]
            at = left + channel * cell
            box = self.canvas.rectangle(
                at, top, cell, cell, fill=fill, line=theme.muted, stroke=px(2)
            )
            label = self.canvas.label(
                text,
                at + cell / 2,
                top + cell / 2,
                size,
                ink_on(fill, theme),
                source=Drawn(0, text, "value", photo.record.id, place),
            )
            made.append(VGroup(box, label))
        return made

    # A batch.

    def _shelf(self, photo: Photo) -> None:
        """Put the pictures of a batch on a shelf, one after the other."""
        px, theme = self.canvas.artboard.px, self.canvas.theme
        count = len(photo.colors)
        shown = list(range(count)) if count <= _MOST else [0, 1, count - 1]
        zones, depth = self._places(photo, len(shown), count > _MOST)
        *_, channels = photo.dims
        grey = mix(theme.surface2, theme.muted, 0.25)
        layers = (grey,) if channels is None else TINTS
        solids = [
            Solid(self.canvas, photo.colors[each], zone, layers, depth)
            for each, zone in zip(shown, zones, strict=True)
        ]
        for solid in solids:
            self._arrive(solid)
        plank = self._plank(zones, depth * len(layers))
        self.scene.add(plank, *solids)
        self._grow([plank])
        if count > _MOST:
            right, left = zones[1].right, zones[2].x
            y, gap = zones[0].center_y, px(26)
            x = (right + left + DEPTH_X * len(layers) * depth) / 2
            spots = [(x + each * gap, y) for each in (-1, 0, 1)]
            r = px(6)
            dots = [
                self.canvas.rectangle(at - r, down - r, 2 * r, 2 * r, radius=r, fill=theme.muted)
                for at, down in spots
            ]
            self._grow([VGroup(*dots)])
        first, last = zones[0], zones[-1]
        self._grow(self._sides(photo, first, px(26)))
        if channels is not None:
            deep = np.array([DEPTH_X, DEPTH_Y]) * depth * len(layers)
            start, out = np.array([first.x, first.y]), np.array([DEPTH_Y, -DEPTH_X]) / 0.616
            a = start + out * px(14)
            b = a + deep
            oblique = BracketLine(channels, (a[0], a[1]), (b[0], b[1]), (out[0], out[1]))
            self._grow([self._bracket(photo, oblique)])
        low = first.bottom + px(112)
        whole = BracketLine(0, (first.x, low), (last.right, low), (0.0, 1.0))
        self._grow([self._bracket(photo, whole, lit=True)])

    def _places(self, photo: Photo, shown: int, dots: bool) -> tuple[list[Zone], float]:
        """Return where the pictures of a batch stand, and how deep each of their layers is."""
        stage, px = self.canvas.artboard.stage, self.canvas.artboard.px
        rows, columns = photo.colors.shape[1:3]
        gap, room = px(36 if photo.channels == "none" else 70), self._beside(photo)
        free = stage.width - room - gap * (shown - 1) - (gap if dots else 0) - px(60)
        wide = min(free / shown, 0.5 * stage.height * columns / rows)
        tall = wide * rows / columns
        depth = min(px(26), 0.09 * wide)
        total = wide * shown + gap * (shown - 1) + (gap if dots else 0)
        x = stage.center_x - (room + total + 3 * depth * DEPTH_X) / 2 + room
        y = stage.center_y - tall / 2 - px(46)
        zones = []
        for each in range(shown):
            if dots and each == shown - 1:
                x += gap
            zones.append(Zone(x, y, wide, tall))
            x += wide + gap
        return zones, depth

    def _plank(self, zones: list[Zone], depth: float) -> VGroup:
        px, theme = self.canvas.artboard.px, self.canvas.theme
        left, right, y = zones[0].x - px(20), zones[-1].right + px(12), zones[0].bottom
        thick, back = px(18), depth * 1.3
        dx, dy = DEPTH_X * back, DEPTH_Y * back
        top = [(left, y), (left + dx, y + dy), (right + dx, y + dy), (right, y), (left, y)]
        edge = [(left, y), (right, y), (right, y + thick), (left, y + thick), (left, y)]
        made = []
        colors = (theme.surface2, mix(theme.surface, theme.surface2, 0.6))
        for corners, fill in zip((top, edge), colors, strict=True):
            points = polyline(np.array(corners, dtype=float))
            made.append(self.canvas.shape(points, fill, theme.line, px(1.5)))
        return VGroup(*made)

    # What both have.

    def _sides(self, photo: Photo, zone: Zone, under: float) -> list[Mobject]:
        """Return the brackets of the rows and the columns of a picture."""
        gap = self.canvas.artboard.px(18)
        rows, columns, _ = photo.dims
        x, y = zone.x - gap, zone.bottom + under + gap / 2
        lines = [
            BracketLine(rows, (x, zone.y), (x, zone.bottom), (-1.0, 0.0)),
            BracketLine(columns, (zone.x, y), (zone.right, y), (0.0, 1.0)),
        ]
        return [self._bracket(photo, line) for line in lines]

    def _grow(self, mobjects: list[Mobject]) -> None:
        if not mobjects:
            return  # numbers that no cell has room for
        self._there += mobjects
        self.scene.play(
            *(
                each.grow() if isinstance(each, Bracket) else FadeIn(each, run_time=motion.QUICK)
                for each in mobjects
            )
        )

    def _add(self, solid: Solid) -> None:
        solid.fade_into(0.0)
        self.scene.add(solid)
        self._there.append(solid)

    def _arrive(self, solid: Solid) -> None:
        """Let a picture appear; what a clip begins with is there at once."""
        self._add(solid)
        if self.scene.renderer.time == 0:
            solid.fade_into(1.0)
            self.scene.wait(motion.BEAT)
        else:
            self.scene.play(self._fading(solid, 0.0, 1.0, motion.BEAT))

    @staticmethod
    def _fading(solid: Solid, start: float, end: float, run_time: float) -> BlockAnimation:
        def draw(alpha: float) -> None:
            solid.fade_into(start + (end - start) * motion.ease(alpha))

        return BlockAnimation(solid, draw, run_time)

    @staticmethod
    def _sliding(solid: Solid, start: Zone, end: Zone) -> BlockAnimation:
        def draw(alpha: float) -> None:
            t = motion.ease(alpha)
            solid.stand(
                replace(
                    start,
                    x=start.x + (end.x - start.x) * t,
                    y=start.y + (end.y - start.y) * t,
                    width=start.width + (end.width - start.width) * t,
                    height=start.height + (end.height - start.height) * t,
                )
            )

        return BlockAnimation(solid, draw, motion.SLOW)
