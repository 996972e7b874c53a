"""Bodies of requests as rows of the store, and a stored record with newer readings laid over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hvac.panel.grid import Unit
from hvac.panel.registry import EPOCH
from serve.schemas import AskedUnit, Event, PushedUnit, Reading, Window
from serve.store import canonical

__all__ = ["EPOCH", "day_number", "event_rows", "merged", "reading_rows_of"]
Row = tuple[Any, ...]


def day_number(day: dt.date | None) -> int | None:
    """Days since 1970-01-01."""
    return None if day is None else (day - EPOCH).days


def reading_rows_of(asked: AskedUnit | PushedUnit) -> list[Row]:
    """(point, day, value, lower, upper, known day) of every value that was measured; the last of equal days holds."""
    window = asked.window if isinstance(asked, AskedUnit) else None
    rows = (
        _window_rows(window)
        if window
        else [_reading_row(each) for each in asked.readings or () if each.value is not None]
    )
    return list({row[:2]: row for row in rows}.values())


def _reading_row(reading: Reading) -> Row:
    days = (day_number(reading.date), day_number(reading.known_at))
    return (reading.point_id, days[0], reading.value, reading.lower_limit, reading.upper_limit, days[1])


def _window_rows(window: Window) -> list[Row]:
    end = (window.end_date - EPOCH).days
    return [
        (point, end - len(values) + 1 + i, value, None, None, None)
        for point, values in window.values.items()
        for i, value in enumerate(values)
        if value is not None
    ]


def event_rows(unit: Unit, events: Sequence[Event]) -> list[Row]:
    """(facility, equipment, kind, start day, end day, point) of every event."""
    return [(*unit, e.kind, day_number(e.start), day_number(e.end or e.start), e.point_id) for e in events]


def merged(unit: Unit, stored: pa.Table, given: list[Row]) -> pa.Table:
    """The stored record with given readings in it; a given one replaces a stored one of that point and day."""
    if not given:
        return stored
    newer = canonical(unit, list(zip(*given, strict=True)))
    if not len(stored):
        return newer
    keys = {row[:2] for row in given}
    days = stored["date"].cast(pa.int32()).to_pylist()
    keep = [key not in keys for key in zip(stored["point_id"].to_pylist(), days, strict=True)]
    return pa.concat_tables([stored.filter(pa.array(keep)), newer])
