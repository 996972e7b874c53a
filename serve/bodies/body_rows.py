"""Bodies of requests as rows of the store, and a stored record with newer readings laid over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.days import EPOCH, date_of
from hvac.panel.grid import Unit
from serve.bodies.schemas import AskedUnit, Event, Reading, Window
from serve.graph.asks import compact
from serve.memory.store import canonical

Row = tuple[Any, ...]


def day_number(day: dt.date | None) -> int | None:
    """Return a day as days since 1970-01-01."""
    return None if day is None else (day - EPOCH).days


def known_date(day: int | None) -> dt.date | None:
    """Return days since 1970-01-01 as a date; None where there is none."""
    return None if day is None else date_of(day)


def body_reading_rows(readings: Sequence[Reading]) -> list[Row]:
    """Return (point, day, value, lower, upper, known day) of every measured value; of equal days
    the last.
    """
    return list(
        {
            row[:2]: row for row in map(_reading_row, readings) if row[2] is not None
        }.values()
    )


def _reading_row(reading: Reading) -> Row:
    days = (day_number(reading.date), day_number(reading.known_at))
    return (
        reading.point_id,
        days[0],
        reading.value,
        reading.lower_limit,
        reading.upper_limit,
        days[1],
    )


def given_readings(body: AskedUnit) -> pa.Table:
    """Return the readings that were sent of a unit, in the form that travels to the stages
    (`compact`).
    """
    if body.window:
        return _of_window(body.window)
    rows = body_reading_rows(body.readings or ())
    return compact(
        canonical(body.unit, list(zip(*rows, strict=True)) if rows else [[]] * 6)
    )


def _of_window(window: Window) -> pa.Table:
    series = [
        np.array(points_values, dtype=np.float64)
        for points_values in window.values.values()
    ]
    value_N = np.concatenate(series)
    number_N = np.arange(len(series), dtype=np.int32)
    point_N = np.repeat(number_N, [*map(len, series)])
    last = (window.end_date - EPOCH).days
    day_N = np.concatenate(
        [
            np.arange(last - len(values) + 1, last + 1, dtype=np.int32)
            for values in series
        ]
    )
    seen_N = ~np.isnan(value_N)
    points = pa.DictionaryArray.from_arrays(
        point_N[seen_N], pa.array(list(window.values), pa.string())
    )
    days = pa.array(day_N[seen_N]).cast(pa.date32())
    return pa.table({"point_id": points, "date": days, "value": value_N[seen_N]})


def event_rows(unit: Unit, events: Sequence[Event]) -> list[Row]:
    """Return (facility, equipment, kind, start day, end day, point) of every event."""
    return [
        (*unit, e.kind, day_number(e.start), day_number(e.end or e.start), e.point_id)
        for e in events
    ]


def merged(stored: pa.Table, given: pa.Table) -> pa.Table:
    """Return the stored record with given readings laid over it; a given one replaces a stored one
    of its point and day.
    """
    if not len(given):
        return stored
    if not len(stored):
        return given
    replaced = set(_keys(given))
    keep = pa.array([key not in replaced for key in _keys(stored)])
    return pa.concat_tables([stored.filter(keep), given], promote_options="default")


def _keys(table: pa.Table) -> Iterator[tuple[str, int]]:
    return zip(
        table["point_id"].to_pylist(),
        table["date"].cast(pa.int32()).to_pylist(),
        strict=True,
    )
