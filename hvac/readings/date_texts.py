"""Text, number and date columns into days and seconds of the day, whole columns at a time.

A day is the local day of the facility. `24:00` is the end of the day it is written with: that day,
second 86400. Days are counted from 1970-01-01; NO_TIME stands for a time of day that is not
written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import DayNumbers, Int8s, Ints
from hvac.readings.date_notations import (
    DAY_SECONDS,
    TIME,
    DateStyle,
    WrittenDates,
    read_dates,
    read_distinct,
    read_serials,
    second_of,
)
from hvac.readings.local_days import (
    FIRST_DAY,
    LAST_DAY,
    Clock,
    local_days,
    local_seconds,
)
from hvac.readings.number_texts import numeric_marks, text_marks
from hvac.readings.overlap import NO_TIME
from hvac.readings.text_values import (
    MISSING,
    OUT_OF_RANGE,
    READ,
    Column,
    as_text,
    flags,
    is_number,
    one_array,
)

WRITTEN = DateStyle()
_LOCAL_TIME = r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2})[T ]" + TIME
_TICKS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Days(NamedTuple):
    """A date column that is read: [n] each.

    `day` counts days since 1970-01-01 (0 unless READ), `second` those of the local day.
    `as_written` counts stamps with an offset that keep the day as written, since no time zone was
    given.
    """

    day: DayNumbers
    state: Int8s
    second: DayNumbers | None = None
    as_written: int = 0

    @property
    def date32(self) -> pa.Date32Array:
        """Return the days as dates, null unless READ."""
        numbers = pa.array(self.day, pa.int32(), mask=self.state != READ)
        return numbers.cast(pa.date32())


def parse_days(
    column: Column,
    facility: pa.StringArray,
    *,
    clock: Clock,
    missing: tuple[str, ...],
    style: DateStyle = WRITTEN,
) -> Days:
    """Return the calendar days of a column.

    Read are `2024/3/1 5:04`, `20240301`, ISO 8601, `令和6年3月1日`, `1 Mar 2024`, epochs, serials.
    What carries a time zone, or counts seconds since 1970, becomes the local day of its facility
    (`facility`: string array of the same length). Where its facility has no zone, a stamp such as
    2024-03-01 05:04+09 keeps the day that stands there; a stamp in UTC has no local day. States:
    READ, MISSING, UNREADABLE, DAY_OR_MONTH (either may come first), OUT_OF_RANGE (outside
    1970-2100). Raises InputError where a stamp is in UTC and its facility has no zone.

    >>> text = pa.array(["2024/3/1 5:04", "2024-02-29T15:00:00Z", "2024-02-30"])
    >>> facility = pa.array(["F", "F", "F"])
    >>> days = parse_days(text, facility, clock=Clock("Asia/Tokyo", {}), missing=())
    >>> days.day.tolist(), days.state.tolist(), days.second.tolist()
    ([19783, 19783, 0], [0, 0, 4], [18240, 0, -1])
    """
    moments = _moments(one_array(column), missing, style)
    day, second, as_written = local_days(moments, facility, clock)
    outside = (moments.state == READ) & ((day < FIRST_DAY) | (day > LAST_DAY))
    state = np.where(outside, OUT_OF_RANGE, moments.state).astype(np.int8)
    read = state == READ
    read_day = np.where(read, day, 0).astype(np.int32)
    read_second = np.where(read, second, NO_TIME).astype(np.int32)
    return Days(read_day, state, read_second, as_written)


def _moments(
    column: pa.Array, missing: tuple[str, ...], style: DateStyle
) -> WrittenDates:
    if pa.types.is_timestamp(column.type):
        return _without_marks(_timestamps(column), missing)
    if pa.types.is_date(column.type):
        return _without_marks(_plain_dates(column), missing)
    if is_number(column.type):
        return _numbers(column, missing, style)
    return _texts(as_text(column), missing, style)


def _without_marks(moments: WrittenDates, missing: tuple[str, ...]) -> WrittenDates:
    """Make missing what is one of the marks, such as 1970-01-01 or 9999-12-31."""
    marks = _marked_days(missing)
    if len(marks):
        marked = np.isin(moments.day, marks) & (moments.second <= 0)
        moments.state[marked] = MISSING
    return moments


@lru_cache(maxsize=64)
def _marked_days(missing: tuple[str, ...]) -> Ints:
    moments = read_dates(pa.array(missing, pa.string()), WRITTEN)
    return np.asarray(moments.day[moments.state == READ], dtype=np.int64)


def _null_states(column: pa.Array) -> Int8s:
    state = np.where(flags(column.is_null()), MISSING, READ)
    return state.astype(np.int8)


def _plain_dates(column: pa.Array) -> WrittenDates:
    days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
    day = pc.fill_null(days, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    no_time = np.full(len(day), NO_TIME, dtype=np.int64)
    aware = np.zeros(len(day), dtype=bool)
    return WrittenDates(day, day, aware, _null_states(days), no_time)


def _timestamps(column: pa.TimestampArray) -> WrittenDates:
    numbers = pc.fill_null(pc.cast(column, pa.int64()), 0)
    ticks = numbers.to_numpy(zero_copy_only=False)
    instant = ticks // _TICKS_PER_SECOND[column.type.unit]
    aware = np.full(len(instant), column.type.tz is not None)
    local = _in_column_zone(instant, column.type.tz) if column.type.tz else instant
    day, second = np.divmod(local, DAY_SECONDS)
    return WrittenDates(day, instant, aware, _null_states(column), second)


def _in_column_zone(instant: Ints, zone: str) -> Ints:
    """Return local seconds in the zone of a column; those of UTC where the zone is unknown."""
    try:
        return local_seconds(instant, zone)
    except (KeyError, ValueError):
        return instant


def _numbers(
    column: pa.Array, missing: tuple[str, ...], style: DateStyle
) -> WrittenDates:
    """Read serials where all numbers are, else epochs and digits such as 20240301."""
    numbers = pc.cast(column, pa.float64(), safe=False)
    value = np.array(numbers, dtype=np.float64)
    absent = np.isnan(value) | np.isin(value, numeric_marks(missing))
    if style.serials:
        moments = read_serials(value)
    else:
        bounded = np.where(np.abs(value) < 1e18 * 9, value, 0)  # nan becomes 0
        whole = np.floor(bounded).astype(np.int64)
        moments = _texts(pc.cast(pa.array(whole), pa.string()), (), style)
    moments.state[absent] = MISSING
    return moments


def _texts(
    text: pa.StringArray, missing: tuple[str, ...], style: DateStyle
) -> WrittenDates:
    """Read texts; local times of day are set apart, so that each distinct date is read once."""
    if style.format:
        moments = _by_distinct(text, style)
    else:
        moments = _by_distinct(
            pc.replace_substring_regex(text, _LOCAL_TIME, r"\1"), style
        )
        timed = pc.match_substring_regex(text, _LOCAL_TIME)
        clocks = pc.replace_substring_regex(text.filter(timed), _LOCAL_TIME, r"\2")
        moments.second[flags(timed)] = _seconds(clocks)
    marks = pa.array(sorted(text_marks(missing)), pa.string())
    moments.state[flags(pc.is_in(text, marks))] = MISSING
    return moments


def _by_distinct(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    coded = text.dictionary_encode()
    distinct = read_distinct(coded.dictionary, style)
    code = coded.indices.to_numpy()
    return WrittenDates(*(column[code] for column in distinct))


def _seconds(clocks: pa.StringArray) -> Ints:
    coded = clocks.dictionary_encode()
    written = coded.dictionary.to_pylist()
    seconds = np.array(list(map(second_of, written)), dtype=np.int64)
    return np.asarray(seconds[coded.indices.to_numpy()])
