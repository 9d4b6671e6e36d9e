"""Many values at once as colours: the signed map, and paper to ink (no Manim here)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from torchreel.stage.colors import THEMES, Theme, ThemeName, mix, signed

Colors = NDArray[np.float64]
Floats = NDArray[np.float64]

_STEPS = 128


def limit_of(*numbers: NDArray[np.generic] | None) -> float:
    """Return the 99th percentile of the sizes of all finite numbers, 1 where there are none."""
    sizes = [np.abs(each.astype(float)).ravel() for each in numbers if each is not None]
    together = np.concatenate(sizes) if sizes else np.zeros(0)
    finite = together[np.isfinite(together)]
    limit = float(np.percentile(finite, 99)) if len(finite) else 0.0
    return limit if limit > 0 else float(finite.max(initial=0.0)) or 1.0


def boxed(numbers: NDArray[np.generic], rows: float, columns: float) -> Floats:
    """Return the means of boxes of a matrix, at most so many rows and columns."""
    means = numbers.astype(float)
    for axis, most in ((0, max(1, int(rows))), (1, max(1, int(columns)))):
        size = means.shape[axis]
        if size > most:
            starts = np.arange(most) * size // most
            counts = np.diff(starts, append=size)
            sums = np.add.reduceat(means, starts, axis=axis)
            means = sums / (counts[:, None] if axis == 0 else counts)
    return means


def shade(numbers: NDArray[np.generic], limit: float, theme: Theme) -> Colors:
    """Return the colour of every number on the signed map: the shape of ``numbers`` and 3."""
    values = numbers.astype(float)
    finite = np.nan_to_num(values, nan=0.0, posinf=limit, neginf=-limit)
    places = np.rint(np.clip(finite / limit, -1, 1) * _STEPS).astype(int) + _STEPS
    colors: Colors = _table(theme.name)[places]
    colors[np.isnan(values)] = theme.error
    return colors


def ink(numbers: NDArray[np.generic], theme: Theme) -> Colors:
    """Return the colour of every number that is not negative, from paper (0) to ink (the most)."""
    values = np.nan_to_num(numbers.astype(float))
    share = np.clip(values / (float(values.max(initial=0.0)) or 1.0), 0, 1)
    paper = paper_of(theme)
    colors: Colors = paper + (theme.text - paper) * share[..., None]
    return colors


def paper_of(theme: Theme) -> Colors:
    """Return the colour of a pixel that is 0."""
    return mix(theme.surface2, theme.muted, 0.06)


@functools.cache
def _table(name: ThemeName) -> Colors:
    assert name in THEMES
    return np.array([signed(step / _STEPS, 1.0, name) for step in range(-_STEPS, _STEPS + 1)])
