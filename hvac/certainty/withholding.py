"""When an alarm is withheld: "needs a look" in place of a yes that is not sure enough.

An alarm is kept where enough of the band's draws alarm too. How many is chosen so that the false
alarms that are kept stay within a budget, at 90 % confidence with units as the samples, tested from
the strictest rule down (learn then test, Angelopoulos et al. 2021). The promise holds if the future
resembles the calibration period.

Legend: B windows, H horizons, D draws, U units.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes 0.4 s to import, in every process

from hvac.arrays import AnyInts, Bools, Floats, Ints, Strings
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.alarm_episodes import (
    alarm_episodes,
    infer_stride,
    merge_gap,
    unit_years,
)

SHARES: Final = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.0)
LEAST_UNITS: Final = 5


class Rule(NamedTuple):
    """Keep an alarm where at least this share of the draws alarm; `promised` at each horizon.

    Silence is not trusted where fewer than `least_similar` machines looked alike.
    """

    share_H: Floats
    promised_H: Bools
    least_similar: int


class UnitAlarms(NamedTuple):
    """False alarm episodes and observed years of every unit."""

    false_U: Floats
    years_U: Floats


def kept(alarm_BH: Bools, drawn_alarm_BH: Floats, rule: Rule) -> Bools:
    """Tell which alarms are kept; the others are withheld. A kept one is kept at longer horizons.

    Args:
        alarm_BH: the alarms.
        drawn_alarm_BH: the share of the draws that alarm.
        rule: as chosen.
    """
    kept_BH = alarm_BH & (drawn_alarm_BH >= rule.share_H)
    return np.asarray(np.logical_or.accumulate(kept_BH, axis=1))


def false_alarms(
    alarm_B: Bools, y_B: Bools, *, units_B: Strings, end_day_B: AnyInts, horizon: int
) -> UnitAlarms:
    """Count every unit's false alarm episodes: those of which no window was followed by an event."""
    units, unit_B = np.unique(units_B, return_inverse=True)
    episodes = alarm_episodes(
        alarm_B, units_B=unit_B, end_day_B=end_day_B, gap_days=merge_gap(horizon)
    )
    first_key_A = _key(episodes.unit_A, episodes.first_A)
    window_key = _key(unit_B[alarm_B], end_day_B[alarm_B])
    episode = np.searchsorted(first_key_A, window_key, side="right") - 1
    true_A = np.zeros(len(first_key_A), dtype=bool)
    np.logical_or.at(true_A, episode, y_B[alarm_B])
    false_U = np.bincount(episodes.unit_A[~true_A], minlength=len(units)).astype(
        np.float64
    )
    stride = infer_stride(units_B, end_day_B)
    years_U = np.array([unit_years(count, stride) for count in np.bincount(unit_B)])
    return UnitAlarms(false_U, years_U)


def _key(unit: AnyInts, day: AnyInts) -> Ints:
    """Return one number per unit and day, sorted as unit, then day."""
    return np.asarray(unit, dtype=np.int64) * 2**32 + np.asarray(day, dtype=np.int64)


def within_budget(alarms: UnitAlarms, budget: float, confidence: float) -> bool:
    """Tell whether the rate of false alarms lies within a budget, by a one-sided t-test over units.

    One unit more is taken to be like the worst that was seen, as in conformal risk control: counts
    are skewed, and the thresholds were chosen on the same units.

    >>> few = UnitAlarms(np.array([0.0, 0, 1, 0] * 5), np.ones(20))
    >>> within_budget(few, 1.0, 0.9), within_budget(few, 0.2, 0.9)
    (True, False)
    """
    seen_U = alarms.false_U - budget * alarms.years_U
    if len(seen_U) < LEAST_UNITS:
        return False
    over_U = np.append(seen_U, seen_U.max())
    units = len(over_U)
    spread = float(over_U.std(ddof=1)) / np.sqrt(units)
    return bool(over_U.mean() + stdtrit(units - 1, confidence) * spread <= 0)


def choose_share(
    alarm_B: Bools,
    drawn_alarm_B: Floats,
    y_B: Bools,
    *,
    units_B: Strings,
    end_day_B: AnyInts,
    horizon: int,
    config: AbstainConfig,
) -> tuple[float, bool]:
    """Choose the share of draws that must alarm, for one horizon, and tell what can be promised.

    The rules are tested from the strictest down, until one does not pass; the last that passed is
    taken, if it withholds few enough windows. Where none passes nothing is promised, and no alarm
    is withheld for the sake of a promise.
    """
    chosen, promised = 0.0, False
    for share in SHARES:
        kept_B = alarm_B & (drawn_alarm_B >= share)
        alarms = false_alarms(
            kept_B, y_B, units_B=units_B, end_day_B=end_day_B, horizon=horizon
        )
        if not within_budget(
            alarms, config.false_alarms_per_unit_year, config.confidence
        ):
            break
        withheld = float((alarm_B & ~kept_B).mean())
        if withheld <= config.most:
            chosen, promised = share, True
    return chosen, promised
