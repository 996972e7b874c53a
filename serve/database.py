"""SQLite in a file, or PostgreSQL, behind the same statements: one transaction each, one connection a thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hvac.errors import HvacError

SERVERS = ("postgresql://", "postgres://")


class StoreError(HvacError):
    """The store cannot take or give data now (full disk, lost server)."""


class Database:
    """A database by its URL; statements are written with `?`."""

    def __init__(self, url: str, schema: str) -> None:
        self.url = url
        self.is_postgres = url.startswith(SERVERS)
        self.mark = "%s" if self.is_postgres else "?"
        self._local = threading.local()
        with self.transaction() as run:
            if self.is_postgres:
                run("SELECT pg_advisory_xact_lock(7401)")  # two replicas must not create the tables at once
            for statement in schema.split(";"):
                if statement.strip():
                    run(statement)

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
            connection = self._local.connection = _postgres(self.url) if self.is_postgres else _sqlite(self.url)
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
            raise StoreError(f"the store {_without_password(self.url)} cannot do this now: {error}") from error


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
    """Insert, or put the newer values in the place of the older ones; the first `keys` columns say which row."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    newer = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    same = ", ".join(columns[:keys])
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({same}) DO UPDATE SET {newer}"


def _sqlite(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an answered push survives a power cut
    return connection


def _postgres(url: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise StoreError("store: PostgreSQL needs psycopg: pip install 'hvac-foresight[postgres]'") from error
    return psycopg.connect(url, connect_timeout=10)


def _errors() -> tuple[type[Exception], ...]:
    try:
        import psycopg
    except ImportError:
        return (sqlite3.Error,)
    return (sqlite3.Error, psycopg.Error)


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else url
