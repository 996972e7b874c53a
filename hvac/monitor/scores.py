"""Scores: do the machines of a class stand in alarm, and at risk, as often as the season lets expect.

Two series per class: the share of its machines in alarm at any horizon (by the arc sine of its root,
which gives shares of all sizes the same spread: Anscombe 1948, Biometrika 35), and the mean log-odds
of all its risks. Blocks of 4 weeks are set against level and season (one wave a year) of the class's
own reference, so that a summer is no alert. The reference must hold scores that no model was fitted on.

Shapes: P weeks, S series (two per class, shares first), N rows.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.monitor.charts import Chart, Charted, run_chart
from hvac.monitor.periods import BLOCK, PeriodMeans, blocks, enough_days, of_year
from hvac.monitor.settings import MonitorConfig

SURE: Final = 1e-4  # no risk is nearer to 0 or 1 in a mean of log-odds


class ScoreWeeks(NamedTuple):
    """Share in alarm and mean log-odds of every class by week, and how many scores these are."""

    weeks: range
    classes: list[str]
    value_PS: Floats
    count_PS: Ints


def score_weeks(
    class_N: AnyArray, week_N: Ints, alarm_N: Bools, risk_N: Floats, weeks: range
) -> ScoreWeeks:
    """Take means of scores by class and week.

    Args:
        class_N: class of each score.
        week_N: its week.
        alarm_N: whether it is an alarm at any horizon.
        risk_N: its risk, or the mean of its risks in log-odds as a risk.
        weeks: of the result.

    >>> found = score_weeks(np.array(["ahu", "ahu"]), np.array([5, 5]), np.array([True, False]),
    ...                     np.array([0.5, 0.5]), range(5, 7))
    >>> found.value_PS.tolist(), found.count_PS.tolist()
    ([[0.5, 0.0], [nan, nan]], [[2, 2], [0, 0]])
    """
    classes, code_N = np.unique(class_N, return_inverse=True)
    inside_N = (week_N >= weeks.start) & (week_N < weeks.stop)
    shape = (len(weeks), len(classes))
    place = (week_N[inside_N] - weeks.start, code_N[inside_N])
    sure_N = np.clip(risk_N[inside_N], SURE, 1 - SURE)
    parts = []
    for value_N in (alarm_N[inside_N], np.log(sure_N / (1 - sure_N)), np.ones(1)):
        sum_PC = np.zeros(shape)
        np.add.at(sum_PC, place, value_N)
        parts.append(sum_PC)
    count_PC = parts[2].astype(np.int64)
    known_PC = np.where(count_PC > 0, count_PC, np.nan)
    value_PS = np.concatenate([parts[0] / known_PC, parts[1] / known_PC], axis=1)
    return ScoreWeeks(weeks, classes.tolist(), value_PS, np.tile(count_PC, 2))


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
