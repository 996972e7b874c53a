"""What the store keeps of equipment: its register, readings and events."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, Dialect, Executable, case, func, select, update

from hvac.panel.grid import Unit
from hvac.readings.gate import CANONICAL
from serve.memory.database import Row, SqlValue, execute_many, insert_or, upsert_rows
from serve.memory.store_claims import wait
from serve.memory.store_part import StorePart
from serve.memory.store_records import carry_records
from serve.memory.store_tables import (
    EVENTS,
    NOTES,
    READINGS,
    UNITS,
    of_unit,
    unit_values,
)

READING = tuple(READINGS.columns.keys())
EVENT = tuple(EVENTS.columns.keys())
PUSHED = "pushed "  # notes that begin so name equipment
ALL_UNITS = select(UNITS).order_by(UNITS.c.facility_id, UNITS.c.equipment_id)
ONE_UNIT = select(UNITS).where(of_unit(UNITS))
FACILITIES = select(UNITS.c.facility_id).distinct()
VERSIONS = select(UNITS.c.facility_id, UNITS.c.equipment_id, UNITS.c.version)
NEXT_VERSION = update(UNITS).where(of_unit(UNITS)).values(version=UNITS.c.version + 1)
READINGS_OF_UNIT = select(*list(READINGS.columns)[2:]).where(of_unit(READINGS))
EVENTS_OF_UNIT = select(EVENTS).where(of_unit(EVENTS)).order_by(EVENTS.c.start_day)
PUSHED_NOTES = select(NOTES.c.name).where(NOTES.c.name.startswith(PUSHED))


class UnitRow(NamedTuple):
    """One piece of equipment as stored; `version` rises with every change of its record."""

    facility_id: str
    equipment_id: str
    class_name: str
    install_day: int | None
    version: int


class UnitStore(StorePart):
    """Equipment with its readings and events."""

    def units(self, facility_id: str | None = None) -> list[UnitRow]:
        """Return all equipment, or that of one facility, by id.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        statement = ALL_UNITS
        if facility_id:
            statement = statement.where(UNITS.c.facility_id == facility_id)
        return [UnitRow(*row) for row in self._database.rows(statement)]

    def facilities(self) -> set[str]:
        """Return the ids of all facilities.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return {row[0] for row in self._database.rows(FACILITIES)}

    def unit(self, unit: Unit) -> UnitRow | None:
        """Return one piece of equipment, None where it is not known.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        rows = self._database.rows(ONE_UNIT, unit_values(unit))
        return UnitRow(*rows[0]) if rows else None

    def versions(self) -> dict[tuple[str, str], int]:
        """Return the version of every record.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return {(row[0], row[1]): int(row[2]) for row in self._database.rows(VERSIONS)}

    def add(
        self,
        *,
        units: Iterable[tuple[str, str, str, int | None]] = (),
        readings: Sequence[Sequence[SqlValue]] = (),
        events: Sequence[Sequence[SqlValue]] = (),
        stale: bool = True,
    ) -> None:
        """Upsert in one transaction, and raise the version of the equipment touched.

        Args:
            units: (facility, equipment, class, installation day or None); an empty class keeps what
                is stored, and so does no installation day.
            readings: rows of `READING`.
            events: rows of `EVENT`.
            stale: mark the equipment touched as changed here, to be scored again.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        rows = _rows_of_units(units, (*readings, *events))
        with self._database.write() as connection:
            _upsert_units(connection, rows)
            upsert_rows(connection, READINGS, readings)
            read = {(row[0], row[1]) for row in readings}
            same = {(row[0], row[1]) for row in rows} - read
            carry_records(connection, [(str(f), str(e)) for f, e in same])
            upsert_rows(
                connection, EVENTS, [(*row[:5], row[5] or "") for row in events]
            )
            if stale:
                wait(connection, [row[:2] for row in rows])
                upsert_rows(
                    connection, NOTES, [(_pushed(*row[:2]), "") for row in rows]
                )

    def load_readings(self, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Upsert rows of `READING` of known equipment, and raise the version of its record.

        The equipment is not marked to be scored again.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        units = sorted({(str(row[0]), str(row[1])) for row in rows})
        with self._database.write() as connection:
            execute_many(
                connection, NEXT_VERSION, [unit_values(unit) for unit in units]
            )
            upsert_rows(connection, READINGS, rows)

    def pushed(self) -> set[tuple[str, str]]:
        """Return equipment whose record was ever changed here.

        The files of the batch jobs may lack some of it.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        names = [
            row[0].removeprefix(PUSHED) for row in self._database.rows(PUSHED_NOTES)
        ]
        return {tuple(json.loads(name)) for name in names}

    def mark_stale(self, units: Collection[tuple[str, str]]) -> None:
        """Let equipment be scored again.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        with self._database.write() as connection:
            execute_many(
                connection, NEXT_VERSION, [unit_values(unit) for unit in sorted(units)]
            )
            carry_records(connection, units)
            wait(connection, sorted(units))

    def readings(self, unit: Unit) -> pa.Table:
        """Return the whole record of one piece of equipment as CANONICAL readings.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        rows = self._database.rows(READINGS_OF_UNIT, unit_values(unit))
        return canonical(
            unit, list(zip(*rows, strict=True)) if rows else [[] for _ in READING[2:]]
        )

    def events(self, unit: Unit) -> list[Row]:
        """Return the events of one piece of equipment, oldest first, as rows of `EVENT`.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return self._database.rows(EVENTS_OF_UNIT, unit_values(unit))


def canonical(unit: Unit, columns: Sequence[Sequence[SqlValue]]) -> pa.Table:
    """Return CANONICAL readings of one unit from the columns of `READING` after its ids."""
    point, day, value, lower, upper, known = columns
    same = [pa.repeat(pa.scalar(name, pa.string()), len(point)) for name in unit]
    dates = [pa.array(days, pa.int32()).view(pa.date32()) for days in (day, known)]
    numbers = [pa.array(column, pa.float64()) for column in (value, lower, upper)]
    no_time = pa.nulls(len(point), pa.int32())  # a day has one value here
    points = pa.array(point, pa.string())
    arrays = [*same, points, dates[0], *numbers, dates[1], no_time]
    return pa.table(arrays, schema=CANONICAL)


def reading_rows(table: pa.Table) -> list[Row]:
    """Return rows of `READING` from CANONICAL readings."""
    days = {name: table[name].cast(pa.int32()) for name in ("date", "known_at")}
    columns = [
        table[name].to_pylist() for name in ("facility_id", "equipment_id", "point_id")
    ]
    columns += [days["date"].to_pylist()]
    columns += [
        table[name].to_pylist() for name in ("value", "lower_limit", "upper_limit")
    ]
    return list(zip(*columns, days["known_at"].to_pylist(), strict=True))


def _rows_of_units(
    units: Iterable[Row], others: Iterable[Sequence[SqlValue]]
) -> list[Row]:
    """Return a row for each unit that is given, or that other rows are of."""
    given = {(row[0], row[1]): row for row in units}
    touched = {(row[0], row[1]) for row in others}
    return [given.get(unit, (*unit, "", None)) for unit in sorted(touched | set(given))]


def _upsert_units(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert units with version 1, or raise the version of those that are there."""
    names = UNITS.columns.keys()
    values = [dict(zip(names, (*row, 1), strict=True)) for row in rows]
    execute_many(connection, _upsert_of_units(connection.dialect), values)


@lru_cache(maxsize=64)
def _upsert_of_units(dialect: Dialect) -> Executable:
    statement = insert_or(UNITS, dialect)
    given = statement.excluded
    newer = {
        "class_name": case(
            (given.class_name == "", UNITS.c.class_name), else_=given.class_name
        ),
        "install_day": func.coalesce(given.install_day, UNITS.c.install_day),
        "version": UNITS.c.version + 1,
    }
    return statement.on_conflict_do_update(
        index_elements=list(UNITS.primary_key), set_=newer
    )


def _pushed(facility_id: str, equipment_id: str) -> str:
    return PUSHED + json.dumps([facility_id, equipment_id])
