"""The charts of one piece of equipment: a point's readings, limits, events, forecast, and weeks that
count.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from markupsafe import Markup

from hvac.days import EPOCH
from hvac.scoring.forecast_methods import LAST_VALUE
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.usual_levels import UsualLevel
from hvac.words import short_number
from serve.graph.rows import Rows
from serve.http.chart import Drawing, Week, draw_chart
from serve.http.page_words import PageWords
from serve.memory.store_predictions import PastRisk
from serve.memory.store_tables import EventRow

if TYPE_CHECKING:
    from serve.http.equipment_view import ReasonsView


class PointReading(TypedDict):
    """A reading of the store with its limits."""

    date: dt.date
    value: float
    lower_limit: float | None
    upper_limit: float | None


def equipment_charts(
    readings: Mapping[str, list[PointReading]],
    rows: Rows,
    events: Sequence[EventRow],
    words: PageWords,
    why: ReasonsView | None,
) -> list[tuple[str, Markup]]:
    """Return (point, SVG) of every point, with what `why` tells of weeks and usual levels.

    Points with a reason come first, the strongest before the others.
    """
    weeks = why.get("weeks", {}) if why else {}
    usual = why.get("usual", {}) if why else {}
    first = why.get("points", []) if why else []
    order = sorted(
        readings, key=lambda point: first.index(point) if point in first else len(first)
    )
    charts = []
    for point in order:
        rows_of = readings[point]
        known = _known_lines(usual.get(point))
        svg = _chart(point, rows_of, rows, events, words, weeks.get(point, ()), known)
        charts.append((point, Markup(svg)))
    return charts


class _KnownLines(NamedTuple):
    """The usual range (day, low, high) and the peers' median (day, value) of a point."""

    usual: list[tuple[int, float, float]]
    peers: list[tuple[int, float]]


def _known_lines(level: UsualLevel | None) -> _KnownLines:
    """Return a point's usual range and its peers' median, on the days on which they are known."""
    lines = _KnownLines([], [])
    if level is not None:
        columns = zip(level.low_L, level.high_L, level.peers_L, strict=True)
        for day, (low, high, peers) in enumerate(columns, level.first_day):
            if math.isfinite(low) and math.isfinite(high):
                lines.usual.append((day, low, high))
            if math.isfinite(peers):
                lines.peers.append((day, peers))
    return lines


def risk_chart(past: Sequence[PastRisk], row: LatestRow, words: PageWords) -> Markup:
    """Draw how the risk within a row's horizon moved, in per cent, with its threshold."""
    shown = (row["horizon"], row["point_id"] or "")
    measured = [
        (one.end_day, 100 * one.risk)
        for one in past
        if (one.horizon, one.point_id) == shown and one.risk is not None
    ]
    if len(measured) < 2:
        return Markup("")
    title = words(
        "chart.risk_alt",
        days=row["horizon"],
        first=round(measured[0][1]),
        last=round(measured[-1][1]),
        start=EPOCH + dt.timedelta(days=measured[0][0]),
        end=EPOCH + dt.timedelta(days=measured[-1][0]),
    )
    cut = [(measured[0][0], 100 * min(row["threshold"], 1.0))]
    return Markup(draw_chart(Drawing(title=title, measured=measured, upper=cut)))


def row_forecast(row: LatestRow) -> tuple[list[float], list[float], list[float]]:
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
    weeks: Sequence[Week],
    known: _KnownLines,
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
        value_D, low_D, high_D = row_forecast(row)
        if row.get("forecast_method") != LAST_VALUE:
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
            date=EPOCH + dt.timedelta(days=forecast[-1][0]),
        )
    marks = [
        (e[3], words.name("kind", e[2])) for e in events if e[5] in (None, "", point)
    ]
    return draw_chart(
        Drawing(
            title=title,
            measured=measured,
            lower=lower,
            upper=upper,
            forecast=forecast,
            band=band,
            events=marks,
            weeks=weeks,
            usual=known.usual,
            peers=known.peers,
        )
    )
