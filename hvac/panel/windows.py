"""Windows: what the models see, and how they are cut from a panel.

Legend: B windows, T days of the panel, L lookback days, C points. Days are int32 days since
1970-01-01.
"""

from __future__ import annotations

import itertools
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Strings
from hvac.compiled import compiled
from hvac.config import Config
from hvac.days import NEVER
from hvac.panel.daily_readings import Aggregate
from hvac.panel.grid import Panel
from hvac.panel.rhythm import Rhythm, days_left, rhythm

OK = "ok"
LEARNING = "learning"
INSUFFICIENT = "insufficient_data"
BASELINE_DAYS = 90
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
        if any(longer <= shorter for shorter, longer in itertools.pairwise((0, *horizons))):
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


class Cut(NamedTuple):
    """Windows cut from one panel, filled and normalised.

    `status_B` tells why a window has no score (`learning`, `insufficient_data`), else `ok`.
    `share_B` is the share of the readings that each point's rhythm promises (one a day, or one a
    month) which are there.
    """

    end_day_B: DayNumbers
    x_BCL: Floats
    observed_BCL: Bools
    status_B: Strings
    share_B: Floats

    def take(self, keep: AnyArray) -> Cut:
        """Return some of the windows: by a mask or by positions."""
        return Cut(
            end_day_B=self.end_day_B[keep],
            x_BCL=self.x_BCL[keep],
            observed_BCL=self.observed_BCL[keep],
            status_B=self.status_B[keep],
            share_B=self.share_B[keep],
        )


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
    usable_TC = np.nan_to_num(width_TC) > 0
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
        value_KN = np.stack([panel.value_TC[rows, c] for c, rows in rows_by_point.items()])
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
    """Return the interquartile range; where it is 0, the standard deviation; where 0, 1."""
    if iqr:
        return iqr
    std = float(value_N.std()) if value_N.max() > value_N.min() else 0.0
    return std or 1.0


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


def cut(
    panel: Panel, end_day_B: DayNumbers, config: WindowConfig, scale: Scale | None = None
) -> Cut:
    """Cut the windows that end on given days.

    Only readings known by the end day enter. A missing day takes the last observed value before it
    inside the window; a leading gap takes the first observed one; a point with no reading in the
    window (or no baseline yet) is 0. `scale` is given by a caller that has fitted it already.

    >>> from hvac.panel.grid import Unit
    >>> value = np.arange(100.0)[:, None]
    >>> grids = dict(value_TC=value, observed_TC=value >= 0, known_TC=np.zeros((100, 1), np.int32))
    >>> grids |= dict(lower_TC=value * np.nan, upper_TC=value * np.nan)
    >>> panel = Panel(unit=Unit("f", "e"), points=("p",), first_day=0, **grids)
    >>> windows = cut(panel, np.array([50, 99], np.int32), WindowConfig())
    >>> windows.status_B.tolist(), float(windows.x_BCL[1, 0, -1])
    (['learning', 'ok'], 1.2247191011235956)
    """
    scale = scale or fit_scale(panel, config.normalise)
    with np.errstate(invalid="ignore"):
        value_TC = np.ascontiguousarray((panel.value_TC - scale.centre_TC) / scale.spread_TC)
    end_day_B = np.asarray(end_day_B, dtype=np.int32)
    shape = (len(end_day_B), len(panel.points), config.lookback)
    x_BCL = np.zeros(shape)
    observed_BCL = np.zeros(shape, dtype=np.bool_)
    observed_TC = panel.observed_TC & np.isfinite(value_TC)
    _fill(
        value_TC,
        observed_TC,
        panel.known_TC,
        scale.ready_C,
        end_day_B,
        panel.first_day,
        x_BCL,
        observed_BCL,
    )
    ready_B = _ready_share(panel, scale.ready_C, end_day_B)
    share_B = observed_BCL.mean(axis=(1, 2))
    if scale.rhythm.sparse_C.any():
        share_B = scale.rhythm.expected(observed_BCL.mean(axis=2), end_day_B)
    too_few_B = share_B < config.min_observed
    status_B = np.select([ready_B < 0.5, too_few_B], [LEARNING, INSUFFICIENT], OK)
    return Cut(end_day_B, x_BCL, observed_BCL, status_B, share_B)


def _ready_share(panel: Panel, ready_C: DayNumbers, end_day_B: DayNumbers) -> Floats:
    """Return the share of the points shown so far that have their baseline [B].

    It is 0 before the first reading.
    """
    first_row_C = panel.observed_TC.argmax(axis=0)
    first_C = np.where(panel.observed_TC.any(axis=0), panel.first_day + first_row_C, NEVER)
    shown_BC = first_C <= end_day_B[:, None]
    ready_BC = shown_BC & (ready_C <= end_day_B[:, None])
    shown_B = np.maximum(shown_BC.sum(axis=1), 1)
    return np.asarray(ready_BC.sum(axis=1) / shown_B)


@compiled
def _fill(
    value_TC: Floats,
    observed_TC: Bools,
    known_TC: DayNumbers,
    ready_C: DayNumbers,
    end_day_B: DayNumbers,
    first_day: int,
    x_BCL: Floats,
    observed_BCL: Bools,
) -> None:
    days, points = value_TC.shape
    lookback = x_BCL.shape[2]
    for b in range(len(end_day_B)):
        end = end_day_B[b]
        start = end - lookback + 1 - first_day
        for c in range(points):
            if ready_C[c] > end:
                continue
            last, seen = 0.0, False
            for i in range(lookback):
                t = start + i
                if 0 <= t < days and observed_TC[t, c] and known_TC[t, c] <= end:
                    last = value_TC[t, c]
                    observed_BCL[b, c, i] = True
                    if not seen:
                        seen = True
                        for j in range(i):
                            x_BCL[b, c, j] = last
                x_BCL[b, c, i] = last
