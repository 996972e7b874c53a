"""Windows: what the models see, and how they are cut from a panel.

Legend: B windows, T days of the panel, L lookback days, C points. Days are int32 days since
1970-01-01."""

from __future__ import annotations

import itertools
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from hvac.compiled import compiled
from hvac.config import Config
from hvac.panel.grid import Aggregate, Bools, Days, Floats, Panel
from hvac.panel.rhythm import Rhythm, days_left, rhythm

OK, LEARNING, INSUFFICIENT = "ok", "learning", "insufficient_data"
BASELINE_DAYS = 90
NEVER = 2**30
QUARTILES = np.array([0.25, 0.5, 0.75])


class WindowConfig(Config):
    """How windows are cut."""

    by: Literal["equipment", "point"] = "equipment"
    classes: Literal["each", "all"] = Field(default="each", alias="class")
    lookback: int = Field(default=90, ge=60)
    horizons: tuple[int, ...] = Field(default=(30, 60, 90), min_length=1)
    normalise: Literal["baseline", "limits", "none"] = "baseline"
    min_observed: float = Field(default=0.5, ge=0, le=1)
    min_point_share: float = Field(default=0.5, ge=0, le=1)
    train_stride: int = Field(default=1, ge=1)
    evaluation_stride: int = Field(default=7, ge=1)
    aggregate: Aggregate = "mean"

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
    """How a panel is normalised: (value − centre) / spread; a point is silent in windows that end
    before `ready_C`.

    `rhythm` tells how often each point is read.
    """

    centre_TC: Floats
    spread_TC: Floats
    ready_C: Days
    rhythm: Rhythm


class Cut(NamedTuple):
    """Windows cut from one panel, filled and normalised, with why some have no score.

    `share_B`: of the readings that each point's rhythm promises (one a day, or one a month), the
    share that is there."""

    end_day_B: Days
    x_BCL: Floats
    observed_BCL: Bools
    status_B: npt.NDArray[np.str_]
    share_B: Floats

    def take(self, keep: npt.NDArray[Any]) -> Cut:
        """Some of the windows."""
        return Cut(*(column[keep] for column in self))


def fit_scale(panel: Panel, normalise: str) -> Scale:
    """Centre and spread of every point, from nothing later than its first 90 observed days.

    `baseline`: median and IQR (where 0: the std; where 0: 1) of those days; ready on the day the
    last of them is known. A point that is read every few days or rarer has its first 180 days (at
    least 6 readings) for a baseline. `limits`: lower limit and limit range of each day, so that 0
    and 1 are the limits; a day without both is treated as unobserved. `none`: values as they are.
    """
    shape, often = panel.value_TC.shape, rhythm(panel)
    if normalise == "baseline":
        centre_C, spread_C, ready_C = _baseline(panel, often)
        return Scale(
            np.broadcast_to(centre_C, shape), np.broadcast_to(spread_C, shape), ready_C, often
        )
    at_once = np.full(shape[1], np.iinfo(np.int32).min, dtype=np.int32)
    if normalise == "none":
        return Scale(np.zeros(shape), np.ones(shape), at_once, often)
    width_TC = panel.upper_TC - panel.lower_TC
    usable_TC = np.nan_to_num(width_TC) > 0
    ready_C = np.where(
        usable_TC.any(axis=0), panel.first_day + usable_TC.argmax(axis=0), NEVER
    ).astype(np.int32)
    return Scale(panel.lower_TC, np.where(usable_TC, width_TC, np.nan), ready_C, often)


def _baseline(panel: Panel, often: Rhythm) -> tuple[Floats, Floats, Days]:
    """Centre, spread and first day of use of every point."""
    points = panel.observed_TC.shape[1]
    centre_C, spread_C, ready_C = (
        np.zeros(points),
        np.ones(points),
        np.full(points, NEVER, dtype=np.int32),
    )
    rows = {c: np.flatnonzero(panel.observed_TC[:, c])[:BASELINE_DAYS] for c in range(points)}
    known = [c for c in range(points) if len(rows[c]) == BASELINE_DAYS and not often.sparse_C[c]]
    if known:
        value_KN = np.stack([panel.value_TC[rows[c], c] for c in known])
        q25_K, centre_C[known], q75_K = _quartiles(value_KN).T
        for c, value_N, iqr in zip(known, value_KN, q75_K - q25_K, strict=True):
            std = float(value_N.std()) if iqr == 0 and value_N.max() > value_N.min() else 0.0
            spread_C[c] = iqr or std or 1.0
            ready_C[c] = max(
                panel.first_day + int(rows[c][-1]), int(panel.known_TC[rows[c], c].max())
            )
    for c in map(int, np.flatnonzero(often.sparse_C)):
        value_N = panel.value_TC[often.first_TC[:, c], c]
        q25, centre_C[c], q75 = _quartiles(value_N[None])[0]
        spread = float(value_N.std()) if value_N.max() > value_N.min() else 0.0
        spread_C[c], ready_C[c] = q75 - q25 or spread or 1.0, often.known_C[c]
    return centre_C, spread_C, ready_C


def _quartiles(value_KN: Floats) -> Floats:
    """25, 50 and 75 % by linear interpolation [K, 3]: the very bits of np.percentile, without its
    overhead.
    """
    ordered_KN, place = np.sort(value_KN, axis=1), QUARTILES * (value_KN.shape[1] - 1)
    left = place.astype(np.intp)
    share, low, high = (
        place - left,
        ordered_KN[:, left],
        ordered_KN[:, np.minimum(left + 1, value_KN.shape[1] - 1)],
    )
    return np.asarray(
        np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    )


def learning_days_left(panel: Panel, end_day: int) -> int:
    """Days still missing before half of the points the unit has shown have their baseline.

    Observed days where a point is read daily, calendar days where it is read every few days or
    rarer."""
    rows = max(end_day - panel.first_day + 1, 0)
    seen_C = panel.observed_TC[:rows].sum(axis=0)
    left = sorted(
        (
            max(BASELINE_DAYS - int(seen_C[c]), 0)
            if (days := days_left(panel, int(c), end_day)) is None
            else days
        )
        for c in np.flatnonzero(seen_C)
    )
    return left[(len(left) - 1) // 2] if left else BASELINE_DAYS


def cut(panel: Panel, end_day_B: Days, config: WindowConfig, scale: Scale | None = None) -> Cut:
    """Cut the windows that end on given days; `scale` is given by a caller that has fitted it
    already.

    Only readings known by the end day enter. A missing day takes the last observed value before it
    inside the window; a leading gap takes the first observed one; a point with no reading in the
    window (or no baseline yet) is 0.

    >>> value = np.arange(100.0)[:, None]
    >>> flat = dict(known_TC=np.zeros(value.shape, np.int32), lower_TC=value * np.nan, upper_TC=value * np.nan)
    >>> from hvac.panel.grid import Unit
    >>> panel = Panel(unit=Unit("f", "e"), points=("p",), first_day=0, value_TC=value, observed_TC=value >= 0, **flat)
    >>> windows = cut(panel, np.array([50, 99], np.int32), WindowConfig())
    >>> windows.status_B.tolist(), float(windows.x_BCL[1, 0, -1])
    (['learning', 'ok'], 1.2247191011235956)
    """
    scale = scale or fit_scale(panel, config.normalise)
    with np.errstate(invalid="ignore"):
        value_TC = np.ascontiguousarray((panel.value_TC - scale.centre_TC) / scale.spread_TC)
    end_day_B = np.asarray(end_day_B, dtype=np.int32)
    shape = (len(end_day_B), len(panel.points), config.lookback)
    x_BCL, observed_BCL = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
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
    status_B = np.select(
        [ready_B < 0.5, share_B < config.min_observed], [LEARNING, INSUFFICIENT], OK
    )
    return Cut(end_day_B, x_BCL, observed_BCL, status_B, share_B)


def _ready_share(panel: Panel, ready_C: Days, end_day_B: Days) -> Floats:
    """Share of the points shown so far that have their baseline; 0 before the first reading."""
    first_C = np.where(
        panel.observed_TC.any(axis=0), panel.first_day + panel.observed_TC.argmax(axis=0), NEVER
    )
    ready_BC, shown_BC = ready_C <= end_day_B[:, None], first_C <= end_day_B[:, None]
    return np.asarray((ready_BC & shown_BC).sum(axis=1) / np.maximum(shown_BC.sum(axis=1), 1))


@compiled
def _fill(
    value_TC: Any,
    observed_TC: Any,
    known_TC: Any,
    ready_C: Any,
    end_day_B: Any,
    first_day: int,
    x_BCL: Any,
    observed_BCL: Any,
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


def candidate_days(panel: Panel, stride: int) -> Days:
    """Every `stride`-th calendar day of the record (days whose number is a multiple of it)."""
    days = np.arange(panel.first_day, panel.last_day + 1, dtype=np.int32)
    return np.asarray(days[days % stride == 0])
