"""What the service remembers: readings, events, equipment, predictions, which bundle serves whom,
API keys.

One interface over two databases: SQLite in a file (no server; several processes of one node may
share it) and PostgreSQL (several nodes). Every write is one transaction; readings are upserts, so
that sending them twice is the same as once. Days are int32 days since 1970-01-01."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from hvac.errors import ConfigError, HvacError
from hvac.panel.grid import Unit
from hvac.readings.gate import CANONICAL
from hvac.storage import Place, as_given
from serve.memory.database import SERVERS, Database, Run, upsert
from serve.memory.database import StoreError as StoreError
from serve.memory.holder import is_gone, this_process
from serve.memory.redact import without_secrets
from serve.memory.schema import make_tables

READING = (
    "facility_id",
    "equipment_id",
    "point_id",
    "day",
    "value",
    "lower_limit",
    "upper_limit",
    "known_day",
)
EVENT = ("facility_id", "equipment_id", "kind", "start_day", "end_day", "point_id")
FLEET = ""  # the facility of an assignment, or of a key, that holds for all
ALL = "all"  # the class of a bundle that judges every class
LEASE_S = 60.0
PUSHED = "pushed "  # notes that begin so name equipment
NEXT_VERSION = "UPDATE units SET version = version + 1 WHERE facility_id = ? AND equipment_id = ?"
AGAIN = (
    "ON CONFLICT (facility_id, equipment_id) DO UPDATE SET version = excluded.version, since ="
    " excluded.since"
)
LEASE = "UPDATE waiting SET leased = ?, holder = ? WHERE facility_id = ? AND equipment_id = ?"
VERSIONS = "SELECT facility_id, equipment_id, version FROM units"
LAST_DAYS = (
    "SELECT facility_id, equipment_id, MAX(end_day) FROM predictions GROUP BY facility_id,"
    " equipment_id"
)
Claim = tuple[Unit, int]  # equipment to be scored, in this version
Row = tuple[Any, ...]


class UnitRow(NamedTuple):
    """One piece of equipment as stored; `version` rises with every change of its record."""

    facility_id: str
    equipment_id: str
    class_name: str
    install_day: int | None
    version: int


class KeyRow(NamedTuple):
    """An API key, of which only the hash is kept; `facility_id` "" opens the whole fleet."""

    hashed: str
    name: str
    facility_id: str
    role: str


class Store:
    """What is asked and told, in SQL that both databases understand."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        make_tables(self._database, f"the store {without_secrets(url)}")
        self._rows, self._transaction = self._database.rows, self._database.transaction

    @classmethod
    def open(cls, url: str) -> Self:
        """Open, and create where it does not exist.

        Raises:
            StoreError: it cannot be reached or created.
            ConfigError: it would be a file behind a URL, where no database can live; or it holds
                other tables.
        """
        if url.startswith(SERVERS):
            return cls(url)
        try:
            file = as_given(url)
        except HvacError as error:
            raise ConfigError(without_secrets(str(error), url)) from None
        if isinstance(file, Place):
            told = without_secrets(url)
            raise ConfigError(
                f"{told} cannot be the store, a database: set store=postgresql://… or a local file"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        return cls(str(file))

    # Units and readings

    def units(self, facility_id: str | None = None) -> list[UnitRow]:
        """All equipment, or that of one facility, by id."""
        where, values = ("WHERE facility_id = ?", (facility_id,)) if facility_id else ("", ())
        rows = self._rows(f"SELECT * FROM units {where} ORDER BY facility_id, equipment_id", values)
        return [UnitRow(*row) for row in rows]

    def facilities(self) -> set[str]:
        """Ids of all facilities."""
        return {row[0] for row in self._rows("SELECT DISTINCT facility_id FROM units")}

    def unit(self, unit: Unit) -> UnitRow | None:
        """One piece of equipment, None where it is not known."""
        rows = self._rows("SELECT * FROM units WHERE facility_id = ? AND equipment_id = ?", unit)
        return UnitRow(*rows[0]) if rows else None

    def add(
        self,
        *,
        units: Iterable[tuple[str, str, str, int | None]] = (),
        readings: Sequence[Sequence[Any]] = (),
        events: Sequence[Sequence[Any]] = (),
        stale: bool = True,
    ) -> None:
        """Upsert in one transaction; the equipment touched is marked as changed here, to be scored
        again (`stale`).

        Args:
            units: (facility, equipment, class, installation day or None); an empty class keeps what
                is stored.
            readings: rows of `READING`; events: rows of `EVENT`.
        """
        touched = {(row[0], row[1]) for row in (*readings, *events)}
        told = {(row[0], row[1]): row for row in units}
        rows = [told.get(key, (*key, "", None)) for key in sorted(touched | set(told))]
        with self._transaction() as run:
            run.many(
                "INSERT INTO units VALUES (?, ?, ?, ?, 1) ON CONFLICT (facility_id, equipment_id)"
                " DO UPDATE SET class = CASE WHEN excluded.class = '' THEN units.class ELSE"
                " excluded.class END, install_day = COALESCE(excluded.install_day,"
                " units.install_day), version = units.version + 1",
                rows,
            )
            run.many(upsert("readings", READING, keys=4), readings)
            run.many(upsert("events", EVENT, keys=4), [(*row[:5], row[5] or "") for row in events])
            if stale:
                _wait(run, [(row[0], row[1]) for row in rows])
                run.many(
                    upsert("notes", ("name", "value"), keys=1),
                    [(_pushed(*row[:2]), "") for row in rows],
                )

    def pushed(self) -> set[tuple[str, str]]:
        """Equipment whose record was ever changed here, so that the files of the batch jobs may
        lack some of it.
        """
        rows = self._rows("SELECT name FROM notes WHERE name LIKE ?", (f"{PUSHED}%",))
        return {tuple(json.loads(row[0].removeprefix(PUSHED))) for row in rows}

    def mark_stale(self, units: Collection[tuple[str, str]]) -> None:
        """Let equipment be scored again."""
        with self._transaction() as run:
            run.many(NEXT_VERSION, sorted(units))
            _wait(run, sorted(units))

    def readings(self, unit: Unit) -> pa.Table:
        """The whole record of one piece of equipment as CANONICAL readings."""
        columns = ", ".join(READING[2:])
        rows = self._rows(
            f"SELECT {columns} FROM readings WHERE facility_id = ? AND equipment_id = ?", unit
        )
        return canonical(unit, list(zip(*rows, strict=True)) if rows else [[] for _ in READING[2:]])

    def events(self, unit: Unit) -> list[tuple[Any, ...]]:
        """Events of one piece of equipment, oldest first: rows of `EVENT`."""
        columns = ", ".join(EVENT)
        where = "WHERE facility_id = ? AND equipment_id = ? ORDER BY start_day"
        return self._rows(f"SELECT {columns} FROM events {where}", unit)

    # Scoring again

    def claim_stale(self, limit: int) -> list[Claim]:
        """Equipment to be scored again, with its version; for a minute nobody else is given it.

        What a process of this machine held that runs no longer is free at once.
        """
        now = time.time()
        with self._transaction() as run:
            lock = " FOR UPDATE SKIP LOCKED" if self._database.is_postgres else ""
            holders = [
                row[0]
                for row in run("SELECT DISTINCT holder FROM waiting WHERE leased > 0").fetchall()
            ]
            gone = [holder for holder in holders if is_gone(holder)]
            free = "".join(" OR holder = ?" for _ in gone)
            found = run(
                "SELECT facility_id, equipment_id, version FROM waiting WHERE leased < ? OR leased"
                f" > ?{free} ORDER BY since LIMIT ?{lock}",
                # a lease from the future is one of a clock that was put back
                (now - LEASE_S, now + LEASE_S, *gone, limit),
            ).fetchall()
            run.many(LEASE, [(now, this_process(), *row[:2]) for row in found])
        return [(Unit(row[0], row[1]), int(row[2])) for row in found]

    def renew(self, claims: Sequence[Claim]) -> None:
        """Hold claims for another minute."""
        with self._transaction() as run:
            run.many(LEASE, [(time.time(), this_process(), *unit) for unit, _ in claims])

    def stale_count(self, sees: Callable[[str], bool] | None = None) -> int:
        """How many pieces of equipment wait to be scored again (of the facilities that `sees` is
        true of).
        """
        if sees is None:
            return int(self._rows("SELECT COUNT(*) FROM waiting")[0][0])
        rows = self._rows("SELECT facility_id, COUNT(*) FROM waiting GROUP BY facility_id")
        return sum(int(count) for facility, count in rows if sees(facility))

    def save_predictions(
        self, latest: Iterable[dict[str, Any]], claims: Sequence[Claim] = ()
    ) -> None:
        """Keep the newest predictions (rows of `latest.parquet`), and no longer hold their
        equipment for stale.

        A claim whose equipment has changed again since stays stale, and is at once free for the
        next round. One of which a later version has been scored is left out."""
        rows = [_prediction(row) for row in latest]
        with self._transaction() as run:
            self._lock(run, [unit for unit, _ in claims])
            late = {tuple(unit) for unit, version in claims if _scored(run, unit) > version}
            _replace(run, [row for row in rows if row[:2] not in late])
            _remember_scored(run, [claim for claim in claims if tuple(claim[0]) not in late])
            _done(run, claims)

    def take_predictions(
        self, latest: Iterable[dict[str, Any]], versions: Mapping[tuple[str, str], int]
    ) -> None:
        """Keep predictions made elsewhere, of equipment that still has the version and no
        prediction of a later day.
        """
        rows = [_prediction(row) for row in latest]
        last_of: dict[tuple[str, str], int] = {}
        for row in rows:
            last_of[row[:2]] = max(row[4], last_of.get(row[:2], row[4]))
        with self._transaction() as run:
            self._lock(run, [Unit(*unit) for unit in sorted(last_of)])
            now = {row[:2]: int(row[2]) for row in run(VERSIONS).fetchall()}
            days = {row[:2]: row[2] for row in run(LAST_DAYS).fetchall()}
            taken = {
                unit: versions[unit]
                for unit, last in last_of.items()
                if unit in versions
                and now.get(unit) == versions[unit]
                and days.get(unit, last) <= last
            }
            _replace(run, [row for row in rows if row[:2] in taken])
            _remember_scored(run, [(Unit(*unit), version) for unit, version in taken.items()])

    def versions(self) -> dict[tuple[str, str], int]:
        """Version of every record."""
        return {(row[0], row[1]): int(row[2]) for row in self._rows(VERSIONS)}

    def _lock(self, run: Run, units: Sequence[Unit]) -> None:
        """Let nobody else write of these units until the end (SQLite has one writer anyhow)."""
        if self._database.is_postgres:
            lock = "SELECT version FROM units WHERE facility_id = ? AND equipment_id = ? FOR UPDATE"
            run.many(lock, sorted(units))

    def release(self, claims: Sequence[Claim]) -> None:
        """Claims that came to nothing: at once free for the next round."""
        with self._transaction() as run:
            run.many(LEASE, [(0, "", *unit) for unit, _ in claims])

    def set_aside(self, claim: Claim, reason: str) -> None:
        """Equipment that cannot be scored: it waits no longer until it changes; its predictions are
        withdrawn.
        """
        unit, version = claim
        with self._transaction() as run:
            self._lock(run, [unit])
            if _scored(run, unit) > version:
                return
            run("DELETE FROM predictions WHERE facility_id = ? AND equipment_id = ?", unit)
            run.many(
                upsert("set_aside", ("facility_id", "equipment_id", "reason"), keys=2),
                [(*unit, reason)],
            )
            _done(run, [claim])

    def aside(self, unit: Unit | None = None) -> dict[Unit, str]:
        """Equipment that cannot be scored, and why."""
        where = "WHERE facility_id = ? AND equipment_id = ? " if unit else ""
        sql = (
            f"SELECT facility_id, equipment_id, reason FROM set_aside {where}ORDER BY facility_id,"
            " equipment_id"
        )
        return {Unit(row[0], row[1]): str(row[2]) for row in self._rows(sql, unit or ())}

    def predictions(
        self, facility_id: str | None = None, equipment_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Newest predictions as rows of `latest.parquet`, of all, one facility, or one equipment."""
        given = [("facility_id", facility_id), ("equipment_id", equipment_id)]
        where = " AND ".join(f"{name} = ?" for name, value in given if value is not None)
        sql = f"SELECT body FROM predictions {'WHERE ' + where if where else ''}"
        rows = self._rows(
            f"{sql} ORDER BY facility_id, equipment_id, point_id, horizon",
            [value for _, value in given if value is not None],
        )
        return [json.loads(row[0]) for row in rows]

    def history(self, unit: Unit) -> list[tuple[int, str, int, float | None, bool]]:
        """(end day, point, horizon, risk, alarm) of every prediction that was ever the newest,
        oldest first.
        """
        sql = (
            "SELECT end_day, point_id, horizon, risk, alarm FROM history WHERE facility_id = ? AND"
            " equipment_id = ?"
        )
        return [
            (r[0], r[1], r[2], r[3], bool(r[4]))
            for r in self._rows(f"{sql} ORDER BY end_day, horizon", unit)
        ]

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    # Which bundle serves whom

    def assignments(self) -> dict[tuple[str, str], str]:
        """Bundle of every (facility, class); facility "" is the fleet's."""
        return {
            (row[0], row[1]): row[2]
            for row in self._rows("SELECT facility_id, class, bundle_id FROM assignments")
        }

    def load_readings(self, rows: Sequence[Sequence[Any]]) -> None:
        """Upsert rows of `READING` of known equipment without marking it, each with a new version
        of its record.
        """
        with self._transaction() as run:
            run.many(NEXT_VERSION, sorted({(row[0], row[1]) for row in rows}))
            run.many(upsert("readings", READING, keys=4), rows)

    def assign(self, given: dict[tuple[str, str], str], *, stale: bool = True) -> None:
        """Let bundles serve from now on, and (`stale`) score again what they serve."""
        with self._transaction() as run:
            now = time.time()
            run.many(
                upsert("assignments", ("facility_id", "class", "bundle_id", "since"), keys=2),
                [(*key, bundle, now) for key, bundle in given.items()],
            )
            for facility, name in given if stale else ():
                served = (
                    "CAST(? AS TEXT) IN (class, 'all') AND CAST(? AS TEXT) IN (facility_id, '')"
                )
                run(f"UPDATE units SET version = version + 1 WHERE {served}", (name, facility))
                run(
                    "INSERT INTO waiting SELECT facility_id, equipment_id, version, CAST(? AS"
                    f" DOUBLE PRECISION), 0, '' FROM units WHERE {served} {AGAIN}",
                    (now, name, facility),
                )

    def note(self, name: str) -> str | None:
        """A remembered word (what was loaded, which configuration was declared)."""
        rows = self._rows("SELECT value FROM notes WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Remember a word."""
        with self._transaction() as run:
            run.many(upsert("notes", ("name", "value"), keys=1), [(name, value)])

    # Keys

    def api_keys(self) -> list[KeyRow]:
        """All API keys, hashed."""
        return [
            KeyRow(*row)
            for row in self._rows(
                "SELECT hashed, name, facility_id, role FROM api_keys ORDER BY name"
            )
        ]

    def add_key(self, key: KeyRow) -> None:
        """Keep a key's hash."""
        with self._transaction() as run:
            run.many(upsert("api_keys", ("hashed", "name", "facility_id", "role"), keys=1), [key])

    def drop_keys(self, name: str) -> int:
        """Withdraw all keys of a name; how many there were."""
        with self._transaction() as run:
            return int(run("DELETE FROM api_keys WHERE name = ?", (name,)).rowcount)


def serving(
    assigned: Mapping[tuple[str, str], str], facility_id: str, class_name: str
) -> str | None:
    """The bundle that judges a class in a facility: the facility's own, else the fleet's.

    >>> serving({("", "pump"): "pump-1", ("F2", "pump"): "pump-2"}, "F1", "pump")
    'pump-1'
    """
    keys = ((facility_id, class_name), (facility_id, ALL), (FLEET, class_name), (FLEET, ALL))
    return next((assigned[key] for key in keys if key in assigned), None)


def _wait(run: Run, units: Sequence[tuple[str, str]]) -> None:
    """Let equipment wait to be scored again, in its present version."""
    run.many(
        "INSERT INTO waiting SELECT facility_id, equipment_id, version, CAST(? AS DOUBLE"
        f" PRECISION), 0, '' FROM units WHERE facility_id = ? AND equipment_id = ? {AGAIN}",
        [(time.time(), *unit) for unit in units],
    )


def _done(run: Run, claims: Sequence[Claim]) -> None:
    """Let equipment wait no longer, unless it has changed again; then it is free for the next
    round.
    """
    gone = "DELETE FROM waiting WHERE facility_id = ? AND equipment_id = ? AND version <= ?"
    run.many(gone, [(*unit, version) for unit, version in claims])
    run.many(LEASE, [(0, "", *unit) for unit, _ in claims])


def _scored(run: Run, unit: Unit) -> int:
    """Return the version of a unit that was scored last."""
    sql = "SELECT version FROM scored WHERE facility_id = ? AND equipment_id = ?"
    row = run(sql, unit).fetchone()
    return int(row[0]) if row else 0


def _remember_scored(run: Run, claims: Sequence[Claim]) -> None:
    columns = ("facility_id", "equipment_id", "version")
    run.many(upsert("scored", columns, keys=2), [(*unit, version) for unit, version in claims])


def _replace(run: Run, rows: Sequence[Row]) -> None:
    """Put rows of `predictions` in the place of those of their units, and into the history."""
    units = sorted({row[:2] for row in rows})
    run.many("DELETE FROM predictions WHERE facility_id = ? AND equipment_id = ?", units)
    run.many(f"INSERT INTO predictions VALUES ({', '.join('?' * 10)})", rows)
    history = [(*row[:5], row[6], row[7], row[8]) for row in rows]
    columns = (
        "facility_id",
        "equipment_id",
        "point_id",
        "horizon",
        "end_day",
        "risk",
        "alarm",
        "bundle_id",
    )
    run.many(upsert("history", columns, keys=5), history)
    run.many("DELETE FROM set_aside WHERE facility_id = ? AND equipment_id = ?", units)


def _pushed(facility_id: str, equipment_id: str) -> str:
    return PUSHED + json.dumps([facility_id, equipment_id])


def canonical(unit: Unit, columns: Sequence[Sequence[Any]]) -> pa.Table:
    """CANONICAL readings of one unit from the columns of `READING` after its ids."""
    point, day, value, lower, upper, known = columns
    same = [pa.array([name] * len(point), pa.string()) for name in unit]
    dates = [pa.array(days, pa.int32()).cast(pa.date32()) for days in (day, known)]
    numbers = [pa.array(column, pa.float64()) for column in (value, lower, upper)]
    no_time = pa.nulls(len(point), pa.int32())  # a day has one value here
    return pa.table(
        [*same, pa.array(point, pa.string()), dates[0], *numbers, dates[1], no_time],
        schema=CANONICAL,
    )


def reading_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of `READING` from CANONICAL readings."""
    days = {name: table[name].cast(pa.int32()) for name in ("date", "known_at")}
    columns = [table[name].to_pylist() for name in ("facility_id", "equipment_id", "point_id")]
    columns += [days["date"].to_pylist()]
    columns += [table[name].to_pylist() for name in ("value", "lower_limit", "upper_limit")]
    return list(zip(*columns, days["known_at"].to_pylist(), strict=True))


def _prediction(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row of `latest.parquet` as stored: what is searched for in columns, the whole as JSON."""
    end_day = int(np.datetime64(row["end_date"], "D").astype(int))
    body = {**row, "end_date": str(row["end_date"]), "end_day": end_day}
    keys = (row["facility_id"], row["equipment_id"], row["point_id"] or "", row["horizon"], end_day)
    told = (row["status"], row["risk"], int(bool(row["alarm"])), row["bundle_id"])
    return (*keys, *told, json.dumps(body))
