"""Where the values of newest windows are heading, in physical units.

Legend: B windows, C points, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyFloats, Floats, Ints, Positions
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import crossing_probability
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


class Heading(NamedTuple):
    """Where series are heading within one horizon, in physical units."""

    value_ND: Floats
    low_ND: Floats
    high_ND: Floats
    crossing_N: Floats


class DrivingOutlooks(NamedTuple):
    """The forecasts of the driving point of every window that can be scored.

    `row_N` are the places of those windows, `point_N` the names of their points.
    """

    row_N: Positions
    point_N: tuple[str, ...]
    headings: dict[int, Heading]
    method: str

    def of(self, b: int, horizon: int) -> PointOutlook | None:
        """Return the outlook of one window; None where it cannot be scored."""
        n = int(np.searchsorted(self.row_N, b))
        if n == len(self.row_N) or self.row_N[n] != b:
            return None
        return _outlook(self.point_N[n], self.headings[horizon], n, self.method)


def driving_points(x_BCL: AnyFloats) -> Ints:
    """Return the point of each window that has moved furthest from its baseline in 14 days."""
    return np.asarray(np.abs(x_BCL[:, :, -MOVED_DAYS:].mean(axis=2)).argmax(axis=1))


def _outlook(point: str, heading: Heading, n: int, method: str) -> PointOutlook:
    value_D, low_D, high_D = heading.value_ND[n], heading.low_ND[n], heading.high_ND[n]
    return PointOutlook(
        point, value_D, low_D, high_D, float(heading.crossing_N[n]), method
    )


class SeriesFrame(NamedTuple):
    """What turns series back into physical units, and their limits."""

    centre_N: Floats
    spread_N: Floats
    lower_N: Floats
    upper_N: Floats


def _headings(
    bundle: Bundle,
    x_NL: AnyFloats,
    point_N: Ints,
    frame: SeriesFrame,
    horizons: Sequence[int],
) -> Iterator[Heading]:
    """Yield for each horizon where N series are heading."""
    spread_N1, centre_N1 = frame.spread_N[:, None], frame.centre_N[:, None]
    for parts in bundle.forecast_series(x_NL, point_N, horizons):
        value_ND, low_ND, high_ND = (part * spread_N1 + centre_N1 for part in parts)
        crossing_N = crossing_probability(
            value_ND,
            (high_ND - low_ND) / 2,
            lower_B=frame.lower_N,
            upper_B=frame.upper_N,
        )
        yield Heading(value_ND, low_ND, high_ND, crossing_N)


def outlooks(
    bundle: Bundle, x_CL: AnyFloats, frame: Frame, horizons: Sequence[int]
) -> Iterator[list[PointOutlook]]:
    """Yield for each horizon the forecast of every point of one window."""
    every_C = np.arange(len(x_CL))
    for heading in _headings(bundle, x_CL, every_C, SeriesFrame(*frame[1:]), horizons):
        method = bundle.forecast_method
        yield [
            _outlook(point, heading, c, method) for c, point in enumerate(frame.points)
        ]


def driving_outlooks(bundle: Bundle, newest_windows: Newest) -> DrivingOutlooks:
    """Forecast the driving point of every window that can be scored."""
    row_N = np.flatnonzero(newest_windows.ok_B)
    x_NCL = np.asarray(newest_windows.windows.x_BCL)[row_N]
    point_N = driving_points(x_NCL) if len(row_N) else row_N
    frames = newest_windows.frames
    frame = SeriesFrame(
        frames.centre_BC[row_N, point_N],
        frames.spread_BC[row_N, point_N],
        frames.lower_BC[row_N, point_N],
        frames.upper_BC[row_N, point_N],
    )
    names = [
        frames.points_B[b][c]
        for b, c in zip(row_N.tolist(), point_N.tolist(), strict=True)
    ]
    headings = {}
    if len(row_N):
        x_NL = x_NCL[np.arange(len(row_N)), point_N]
        every = _headings(bundle, x_NL, point_N, frame, bundle.horizons)
        headings = dict(zip(bundle.horizons, every, strict=True))
    return DrivingOutlooks(row_N, tuple(names), headings, bundle.forecast_method)
