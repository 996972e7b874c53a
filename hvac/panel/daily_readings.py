"""Readings sorted by unit, point and day, one per day: what is laid on the daily grid."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import DayNumbers, Floats, Ints, Positions
from hvac.readings.overlap import NO_TIME, Overlap, ReadingTimes, find_overlap

Aggregate = Literal["mean", "min", "max", "sum", "last"]
ALWAYS_KNOWN = np.int32(-(2**31))


class DailyReadings(NamedTuple):
    """Readings as columns: codes of unit and point and days beside the values."""

    unit: Any
    point: Any
    day: Any
    value: Any
    lower: Any
    upper: Any
    known: Any


def sorted_codes(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Return the sorted distinct texts of a column (others may be among them), and row codes."""
    coded = (
        column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    )
    array = coded.combine_chunks()
    names = array.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    codes = array.indices.to_numpy(zero_copy_only=False)
    return [names[i] for i in order], rank[codes]


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _day_column(table: pa.Table, name: str) -> DayNumbers:
    """Return a date column as int32 days; nulls, or no such column, are always known."""
    if name not in table.column_names or table[name].null_count == table.num_rows:
        return np.full(table.num_rows, ALWAYS_KNOWN, dtype=np.int32)
    dates = table[name]
    if not pa.types.is_date32(dates.type):
        dates = dates.cast(pa.date32())
    days = dates.combine_chunks().view(pa.int32())
    if days.null_count:
        days = days.fill_null(int(ALWAYS_KNOWN))
    return np.asarray(days.to_numpy())


def daily_readings(
    readings: pa.Table, unit: Ints, point: Ints, aggregate: Aggregate
) -> DailyReadings:
    """Sort by unit, point, day and time, and reduce the readings of a day to one.

    Readings that do not count (`overlap`) are left out.
    """
    long = DailyReadings(
        unit,
        point,
        _day_column(readings, "date"),
        _column(readings, "value"),
        _column(readings, "lower_limit"),
        _column(readings, "upper_limit"),
        _day_column(readings, "known_at"),
    )
    series = unit * (int(point.max()) + 1) + point
    if (
        np.diff((series << 32) + long.day) > 0
    ).all():  # in order already, one reading a day
        return long
    order = _counted_order(readings, series, long)
    long = DailyReadings(*(column[order] for column in long))
    new = np.diff(long.unit, prepend=-1) != 0
    new |= np.diff(long.point, prepend=-1) != 0
    new |= np.diff(long.day, prepend=long.day[0] - 1) != 0
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(new)) - 1
    return DailyReadings(
        long.unit[starts],
        long.point[starts],
        long.day[starts],
        _reduce(long.value, starts, ends, aggregate),
        long.lower[ends],
        long.upper[ends],
        np.maximum.reduceat(long.known, starts),
    )


def _counted_order(readings: pa.Table, series: Ints, long: DailyReadings) -> Positions:
    """Return the places of the readings that count, by series, day, time of day, file and row."""
    second = _seconds(readings)
    file = _files(readings)
    if second is None and file is None:
        return np.lexsort((long.day, series))
    order, overlap = _overlap(series, long.day, second, file, long.value)
    return order[~overlap.dropped]


def _overlap(
    series: Ints,
    day: DayNumbers,
    second: DayNumbers | None,
    file: Ints | None,
    value: Floats,
) -> tuple[Positions, Overlap]:
    """Return the order by series, day, time of day and file, and which do not count in it."""
    if second is None:
        second = np.full(len(day), NO_TIME, dtype=np.int32)
    file = np.zeros(len(day), dtype=np.int64) if file is None else file
    order = np.lexsort((file, np.maximum(second, 0), day, series))
    readings = ReadingTimes(series, day, second, file, value)
    return order, find_overlap(readings.take(order))


def count_overlap(readings: pa.Table) -> dict[str, int]:
    """Count the readings that do not count because another file holds the same moment.

    `repeated_across_files` have the same value there, `replaced_by_later_files` another one.
    """
    file = _files(readings)
    if file is None:
        return {}
    units = pc.binary_join_element_wise(
        readings["facility_id"], readings["equipment_id"], "\x1f"
    )
    _, unit_N = sorted_codes(units)
    _, point_N = sorted_codes(readings["point_id"])
    series = unit_N * (int(point_N.max()) + 1) + point_N
    day = _day_column(readings, "date")
    value = _column(readings, "value")
    _, overlap = _overlap(series, day, _seconds(readings), file, value)
    return {
        "repeated_across_files": int(overlap.repeated.sum()),
        "replaced_by_later_files": int(overlap.replaced.sum()),
    }


def _seconds(readings: pa.Table) -> DayNumbers | None:
    """Return seconds of the day, NO_TIME where none was written; None where no row has one."""
    if (
        "second" not in readings.column_names
        or readings["second"].null_count == readings.num_rows
    ):
        return None
    return np.asarray(pc.fill_null(readings["second"], NO_TIME).to_numpy())


def _files(readings: pa.Table) -> Ints | None:
    """Return the rank of each reading's file in the order of paths; None where there is but one."""
    if "file" not in readings.column_names:
        return None
    names, file_N = sorted_codes(readings["file"])
    return file_N if len(names) > 1 else None


def _reduce(
    value: Floats, starts: Positions, ends: Positions, aggregate: Aggregate
) -> Floats:
    """Return one value per day of sorted readings, from `starts` to `ends` of each day."""
    if aggregate == "last":
        return np.asarray(value[ends])
    if aggregate == "min":
        return np.asarray(np.minimum.reduceat(value, starts))
    if aggregate == "max":
        return np.asarray(np.maximum.reduceat(value, starts))
    total = np.add.reduceat(value, starts)
    return np.asarray(total if aggregate == "sum" else total / (ends - starts + 1))
