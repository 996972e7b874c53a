"""Which equipment is in an alarm that was told, and the notifications that wait to be sent.

An episode is an alarm from its beginning until the equipment is calm again. It is opened together
with its notifications in one transaction, so that a kill loses none and a restart repeats none.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    DOUBLE_PRECISION,
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from hvac.panel.grid import Unit
from hvac.panel.windows import OK
from serve.memory.database import insert_new, insert_rows
from serve.memory.holder import is_gone, this_process
from serve.memory.store_part import StorePart
from serve.memory.store_tables import EPISODES, NOTICES, PREDICTIONS

LEASE_S = 300.0  # longer than any server may take for a notification
_IS_NOTICE = and_(
    NOTICES.c.episode == bindparam("its_episode"),
    NOTICES.c.target == bindparam("its_target"),
)
LEASE = (
    update(NOTICES)
    .where(_IS_NOTICE)
    .values(leased=bindparam("at", type_=DOUBLE_PRECISION), holder=bindparam("by"))
)
SENT = delete(NOTICES).where(_IS_NOTICE)
LATER = (
    update(NOTICES)
    .where(_IS_NOTICE)
    .values(
        due=bindparam("at", type_=DOUBLE_PRECISION),
        attempts=NOTICES.c.attempts + 1,
        leased=0.0,
        holder="",
    )
)
HOLDERS = select(NOTICES.c.holder).where(NOTICES.c.leased > 0).distinct()
COUNT = select(func.count()).select_from(NOTICES)
OPEN = select(EPISODES.c.facility_id, EPISODES.c.equipment_id)


class AlarmMark(NamedTuple):
    """What of equipment's alarms tells that they have changed: last day, horizons, sum of risks."""

    end_day: int
    horizons: int
    risks: float


class Notice(NamedTuple):
    """A notification to one target that waits to be sent; `since` in seconds since 1970 (UTC)."""

    episode: str
    target: str
    body: str
    since: float
    attempts: int

    @property
    def key(self) -> dict[str, str]:
        """Return the values that name its row."""
        return {"its_episode": self.episode, "its_target": self.target}


class NoticeStore(StorePart):
    """Episodes of alarms, and notifications on their way."""

    def alarmed(self, within_days: int | None) -> dict[Unit, AlarmMark]:
        """Return the equipment with an alarm at a horizon up to so many days (None: at any).

        Raises:
            StoreError: the database cannot be reached or read.
        """
        units = (PREDICTIONS.c.facility_id, PREDICTIONS.c.equipment_id)
        marks = (
            func.max(PREDICTIONS.c.end_day),
            func.count(),
            func.sum(PREDICTIONS.c.risk),
        )
        statement = select(*units, *marks).where(*_alarm(within_days)).group_by(*units)
        return {
            Unit(row[0], row[1]): AlarmMark(
                int(row[2]), int(row[3]), float(row[4] or 0.0)
            )
            for row in self._database.rows(statement)
        }

    def told(self) -> set[Unit]:
        """Return the equipment whose alarm was told and goes on.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        return {Unit(row[0], row[1]) for row in self._database.rows(OPEN)}

    def open_episode(
        self, unit: Unit, episode: str, body: str, targets: Sequence[str]
    ) -> bool:
        """Note that equipment is in alarm, and let a notification wait for every target.

        Returns:
            False where another process has done so already; then nothing waits twice.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        now = time.time()
        with self._database.write() as connection:
            values = {"episode": episode, "since": now, **unit._asdict()}
            if not insert_new(connection, EPISODES, values):
                return False
            rows = [(episode, target, body, now, now, 0, 0.0, "") for target in targets]
            insert_rows(connection, NOTICES, rows)
        return True

    def close_calm_episodes(self, within_days: int | None) -> None:
        """Forget the alarms of equipment that is calm: it has a risk again, and no alarm.

        Where equipment cannot be scored nothing is known, and its alarm goes on.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        scored = exists(_predictions_of_episode().where(PREDICTIONS.c.status == OK))
        in_alarm = exists(_predictions_of_episode().where(*_alarm(within_days)))
        with self._database.write() as connection:
            connection.execute(delete(EPISODES).where(scored, ~in_alarm))

    def claim_notices(
        self, targets: Collection[str], together: Collection[str]
    ) -> list[Notice]:
        """Return notifications that are due, for one of the targets; nobody else gets them.

        They are held for five minutes, or until this process is gone. There is one, but for
        targets in `together` all that are due, at most 50.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        now = time.time()
        with self._database.write() as connection:
            gone = [holder for holder in connection.scalars(HOLDERS) if is_gone(holder)]
            due = (
                NOTICES.c.due <= now,
                NOTICES.c.target.in_(targets),
                _is_free(now, gone),
            )
            columns = [NOTICES.c[name] for name in Notice._fields]
            oldest = (
                select(*columns).where(*due).order_by(NOTICES.c.due, NOTICES.c.since)
            )
            rows = connection.execute(
                oldest.limit(50).with_for_update(skip_locked=True)
            ).all()
            notices = [Notice(*row) for row in rows]
            if notices and notices[0].target in together:
                notices = [
                    notice for notice in notices if notice.target == notices[0].target
                ]
            else:
                notices = notices[:1]
            for notice in notices:
                connection.execute(
                    LEASE, {"at": now, "by": this_process(), **notice.key}
                )
        return notices

    def forget_notices(self, notices: Sequence[Notice]) -> None:
        """Let notifications that were sent, or are given up, wait no longer.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            for notice in notices:
                connection.execute(SENT, notice.key)

    def postpone_notices(self, notices: Sequence[Notice], seconds: float) -> None:
        """Let notifications that failed wait for so many seconds.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        with self._database.write() as connection:
            for notice in notices:
                connection.execute(LATER, {"at": time.time() + seconds, **notice.key})

    def waiting_notices(self) -> int:
        """Count the notifications that wait. Raise StoreError where the database is away."""
        return int(self._database.rows(COUNT)[0][0])


def _alarm(within_days: int | None) -> list[ColumnElement[bool]]:
    """Return the conditions that a prediction is an alarm at a horizon up to so many days."""
    conditions: list[ColumnElement[bool]] = [PREDICTIONS.c.alarm == 1]
    if within_days is not None:
        conditions.append(PREDICTIONS.c.horizon <= within_days)
    return conditions


def _predictions_of_episode() -> Select[Any]:
    """Return a query of the predictions of an episode's equipment, for use within another."""
    same_facility = PREDICTIONS.c.facility_id == EPISODES.c.facility_id
    same_equipment = PREDICTIONS.c.equipment_id == EPISODES.c.equipment_id
    query = select(PREDICTIONS.c.horizon).where(same_facility, same_equipment)
    return query.correlate(EPISODES)


def _is_free(now: float, gone: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that nobody holds a notification."""
    leased = NOTICES.c.leased
    return or_(
        leased < now - LEASE_S, leased > now + LEASE_S, NOTICES.c.holder.in_(gone)
    )
