"""Bodies and answers about cases, outcomes, maintenance and alarm episodes."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from hvac.casework.case_states import CaseState
from hvac.casework.episode_results import EpisodeResult
from hvac.casework.outcome_codes import OutcomeCode, outcome_code
from hvac.days import EPOCH
from serve.bodies.answers import EQUIPMENT, FACILITY, ReasonText, RiskReason
from serve.bodies.schemas import Body, Day, Items, UnitId, not_in_the_future, parsed_day
from serve.ids import Id

CASE = "id of the case"
CODES = (
    "hit: a fault was found; nothing_found; inspected: seen to, with no word on faults;"
    " not_applicable: the alarm says nothing here; unknown"
)
VERSION = "version of the case as you read it; another one is answered 409"
WHO = "who did it; default: the name of the API key"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # not tab, not line ends


def _no_control(text: str) -> str:
    """Refuse characters that PostgreSQL cannot keep and no page can show."""
    if control := CONTROL.search(text):
        raise ValueError(
            f"control character {control[0]!r} cannot be kept: leave it out"
        )
    return text


Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(_no_control),
]
ShortWords = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=128),
    AfterValidator(_no_control),
]
AnyDay = Annotated[
    dt.date,
    BeforeValidator(parsed_day),
    Field(ge=EPOCH, description="calendar day, e.g. 2024-03-01"),
]


def _code(given: Any) -> Any:
    return outcome_code(given) if isinstance(given, str) else given


class CaseChangeBody(Body):
    """What to change of a case; what is left out stays as it is."""

    version: Annotated[int, Field(strict=True, ge=1, description=VERSION)]
    state: CaseState | None = Field(
        default=None, description="seen, planned, done or dismissed"
    )
    assignee: ShortWords | None = Field(
        default=None, description="who sees to it; empty: nobody"
    )
    due_date: AnyDay | None = Field(
        default=None, description="day until which it is to be seen to; null: none"
    )
    snooze_until: AnyDay | None = Field(
        default=None,
        description="last day on which its alarms are not told; null: ends the snooze",
    )
    snooze_reason: ShortWords = Field(
        default="", description="why; needed with snooze_until"
    )
    note: Words = Field(default="", description="a note that is kept with the change")

    @model_validator(mode="after")
    def _has_a_reason(self) -> Self:
        if self.snooze_until is not None and not self.snooze_reason:
            raise ValueError("snooze_reason is missing: say why the case is snoozed")
        return self


class OutcomeBody(UnitId):
    """What became of an alarm, or what a visit found."""

    date: Day
    code: Annotated[OutcomeCode, BeforeValidator(_code)] = Field(description=CODES)
    note: Words = Field(default="", description="what was found")
    who: ShortWords = Field(default="", description=WHO)
    case_id: Id | None = Field(
        default=None,
        description="the case it is about; default: the machine's case that was open that day",
    )
    close_case: bool = Field(default=False, description="whether its case is done")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        not_in_the_future("date", self.date)
        return self


class OutcomesBody(Body):
    """Outcomes to be kept; one of the same machine, day and person replaces the earlier one."""

    outcomes: Items[OutcomeBody] = Field(
        min_length=1, max_length=10_000, description="one entry per outcome"
    )


class MaintenanceBody(Body):
    """Days on which no case is opened and no alarm is told."""

    facility_id: Id = Field(description=FACILITY)
    equipment_id: Id | None = Field(
        default=None, description=f"{EQUIPMENT}; null: the whole facility"
    )
    first_date: AnyDay
    last_date: AnyDay
    reason: ShortWords = Field(default="", description="why")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_date < self.first_date:
            raise ValueError(
                f"last_date {self.last_date} is before first_date {self.first_date}"
            )
        return self


class CaseAnswer(BaseModel):
    """A case: what is being done about one machine's alarm."""

    case_id: str = Field(description=CASE)
    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    opened: dt.datetime = Field(description="when it was opened (UTC)")
    alarm_date: dt.date = Field(description="last day of the readings that opened it")
    state: CaseState = Field(description="new, seen, planned, done or dismissed")
    assignee: str = Field(description="who sees to it; empty: nobody")
    due_date: dt.date | None = Field(description="day until which it is to be seen to")
    snooze_until: dt.date | None = Field(
        description="last day on which its alarms are not told; null: it is not snoozed"
    )
    snooze_reason: str = Field(description="why it is snoozed")
    closed_date: dt.date | None = Field(
        description="day it was closed; null: it is open"
    )
    version: int = Field(description=VERSION)
    point_id: str | None = Field(description="the point that its alarm was about")
    risks: dict[int, float] = Field(
        description="risks (0 to 1) on the day it was opened, by horizon (days)"
    )
    thresholds: dict[int, float] = Field(
        description="thresholds (0 to 1) on that day, by horizon (days)"
    )


class CaseChangeAnswer(BaseModel):
    """One change of a case."""

    version: int = Field(description="version of the case after it")
    at: dt.datetime = Field(description="when (UTC)")
    who: str = Field(description="name of the API key, or `software`: a rule")
    note: str = Field(description="note of the change")
    changes: dict[str, list[str | int | float | None]] = Field(
        description="value before and after, by column; days count from 1970-01-01"
    )


class OneCaseAnswer(CaseAnswer):
    """A case with its reasons as they were on the day it was opened, and all changes."""

    reasons: list[RiskReason] = Field(description="why there was an alarm")
    history: list[CaseChangeAnswer] = Field(description="all changes, the oldest first")


class CasesAnswer(BaseModel):
    """Cases, the newest first."""

    cases: list[CaseAnswer] = Field(description="one entry per case")


class OutcomeAnswer(BaseModel):
    """A stored outcome."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    date: dt.date = Field(description="day of the visit")
    code: OutcomeCode = Field(description=CODES)
    note: str = Field(description="what was found")
    who: str = Field(description=WHO)
    case_id: str | None = Field(description=f"{CASE}; null: of none")


class OutcomesAnswer(BaseModel):
    """Outcomes, the oldest first."""

    outcomes: list[OutcomeAnswer] = Field(description="one entry per outcome")


class KeptOutcomes(BaseModel):
    """How much was kept."""

    kept: int = Field(description="number of outcomes")


class RefusedOutcome(BaseModel):
    """A row of a table of outcomes that was not taken."""

    line: int = Field(description="line of the file on which the row begins, from 1")
    column: str = Field(description="the table's name of the column; empty: the row")
    found: str = Field(description="what stands there, its first 80 characters")
    why: ReasonText = Field(description="why it was not taken")


class TakenOutcomes(BaseModel):
    """What became of the rows of a table of outcomes."""

    taken: int = Field(description="rows that were kept")
    known: int = Field(description="rows that were known already")
    refused: list[RefusedOutcome] = Field(description="one entry per row not taken")


class MaintenanceAnswer(BaseModel):
    """Days on which no case is opened and no alarm is told."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str | None = Field(
        description=f"{EQUIPMENT}; null: the whole facility"
    )
    first_date: dt.date = Field(description="first day")
    last_date: dt.date = Field(description="last day")
    reason: str = Field(description="why")


class MaintenancesAnswer(BaseModel):
    """All known days of maintenance, the earliest first."""

    maintenance: list[MaintenanceAnswer] = Field(description="one entry per window")


class EpisodeAnswer(BaseModel):
    """Alarms of one machine that count as one, and what became of them."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    days: int = Field(description="horizon in days")
    first_date: dt.date = Field(description="first day with an alarm")
    last_date: dt.date = Field(description="last day with an alarm")
    result: EpisodeResult = Field(
        description=(
            "hit: an anomaly began, or was found; false: none did; pre_empted: a visit came first;"
            " left_out: the alarm says nothing here; open: its horizon is not over"
        )
    )
    visited: bool = Field(
        description="whether somebody was at the machine until its horizon was over"
    )


class EpisodesAnswer(BaseModel):
    """Alarm episodes, the oldest first."""

    episodes: list[EpisodeAnswer] = Field(description="one entry per episode")


Listed = Literal["open", "closed", "all"]
