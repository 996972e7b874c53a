"""Inputs against peers: has a point of a unit left what its peers on the same days lead one to expect.

A unit's weekly mean is set against the weekly mean of its peers' median over the same days by a line
fitted on the unit's own reference (level and gain: machines answer to the same weather unlike). What
moves in common moves the median, and so is no drift of anybody. Three charts share the rate:

- `drift`: a CUSUM over blocks of 4 weeks, half of the rate;
- `jump`: every week by itself, a quarter: a swapped sensor shows in the first whole week;
- `common`: the medians themselves against level and season, a quarter: "all moved (weather?)".

Shapes: P weeks, S series (a point of a unit), G levels (a point of a group of peers).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Floats
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.charts import Charted, run_chart
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import BLOCK, PeriodMeans, blocks, enough_days, of_year

DRIFT_SHARE: Final = 0.5
JUMP_SHARE: Final = 0.25
COMMON_SHARE: Final = 0.25


class InputWeeks(NamedTuple):
    """Weekly means of every series beside its peers, and of every level.

    `kind_S` names what has spreads of one kind: class and point.
    """

    weeks: range
    means: PeriodMeans
    kind_S: AnyArray
    level_PG: Floats


def watch_inputs(
    inputs: InputWeeks, reference: int, config: MonitorConfig
) -> tuple[Charted, Charted, Charted]:
    """Return the charts `drift`, `jump` and `common`.

    Args:
        inputs: weekly means.
        reference: how many of the first weeks are the reference.
        config: declares the rate.

    >>> rng = np.random.default_rng(1)
    >>> level_PS = np.repeat(rng.standard_normal((104, 1)), 40, axis=1)
    >>> value_PS = 3 + 2 * level_PS + rng.standard_normal((104, 40))
    >>> value_PS[60:, 7] += 1.0
    >>> means = PeriodMeans(value_PS, level_PS, np.full((104, 40), 7))
    >>> weeks = InputWeeks(range(104), means, np.zeros(40), level_PS[:, :1])
    >>> drift, jump, common = watch_inputs(weeks, 52, MonitorConfig())
    >>> [alert.series for alert in drift.alerts], len(jump.alerts), len(common.alerts)
    ([7], 0, 0)
    """
    rate, seed = config.alerts_per_year, config.seed
    drift = Chart("drift", "cusum", BLOCK, DRIFT_SHARE * rate, seed=seed)
    jump = Chart("jump", "each", 1, JUMP_SHARE * rate, most=np.inf, seed=seed)
    return (
        _beside_peers(
            drift, blocks(inputs.means, reference), reference // BLOCK, inputs
        ),
        _beside_peers(jump, inputs.means, reference, inputs),
        _in_common(inputs, reference, COMMON_SHARE * rate, seed),
    )


def _beside_peers(
    chart: Chart, means: PeriodMeans, reference: int, inputs: InputWeeks
) -> Charted:
    enough_PS = enough_days(means.days_PN, reference)
    value_PS = np.where(enough_PS, means.value_PN, np.nan)
    design_PSK = np.stack([np.ones_like(means.level_PN), means.level_PN], axis=2)
    return run_chart(chart, value_PS, design_PSK, reference, group_S=inputs.kind_S)


def _in_common(inputs: InputWeeks, reference: int, rate: float, seed: int) -> Charted:
    """Chart the medians against level and season."""
    level_PG = inputs.level_PG
    shape = level_PG.shape
    days_PG = np.where(np.isfinite(level_PG), 7, 0)
    folded = blocks(PeriodMeans(level_PG, level_PG, days_PG), reference)
    weeks = inputs.weeks[reference % BLOCK :]
    season_PK = of_year(weeks, BLOCK)[: len(folded.value_PN)]
    design_PGK = np.repeat(season_PK[:, None], shape[1], axis=1)
    chart = Chart("common", "cusum", BLOCK, rate, seed=seed)
    return run_chart(chart, folded.value_PN, design_PGK, reference // BLOCK)
