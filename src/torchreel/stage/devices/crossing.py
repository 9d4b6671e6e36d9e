"""How a thing crosses from board to board: two after-images follow it, an arrow goes ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from manim import Animation, Group, Mobject, Scene, VGroup, VMobject

from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.colors import Color, mix
from torchreel.stage.devices.board import device_color
from torchreel.stage.motion import BEAT, SLOW, ease
from torchreel.stage.nets.handover import Points
from torchreel.stage.nets.thing import Thing
from torchreel.stage.picture import Picture

_IMAGES = ((0.09, 0.55), (0.18, 0.75))
"""How far an after-image lags behind, as a share of the time, and how pale it is."""


def cross(scene: Scene, thing: Thing, way: float, target: str, *along: Animation) -> None:
    """Let a thing go ``way`` pixels to the right (to the left, where that is less than 0), to the
    board of the device ``target``, along with other animations.

    Its numbers fade on their way to a device that keeps none.
    """
    canvas = thing.canvas
    away = np.array([way * canvas.artboard.unit, 0.0, 0.0])
    images = [_image(thing, pale) for _, pale in _IMAGES]
    ahead = _ahead(canvas, thing.zone, way, 0.0, target)
    scene.add(*images, thing, ahead)
    moving = [_points(each) for each in (thing, *images)]
    lags = (0.0, *(lag for lag, _ in _IMAGES))

    def draw(time: float) -> None:
        ahead.become(_ahead(canvas, thing.zone, way, ease(time), target))
        if target == "meta":
            thing.empty(ease(max(0.0, 2 * time - 1)))
        for lag, parts in zip(lags, moving, strict=True):
            share = ease(max(0.0, time - lag) / (1 - lag * (1 - time)))
            for part, points in parts:
                part.points = points + away * share

    whole = Group(*images, thing, ahead)
    scene.play(BlockAnimation(whole, draw, SLOW + BEAT), *along)
    scene.remove(whole, *images, ahead)
    scene.add(thing)
    thing.zone = replace(thing.zone, x=thing.zone.x + way)


def _points(group: Group) -> list[tuple[Mobject, Points]]:
    return [(part, part.points.copy()) for part in group.get_family()]


def _ahead(canvas: Canvas, zone: Zone, way: float, share: float, target: str) -> VGroup:
    """Return the arrow before a thing that has gone ``share`` of its way; it ends where the thing
    will stand."""
    px, sign = canvas.artboard.px, 1 if way > 0 else -1
    edge = zone.right if way > 0 else zone.x
    left = abs(way) * (1 - share) - zone.width
    x, reach = edge + way * share + sign * px(10), min(px(70), left - px(20))
    if reach < px(30):
        return VGroup()
    color = device_color(target, canvas.theme)
    return canvas.arrow((x, zone.center_y), (x + sign * reach, zone.center_y), color, px(6))


def _image(thing: Thing, pale: float) -> Group:
    """Return an after-image: a copy that fades into the ground by opaque mixes, without words."""
    canvas, image = thing.canvas, thing.copy()
    ground: Color = mix(canvas.theme.bg, canvas.theme.surface2, 0.5)
    for part in image.get_family():
        if isinstance(part, Label):
            part.points = np.zeros((0, 3))
        elif isinstance(part, VMobject):
            for rgba in (part.fill_rgbas, part.stroke_rgbas):
                rgba[:, :3] = mix(rgba[:, :3], ground, pale)
        elif isinstance(part, Picture):
            mixed = mix(part.pixel_array[..., :3] / 255, ground, pale)
            part.pixel_array[..., :3] = np.rint(mixed * 255)
    return image
