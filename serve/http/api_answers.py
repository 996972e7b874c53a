"""What the addresses of the API read and answer: days, tables and forecasts."""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Callable, Sequence

import pyarrow as pa
from fastapi import Response

from hvac.days import EPOCH, date_of
from hvac.panel.names import Names
from hvac.readings.registers import OPEN_END
from hvac.scoring.latest_rows import RankedUnit
from serve.bodies.answer_rows import unit_predictions
from serve.bodies.answers import DailyForecast
from serve.bodies.body_rows import known_date
from serve.bodies.looks import (
    DisplayName,
    EquipmentAnswer,
    KnownEvent,
    KnownReading,
    NamesAnswer,
    PastAlarm,
    RankedEquipment,
)
from serve.graph.rows import OutlookRow, Rows
from serve.memory.store_predictions import PastRisk
from serve.memory.store_tables import EventRow
from serve.memory.store_units import UnitRow


def stream(table: pa.Table) -> bytes:
    """Return a table as an Arrow stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def csv_response(text: str, name: str) -> Response:
    """Return a CSV file as a download."""
    plain = "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in name
    )
    headers = {"Content-Disposition": f'attachment; filename="ranking_{plain}.csv"'}
    return Response(
        text.encode(), media_type="text/csv; charset=utf-8", headers=headers
    )


def daily_forecast(outlook: OutlookRow) -> DailyForecast:
    """Return the forecast of a point; nan becomes null."""

    def plain(values: list[float]) -> list[float | None]:
        return [value if value == value else None for value in values]

    chance = outlook["crossing"]
    return DailyForecast(
        point_id=outlook["point"],
        horizon=outlook["horizon"],
        values=outlook["value_D"],
        low=plain(outlook["low_D"]),
        high=plain(outlook["high_D"]),
        crossing_probability=chance if chance == chance else None,
        method=outlook["method"],
    )


def ranked_equipment(rank: int, entry: RankedUnit) -> RankedEquipment:
    """Return an entry of the ranking as the API shows it."""
    return RankedEquipment(
        rank=rank,
        facility_id=entry["facility_id"],
        equipment_id=entry["equipment_id"],
        equipment_class=entry["class"],
        end_date=entry["end_date"],
        days_behind=entry["days_behind"],
        status=entry["status"],
        learning_days_left=entry["learning_days_left"],
        observed_share=entry["observed_share"],
        point_id=entry["point"],
        risks=entry["risks"],
        thresholds=entry["thresholds"],
        alarms=entry["alarms"],
        needs_look=entry["unsure"],
    )


def names_answer(names: Names, sees: Callable[[str], bool]) -> NamesAnswer:
    """Return all display names but those of facilities that a caller may not see."""
    entries = []
    for (of, given, facility_id), name in names.name_of.items():
        place = given if of == "facility" else facility_id
        if not place or sees(place):
            about = {
                "of": of,
                "id": given,
                "facility_id": facility_id,
                **name._asdict(),
            }
            entries.append(DisplayName(**about))
    return NamesAnswer(names=entries)


def equipment_answer(
    stored: UnitRow,
    readings: pa.Table,
    events: Sequence[EventRow],
    *,
    rows: Rows,
    history: Sequence[PastRisk],
    aside: str | None,
) -> EquipmentAnswer:
    """Return what is stored of a piece of equipment: its last 90 days of readings, and alarms."""
    return EquipmentAnswer(
        facility_id=stored.facility_id,
        equipment_id=stored.equipment_id,
        equipment_class=stored.class_name,
        install_date=known_date(stored.install_day),
        set_aside=aside,
        predictions=unit_predictions(rows),
        readings=last_days(readings, 90),
        events=[_known_event(event) for event in events],
        alarms=[_past_alarm(past) for past in history if past.alarm],
    )


def _known_event(event: EventRow) -> KnownEvent:
    _, _, kind, start, end, point_id = event
    return KnownEvent(
        kind=kind, start=known_date(start), end=end_of(end), point_id=point_id
    )


def _past_alarm(past: PastRisk) -> PastAlarm:
    return PastAlarm(
        end_date=known_date(past.end_day),
        point_id=past.point_id or None,
        days=past.horizon,
        risk=past.risk,
    )


def last_days(table: pa.Table, days: int) -> list[KnownReading]:
    """Return the readings of a table's last days."""
    rows = table.sort_by([("point_id", "ascending"), ("date", "ascending")]).to_pylist()
    newest = max((row["date"] for row in rows), default=EPOCH)
    readings: list[KnownReading] = []
    for row in rows:
        if (newest - row["date"]).days < days:
            readings.append(
                KnownReading(
                    point_id=row["point_id"],
                    date=row["date"],
                    value=_known(row["value"]),
                    lower_limit=_known(row["lower_limit"]),
                    upper_limit=_known(row["upper_limit"]),
                )
            )
    return readings


def _known(value: float | None) -> float | None:
    """Return the value; None for a number that JSON does not know."""
    return None if value is None or not math.isfinite(value) else value


def end_of(day: int) -> dt.date | None:
    """Return the last day of an event; None where it is still open."""
    return None if date_of(day) >= OPEN_END else date_of(day)
