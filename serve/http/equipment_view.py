"""What the page of one equipment shows: its figures, its chart and its reasons."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypedDict

import pyarrow as pa
from markupsafe import Markup

from hvac.days import EPOCH
from hvac.errors import HvacError
from hvac.explain.reason import Reason
from hvac.explain.wording import aspects_words, case_sentence, reason_sentence, strength
from hvac.panel.grid import Unit
from hvac.readings.registers import OPEN_END
from hvac.scoring.details import DaySpan, PointDetail, main_aspects
from hvac.scoring.forecast_methods import LAST_VALUE
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.usual_levels import UsualLevel
from hvac.scoring.worklist import doubts_text
from hvac.sentences import translated
from serve.bodies.answer_rows import grade
from serve.bodies.schemas import AskedUnit
from serve.graph.rows import Rows, ThresholdMove
from serve.http.checks import checks_of
from serve.http.equipment_charts import PointReading, risk_chart, row_forecast
from serve.http.page_words import PageWords
from serve.memory.store_predictions import PastRisk
from serve.memory.store_tables import EventRow
from serve.service import Service

SHOWN_DAYS = 90
SHOWN_ALARMS = 20  # days with an alarm
LEAST_OF_A_WEEK = 0.05  # log-odds: odds 5 % higher
STRONG_WEEK = 0.25


def days(number_of: int) -> dt.timedelta:
    """Return a span of days."""
    return dt.timedelta(days=number_of)


class PointValue(TypedDict):
    """What a point is expected to show on a day, with its band and chance of crossing a limit.

    `beats_last`: whether the forecast is better than the last value.
    """

    point: str | None
    date: dt.date
    value: float
    low: float
    high: float
    crossing: float | None
    beats_last: bool


class AboutUnit(TypedDict):
    """What display names tell of equipment: whether it has one, where it stands, how it matters."""

    id_beside: bool
    location: str
    criticality: str


class EquipmentView(TypedDict):
    """What the page of one piece of equipment shows.

    `best` is the newest prediction, `rows` those of its point, `look` whether any of them needs a
    look; events are (start, kind, end, point), alarms (last day of the window, its horizons with
    their risks), newest first; `more_alarms` counts the days that are not shown.
    """

    unit: Unit
    about: AboutUnit
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
    logged: Sequence[EventRow]
    readings: dict[str, list[PointReading]]
    events: list[tuple[dt.date, str, str, str | None]]
    alarms: list[tuple[dt.date, list[tuple[int, float | None]]]]
    more_alarms: int
    checks: list[str]
    risk_chart: Markup


def _until(end_day: int, words: PageWords) -> str:
    """Return the last day of an event, or the words for one that is not over."""
    end = EPOCH + days(end_day)
    return words("equipment.ongoing") if end >= OPEN_END else end.isoformat()


def equipment_view(service: Service, unit: Unit, words: PageWords) -> EquipmentView:
    """Return what the page of one equipment shows. Raise Unknown where it is not stored."""
    stored, table, events = service.record(unit)
    rows = service.rows(*unit)
    best = max(
        rows, key=lambda row: (row["status"] == "ok", row["risk"] or 0.0), default=None
    )
    point_rows = [row for row in rows if best and row["point_id"] == best["point_id"]]
    readings = _by_point(table)
    history = service.store.recent(0, *unit)
    entry = [
        e
        for e in service.ranking(unit.facility_id)
        if e["equipment_id"] == unit.equipment_id
    ]
    alarm_days = _alarm_days(history)
    name = words.names.name("equipment", *reversed(unit))
    return {
        "unit": unit,
        "about": {
            "id_beside": words.named("equipment", *reversed(unit)) != unit.equipment_id,
            "location": name.location,
            "criticality": name.criticality,
        },
        "class_name": stored.class_name,
        "installed": None
        if stored.install_day is None
        else EPOCH + days(stored.install_day),
        "set_aside": translated(service.store.aside(unit).get(unit, ""), words.language)
        or None,
        "best": best,
        "rows": point_rows,
        "look": any(row.get("needs_look") for row in point_rows),
        "behind": entry[0]["days_behind"] if entry else 0,
        "grade": (
            grade(best["observed_share"], best["status"], best.get("doubts"))
            if best
            else None
        ),
        "doubts": doubts_text(best, words.language) if best else "",
        "outlook": _outlook(point_rows),
        "readings": readings,
        "logged": events,
        "events": [
            (EPOCH + days(e[3]), words.name("kind", e[2]), _until(e[4], words), e[5])
            for e in reversed(events)
        ],
        "alarms": alarm_days[:SHOWN_ALARMS],
        "more_alarms": max(len(alarm_days) - SHOWN_ALARMS, 0),
        "checks": checks_of(stored.class_name, words.language, service.config.checks),
        "risk_chart": _risk_chart(history, point_rows, words),
    }


async def threshold_move(
    service: Service, unit: Unit, best: LatestRow | None
) -> ThresholdMove | None:
    """Return how the thresholds of a machine's facility were moved last; None where never."""
    if best is None:
        return None
    try:
        facts = await service.stages.about(best["bundle_id"])
    except HvacError:  # a bundle that is gone: its predictions stay
        return None
    return facts["thresholds_moved"].get(unit.facility_id)


def _alarm_days(
    history: Sequence[PastRisk],
) -> list[tuple[dt.date, list[tuple[int, float | None]]]]:
    """Return the days with an alarm, newest first, each with (horizon, risk) of its alarms."""
    of_day: dict[int, list[tuple[int, float | None]]] = {}
    for past in history:
        if past.alarm:
            of_day.setdefault(past.end_day, []).append((past.horizon, past.risk))
    return [
        (EPOCH + days(day), alarms)
        for day, alarms in sorted(of_day.items(), reverse=True)
    ]


def _risk_chart(history: Sequence[PastRisk], rows: Rows, words: PageWords) -> Markup:
    """Draw how the risk within the shortest horizon moved; nothing where there is none yet."""
    shortest = min(rows, key=lambda row: row["horizon"], default=None)
    return risk_chart(history, shortest, words) if shortest else Markup("")


class ReasonLine(NamedTuple):
    """A reason in words: the sentence, how much it weighs, and which aspects of its point count."""

    sentence: str
    strength: str
    aspects: str


class ReasonsView(TypedDict):
    """Reasons in words and past cases; `missing` tells why there are none.

    `weeks`: those of each point that raise the risk most (first day, last day, strength); `usual`:
    the usual level of each point. `points`: of the reasons, the strongest first.
    """

    missing: str
    days: NotRequired[int]
    cases: NotRequired[list[str]]
    in_favour: NotRequired[list[ReasonLine]]
    opposed: NotRequired[list[ReasonLine]]
    weeks: NotRequired[dict[str, list[tuple[int, int, str]]]]
    usual: NotRequired[dict[str, UsualLevel]]
    points: NotRequired[list[str]]


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
        return {"missing": translated(service.plain(error), words.language)}
    window = next(
        (row for row in explained if row["point_id"] == shown["point_id"]), None
    )
    if window is None:
        return None
    in_favour: list[ReasonLine] = []
    opposed: list[ReasonLine] = []
    weeks = {}
    details = window["details"].get(shown["horizon"], {})
    for reason in window["reasons"][shown["horizon"]]:
        side = in_favour if reason.log_odds > 0 else opposed
        detail = details.get(reason.player)
        side.append(_reason_text(reason, detail, words))
        if detail and detail.days:
            weeks[reason.player] = _weeks(detail.days)
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
        "weeks": weeks,
        "usual": window["usual"],
        "points": [reason.player for reason in window["reasons"][shown["horizon"]]],
    }


def _reason_text(
    reason: Reason, detail: PointDetail | None, words: PageWords
) -> ReasonLine:
    aspects = main_aspects(detail, reason.log_odds) if detail else []
    return ReasonLine(
        reason_sentence(reason, words.language, words.names),
        strength(reason),
        aspects_words(aspects, words.language),
    )


def _weeks(spans: Sequence[DaySpan]) -> list[tuple[int, int, str]]:
    """Return the weeks that raise the risk by more than a little, by day since 1970-01-01."""
    weeks = []
    for span in spans:
        if span.log_odds >= LEAST_OF_A_WEEK:
            size = "strong" if span.log_odds >= STRONG_WEEK else "clear"
            weeks.append(((span.first - EPOCH).days, (span.last - EPOCH).days, size))
    return weeks


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
    """Return the forecast for the shortest horizon; None where there is none, or no band."""
    known = [row for row in rows if row["forecast"]]
    if not known:
        return None
    row = min(known, key=lambda r: r["horizon"])
    value_D, low_D, high_D = row_forecast(row)
    if not all(map(math.isfinite, (low_D[-1], high_D[-1]))):
        return None
    return {
        "point": row["driving_point"],
        "date": row["end_date"] + days(row["horizon"]),
        "value": value_D[-1],
        "low": low_D[-1],
        "high": high_D[-1],
        "crossing": row["crossing_probability"],
        "beats_last": row.get("forecast_method") != LAST_VALUE,
    }
