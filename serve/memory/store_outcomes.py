"""Outcomes of visits, and days on which machines are in maintenance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, select

from hvac.casework.outcome_codes import Outcome, OutcomeCode
from hvac.panel.grid import Unit
from serve.memory.database import upsert_rows
from serve.memory.store_part import StorePart
from serve.memory.store_tables import MAINTENANCE, OUTCOMES, of_unit, unit_values

OF_UNIT = select(OUTCOMES).where(of_unit(OUTCOMES)).order_by(OUTCOMES.c.day)
OF_ALL = select(OUTCOMES).order_by(OUTCOMES.c.day, *OUTCOMES.primary_key)
WHOLE_FACILITY = ""  # the equipment of a maintenance window that holds for all
WINDOWS = select(MAINTENANCE).order_by(
    MAINTENANCE.c.first_day, *MAINTENANCE.primary_key
)
ON_DAY = WINDOWS.where(
    and_(
        MAINTENANCE.c.first_day <= bindparam("on_day"),
        MAINTENANCE.c.last_day >= bindparam("on_day"),
    )
)


class OutcomeRow(NamedTuple):
    """An outcome as stored; the same person's of the same day replaces it."""

    facility_id: str
    equipment_id: str
    day: int
    who: str
    code: OutcomeCode
    note: str
    case_id: str | None
    since: float
    key_name: str

    @property
    def outcome(self) -> Outcome:
        """Return it as the rules of episodes read it."""
        unit = Unit(self.facility_id, self.equipment_id)
        return Outcome(unit, self.day, self.code, self.who, self.note)


class MaintenanceRow(NamedTuple):
    """Days on which a machine, or with equipment "" a facility, opens no case and tells no alarm."""

    facility_id: str
    equipment_id: str
    first_day: int
    last_day: int
    reason: str
    key_name: str

    def covers(self, unit: Unit) -> bool:
        """Tell whether it holds for a machine."""
        return self.facility_id == unit.facility_id and self.equipment_id in (
            WHOLE_FACILITY,
            unit.equipment_id,
        )


class OutcomeStore(StorePart):
    """Outcomes and maintenance windows."""

    def add_outcomes(
        self, outcomes: Sequence[tuple[Outcome, str | None]], key_name: str
    ) -> None:
        """Keep outcomes with their case; sending one twice is the same as once.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        now = time.time()
        rows = [
            (*one.unit, one.day, one.who, one.code, one.note, case_id, now, key_name)
            for one, case_id in outcomes
        ]
        with self._database.write() as connection:
            upsert_rows(connection, OUTCOMES, rows)

    def outcomes(
        self, unit: Unit | None = None, facility_id: str | None = None
    ) -> list[OutcomeRow]:
        """Return the outcomes of a machine, a facility, or all, the oldest first. Raise StoreError."""
        if unit is not None:
            rows = self._database.rows(OF_UNIT, unit_values(unit))
        elif facility_id is not None:
            of_facility = OF_ALL.where(OUTCOMES.c.facility_id == facility_id)
            rows = self._database.rows(of_facility)
        else:
            rows = self._database.rows(OF_ALL)
        return [OutcomeRow(*row) for row in rows]

    def add_maintenance(self, row: MaintenanceRow) -> None:
        """Keep a maintenance window; one that begins on the same day replaces it. Raise StoreError."""
        with self._database.write() as connection:
            upsert_rows(connection, MAINTENANCE, [row])

    def drop_maintenance(self, unit: Unit, first_day: int) -> bool:
        """Forget a maintenance window; False where there is none. Raise StoreError."""
        condition = and_(of_unit(MAINTENANCE), MAINTENANCE.c.first_day == first_day)
        with self._database.write() as connection:
            statement = delete(MAINTENANCE).where(condition)
            return connection.execute(statement, unit_values(unit)).rowcount == 1

    def maintenance(
        self, *, facility_id: str | None = None, on_day: int | None = None
    ) -> list[MaintenanceRow]:
        """Return maintenance windows, of a day or all, the earliest first. Raise StoreError."""
        query, values = (
            (WINDOWS, None) if on_day is None else (ON_DAY, {"on_day": on_day})
        )
        if facility_id is not None:
            query = query.where(MAINTENANCE.c.facility_id == facility_id)
        return [MaintenanceRow(*row) for row in self._database.rows(query, values)]
