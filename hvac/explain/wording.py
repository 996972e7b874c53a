"""Reasons and past cases as sentences, in English and Japanese."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from hvac.explain.reason import COVERAGE, HISTORY, LIMITS, POINT, PastCase, Reason
from hvac.panel.names import NO_NAMES, Names
from hvac.words import Texts, read_texts, short_number

# spreads: a mean nearer to its usual level than that stands at it
AS_USUAL: Final = 0.5
LEAST_GAP: Final = 0.3  # spreads from the peers that are worth a word
STRONG: Final = 0.9  # log-odds: odds 2.5 times as high
CLEAR: Final = 0.4  # log-odds: odds 1.5 times as high
DAYS_A_YEAR: Final = 365.25


def reason_words(language: str) -> Texts:
    """Return the words of reasons."""
    return Texts(language, read_texts("hvac.explain", "reason_texts.yaml"))


def strength(reason: Reason) -> str:
    """Return how much a reason weighs: `strong`, `clear` or `slight`.

    >>> strength(Reason("flow", "point", -1.2))
    'strong'
    """
    size = abs(reason.log_odds)
    if size >= STRONG:
        return "strong"
    return "clear" if size >= CLEAR else "slight"


def reason_headline(reason: Reason, language: str, names: Names = NO_NAMES) -> str:
    """Write a reason in short: which point, which way, how far; not since when, nor its peers."""
    return reason_sentence(
        reason._replace(since=None, over_peers=None), language, names
    )


def reason_sentence(reason: Reason, language: str, names: Names = NO_NAMES) -> str:
    """Write a reason as a sentence without a full stop; points by their names and units.

    >>> worn = Reason("vibration", "point", 1.1, now=4.21, usual=2.4, moved=3.0)
    >>> reason_sentence(worn, "en")
    'vibration is higher than usual: 4.21, usually 2.4'
    """
    words = reason_words(language)
    if reason.about == POINT:
        return _of_point(reason, words, names)
    if reason.about == HISTORY:
        return _of_history(reason, words, names)
    if reason.about == LIMITS:
        return _of_limits(reason, words, names)
    if reason.about == COVERAGE:
        if reason.share is None:
            return words("coverage.unknown")
        return words("coverage.known", percent=round(100 * reason.share))
    if reason.days is None:
        return words("season_and_age.unknown")
    return words("season_and_age.known", years=f"{reason.days / DAYS_A_YEAR:.1f}")


def _of_point(reason: Reason, words: Texts, names: Names) -> str:
    point = names.shown("point", reason.player, words.language)
    if reason.now is None or reason.usual is None or reason.moved is None:
        return words("point.unknown", point=point)
    unit = names.unit(reason.player)
    values = {
        "point": point,
        "now": short_number(reason.now) + unit,
        "usual": short_number(reason.usual) + unit,
    }
    moved = abs(reason.moved) >= AS_USUAL
    if reason.log_odds < 0:
        return words("point.calm_moved" if moved else "point.calm", **values)
    if not moved and reason.days is not None:
        return words("point.left_range", days=round(reason.days), **values)
    if not moved:
        return words("point.pattern", **values)
    parts = [words("point.higher" if reason.moved > 0 else "point.lower", **values)]
    if reason.since is not None:
        parts.append(words("point.since", date=_day(reason.since, words.language)))
    gap = _gap(reason, words, unit)
    return words("separator").join([*parts, gap] if gap else parts)


def _gap(reason: Reason, words: Texts, unit: str) -> str:
    """Return how far a point lies from its peers; nothing where that is little or unknown."""
    if (
        reason.over_peers is None
        or not reason.moved
        or reason.now is None
        or reason.usual is None
    ):
        return ""
    spread = abs((reason.now - reason.usual) / reason.moved)
    if abs(reason.over_peers) < LEAST_GAP * spread:
        return ""
    side = "point.above_peers" if reason.over_peers > 0 else "point.below_peers"
    return words(side, gap=short_number(abs(reason.over_peers)) + unit)


def _day(day: dt.date, language: str) -> str:
    return f"{day.month}月{day.day}日" if language == "ja" else f"{day.day} {day:%b}"


def _of_history(reason: Reason, words: Texts, names: Names) -> str:
    if reason.event is None or reason.days is None:
        return words("history.none")
    named = names.shown("event", reason.event, words.language)
    event = words.name("event", reason.event) if named == reason.event else named
    parts = [words("history.event", event=event, days=round(reason.days))]
    if reason.in_a_year is not None:
        parts.append(words("history.count", count=round(reason.in_a_year)))
    return words("separator").join(parts)


def _of_limits(reason: Reason, words: Texts, names: Names) -> str:
    point = words("limits.some_point")
    if reason.point is not None:
        point = names.shown("point", reason.point, words.language)
    if reason.share is not None and reason.share < 0:
        return words("limits.outside", point=point)
    if reason.days is not None:
        return words("limits.trend", point=point, days=round(reason.days))
    if reason.share is not None:
        return words("limits.margin", point=point, percent=round(100 * reason.share))
    return words("limits.unknown")


def reasons_line(
    reasons: Sequence[Reason], language: str, names: Names = NO_NAMES
) -> str:
    """Write the reasons for a risk in one line, strongest first; nothing where there is none."""
    in_favour = [reason for reason in reasons if reason.log_odds > 0]
    return " / ".join(reason_sentence(reason, language, names) for reason in in_favour)


def aspects_words(aspects: Sequence[str], language: str) -> str:
    """Write which one or two aspects of a point count most; nothing where none does.

    >>> aspects_words(["level", "peers"], "en")
    'mostly its level and its distance from peers'
    """
    words = reason_words(language)
    names = [words(f"aspect.{aspect}") for aspect in aspects]
    if not names:
        return ""
    if len(names) == 1:
        return words("aspects.one", first=names[0])
    return words("aspects.two", first=names[0], second=names[1])


def case_sentence(case: PastCase, language: str, *, named: bool) -> str:
    """Write a past case as a sentence; a machine that a reader may not see stays unnamed."""
    words = reason_words(language)
    equipment = case.equipment_id if named else words("cases.elsewhere")
    key = "cases.calm" if case.within_days is None else "cases.began"
    return words(key, equipment=equipment, date=case.end_date, days=case.within_days)
