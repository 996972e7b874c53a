"""Risks of champion and challenger of the same windows, side by side, for a bounded number of days."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, TypeVarTuple

from sqlalchemy import Select, delete, distinct, func, select

from serve.memory.database import upsert_rows
from serve.memory.store_part import StorePart
from serve.memory.store_tables import SHADOW

DAY_S = 86_400
NEWEST_FIRST = (
    SHADOW.c.end_day.desc(),
    SHADOW.c.facility_id,
    SHADOW.c.equipment_id,
    SHADOW.c.point_id,
    SHADOW.c.horizon,
)

Shape = TypeVarTuple("Shape")


class ShadowRow(NamedTuple):
    """Two risks of one window at one horizon; `shift` is the challenger's log-odds less the champion's.

    `end_day` counts from 1970-01-01, `since` (when it was scored) in seconds.
    """

    facility_id: str
    equipment_id: str
    point_id: str
    horizon: int
    end_day: int
    champion_risk: float
    challenger_risk: float
    shift: float
    champion_alarm: int
    challenger_alarm: int
    champion_id: str
    challenger_id: str
    since: float


class ShadowSummary(NamedTuple):
    """Pairs of one challenger at one horizon; alarms by one and not by the other, and by both."""

    champion_id: str
    challenger_id: str
    horizon: int
    pairs: int
    units: int
    first_day: int
    last_day: int
    mean_shift: float
    champion_only: int
    challenger_only: int
    both: int


class ShadowStore(StorePart):
    """Pairs of risks."""

    def add_shadow(self, rows: Sequence[ShadowRow]) -> None:
        """Keep pairs; one of the same window and horizon replaces the earlier. Raise StoreError."""
        with self._database.write() as connection:
            upsert_rows(connection, SHADOW, rows)

    def drop_shadow(self, keep_days: float) -> int:
        """Forget pairs that were scored more than so many days ago; return how many. Raise StoreError."""
        before = time.time() - keep_days * DAY_S
        with self._database.write() as connection:
            return connection.execute(
                delete(SHADOW).where(SHADOW.c.since < before)
            ).rowcount

    def shadow_rows(
        self, facility_id: str | None = None, *, first: int = 1, most: int
    ) -> list[ShadowRow]:
        """Return pairs of a facility, or of all, the newest days first.

        Args:
            facility_id: the facility.
            first: place of the first one, from 1.
            most: number of pairs.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        query = _of(select(SHADOW), facility_id).order_by(*NEWEST_FIRST)
        rows = self._database.rows(query.offset(first - 1).limit(most))
        return [ShadowRow(*row) for row in rows]

    def shadow_summary(self, facility_id: str | None = None) -> list[ShadowSummary]:
        """Sum pairs up by challenger and horizon. Raise StoreError where the database is away."""
        group = (SHADOW.c.champion_id, SHADOW.c.challenger_id, SHADOW.c.horizon)
        by_champion, by_challenger = SHADOW.c.champion_alarm, SHADOW.c.challenger_alarm
        unit = SHADOW.c.facility_id + "\t" + SHADOW.c.equipment_id
        counts = (
            func.count(),
            func.count(distinct(unit)),
            func.min(SHADOW.c.end_day),
            func.max(SHADOW.c.end_day),
            func.avg(SHADOW.c.shift),
            func.sum(by_champion * (1 - by_challenger)),
            func.sum(by_challenger * (1 - by_champion)),
            func.sum(by_champion * by_challenger),
        )
        query = _of(select(*group, *counts), facility_id).group_by(*group)
        return [
            ShadowSummary._make((*row[:7], float(row[7]), *map(int, row[8:])))
            for row in sorted(self._database.rows(query))
        ]


def _of(query: Select[*Shape], facility_id: str | None) -> Select[*Shape]:
    if facility_id is None:
        return query
    return query.where(SHADOW.c.facility_id == facility_id)
