"""What pages show of cases: lines of the list, and the case of one machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from hvac.casework.case_states import NEXT
from hvac.days import date_of, today
from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_headline, reason_sentence
from hvac.panel.grid import Unit
from hvac.readings.accepted import newest_day
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import sure_horizons
from serve.bodies.body_rows import known_date
from serve.bodies.case_rows import utc_moment
from serve.http.page_words import PageWords
from serve.memory.database import SqlValue
from serve.memory.store_cases import SOFTWARE, CaseChange, CaseRow
from serve.memory.store_outcomes import OutcomeRow
from serve.service import Service

DAY_COLUMNS = ("due_day", "snooze_day", "closed_day")


class CaseLine(NamedTuple):
    """A case as the list shows it; `risk` is the highest that alarmed when it was opened.

    `risk_now` is today's at the same horizon, None where there is none.
    """

    case: CaseRow
    opened: dt.date
    due: dt.date | None
    late: bool
    sleeps: bool
    days: int
    risk: float | None
    risk_now: float | None
    alarms_now: bool
    reason: str


def case_lines(
    cases: Sequence[CaseRow], ranked: Mapping[Unit, RankedUnit], words: PageWords
) -> list[CaseLine]:
    """Return cases as the list shows them: overdue ones, then those in alarm, then by risk.

    Closed ones come last, in the order that they are given in.
    """
    lines = [_line(case, ranked.get(case.unit), words) for case in cases]
    return sorted(lines, key=_turn)


def _turn(line: CaseLine) -> tuple[bool, ...] | tuple[bool, bool, bool, float]:
    if not line.case.is_open:
        return (True,)
    return False, not line.late, not line.alarms_now, -(line.risk or 0)


def _line(case: CaseRow, entry: RankedUnit | None, words: PageWords) -> CaseLine:
    facts = case.facts
    days = min(facts.alarms, default=min(facts.risks, default=0))
    reasons = [reason_of(reason) for reason in facts.reasons]
    return CaseLine(
        case=case,
        opened=date_of(case.alarm_day),
        due=known_date(case.due_day),
        late=case.is_open and case.due_day is not None and case.due_day < today(),
        sleeps=case.is_open and case.sleeps(today()),
        days=days,
        risk=facts.risks.get(days),
        risk_now=entry["risks"].get(days) if entry else None,
        alarms_now=bool(entry and sure_horizons(entry)),
        reason=(
            reason_headline(reasons[0], words.language, words.names)
            if reasons and reasons[0].log_odds > 0
            else ""
        ),
    )


class ChangeLine(NamedTuple):
    """A change of a case in words."""

    at: dt.datetime
    who: str
    what: list[str]
    note: str


class UnitCase(TypedDict):
    """The newest case of a machine, as its page shows it; outcomes are the newest first."""

    line: CaseLine | None
    reasons: list[str]
    history: list[ChangeLine]
    next_states: tuple[str, ...]
    outcomes: list[OutcomeRow]
    today: dt.date
    latest: dt.date


def unit_case(service: Service, unit: Unit, words: PageWords) -> UnitCase:
    """Return the newest case of a machine with its history, and what visits found."""
    cases = service.store.cases(unit=unit)
    entry = service.ranked(unit)
    case = cases[0] if cases else None
    changes = service.store.case_changes(case.case_id) if case else []
    reasons = [reason_of(reason) for reason in case.facts.reasons] if case else []
    return {
        "line": _line(case, entry, words) if case else None,
        "reasons": [
            reason_sentence(reason, words.language, words.names)
            for reason in reasons
            if reason.log_odds > 0
        ],
        "history": [_change_line(change, words) for change in reversed(changes)],
        "next_states": NEXT[case.state] if case else (),
        "outcomes": service.store.outcomes(unit)[::-1],
        "today": date_of(today()),
        "latest": newest_day(),
    }


def _change_line(change: CaseChange, words: PageWords) -> ChangeLine:
    who = words("case.software") if change.who == SOFTWARE else change.who
    what = [_what(name, after, words) for name, (_, after) in change.changes.items()]
    return ChangeLine(
        utc_moment(change.since), who, [text for text in what if text], change.note
    )


def _what(name: str, after: SqlValue, words: PageWords) -> str:
    """Say what a column was changed to; nothing of those that others imply."""
    if name == "state":
        return words.name("case_state", str(after))
    if name in ("snooze_reason", "closed_day"):
        return ""
    value = known_date(int(after)) if name in DAY_COLUMNS and after else after
    return words(f"case.changed_{name}", value=value or "–")
