"""What people do with cases: change them, tell what a visit found, note maintenance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hvac.casework.case_states import OPEN_STATES, check_change
from hvac.casework.episode_results import AlarmEpisode, unit_episodes
from hvac.casework.outcome_codes import Outcome, check_outcome_day
from hvac.days import EPOCH, date_of, today
from hvac.errors import InputError
from hvac.panel.grid import Unit
from serve.bodies.body_rows import day_number
from serve.bodies.case_bodies import CaseChangeBody, MaintenanceBody, OutcomeBody
from serve.bodies.problems import Refused, Unknown
from serve.graph.asks import unit_events
from serve.keys import Caller
from serve.memory.database import SqlValue
from serve.memory.store import CaseConflictError, Store
from serve.memory.store_cases import CaseRow
from serve.memory.store_outcomes import WHOLE_FACILITY, MaintenanceRow
from serve.memory.store_predictions import PastRisk

CLOSING_TRIES = 5  # where others change the same case at once


class Casework:
    """Cases, outcomes and maintenance over a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def case(self, case_id: str, caller: Caller) -> CaseRow:
        """Return a case. Raise Unknown where there is none, or not for this caller."""
        case = self.store.case(case_id)
        if case is None or not caller.sees(case.facility_id):
            raise Unknown(f"case {case_id[:64]!r} is not known here")
        return case

    def change(self, case_id: str, body: CaseChangeBody, caller: Caller) -> CaseRow:
        """Change a case; only what the body names is changed.

        Raises:
            Unknown: there is no such case for this caller.
            InputError: its state cannot become the one asked for, or the snooze is over.
            CaseConflictError: it has another version by now.
        """
        case = self.case(case_id, caller)
        if body.version != case.version:
            raise CaseConflictError
        values: dict[str, SqlValue] = {}
        given = body.model_fields_set
        if body.state is not None and body.state != case.state:
            check_change(case.state, body.state)
            values["state"] = body.state
            if body.state not in OPEN_STATES:
                values["closed_day"] = today()
        if body.assignee is not None:
            values["assignee"] = body.assignee
        if "due_date" in given:
            values["due_day"] = day_number(body.due_date)
        if "snooze_until" in given:
            values["snooze_day"] = _snooze_day(body.snooze_until, case)
            values["snooze_reason"] = body.snooze_reason
        return self.store.change_case(case, values, who=caller.name, note=body.note)

    def quiet_units(self) -> set[Unit]:
        """Return the machines whose visit is planned, or whose alarms are told to nobody now."""
        cases = self.store.cases(states=OPEN_STATES)
        return {case.unit for case in cases if case.is_quiet(today())}

    def record(self, bodies: Sequence[OutcomeBody], caller: Caller) -> int:
        """Keep what visits found, all or nothing; return how many.

        An outcome that names no case is of the machine's case that was open on its day.

        Raises:
            Unknown: a machine or a case is not known to this caller.
            InputError: an outcome is of a day before the alarm of its case.
        """
        rows = [self.outcome(body, caller) for body in bodies]
        self.store.add_outcomes(
            [(one, case and case.case_id) for one, case in rows], caller.name
        )
        for body, (_, case) in zip(bodies, rows, strict=True):
            if body.close_case and case is not None:
                self._close(case.case_id, f"outcome: {body.code}", caller)
        return len(rows)

    def _close(self, case_id: str, note: str, caller: Caller) -> None:
        """Close a case, whatever else somebody changes of it meanwhile; a closed one stays as it is.

        Raises:
            CaseConflictError: it was changed again and again.
        """
        closed: dict[str, SqlValue] = {"state": "done", "closed_day": today()}
        for last in [False] * CLOSING_TRIES + [True]:
            case = self.store.case(case_id)
            if case is None or not case.is_open:
                return
            try:
                self.store.change_case(case, closed, who=caller.name, note=note)
            except CaseConflictError:
                if last:
                    raise
            else:
                return

    def outcome(
        self, body: OutcomeBody, caller: Caller
    ) -> tuple[Outcome, CaseRow | None]:
        """Return an outcome with its case, without keeping it.

        Raises:
            Unknown: its machine or its case is not known to this caller.
            Refused: the case is another machine's.
            InputError: its day is before the alarm of its case.
        """
        unit = body.unit
        if not caller.sees(unit.facility_id) or self.store.unit(unit) is None:
            names = f"{unit.facility_id[:64]} {unit.equipment_id[:64]}"
            raise Unknown(f"equipment {names} is not known here")
        case = self._case_of(body, caller)
        who = body.who or caller.name
        day = (body.date - EPOCH).days
        return Outcome(unit, day, body.code, who, body.note), case

    def _case_of(self, body: OutcomeBody, caller: Caller) -> CaseRow | None:
        """Return the case that an outcome is about: the named one, else that of its day, or None."""
        if body.case_id is not None:
            case = self.case(body.case_id, caller)
            if case.unit != body.unit:
                raise Refused(
                    f"case {body.case_id[:64]} is of {' '.join(case.unit)}: correct case_id,"
                    " or leave it out"
                )
            check_outcome_day(body.date, date_of(case.alarm_day))
            return case
        day = (body.date - EPOCH).days
        cases = self.store.cases(unit=body.unit)
        return next((case for case in cases if case.was_open_on(day)), None)

    def maintain(self, body: MaintenanceBody, caller: Caller) -> MaintenanceRow:
        """Keep days of maintenance of a machine or a facility. Raise Unknown."""
        facility, equipment = body.facility_id, body.equipment_id
        known = (
            facility in self.store.facilities()
            if equipment is None
            else self.store.unit(Unit(facility, equipment)) is not None
        )
        if not known or not caller.sees(facility):
            raise Unknown(f"{facility[:64]} {(equipment or '')[:64]} is not known here")
        row = MaintenanceRow(
            facility,
            WHOLE_FACILITY if equipment is None else equipment,
            (body.first_date - EPOCH).days,
            (body.last_date - EPOCH).days,
            body.reason,
            caller.name,
        )
        self.store.add_maintenance(row)
        return row

    def episodes(
        self, unit: Unit, predicted: tuple[str, ...]
    ) -> dict[int, list[AlarmEpisode]]:
        """Return what became of a machine's alarms by horizon, the oldest first.

        Args:
            unit: the machine.
            predicted: kinds of events that its alarms are about.
        """
        history = self.store.recent(0, *unit)
        events = unit_events(unit, self.store.events(unit))
        outcomes = [row.outcome for row in self.store.outcomes(unit)]
        of_horizon = {}
        for horizon in sorted({row.horizon for row in history}):
            past = [row for row in history if row.horizon == horizon]
            of_horizon[horizon] = unit_episodes(
                alarm_days(past),
                horizon=horizon,
                events=events,
                outcomes=outcomes,
                predicted=predicted,
                today=past[-1].end_day,
            )
        return of_horizon


def _snooze_day(day: dt.date | None, case: CaseRow) -> int | None:
    """Return the last day of a snooze. Raise InputError for a new one that is over already."""
    number = day_number(day)
    if number is not None and number < today() and number != case.snooze_day:
        raise InputError(
            f"snooze_until {day} is over already: give {date_of(today())} or a later day"
        )
    return number


def alarm_days(past: Sequence[PastRisk]) -> list[int]:
    """Return the days with an alarm at any horizon, each once, in order."""
    return sorted({row.end_day for row in past if row.alarm})
