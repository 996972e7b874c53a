"""Tell of new alarms, once per episode, beside the service's other work.

Looking and sending run in a thread of their own: a target that hangs delays no prediction. What
waits is in the store, so that a killed process loses nothing. Only a process that is killed between
a target's answer and the note of it lets that notification be sent again, with the same `id`.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from hvac.casework.case_states import OPEN_STATES
from hvac.days import today
from hvac.errors import HvacError
from hvac.panel.grid import Unit
from hvac.panel.names import load_names
from hvac.scoring.worklist import sure_horizons
from serve import service_metrics
from serve.memory.store_notices import AlarmMark, Notice
from serve.service import Service
from serve.work.delivery import Target, targets_of
from serve.work.notice_texts import AlarmNotice, NoticeWords

log = logging.getLogger(__name__)
BEGUN = "notifications"  # the note that they were turned on before
LONGEST_PAUSE_S = 3600.0


class Notifier:
    """The notifications of one service.

    Args:
        service: its settings say who is told, its store who was.
        targets: who is told; default: whom the settings name.
    """

    def __init__(
        self, service: Service, targets: Sequence[Target] | None = None
    ) -> None:
        config = service.config
        self.service = service
        self.store = service.store
        self.config = config.notify
        self.words = NoticeWords(
            self.config.language or config.language, load_names(config.panel_folder)
        )
        chosen = targets_of(self.config, self.words) if targets is None else targets
        self.targets = {target.key: target for target in chosen}
        self._seen: dict[Unit, AlarmMark] = {}

    def look(self) -> int:
        """Note the alarms that are new, and forget those that ended; return how many are new.

        When notifications are first turned on, alarms that are there already, or that come of
        scoring all equipment for the first time, are noted and not told (but where `present`).
        """
        within = self.config.within_days
        first = self.store.note(BEGUN) is None
        self.store.close_calm_episodes(within)
        already_told = self.store.told()
        now = self.store.alarmed(within)
        waits, planned = self._kept_quiet(now)
        begins = {u: mark for u, mark in now.items() if u not in already_told | waits}
        new, withheld = 0, {}
        for unit, mark in begins.items():
            quiet = unit in planned or (first and not self.config.present)
            if self._seen.get(unit) != mark and self._begin(unit, quiet=quiet):
                new += 1
            else:
                withheld[unit] = mark
        self._seen = withheld
        if first and self.store.last_day() is not None and not self.store.stale_count():
            self.store.remember(BEGUN, "on")
        service_metrics.NOTICES_WAITING.set(self.store.waiting_notices())
        return new

    def _kept_quiet(self, units: Collection[Unit]) -> tuple[set[Unit], set[Unit]]:
        """Return the equipment whose alarm waits to be told, and that whose visit is planned.

        Alarms wait while a case is snoozed and during maintenance; then they are told. A snooze
        that is over lasts until the rules of cases have ended it: they let the alarm be told again,
        and it would be told twice.
        """
        day = today()
        sleeping, planned = set(), set()
        for case in self.store.cases(states=OPEN_STATES):
            if case.snooze_day is not None:
                sleeping.add(case.unit)
            elif case.state == "planned":
                planned.add(case.unit)
        windows = self.store.maintenance(on_day=day)
        resting = {u for u in units if any(window.covers(u) for window in windows)}
        return sleeping | resting, planned

    def _begin(self, unit: Unit, *, quiet: bool) -> bool:
        """Note an alarm, to be told unless `quiet`; False where it is withheld, or was noted."""
        entry = self.service.ranked(unit)
        horizons = sure_horizons(entry) if entry else []
        within = self.config.within_days
        days = next((h for h in horizons if within is None or h <= within), None)
        if entry is None or days is None:
            return False
        episode = uuid.uuid4().hex
        notice = self.words.notice(entry, days, episode=episode, url=self.config.url)
        targets = [] if quiet else list(self.targets)
        return self.store.open_episode(unit, episode, notice.model_dump_json(), targets)

    def deliver(self) -> bool:
        """Send what is due to one target; False where nothing is due.

        A target that takes nothing is asked again later, twice as late each time.
        """
        together = [key for key, target in self.targets.items() if target.together]
        waiting = self.store.claim_notices(list(self.targets), together)
        if not waiting:
            return False
        target = self.targets[waiting[0].target]
        try:
            target.send(
                [AlarmNotice.model_validate_json(notice.body) for notice in waiting]
            )
        except HvacError as error:
            self._failed(target, waiting, error)
        else:
            self.store.forget_notices(waiting)
            self._count(target, "sent", len(waiting))
            log.info("told %s of %d new alarms", target.shown, len(waiting))
        return True

    def _failed(
        self, target: Target, waiting: Sequence[Notice], error: HvacError
    ) -> None:
        oldest_s = time.time() - self.config.give_up_h * 3600
        given_up = [notice for notice in waiting if notice.since < oldest_s]
        others = [notice for notice in waiting if notice.since >= oldest_s]
        if given_up:
            log.error("%s; %d notifications are given up", error, len(given_up))
            self.store.forget_notices(given_up)
            self._count(target, "given_up", len(given_up))
        if others:
            attempts = min(notice.attempts for notice in others)
            pause_s = min(
                self.config.first_pause_s * 2 ** min(attempts, 30), LONGEST_PAUSE_S
            )
            log.warning("%s; %d are sent again in %.0f s", error, len(others), pause_s)
            self.store.postpone_notices(others, pause_s)
            self._count(target, "failed", len(others))

    def _count(self, target: Target, outcome: str, count: int) -> None:
        service_metrics.NOTICES.labels(target.kind, outcome).inc(count)


async def notify_forever(service: Service) -> None:
    """Look for new alarms and tell them, again and again; do nothing where nobody is to be told."""
    notifier: Notifier | None = None
    loop = asyncio.get_running_loop()
    own_thread = ThreadPoolExecutor(1, thread_name_prefix="notify")
    try:
        while True:
            try:
                notifier = notifier or Notifier(service)
                if not notifier.targets:
                    return
                await loop.run_in_executor(own_thread, notifier.look)
                while await loop.run_in_executor(own_thread, notifier.deliver):
                    pass
            except Exception:
                log.exception("telling of new alarms failed; it is tried again")
            await asyncio.sleep(service.config.notify.every_s)
    finally:
        own_thread.shutdown(wait=False, cancel_futures=True)
