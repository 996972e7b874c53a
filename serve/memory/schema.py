"""The tables of the store: made where there are none, brought up to date where they are older, else
refused.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from hvac.errors import ConfigError
from serve.memory.database import Database, Run

TABLES = Path(__file__).with_name("store.sql")
NUMBER = 2
NOTE = "schema"
FROM_1 = (  # `stale` told changes apart by the clock, `waiting` does by the version of the unit
    (
        "INSERT INTO waiting SELECT s.facility_id, s.equipment_id, u.version, s.since, 0, '' FROM"
        " stale s JOIN units u ON u.facility_id = s.facility_id AND u.equipment_id = s.equipment_id"
    ),
    "DROP TABLE stale",
    "DELETE FROM notes WHERE substr(name, 1, 9) = 'unscored '",
)


def make_tables(database: Database, name: str) -> None:
    """Make or update the tables in one transaction; `name` is what the store is called in errors.

    Raises:
        ConfigError: the store holds tables of a newer schema, or of something else.
    """
    with database.transaction() as run:
        if database.is_postgres:
            run(
                "SELECT pg_advisory_xact_lock(7401)"
            )  # two replicas must not create the tables at once
        before = _tables(run, postgres=database.is_postgres)
        number = _number(run, before)
        if number not in (0, 1, NUMBER):
            raise ConfigError(
                f"{name} has schema {number}, and this version reads {NUMBER}: "
                "use the version that wrote it, or another store"
            )
        for statement in _statements():
            run(statement)
        for statement in FROM_1 if number == 1 else ():
            run(statement)
        _check_columns(run, name)
        if number != NUMBER:
            run("DELETE FROM notes WHERE name = ?", (NOTE,))
            run("INSERT INTO notes VALUES (?, ?)", (NOTE, str(NUMBER)))


def _statements() -> list[str]:
    text = TABLES.read_text(encoding="utf-8")
    return [statement for statement in text.split(";") if statement.strip()]


def _tables(run: Run, *, postgres: bool) -> set[str]:
    if postgres:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    else:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return {str(row[0]) for row in run(sql).fetchall()}


def _number(run: Run, tables: set[str]) -> int | str:
    """Return the schema's number: 0 for an empty store, 1 where it has none (`stale` tells it),
    "unknown" else.
    """
    if not tables & set(_columns()):
        return 0
    if "notes" not in tables or _names(run, "notes") != _columns()["notes"]:
        return "unknown"
    row = run("SELECT value FROM notes WHERE name = ?", (NOTE,)).fetchone()
    if row is None:
        return 1 if {"stale", "units"} <= tables else "unknown"
    return int(row[0]) if str(row[0]).isascii() and str(row[0]).isdigit() else "unknown"


@cache
def _columns() -> dict[str, list[str]]:
    """Return the columns of every table, as the statements make them."""
    with sqlite3.connect(":memory:") as empty:
        empty.executescript(TABLES.read_text(encoding="utf-8"))
        tables = [
            row[0] for row in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            table: [row[0] for row in empty.execute(f"SELECT * FROM {table}").description]
            for table in tables
        }


def _names(run: Run, table: str) -> list[str]:
    return [column[0] for column in run(f"SELECT * FROM {table} LIMIT 0").description]


def _check_columns(run: Run, name: str) -> None:
    for table, expected in _columns().items():
        found = _names(run, table)
        if found != expected:
            raise ConfigError(
                f"{name}: expected a table {table} of {', '.join(expected)}, found"
                f" {', '.join(found)}: it was not written by this service; use another store"
            )
