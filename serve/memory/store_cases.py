"""Cases with their changes: one open case a machine; whoever comes second with a change is told.

Every change is a row of its own, written in one transaction with the case, so that a kill loses
none.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import DOUBLE_PRECISION, bindparam, delete, func, select, update

from hvac.casework.case_states import OPEN_STATES, STATES, CaseState
from hvac.errors import HvacError
from hvac.panel.grid import Unit
from serve.memory.database import Row, SqlValue, insert_new, insert_rows
from serve.memory.store_part import StorePart
from serve.memory.store_tables import (
    CASE_CHANGES,
    CASES,
    EPISODES,
    IS_OPEN,
    of_unit,
    unit_values,
)

SOFTWARE = "software"  # who changes a case by a rule
NEWEST_FIRST = (CASES.c.opened.desc(), CASES.c.case_id)
BY_ID = select(CASES).where(CASES.c.case_id == bindparam("its_case"))
CHANGES = (
    select(CASE_CHANGES)
    .where(CASE_CHANGES.c.case_id == bindparam("its_case"))
    .order_by(CASE_CHANGES.c.version)
)
COUNTS = select(CASES.c.state, func.count()).where(IS_OPEN).group_by(CASES.c.state)
UNTOLD = delete(EPISODES).where(of_unit(EPISODES))
UNTOLD_SINCE = UNTOLD.where(
    EPISODES.c.since < bindparam("before", type_=DOUBLE_PRECISION)
)
DAY_S = 86_400


class CaseConflictError(HvacError):
    """Somebody else changed the case meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "somebody else changed this case meanwhile: look at it again, then send your change"
            " with its new version"
        )


class CaseFacts(BaseModel):
    """What was known of a machine when its case was opened; risks are by horizon (days).

    `alarms` are the horizons with a sure alarm; `reasons` are as `plain_reason` makes them.
    """

    model_config = ConfigDict(frozen=True)
    point: str | None
    risks: dict[int, float]
    thresholds: dict[int, float]
    alarms: tuple[int, ...]
    reasons: tuple[dict[str, Any], ...]


class CaseRow(NamedTuple):
    """A case as stored; days since 1970-01-01, `opened` in seconds since 1970 (UTC).

    `alarm_day` is the last day of the window whose alarm opened it; `closed_day` is None while it
    is open; `version` rises with every change; `body` holds what was known when it was opened.
    """

    case_id: str
    facility_id: str
    equipment_id: str
    opened: float
    alarm_day: int
    state: CaseState
    assignee: str
    due_day: int | None
    snooze_day: int | None
    snooze_reason: str
    closed_day: int | None
    version: int
    body: str

    @property
    def unit(self) -> Unit:
        """Return the machine that it is about."""
        return Unit(self.facility_id, self.equipment_id)

    @property
    def facts(self) -> CaseFacts:
        """Return what was known when it was opened."""
        return CaseFacts.model_validate_json(self.body)

    @property
    def is_open(self) -> bool:
        """Tell whether it is not closed yet."""
        return self.state in OPEN_STATES

    def was_open_on(self, day: int) -> bool:
        """Tell whether it was open on a day: from its alarm until it was closed."""
        is_before = self.closed_day is None or day <= self.closed_day
        return self.alarm_day <= day and is_before

    def sleeps(self, day: int) -> bool:
        """Tell whether it is snoozed on a day."""
        return self.snooze_day is not None and day <= self.snooze_day

    def is_quiet(self, day: int) -> bool:
        """Tell whether its machine's alarms are told to nobody on a day: planned, or snoozed."""
        return self.state == "planned" or self.sleeps(day)


class CaseChange(NamedTuple):
    """One change of a case: by whom, when (seconds since 1970, UTC), and what was before and after."""

    case_id: str
    version: int
    since: float
    who: str
    note: str
    changes: dict[str, list[SqlValue]]


class CaseStore(StorePart):
    """Cases and their changes."""

    def open_case(
        self,
        unit: Unit,
        alarm_day: int,
        facts: CaseFacts,
        *,
        closed_day: int | None = None,
    ) -> str | None:
        """Open a case of a machine and return its id; None where it has an open one.

        Args:
            unit: the machine.
            alarm_day: last day of the window whose alarm opens it.
            facts: what is known of the machine.
            closed_day: of its case before; an alarm that has gone on since then is told as a new one.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        now = time.time()
        case_id = uuid.uuid4().hex
        row = CaseRow(
            case_id, *unit, now, alarm_day, "new", "", None, None, "", None, 1,
            facts.model_dump_json(),
        )  # fmt: skip
        with self._database.write() as connection:
            if not insert_new(connection, CASES, row._asdict()):
                return None
            first = (
                case_id,
                1,
                now,
                SOFTWARE,
                "",
                json.dumps({"state": [None, "new"]}),
            )
            insert_rows(connection, CASE_CHANGES, [first])
            if closed_day is not None:
                until = {"before": (closed_day + 1) * DAY_S}
                connection.execute(UNTOLD_SINCE, {**unit_values(unit), **until})
        return case_id

    def cases(
        self,
        *,
        facility_id: str | None = None,
        unit: Unit | None = None,
        states: Collection[str] = STATES,
    ) -> list[CaseRow]:
        """Return cases, the newest first. Raise StoreError where the database is away."""
        query = select(CASES).where(CASES.c.state.in_(states)).order_by(*NEWEST_FIRST)
        if facility_id is not None:
            query = query.where(CASES.c.facility_id == facility_id)
        if unit is not None:
            query = query.where(
                CASES.c.facility_id == unit.facility_id,
                CASES.c.equipment_id == unit.equipment_id,
            )
        return [CaseRow(*row) for row in self._database.rows(query)]

    def case(self, case_id: str) -> CaseRow | None:
        """Return a case, None where there is none. Raise StoreError."""
        rows = self._database.rows(BY_ID, {"its_case": case_id})
        return CaseRow(*rows[0]) if rows else None

    def case_changes(self, case_id: str) -> list[CaseChange]:
        """Return the changes of a case, the oldest first. Raise StoreError."""
        rows = self._database.rows(CHANGES, {"its_case": case_id})
        return [_change(row) for row in rows]

    def change_case(
        self,
        before: CaseRow,
        values: Mapping[str, SqlValue],
        *,
        who: str,
        note: str = "",
        tell_again: bool = False,
    ) -> CaseRow:
        """Change a case as it was read, and keep who changed what; return it as it is now.

        Args:
            before: the case as it was read.
            values: new values by column; those that are as before are no change.
            who: who changes it.
            note: why.
            tell_again: whether its machine's alarm may be told as a new one.

        Raises:
            CaseConflictError: it was changed since it was read; nothing was changed.
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        old = before._asdict()
        changes = {
            name: [old[name], value]
            for name, value in values.items()
            if value != old[name]
        }
        if not changes and not note:
            return before
        version = before.version + 1
        new: dict[str, Any] = {name: value for name, (_, value) in changes.items()}
        statement = (
            update(CASES)
            .where(CASES.c.case_id == before.case_id, CASES.c.version == before.version)
            .values(**new, version=version)
        )
        row = (
            before.case_id, version, time.time(), who, note,
            json.dumps(changes, ensure_ascii=False),
        )  # fmt: skip
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                raise CaseConflictError
            insert_rows(connection, CASE_CHANGES, [row])
            if tell_again:
                connection.execute(UNTOLD, unit_values(before.unit))
        return before._replace(**new, version=version)

    def case_counts(self) -> dict[str, int]:
        """Count open cases by state. Raise StoreError where the database is away."""
        return {str(row[0]): int(row[1]) for row in self._database.rows(COUNTS)}


def _change(row: Row) -> CaseChange:
    case_id, version, since, who, note, changes = row
    return CaseChange(case_id, version, since, who, note, json.loads(changes))
