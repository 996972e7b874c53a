"""The report's first section: what to look at now, of the newest scores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, TypedDict

from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_sentence
from hvac.json_values import branch
from hvac.panel.names import NO_NAMES, Names
from hvac.report.view import Block, Cell, Note, Row, Table, View, number, show
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import is_sure_alarm, sure_horizons
from hvac.words import LANGUAGES

MOST_ROWS: Final = 10


class NowRow(TypedDict):
    """One piece of equipment with an alarm; risks and alarms are by horizon.

    By language: `about` (facility and class) and `why` (the first reason).
    """

    facility_id: str
    equipment_id: str
    about: dict[str, str]
    risks: dict[str, float]
    alarms: list[str]
    why: dict[str, str]


class Now(TypedDict):
    """The newest scores: the day, counts of equipment and alarms, and the first alarms.

    `soon` counts the alarms within the shortest horizon.
    """

    end_date: str
    equipment: int
    alarms: int
    soon: int
    rows: list[NowRow]


def now_of(entries: Sequence[RankedUnit], names: Names = NO_NAMES) -> Now:
    """Return the newest scores of a ranking as metrics.json holds them."""
    alarmed = [entry for entry in entries if sure_horizons(entry)]
    shortest = min((h for entry in entries for h in entry["risks"]), default=0)
    return {
        "end_date": str(max((entry["end_date"] for entry in entries), default="")),
        "equipment": len(entries),
        "alarms": len(alarmed),
        "soon": sum(is_sure_alarm(entry, shortest) for entry in alarmed),
        "rows": [_stored(entry, names) for entry in alarmed[:MOST_ROWS]],
    }


def _stored(entry: RankedUnit, names: Names) -> NowRow:
    reasons = [reason_of(reason) for reason in entry["reasons"] or ()]
    first = [reason for reason in reasons if reason.log_odds > 0][:1]
    about, why = {}, {}
    facility = entry["facility_id"]
    for language in LANGUAGES:
        place = names.shown("facility", facility, language)
        kind = names.shown("class", entry["class"], language)
        about[language] = " · ".join(dict.fromkeys((place, facility, kind)))
        point = entry["point"]
        text = names.shown("point", point, language) if point else ""
        why[language] = reason_sentence(first[0], language, names) if first else text
    return {
        "facility_id": facility,
        "equipment_id": entry["equipment_id"],
        "about": about,
        "risks": {str(horizon): risk for horizon, risk in entry["risks"].items()},
        "alarms": [str(horizon) for horizon in sure_horizons(entry)],
        "why": why,
    }


def now_section(view: View) -> list[Block]:
    """Return what to visit first; nothing where nothing was scored since the models were made."""
    now = view.group("now")
    if not now or not view.horizons:
        return []
    words = view.words
    counts = {
        key: round(number(now.get(key)) or 0) for key in ("equipment", "alarms", "soon")
    }
    lead = Note(
        words("now.lead", date=str(now["end_date"]), days=view.horizons[0], **counts)
    )
    rows = [_row(view, stored) for stored in _rows(view)]
    if not rows:
        return [lead, Note(words("now.calm"))]
    head = [words("table.equipment"), *view.heads(view.horizons), words("now.why")]
    table = Table(caption=words("now.caption", shown=len(rows)), head=head, rows=rows)
    return [lead, table, Note(words("now.note"))]


def _rows(view: View) -> Sequence[NowRow]:
    rows = view.at("now", "rows")
    return rows if isinstance(rows, list) else []


def _row(view: View, stored: NowRow) -> Row:
    cells = []
    for horizon in view.horizons:
        risk = stored["risks"].get(horizon)
        alarms = horizon in stored["alarms"]
        text = show(risk, "share")
        detail = view.words("now.alarm") if alarms else ""
        cells.append(Cell(text, detail=detail, tone="worse" if alarms else ""))
    language = view.words.language
    cells.append(Cell(stored["why"].get(language, ""), tone="sentence"))
    head = view.named("equipment", stored["equipment_id"], stored["facility_id"])
    about = [text for text in (head.detail, stored["about"].get(language, "")) if text]
    head = Cell(head.text, detail=" · ".join(about))
    return Row(head=head, cells=cells)


def local_time(text: str) -> str:
    """Return a moment of a record in this machine's time zone, to the minute.

    >>> local_time("not a time")
    'not a time'
    """
    try:
        moment = dt.datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname()}"


def is_simulated(view: View) -> bool:
    """Tell whether the readings of a run are simulated."""
    return bool(branch(view.group("run"), "config").get("simulate"))
