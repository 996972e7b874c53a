"""Stored cases, outcomes and maintenance as answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hvac.casework.episode_results import AlarmEpisode
from hvac.casework.outcome_table import RefusedRow
from hvac.days import date_of
from hvac.panel.grid import Unit
from hvac.sentences import translated
from serve.bodies.answer_rows import risk_reasons
from serve.bodies.answers import ReasonText
from serve.bodies.body_rows import known_date
from serve.bodies.case_bodies import (
    CaseAnswer,
    CaseChangeAnswer,
    EpisodeAnswer,
    MaintenanceAnswer,
    OneCaseAnswer,
    OutcomeAnswer,
    RefusedOutcome,
)
from serve.memory.store_cases import CaseChange, CaseRow
from serve.memory.store_outcomes import MaintenanceRow, OutcomeRow

OUTCOME_COLUMNS = tuple(OutcomeAnswer.model_fields)
EPISODE_COLUMNS = tuple(EpisodeAnswer.model_fields)


def utc_moment(seconds: float) -> dt.datetime:
    """Return seconds since 1970 as a moment in UTC, to the second."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def case_answer(case: CaseRow) -> CaseAnswer:
    """Return a case without its reasons."""
    facts = case.facts
    return CaseAnswer.model_validate(
        {
            **case._asdict(),
            "opened": utc_moment(case.opened),
            "alarm_date": date_of(case.alarm_day),
            "due_date": known_date(case.due_day),
            "snooze_until": known_date(case.snooze_day),
            "closed_date": known_date(case.closed_day),
            "point_id": facts.point,
            "risks": facts.risks,
            "thresholds": facts.thresholds,
        }
    )


def one_case_answer(case: CaseRow, changes: Sequence[CaseChange]) -> OneCaseAnswer:
    """Return a case with its reasons of then, and its changes."""
    return OneCaseAnswer(
        **case_answer(case).model_dump(),
        reasons=risk_reasons(case.facts.reasons, {}) or [],
        history=[
            CaseChangeAnswer(
                version=change.version,
                at=utc_moment(change.since),
                who=change.who,
                note=change.note,
                changes=change.changes,
            )
            for change in changes
        ],
    )


def outcome_answer(row: OutcomeRow) -> OutcomeAnswer:
    """Return a stored outcome."""
    return OutcomeAnswer.model_validate({**row._asdict(), "date": date_of(row.day)})


def refused_outcome(row: RefusedRow) -> RefusedOutcome:
    """Return a row that was not taken, with the reason in both languages."""
    why = ReasonText(en=row.why, ja=translated(row.why, "ja"))
    return RefusedOutcome(line=row.line, column=row.column, found=row.found, why=why)


def maintenance_answer(row: MaintenanceRow) -> MaintenanceAnswer:
    """Return days of maintenance."""
    return MaintenanceAnswer(
        facility_id=row.facility_id,
        equipment_id=row.equipment_id or None,
        first_date=date_of(row.first_day),
        last_date=date_of(row.last_day),
        reason=row.reason,
    )


def episode_answer(unit: Unit, horizon: int, episode: AlarmEpisode) -> EpisodeAnswer:
    """Return an alarm episode of a machine."""
    return EpisodeAnswer(
        facility_id=unit.facility_id,
        equipment_id=unit.equipment_id,
        days=horizon,
        first_date=date_of(episode.first_day),
        last_date=date_of(episode.last_day),
        result=episode.result,
        visited=episode.visited,
    )
