"""Small canonical tables and panels, written as offsets in days from one first date."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from hvac.panel.events import Events, events_by_unit, no_events
from hvac.panel.grid import Panel, Unit, panels
from hvac.readings.gate import CANONICAL
from hvac.readings.registers import EVENTS

UNIT = Unit("F1", "E1")
START = dt.date(2023, 1, 1)
FIRST = (START - dt.date(1970, 1, 1)).days

Row = dict[str, Any]


def date(offset: int) -> dt.date:
    return START + dt.timedelta(days=offset)


def reading(
    day: int, value: float, *, point: str = "p", known: int | None = None, **more: Any
) -> Row:
    """One reading; `limits=(lower, upper)` and `unit` are optional."""
    lower, upper = more.get("limits") or (None, None)
    unit = more.get("unit", UNIT)
    return {
        "facility_id": unit.facility_id,
        "equipment_id": unit.equipment_id,
        "point_id": point,
        "date": date(day),
        "value": float(value),
        "lower_limit": lower,
        "upper_limit": upper,
        "known_at": None if known is None else date(known),
    }


def series(values: Iterable[float], *, start: int = 0, **more: Any) -> list[Row]:
    """A reading per day from `start`; nan is a missing day."""
    return [
        reading(start + k, v, **more) for k, v in enumerate(values) if not math.isnan(v)
    ]


def readings(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=CANONICAL)


def panel_of(
    rows: Sequence[Row], *, points: Sequence[str] | None = None, **more: Any
) -> Panel:
    names = points or sorted({row["point_id"] for row in rows})
    (panel,) = panels(readings(rows), {UNIT: names}, **more)
    return panel


def event(
    kind: str,
    start: int,
    end: int | None = None,
    *,
    point: str | None = None,
    unit: Unit = UNIT,
) -> Row:
    return {
        "facility_id": unit.facility_id,
        "equipment_id": unit.equipment_id,
        "kind": kind,
        "start": date(start),
        "end": None if end is None else date(end),
        "point_id": point,
    }


def event_table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=EVENTS)


def events_of(*rows: Row) -> Events:
    return events_by_unit(event_table(rows))[UNIT] if rows else no_events()
