"""SQLite in a file, or PostgreSQL, by SQLAlchemy.

Every write is one transaction; a process's threads share a pool of connections.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Executable,
    Insert,
    QueuePool,
    Table,
    create_engine,
    event,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError, StatementError

from hvac.errors import HvacError
from hvac.private import keep_private
from serve.memory.redact import without_secrets

SERVERS = ("postgresql://", "postgres://")
# connections of a process; more are open only while more threads need one
KEPT_OPEN = 5
Row = tuple[Any, ...]
SqlValue = str | int | float | bytes | None
"""A value of a column."""


class StoreError(HvacError):
    """The store cannot take or give data now (full disk, lost server)."""


class Database:
    """A database by its URL: a local file (SQLite) or `postgresql://…`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith(SERVERS)
        self.engine = _postgres_engine(url) if self.is_postgres else _sqlite_engine(url)
        self._writing = self.engine.execution_options()
        if not self.is_postgres:
            event.listen(self._writing, "begin", _begin_immediate)

    def rows(
        self, statement: Executable, values: Mapping[str, SqlValue] | None = None
    ) -> list[Row]:
        """Return all rows of a query.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        with self._errors_in_a_sentence(), self.engine.connect() as connection:
            return list(map(tuple, connection.execute(statement, values).all()))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run statements that all take effect, or none.

        SQLite waits up to 30 s for another writer of the file before the first statement.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        with self._errors_in_a_sentence(), self._writing.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close the connections that are not in use; the next statement opens a new one."""
        self.engine.dispose()

    @contextmanager
    def _errors_in_a_sentence(self) -> Iterator[None]:
        """Turn an error of the database into a `StoreError` without secrets.

        The connections are closed, so that the next statement is sent by a new one.
        """
        try:
            yield
        except SQLAlchemyError as error:
            self.close()
            reason = (
                str(error.orig) if isinstance(error, StatementError) else str(error)
            )
            text = f"the store {self.url} cannot do this now: {reason}"
            sentence = without_secrets(text, self.url)
            is_secret = without_secrets(str(error), self.url) != str(error)
            raise StoreError(sentence) from (None if is_secret else error)


def execute_many(
    connection: Connection,
    statement: Executable,
    values: Sequence[Mapping[str, SqlValue]],
) -> None:
    """Run the same statement once for each mapping of values."""
    if values:
        connection.execute(statement, values)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Sequence[SqlValue]]
) -> None:
    """Insert new rows that hold a value for every column, in the table's order."""
    if rows:
        text = _insert_text(table, connection.dialect)
        connection.exec_driver_sql(text, list(map(tuple, rows)))


def upsert_rows(
    connection: Connection, table: Table, rows: Sequence[Sequence[SqlValue]]
) -> None:
    """Insert rows, or put them in the place of those with the same key.

    The rows hold a value for every column, in the table's order. They are given to the driver as
    they are, because SQLAlchemy's own handling of a row takes longer than the database's.
    """
    if rows:
        text = _upsert_text(table, connection.dialect)
        connection.exec_driver_sql(text, list(map(tuple, rows)))


def insert_new(
    connection: Connection, table: Table, values: Mapping[str, SqlValue]
) -> bool:
    """Insert a row; False where one stands in its way, which stays as it is.

    The row is returned by the database: SQLAlchemy counts the rows of an INSERT by SQLite, and not
    by PostgreSQL.
    """
    insert = insert_or(table, connection.dialect).on_conflict_do_nothing()
    returning = insert.returning(*table.primary_key)
    return connection.execute(returning, values).first() is not None


def insert_or(table: Table, dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say what to do where there is such a row already."""
    return (
        postgresql.insert(table)
        if dialect.name == "postgresql"
        else sqlite.insert(table)
    )


@lru_cache(maxsize=64)
def _insert_text(table: Table, dialect: Dialect) -> str:
    return _text(insert(table), table, dialect)


@lru_cache(maxsize=64)
def _upsert_text(table: Table, dialect: Dialect) -> str:
    statement = insert_or(table, dialect)
    others = [column.key for column in table.columns if not column.primary_key]
    newer = {name: statement.excluded[name] for name in others}
    upsert = statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=newer
    )
    return _text(upsert, table, dialect)


def _text(statement: Insert, table: Table, dialect: Dialect) -> str:
    """Return the statement as the driver takes it, with a positional mark for every column."""
    return str(statement.compile(dialect=dialect, column_keys=table.columns.keys()))


def _sqlite_engine(path: str) -> Engine:
    return create_engine(
        "sqlite://",
        creator=partial(_connect_sqlite, path),
        poolclass=QueuePool,
        pool_size=KEPT_OPEN,
        max_overflow=-1,
        hide_parameters=True,
    )


def _postgres_engine(url: str) -> Engine:
    try:
        return create_engine(
            "postgresql+psycopg://",
            creator=partial(_connect_postgres, url),
            paramstyle="format",  # marks by position, for rows that are tuples
            pool_size=KEPT_OPEN,
            max_overflow=-1,
            hide_parameters=True,
        )
    except ImportError as error:
        reason = (
            "store: PostgreSQL needs psycopg: pip install 'hvac-foresight[postgres]'"
        )
        raise StoreError(reason) from error


def _connect_sqlite(path: str) -> sqlite3.Connection:
    _keep_private(path)
    connection = sqlite3.connect(
        path, timeout=30.0, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "PRAGMA synchronous=FULL"
    )  # an answered push survives a power cut
    return connection


def _keep_private(path: str) -> None:
    """Let nobody else read the file (readings and hashes of keys).

    The files that SQLite lays beside it follow it. A file that is there is not opened: closing it
    would take away the locks that other connections of this process hold on it, and another process
    could then delete what they write (sqlite.org/howtocorrupt.html, 2.2).
    """
    with contextlib.suppress(OSError):  # it is there, or SQLite says why it cannot be
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    keep_private(path, f"{path}-wal", f"{path}-shm")


def _connect_postgres(url: str) -> Any:
    import psycopg  # the URL as it is, since libpq knows forms of it that SQLAlchemy does not

    return psycopg.connect(url, connect_timeout=10)


def _begin_immediate(connection: Connection) -> None:
    """Take SQLite's lock for writing, so that no transaction fails half-way for want of it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
