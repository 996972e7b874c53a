"""Where the values of newest windows are heading, in physical units.

Legend: B windows, C points, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyFloats, Floats, Ints
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import Moments, crossing_probability
from hvac.scoring.newest_windows import Frame, Newest

MOVED_DAYS = 14


class PointOutlook(NamedTuple):
    """The forecast of one point on days 1…D in physical units, and its probability of crossing.

    `crossing` is the probability of leaving the limits, nan where there are none; `method` how it
    is forecast.
    """

    point: str
    value_D: Floats
    low_D: Floats
    high_D: Floats
    crossing: float
    method: str


def driving_points(x_BCL: AnyFloats) -> Ints:
    """Return the point of each window that has moved furthest from its baseline in 14 days."""
    return np.asarray(np.abs(x_BCL[:, :, -MOVED_DAYS:].mean(axis=2)).argmax(axis=1))


def _outlooks(
    bundle: Bundle,
    x_NL: AnyFloats,
    point_N: Ints,
    frames: Sequence[Frame],
    horizons: Sequence[int],
) -> Iterator[list[PointOutlook]]:
    """Yield for each horizon the forecasts of N series in physical units.

    A series is a point of a window with its frame.
    """
    moments = Moments.of(x_NL)
    names, rows = [], []
    for frame, c in zip(frames, point_N, strict=True):
        names.append(frame.points[c])
        rows.append((frame.centre_C[c], frame.spread_C[c], frame.lower_C[c], frame.upper_C[c]))
    centre_N, spread_N, lower_N, upper_N = np.array(rows).T
    for horizon in horizons:
        parts = bundle.forecast_series(x_NL, point_N, horizon, moments)
        value_ND, low_ND, high_ND = (part * spread_N[:, None] + centre_N[:, None] for part in parts)
        half_ND = (high_ND - low_ND) / 2
        crossing_N = crossing_probability(value_ND, half_ND, lower_B=lower_N, upper_B=upper_N)
        columns = zip(names, value_ND, low_ND, high_ND, crossing_N.tolist(), strict=True)
        yield [PointOutlook(*column, bundle.forecast_method) for column in columns]


def outlooks(
    bundle: Bundle, x_CL: AnyFloats, frame: Frame, horizons: Sequence[int]
) -> Iterator[list[PointOutlook]]:
    """Yield for each horizon the forecast of every point of one window."""
    return _outlooks(bundle, x_CL, np.arange(len(x_CL)), [frame] * len(x_CL), horizons)


def driving_outlooks(bundle: Bundle, newest_windows: Newest) -> list[dict[int, PointOutlook]]:
    """Forecast the driving point of every window that can be scored, by horizon.

    It is empty for the other windows.
    """
    outlook_B: list[dict[int, PointOutlook]] = [{} for _ in newest_windows.frames]
    ok_N = np.flatnonzero(newest_windows.ok_B)
    if not len(ok_N):
        return outlook_B
    x_NCL = np.asarray(newest_windows.windows.x_BCL)[ok_N]
    point_N = driving_points(x_NCL)
    x_NL = x_NCL[np.arange(len(ok_N)), point_N]
    frames = [newest_windows.frames[b] for b in ok_N]
    by_horizon = _outlooks(bundle, x_NL, point_N, frames, bundle.horizons)
    for horizon, outlook_N in zip(bundle.horizons, by_horizon, strict=True):
        for b, outlook in zip(ok_N, outlook_N, strict=True):
            outlook_B[b][horizon] = outlook
    return outlook_B
