"""Which readings of a day count where several files, or one file twice, hold the same moment.

A moment is a point's day and second; a day without a time of day is one moment, that of midnight.

- What two files hold alike counts once: exports that overlap by a month give each sum once.
- Where each file holds one value of a moment and the values differ, the later file holds: it
  corrects the earlier one. The later file is the one that comes later in the order of paths, such
  as `2024.csv` after `2023.csv`.
- Within a file, equal readings of the same second count once. Equal readings of a day without a
  time of day all count: they may be several of that day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Ints, Positions
from hvac.filling import last_held

NO_TIME = -1


class ReadingTimes(NamedTuple):
    """Readings sorted by series, day, second (NO_TIME where none was written) and file."""

    series: Ints
    day: DayNumbers
    second: DayNumbers
    file: Ints
    value: Floats

    def take(self, rows: AnyArray) -> ReadingTimes:
        """Return some of the readings: by a mask, by positions, or in another order."""
        return ReadingTimes(
            series=self.series[rows],
            day=self.day[rows],
            second=self.second[rows],
            file=self.file[rows],
            value=self.value[rows],
        )


class Overlap(NamedTuple):
    """Which readings do not count [N].

    They are `repeated` by another file, `replaced` by a later one, or `doubled` in their own.
    """

    repeated: Bools
    replaced: Bools
    doubled: Bools

    @property
    def dropped(self) -> Bools:
        """Return which readings do not count for any of the three reasons."""
        return self.repeated | self.replaced | self.doubled


def find_overlap(readings: ReadingTimes) -> Overlap:
    """Tell which readings do not count.

    >>> series, day, second = np.array([0] * 4), np.array([7] * 4), np.array([-1, -1, 60, 60])
    >>> file, value = np.array([0, 1, 0, 1]), np.array([13.9, 13.9, 5.0, 6.0])
    >>> overlap = find_overlap(ReadingTimes(series, day, second, file, value))
    >>> overlap.repeated.tolist(), overlap.replaced.tolist()
    ([True, False, False, False], [False, False, True, False])
    """
    count = len(readings.value)
    overlap = Overlap(*(np.zeros(count, dtype=bool) for _ in range(3)))
    if not count:
        return overlap
    moment = _moments(readings)
    shared = np.flatnonzero(np.bincount(moment)[moment] > 1)
    if len(shared):
        part = readings.take(shared)
        in_shared_moments = _in_moments(moment[shared], part)
        for mask, shared_mask in zip(overlap, in_shared_moments, strict=True):
            mask[shared] = shared_mask
    return overlap


def _moments(readings: ReadingTimes) -> Ints:
    """Return the number of each reading's moment."""
    second = np.maximum(readings.second, 0)
    new = np.zeros(len(second), dtype=bool)
    for column in (readings.series, readings.day, second):
        new[1:] |= np.diff(column) != 0
    return np.cumsum(new)


def _in_moments(moment: Ints, rows: ReadingTimes) -> Overlap:
    timed = rows.second != NO_TIME
    nth = _earlier_alike(moment, rows.file, rows.value, timed)
    doubled = (nth > 0) & timed
    one_value_a_file = _has_one_value_a_file(moment, rows.file, nth)
    corrected = one_value_a_file & (rows.value != rows.value[_last_of_moment(moment)])
    repeated = np.zeros(len(moment), dtype=bool)
    rest = ~doubled & ~corrected
    repeated[rest] = _comes_again(
        moment[rest], rows.value[rest], nth[rest], rows.file[rest]
    )
    return Overlap(repeated, corrected & ~doubled, doubled)


def _earlier_alike(moment: Ints, file: Ints, value: Floats, timed: Bools) -> Ints:
    """Count for each reading the earlier ones of its file, moment and value.

    Readings without a time of day come first.
    """
    order = np.lexsort((timed, value, file, moment))
    new = np.ones(len(order), dtype=bool)
    new[1:] = _differs(order, moment, file, value)
    nth = np.empty(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - last_held(new)
    return nth


def _differs(order: Positions, *columns: AnyArray) -> Bools:
    """Tell which rows, in an order, differ from the one before them in any column."""
    differs = np.zeros(len(order) - 1, dtype=bool)
    for column in columns:
        ordered = column[order]
        differs |= ordered[1:] != ordered[:-1]
    return differs


def _has_one_value_a_file(moment: Ints, file: Ints, nth: Ints) -> Bools:
    """Tell for each reading whether every file holds but one value of its moment."""
    distinct = nth == 0
    file = file[distinct]
    distinct_moment = moment[distinct]
    order = np.lexsort((file, distinct_moment))
    several = np.zeros(len(order), dtype=bool)
    several[1:] = ~_differs(order, distinct_moment, file)
    return ~np.isin(moment, distinct_moment[order][several])


def _last_of_moment(moment: Ints) -> Ints:
    """Return the place of the last reading of each reading's moment (rows are sorted by file)."""
    changes = np.flatnonzero(np.diff(moment))
    ends = np.append(changes, len(moment) - 1)
    return ends[np.searchsorted(ends, np.arange(len(moment)))]


def _comes_again(moment: Ints, value: Floats, nth: Ints, file: Ints) -> Bools:
    """Tell which readings a later file holds as well, as often."""
    order = np.lexsort((file, nth, value, moment))
    again = np.zeros(len(order), dtype=bool)
    if len(order):
        again[order[:-1]] = ~_differs(order, moment, value, nth)
    return again
