"""What is known of a machine that a monitor alerts about: an event, a fault found on a visit, its own alarm.

A machine that fails moves its own readings. Such an alert is right, but it says nothing of the fleet
or the model, and comes as often as failures do: it is told with what is known, and counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from hvac.arrays import AnyInts
from hvac.monitor.alerts import AlertRow
from hvac.monitor.periods import WEEK

Cause = Literal["event", "visit", "alarm"]
FAULTS: Final[tuple[Cause, ...]] = ("event", "visit")
"""Causes that say for certain that the machine had a fault."""
Machine = tuple[str, str]  # facility and equipment
BEFORE: Final = WEEK  # an event may have moved readings before the week of the alert


class MachineDays(NamedTuple):
    """Days since 1970-01-01 on which a machine's events began, it was in alarm, visits found faults."""

    onset_N: AnyInts
    alarm_N: AnyInts
    hit_N: AnyInts


def machine_of(row: AlertRow) -> Machine | None:
    """Return the machine that an alert is about; None where it is about more than one."""
    facility = row.subject.get("facility_id")
    equipment = row.subject.get("equipment_id")
    return (facility, equipment) if facility and equipment and row.alert else None


def with_cause(
    row: AlertRow, known: Mapping[Machine, MachineDays], horizon: int
) -> AlertRow:
    """Return an alert with what is known of its machine; others stay as they are.

    An event, or a fault that a visit found, counts from a week before the readings moved until a
    horizon after the alert, an alarm while they moved and in the week after.

    >>> row = AlertRow("inputs", "jump", {"facility_id": "F1", "equipment_id": "E1"}, 106, 100,
    ...                9.0, 5.0, True, {})
    >>> no_days = np.zeros(0, int)
    >>> days = {("F1", "E1"): MachineDays(np.array([150]), np.array([104]), no_days)}
    >>> with_cause(row, days, 90)[-2:], with_cause(row, days, 30)[-2:]
    (('event', 150), ('alarm', 104))
    """
    machine = machine_of(row)
    days = known.get(machine) if machine else None
    if days is None:
        return row
    spans: tuple[tuple[Cause, AnyInts, int, int], ...] = (
        ("event", days.onset_N, row.since - BEFORE, row.day + horizon),
        ("visit", days.hit_N, row.since - BEFORE, row.day + horizon),
        ("alarm", days.alarm_N, row.since, row.day + WEEK),
    )
    for cause, day_N, first, last in spans:
        inside_N = day_N[(day_N >= first) & (day_N <= last)]
        if len(inside_N):
            return row._replace(cause=cause, cause_day=int(np.min(inside_N)))
    return row
