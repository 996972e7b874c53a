"""Slow, obvious forecasts, written from design §11: one window and one day at a time, with numpy.polyfit."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np


def damped_quadratic(window: np.ndarray, horizon: int) -> list[float]:
    """Degree 2 through the last 30 days, read at day offsets 1…h, damped to their mean, clipped to mean ± 3 std."""
    recent = [float(value) for value in window[-30:]]
    offsets = [float(day) for day in range(-29, 1)]
    curve = np.polyfit(offsets, recent, 2)
    recent_mean = sum(recent) / 30
    low, high = window.mean() - 3 * window.std(), window.mean() + 3 * window.std()
    forecast = []
    for day in range(1, horizon + 1):
        damped = (np.polyval(curve, day) - recent_mean) * math.exp(
            -day / (2 * horizon)
        ) + recent_mean
        forecast.append(float(min(max(damped, low), high)))
    return forecast


def conformal_width(errors: list[float], level: float) -> float:
    """The ceil((n + 1)·level)-th smallest error."""
    return sorted(errors)[math.ceil((len(errors) + 1) * level) - 1]


def scaled_error(actual: np.ndarray, forecast: np.ndarray, window: np.ndarray) -> float:
    """Mean |error| on observed days over the window's mean |day-to-day change|."""
    errors = [
        abs(a - f) for a, f in zip(actual, forecast, strict=True) if not math.isnan(a)
    ]
    steps = [abs(b - a) for a, b in pairwise(window)]
    if not errors or sum(steps) == 0:
        return math.nan
    return (sum(errors) / len(errors)) / (sum(steps) / len(steps))
