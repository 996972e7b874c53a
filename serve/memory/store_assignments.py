"""Which bundle serves whom, notes of the service, and API keys."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, select, true, update

from serve.memory.database import execute_many, insert_or, upsert_rows
from serve.memory.store_claims import wait_where
from serve.memory.store_part import ALL, FLEET, StorePart
from serve.memory.store_tables import API_KEYS, ASSIGNMENTS, NOTES, UNITS

ASSIGNED = select(
    ASSIGNMENTS.c.facility_id, ASSIGNMENTS.c.class_name, ASSIGNMENTS.c.bundle_id
)
NOTE = select(NOTES.c.value).where(NOTES.c.name == bindparam("note"))
KEYS = select(API_KEYS).order_by(API_KEYS.c.name)


class KeyRow(NamedTuple):
    """An API key, of which only the hash is kept; `facility_id` "" opens the whole fleet."""

    hashed: str
    name: str
    facility_id: str
    role: str


class AssignmentStore(StorePart):
    """Assignments of bundles, notes and API keys."""

    def assignments(self) -> dict[tuple[str, str], str]:
        """Return the bundle of every (facility, class); facility "" is the fleet's.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return {(row[0], row[1]): row[2] for row in self._database.rows(ASSIGNED)}

    def assign(self, given: dict[tuple[str, str], str], *, stale: bool = True) -> None:
        """Let bundles serve from now on, by (facility, class).

        With `stale`, the equipment that they serve is scored again.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        now = time.time()
        rows = [(*served, bundle, now) for served, bundle in given.items()]
        with self._database.write() as connection:
            upsert_rows(connection, ASSIGNMENTS, rows)
            for facility, name in given if stale else ():
                served = _is_served(facility, name)
                raised = update(UNITS).where(served).values(version=UNITS.c.version + 1)
                connection.execute(raised)
                connection.execute(wait_where(connection.dialect, served), {"now": now})

    def unassign(self, served: Sequence[tuple[str, str]]) -> None:
        """Let no bundle of their own serve (facility, class) pairs any longer: the fleet's does.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        condition = and_(
            ASSIGNMENTS.c.facility_id == bindparam("facility"),
            ASSIGNMENTS.c.class_name == bindparam("its_class"),
        )
        values = [{"facility": f, "its_class": name} for f, name in served]
        with self._database.write() as connection:
            execute_many(connection, delete(ASSIGNMENTS).where(condition), values)

    def note(self, name: str) -> str | None:
        """Return a remembered word, such as what was loaded; None where there is none.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        rows = self._database.rows(NOTE, {"note": name})
        return str(rows[0][0]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Remember a word by its name, in the place of an earlier one.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            upsert_rows(connection, NOTES, [(name, value)])

    def note_once(self, name: str, value: str) -> str:
        """Remember a word by its name unless there is one, and return the one that is kept.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            insert = insert_or(NOTES, connection.dialect).on_conflict_do_nothing()
            connection.execute(insert, {"name": name, "value": value})
            return str(connection.execute(NOTE, {"note": name}).scalar_one())

    def api_keys(self) -> list[KeyRow]:
        """Return all API keys, hashed, by name.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return [KeyRow(*row) for row in self._database.rows(KEYS)]

    def add_key(self, key: KeyRow) -> None:
        """Keep a key's hash.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            upsert_rows(connection, API_KEYS, [key])

    def drop_keys(self, name: str) -> int:
        """Withdraw all keys of a name, and return how many there were.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            return connection.execute(
                delete(API_KEYS).where(API_KEYS.c.name == name)
            ).rowcount


def serving(
    assigned: Mapping[tuple[str, str], str],
    facility_id: str,
    class_name: str,
) -> str | None:
    """Return the bundle that judges a class in a facility: the facility's own, else the fleet's.

    >>> serving({("", "pump"): "pump-1", ("F2", "pump"): "pump-2"}, "F1", "pump")
    'pump-1'
    """
    keys = (
        (facility_id, class_name),
        (facility_id, ALL),
        (FLEET, class_name),
        (FLEET, ALL),
    )
    return next((assigned[key] for key in keys if key in assigned), None)


def _is_served(facility_id: str, class_name: str) -> ColumnElement[bool]:
    """Return the condition that a unit is of a facility and a class; `FLEET` and `ALL` mean any."""
    conditions: list[ColumnElement[bool]] = [true()]
    if facility_id != FLEET:
        conditions.append(UNITS.c.facility_id == facility_id)
    if class_name != ALL:
        conditions.append(UNITS.c.class_name == class_name)
    return and_(*conditions)
