"""The context block: what a technician would ask first, known at `end_date` and no later.

Legend: B windows, C points, L lookback days, K context features. Unknown or censored history is
nan, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import numpy as np

from hvac.arrays import Bools, DayNumbers, Floats, Ints
from hvac.compiled import compiled
from hvac.days import DAYS_PER_YEAR
from hvac.panel.events import Events
from hvac.panel.grid import Panel
from hvac.panel.windows import Cut

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
            names += [f"days_since_{kind}", f"{kind}_90d", f"{kind}_365d", f"{kind}_ever"]
        names += ["days_since_any_event", *FIXED_NAMES]
        names += [f"class_{name}" for name in self.classes]
        names += [f"{kind}_rate" for kind in self.rates]
        return tuple(names)

    def to_json(self) -> StoredContext:
        """Return plain values."""
        return {"kinds": list(self.kinds), "classes": list(self.classes), "rates": dict(self.rates)}

    @classmethod
    def from_json(cls, stored: StoredContext) -> ContextSpec:
        """Return the specification that `to_json` wrote."""
        kinds = tuple(stored["kinds"])
        classes = tuple(stored["classes"])
        return cls(kinds=kinds, classes=classes, rates=stored.get("rates", {}))


def context(
    panel: Panel,
    cut: Cut,
    events: Events,
    *,
    spec: ContextSpec,
    install_day: int | None,
    class_name: str,
) -> Floats:
    """Return the context features k_BK of the windows of one panel.

    Per event kind: days since the last one, how many in the last 90 and 365 days, how many in the
    record. Then days since any event, age (since installation, else since the first reading; an
    installation after that is of a machine that replaced this one, of which nobody knew before),
    season, observed share of the window, the smallest distance of a last value to its limits (in
    limit ranges; negative outside) and the days until a linear trend of the last 30 days crosses
    one (at most 365). Counts over days before the record began are nan. Last, the rate of some
    kinds: events per observed year, drawn towards the fleet's where the record is short.
    """
    end_B = cut.end_day_B
    first_day = panel.first_day
    columns: list[Any] = []
    for kind in spec.kinds:
        columns += _history(events.of_kinds((kind,)), end_B, first_day)
    columns.append(_days_since(events.of_kinds(spec.kinds), end_B))
    built = first_day if install_day is None else min(install_day, first_day)
    columns.append(end_B - float(built))
    angle_B = 2 * np.pi * (end_B % 365.25) / 365.25
    observed_B = cut.observed_BCL.mean(axis=(1, 2))
    columns += [np.sin(angle_B), np.cos(angle_B), observed_B]
    columns.extend(_limits(panel, end_B))
    for name in spec.classes:
        columns.append(np.full(len(end_B), float(name == class_name)))
    for kind, usual in spec.rates.items():
        of_kind = events.of_kinds((kind,))
        columns.append(_rate(of_kind, end_B, first_day, usual=usual))
    return np.column_stack(columns).astype(np.float64)


def _history(events: Events, end_B: DayNumbers, record_start: int) -> list[Floats]:
    """Return the days since the last event of a kind, and counts: 90 days, 365 days, record."""
    known_N = np.sort(events.known_N)
    upto_B = np.searchsorted(known_N, end_B, side="right").astype(np.float64)
    counts = []
    for span in (90, 365):
        before_B = np.searchsorted(known_N, end_B - span, side="right")
        recorded_B = end_B - span + 1 >= record_start
        counts.append(np.where(recorded_B, upto_B - before_B, np.nan))
    return [_days_since(events, end_B), *counts, upto_B]


def _rate(events: Events, end_B: DayNumbers, record_start: int, *, usual: float) -> Floats:
    """Return events per observed year, with `PRIOR_YEARS` more at the usual rate."""
    upto_B = np.searchsorted(np.sort(events.known_N), end_B, side="right")
    years_B = (end_B - record_start + 1) / DAYS_PER_YEAR
    return np.asarray((upto_B + usual * PRIOR_YEARS) / (years_B + PRIOR_YEARS))


def _days_since(events: Events, end_B: DayNumbers) -> Floats:
    """Return days since the start of the newest event known by the end day, else nan."""
    order = np.argsort(events.known_N, kind="stable")
    newest_N = np.empty(0)
    if len(order):
        newest_N = np.maximum.accumulate(events.start_N[order])
    place_B = np.searchsorted(events.known_N[order], end_B, side="right") - 1
    if not len(newest_N):
        return np.full(len(end_B), np.nan)
    since_B = end_B - newest_N[np.maximum(place_B, 0)]
    return np.where(place_B >= 0, since_B, np.nan)


def _limits(panel: Panel, end_B: DayNumbers) -> Floats:
    """Return the smallest margin of last values to limits, and days until a trend crosses one.

    Returns [2, B], nan where no limit is known.
    """
    out_2B = np.full((2, len(end_B)), np.nan)
    has_lower = np.isfinite(panel.lower_TC).any()
    has_upper = np.isfinite(panel.upper_TC).any()
    if not (has_lower or has_upper):
        return out_2B
    row_B = (end_B - panel.first_day).astype(np.int64)
    for c in range(len(panel.points)):
        point_2B = np.full_like(out_2B, np.nan)
        _point_limits(
            np.ascontiguousarray(panel.value_TC[:, c]),
            np.ascontiguousarray(panel.observed_TC[:, c]),
            np.ascontiguousarray(panel.known_TC[:, c]),
            np.ascontiguousarray(panel.lower_TC[:, c]),
            np.ascontiguousarray(panel.upper_TC[:, c]),
            row_B,
            end_B,
            point_2B,
        )
        out_2B = np.fmin(out_2B, point_2B)
    return out_2B


@compiled
def _point_limits(
    value_T: Floats,
    observed_T: Bools,
    known_T: DayNumbers,
    lower_T: Floats,
    upper_T: Floats,
    row_B: Ints,
    end_B: DayNumbers,
    out_2B: Floats,
) -> None:
    for b in range(len(row_B)):
        n, sum_t, sum_x, sum_tt, sum_tx, last = 0, 0.0, 0.0, 0.0, 0.0, -1
        for t in range(max(row_B[b] - TREND_DAYS + 1, 0), min(row_B[b] + 1, len(value_T))):
            if observed_T[t] and known_T[t] <= end_B[b]:
                day = float(t - row_B[b])
                n, sum_t, sum_x, last = n + 1, sum_t + day, sum_x + value_T[t], t
                sum_tt, sum_tx = sum_tt + day * day, sum_tx + day * value_T[t]
        if n == 0:
            continue
        value, lower, upper = value_T[last], lower_T[last], upper_T[last]
        if not (np.isfinite(lower) or np.isfinite(upper)):
            continue
        spread = (
            upper - lower
            if upper > lower
            else max(abs(upper if np.isfinite(upper) else lower), 1e-9)
        )
        below = (value - lower) / spread if np.isfinite(lower) else np.inf
        above = (upper - value) / spread if np.isfinite(upper) else np.inf
        out_2B[0, b] = min(below, above)
        if out_2B[0, b] < 0:
            out_2B[1, b] = 0.0
            continue
        if n == 1:
            continue
        slope = (n * sum_tx - sum_t * sum_x) / (n * sum_tt - sum_t * sum_t)
        limit = upper if slope > 0 else lower
        reached = np.isfinite(limit) and slope != 0
        out_2B[1, b] = min(max((limit - value) / slope, 0.0), FAR_DAYS) if reached else FAR_DAYS
