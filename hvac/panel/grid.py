"""Panels: the readings of one equipment on a regular daily grid with an observed mask.

Legend: T days, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, DayNumbers, Floats, Ints
from hvac.panel.daily_readings import (
    ALWAYS_KNOWN,
    Aggregate,
    DailyReadings,
    daily_readings,
    sorted_codes,
)


class Unit(NamedTuple):
    """One equipment."""

    facility_id: str
    equipment_id: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The record of one unit on a daily grid.

    `value_TC` is nan where `observed_TC` is False; `known_TC` is the day a reading became known
    (`ALWAYS_KNOWN` where the record does not say); a limit holds from the day it is known until
    another one is, nan before the first.
    """

    unit: Unit
    points: tuple[str, ...]
    first_day: int
    value_TC: Floats
    observed_TC: Bools
    known_TC: DayNumbers
    lower_TC: Floats
    upper_TC: Floats
    point_id: str | None = None

    @property
    def last_day(self) -> int:
        """Return the day of the newest reading."""
        return self.first_day + len(self.value_TC) - 1

    def by_point(self) -> list[Panel]:
        """Return one panel per point that was ever observed (`by: point`, C = 1)."""
        observed_C = self.observed_TC.any(axis=0)
        return [self._one_point(c) for c in np.flatnonzero(observed_C).tolist()]

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


def panels(
    readings: pa.Table,
    points: Mapping[Unit, Sequence[str]],
    *,
    aggregate: Aggregate = "mean",
) -> Iterator[Panel]:
    """Lay canonical readings on daily grids, one panel per equipment, in the order of ids.

    Several readings of a point on a day become one by `aggregate`; that day is known when its last
    reading is. `last` is the last by the clock (`second`); moments that several files (`file`) hold
    count once: see `overlap`. Readings of points that are not in `points[unit]` are left out (the
    caller counts them at ingest).

    >>> import datetime as dt
    >>> rows = {"facility_id": ["f"] * 3, "equipment_id": ["e"] * 3, "point_id": ["p"] * 3}
    >>> rows["date"] = [dt.date(2024, 1, 1), dt.date(2024, 1, 1), dt.date(2024, 1, 3)]
    >>> rows["value"] = [1.0, 3.0, 5.0]
    >>> panel, = panels(pa.table(rows), {Unit("f", "e"): ["p"]})
    >>> panel.value_TC[:, 0]
    array([ 2., nan,  5.])
    """
    if readings.num_rows == 0:
        return
    facilities, facility_N = sorted_codes(readings["facility_id"])
    equipment, equipment_N = sorted_codes(readings["equipment_id"])
    names, point_N = sorted_codes(readings["point_id"])
    unit_N = facility_N * len(equipment) + equipment_N
    long = daily_readings(readings, unit_N, point_N, aggregate)
    starts = np.flatnonzero(np.diff(long.unit, prepend=-1))
    for start, stop in pairwise(np.append(starts, len(long.unit))):
        facility_code, equipment_code = divmod(int(long.unit[start]), len(equipment))
        unit = Unit(facilities[facility_code], equipment[equipment_code])
        rows = DailyReadings(*(column[start:stop] for column in long))
        panel = _panel(unit, rows, names, points[unit])
        if panel is not None:
            yield panel


def daily(readings: pa.Table, aggregate: Aggregate) -> pa.Table:
    """Return one reading of each unit, point and day, as `panels` lays it on the grid.

    >>> import datetime as dt
    >>> rows = {"facility_id": ["f"] * 2, "equipment_id": ["e"] * 2, "point_id": ["p"] * 2}
    >>> rows |= {"date": [dt.date(2024, 1, 1)] * 2, "value": [1.0, 3.0]}
    >>> daily(pa.table(rows), "sum")["value"].to_pylist()
    [4.0]
    """
    facilities, facility_N = sorted_codes(readings["facility_id"])
    equipment, equipment_N = sorted_codes(readings["equipment_id"])
    points, point_N = sorted_codes(readings["point_id"])
    unit_N = facility_N * len(equipment) + equipment_N
    long = daily_readings(readings, unit_N, point_N, aggregate)
    facility_code, equipment_code = np.divmod(long.unit, max(len(equipment), 1))
    known = pa.array(long.known, pa.int32(), mask=long.known == ALWAYS_KNOWN)
    return pa.table(
        {
            "facility_id": _texts(facilities, facility_code),
            "equipment_id": _texts(equipment, equipment_code),
            "point_id": _texts(points, long.point),
            "date": pa.array(long.day, pa.int32()).cast(pa.date32()),
            "value": _numbers(long.value),
            "lower_limit": _numbers(long.lower),
            "upper_limit": _numbers(long.upper),
            "known_at": known.cast(pa.date32()),
        }
    )


def _texts(names: list[str], code: Ints) -> pa.Array:
    name = np.asarray(names, dtype=object)[code]
    return pa.array(name, pa.string())


def _numbers(column: Floats) -> pa.Array:
    return pa.array(column, pa.float64(), mask=np.isnan(column))


def unit_panel(
    readings: pa.Table,
    unit: Unit,
    points: Sequence[str],
    *,
    aggregate: Aggregate = "mean",
) -> Panel | None:
    """Lay the readings of one unit on a daily grid; None where none is of these points.

    All readings must be of the unit: columns with ids are not looked at.
    """
    if readings.num_rows == 0:
        return None
    names, point_N = sorted_codes(readings["point_id"])
    long = daily_readings(readings, np.zeros_like(point_N), point_N, aggregate)
    return _panel(unit, long, names, points)


def _panel(
    unit: Unit, long: DailyReadings, names: list[str], points: Sequence[str]
) -> Panel | None:
    """Lay sorted days of one unit on a grid; None where none is of these points."""
    columns = {name: column for column, name in enumerate(points)}
    column_by_code = np.array([columns.get(name, -1) for name in names])
    column_N = column_by_code[long.point]
    long = DailyReadings(*(values[column_N >= 0] for values in long))
    if not len(long.day):
        return None
    first = int(long.day.min())
    shape = (int(long.day.max()) - first + 1, len(points))
    place = (long.day - first, column_N[column_N >= 0])
    value_TC = np.full(shape, np.nan)
    value_TC[place] = long.value
    known_TC = np.full(shape, ALWAYS_KNOWN)
    known_TC[place] = long.known
    return Panel(
        unit=unit,
        points=tuple(points),
        first_day=first,
        value_TC=value_TC,
        observed_TC=np.isfinite(value_TC),
        known_TC=known_TC,
        lower_TC=_limit_grid(long.lower, place, long.known - np.int64(first), shape),
        upper_TC=_limit_grid(long.upper, place, long.known - np.int64(first), shape),
    )


def _limit_grid(
    limit_N: Floats,
    place: tuple[DayNumbers, Ints],
    known_row_N: Ints,
    shape: tuple[int, int],
) -> Floats:
    """Lay limits on a grid; one holds from the day it is known until another one is.

    `place` holds row and column of each limit. No window sees a limit before it is known.
    """
    limit_TC = np.full(shape, np.nan)
    row_N = np.maximum(place[0], known_row_N)
    keep = np.isfinite(limit_N) & (row_N < shape[0])
    limit_TC[row_N[keep], place[1][keep]] = limit_N[keep]
    for column in range(shape[1]):
        rows = np.flatnonzero(np.isfinite(limit_TC[:, column]))
        if len(rows):
            behind = np.searchsorted(rows, np.arange(shape[0]), side="right")
            last = behind - 1
            held = limit_TC[rows[np.maximum(last, 0)], column]
            limit_TC[:, column] = np.where(last >= 0, held, np.nan)
    return limit_TC
