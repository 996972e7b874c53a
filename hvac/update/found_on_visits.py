"""What people found on visits, laid over the labels of the log.

Repairs after alarms must not teach a model that its alarms are false, nor that they are always right:

- A visit that found a fault is an onset on its day: the log may never hold it, as it was mended first.
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

from hvac.arrays import Bools, Ints
from hvac.casework.outcome_codes import Outcome

UNDECIDED: Final = ("inspected", "not_applicable", "unknown")


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


def _days(outcomes: Sequence[Outcome], codes: Sequence[str]) -> Ints:
    """Return the days of outcomes of some codes, in order."""
    return np.array(
        sorted(outcome.day for outcome in outcomes if outcome.code in codes), np.int64
    )
