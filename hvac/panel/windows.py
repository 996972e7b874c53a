"""Windows: how they are cut from a panel, and what their values are measured in.

Legend: K series, N readings, T days of the panel, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

import itertools
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from hvac.arrays import DayNumbers, Floats
from hvac.config import Config
from hvac.days import NEVER
from hvac.panel.daily_readings import Aggregate
from hvac.panel.grid import Panel
from hvac.panel.rhythm import Rhythm, days_left, rhythm

OK = "ok"
LEARNING = "learning"
INSUFFICIENT = "insufficient_data"
BASELINE_DAYS = 90
# a smaller one counts as none: values would be infinite in spreads of it
LEAST_SPREAD = 1e-12
QUARTILES = np.array([0.25, 0.5, 0.75])


class WindowConfig(Config):
    """How windows are cut."""

    by: Literal["equipment", "point"] = "equipment"
    """What a window belongs to: a machine with all its points, or one of its points alone."""
    classes: Literal["each", "all"] = Field(default="each", alias="class")
    """Whether each class of equipment gets a bundle of its own, or all share one."""
    lookback: int = Field(default=90, ge=60)
    """Days of a window, up to its end date."""
    horizons: tuple[int, ...] = Field(default=(30, 60, 90), min_length=1)
    """Days ahead for which the risk of an onset is predicted, rising."""
    normalise: Literal["baseline", "limits", "none"] = "baseline"
    """What values are measured in: the spread of the first days, the limit range, or as read."""
    min_observed: float = Field(default=0.5, ge=0, le=1)
    """Least share of a window's readings that must be there; below it there is no score."""
    min_point_share: float = Field(default=0.5, ge=0, le=1)
    """Least share of a class's units that must have a point, so that it is one of the class's."""
    train_stride: int = Field(default=1, ge=1)
    """Days from one training window of a unit to the next."""
    evaluation_stride: int = Field(default=7, ge=1)
    """Days from one window of a unit to the next in tune, cal and test."""
    aggregate: Aggregate = "mean"
    """How several readings of a day become one; `last` is the last by the clock."""

    @field_validator("horizons")
    @classmethod
    def _rise(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if any(
            longer <= shorter for shorter, longer in itertools.pairwise((0, *horizons))
        ):
            raise ValueError(
                "expected days above 0, each horizon longer than the one before, such as [30,"
                " 60, 90]"
            )
        return horizons


class Scale(NamedTuple):
    """How a panel is normalised: (value − centre) / spread.

    A point is silent in windows that end before `ready_C`. `rhythm` is how often each point is
    read.
    """

    centre_TC: Floats
    spread_TC: Floats
    ready_C: DayNumbers
    rhythm: Rhythm


def fit_scale(panel: Panel, normalise: str) -> Scale:
    """Return centre and spread of every point, from its first 90 observed days at most.

    `baseline`: median and IQR (where 0: the std; where 0: 1) of those days; ready on the day the
    last of them is known. A point that is read every few days or rarer has its first 180 days (at
    least 6 readings) for a baseline. `limits`: lower limit and limit range of each day, so that 0
    and 1 are the limits; a day without both is treated as unobserved. `none`: values as they are.
    """
    shape = panel.value_TC.shape
    point_rhythm = rhythm(panel)
    if normalise == "baseline":
        centre_C, spread_C, ready_C = _baseline(panel, point_rhythm)
        centre_TC = np.broadcast_to(centre_C, shape)
        spread_TC = np.broadcast_to(spread_C, shape)
        return Scale(centre_TC, spread_TC, ready_C, point_rhythm)
    if normalise == "none":
        earliest = np.iinfo(np.int32).min
        at_once_C = np.full(shape[1], earliest, dtype=np.int32)
        return Scale(np.zeros(shape), np.ones(shape), at_once_C, point_rhythm)
    width_TC = panel.upper_TC - panel.lower_TC
    usable_TC = np.nan_to_num(width_TC) >= LEAST_SPREAD
    first_usable_C = panel.first_day + usable_TC.argmax(axis=0)
    ready_C = np.where(usable_TC.any(axis=0), first_usable_C, NEVER)
    ready_C = ready_C.astype(np.int32)
    spread_TC = np.where(usable_TC, width_TC, np.nan)
    return Scale(panel.lower_TC, spread_TC, ready_C, point_rhythm)


def _baseline(panel: Panel, point_rhythm: Rhythm) -> tuple[Floats, Floats, DayNumbers]:
    """Return centre, spread and first day of use of every point."""
    points = panel.observed_TC.shape[1]
    centre_C = np.zeros(points)
    spread_C = np.ones(points)
    ready_C = np.full(points, NEVER, dtype=np.int32)
    rows_by_point = {}
    for c in range(points):
        rows = np.flatnonzero(panel.observed_TC[:, c])[:BASELINE_DAYS]
        if len(rows) == BASELINE_DAYS and not point_rhythm.sparse_C[c]:
            rows_by_point[c] = rows
    if rows_by_point:
        daily = list(rows_by_point)
        value_KN = np.stack(
            [panel.value_TC[rows, c] for c, rows in rows_by_point.items()]
        )
        q25_K, centre_C[daily], q75_K = _quartiles(value_KN).T
        spread_C[daily] = list(map(_spread, q75_K - q25_K, value_KN))
        for c, rows in rows_by_point.items():
            last_known = int(panel.known_TC[rows, c].max())
            ready_C[c] = max(panel.first_day + int(rows[-1]), last_known)
    for c in map(int, np.flatnonzero(point_rhythm.sparse_C)):
        value_N = panel.value_TC[point_rhythm.first_TC[:, c], c]
        q25, centre_C[c], q75 = _quartiles(value_N[None])[0]
        spread_C[c] = _spread(q75 - q25, value_N)
        ready_C[c] = point_rhythm.known_C[c]
    return centre_C, spread_C, ready_C


def _spread(iqr: float, value_N: Floats) -> float:
    """Return the interquartile range; where there is none, the standard deviation; else 1."""
    if iqr >= LEAST_SPREAD:
        return iqr
    std = float(value_N.std()) if value_N.max() > value_N.min() else 0.0
    return std if std >= LEAST_SPREAD else 1.0


def _quartiles(value_KN: Floats) -> Floats:
    """Return 25, 50 and 75 % by linear interpolation [K, 3].

    They are the very bits of np.percentile, without its overhead.
    """
    last = value_KN.shape[1] - 1
    ordered_KN = np.sort(value_KN, axis=1)
    place = QUARTILES * last
    left = place.astype(np.intp)
    share = place - left
    low = ordered_KN[:, left]
    high = ordered_KN[:, np.minimum(left + 1, last)]
    from_low = low + (high - low) * share
    from_high = high - (high - low) * (1 - share)
    return np.asarray(np.where(share < 0.5, from_low, from_high))


def learning_days_left(panel: Panel, end_day: int) -> int:
    """Return the days still missing until half of the points shown so far have their baseline.

    They are observed days where a point is read daily, calendar days where it is read every few
    days or rarer.
    """
    rows = max(end_day - panel.first_day + 1, 0)
    seen_C = panel.observed_TC[:rows].sum(axis=0)
    left = []
    for c in np.flatnonzero(seen_C):
        days = days_left(panel, int(c), end_day)
        left.append(max(BASELINE_DAYS - int(seen_C[c]), 0) if days is None else days)
    left.sort()
    return left[(len(left) - 1) // 2] if left else BASELINE_DAYS
