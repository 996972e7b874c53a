"""Changed copies of training windows: noise, other amplitudes, a silent sensor, another speed.

Nothing changes a window's keys or labels. All changes keep its last day last, because a label
counts from there. Legend: B windows, C points, L lookback days.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hvac.arrays import AnyFloats, Float32s
from hvac.config import Config, Seed


class AugmentConfig(Config):
    """Changed copies that join the training windows, and how far they are changed."""

    copies: int = Field(default=0, ge=0)
    """Changed copies of every training window; 0: none."""
    jitter: float = Field(default=0.05, ge=0)
    """Std of the noise, as a share of the std of a series; 0: no noise."""
    scaling: float = Field(default=0.1, ge=0)
    """Std of the logarithm of a series' factor; 0: amplitudes stay."""
    time_mask: float = Field(default=0.1, ge=0, lt=1)
    """Share of the days in which a sensor is silent; 0: none."""
    window_slice: float = Field(default=0.9, gt=0, le=1)
    """Shortest share of the days that is kept and stretched; 1: all."""
    seed: Seed = 0
    """Starts the random generator of the copies."""


def changed(x_BCL: AnyFloats, config: AugmentConfig, copy: int) -> Float32s:
    """Return one changed copy of the values of windows.

    It is the same for the same seed, number of the copy, and windows.

    >>> x_BCL = np.arange(90.0).reshape(1, 1, 90)
    >>> still = AugmentConfig(copies=1, jitter=0, scaling=0, time_mask=0, window_slice=1)
    >>> bool((changed(x_BCL, still, 0) == x_BCL).all())
    True
    """
    rng = np.random.default_rng((config.seed, copy))
    made_BCL = sliced(np.asarray(x_BCL, dtype=np.float64), config.window_slice, rng)
    made_BCL = scaled(made_BCL, config.scaling, rng)
    made_BCL = jittered(made_BCL, config.jitter, rng)
    return masked(made_BCL, config.time_mask, rng).astype(np.float32)


def jittered(x_BCL: AnyFloats, share: float, rng: np.random.Generator) -> AnyFloats:
    """Add normal noise on every day; its std is a share of the std of the series."""
    std_BC1 = x_BCL.std(axis=-1, keepdims=True)
    return np.asarray(x_BCL + share * std_BC1 * rng.standard_normal(x_BCL.shape))


def scaled(x_BCL: AnyFloats, spread: float, rng: np.random.Generator) -> AnyFloats:
    """Multiply every series by a factor of its own.

    The factor is log-normal, with this std of its logarithm.
    """
    drawn_BC1 = rng.standard_normal((*x_BCL.shape[:-1], 1))
    factor_BC1 = np.exp(spread * drawn_BC1)
    return np.asarray(x_BCL * factor_BC1)


def masked(x_BCL: AnyFloats, share: float, rng: np.random.Generator) -> AnyFloats:
    """Repeat, in a stretch of this share of every series' days, the value before it.

    So a missing reading looks.
    """
    days = x_BCL.shape[-1]
    length = min(round(share * days), days - 1)
    shape = (*x_BCL.shape[:-1], 1)
    first_BC1 = rng.integers(1, days - length + 1, shape)
    day_L = np.arange(days)
    hidden_BCL = (day_L >= first_BC1) & (day_L < first_BC1 + length)
    source_BCL = np.where(hidden_BCL, first_BC1 - 1, day_L)
    return np.take_along_axis(x_BCL, source_BCL, axis=-1)


def sliced(x_BCL: AnyFloats, share: float, rng: np.random.Generator) -> AnyFloats:
    """Stretch the last days of every window, at least this share of them, to full length."""
    days = x_BCL.shape[-1]
    latest = (1 - share) * (days - 1)
    first_B11 = rng.uniform(0, latest, (len(x_BCL), 1, 1))
    position_B1L = first_B11 + (days - 1 - first_B11) * np.linspace(0, 1, days)
    left_B1L = np.minimum(position_B1L.astype(np.int64), days - 2)
    before_BCL = np.take_along_axis(x_BCL, left_B1L, axis=-1)
    after_BCL = np.take_along_axis(x_BCL, left_B1L + 1, axis=-1)
    return np.asarray(before_BCL + (after_BCL - before_BCL) * (position_B1L - left_B1L))
