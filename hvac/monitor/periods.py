"""Weeks: means of daily values over the days on which both value and level were read.

Weeks run from Monday to Sunday and count from 1970-01-05. Shapes: T days, N columns, P periods.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats, Ints

WEEK: Final = 7
MONDAY: Final = 4  # 1970-01-05
BLOCK: Final = 4  # weeks of a block
WEEKS_PER_YEAR: Final = 365.25 / WEEK


class PeriodMeans(NamedTuple):
    """Means of a value and of its level over the same days, and how many days these were.

    Means are nan where no day has both.
    """

    value_PN: Floats
    level_PN: Floats
    days_PN: Ints


def week_of(day: int) -> int:
    """Return the week of a day since 1970-01-01.

    >>> week_of(3), week_of(4), week_of(10)
    (-1, 0, 0)
    """
    return (day - MONDAY) // WEEK


def first_day_of(week: int) -> int:
    """Return the Monday of a week.

    >>> first_day_of(week_of(4)), first_day_of(week_of(10))
    (4, 4)
    """
    return week * WEEK + MONDAY


def closed_weeks(first_day: int, last_day: int) -> range:
    """Return the weeks that lie whole within a stretch of days.

    >>> list(closed_weeks(4, 17)), list(closed_weeks(5, 16))
    ([0, 1], [])
    """
    return range(week_of(first_day + WEEK - 1), week_of(last_day + 1))


def week_means(
    value_TN: Floats, level_TN: Floats, *, first_day: int, weeks: range
) -> PeriodMeans:
    """Take means over the days of each week that have a value and a level.

    >>> value = np.array([[1.0], [3.0], [np.nan], [9.0], [0.0], [0.0], [0.0], [5.0]])
    >>> means = week_means(value, np.ones_like(value), first_day=4, weeks=range(2))
    >>> means.value_PN.ravel().round(2).tolist(), means.days_PN.ravel().tolist()
    ([2.17, 5.0], [6, 1])
    """
    week_T = (first_day + np.arange(len(value_TN)) - MONDAY) // WEEK - weeks.start
    inside_T = (week_T >= 0) & (week_T < len(weeks))
    week_T, value_TN, level_TN = (
        week_T[inside_T],
        value_TN[inside_T],
        level_TN[inside_T],
    )
    both_TN = np.isfinite(value_TN) & np.isfinite(level_TN)
    shape = (len(weeks), value_TN.shape[1])
    value_PN, level_PN = np.zeros(shape), np.zeros(shape)
    days_PN = np.zeros(shape, np.int64)
    np.add.at(value_PN, week_T, np.where(both_TN, value_TN, 0.0))
    np.add.at(level_PN, week_T, np.where(both_TN, level_TN, 0.0))
    np.add.at(days_PN, week_T, both_TN)
    return _means(value_PN, level_PN, days_PN)


def _means(value_PN: Floats, level_PN: Floats, days_PN: Ints) -> PeriodMeans:
    """Divide sums by counts of days."""
    count_PN = np.where(days_PN > 0, days_PN, np.nan)
    return PeriodMeans(value_PN / count_PN, level_PN / count_PN, days_PN)


def blocks(means: PeriodMeans, reference: int) -> PeriodMeans:
    """Join weeks to blocks of 4, weighted by days; a block never crosses the reference's end.

    Weeks that fill no block are left out: the first ones of the reference, the last ones watched.

    >>> week = np.arange(9.0)[:, None]
    >>> means = PeriodMeans(week, week, np.ones((9, 1), int))
    >>> blocks(means, reference=5).value_PN.ravel().tolist()
    [2.5, 6.5]
    """
    start = reference % BLOCK
    stop = start + (len(means.days_PN) - start) // BLOCK * BLOCK
    days_PN = means.days_PN[start:stop]
    sums = [
        np.where(days_PN > 0, part[start:stop] * days_PN, 0.0)
        for part in (means.value_PN, means.level_PN)
    ]
    shape = (len(days_PN) // BLOCK, BLOCK, days_PN.shape[1])
    folded = [part.reshape(shape).sum(axis=1) for part in sums]
    counts_PN = days_PN.reshape(shape).sum(axis=1)
    return _means(folded[0], folded[1], counts_PN)


def enough_days(days_PN: Ints, reference: int) -> Bools:
    """Tell in which periods a series has a third of its usual days, and at least one.

    >>> enough_days(np.array([[6], [6], [1], [2]]), reference=2).ravel().tolist()
    [True, True, False, True]
    """
    usual_N = np.median(days_PN[:reference], axis=0) if reference else 0
    enough_PN: Bools = days_PN >= np.maximum(np.asarray(usual_N) / 3, 1)
    return enough_PN


def of_year(weeks: range, every: int = 1) -> Floats:
    """Return level and season of each period: 1, cosine and sine of its place in the year [P, 3].

    Args:
        weeks: of the series.
        every: how many of them are one period.
    """
    middle_P = np.arange(weeks.start, weeks.stop, every) + every / 2
    angle_P = 2 * np.pi * middle_P / WEEKS_PER_YEAR
    return np.stack([np.ones_like(angle_P), np.cos(angle_P), np.sin(angle_P)], axis=1)
