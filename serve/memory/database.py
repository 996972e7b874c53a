"""SQLite in a file, or PostgreSQL, behind the same statements: one transaction each, one connection
a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hvac.errors import HvacError
from hvac.private import keep_private
from serve.memory.redact import without_secrets

SERVERS = ("postgresql://", "postgres://")


class StoreError(HvacError):
    """The store cannot take or give data now (full disk, lost server)."""


class Database:
    """A database by its URL; statements are written with `?`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith(SERVERS)
        self.mark = "%s" if self.is_postgres else "?"
        self._local = threading.local()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.transaction(writes=False) as run:
            return list(run(sql, values).fetchall())

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = (
                _postgres(self.url) if self.is_postgres else _sqlite(self.url)
            )
        return connection

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[Run]:
        """Statements that all take effect, or none."""
        try:
            connection = self._connection()
            cursor = connection.cursor()
            if writes and not self.is_postgres:  # a query is a transaction of its own
                cursor.execute("BEGIN IMMEDIATE")
            try:
                yield Run(cursor, self.mark)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
        except _errors() as error:
            self.close()
            told = without_secrets(f"the store {self.url} cannot do this now: {error}", self.url)
            hidden = without_secrets(str(error), self.url) != str(error)
            raise StoreError(told) from (None if hidden else error)


class Run:
    """Runs statements written with `?` on either database."""

    def __init__(self, cursor: Any, mark: str) -> None:
        self.cursor, self.mark = cursor, mark

    def __call__(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """One statement; its cursor."""
        self.cursor.execute(sql.replace("?", self.mark), tuple(values))
        return self.cursor

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same statement for every row."""
        if rows:
            self.cursor.executemany(sql.replace("?", self.mark), rows)


def upsert(table: str, columns: Sequence[str], *, keys: int) -> str:
    """Insert, or put the newer values in the place of the older ones; the first `keys` columns say
    which row.
    """
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    newer = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    same = ", ".join(columns[:keys])
    return (
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({same}) DO UPDATE SET {newer}"
    )


def _sqlite(path: str) -> sqlite3.Connection:
    _keep_private(path)
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an answered push survives a power cut
    return connection


def _keep_private(path: str) -> None:
    """Let nobody else read the file (readings and hashes of keys); the files SQLite lays beside it
    follow it.
    """
    with contextlib.suppress(OSError):  # what cannot be opened is told by SQLite
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    keep_private(path, f"{path}-wal", f"{path}-shm")


def _postgres(url: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise StoreError(
            "store: PostgreSQL needs psycopg: pip install 'hvac-foresight[postgres]'"
        ) from error
    return psycopg.connect(url, connect_timeout=10)


def _errors() -> tuple[type[Exception], ...]:
    try:
        import psycopg
    except ImportError:
        return (sqlite3.Error,)
    return (sqlite3.Error, psycopg.Error)
