"""Easing and durations: how things move, the same everywhere (no Manim here)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUICK = 0.3
SAY = 0.4
BEAT = 0.6
HOLD = 0.8
SLOW = 1.2

_SPREAD = 0.55


def ease(t: float) -> float:
    """Return smootherstep of ``t``, clipped to 0..1."""
    t = min(1.0, max(0.0, t))
    return t * t * t * (t * (6 * t - 15) + 10)


def part(t: float, start: float, end: float) -> float:
    """Return how far a movement from ``start`` to ``end`` (0..1) has come at ``t``, eased."""
    return ease((t - start) / (end - start))


def early(t: float) -> float:
    """Return how far what goes before the rest has come at ``t``."""
    return part(t, 0.0, 0.65)


def late(t: float) -> float:
    """Return how far what waits for the rest has come at ``t``."""
    return part(t, 0.6, 1.0)


def staggered(t: float, count: int) -> NDArray[np.float64]:
    """Return how far each of ``count`` elements has come at ``t``, in memory order."""
    if count == 1:
        return np.array([ease(t)])
    lags = _SPREAD * np.arange(count) / (count - 1)
    return np.array([ease(t * (1 + _SPREAD) - lag) for lag in lags])
