"""Where a value is heading: ways to forecast it, and a split-conformal band around any of them.

Which of them is shown is chosen by class (`hvac.scoring.forecast_choice`). Legend: B windows,
L lookback days, D future days, S steps of the fit (30).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtr

from hvac.arrays import AnyFloats, Floats

FIT_DAYS = 30
CLIP_STDS = 3.0
BAND_LEVEL = 0.9
NORMAL_90 = 1.6448536269514722
TREND_DAMPING = 0.98
SMOOTHING = 0.2  # share of the newest day; 0.1 to 0.35 do equally well on the demo's validation units
WEEKS = 4


class Moments(NamedTuple):
    """Mean and standard deviation of each window, for callers who forecast several horizons."""

    mean_B1: Floats
    std_B1: Floats

    @classmethod
    def of(cls, x_BL: AnyFloats) -> Self:
        """Compute the moments of windows."""
        x_BL = np.asarray(x_BL, dtype=np.float64)
        mean_B1 = x_BL.mean(axis=1, keepdims=True)
        std_B1 = x_BL.std(axis=1, keepdims=True)
        return cls(mean_B1, std_B1)

    @property
    def spread_B1(self) -> Floats:
        """Return the scale of each window: its standard deviation, 1 where it does not vary."""
        return np.where(self.std_B1 > 1e-9, self.std_B1, 1.0)


def damped_quadratic(
    x_BL: AnyFloats, horizon: int, moments: Moments | None = None
) -> Floats:
    """Forecast days 1…horizon after each window.

    A parabola through the last 30 days is drawn towards their mean by exp(−day / (2·horizon)), and
    kept within mean ± 3 std of the window.

    Returns:
        y_BD with D = horizon.

    >>> damped_quadratic(np.full((1, 90), 5.0), 3).round(6).tolist()
    [[5.0, 5.0, 5.0]]
    """
    x_BL = np.asarray(x_BL, dtype=np.float64)
    centre_B1, std_B1 = moments or Moments.of(x_BL)
    recent_BS = x_BL[:, -FIT_DAYS:]
    parabola_SD, damping_D = _parabola(horizon)
    mean_B1 = recent_BS.mean(axis=1, keepdims=True)
    reach_B1 = CLIP_STDS * std_B1
    raw_BD = (recent_BS - mean_B1) @ parabola_SD * damping_D + mean_B1
    return np.asarray(np.clip(raw_BD, centre_B1 - reach_B1, centre_B1 + reach_B1))


@cache
def _parabola(horizon: int) -> tuple[Floats, Floats]:
    """Return what turns the last 30 days into the parabola's values, and their damping.

    The parabola is the least-squares one; values are on days 1…horizon.
    """
    past_S = np.arange(1 - FIT_DAYS, 1)
    day_D = np.arange(1, horizon + 1)
    parabola_SD = (
        np.linalg.pinv(np.vander(past_S / FIT_DAYS, 3)).T
        @ np.vander(day_D / FIT_DAYS, 3).T
    )
    return np.asarray(parabola_SD), np.exp(-day_D / (2 * horizon))


def last_value(x_BL: AnyFloats, horizon: int) -> Floats:
    """Forecast the last value, for every day."""
    last_B1 = np.asarray(x_BL[:, -1:], dtype=np.float64)
    return np.repeat(last_B1, horizon, axis=1)


def smoothed_level(x_BL: AnyFloats, horizon: int) -> Floats:
    """Forecast the exponentially smoothed level, for every day.

    >>> smoothed_level(np.array([[1.0, 1.0, 2.0]]), 1).round(3).tolist()
    [[1.41]]
    """
    x_BL = np.asarray(x_BL, dtype=np.float64)
    weight_L = (1 - SMOOTHING) ** np.arange(x_BL.shape[1])[::-1]
    level_B = x_BL @ (weight_L / weight_L.sum())
    return np.repeat(level_B[:, None], horizon, axis=1)


def weekly_pattern(x_BL: AnyFloats, horizon: int) -> Floats:
    """Forecast each day by the mean of the same day of the last 4 weeks."""
    recent_BL = np.asarray(x_BL[:, -7 * WEEKS :], dtype=np.float64)
    week_B7 = recent_BL.reshape(len(recent_BL), WEEKS, 7).mean(axis=1)
    return np.asarray(week_B7[:, np.arange(horizon) % 7])


def damped_trend(x_BL: AnyFloats, horizon: int) -> Floats:
    """Forecast by the line through the last 30 days, its slope fading by 0.98 a day."""
    recent_BS = np.asarray(x_BL[:, -FIT_DAYS:], dtype=np.float64)
    past_S = np.arange(FIT_DAYS) - (FIT_DAYS - 1) / 2
    slope_B1 = (recent_BS @ past_S / (past_S @ past_S))[:, None]
    level_B1 = recent_BS.mean(axis=1, keepdims=True) + slope_B1 * past_S[-1]
    damping_D = TREND_DAMPING ** np.arange(1, horizon + 1)
    return np.asarray(level_B1 + slope_B1 * np.cumsum(damping_D))


def window_spread(x_BL: AnyFloats) -> Floats:
    """Return the scale of each window [B, 1] (`Moments.spread_B1`)."""
    return Moments.of(x_BL).spread_B1


def fit_band(
    actual_BD: Floats,
    forecast_BD: Floats,
    spread_B1: Floats,
    *,
    level: float = BAND_LEVEL,
) -> Floats:
    """Return the half-width q_D of the band on each day, in window spreads.

    Source: split conformal, Vovk et al. 2005. It is the (n + 1)·level-th smallest |error| / spread
    of calibration windows; nan where fewer than 20 are observed.
    """
    error_BD = np.abs(actual_BD - forecast_BD) / spread_B1
    q_D = np.full(error_BD.shape[1], np.nan)
    for d in range(error_BD.shape[1]):
        seen = np.sort(error_BD[np.isfinite(error_BD[:, d]), d])
        if len(seen) >= 20:
            rank = int(np.ceil((len(seen) + 1) * level))
            q_D[d] = seen[min(rank, len(seen)) - 1]
    return q_D


def crossing_probability(
    forecast_BD: Floats, half_BD: Floats, *, lower_B: Floats, upper_B: Floats
) -> Floats:
    """Return the highest daily probability that the value is outside its limits.

    Errors are taken as normal with the band's width. It is nan where there is no limit or no band.

    >>> outside = crossing_probability(
    ...     np.zeros((1, 1)), np.full((1, 1), 1.0),
    ...     lower_B=np.array([np.nan]), upper_B=np.array([0.0]))
    >>> outside.tolist()
    [0.5]
    """
    sigma_BD = np.maximum(half_BD / NORMAL_90, 1e-12)
    above_BD = ndtr((forecast_BD - upper_B[:, None]) / sigma_BD)
    below_BD = ndtr((lower_B[:, None] - forecast_BD) / sigma_BD)
    no_upper_BD = np.isnan(above_BD)
    no_lower_BD = np.isnan(below_BD)
    either_BD = np.where(no_upper_BD, 0.0, above_BD) + np.where(
        no_lower_BD, 0.0, below_BD
    )
    daily_BD = np.where(no_upper_BD & no_lower_BD, np.nan, np.minimum(either_BD, 1.0))
    return np.asarray(np.fmax.reduce(daily_BD, axis=1))


def scaled_error(actual_BD: Floats, forecast_BD: AnyFloats, x_BL: AnyFloats) -> Floats:
    """Return the |error| of each window over its mean absolute day-to-day change.

    The mean over windows is the MASE. It is nan where nothing of the future is observed or the
    window never changes.
    """
    change_BL = np.diff(np.asarray(x_BL, dtype=np.float64), axis=1)
    step_B = np.abs(change_BL).mean(axis=1)
    error_BD = np.abs(actual_BD - forecast_BD)
    seen_B = np.isfinite(error_BD).sum(axis=1)
    mean_B = np.nansum(error_BD, axis=1) / np.maximum(seen_B, 1)
    defined_B = (seen_B > 0) & (step_B > 1e-9)
    ratio_B = mean_B / np.maximum(step_B, 1e-9)
    return np.where(defined_B, ratio_B, np.nan)
