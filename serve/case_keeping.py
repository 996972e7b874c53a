"""Open cases for confirmed alarms, wake those whose snooze is over, and close what rules close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

from hvac.casework.case_states import OPEN_STATES, is_armed, is_confirmed
from hvac.days import today
from hvac.explain.reason import plain_reason, reason_of
from hvac.monitor.monitor_findings import read_findings
from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import sure_horizons
from serve import service_metrics
from serve.memory.database import SqlValue
from serve.memory.store import CaseConflictError
from serve.memory.store_cases import SOFTWARE, CaseFacts, CaseRow
from serve.memory.store_notices import AlarmMark
from serve.memory.store_predictions import PastRisk
from serve.memory.watched_bundles import watched_bundles
from serve.service import Service
from serve.work.casework import alarm_days

log = logging.getLogger(__name__)
LOOKED_BACK = 365  # days of past alarms that confirm one, or tell that it ended
SNOOZE_OVER = "the snooze is over"
MONITORS_EVERY_S = 300.0  # they run once a week


class CaseKeeper:
    """What the software does to cases by itself; several processes may do it at once."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.store = service.store
        self.config = service.config.cases
        self._seen: dict[Unit, AlarmMark] = {}

    def look(self) -> int:
        """Do what the rules ask today; return how many cases were opened."""
        cases = self.store.cases(states=OPEN_STATES)
        for case in cases:
            self._wake(case)
            self._close_calm(case)
        alarmed = self.store.alarmed(self.config.within_days)
        opened = self._open_for(alarmed, {case.unit for case in cases})
        counts = self.store.case_counts()
        for state in OPEN_STATES:
            service_metrics.OPEN_CASES.labels(state).set(counts.get(state, 0))
        return opened

    def _open_for(self, alarmed: dict[Unit, AlarmMark], with_case: set[Unit]) -> int:
        windows = self.store.maintenance(on_day=today())
        looked_at = {}
        opened = 0
        for unit, mark in alarmed.items():
            if unit in with_case or any(window.covers(unit) for window in windows):
                continue
            looked_at[unit] = mark
            if self._seen.get(unit) != mark:
                opened += self._open(unit, mark)
        self._seen = looked_at
        return opened

    def _open(self, unit: Unit, mark: AlarmMark) -> bool:
        """Open a case where the alarm is sure, confirmed, and not the one that was dealt with."""
        entry = self.service.ranked(unit)
        if entry is None:
            return False
        past = self._past(unit, entry["risks"], mark.end_day - LOOKED_BACK)
        horizons = {row.horizon for row in past}
        if not horizons.intersection(sure_horizons(entry)):
            return False
        scored = sorted({row.end_day for row in past if row.risk is not None})
        alarms = alarm_days(past)
        if not is_confirmed(alarms, scored, self.config):
            return False
        days = [case.closed_day or 0 for case in self.store.cases(unit=unit)]
        closed = max(days, default=None)
        if not is_armed(closed, alarms, scored, self.config):
            return False
        facts = known_at_opening(entry)
        return (
            self.store.open_case(unit, mark.end_day, facts, closed_day=closed)
            is not None
        )

    def _past(
        self, unit: Unit, horizons: Iterable[int], since_day: int = 0
    ) -> list[PastRisk]:
        """Return the past risks of a machine at the horizons whose alarms open a case.

        Args:
            unit: the machine.
            horizons: those that it has today; an earlier bundle may have had shorter ones.
            since_day: first day.
        """
        past = self.store.recent(since_day, *unit)
        within = self.config.within_days or min(horizons, default=0)
        return [row for row in past if row.horizon <= within]

    def _wake(self, case: CaseRow) -> None:
        """End a snooze whose last day is over; an alarm that goes on is told again."""
        if case.snooze_day is not None and not case.sleeps(today()):
            values = {"snooze_day": None, "snooze_reason": ""}
            self._change(case, values, SNOOZE_OVER, tell_again=True)

    def _close_calm(self, case: CaseRow) -> None:
        """Dismiss a case that nobody looked at, where its machine has been calm for long enough."""
        calm_days = self.config.close_calm_days
        if calm_days is None or case.state != "new":
            return
        entry = self.service.ranked(case.unit)
        horizons = entry["risks"] if entry else case.facts.risks
        alarms = alarm_days(self._past(case.unit, horizons))
        last_alarm = max(alarms, default=case.alarm_day)
        last_day = self.store.last_day() or last_alarm
        if last_day - last_alarm >= calm_days:
            closed: dict[str, SqlValue] = {"state": "dismissed", "closed_day": today()}
            self._change(case, closed, f"no alarm for {calm_days} days")

    def _change(
        self,
        case: CaseRow,
        values: Mapping[str, SqlValue],
        note: str,
        *,
        tell_again: bool = False,
    ) -> None:
        try:
            self.store.change_case(
                case, values, who=SOFTWARE, note=note, tell_again=tell_again
            )
        except CaseConflictError:
            log.info(
                "case %s was changed meanwhile; it is looked at again", case.case_id
            )


def known_at_opening(entry: RankedUnit) -> CaseFacts:
    """Return what is known of a machine when its case is opened."""
    reasons = [plain_reason(reason_of(reason)) for reason in entry["reasons"] or ()]
    return CaseFacts(
        point=entry["point"],
        risks=entry["risks"],
        thresholds=entry["thresholds"],
        alarms=tuple(sure_horizons(entry)),
        reasons=tuple(reasons),
    )


def count_monitor_alerts(service: Service) -> None:
    """Let the metrics say what the monitors of the batch jobs found last."""
    findings = read_findings(service.config.monitor_folder, most=0)
    for facts in findings.monitors if findings else ():
        declared = facts.declared_per_year * facts.watched_years
        unexplained = facts.alerts - facts.explained
        service_metrics.MONITOR_ALERTS.labels(facts.name).set(unexplained)
        service_metrics.MONITOR_DECLARED.labels(facts.name).set(declared)


def count_canary(service: Service) -> None:
    """Let the metrics say in how many facilities a challenger speaks."""
    service_metrics.CANARY.set(len(watched_bundles(service.store).speaks_in))


async def keep_cases_forever(service: Service) -> None:
    """Do what the rules ask of cases, again and again; a store that is away is asked again later."""
    keeper = CaseKeeper(service)
    while True:
        try:
            await asyncio.to_thread(keeper.look)
        except Exception:
            log.exception("keeping cases failed; it is tried again")
        await asyncio.sleep(service.config.cases.every_s)


async def count_monitor_alerts_forever(service: Service) -> None:
    """Read once in five minutes what the monitors found; a workspace that is away is tried again."""
    while True:
        try:
            await asyncio.to_thread(count_canary, service)
            await asyncio.to_thread(count_monitor_alerts, service)
        except Exception:
            log.exception("the monitors' findings cannot be read; it is tried again")
        await asyncio.sleep(MONITORS_EVERY_S)
