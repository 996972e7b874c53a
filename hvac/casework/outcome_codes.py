"""What a visit found: codes, and their names in both languages."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal, NamedTuple, get_args

from hvac.errors import InputError, unknown_name
from hvac.panel.grid import Unit

OutcomeCode = Literal["hit", "nothing_found", "inspected", "not_applicable", "unknown"]
CODES: Final[tuple[OutcomeCode, ...]] = get_args(OutcomeCode)
JAPANESE: Final[dict[str, OutcomeCode]] = {
    "的中": "hit",
    "空振り": "nothing_found",
    "点検済": "inspected",
    "点検済み": "inspected",
    "対象外": "not_applicable",
    "不明": "unknown",
}
VISITED: Final = ("hit", "nothing_found", "inspected")
"""Codes that say that somebody was at the machine."""


class Outcome(NamedTuple):
    """What became of an alarm or a visit; `who` found it on `day` (since 1970-01-01)."""

    unit: Unit
    day: int
    code: OutcomeCode
    who: str = ""
    note: str = ""


def outcome_code(text: str) -> OutcomeCode:
    """Return the code that a text names, in English or Japanese.

    Raises:
        InputError: it names none.

    >>> outcome_code(" Nothing found "), outcome_code("的中")
    ('nothing_found', 'hit')
    """
    plain = text.strip().lower().replace(" ", "_").replace("-", "_")
    for code in CODES:
        if plain == code:
            return code
    if text.strip() in JAPANESE:
        return JAPANESE[text.strip()]
    raise InputError(unknown_name("outcome", text.strip()[:64], CODES, "outcomes"))


def check_outcome_day(day: dt.date, alarm_day: dt.date | None) -> None:
    """Refuse an outcome of a day before the alarm that it is about.

    Raises:
        InputError: the day lies before the alarm.
    """
    if alarm_day is not None and day < alarm_day:
        raise InputError(
            f"date {day} is before the alarm of {alarm_day} that the outcome is about:"
            " correct date, or leave case_id out"
        )
