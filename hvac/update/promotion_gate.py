"""Whether a candidate may take the place of the model that serves: no harm in three respects."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.days import DAYS_PER_YEAR
from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.evaluation.bootstrap import Difference
from hvac.evaluation.metrics import ece
from hvac.update.bends import risks
from hvac.update.ladder import Climb, less_loss
from hvac.update.matured import Matured

# calibration errors closer than this are equal: noise alone makes more
ECE_SLACK: Final = 0.005
# and rates of false alarms closer than this share of the serving model's
FALSE_ALARM_SLACK: Final = 0.05


class GateFacts(NamedTuple):
    """Figures of the candidate (`after`) and of what serves (`before`); a mean over horizons.

    `less_loss` above 0 is better; false alarm episodes are per unit-year. `refused` says in a
    sentence why it may not be promoted, "" where it may.
    """

    less_loss: Difference
    ece_before: float
    ece_after: float
    false_alarms_before: float
    false_alarms_after: float
    refused: str


def check_gate(climb: Climb, *, budget: float, seed: int = 1) -> GateFacts:
    """Compare the winner of a climb with what serves, on the rows both were scored on.

    Args:
        climb: the ladder's scores.
        budget: false alarm episodes that a unit may have in a year.
        seed: of the draws of units; other ones than the ladder's.
    """
    rows = climb.rows
    before_N, after_N = climb.log_odds["none"], climb.log_odds[climb.winner]
    less = less_loss(rows, before_N, after_N, seed=seed)
    errors = [mean_ece(rows, log_odds_N) for log_odds_N in (before_N, after_N)]
    alarms = rows.alarm_N, climb.alarms[climb.winner]
    false = [false_episode_rate(rows, alarm_N) for alarm_N in alarms]
    refused = _refusal(less, errors, false, budget) or _refused_by_log(climb, seed)
    return GateFacts(
        less,
        ece_before=errors[0],
        ece_after=errors[1],
        false_alarms_before=false[0],
        false_alarms_after=false[1],
        refused=refused,
    )


def _refusal(
    less: Difference, errors: list[float], false: list[float], budget: float
) -> str:
    if less.verdict != "better":
        return (
            "its log-loss is not surely lower:"
            f" {less.value:+.4f} [{less.low:+.4f}, {less.high:+.4f}]"
        )
    if errors[1] > errors[0] + ECE_SLACK:
        return f"its calibration error is {errors[1]:.3f}, that of the serving model {errors[0]:.3f}"
    if false[1] > max((1 + FALSE_ALARM_SLACK) * false[0], budget):
        return (
            f"it gives {false[1]:.2f} false alarms a unit-year, the serving model {false[0]:.2f}"
            f" (budget {budget:g})"
        )
    return ""


def _refused_by_log(climb: Climb, seed: int) -> str:
    """Refuse a winner that is surely worse where no alarm brought a visit, on the labels of the log.

    So findings that are not true cannot move the risks of machines that nobody visited.
    """
    found_N = climb.rows.found_N
    calm_N = ~climb.rows.alarm_N
    if not found_N.any() or not calm_N.any():
        return ""
    calm = climb.rows.where(calm_N)
    calm = calm._replace(onset_N=calm.onset_N & ~calm.found_N).weighed_again()
    before_N, after_N = climb.log_odds["none"], climb.log_odds[climb.winner]
    less = less_loss(calm, before_N[calm_N], after_N[calm_N], seed=seed)
    if less.verdict != "worse":
        return ""
    return (
        f"{int(found_N.sum())} labels are onsets that only visits found, and on windows without an"
        f" alarm its log-loss is surely higher: {-less.value:+.4f} [{-less.high:+.4f},"
        f" {-less.low:+.4f}]"
    )


def mean_ece(rows: Matured, log_odds_N: Floats) -> float:
    """Return the calibration error, averaged over horizons."""
    errors = []
    for horizon in np.unique(rows.horizon_N):
        rows_N = rows.horizon_N == horizon
        risk_N = risks(log_odds_N[rows_N])
        errors.append(ece(risk_N, rows.onset_N[rows_N], rows.weight_N[rows_N]))
    return float(np.mean(errors))


def false_episode_rate(rows: Matured, alarm_N: Bools) -> float:
    """Return alarm episodes without an onset, per unit and year, averaged over horizons."""
    rates = []
    for horizon in np.unique(rows.horizon_N).tolist():
        rows_N = rows.horizon_N == horizon
        part = rows.where(rows_N)
        years = part.weight_N.sum() * horizon / DAYS_PER_YEAR
        count = _false_episodes(part, alarm_N[rows_N], horizon)
        rates.append(count / years if years else 0.0)
    return float(np.mean(rates))


def _false_episodes(rows: Matured, alarm_N: Bools, horizon: int) -> int:
    """Count the alarm episodes of which no window's label is 1."""
    gap = merge_gap(horizon)
    episodes = alarm_episodes(
        alarm_N, units_B=rows.unit_N, end_day_B=rows.end_day_N, gap_days=gap
    )
    hits: dict[str, list[int]] = {}
    hit_N = alarm_N & rows.onset_N
    for unit, day in zip(
        rows.unit_N[hit_N].tolist(), rows.end_day_N[hit_N].tolist(), strict=True
    ):
        hits.setdefault(unit, []).append(day)
    return sum(
        not any(first <= day <= last for day in hits.get(unit, ()))
        for unit, first, last in zip(
            episodes.unit_A.tolist(),
            episodes.first_A.tolist(),
            episodes.last_A.tolist(),
            strict=True,
        )
    )
