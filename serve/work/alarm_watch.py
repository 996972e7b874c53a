"""Watch the newest alarms, and tell those who listen what has changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final, Literal, NamedTuple

from serve.bodies.problems import Busy
from serve.memory.store import Store
from serve.memory.store_predictions import AlarmKey

log = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 0.5
QUIET_S: Final = 5.0  # without a change: time to show that the connection is alive
BUSY_S: Final = 60
MOST_LISTENERS: Final = 256
MOST_WAITING: Final = 10_000  # changes that a slow listener may have before it

Change = Literal["present", "began", "ended"]


class AlarmChange(NamedTuple):
    """An alarm of a unit (or point) within a horizon: there already, begun, or ended.

    `row` is the prediction that alarms, as the store keeps it, or did.
    """

    number: int
    change: Change
    alarm: AlarmKey
    row: str


class AlarmWatch:
    """Reads the alarms of the store while anybody listens, whoever has scored the equipment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[asyncio.Queue[AlarmChange]] = set()
        self._alarms: dict[AlarmKey, str] = {}
        self._number = 0
        self._watcher: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def check_room(self) -> None:
        """Raise Busy where too many listen already."""
        if len(self._listeners) >= MOST_LISTENERS:
            sentence = f"{MOST_LISTENERS} listen to the stream already; try again later"
            raise Busy(sentence, retry_after=BUSY_S)

    async def changes(
        self, sees: Callable[[str], bool]
    ) -> AsyncGenerator[AlarmChange | None, None]:
        """Yield the alarms that are there, then None, then every change; None where none comes.

        Args:
            sees: whether the alarms of a facility are told.
        """
        async with self._starting:  # listeners that come together have one watcher
            if self._watcher is None:
                self._alarms = await asyncio.to_thread(self._store.alarms)
                self._watcher = asyncio.create_task(self._watch())
        waiting: asyncio.Queue[AlarmChange] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(waiting)
        try:
            for alarm, row in sorted(self._alarms.items()):
                if sees(alarm.facility_id):
                    yield AlarmChange(self._number, "present", alarm, row)
            yield None
            while True:
                change = await _next(waiting)
                if change is None or sees(change.alarm.facility_id):
                    yield change
        finally:
            self._listeners.discard(waiting)
            if not self._listeners and self._watcher is not None:
                self._watcher.cancel()
                self._watcher = None

    async def _watch(self) -> None:
        away = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                now = await asyncio.to_thread(self._store.alarms)
            except Exception:
                if not away:
                    log.exception("alarms cannot be read; it is tried again and again")
                away = True
                continue
            away = False
            for alarm in sorted(self._alarms.keys() - now.keys()):
                self._tell("ended", alarm, self._alarms[alarm])
            for alarm in sorted(now.keys() - self._alarms.keys()):
                self._tell("began", alarm, now[alarm])
            self._alarms = now

    def _tell(self, change: Change, alarm: AlarmKey, row: str) -> None:
        self._number += 1
        for waiting in self._listeners:
            with contextlib.suppress(
                asyncio.QueueFull
            ):  # who is so slow loses changes, not memory
                waiting.put_nowait(AlarmChange(self._number, change, alarm, row))


async def _next(waiting: asyncio.Queue[AlarmChange]) -> AlarmChange | None:
    """Return the next change; None where none comes for some seconds."""
    try:
        return await asyncio.wait_for(waiting.get(), QUIET_S)
    except TimeoutError:
        return None
