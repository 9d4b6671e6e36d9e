"""Colours: the two themes, the identity ramp and the signed value map (no Manim here).

Source: the design's visual language, sections 1.1 and 1.2. Colours are arrays of red, green and
blue from 0 to 1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ThemeName = Literal["dark", "light"]
Color = NDArray[np.float64]

_RAMP_SIZE = 256


def rgb(text: str) -> Color:
    """Return the colour that a hex code such as ``#0C1220`` names."""
    return np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def mix(a: Color, b: Color, share: float) -> Color:
    """Return the opaque mix with ``share`` (0 to 1) of ``b``."""
    return a + (b - a) * share


@dataclass(frozen=True)
class Theme:
    """The tokens of one theme; see the table of roles in the design."""

    name: ThemeName
    bg: Color
    surface: Color
    surface2: Color
    line: Color
    muted: Color
    text: Color
    focus: Color
    lit: Color
    grad: Color
    param: Color
    error: Color
    cpu: Color
    cuda: Color
    ink: Color
    top_light: float
    side_shade: float

    @property
    def grad_soft(self) -> Color:
        """What fills the capsule of a gradient that only passes."""
        return mix(self.bg, self.grad, 0.22)

    @property
    def top(self) -> Color:
        """What a top face is mixed towards."""
        return rgb("#FFFFFF")

    @property
    def side(self) -> Color:
        """What a right face is mixed towards."""
        return rgb("#0A0F1C")


THEMES: dict[str, Theme] = {
    "dark": Theme(
        name="dark",
        bg=rgb("#0C1220"),
        surface=rgb("#151D2F"),
        surface2=rgb("#22304C"),
        line=rgb("#3A4966"),
        muted=rgb("#93A1C0"),
        text=rgb("#EDF2FC"),
        focus=rgb("#F9E154"),
        lit=rgb("#22304C"),
        grad=rgb("#EE6BA8"),
        param=rgb("#FFAA44"),
        error=rgb("#FF4A40"),
        cpu=rgb("#A9C0E1"),
        cuda=rgb("#49E0A2"),
        ink=rgb("#0C1220"),
        top_light=0.30,
        side_shade=0.42,
    ),
    "light": Theme(
        name="light",
        bg=rgb("#FCFDFF"),
        surface=rgb("#F0F3F9"),
        surface2=rgb("#DFE6F2"),
        line=rgb("#BAC5D8"),
        muted=rgb("#56637D"),
        text=rgb("#121929"),
        focus=rgb("#3E40DD"),
        lit=rgb("#E2E5FF"),
        grad=rgb("#E32B93"),
        param=rgb("#C47400"),
        error=rgb("#9A0000"),
        cpu=rgb("#485567"),
        cuda=rgb("#03815D"),
        ink=rgb("#0C1220"),
        top_light=0.35,
        side_shade=0.34,
    ),
}


def identity(index: int, count: int, theme: ThemeName) -> Color:
    """Return the colour of element ``index`` of ``count``: it keeps it through every move."""
    ramp = _identity_ramp(theme)
    place = index / (count - 1) if count > 1 else 0.0
    color: Color = ramp[round(place * (_RAMP_SIZE - 1))]
    return color


def signed(value: float, limit: float, theme: ThemeName) -> Color:
    """Return the colour of a value: blue below zero, orange above, full at ``limit`` (above 0).

    Zero is grey as the background is, with nothing of orange.
    """
    if not np.isfinite(value):
        return THEMES[theme].surface
    strength = min(1.0, abs(value) / limit) ** 0.8
    low, high = (0.315, 0.78) if theme == "dark" else (0.935, 0.70)
    hue = 62.0 if value > 0 else 256.0
    return _oklch(low + (high - low) * strength, 0.01 + 0.15 * strength, hue)


def ink_on(fill: Color, theme: Theme) -> Color:
    """Return ink or white, whichever contrasts more with ``fill`` (WCAG luminance)."""
    white = rgb("#FFFFFF")
    light = _luminance(fill) + 0.05
    on_white = 1.05 / light
    on_ink = light / (_luminance(theme.ink) + 0.05)
    return theme.ink if on_ink >= on_white else white


@functools.cache
def _identity_ramp(theme: ThemeName) -> NDArray[np.float64]:
    # Who does not see all hues tells neighbours apart by lightness: it goes as far as ink can be
    # read on it.
    low, high = (0.60, 0.93) if theme == "dark" else (0.60, 0.90)
    t = np.linspace(0, 1, 2048)
    lightness, chroma = low + (high - low) * t, 0.13
    hue = np.radians(302 + (128 - 302) * t)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(lab, axis=0), axis=1))])
    even = np.interp(np.linspace(0, length[-1], _RAMP_SIZE), length, t)
    resampled = np.stack([np.interp(even, t, lab[:, i]) for i in range(3)], axis=1)
    return np.array([_oklab_to_rgb(color) for color in resampled])


def _oklch(lightness: float, chroma: float, hue: float) -> Color:
    angle = np.radians(hue)
    return _oklab_to_rgb(np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)]))


def _oklab_to_rgb(lab: Color) -> Color:
    """Convert OKLab to sRGB, clipped to the gamut (Ottosson 2020)."""
    to_lms = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(to_rgb @ (to_lms @ lab) ** 3, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _luminance(color: Color) -> float:
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
