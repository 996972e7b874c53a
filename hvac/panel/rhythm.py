"""How often a point is read: daily, or by inspections every week or month.

Where a point's first readings lie more than 2 days apart, 90 of them would take years. Its baseline
is then its first 180 days (at least 6 readings), and a window has enough readings where it has its
share of what that rhythm promises. Readings more than 45 days apart tell too little: a window of 90
days would rest on one of them.

Legend: T days of the panel, C points, B windows. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, AnyFloats, Bools, DayNumbers, Floats, Positions
from hvac.days import NEVER
from hvac.panel.grid import Panel

# Gaps between these two, in days, are a rhythm that counts.
LONGEST_DAILY_GAP = 2.0
LONGEST_GAP = 45.0
RARE = 0.25  # of the days read: visits, even where each takes several days
FIRST_DAYS = 180
LEAST_READINGS = 6


class Rhythm(NamedTuple):
    """How often each point is read.

    `gap_C` is the days between its readings (1 where it is read daily), `known_C` the first day on
    which that is known, `first_TC` the readings that it was taken from.
    """

    gap_C: Floats
    known_C: DayNumbers
    first_TC: Bools

    @property
    def sparse_C(self) -> Bools:
        """Tell which points are not read daily [C]."""
        return self.gap_C > 1


def expected_share(
    share_C: AnyFloats, end_day: AnyArray, gap_C: Floats, known_C: DayNumbers
) -> Floats:
    """Turn shares of days read into the share of the readings that the rhythm promises.

    A rhythm counts in windows that end from the day on which it is known; before that, a reading a
    day is expected. Leading axes are kept; the mean over points is returned.

    >>> weekly, known = np.array([7.0]), np.array([180], np.int32)
    >>> expected_share(np.array([[0.14], [0.14]]), np.array([100, 200]), weekly, known).round(2)
    array([0.14, 0.98])
    """
    gap_known_C = np.where(known_C <= np.asarray(end_day)[..., None], gap_C, 1.0)
    return np.asarray(np.minimum(share_C * gap_known_C, 1.0).mean(axis=-1))


def rhythm(panel: Panel) -> Rhythm:
    """Return every point's rhythm in its first 180 days, or first 6 readings if these take longer.

    Readings more than 45 days apart have none.
    """
    points = panel.observed_TC.shape[1]
    gap_C = np.ones(points)
    known_C = np.full(points, NEVER, dtype=np.int32)
    first_TC = np.zeros_like(panel.observed_TC)
    for c in range(points):
        rows = first_rows(panel, c)
        gap = _gap(rows) if len(rows) >= LEAST_READINGS else 1.0
        if LONGEST_DAILY_GAP < gap <= LONGEST_GAP:
            gap_C[c] = gap
            first_TC[rows, c] = True
            last_row = max(int(rows[0]) + FIRST_DAYS - 1, int(rows[-1]))
            last_known = int(panel.known_TC[rows, c].max())
            known_C[c] = max(panel.first_day + last_row, last_known)
    return Rhythm(gap_C, known_C, first_TC)


def _gap(rows: Positions) -> float:
    """Return the days between two readings.

    It is the median gap, or the mean where visits take several days running.
    """
    gaps = np.diff(rows)
    median = float(np.median(gaps))
    share = len(rows) / (rows[-1] - rows[0] + 1)
    visits = 1 + int((gaps > LONGEST_DAILY_GAP).sum())
    in_visits = share < RARE and visits >= LEAST_READINGS
    return float(1 / share) if in_visits and median <= LONGEST_DAILY_GAP else median


def first_rows(panel: Panel, c: int) -> Positions:
    """Return the rows of a point's readings in its first 180 days, at least its first 6."""
    rows = np.flatnonzero(panel.observed_TC[:, c])
    if not len(rows):
        return rows
    early = rows[rows < rows[0] + FIRST_DAYS]
    return early if len(early) >= LEAST_READINGS else rows[:LEAST_READINGS]


def days_left(panel: Panel, c: int, end_day: int) -> int | None:
    """Return how many days a point still learns on a day; None where it seems to be read daily."""
    stop = max(end_day - panel.first_day + 1, 0)
    rows = np.flatnonzero(panel.observed_TC[:stop, c])
    if len(rows) < 2:
        return None
    gap = _gap(rows[: LEAST_READINGS * 5])
    if not LONGEST_DAILY_GAP < gap <= LONGEST_GAP:
        return None
    missing = max(LEAST_READINGS - len(rows), 0)
    last_reading = round(int(rows[-1]) + missing * gap)
    last_row = max(int(rows[0]) + FIRST_DAYS - 1, last_reading)
    return max(panel.first_day + last_row - end_day, 1)
