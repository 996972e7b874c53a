"""The charts of one piece of equipment: a point's readings, limits, events, forecast, and weeks that
count.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TypedDict

from markupsafe import Markup

from hvac.days import EPOCH
from hvac.scoring.forecast_methods import LAST_VALUE
from hvac.scoring.latest_rows import LatestRow
from hvac.words import short_number
from serve.graph.rows import Rows
from serve.http.chart import Drawing, Week, draw_chart
from serve.http.page_words import PageWords
from serve.memory.store_tables import EventRow


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
    weeks: Mapping[str, Sequence[Week]],
) -> list[tuple[str, Markup]]:
    """Return (point, SVG) of every point; `weeks` are those that raise the risk most."""
    charts = []
    for point, rows_of in readings.items():
        svg = _chart(point, rows_of, rows, events, words, weeks.get(point, ()))
        charts.append((point, Markup(svg)))
    return charts


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
            weeks=weeks,
        )
    )
