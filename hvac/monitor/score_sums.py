"""Scores: do the machines of a class stand in alarm, and at risk, as often as the season lets expect.

Two series per class: the share of its machines in alarm at any horizon (by the arc sine of its root,
which gives shares of all sizes the same spread: Anscombe 1948, Biometrika 35), and the mean log-odds
of all its risks. Blocks of 4 weeks are set against level and season (one wave a year) of the class's
own reference, so that a summer is no alert. The reference must hold scores that no model was fitted on.

Shapes: P weeks, S series (two per class, shares first), N rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.charts import Charted, run_chart
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import BLOCK, PeriodMeans, blocks, enough_days, of_year

SURE: Final = 1e-4  # no risk is nearer to 0 or 1 in a mean of log-odds


SumsByClass = Mapping[str, Floats]


class ScoreWeeks(NamedTuple):
    """Share in alarm and mean log-odds of every class by week, and how many scores these are."""

    weeks: range
    classes: list[str]
    value_PS: Floats
    count_PS: Ints


def score_sums(
    class_N: AnyArray, week_N: Ints, alarm_N: Bools, log_odds_N: Floats, weeks: range
) -> SumsByClass:
    """Add up scores by class and week: alarms, log-odds and their number [P, 3].

    Args:
        class_N: class of each score.
        week_N: its week.
        alarm_N: whether it is an alarm at any horizon.
        log_odds_N: the mean log-odds of its risks.
        weeks: of the result.

    >>> sums = score_sums(np.array(["ahu", "ahu"]), np.array([5, 5]), np.array([True, False]),
    ...                   np.array([0.5, 0.0]), range(5, 7))
    >>> sums["ahu"].tolist()
    [[1.0, 0.5, 2.0], [0.0, 0.0, 0.0]]
    """
    inside_N = (week_N >= weeks.start) & (week_N < weeks.stop)
    sums: dict[str, Floats] = {}
    for name in np.unique(class_N[inside_N]).tolist():
        of_class_N = inside_N & (class_N == name)
        place_N = week_N[of_class_N] - weeks.start
        columns = (alarm_N[of_class_N], log_odds_N[of_class_N], np.ones(len(place_N)))
        sum_P3 = [np.bincount(place_N, part, len(weeks)) for part in columns]
        sums[str(name)] = np.stack(sum_P3, axis=1).astype(np.float64)
    return sums


def score_weeks(parts: Iterable[SumsByClass], weeks: range) -> ScoreWeeks:
    """Return means by class and week of sums from several places.

    >>> sums = {"ahu": np.array([[1.0, 0.5, 2.0], [0.0, 0.0, 0.0]])}
    >>> score_weeks([sums, sums], range(5, 7)).value_PS.tolist()
    [[0.5, 0.25], [nan, nan]]
    """
    total: dict[str, Floats] = {}
    for sums in parts:
        for name, sum_P3 in sums.items():
            total[name] = total.get(name, 0.0) + sum_P3
    classes = sorted(total)
    sum_CP3 = np.array([total[name] for name in classes])
    sum_CP3 = sum_CP3.reshape(len(classes), len(weeks), 3)
    count_PC = sum_CP3[..., 2].T
    known_PC = np.where(count_PC > 0, count_PC, np.nan)
    value_PS = np.hstack([sum_CP3[..., 0].T / known_PC, sum_CP3[..., 1].T / known_PC])
    return ScoreWeeks(weeks, classes, value_PS, np.tile(count_PC.astype(np.int64), 2))


def bounded_log_odds(risk_N: Floats) -> Floats:
    """Return the log-odds of risks, at most those of 0.9999.

    >>> bounded_log_odds(np.array([0.5, 0.0])).round(2).tolist()
    [0.0, -9.21]
    """
    sure_N = np.clip(risk_N, SURE, 1 - SURE)
    return np.asarray(np.log(sure_N / (1 - sure_N)))


def watch_scores(scores: ScoreWeeks, reference: int, config: MonitorConfig) -> Charted:
    """Chart blocks of 4 weeks against level and season of the reference.

    >>> rng = np.random.default_rng(0)
    >>> season_P1 = 0.3 + 0.2 * of_year(range(117))[:, 1:2]
    >>> value_PS = np.hstack([season_P1, season_P1 - 1]) + rng.normal(0, 0.01, (117, 2))
    >>> value_PS[80:, 1] += 0.2
    >>> scores = ScoreWeeks(range(117), ["ahu"], value_PS, np.full((117, 2), 40))
    >>> [alert.series for alert in watch_scores(scores, 65, MonitorConfig()).alerts]
    [1]
    """
    means = PeriodMeans(scores.value_PS, scores.value_PS, scores.count_PS)
    folded = blocks(means, reference)
    classes = len(scores.classes)
    value_PS = np.where(
        enough_days(folded.days_PN, reference // BLOCK), folded.value_PN, np.nan
    )
    value_PS[:, :classes] = np.arcsin(np.sqrt(np.clip(value_PS[:, :classes], 0, 1)))
    season_PK = of_year(scores.weeks[reference % BLOCK :], BLOCK)[: len(value_PS)]
    design_PSK = np.repeat(season_PK[:, None], value_PS.shape[1], axis=1)
    chart = Chart("scores", "cusum", BLOCK, config.alerts_per_year, seed=config.seed)
    return run_chart(
        chart,
        value_PS,
        design_PSK,
        reference // BLOCK,
        group_S=np.arange(2 * classes) // max(classes, 1),
    )
