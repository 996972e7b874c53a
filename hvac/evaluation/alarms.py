"""Alarms against events: match first, each metric a few lines on top (after river's drift
evaluation).

Per horizon h, on known windows of the evaluation grid. An alarm at `end_day` foresees an onset in
(end_day, end_day + h]. An event counts only if it was *detectable*: some evaluated window of its
unit could have foreseen it. Shapes: B windows, E events, A alarm episodes, U units, R replicates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hvac.decision.alarm_episodes import GAP_DAYS, alarm_episodes, merge_gap, unit_years
from hvac.evaluation.bootstrap import Replicated
from hvac.evaluation.metrics import ratio

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MIN_LEAD = 7


class Onsets(NamedTuple):
    """Onsets, one row per event: the unit as windows name it, and days since 1970-01-01."""

    unit_E: NDArray[Any]
    onset_day_E: NDArray[Any]


class Grid(NamedTuple):
    """Evaluated windows: index of the unit among `units`, last day, and days between windows."""

    unit_B: IntArray
    end_day_B: IntArray
    units: NDArray[Any]
    stride: int


class Match(NamedTuple):
    """Detectable events with the lead of their first alarm (nan: none), and episodes with whether
    they were true.
    """

    unit_E: IntArray
    lead_E: FloatArray
    unit_A: IntArray
    true_A: BoolArray
    windows_U: FloatArray
    stride: int


class UnitRatio(NamedTuple):
    """A ratio of sums over units, so that every bootstrap replicate is one product with the
    weights.
    """

    part_U: FloatArray
    whole_U: FloatArray

    @property
    def value(self) -> float:
        """The ratio over all units; nan where the whole is 0."""
        return float(ratio(self.part_U.sum(), self.whole_U.sum()))

    def replicated(self, w_RU: FloatArray) -> Replicated:
        """The ratio and its bootstrap replicates."""
        return Replicated(self.value, ratio(w_RU @ self.part_U, w_RU @ self.whole_U))


def match(
    alarm_B: BoolArray, *, grid: Grid, events: Onsets, horizon: int, gap_days: int = GAP_DAYS
) -> Match:
    """Match alarms with events: equal (unit, onset) rows are one event; units without windows play
    no part.

    An episode (alarms at most min(gap_days, horizon) apart) is true if an onset lies in (first,
    last + horizon]. The lead of an event is onset − its first alarmed end_day in [onset − horizon,
    onset).

    >>> grid = Grid(np.zeros(4, int), np.array([0, 7, 14, 21]), np.array(["a"]), 7)
    >>> found = match(np.array([False, True, True, False]), grid=grid,
    ...               events=Onsets(np.array(["a"]), np.array([25])), horizon=30)
    >>> found.lead_E.tolist(), found.true_A.tolist()
    ([18.0], [True])
    """
    event_key_E = _event_keys(events, grid.units)
    window_key_B = np.sort(_key(grid.unit_B, grid.end_day_B))
    alarm_key_B = np.sort(_key(grid.unit_B[alarm_B], grid.end_day_B[alarm_B]))
    event_key_E = event_key_E[_first_in_reach(window_key_B, event_key_E, horizon) >= 0]
    found = alarm_episodes(
        alarm_B,
        units_B=grid.unit_B,
        end_day_B=grid.end_day_B,
        gap_days=merge_gap(horizon, gap_days),
    )
    onsets_A = np.searchsorted(
        event_key_E, _key(found.unit_A, found.last_A + horizon), side="right"
    )
    onsets_A = onsets_A - np.searchsorted(
        event_key_E, _key(found.unit_A, found.first_A), side="right"
    )
    first_E = _first_in_reach(alarm_key_B, event_key_E, horizon)
    lead_E = np.where(first_E >= 0, (event_key_E - first_E).astype(np.float64), np.nan)
    windows_U = np.bincount(grid.unit_B, minlength=len(grid.units)).astype(np.float64)
    return Match(event_key_E >> 32, lead_E, found.unit_A, onsets_A > 0, windows_U, grid.stride)


def event_recall(found: Match, *, min_lead: int = MIN_LEAD) -> UnitRatio:
    """Share of detectable events alarmed at least `min_lead` days ahead; nan without such events."""
    return UnitRatio(
        _count(found.unit_E[found.lead_E >= min_lead], found), _count(found.unit_E, found)
    )


def alarm_precision(found: Match) -> UnitRatio:
    """Share of alarm episodes that were true; nan without an episode."""
    return UnitRatio(_count(found.unit_A[found.true_A], found), _count(found.unit_A, found))


def false_alarms_per_unit_year(found: Match) -> UnitRatio:
    """False alarm episodes per year of evaluated time of one unit; nan without windows."""
    return UnitRatio(
        _count(found.unit_A[~found.true_A], found), found.windows_U * unit_years(1, found.stride)
    )


def lead_quantiles(
    found: Match, w_RU: FloatArray, *, q: tuple[float, ...] = (0.25, 0.5, 0.75)
) -> list[Replicated]:
    """Quantiles of the lead (days) over alarmed events; nan where no event was alarmed."""
    alarmed_E = ~np.isnan(found.lead_E)
    lead_E, unit_E = found.lead_E[alarmed_E], found.unit_E[alarmed_E]
    own = weighted_quantiles(lead_E, np.ones((1, len(lead_E))), q=q)[0]
    drawn_RQ = weighted_quantiles(lead_E, w_RU[:, unit_E], q=q)
    return [Replicated(float(own[i]), drawn_RQ[:, i]) for i in range(len(q))]


def weighted_quantiles(
    value_E: NDArray[Any], w_RE: FloatArray, *, q: tuple[float, ...]
) -> FloatArray:
    """Linear quantiles `[R, Q]` of values repeated by their whole-number weights; nan where all
    weigh 0.

    >>> weighted_quantiles(np.array([10.0, 20.0]), np.array([[1, 3], [0, 0]]), q=(0.0, 0.5)).tolist()
    [[10.0, 20.0], [nan, nan]]
    """
    order = np.argsort(value_E)
    value_E, upto_RE = np.asarray(value_E, np.float64)[order], np.cumsum(w_RE[:, order], axis=1)
    out_RQ = np.full((len(w_RE), len(q)), np.nan)
    drawn_R = np.flatnonzero(upto_RE[:, -1] > 0) if len(value_E) else np.empty(0, int)
    for i, share in enumerate(q):
        place_R = share * (upto_RE[drawn_R, -1] - 1) if len(drawn_R) else np.empty(0)
        low_R, high_R = (
            _nth(value_E, upto_RE[drawn_R], n_R) for n_R in (np.floor(place_R), np.ceil(place_R))
        )
        out_RQ[drawn_R, i] = low_R + (place_R - np.floor(place_R)) * (high_R - low_R)
    return out_RQ


def _nth(value_E: FloatArray, upto_RE: FloatArray, n_R: FloatArray) -> FloatArray:
    """The n-th (from 0) of the repeated values, per replicate."""
    if not len(value_E):
        return np.empty(0)
    nth_R: FloatArray = value_E[(upto_RE <= n_R[:, None]).sum(axis=1)]
    return nth_R


def _count(unit: IntArray, found: Match) -> FloatArray:
    return np.bincount(unit, minlength=len(found.windows_U)).astype(np.float64)


def _key(unit: NDArray[Any], day: NDArray[Any]) -> IntArray:
    """Unit and day in one sortable number; differences within a unit are days."""
    return (np.asarray(unit, np.int64) << 32) + np.asarray(day, np.int64) + 2**31


def _event_keys(events: Onsets, units: NDArray[Any]) -> IntArray:
    """Sorted, distinct keys of the events whose unit has windows."""
    if not len(units) or not len(events.unit_E):
        return np.empty(0, np.int64)
    place_E = np.minimum(np.searchsorted(units, events.unit_E), len(units) - 1)
    known_E = units[place_E] == events.unit_E
    return np.unique(_key(place_E[known_E], np.asarray(events.onset_day_E)[known_E]))


def _first_in_reach(sorted_key_B: IntArray, event_key_E: IntArray, horizon: int) -> IntArray:
    """Key of the earliest window with onset − horizon <= end_day < onset, or −1."""
    place_E = np.searchsorted(sorted_key_B, event_key_E - horizon, side="left")
    key_E = np.r_[sorted_key_B, np.iinfo(np.int64).max][place_E]
    return np.where(key_E < event_key_E, key_E, -1)
