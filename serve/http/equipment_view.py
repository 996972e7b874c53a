"""What the page of one equipment shows: its figures, its chart and its reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pyarrow as pa
from markupsafe import Markup

from hvac.days import EPOCH
from hvac.errors import HvacError
from hvac.explain.wording import case_sentence, reason_sentence, strength
from hvac.panel.grid import Unit
from hvac.readings.registers import OPEN_END
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.worklist import doubts_text
from hvac.words import short_number
from serve.bodies.answer_rows import grade
from serve.bodies.schemas import AskedUnit
from serve.graph.rows import Rows
from serve.http.chart import Drawing, draw_chart
from serve.http.page_words import PageWords
from serve.memory.store_tables import EventRow
from serve.service import Service

SHOWN_DAYS = 90


def days(number_of: int) -> dt.timedelta:
    """Return a span of days."""
    return dt.timedelta(days=number_of)


class PointValue(TypedDict):
    """What a point is expected to show on a day, with its band and chance of crossing a limit."""

    point: str | None
    date: dt.date
    value: float
    low: float
    high: float
    crossing: float | None


class PointReading(TypedDict):
    """A reading of the store with its limits."""

    date: dt.date
    value: float
    lower_limit: float | None
    upper_limit: float | None


class EquipmentView(TypedDict):
    """What the page of one piece of equipment shows.

    `best` is the newest prediction, `rows` those of its point, `look` whether any of them needs a
    look; `charts` are (point, SVG), events
    (start, kind, end, point), alarms (last day of the window, horizon, risk), newest first.
    """

    unit: Unit
    class_name: str
    installed: dt.date | None
    set_aside: str | None
    best: LatestRow | None
    rows: Rows
    look: bool
    behind: int
    grade: str | None
    doubts: str
    outlook: PointValue | None
    charts: list[tuple[str, Markup]]
    readings: dict[str, list[PointReading]]
    events: list[tuple[dt.date, str, str, str | None]]
    alarms: list[tuple[dt.date, int, float | None]]


def _until(end_day: int, words: PageWords) -> str:
    """Return the last day of an event, or the words for one that is not over."""
    end = EPOCH + days(end_day)
    return words("equipment.ongoing") if end >= OPEN_END else end.isoformat()


def equipment_view(service: Service, unit: Unit, words: PageWords) -> EquipmentView:
    """Return what the page of one equipment shows. Raise Unknown where it is not stored."""
    stored, table, events = service.record(unit)
    rows = service.rows(*unit)
    best = max(rows, key=lambda row: (row["status"] == "ok", row["risk"] or 0.0), default=None)
    point_rows = [row for row in rows if best and row["point_id"] == best["point_id"]]
    readings = _by_point(table)
    history = service.store.history(unit)
    entry = [e for e in service.ranking(unit.facility_id) if e["equipment_id"] == unit.equipment_id]
    return {
        "unit": unit,
        "class_name": stored.class_name,
        "installed": None if stored.install_day is None else EPOCH + days(stored.install_day),
        "set_aside": service.store.aside(unit).get(unit),
        "best": best,
        "rows": point_rows,
        "look": any(row.get("needs_look") for row in point_rows),
        "behind": entry[0]["days_behind"] if entry else 0,
        "grade": (
            grade(best["observed_share"], best["status"], best.get("doubts")) if best else None
        ),
        "doubts": doubts_text(best, words.language) if best else "",
        "outlook": _outlook(point_rows),
        "charts": [
            (point, Markup(_chart(point, rows_of, point_rows, events, words)))
            for point, rows_of in readings.items()
        ],
        "readings": readings,
        "events": [
            (EPOCH + days(e[3]), words.name("kind", e[2]), _until(e[4], words), e[5])
            for e in reversed(events)
        ],
        "alarms": [(EPOCH + days(d), h, r) for d, _, h, r, alarm in reversed(history) if alarm],
    }


class ReasonsView(TypedDict):
    """Reasons in words (sentence, strength) and past cases; `missing` tells why there are none."""

    missing: str
    days: NotRequired[int]
    cases: NotRequired[list[str]]
    in_favour: NotRequired[list[tuple[str, str]]]
    opposed: NotRequired[list[tuple[str, str]]]


async def reasons_view(
    service: Service, unit: Unit, rows: Rows, words: PageWords
) -> ReasonsView | None:
    """Return the reasons of the shortest horizon with an alarm (else of the shortest), in words.

    It is None where there is no risk; `missing` tells where there can be no reasons.
    """
    scored = [row for row in rows if row["risk"] is not None]
    scored.sort(key=lambda row: row["horizon"])
    if not scored:
        return None
    shown = next((row for row in scored if row["alarm"]), scored[0])
    try:
        explained = await service.explain(AskedUnit(**unit._asdict()))
    except HvacError as error:
        return {"missing": service.plain(error)}
    window = next((row for row in explained if row["point_id"] == shown["point_id"]), None)
    if window is None:
        return None
    in_favour: list[tuple[str, str]] = []
    opposed: list[tuple[str, str]] = []
    for reason in window["reasons"][shown["horizon"]]:
        side = in_favour if reason.log_odds > 0 else opposed
        side.append((reason_sentence(reason, words.language), strength(reason)))
    cases = []
    for case in window["cases"]:
        named = case.facility_id == unit.facility_id
        cases.append(case_sentence(case, words.language, named=named))
    return {
        "missing": "",
        "days": shown["horizon"],
        "cases": cases,
        "in_favour": in_favour,
        "opposed": opposed,
    }


def _by_point(table: pa.Table) -> dict[str, list[PointReading]]:
    """Return the readings of the last 90 days of every point, oldest first."""
    rows = table.sort_by([("point_id", "ascending"), ("date", "ascending")]).to_pylist()
    newest = max((row["date"] for row in rows), default=EPOCH)
    rows_of_point: dict[str, list[PointReading]] = {}
    for row in rows:
        if (newest - row["date"]).days < SHOWN_DAYS:
            rows_of_point.setdefault(row["point_id"], []).append(row)
    return rows_of_point


def _outlook(rows: Rows) -> PointValue | None:
    """Return the forecast for the shortest horizon; None where there is none."""
    known = [row for row in rows if row["forecast"]]
    if not known:
        return None
    row = min(known, key=lambda r: r["horizon"])
    value_D, low_D, high_D = _forecast(row)
    return {
        "point": row["driving_point"],
        "date": row["end_date"] + days(row["horizon"]),
        "value": value_D[-1],
        "low": low_D[-1],
        "high": high_D[-1],
        "crossing": row["crossing_probability"],
    }


def _forecast(row: LatestRow) -> tuple[list[float], list[float], list[float]]:
    """Return the forecast of a row that has one, with the edges of its band, day by day."""
    return row["forecast"] or [], row["forecast_low"] or [], row["forecast_high"] or []


def _line(values: list[tuple[dt.date, float | None]]) -> list[tuple[int, float]]:
    """Return the values that are known, by day since 1970-01-01."""
    return [((date - EPOCH).days, value) for date, value in values if value is not None]


def _chart(
    point: str,
    readings: list[PointReading],
    rows: Rows,
    events: Sequence[EventRow],
    words: PageWords,
) -> str:
    measured = [((row["date"] - EPOCH).days, row["value"]) for row in readings]
    lower = _line([(row["date"], row["lower_limit"]) for row in readings])
    upper = _line([(row["date"], row["upper_limit"]) for row in readings])
    outlook = [row for row in rows if row["forecast"] and row["driving_point"] == point]
    forecast = []
    band = []
    if outlook:
        row = min(outlook, key=lambda r: r["horizon"])
        end = (row["end_date"] - EPOCH).days
        value_D, low_D, high_D = _forecast(row)
        forecast = [(end + i, value) for i, value in enumerate(value_D, 1)]
        for i, (low, high) in enumerate(zip(low_D, high_D, strict=True), 1):
            if low == low and high == high:
                band.append((end + i, low, high))
    limit_words = words("chart.no_limits")
    if lower or upper:
        ends = [short_number(line[-1][1]) if line else "–" for line in (lower, upper)]
        limit_words = words("chart.limits", low=ends[0], high=ends[1])
    title = words(
        "chart.alt",
        point=point,
        first=short_number(measured[0][1]),
        last=short_number(measured[-1][1]),
        start=readings[0]["date"],
        end=readings[-1]["date"],
        limits=limit_words,
    )
    if forecast:
        title += words(
            "chart.alt_forecast",
            value=short_number(forecast[-1][1]),
            date=EPOCH + days(forecast[-1][0]),
        )
    marks = [(e[3], words.name("kind", e[2])) for e in events if e[5] in (None, "", point)]
    return draw_chart(
        Drawing(
            title=title,
            measured=measured,
            lower=lower,
            upper=upper,
            forecast=forecast,
            band=band,
            events=marks,
        )
    )
