"""How the risk of each machine moved, and which alarms are new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from hvac.panel.grid import Unit
from serve.memory.store_predictions import PastRisk

TREND_DAYS = 90


class Trend(NamedTuple):
    """The risk within the shortest horizon by day, oldest first, and whether an alarm is new.

    An alarm is new where there was none when the machine was scored the day before that, or last.
    `since` is that day; None where it was never scored before.
    """

    days: tuple[tuple[int, float], ...]
    new: bool
    since: int | None


def trends(past: Iterable[PastRisk]) -> dict[Unit, Trend]:
    """Return the trend of every unit; of several points, the highest risk counts.

    >>> unit = Unit("F1", "E1")
    >>> rows = [PastRisk(unit, 1, "", 30, 0.2, False), PastRisk(unit, 8, "", 30, 0.6, True)]
    >>> trends(rows)[unit]
    Trend(days=((1, 0.2), (8, 0.6)), new=True, since=1)
    """
    of_unit: dict[Unit, list[PastRisk]] = defaultdict(list)
    for row in past:
        of_unit[row.unit].append(row)
    return {unit: _trend(rows) for unit, rows in of_unit.items()}


def _trend(rows: list[PastRisk]) -> Trend:
    shortest = min(row.horizon for row in rows)
    risk_of_day: dict[int, float] = {}
    alarm_of_day: dict[int, bool] = {}
    for row in rows:
        alarm_of_day[row.end_day] = alarm_of_day.get(row.end_day, False) or row.alarm
        if row.horizon == shortest and row.risk is not None:
            risk_of_day[row.end_day] = max(row.risk, risk_of_day.get(row.end_day, 0.0))
    days = sorted(alarm_of_day)
    before = days[-2] if len(days) > 1 else None
    new = before is not None and alarm_of_day[days[-1]] and not alarm_of_day[before]
    return Trend(tuple(sorted(risk_of_day.items())), new, before)
