"""The context block: what a technician would ask first, known at `end_date` and no later.

Legend: U units, D end days of each, B = U·D windows, C points, T days of the grids, N events, K
context features. Unknown or censored history is nan, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from hvac.arrays import DayNumbers, Floats, Ints
from hvac.compiled import compiled
from hvac.days import DAYS_PER_YEAR
from hvac.features.unit_grids import UnitEvents, UnitGrids
from hvac.panel.cutting import Cut

FIXED_NAMES = (
    "age_days",
    "season_sin",
    "season_cos",
    "observed_share",
    "limit_margin_last",
    "days_to_limit",
)
TREND_DAYS = 30
FAR_DAYS = 365.0
PRIOR_YEARS = 1.0


class StoredContext(TypedDict):
    """A `ContextSpec` as JSON holds it; bundles of before have no rates."""

    kinds: list[str]
    classes: list[str]
    rates: NotRequired[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class ContextSpec:
    """The event kinds and classes that the block covers, fixed per bundle: columns never shift.

    `rates` holds events per unit and year of the training part, for the kinds whose rate is a
    column.
    """

    kinds: tuple[str, ...]
    classes: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names, in order.

        >>> ContextSpec(kinds=("failure",)).names[:4]
        ('days_since_failure', 'failure_90d', 'failure_365d', 'failure_ever')
        """
        names: list[str] = []
        for kind in self.kinds:
            names += [
                f"days_since_{kind}",
                f"{kind}_90d",
                f"{kind}_365d",
                f"{kind}_ever",
            ]
        names += ["days_since_any_event", *FIXED_NAMES]
        names += [f"class_{name}" for name in self.classes]
        names += [f"{kind}_rate" for kind in self.rates]
        return tuple(names)

    def to_json(self) -> StoredContext:
        """Return plain values."""
        return {
            "kinds": list(self.kinds),
            "classes": list(self.classes),
            "rates": dict(self.rates),
        }

    @classmethod
    def from_json(cls, stored: StoredContext) -> ContextSpec:
        """Return the specification that `to_json` wrote."""
        kinds = tuple(stored["kinds"])
        classes = tuple(stored["classes"])
        return cls(kinds=kinds, classes=classes, rates=stored.get("rates", {}))


def context(grids: UnitGrids, windows: Cut, spec: ContextSpec) -> Floats:
    """Return the context features k_BK of the windows of some units.

    Per event kind: days since the last one, how many in the last 90 and 365 days, how many in the
    record. Then days since any event, age (since installation, else since the first reading; an
    installation after that is of a machine that replaced this one, of which nobody knew before),
    season, observed share of the window, the smallest distance of a last value to its limits (in
    limit ranges; negative outside) and the days until a linear trend of the last 30 days crosses
    one (at most 365). Counts over days before the record began are nan. Last, the rate of some
    kinds: events per observed year, drawn towards the fleet's where the record is short.

    Args:
        grids: the units; their events are of `spec.kinds`.
        windows: cut from them, unit after unit.
        spec: which columns there are.
    """
    end_B = windows.end_day_B
    end_UD = end_B.reshape(len(grids), -1)
    start_B = np.repeat(grids.fits.start_U, end_UD.shape[1])
    built_B = np.repeat(grids.built_U, end_UD.shape[1])
    of_kinds = [_history(grids.events, kind, end_UD) for kind in range(len(spec.kinds))]
    columns: list[Any] = []
    for history in of_kinds:
        columns += history.columns(end_B, start_B)
    columns.append(_since([history.newest_B for history in of_kinds], end_B))
    columns.append(end_B - built_B.astype(np.float64))
    angle_B = 2 * np.pi * (end_B % 365.25) / 365.25
    observed_B = windows.observed_BCL.mean(axis=(1, 2))
    columns += [np.sin(angle_B), np.cos(angle_B), observed_B]
    columns.extend(_limits(grids, end_UD))
    class_B = np.repeat(np.array(grids.class_U), end_UD.shape[1])
    columns += [(class_B == name).astype(np.float64) for name in spec.classes]
    years_B = (end_B - start_B + 1) / DAYS_PER_YEAR
    for kind, usual in spec.rates.items():
        place = spec.kinds.index(kind)
        columns.append(
            (of_kinds[place].ever_B + usual * PRIOR_YEARS) / (years_B + PRIOR_YEARS)
        )
    return np.column_stack(columns).astype(np.float64)


class _History(NamedTuple):
    """Events of one kind that are known at the end of each window.

    `newest_B` is the start of the newest one, nan where there is none.
    """

    newest_B: Floats
    last_90_B: Floats
    last_365_B: Floats
    ever_B: Floats

    def columns(self, end_B: DayNumbers, start_B: DayNumbers) -> list[Floats]:
        """Return days since the last one, and counts: 90 days, 365 days, record."""
        counts = []
        for span, count_B in ((90, self.last_90_B), (365, self.last_365_B)):
            recorded_B = end_B - span + 1 >= start_B
            counts.append(np.where(recorded_B, count_B, np.nan))
        return [end_B - self.newest_B, *counts, self.ever_B]


def _history(events: UnitEvents, kind: int, end_UD: DayNumbers) -> _History:
    newest_UD = np.full(end_UD.shape, np.nan)
    count_3UD = np.zeros((3, *end_UD.shape))
    _count_events(*events[:4], kind, end_UD, newest_UD, count_3UD)
    return _History(newest_UD.ravel(), *count_3UD.reshape(3, -1))


@compiled
def _count_events(
    first_U: Ints,
    kind_N: Ints,
    start_N: DayNumbers,
    known_N: DayNumbers,
    kind: int,
    end_UD: DayNumbers,
    newest_UD: Floats,
    count_3UD: Floats,
) -> None:
    for u in range(end_UD.shape[0]):
        for d in range(end_UD.shape[1]):
            end = end_UD[u, d]
            for n in range(first_U[u], first_U[u + 1]):
                if known_N[n] > end:
                    break
                if kind_N[n] != kind:
                    continue
                if not newest_UD[u, d] >= start_N[n]:
                    newest_UD[u, d] = start_N[n]
                count_3UD[0, u, d] += known_N[n] > end - 90
                count_3UD[1, u, d] += known_N[n] > end - 365
                count_3UD[2, u, d] += 1


def _since(newest: Sequence[Floats], end_B: DayNumbers) -> Floats:
    """Return days since the newest event of any kind, nan where there is none."""
    if not newest:
        return np.full(len(end_B), np.nan)
    return np.asarray(end_B - np.fmax.reduce(newest))


def _limits(grids: UnitGrids, end_UD: DayNumbers) -> Floats:
    """Return the smallest margin of last values to limits, and days until a trend crosses one.

    Returns [2, B], nan where no limit is known.
    """
    out_2UD = np.full((2, *end_UD.shape), np.nan)
    if np.isfinite(grids.lower_UCT).any() or np.isfinite(grids.upper_UCT).any():
        readings = grids.value_UCT, grids.known_UCT, grids.lower_UCT, grids.upper_UCT
        _margins(*readings, grids.first_day_U, end_UD, out_2UD)
    return out_2UD.reshape(2, -1)


@compiled
def _margins(
    value_UCT: Floats,
    known_UCT: DayNumbers,
    lower_UCT: Floats,
    upper_UCT: Floats,
    first_day_U: DayNumbers,
    end_UD: DayNumbers,
    out_2UD: Floats,
) -> None:
    """Write the smallest margin and the fewest days over the points of each window."""
    for u in range(value_UCT.shape[0]):
        for d in range(end_UD.shape[1]):
            for c in range(value_UCT.shape[1]):
                row = end_UD[u, d] - first_day_U[u]
                point = (
                    value_UCT[u, c],
                    known_UCT[u, c],
                    lower_UCT[u, c],
                    upper_UCT[u, c],
                )
                margin, days = _point_margin(*point, row, end_UD[u, d])
                out_2UD[0, u, d] = np.fmin(out_2UD[0, u, d], margin)
                out_2UD[1, u, d] = np.fmin(out_2UD[1, u, d], days)


@compiled
def _point_margin(
    value_T: Floats,
    known_T: DayNumbers,
    lower_T: Floats,
    upper_T: Floats,
    row: int,
    end: int,
) -> tuple[float, float]:
    n, sum_t, sum_x, sum_tt, sum_tx, last = 0, 0.0, 0.0, 0.0, 0.0, -1
    for t in range(max(row - TREND_DAYS + 1, 0), min(row + 1, len(value_T))):
        if np.isfinite(value_T[t]) and known_T[t] <= end:
            day = float(t - row)
            n, sum_t, sum_x, last = n + 1, sum_t + day, sum_x + value_T[t], t
            sum_tt, sum_tx = sum_tt + day * day, sum_tx + day * value_T[t]
    if n == 0:
        return np.nan, np.nan
    value, lower, upper = value_T[last], lower_T[last], upper_T[last]
    if not (np.isfinite(lower) or np.isfinite(upper)):
        return np.nan, np.nan
    only = upper if np.isfinite(upper) else lower
    spread = upper - lower if upper > lower else max(abs(only), 1e-9)
    below = (value - lower) / spread if np.isfinite(lower) else np.inf
    above = (upper - value) / spread if np.isfinite(upper) else np.inf
    margin = min(below, above)
    if margin < 0:
        return margin, 0.0
    if n == 1:
        return margin, np.nan
    slope = (n * sum_tx - sum_t * sum_x) / (n * sum_tt - sum_t * sum_t)
    limit = upper if slope > 0 else lower
    if not np.isfinite(limit) or slope == 0:
        return margin, FAR_DAYS
    return margin, min(max((limit - value) / slope, 0.0), FAR_DAYS)
