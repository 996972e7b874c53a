"""From what charts and bets found to rows of the table of alerts.

Shapes: P weeks, S series, F facilities, K kinds of odd data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import Ints
from hvac.json_values import Json
from hvac.monitor.alerts import AlertRow
from hvac.monitor.bets import Betting
from hvac.monitor.charts import Alert, Charted
from hvac.monitor.data import KINDS
from hvac.monitor.periods import BLOCK, first_day_of
from hvac.monitor.score_sums import ScoreWeeks

Parts = Mapping[str, Json]
PartsOf = Callable[[Alert], Parts]


class Watch(NamedTuple):
    """The weeks that were looked at, and how many of the first are the reference."""

    weeks: range
    reference: int

    @property
    def first(self) -> int:
        """Return the first week that is watched."""
        return self.weeks.start + self.reference


def chart_rows(
    monitor: str,
    found: Charted,
    first_week: int,
    subjects: Sequence[Mapping[str, str]],
    parts_of: PartsOf | None = None,
    kind: str = "",
) -> list[AlertRow]:
    """Return the rows of a chart: its alerts, or the series that is nearest to one.

    Args:
        monitor: the monitor's name.
        found: the chart with what it found.
        first_week: the first week that was watched.
        subjects: what every series is about.
        parts_of: words of an alert's sentence, beside size and way.
        kind: of the rows; default: the chart's name.
    """
    every, rows = found.chart.every, []
    for alert in found.alerts or _nearest(found):
        parts: dict[str, Json] = {
            "size": abs(alert.size),
            "way": "up" if alert.up else "down",
        }
        if found.alerts and parts_of is not None:
            parts |= parts_of(alert)
        row = AlertRow(
            monitor,
            kind or found.chart.name,
            subjects[alert.series],
            first_day_of(first_week + (alert.period + 1) * every) - 1,
            first_day_of(first_week + alert.since * every),
            alert.statistic,
            found.threshold,
            bool(found.alerts),
            parts,
        )
        rows.append(row)
    return rows


def _nearest(found: Charted) -> list[Alert]:
    """Return the series whose newest statistic is highest as if it were an alert; [] without."""
    value_PS = found.statistic.value_PS
    if not value_PS.size or math.isnan(found.threshold):
        return []
    period, s = len(value_PS) - 1, int(value_PS[-1].argmax())
    since = min(int(found.statistic.since_PS[-1, s]), period)
    up = bool(found.statistic.up_PS[-1, s])
    return [Alert(s, period, since, float(value_PS[-1, s]), up, 0.0)]


def input_rows(
    charts: Sequence[Charted],
    watch: Watch,
    subjects: Sequence[Mapping[str, str]],
    groups: Sequence[Mapping[str, str]],
) -> list[AlertRow]:
    """Return the rows of `watch_inputs`.

    Args:
        charts: its charts.
        watch: the weeks.
        subjects: facility, equipment, class and point of each series.
        groups: facility, class and point of each level.
    """
    rows = []
    for charted in charts:
        of_chart = groups if charted.chart.name == "common" else subjects
        rows += chart_rows("inputs", charted, watch.first, of_chart)
    return rows


def data_rows(
    charts: Sequence[Charted],
    watch: Watch,
    facilities: Sequence[str],
    odd_PFK: Ints,
    points_F: Sequence[int],
) -> list[AlertRow]:
    """Return the rows of `watch_data`; what single weeks told, their sum does not tell again."""
    rows = list[AlertRow]()
    subjects = [{"facility_id": name} for name in facilities]
    for charted in charts:
        k = KINDS.index(charted.chart.name.partition("_")[0])

        def parts_of(alert: Alert, k: int = k) -> Parts:
            odd_P = odd_PFK[:, alert.series, k]
            return {
                "count": int(odd_P[watch.reference + alert.period]),
                "usual": round(float(odd_P[: watch.reference].mean()), 3),
                "points": int(points_F[alert.series]),
            }

        new = chart_rows("data", charted, watch.first, subjects, parts_of, KINDS[k])
        rows += [
            row for row in new if not any(_is_same(row, earlier) for earlier in rows)
        ]
    return rows


def _is_same(row: AlertRow, told: AlertRow) -> bool:
    """Tell whether both are alerts of one kind and facility, of weeks in common."""
    both = row.alert and told.alert
    about = (row.kind, row.subject) == (told.kind, told.subject)
    return both and about and row.since <= told.day and told.since <= row.day


def score_rows(found: Charted, watch: Watch, scores: ScoreWeeks) -> list[AlertRow]:
    """Return the rows of `watch_scores`: shares in per cent, or log-odds, beside the expected."""
    classes = len(scores.classes)
    subjects = [{"class": name} for name in scores.classes * 2]

    def parts_of(alert: Alert) -> Parts:
        first = watch.reference + alert.since * BLOCK
        last = watch.reference + (alert.period + 1) * BLOCK
        now = float(np.nanmean(scores.value_PS[first:last, alert.series]))
        if alert.series >= classes:
            return {"now": round(now, 3), "usual": round(now - alert.size, 3)}
        angle = math.asin(math.sqrt(now)) - alert.size
        usual = math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2
        return {"now": round(100 * now, 2), "usual": round(100 * usual, 2)}

    rows = []
    for row, alert in zip(
        chart_rows("scores", found, watch.first, subjects, parts_of),
        found.alerts or _nearest(found),
        strict=True,
    ):
        kind = "share" if alert.series < classes else "log_odds"
        rows.append(row._replace(kind=kind))
    return rows


def betting_rows(found: Betting, horizon: int) -> list[AlertRow]:
    """Return the alerts of one horizon's bets, or where its wealth stands.

    >>> [row.alert for row in betting_rows(Betting(0, np.array([0.5]), 39.0, []), 30)]
    [False]
    """
    rows = []
    for alert in found.alerts:
        parts = {
            "observed": alert.observed,
            "expected": round(alert.expected, 2),
        }
        rows.append(
            AlertRow(
                "calibration",
                "too_many" if alert.too_many else "too_few",
                {},
                first_day_of(alert.week + 1) - 1,
                first_day_of(alert.since),
                alert.wealth,
                found.threshold,
                True,
                parts,
                horizon,
            )
        )
    if not rows and len(found.wealth_W):
        week = found.first_week + len(found.wealth_W)
        rows.append(
            AlertRow(
                "calibration",
                "too_many",
                {},
                first_day_of(week) - 1,
                first_day_of(found.first_week),
                float(found.wealth_W[-1]),
                found.threshold,
                False,
                {},
                horizon,
            )
        )
    return rows
