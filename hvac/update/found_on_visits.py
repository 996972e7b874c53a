"""What people found on visits, laid over the labels of the log.

Repairs after alarms must not teach a model that its alarms are false, nor that they are always right:

- A visit that found a fault is an onset on its day: the log may never hold it, as it was mended first.
  One soon after an onset of the log found that fault, and is no other.
- A window in alarm whose machine was visited within the horizon, with no finding that decides
  (inspected, unknown, not applicable), counts neither way, whatever came after: nobody knows what
  would have come without the visit.
- "Nothing found" changes no label: what the log holds decides.

Shapes: N windows of one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyInts, Bools, Ints
from hvac.casework.outcome_codes import Outcome

UNDECIDED: Final = ("inspected", "not_applicable", "unknown")
SAME_FAULT_DAYS: Final = 14  # from an onset of the log to the visit that found it


class FoundLabels(NamedTuple):
    """Labels with what people found; `found_N` are onsets that only they know, and windows
    `left_out_N` count neither way.
    """

    onset_N: Bools
    found_N: Bools
    left_out_N: Bools


def with_findings(
    *,
    end_day_N: Ints,
    horizon_N: Ints,
    alarm_N: Bools,
    onset_N: Bools,
    outcomes: Sequence[Outcome],
) -> FoundLabels:
    """Lay the outcomes of a machine over the labels of its windows.

    >>> from hvac.panel.grid import Unit
    >>> unit, days = Unit("F", "E"), np.array([0, 10, 40])
    >>> told = [Outcome(unit, 15, "hit"), Outcome(unit, 45, "inspected")]
    >>> found = with_findings(
    ...     end_day_N=days, horizon_N=np.full(3, 30), alarm_N=np.array([False, True, True]),
    ...     onset_N=np.zeros(3, bool), outcomes=told)
    >>> found.found_N.tolist(), found.left_out_N.tolist()
    ([True, True, False], [False, False, True])
    """
    until_N = end_day_N + horizon_N
    hit_D = _days(outcomes, ("hit",))
    visit_D = _days(outcomes, (*UNDECIDED, "hit"))  # a hit on the window's last day
    hit_N = np.searchsorted(hit_D, until_N, "right") > np.searchsorted(
        hit_D, end_day_N, "right"
    )
    visited_N = np.searchsorted(visit_D, until_N, "right") > np.searchsorted(
        visit_D, end_day_N, "left"
    )
    return FoundLabels(
        onset_N=onset_N | hit_N,
        found_N=hit_N & ~onset_N,
        left_out_N=alarm_N & visited_N & ~hit_N,
    )


def beyond_log(outcomes: Sequence[Outcome], onset_day_E: AnyInts) -> list[Outcome]:
    """Return the outcomes of a machine without hits that tell of an onset of the log.

    Args:
        outcomes: of the machine.
        onset_day_E: days on which events of the log began, since 1970-01-01.

    >>> from hvac.panel.grid import Unit
    >>> told = [Outcome(Unit("F", "E"), day, "hit") for day in (9, 12, 30)]
    >>> [outcome.day for outcome in beyond_log(told, np.array([10]))]
    [9, 30]
    """
    days = np.asarray(onset_day_E)

    def is_of_log(outcome: Outcome) -> bool:
        since_E = outcome.day - days
        return bool(((since_E >= 0) & (since_E <= SAME_FAULT_DAYS)).any())

    return [one for one in outcomes if one.code != "hit" or not is_of_log(one)]


def _days(outcomes: Sequence[Outcome], codes: Sequence[str]) -> Ints:
    """Return the days of outcomes of some codes, in order."""
    return np.array(
        sorted(outcome.day for outcome in outcomes if outcome.code in codes), np.int64
    )
