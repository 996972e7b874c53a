"""Alarms against events: match first, then each metric in a few lines.

Figures are per horizon h, on known windows of the evaluation grid. An alarm at `end_day` foresees
an onset in (end_day, end_day + h]. An event counts only if it was *detectable*: some evaluated
window of its unit could have foreseen it. The way of matching is after river's drift evaluation.
Shapes: B windows, E events, A alarm episodes, U units, R replicates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.decision.alarm_episodes import GAP_DAYS, alarm_episodes, merge_gap, unit_years
from hvac.evaluation.bootstrap import Replicated
from hvac.evaluation.metrics import ratio

MIN_LEAD = 7


class Onsets(NamedTuple):
    """Onsets, one row per event: the unit as windows name it, and days since 1970-01-01."""

    unit_E: AnyArray
    onset_day_E: AnyArray


class Grid(NamedTuple):
    """Evaluated windows: place of the unit among `units`, last day, and days between windows."""

    unit_B: Ints
    end_day_B: Ints
    units: AnyArray
    stride: int


class Match(NamedTuple):
    """Detectable events and alarm episodes, matched with each other.

    `lead_E` is the lead of an event's first alarm in days, nan where none came; `true_A` tells
    whether an episode was followed by an onset.
    """

    unit_E: Ints
    lead_E: Floats
    unit_A: Ints
    true_A: Bools
    windows_U: Floats
    stride: int


class UnitRatio(NamedTuple):
    """A ratio of two sums over units.

    So every bootstrap replicate is one product with the weights of the units.
    """

    part_U: Floats
    whole_U: Floats

    @property
    def value(self) -> float:
        """Return the ratio over all units; nan where the whole is 0."""
        return float(ratio(self.part_U.sum(), self.whole_U.sum()))

    def replicated(self, w_RU: Floats) -> Replicated:
        """Return the ratio and its bootstrap replicates for weights `w_RU`."""
        return Replicated(self.value, ratio(w_RU @ self.part_U, w_RU @ self.whole_U))


def match(
    alarm_B: Bools,
    *,
    grid: Grid,
    events: Onsets,
    horizon: int,
    gap_days: int = GAP_DAYS,
) -> Match:
    """Match alarms with events.

    Rows of equal unit and onset are one event; units without windows play no part. An episode
    (alarms at most min(gap_days, horizon) apart) is true if an onset lies in (first, last +
    horizon]. The lead of an event is its onset minus its first alarmed end_day in [onset −
    horizon, onset).

    >>> grid = Grid(np.zeros(4, int), np.array([0, 7, 14, 21]), np.array(["a"]), 7)
    >>> matched = match(np.array([False, True, True, False]), grid=grid,
    ...                 events=Onsets(np.array(["a"]), np.array([25])), horizon=30)
    >>> matched.lead_E.tolist(), matched.true_A.tolist()
    ([18.0], [True])
    """
    event_key_E = _event_keys(events, grid.units)
    window_key_B = np.sort(_key(grid.unit_B, grid.end_day_B))
    event_key_E = event_key_E[_first_in_reach(window_key_B, event_key_E, horizon) >= 0]

    alarm_key_B = np.sort(_key(grid.unit_B[alarm_B], grid.end_day_B[alarm_B]))
    first_E = _first_in_reach(alarm_key_B, event_key_E, horizon)
    days_E = (event_key_E - first_E).astype(np.float64)
    lead_E = np.where(first_E >= 0, days_E, np.nan)

    episodes = alarm_episodes(
        alarm_B,
        units_B=grid.unit_B,
        end_day_B=grid.end_day_B,
        gap_days=merge_gap(horizon, gap_days),
    )
    before_key_A = _key(episodes.unit_A, episodes.first_A)
    until_key_A = _key(episodes.unit_A, episodes.last_A + horizon)
    onsets_before_A = np.searchsorted(event_key_E, before_key_A, side="right")
    onsets_until_A = np.searchsorted(event_key_E, until_key_A, side="right")
    return Match(
        unit_E=event_key_E >> 32,
        lead_E=lead_E,
        unit_A=episodes.unit_A,
        true_A=onsets_until_A > onsets_before_A,
        windows_U=np.bincount(grid.unit_B, minlength=len(grid.units)).astype(
            np.float64
        ),
        stride=grid.stride,
    )


def event_recall(matched: Match, *, min_lead: int = MIN_LEAD) -> UnitRatio:
    """Return the share of detectable events alarmed at least `min_lead` days ahead.

    It is nan without such events.
    """
    foreseen_E = matched.lead_E >= min_lead
    foreseen = _count(matched.unit_E[foreseen_E], matched)
    events = _count(matched.unit_E, matched)
    return UnitRatio(foreseen, events)


def alarm_precision(matched: Match) -> UnitRatio:
    """Return the share of alarm episodes that were true; nan without an episode."""
    true_U = _count(matched.unit_A[matched.true_A], matched)
    return UnitRatio(true_U, _count(matched.unit_A, matched))


def false_alarms_per_unit_year(matched: Match) -> UnitRatio:
    """Return the false alarm episodes per year of evaluated time of a unit; nan without windows."""
    false_U = _count(matched.unit_A[~matched.true_A], matched)
    return UnitRatio(false_U, matched.windows_U * unit_years(1, matched.stride))


def lead_quantiles(
    matched: Match, w_RU: Floats, *, q: tuple[float, ...] = (0.25, 0.5, 0.75)
) -> list[Replicated]:
    """Return quantiles of the lead (days) over alarmed events; nan where none was alarmed."""
    alarmed_E = ~np.isnan(matched.lead_E)
    lead_E = matched.lead_E[alarmed_E]
    unit_E = matched.unit_E[alarmed_E]
    once_1E = np.ones((1, len(lead_E)))
    value_Q = weighted_quantiles(lead_E, once_1E, q=q)[0]
    drawn_RQ = weighted_quantiles(lead_E, w_RU[:, unit_E], q=q)
    return [Replicated(float(value_Q[i]), drawn_RQ[:, i]) for i in range(len(q))]


def weighted_quantiles(
    value_E: AnyArray, w_RE: Floats, *, q: tuple[float, ...]
) -> Floats:
    """Return linear quantiles [R, Q] of values that are repeated by their whole-number weights.

    They are nan where all weigh 0.

    >>> w_RE = np.array([[1, 3], [0, 0]])
    >>> weighted_quantiles(np.array([10.0, 20.0]), w_RE, q=(0.0, 0.5)).tolist()
    [[10.0, 20.0], [nan, nan]]
    """
    out_RQ = np.full((len(w_RE), len(q)), np.nan)
    if not len(value_E):
        return out_RQ
    order = np.argsort(value_E)
    value_E = np.asarray(value_E, np.float64)[order]
    upto_RE = np.cumsum(w_RE[:, order], axis=1)
    drawn_R = np.flatnonzero(upto_RE[:, -1] > 0)
    for i, share in enumerate(q):
        place_R = share * (upto_RE[drawn_R, -1] - 1)
        low_R = _nth(value_E, upto_RE[drawn_R], np.floor(place_R))
        high_R = _nth(value_E, upto_RE[drawn_R], np.ceil(place_R))
        out_RQ[drawn_R, i] = low_R + (place_R - np.floor(place_R)) * (high_R - low_R)
    return out_RQ


def _nth(value_E: Floats, upto_RE: Floats, n_R: Floats) -> Floats:
    """Return the n-th (from 0) of the repeated values, per replicate."""
    nth_R: Floats = value_E[(upto_RE <= n_R[:, None]).sum(axis=1)]
    return nth_R


def _count(unit: Ints, matched: Match) -> Floats:
    return np.bincount(unit, minlength=len(matched.windows_U)).astype(np.float64)


def _key(unit: AnyArray, day: AnyArray) -> Ints:
    """Return unit and day in one sortable number; differences within a unit are days."""
    high = np.asarray(unit, np.int64) << 32
    return high + np.asarray(day, np.int64) + 2**31


def _event_keys(events: Onsets, units: AnyArray) -> Ints:
    """Return the sorted, distinct keys of the events whose unit has windows."""
    if not len(units) or not len(events.unit_E):
        return np.empty(0, np.int64)
    place_E = np.searchsorted(units, events.unit_E)
    place_E = np.minimum(place_E, len(units) - 1)
    known_E = units[place_E] == events.unit_E
    day_E = np.asarray(events.onset_day_E)[known_E]
    return np.unique(_key(place_E[known_E], day_E))


def _first_in_reach(sorted_key_B: Ints, event_key_E: Ints, horizon: int) -> Ints:
    """Return the key of the earliest window with onset − horizon <= end_day < onset, or −1."""
    place_E = np.searchsorted(sorted_key_B, event_key_E - horizon, side="left")
    key_E = np.r_[sorted_key_B, np.iinfo(np.int64).max][place_E]
    return np.where(key_E < event_key_E, key_E, -1)
