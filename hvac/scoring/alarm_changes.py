"""Which equipment is in alarm, and what of that changed between two scorings."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hvac.panel.grid import Unit

NAMED = 5  # pieces of equipment that a sentence names
NEEDS = ("facility_id", "equipment_id", "horizon", "alarm", "needs_look")


def alarmed_units(latest: pa.Table, horizon: int | None = None) -> set[Unit]:
    """Return the equipment with an alarm that is not withheld, at a horizon or at any.

    Args:
        latest: rows of `latest.parquet`; those of earlier versions lack `needs_look`.
        horizon: in days.

    >>> columns = {"facility_id": ["F", "F"], "equipment_id": ["E1", "E2"]}
    >>> rows = {**columns, "horizon": [30, 30], "alarm": [True, True], "needs_look": [None, True]}
    >>> alarmed_units(pa.table(rows))
    {Unit(facility_id='F', equipment_id='E1')}
    """
    is_alarm = pc.fill_null(latest["alarm"], False)
    if "needs_look" in latest.column_names:
        is_withheld = pc.fill_null(latest["needs_look"], False)
        is_alarm = pc.and_(is_alarm, pc.invert(is_withheld))
    if horizon is not None:
        of_horizon = pc.equal(latest["horizon"], horizon)
        is_alarm = pc.and_(is_alarm, of_horizon)
    rows = latest.select(["facility_id", "equipment_id"]).filter(is_alarm)
    return set(map(Unit, *(column.to_pylist() for column in rows.columns)))


class AlarmChanges(NamedTuple):
    """Equipment whose alarm began, and whose alarm ended, sorted."""

    new: tuple[Unit, ...]
    ended: tuple[Unit, ...]

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        if not self.new and not self.ended:
            return "no alarm began or ended"
        return f"{_counted(self.new)} began, {_counted(self.ended)} ended"


def alarm_changes(before: Collection[Unit], after: Collection[Unit]) -> AlarmChanges:
    """Compare the equipment in alarm before and after a scoring.

    >>> e1, e2 = Unit("F", "E1"), Unit("F", "E2")
    >>> alarm_changes({e1}, {e2}).sentence
    '1 alarm (F E2) began, 1 alarm (F E1) ended'
    """
    new = sorted(set(after) - set(before))
    return AlarmChanges(tuple(new), tuple(sorted(set(before) - set(after))))


def _counted(units: tuple[Unit, ...]) -> str:
    many = f"{len(units)} alarm{'' if len(units) == 1 else 's'}"
    if not units:
        return many
    names = ", ".join(" ".join(unit) for unit in units[:NAMED])
    return f"{many} ({names}{', …' if len(units) > NAMED else ''})"
