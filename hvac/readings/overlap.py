"""Which readings of a day count where several files, or one file twice, tell of the same moment.

A moment is a point's day and second; a day without a time of day is one moment, that of midnight.

- What two files say alike counts once: exports that overlap by a month give each sum once.
- Where each file tells one value of a moment and the values differ, the later file holds: it
  corrects the earlier one. The later file is the one that comes later in the order of paths, such
  as `2024.csv` after `2023.csv`.
- Within a file, equal readings of the same second count once. Equal readings of a day without a
  time of day all count: they may be several of that day.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_TIME = -1
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class ReadingTimes(NamedTuple):
    """Readings sorted by series, day, second and file; `second` is NO_TIME where none was written."""

    series: Any
    day: Any
    second: Any
    file: Any
    value: Any


class Overlap(NamedTuple):
    """Which readings do not count: `repeated` by another file, `replaced` by a later one, `doubled`
    in their own.
    """

    repeated: Bools
    replaced: Bools
    doubled: Bools

    @property
    def dropped(self) -> Bools:
        """All readings that do not count."""
        return self.repeated | self.replaced | self.doubled


def find_overlap(moments: ReadingTimes) -> Overlap:
    """Tell which readings do not count.

    >>> rows = ReadingTimes(*(np.array(column) for column in ([0] * 4, [7] * 4, [-1, -1, 60, 60], [0, 1, 0, 1],
    ...                                                  [13.9, 13.9, 5.0, 6.0])))
    >>> overlap = find_overlap(rows)
    >>> overlap.repeated.tolist(), overlap.replaced.tolist()
    ([True, False, False, False], [False, False, True, False])
    """
    count = len(moments.value)
    masks = Overlap(*(np.zeros(count, dtype=bool) for _ in range(3)))
    group = _groups(moments)
    shared = np.flatnonzero(np.bincount(group)[group] > 1) if count else np.zeros(0, dtype=np.int64)
    if len(shared):
        part = ReadingTimes(*(np.asarray(column)[shared] for column in moments))
        found = _in_groups(group[shared], part)
        for mask, flags in zip(masks, found, strict=True):
            mask[shared] = flags
    return masks


def _groups(moments: ReadingTimes) -> Ints:
    """The number of each reading's moment."""
    second = np.maximum(moments.second, 0)
    new = np.zeros(len(second), dtype=bool)
    for column in (moments.series, moments.day, second):
        new[1:] |= np.diff(column) != 0
    return np.cumsum(new)


def _in_groups(group: Ints, rows: ReadingTimes) -> Overlap:
    timed = rows.second != NO_TIME
    nth = _nth(group, rows.file, rows.value, timed)
    doubled = (nth > 0) & timed
    told_once = _each_file_tells_one_value(group, rows.file, nth)
    last_file = _last_of_group(group)
    corrected = told_once & (rows.value != rows.value[last_file])
    repeated = np.zeros(len(group), dtype=bool)
    left = ~doubled & ~corrected
    repeated[left] = _comes_again(group[left], rows.value[left], nth[left], rows.file[left])
    return Overlap(repeated, corrected & ~doubled, doubled)


def _nth(group: Ints, file: Any, value: Any, timed: Bools) -> Ints:
    """How often the same file told the same value of the same moment before, without a time of day
    first.
    """
    order = np.lexsort((timed, value, file, group))
    new = np.ones(len(order), dtype=bool)
    new[1:] = _differs(order, group, file, value)
    start = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    nth = np.empty(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - start
    return nth


def _differs(order: Any, *columns: Any) -> Bools:
    flags = np.zeros(len(order) - 1, dtype=bool)
    for column in columns:
        flags |= column[order][1:] != column[order][:-1]
    return flags


def _each_file_tells_one_value(group: Ints, file: Any, nth: Ints) -> Bools:
    """Whether no file tells two different values of a moment, for each reading of it."""
    first = nth == 0
    order = np.lexsort((file[first], group[first]))
    several = np.zeros(len(order), dtype=bool)
    several[1:] = ~_differs(order, group[first], file[first])
    groups_of_several = group[first][order][several]
    return ~np.isin(group, groups_of_several)


def _last_of_group(group: Ints) -> Ints:
    """The place of the last reading of each reading's moment (rows are sorted by file)."""
    ends = np.append(np.flatnonzero(np.diff(group)), len(group) - 1)
    return ends[np.searchsorted(ends, np.arange(len(group)))]


def _comes_again(group: Ints, value: Any, nth: Ints, file: Any) -> Bools:
    """Whether a later file tells the same value of the moment as often."""
    order = np.lexsort((file, nth, value, group))
    again = np.zeros(len(order), dtype=bool)
    if len(order):
        again[order[:-1]] = ~_differs(order, group, value, nth)
    return again
