"""The schema version of a store: made, raised where it is older, refused where it is unknown."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, func, inspect, select, table
from sqlalchemy.engine.interfaces import ReflectedColumn

from hvac.errors import ConfigError
from serve.memory.database import Database
from serve.memory.store_tables import METADATA, NOTES, VERSION_TABLE

MIGRATIONS = Path(__file__).with_name("migrations")
EMPTY = "0"
UNKNOWN = "unknown"
BEFORE_ALEMBIC = (EMPTY, "1", "2")  # what the first migration makes or takes over
REVISIONS = select(table(VERSION_TABLE, column("version_num")).c.version_num)
NUMBER_NOTE = select(NOTES.c.value).where(NOTES.c.name == "schema")
ONE_AT_A_TIME = select(
    func.pg_advisory_xact_lock(7401)
)  # replicas on several nodes start together
ALEMBIC_LOCK = threading.Lock()  # Alembic keeps its state in variables of the module


def migrate(database: Database, name: str) -> None:
    """Bring a store to the newest schema in one transaction; errors call it `name`.

    Raises:
        StoreError: the database cannot be reached or written.
        ConfigError: the store has a newer schema, or holds tables of something else.
    """
    with database.write() as connection:
        if database.is_postgres:
            connection.execute(ONE_AT_A_TIME)
        _upgrade(connection, name)
        _check_columns(connection, name)


def _upgrade(connection: Connection, name: str) -> None:
    """Run the migrations that the store has not had yet."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    is_versioned = inspect(connection).has_table(VERSION_TABLE)
    number = _number(connection) if is_versioned else _number_before_alembic(connection)
    known = _revisions(script) if is_versioned else BEFORE_ALEMBIC
    newest = script.get_current_head()
    if number not in known:
        reason = f"has schema {number}, and this version reads {newest}"
        raise ConfigError(
            f"{name} {reason}: use the version that wrote it, or another store"
        )
    if not is_versioned or number != newest:
        with ALEMBIC_LOCK:
            command.upgrade(config, "head")


def _revisions(script: ScriptDirectory) -> list[str]:
    return [migration.revision for migration in script.walk_revisions()]


def _number(connection: Connection) -> str:
    """Return the version that Alembic has noted in the store."""
    return " and ".join(connection.scalars(REVISIONS)) or UNKNOWN


def _number_before_alembic(connection: Connection) -> str:
    """Return the number in the notes, "1" for a store with `stale` and none, else "unknown"."""
    tables = set(inspect(connection).get_table_names())
    if not tables & set(METADATA.tables):
        return EMPTY
    if NOTES.name not in tables:
        return UNKNOWN
    if _names(inspect(connection).get_columns(NOTES.name)) != _expected(NOTES.name):
        return UNKNOWN
    number = connection.scalar(NUMBER_NOTE)
    if number is None:
        return "1" if {"stale", "units"} <= tables else UNKNOWN
    text = str(number)
    return text if text.isascii() and text.isdigit() else UNKNOWN


def _check_columns(connection: Connection, name: str) -> None:
    """Refuse a store with a table that has other columns than this version reads and writes."""
    tables = inspect(connection).get_multi_columns(filter_names=list(METADATA.tables))
    columns = {key[1]: _names(reflected) for key, reflected in tables.items()}
    for table_name in METADATA.tables:
        expected = _expected(table_name)
        there = columns.get(table_name, set())
        if there != expected:
            raise ConfigError(
                f"{name}: expected a table {table_name} of {', '.join(sorted(expected))}, "
                f"found {', '.join(sorted(there))}: it was not written by this service; "
                "use another store"
            )


def _names(columns: list[ReflectedColumn]) -> set[str]:
    return {reflected["name"] for reflected in columns}


def _expected(table_name: str) -> set[str]:
    return {expected.name for expected in METADATA.tables[table_name].columns}
