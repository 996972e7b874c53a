"""A challenger that speaks in some facilities first: which these are, and what decides about the others.

Shapes: N rows of pairs (`hvac.update.shadow.paired_rows`), a row a window and horizon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import binomtest

from hvac.days import DAYS_PER_YEAR
from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.errors import InputError

SURELY: Final = 0.01  # how likely so many alarms would be by luck


def chosen_facilities(
    facilities: Collection[str], share: float, seed: int
) -> tuple[str, ...]:
    """Return a share of facilities, the same for a seed: at least one, never all.

    Raises:
        InputError: there are fewer than two.

    >>> chosen_facilities([f"F{n}" for n in range(10)], 0.2, 0)
    ('F1', 'F6')
    """
    if len(facilities) < 2:
        raise InputError(
            f"update.canary_share: {share:g}: the challenger's classes are in one facility only, so"
            " that it cannot serve in some of several: set update.canary_share=1"
        )
    count = min(max(1, round(share * len(facilities))), len(facilities) - 1)
    turn = sorted(facilities, key=lambda name: _turn(name, seed))
    return tuple(sorted(turn[:count]))


def _turn(facility: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{facility}".encode()).hexdigest()


class AlarmRates(NamedTuple):
    """Alarm episodes a machine at the shortest horizon, by champion and challenger on the same windows."""

    machines: int
    champion: float
    challenger: float


def alarm_rates(pairs: pa.Table) -> AlarmRates:
    """Count alarm episodes of champion and challenger on windows that both have scored."""
    both = pairs.filter(
        pc.and_(pc.is_valid(pairs["alarm"]), pc.is_valid(pairs["challenger_alarm"]))
    )
    if not len(both):
        return AlarmRates(0, 0.0, 0.0)
    horizon = pc.min(both["horizon"]).as_py()
    rows = both.filter(pc.equal(both["horizon"], horizon))
    ids = [pc.fill_null(rows[name], "") for name in ("facility_id", "equipment_id")]
    unit_N = np.array(pc.binary_join_element_wise(*ids, "\t").to_pylist(), np.str_)
    day_N = rows["end_date"].cast(pa.date32()).cast(pa.int32()).to_numpy()
    machines = len(np.unique(unit_N))
    rates = []
    for name in ("alarm", "challenger_alarm"):
        alarm_N = np.asarray(rows[name].to_numpy(), bool)
        episodes = alarm_episodes(
            alarm_N, units_B=unit_N, end_day_B=day_N, gap_days=merge_gap(horizon)
        )
        rates.append(len(episodes.first_A) / machines)
    return AlarmRates(machines, *rates)


class Verdict(NamedTuple):
    """Whether a challenger may serve everywhere, None where it cannot be told yet; by what, and why."""

    widen: bool | None
    why: str


def by_alarms(
    rates: AlarmRates,
    *,
    more: float,
    budget: float,
    days: int,
    reason: str = "too few labels have matured",
) -> Verdict:
    """Decide by alarms: as many as the champion's and a share more, or as many as the budget allows.

    Args:
        rates: of the facilities in which the challenger speaks.
        more: share by which alarms may rise.
        budget: false alarm episodes a machine and year.
        days: for which it spoke.
        reason: why alarms decide.

    >>> by_alarms(AlarmRates(50, 0.4, 0.6), more=0.25, budget=1.0, days=28).widen
    False
    """
    if not rates.machines:
        return Verdict(None, "no window was scored by both yet: run ray_jobs.daily")
    most = max((1 + more) * rates.champion, budget * days / DAYS_PER_YEAR)
    figures = (
        f"decided by alarms, as {reason}: {rates.challenger:.3f} a machine,"
        f" the champion {rates.champion:.3f} on the same windows (at most {most:.3f})"
    )
    return Verdict(rates.challenger <= most, figures)


def surely_more(rates: AlarmRates, *, more: float) -> bool:
    """Tell whether a challenger's alarms surely exceed the champion's and a share more (binomial test).

    >>> surely_more(AlarmRates(10, 0.4, 0.9), more=0.25)
    False
    >>> surely_more(AlarmRates(100, 0.4, 0.9), more=0.25)
    True
    """
    given = round(rates.challenger * rates.machines)
    both = given + round(rates.champion * rates.machines)
    if not both:
        return False
    share = (1 + more) / (2 + more)
    test = binomtest(given, both, share, alternative="greater")
    return bool(test.pvalue < SURELY)
