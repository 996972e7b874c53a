"""Alarms steered to a declared rate, by a small step a month in log-odds.

The rate that is steered is that of alarm episodes per unit-year, counted over the last months: an
alarm is known on the day it is given, so no label is waited for. The step is the whole of the
difference in log-odds that would have given the declared rate, cut to 0.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
from scipy.special import expit, logit

from hvac.arrays import AnyArray, Floats, Ints
from hvac.days import DAYS_PER_YEAR
from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.decision.decision import Decision

LARGEST_STEP: Final = 0.1  # log-odds a month
# of the declared rate: closer than this nothing moves, or noise would move it
NEAR: Final = 0.1
LEAST_DAYS: Final = 28  # scored, or a rate is that of a few days
STEPS: Final = np.linspace(0, LARGEST_STEP, 21)[1:]
Why = Literal["too_many", "too_few", "as_declared", "frozen", "no_scores"]


class Step(NamedTuple):
    """A move of a threshold in log-odds, and why; rates are alarm episodes per unit-year."""

    shift: float
    why: Why
    rate_before: float
    rate_after: float
    declared: float


def moved_decision(
    decision: Decision, facility: str, shift_H: Sequence[float]
) -> Decision:
    """Return a decision whose thresholds of one facility are moved in log-odds, one per horizon."""
    deciding = decision.facilities.get(facility, replace(decision, facilities={}))
    thresholds = tuple(
        threshold._replace(value=moved(threshold.value, shift))
        for threshold, shift in zip(deciding.thresholds, shift_H, strict=True)
    )
    changed = replace(deciding, thresholds=thresholds)
    return replace(decision, facilities={**decision.facilities, facility: changed})


def moved(threshold: float, shift: float) -> float:
    """Return a threshold moved in log-odds; one of 0 or 1 stays.

    >>> round(moved(0.5, 0.1), 4), moved(1.0, 0.1)
    (0.525, 1.0)
    """
    if not 0 < threshold < 1:
        return threshold
    return float(expit(logit(threshold) + shift))


def next_step(
    log_odds_N: Floats,
    threshold_log_odds: float,
    *,
    unit_N: AnyArray,
    end_day_N: Ints,
    horizon: int,
    declared: float,
    frozen: bool = False,
    days: int = 90,
) -> Step:
    """Choose how far a threshold moves this month.

    Args:
        log_odds_N: of the risks that were given at one horizon, of the units of a facility.
        threshold_log_odds: of the threshold as it is.
        unit_N: of each row.
        end_day_N: of each row.
        horizon: in days.
        declared: alarm episodes that a unit may have in a year.
        frozen: whether a monitor alerts, or labels are missing: then nothing moves.
        days: newest days that are counted.
    """
    if not len(end_day_N) or np.ptp(end_day_N) < LEAST_DAYS:
        return Step(0.0, "no_scores", np.nan, np.nan, declared)
    newest = end_day_N > end_day_N.max() - days
    counted = (log_odds_N[newest], unit_N[newest], end_day_N[newest])
    before = _rate(*counted, threshold_log_odds, horizon=horizon)
    if frozen:
        return Step(0.0, "frozen", before, before, declared)
    if abs(before - declared) <= NEAR * declared:
        return Step(0.0, "as_declared", before, before, declared)
    way = 1 if before > declared else -1
    rate_of = partial(_rate, *counted, horizon=horizon)
    shift, rate = _towards(declared, before, way, threshold_log_odds, rate_of)
    why: Why = "too_many" if way > 0 else "too_few"
    return Step(
        round(shift, 6), why if shift else "as_declared", before, rate, declared
    )


def _towards(
    declared: float,
    before: float,
    way: int,
    threshold: float,
    rate_of: Callable[[float], float],
) -> tuple[float, float]:
    """Return the first step one way that gives the declared rate, or the last, and its rate.

    A step the other way may give fewer episodes, as several become one, but no fewer alarms.
    """
    shift, rate = 0.0, before
    for tried in (way * STEPS).tolist():
        tried_rate = rate_of(threshold + tried)
        if way * (tried_rate - declared) <= 0:
            is_nearer = abs(tried_rate - declared) < abs(rate - declared)
            return (tried, tried_rate) if is_nearer else (shift, rate)
        if tried_rate != rate:  # of equal rates the smallest step
            shift, rate = tried, tried_rate
    return way * LARGEST_STEP, rate


def _rate(
    log_odds_N: Floats,
    unit_N: AnyArray,
    end_day_N: Ints,
    threshold: float,
    *,
    horizon: int,
) -> float:
    """Return alarm episodes per unit-year."""
    episodes = alarm_episodes(
        log_odds_N >= threshold,
        units_B=unit_N,
        end_day_B=end_day_N,
        gap_days=merge_gap(horizon),
    )
    span = int(end_day_N.max() - end_day_N.min()) + 1
    years = len(np.unique(unit_N)) * span / DAYS_PER_YEAR
    return len(episodes.unit_A) / years
