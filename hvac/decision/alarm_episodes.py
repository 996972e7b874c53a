"""Alarms on an evaluation grid, merged into episodes.

Thresholds and evaluation share this one definition. Shapes: B windows, A alarm episodes, K distinct
thresholds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.compiled import compiled
from hvac.days import DAYS_PER_YEAR

GAP_DAYS = 14


class AlarmEpisodes(NamedTuple):
    """One row per episode: its unit, and the first and last `end_day` in alarm."""

    unit_A: AnyArray
    first_A: Ints
    last_A: Ints


class FalseEpisodes(NamedTuple):
    """False alarm episodes per distinct threshold, thresholds falling."""

    threshold_K: Floats
    false_K: Ints


def alarm_episodes(
    alarm_B: Bools, *, units_B: AnyArray, end_day_B: AnyArray, gap_days: int = GAP_DAYS
) -> AlarmEpisodes:
    """Merge the alarmed windows of a unit into episodes.

    Windows of an episode have `end_day`s at most `gap_days` apart. Rows may come in any order;
    episodes come sorted by unit, then day.

    >>> episodes = alarm_episodes(
    ...     np.array([True, True, False, True]),
    ...     units_B=np.array(list("aaaa")), end_day_B=np.array([0, 7, 14, 28]),
    ... )
    >>> episodes.first_A.tolist(), episodes.last_A.tolist()
    ([0, 28], [7, 28])
    """
    units, unit_index_B = np.unique(units_B, return_inverse=True)
    unit_B = unit_index_B[alarm_B]
    day_B = np.asarray(end_day_B, np.int64)[alarm_B]
    order = np.lexsort((day_B, unit_B))
    unit_B = unit_B[order]
    day_B = day_B[order]
    apart = (np.diff(unit_B) != 0) | (np.diff(day_B) > gap_days)
    begins = np.r_[True, apart][: len(day_B)]
    ends = np.r_[apart, True][-len(day_B) :] if len(day_B) else begins
    return AlarmEpisodes(units[unit_B[begins]], day_B[begins], day_B[ends])


def merge_gap(horizon: int, gap_days: int = GAP_DAYS) -> int:
    """Return the days over which alarms merge: never more than the horizon.

    So an episode is true exactly if one of its alarmed windows has label 1.

    >>> merge_gap(30), merge_gap(7)
    (14, 7)
    """
    return min(gap_days, horizon)


def infer_stride(units_B: AnyArray, end_day_B: AnyArray, *, default: int = 7) -> int:
    """Return the median days between neighbouring windows of a unit.

    It is `default` where no unit has two windows.

    >>> infer_stride(np.array([1, 1, 1, 2]), np.array([0, 7, 14, 3]))
    7
    """
    order = np.lexsort((end_day_B, units_B))
    same = units_B[order][1:] == units_B[order][:-1]
    gaps = np.diff(np.asarray(end_day_B, np.int64)[order])[same]
    gaps = gaps[gaps > 0]
    return int(np.median(gaps)) if len(gaps) else default


def unit_years(windows: float, stride: int) -> float:
    """Return the years of evaluated time of so many windows: windows x stride / 365.25.

    >>> unit_years(1461, 1)
    4.0
    """
    return windows * stride / DAYS_PER_YEAR


def false_episodes(
    risk_B: Floats,
    y_B: AnyArray,
    *,
    units_B: AnyArray,
    end_day_B: AnyArray,
    gap_days: int,
) -> FalseEpisodes:
    """Count the false alarm episodes for every distinct threshold at once.

    An alarm is risk >= threshold. Windows join in falling order of risk and neighbouring episodes
    merge as they meet, so the whole curve costs one sort. An episode is false if no alarmed window
    in it has label 1. The count is not monotone in the threshold.

    >>> false = false_episodes(
    ...     np.array([0.9, 0.1, 0.5]), np.array([0, 0, 1]),
    ...     units_B=np.array([1, 1, 2]), end_day_B=np.array([0, 7, 0]), gap_days=14,
    ... )
    >>> false.threshold_K.tolist(), false.false_K.tolist()
    ([0.9, 0.5, 0.1], [1, 1, 1])
    """
    unit_B = np.unique(units_B, return_inverse=True)[1]
    grid = np.lexsort((end_day_B, unit_B))
    risk_B = np.asarray(risk_B, np.float64)[grid]
    falling = np.argsort(-risk_B, kind="stable")
    day_B = np.asarray(end_day_B, np.int64)[grid]
    true_B = np.asarray(y_B)[grid] > 0
    count_B = _join_in_order(
        falling, unit_B[grid].astype(np.int64), day_B, true_B, gap_days
    )
    falls_after = np.diff(risk_B[falling]) != 0
    last_of_tie = np.r_[falls_after, True][-len(risk_B) :]
    return FalseEpisodes(risk_B[falling][last_of_tie], count_B[last_of_tie])


@compiled
def _root(parent_B: Ints, b: int) -> int:
    while parent_B[b] != b:
        parent_B[b] = parent_B[parent_B[b]]
        b = parent_B[b]
    return b


@compiled
def _join_in_order(
    order_B: Ints, unit_B: Ints, day_B: Ints, true_B: Bools, gap_days: int
) -> Ints:
    """Count the false episodes after each window of `order_B` has gone into alarm.

    This is a union-find on a grid sorted by unit and day.
    """
    rows = len(order_B)
    parent_B, is_true_B, on_B = np.arange(rows), true_B.copy(), np.zeros(rows, np.bool_)
    false_B, false = np.empty(rows, np.int64), 0
    for k in range(rows):
        b = order_B[k]
        on_B[b] = True
        false += not true_B[b]
        for step in (-1, 1):
            c = b + step
            while (
                0 <= c < rows
                and unit_B[c] == unit_B[b]
                and abs(day_B[c] - day_B[b]) <= gap_days
            ):
                if on_B[c]:
                    mine, other = _root(parent_B, b), _root(parent_B, c)
                    if mine != other:
                        false -= (not is_true_B[mine]) and (not is_true_B[other])
                        false -= is_true_B[mine] != is_true_B[other]
                        is_true_B[mine] = is_true_B[mine] or is_true_B[other]
                        parent_B[other] = mine
                    break
                c += step
        false_B[k] = false
    return false_B
