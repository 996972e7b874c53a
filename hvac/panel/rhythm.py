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
import numpy.typing as npt

from hvac.panel.grid import Bools, Days, Floats, Panel

LONGEST_DAILY_GAP, LONGEST_GAP = (
    2.0,
    45.0,
)  # days; readings between these apart follow a rhythm of their own
RARE = 0.25  # of the days read: visits, even where each takes several days
FIRST_DAYS = 180
LEAST_READINGS = 6
NEVER = 2**30


class Rhythm(NamedTuple):
    """Days between a point's readings (1 where it is read daily), and the first day on which that
    is known [C].

    `first_TC`: the readings that it was told from.
    """

    gap_C: Floats
    known_C: Days
    first_TC: Bools

    @property
    def sparse_C(self) -> Bools:
        """Points that are not read daily."""
        return self.gap_C > 1

    def expected(self, share_BC: Floats, end_day_B: Days) -> Floats:
        """Turn observed shares of days into shares of the readings that the rhythm promises,
        averaged over points.

        A rhythm counts in windows that end from the day on which it is known; before that, days are
        expected."""
        gap_BC = np.where(self.known_C <= end_day_B[:, None], self.gap_C, 1.0)
        return np.asarray(np.minimum(share_BC * gap_BC, 1.0).mean(axis=1))


def rhythm(panel: Panel) -> Rhythm:
    """Tell every point's rhythm from its first 180 days, or from its first 6 readings where these
    take longer.
    """
    points = panel.observed_TC.shape[1]
    gap_C, known_C = np.ones(points), np.full(points, NEVER, dtype=np.int32)
    first_TC = np.zeros_like(panel.observed_TC)
    for c in range(points):
        rows = first_rows(panel, c)
        gap = _gap(rows) if len(rows) >= LEAST_READINGS else 1.0
        if LONGEST_DAILY_GAP < gap <= LONGEST_GAP:
            gap_C[c], first_TC[rows, c] = gap, True
            known_C[c] = max(_over(panel, rows), int(panel.known_TC[rows, c].max()))
    return Rhythm(gap_C, known_C, first_TC)


def _gap(rows: npt.NDArray[np.intp]) -> float:
    """Days between two readings: the median, or the mean where visits take several days running."""
    gaps = np.diff(rows)
    share, visits = len(rows) / (rows[-1] - rows[0] + 1), 1 + int((gaps > LONGEST_DAILY_GAP).sum())
    in_visits = share < RARE and visits >= LEAST_READINGS
    return (
        float(1 / share)
        if in_visits and np.median(gaps) <= LONGEST_DAILY_GAP
        else float(np.median(gaps))
    )


def first_rows(panel: Panel, c: int) -> npt.NDArray[np.intp]:
    """Return the rows of a point's readings in its first 180 days, or of its first 6 where there
    are fewer.
    """
    rows = np.flatnonzero(panel.observed_TC[:, c])
    early = rows[rows < rows[0] + FIRST_DAYS] if len(rows) else rows
    return early if len(early) >= LEAST_READINGS else rows[:LEAST_READINGS]


def _over(panel: Panel, rows: npt.NDArray[np.intp]) -> int:
    """Return the last of a point's first 180 days, or the day of the last of its first readings
    where that is later.
    """
    return panel.first_day + max(int(rows[0]) + FIRST_DAYS - 1, int(rows[-1]))


def days_left(panel: Panel, c: int, end_day: int) -> int | None:
    """Return how many days a point still learns on a day; None where it seems to be read daily."""
    rows = np.flatnonzero(panel.observed_TC[: max(end_day - panel.first_day + 1, 0), c])
    if len(rows) < 2:
        return None
    gap = _gap(rows[: LEAST_READINGS * 5])
    if not LONGEST_DAILY_GAP < gap <= LONGEST_GAP:
        return None
    missing = max(LEAST_READINGS - len(rows), 0)
    last = panel.first_day + max(
        int(rows[0]) + FIRST_DAYS - 1, round(int(rows[-1]) + missing * gap)
    )
    return max(last - end_day, 1)
