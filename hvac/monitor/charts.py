"""A chart: from one value per series and period to alerts at a declared rate.

Shapes: P periods (the first are the reference), S series, K columns of the line.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Floats
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.chart_statistics import Statistic, statistic_of
from hvac.monitor.chart_thresholds import chart_threshold, learn, plain_threshold
from hvac.monitor.periods import WEEKS_PER_YEAR
from hvac.monitor.reference import ReferenceLine, against_reference

REARMED: Final = 0.5  # of the threshold: below it a series may alert again


class Alert(NamedTuple):
    """A series crossed the threshold in a period; it had moved since another one, by `size`."""

    series: int
    period: int
    since: int
    statistic: float
    up: bool
    size: float


class Charted(NamedTuple):
    """What a chart found; `threshold` is nan where no series has a reference."""

    chart: Chart
    threshold: float
    statistic: Statistic
    alerts: list[Alert]
    watched_years: float
    series: int


def run_chart(
    chart: Chart,
    value_PS: Floats,
    design_PSK: Floats,
    reference: int,
    *,
    group_S: AnyArray | None = None,
) -> Charted:
    """Standardise, choose the threshold on the reference alone, and find the alerts after it.

    The threshold holds for whole years: it changes once a year, as the watched stretch grows.

    >>> rng = np.random.default_rng(0)
    >>> value_PS = rng.standard_normal((26, 30))
    >>> value_PS[16:, 3] += 4
    >>> chart = Chart("drift", "cusum", 4, 1.0)
    >>> [alert.series for alert in run_chart(chart, value_PS, np.ones((26, 30, 1)), 13).alerts]
    [3]
    """
    fitted = against_reference(
        value_PS,
        design_PSK,
        reference,
        group_S=group_S,
        least_spread=chart.least_spread,
    )
    z_WS = fitted.z_PS[reference:]
    statistic = statistic_of(
        z_WS, chart.kind, two_sided=chart.two_sided, most=chart.most
    )
    per_year = WEEKS_PER_YEAR / chart.every
    watched = max(len(value_PS) - reference, 0)
    series = int(fitted.known_S.sum())
    threshold = _threshold(chart, fitted, design_PSK[:reference], watched)
    alerts = []
    if np.isfinite(threshold):
        alerts = _alerts(statistic, threshold, fitted.error_PS[reference:])
    return Charted(chart, threshold, statistic, alerts, watched / per_year, series)


def _threshold(
    chart: Chart, fitted: ReferenceLine, design_RSK: Floats, watched: int
) -> float:
    if not watched:
        return float("nan")
    rng = np.random.default_rng(chart.seed)
    drawn = learn(fitted, design_RSK, chart.every, rng)
    if drawn is None:
        return float("nan")
    years = int(-(-watched * chart.every // WEEKS_PER_YEAR))
    series = int(fitted.known_S.sum())
    threshold = chart_threshold(
        drawn, design_RSK[:, fitted.known_S], chart, years=years, series=series
    )
    if not chart.least_spread:
        return threshold
    plain = plain_threshold(
        chart,
        reference=len(design_RSK),
        years=years,
        series=series,
        least=fitted.least,
    )
    return max(threshold, plain)


def _alerts(statistic: Statistic, threshold: float, error_WS: Floats) -> list[Alert]:
    """Return each crossing once, until the statistic has fallen to half of the threshold."""
    alerts = []
    for s in np.flatnonzero((statistic.value_PS >= threshold).any(axis=0)).tolist():
        armed = True
        for p, value in enumerate(statistic.value_PS[:, s].tolist()):
            if armed and value >= threshold:
                since = int(statistic.since_PS[p, s])
                size = float(np.nanmean(error_WS[since : p + 1, s]))
                up = bool(statistic.up_PS[p, s])
                alerts.append(Alert(s, p, since, value, up, size))
            armed = value < REARMED * threshold or (armed and value < threshold)
    return sorted(alerts, key=lambda alert: (alert.period, -alert.statistic))
