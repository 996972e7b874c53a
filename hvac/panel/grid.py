"""Canonical readings → one `Panel` per equipment: a regular daily grid with an observed mask.

Legend: T days, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hvac.readings.overlap import NO_TIME, ReadingTimes, find_overlap

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int32]
Aggregate = Literal["mean", "min", "max", "sum", "last"]
ALWAYS_KNOWN = np.int32(-(2**31))


class Unit(NamedTuple):
    """One equipment."""

    facility_id: str
    equipment_id: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The record of one unit on a daily grid.

    `value_TC` is nan where `observed_TC` is False; `known_TC` is the day a reading became known
    (`ALWAYS_KNOWN` where the record does not say); a limit holds from the day it is known until
    another one is, nan before the first."""

    unit: Unit
    points: tuple[str, ...]
    first_day: int
    value_TC: Floats
    observed_TC: Bools
    known_TC: Days
    lower_TC: Floats
    upper_TC: Floats
    point_id: str | None = None

    @property
    def last_day(self) -> int:
        """Day of the newest reading."""
        return self.first_day + len(self.value_TC) - 1

    def by_point(self) -> list[Panel]:
        """One panel per point that was ever observed (`by: point`, C = 1)."""
        return [self._one_point(c) for c in range(len(self.points)) if self.observed_TC[:, c].any()]

    def _one_point(self, c: int) -> Panel:
        rows = np.flatnonzero(self.observed_TC[:, c])
        cut = np.s_[rows[0] : rows[-1] + 1, c : c + 1]
        return replace(
            self,
            points=(self.points[c],),
            point_id=self.points[c],
            first_day=self.first_day + int(rows[0]),
            value_TC=self.value_TC[cut],
            observed_TC=self.observed_TC[cut],
            known_TC=self.known_TC[cut],
            lower_TC=self.lower_TC[cut],
            upper_TC=self.upper_TC[cut],
        )


class _Long(NamedTuple):
    """Readings as sorted columns: unit, point and day codes beside the values."""

    unit: Any
    point: Any
    day: Any
    value: Any
    lower: Any
    upper: Any
    known: Any


def panels(
    readings: pa.Table, points: Mapping[Unit, Sequence[str]], *, aggregate: Aggregate = "mean"
) -> Iterator[Panel]:
    """Lay canonical readings on daily grids, one panel per equipment, in the order of ids.

    Several readings of a point on a day become one by `aggregate`; that day is known when its last
    reading is. `last` is the last by the clock (`second`); moments that several files (`file`) tell
    of count once: see `overlap`. Readings of points that are not in `points[unit]` are left out
    (the caller counts them at ingest).

    >>> import datetime as dt
    >>> rows = {"facility_id": ["f"] * 3, "equipment_id": ["e"] * 3, "point_id": ["p"] * 3, "value": [1.0, 3.0, 5.0],
    ...         "date": [dt.date(2024, 1, 1), dt.date(2024, 1, 1), dt.date(2024, 1, 3)]}
    >>> panel, = panels(pa.table(rows), {Unit("f", "e"): ["p"]})
    >>> panel.value_TC[:, 0]
    array([ 2., nan,  5.])
    """
    if readings.num_rows == 0:
        return
    facilities, facility_N = _codes(readings["facility_id"])
    equipment, equipment_N = _codes(readings["equipment_id"])
    names, point_N = _codes(readings["point_id"])
    long = _sorted_days(readings, facility_N * len(equipment) + equipment_N, point_N, aggregate)
    bounds = np.append(np.flatnonzero(np.diff(long.unit, prepend=-1)), len(long.unit))
    for start, stop in pairwise(bounds):
        facility, own = divmod(int(long.unit[start]), len(equipment))
        unit = Unit(facilities[facility], equipment[own])
        panel = _panel(unit, _Long(*(column[start:stop] for column in long)), names, points[unit])
        if panel is not None:
            yield panel


def daily(readings: pa.Table, aggregate: Aggregate) -> pa.Table:
    """Return one reading of each unit, point and day, as `panels` lays it on the grid.

    >>> import datetime as dt
    >>> rows = {"facility_id": ["f"] * 2, "equipment_id": ["e"] * 2, "point_id": ["p"] * 2, "value": [1.0, 3.0],
    ...         "date": [dt.date(2024, 1, 1)] * 2}
    >>> daily(pa.table(rows), "sum")["value"].to_pylist()
    [4.0]
    """
    codes = {name: _codes(readings[name]) for name in ("facility_id", "equipment_id", "point_id")}
    (facilities, facility_N), (equipment, equipment_N), (points, point_N) = codes.values()
    long = _sorted_days(readings, facility_N * len(equipment) + equipment_N, point_N, aggregate)
    facility, own = np.divmod(long.unit, max(len(equipment), 1))
    named = ((facilities, facility), (equipment, own), (points, long.point))
    columns = {
        name: pa.array(np.asarray(texts, dtype=object)[place], pa.string())
        for name, (texts, place) in zip(codes, named, strict=True)
    }
    numbers = {"value": long.value, "lower_limit": long.lower, "upper_limit": long.upper}
    columns |= {"date": pa.array(long.day, pa.int32()).cast(pa.date32())}
    columns |= {
        name: pa.array(column, pa.float64(), mask=np.isnan(column))
        for name, column in numbers.items()
    }
    known = pa.array(long.known, pa.int32(), mask=long.known == ALWAYS_KNOWN)
    return pa.table({**columns, "known_at": known.cast(pa.date32())})


def unit_panel(
    readings: pa.Table, unit: Unit, points: Sequence[str], *, aggregate: Aggregate = "mean"
) -> Panel | None:
    """The panel of one unit, of which all readings are (columns with its ids are not looked at);
    None without one.
    """
    if readings.num_rows == 0:
        return None
    names, point_N = _codes(readings["point_id"])
    return _panel(
        unit, _sorted_days(readings, np.zeros_like(point_N), point_N, aggregate), names, points
    )


def _codes(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Distinct texts in sorted order (others may be among them), and the code of each row."""
    array = (
        column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    ).combine_chunks()
    names = array.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [names[i] for i in order], rank[array.indices.to_numpy(zero_copy_only=False)]


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _day_column(table: pa.Table, name: str) -> Days:
    """A date column as int32 days; nulls, or no such column, are always known."""
    if name not in table.column_names or table[name].null_count == table.num_rows:
        return np.full(table.num_rows, ALWAYS_KNOWN, dtype=np.int32)
    dates = table[name] if pa.types.is_date32(table[name].type) else table[name].cast(pa.date32())
    days = dates.combine_chunks().view(pa.int32())
    return np.asarray((days.fill_null(int(ALWAYS_KNOWN)) if days.null_count else days).to_numpy())


def _sorted_days(readings: pa.Table, unit: Any, point: Any, aggregate: Aggregate) -> _Long:
    """Sort by unit, point, day and time, leave out what does not count, and reduce several readings
    of a day to one.
    """
    day, known = _day_column(readings, "date"), _day_column(readings, "known_at")
    value, lower, upper = (
        _column(readings, name) for name in ("value", "lower_limit", "upper_limit")
    )
    long = _Long(unit, point, day, value, lower, upper, known)
    series = unit * (int(point.max()) + 1) + point
    if (np.diff((series << 32) + day) > 0).all():  # in order already, one reading a day
        return long
    order = _counted_order(readings, series, day, value)
    long = _Long(*(column[order] for column in long))
    new = (np.diff(long.unit, prepend=-1) != 0) | (np.diff(long.point, prepend=-1) != 0)
    new |= np.diff(long.day, prepend=long.day[0] - 1) != 0
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(new)) - 1
    return _Long(
        long.unit[starts],
        long.point[starts],
        long.day[starts],
        _reduce(long.value, starts, ends, aggregate),
        long.lower[ends],
        long.upper[ends],
        np.maximum.reduceat(long.known, starts),
    )


def _counted_order(readings: pa.Table, series: Any, day: Any, value: Floats) -> Any:
    """The places of the readings that count, by series, day, time of day, file and row."""
    second, file = _seconds(readings), _files(readings)
    if second is None and file is None:
        return np.lexsort((day, series))
    second = np.full(len(day), NO_TIME, dtype=np.int32) if second is None else second
    file = np.zeros(len(day), dtype=np.int64) if file is None else file
    order = np.lexsort((file, np.maximum(second, 0), day, series))
    moments = ReadingTimes(*(column[order] for column in (series, day, second, file, value)))
    return order[~find_overlap(moments).dropped]


def count_overlap(readings: pa.Table) -> dict[str, int]:
    """Count the readings that do not count because another file tells of the same moment.

    `repeated_across_files`: it tells the same; `replaced_by_later_files`: it tells another value.
    """
    file = _files(readings)
    if file is None:
        return {}
    _, unit_N = _codes(
        pc.binary_join_element_wise(readings["facility_id"], readings["equipment_id"], "\x1f")
    )
    _, point_N = _codes(readings["point_id"])
    series = unit_N * (int(point_N.max()) + 1) + point_N
    day, second = _day_column(readings, "date"), _seconds(readings)
    second = np.full(len(day), NO_TIME, dtype=np.int32) if second is None else second
    order = np.lexsort((file, np.maximum(second, 0), day, series))
    rows = (series, day, second, file, _column(readings, "value"))
    found = find_overlap(ReadingTimes(*(column[order] for column in rows)))
    counts = {"repeated_across_files": found.repeated, "replaced_by_later_files": found.replaced}
    return {name: int(flags.sum()) for name, flags in counts.items()}


def _seconds(readings: pa.Table) -> Any:
    """Seconds of the day, NO_TIME where none was written; None where none was at all."""
    if "second" not in readings.column_names or readings["second"].null_count == readings.num_rows:
        return None
    return np.asarray(pc.fill_null(readings["second"], NO_TIME).to_numpy())


def _files(readings: pa.Table) -> Any:
    """The rank of each reading's file in the order of paths; None where there is but one."""
    if "file" not in readings.column_names:
        return None
    names, file_N = _codes(readings["file"])
    return file_N if len(names) > 1 else None


def _reduce(value: Floats, starts: Any, ends: Any, aggregate: Aggregate) -> Floats:
    if aggregate == "last":
        return np.asarray(value[ends])
    if aggregate in ("min", "max"):
        return np.asarray(
            (np.minimum if aggregate == "min" else np.maximum).reduceat(value, starts)
        )
    total = np.add.reduceat(value, starts)
    return np.asarray(total if aggregate == "sum" else total / (ends - starts + 1))


def _panel(unit: Unit, long: _Long, names: list[str], points: Sequence[str]) -> Panel | None:
    column = {name: i for i, name in enumerate(points)}
    place = np.array([column.get(name, -1) for name in names])[long.point]
    wanted = place >= 0
    if not wanted.any():
        return None
    day, place = long.day[wanted], place[wanted]
    first, last = int(day.min()), int(day.max())
    row = day - first
    shape = (last - first + 1, len(points))

    def lay(values: Any, empty: Any) -> Any:
        grid = np.full(shape, empty)
        grid[row, place] = values[wanted]
        return grid

    def lay_known(values: Any) -> Any:
        """A limit, from the day it becomes known on, so that no earlier window sees it."""
        grid, told = np.full(shape, np.nan), values[wanted]
        if not np.isfinite(told).any():
            return grid
        at = np.maximum(row, long.known[wanted].astype(np.int64) - first)
        keep = np.isfinite(told) & (at < shape[0])
        grid[at[keep], place[keep]] = told[keep]
        return _carry(grid)

    value_TC = lay(long.value, np.nan)
    return Panel(
        unit=unit,
        points=tuple(points),
        first_day=first,
        value_TC=value_TC,
        observed_TC=np.isfinite(value_TC),
        known_TC=lay(long.known, ALWAYS_KNOWN),
        lower_TC=lay_known(long.lower),
        upper_TC=lay_known(long.upper),
    )


def _carry(limit_TC: Floats) -> Floats:
    """A limit holds from the day it is first recorded until it is recorded anew."""
    for c in range(limit_TC.shape[1]):
        rows = np.flatnonzero(np.isfinite(limit_TC[:, c]))
        if len(rows):
            place = np.searchsorted(rows, np.arange(len(limit_TC)), side="right") - 1
            limit_TC[:, c] = np.where(place >= 0, limit_TC[rows[np.maximum(place, 0)], c], np.nan)
    return limit_TC
