"""The newest predictions, their history, and equipment that cannot be scored."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, func, select

from hvac.explain.reason import plain_reason, reason_of
from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import LatestRow, StoredRow
from serve.memory.database import Row, execute_many, insert_rows, upsert_rows
from serve.memory.store_claims import done
from serve.memory.store_part import Claim, StorePart
from serve.memory.store_tables import (
    HISTORY,
    PREDICTIONS,
    SCORED,
    SET_ASIDE,
    UNITS,
    of_unit,
    of_units,
    unit_values,
)
from serve.memory.store_units import VERSIONS

LOCK = select(UNITS.c.version).where(of_unit(UNITS)).with_for_update()
SCORED_VERSION = select(SCORED.c.version).where(of_unit(SCORED))
WITHDRAW = delete(PREDICTIONS).where(of_unit(PREDICTIONS))
NOT_ASIDE = delete(SET_ASIDE).where(of_unit(SET_ASIDE))
ASIDE = select(SET_ASIDE).order_by(SET_ASIDE.c.facility_id, SET_ASIDE.c.equipment_id)
ASIDE_UNIT = select(SET_ASIDE).where(of_unit(SET_ASIDE))
BODIES = select(PREDICTIONS.c.body).order_by(*PREDICTIONS.primary_key)
ALARMS = select(*PREDICTIONS.primary_key, PREDICTIONS.c.body).where(
    PREDICTIONS.c.alarm == 1
)
_PAST = HISTORY.columns
RECENT = select(
    HISTORY.c.facility_id,
    HISTORY.c.equipment_id,
    _PAST.end_day,
    _PAST.point_id,
    _PAST.horizon,
    _PAST.risk,
    _PAST.alarm,
).order_by(_PAST.end_day)
LAST_DAYS = select(
    PREDICTIONS.c.facility_id,
    PREDICTIONS.c.equipment_id,
    func.max(PREDICTIONS.c.end_day),
).group_by(PREDICTIONS.c.facility_id, PREDICTIONS.c.equipment_id)


class StoredPrediction(StoredRow):
    """A row of `latest.parquet` as stored; `end_day` counts from 1970-01-01."""

    end_date: str
    end_day: int


class PastRisk(NamedTuple):
    """A risk of the past; `end_day` is the last day of its window."""

    unit: Unit
    end_day: int
    point_id: str
    horizon: int
    risk: float | None
    alarm: bool


class AlarmKey(NamedTuple):
    """An alarm within a horizon of days; `point_id` is empty where equipment is scored whole."""

    facility_id: str
    equipment_id: str
    point_id: str
    horizon: int


class PredictionStore(StorePart):
    """Predictions, and equipment that there can be none of."""

    def save_predictions(
        self,
        latest: Iterable[LatestRow],
        claims: Sequence[Claim] = (),
    ) -> None:
        """Keep the newest predictions (rows of `latest.parquet`); their equipment waits no longer.

        A claim whose equipment has changed again since waits on, and is at once free for the next
        round. One of which a later version has been scored is left out.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        rows = [_prediction(row) for row in latest]
        with self._database.write() as connection:
            _lock(connection, [unit for unit, _ in claims])
            late = _scored_later(connection, claims)
            _replace(connection, [row for row in rows if row[:2] not in late])
            in_time = [
                (unit, version) for unit, version in claims if tuple(unit) not in late
            ]
            _remember_scored(connection, in_time)
            done(connection, claims)

    def take_predictions(
        self,
        latest: Iterable[LatestRow],
        versions: Mapping[tuple[str, str], int],
    ) -> None:
        """Keep predictions made elsewhere of versions of equipment.

        Those are left out whose equipment has another version now, or a prediction of a later day.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        rows = [_prediction(row) for row in latest]
        last_days = _last_days(rows)
        with self._database.write() as connection:
            _lock(connection, sorted(last_days))
            days = {(row[0], row[1]): row[2] for row in connection.execute(LAST_DAYS)}
            now = {
                (row[0], row[1]): int(row[2]) for row in connection.execute(VERSIONS)
            }
            same = {
                unit
                for unit in last_days
                if unit in now and now[unit] == versions.get(unit)
            }
            taken = {
                unit
                for unit in same
                if days.get(unit, last_days[unit]) <= last_days[unit]
            }
            _replace(connection, [row for row in rows if row[:2] in taken])
            _remember_scored(
                connection, [(Unit(*unit), versions[unit]) for unit in taken]
            )

    def set_aside(self, claim: Claim, reason: str) -> None:
        """Let equipment that cannot be scored wait no longer until it changes.

        Its predictions are withdrawn. Nothing happens where a later version of it has been scored.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        unit = claim[0]
        with self._database.write() as connection:
            _lock(connection, [unit])
            if _scored_later(connection, [claim]):
                return
            connection.execute(WITHDRAW, unit_values(unit))
            upsert_rows(connection, SET_ASIDE, [(*unit, reason)])
            done(connection, [claim])

    def aside(self, unit: Unit | None = None) -> dict[Unit, str]:
        """Return equipment that cannot be scored, and why; all of it, or one.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        statement, values = (ASIDE_UNIT, unit_values(unit)) if unit else (ASIDE, {})
        rows = self._database.rows(statement, values)
        return {Unit(row[0], row[1]): str(row[2]) for row in rows}

    def predictions(
        self,
        facility_id: str | None = None,
        equipment_id: str | None = None,
    ) -> list[StoredPrediction]:
        """Return the newest predictions, of all, one facility or one equipment.

        They are rows of `latest.parquet`, by facility, equipment, point and horizon.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        statement = BODIES
        if facility_id is not None:
            statement = statement.where(PREDICTIONS.c.facility_id == facility_id)
        if equipment_id is not None:
            statement = statement.where(PREDICTIONS.c.equipment_id == equipment_id)
        return [json.loads(row[0]) for row in self._database.rows(statement)]

    def predictions_of(
        self, units: Collection[Unit]
    ) -> dict[Unit, list[StoredPrediction]]:
        """Return the newest predictions of some equipment.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        statement = BODIES.where(of_units(PREDICTIONS, units))
        by_unit: dict[Unit, list[StoredPrediction]] = {}
        for row in self._database.rows(statement):
            stored: StoredPrediction = json.loads(row[0])
            unit = Unit(stored["facility_id"], stored["equipment_id"])
            by_unit.setdefault(unit, []).append(stored)
        return by_unit

    def alarms(self) -> dict[AlarmKey, str]:
        """Return the newest predictions that alarm, as JSON; withheld ones are among them.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return {AlarmKey(*row[:4]): row[4] for row in self._database.rows(ALARMS)}

    def recent(
        self,
        since_day: int,
        facility_id: str | None = None,
        equipment_id: str | None = None,
    ) -> list[PastRisk]:
        """Return every prediction since a day that was ever the newest, oldest first.

        They are of all, one facility or one equipment.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        statement = RECENT.where(HISTORY.c.end_day >= since_day)
        if facility_id is not None:
            statement = statement.where(HISTORY.c.facility_id == facility_id)
        if equipment_id is not None:
            statement = statement.where(HISTORY.c.equipment_id == equipment_id)
        rows = self._database.rows(statement)
        past = []
        for facility, equipment, end_day, point, horizon, risk, alarm in rows:
            unit = Unit(facility, equipment)
            past.append(PastRisk(unit, end_day, point, horizon, risk, bool(alarm)))
        return past

    def last_day(self) -> int | None:
        """Return the newest last day of a window; None where nothing was scored yet.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        ((day,),) = self._database.rows(select(func.max(PREDICTIONS.c.end_day)))
        return None if day is None else int(day)

    def take_history(self, rows: Sequence[Row]) -> None:
        """Keep past predictions made elsewhere: rows of `history`. Those of the same day give way.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        with self._database.write() as connection:
            upsert_rows(connection, HISTORY, rows)


def _lock(connection: Connection, units: Sequence[tuple[str, str]]) -> None:
    """Let nobody else write of these units until the end (SQLite has one writer at a time)."""
    if connection.dialect.name == "postgresql":
        execute_many(connection, LOCK, [unit_values(unit) for unit in sorted(units)])


def _scored_later(
    connection: Connection, claims: Sequence[Claim]
) -> set[tuple[str, str]]:
    """Return the units of claims of which a later version has been scored."""
    later = set()
    for unit, version in claims:
        scored = connection.scalar(SCORED_VERSION, unit_values(unit))
        if scored is not None and scored > version:
            later.add((unit[0], unit[1]))
    return later


def _remember_scored(connection: Connection, claims: Sequence[Claim]) -> None:
    upsert_rows(connection, SCORED, [(*unit, version) for unit, version in claims])


def _replace(connection: Connection, rows: Sequence[Row]) -> None:
    """Put rows of `predictions` in the place of those of their units, and into the history."""
    units = [unit_values(unit) for unit in sorted({row[:2] for row in rows})]
    execute_many(connection, WITHDRAW, units)
    insert_rows(connection, PREDICTIONS, rows)
    upsert_rows(connection, HISTORY, [(*row[:5], *row[6:9]) for row in rows])
    execute_many(connection, NOT_ASIDE, units)


def _last_days(rows: Iterable[Row]) -> dict[tuple[str, str], int]:
    """Return the last day of a window of each unit, from rows of `predictions`."""
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        last[row[:2]] = max(row[4], last.get(row[:2], row[4]))
    return last


def _prediction(row: LatestRow) -> Row:
    """Return a row of `latest.parquet` as stored: some of it in columns, the whole as JSON.

    Past cases are not kept: they are looked for when they are asked for.
    """
    end_day = int(np.datetime64(row["end_date"], "D").astype(int))
    body = {**row, "end_date": str(row["end_date"]), "end_day": end_day}
    body.pop("cases", None)
    reasons = row.get("reasons")
    if reasons is not None:
        body["reasons"] = [plain_reason(reason_of(reason)) for reason in reasons]
    keys = (
        row["facility_id"],
        row["equipment_id"],
        row["point_id"] or "",
        row["horizon"],
        end_day,
    )
    judged = (row["status"], row["risk"], int(bool(row["alarm"])), row["bundle_id"])
    return (*keys, *judged, json.dumps(body))
