"""Which equipment waits to be scored again, and which process has claimed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    DOUBLE_PRECISION,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Select,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from hvac.panel.grid import Unit
from serve.memory.database import SqlValue, execute_many, insert_or
from serve.memory.holder import is_gone, this_process
from serve.memory.store_part import Claim, StorePart
from serve.memory.store_tables import UNITS, WAITING, of_unit, of_units, unit_values

LEASE_S = 60.0
NOBODY: dict[str, Any] = {"at": 0.0, "by": ""}
LEASE = (
    update(WAITING)
    .where(of_unit(WAITING))
    .values(leased=bindparam("at", type_=DOUBLE_PRECISION), holder=bindparam("by"))
)
DONE = delete(WAITING).where(
    of_unit(WAITING), WAITING.c.version <= bindparam("scored_version")
)
HOLDERS = select(WAITING.c.holder).where(WAITING.c.leased > 0).distinct()
OLDEST = (
    select(WAITING.c.facility_id, WAITING.c.equipment_id, WAITING.c.version)
    .order_by(WAITING.c.since)
    .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer at a time
)
WAITS = select(WAITING.c.facility_id, WAITING.c.equipment_id)
COUNT = select(func.count()).select_from(WAITING)
COUNTS = select(WAITING.c.facility_id, func.count()).group_by(WAITING.c.facility_id)


class ClaimStore(StorePart):
    """Equipment that waits to be scored again."""

    def claim_stale(self, limit: int) -> list[Claim]:
        """Return equipment to be scored again, at most `limit`, with its version.

        For a minute nobody else is given it. What a process of this machine held that runs no
        longer is free at once.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        now = time.time()
        with self._database.write() as connection:
            gone = [holder for holder in connection.scalars(HOLDERS) if is_gone(holder)]
            oldest = OLDEST.where(_is_free(now, gone)).limit(limit)
            rows = connection.execute(oldest).all()
            claims = [(Unit(row[0], row[1]), int(row[2])) for row in rows]
            _lease(connection, claims, now)
        return claims

    def claim_units(self, units: Collection[Unit]) -> list[Claim]:
        """Return those of some equipment that wait and that nobody holds, with their versions.

        For a minute nobody else is given it.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        now = time.time()
        with self._database.write() as connection:
            gone = [holder for holder in connection.scalars(HOLDERS) if is_gone(holder)]
            waiting = OLDEST.where(_is_free(now, gone), of_unit(WAITING))
            claims = []
            for unit in sorted(units):
                for row in connection.execute(waiting, unit_values(unit)).all():
                    claims.append((Unit(row[0], row[1]), int(row[2])))
            _lease(connection, claims, now)
        return claims

    def waiting(self, units: Collection[Unit]) -> list[Unit]:
        """Return those of some equipment that still wait to be scored again.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        rows = self._database.rows(WAITS.where(of_units(WAITING, units)))
        waiting = {Unit(*row) for row in rows}
        return [unit for unit in units if unit in waiting]

    def renew(self, claims: Sequence[Claim]) -> None:
        """Hold claims for another minute.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            _lease(connection, claims, time.time())

    def release(self, claims: Sequence[Claim]) -> None:
        """Give back claims that came to nothing, so that the next round may have them at once.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            free(connection, claims)

    def stale_count(self, sees: Callable[[str], bool] | None = None) -> int:
        """Count the equipment that waits to be scored again.

        Args:
            sees: whether a facility's equipment is counted; without it, all is.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        if sees is None:
            return int(self._database.rows(COUNT)[0][0])
        rows = self._database.rows(COUNTS)
        return sum(int(count) for facility, count in rows if sees(facility))


def wait(connection: Connection, units: Sequence[tuple[str, str]]) -> None:
    """Let equipment wait to be scored again, in its present version."""
    now = time.time()
    values: list[dict[str, SqlValue]] = [
        {"now": now, **unit_values(unit)} for unit in units
    ]
    execute_many(connection, _wait_of_unit(connection.dialect), values)


@lru_cache(maxsize=64)
def _wait_of_unit(dialect: Dialect) -> Executable:
    return wait_where(dialect, of_unit(UNITS))


def wait_where(dialect: Dialect, condition: ColumnElement[bool]) -> Executable:
    """Return a statement that lets units of a condition wait, since the time `now`."""
    statement = insert_or(WAITING, dialect)
    statement = statement.from_select(
        WAITING.columns.keys(), _units_now().where(condition)
    )
    newer = {"version": statement.excluded.version, "since": statement.excluded.since}
    return statement.on_conflict_do_update(
        index_elements=list(WAITING.primary_key), set_=newer
    )


def _units_now() -> Select[Any]:
    now = bindparam("now", type_=DOUBLE_PRECISION)
    unit = (UNITS.c.facility_id, UNITS.c.equipment_id, UNITS.c.version)
    return select(*unit, now, literal(0.0, DOUBLE_PRECISION), literal(""))


def done(connection: Connection, claims: Sequence[Claim]) -> None:
    """Let equipment wait no longer, or, where it has changed again, let nobody hold it."""
    values: list[dict[str, SqlValue]] = []
    for unit, version in claims:
        values.append({**unit_values(unit), "scored_version": version})
    execute_many(connection, DONE, values)
    free(connection, claims)


def free(connection: Connection, claims: Sequence[Claim]) -> None:
    """Let nobody hold the equipment of claims."""
    execute_many(
        connection, LEASE, [{**NOBODY, **unit_values(unit)} for unit, _ in claims]
    )


def _lease(connection: Connection, claims: Sequence[Claim], now: float) -> None:
    held: dict[str, SqlValue] = {"at": now, "by": this_process()}
    execute_many(
        connection, LEASE, [{**held, **unit_values(unit)} for unit, _ in claims]
    )


def _is_free(now: float, gone: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that nobody holds a unit.

    A lease from the future is one of a clock that was put back.
    """
    leased = WAITING.c.leased
    return or_(
        leased < now - LEASE_S, leased > now + LEASE_S, WAITING.c.holder.in_(gone)
    )
