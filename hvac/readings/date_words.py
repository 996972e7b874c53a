"""Dates as people write them, one text at a time, rewritten as `2024-3-1 17:04`.

Understood are eras, month names, halves of a day and named time zones.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hvac.readings.text_values import normal

# Years before the first of each era.
ERAS = {
    **dict.fromkeys(("令和", "R"), 2018),
    **dict.fromkeys(("平成", "H"), 1988),
    **dict.fromkeys(("昭和", "S"), 1925),
    **dict.fromkeys(("大正", "T"), 1911),
    **dict.fromkeys(("明治", "M"), 1867),
}
_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {name: month for month, name in enumerate(_NAMES, 1)}
MONTHS |= {name[:3]: month for name, month in MONTHS.items()} | {"sept": 9}

MONTHS_OF_YEAR = 12

_REST = r"(?P<rest>(?:[\s,T].*)?)"
_ERA = re.compile(
    r"(?P<era>令和|平成|昭和|大正|明治|[RHSTM])\.?\s*(?P<year>元|\d{1,2})\s*[年./-]\s*"
    rf"(?P<month>\d{{1,2}})\s*[月./-]\s*(?P<day>\d{{1,2}})\s*日?{_REST}",
    re.IGNORECASE | re.ASCII,
)
_ERA_DIGITS = re.compile(
    r"(?P<era>[RHSTM])(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<rest>)",
    re.I | re.ASCII,
)
_WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_NAMED = tuple(
    re.compile(pattern + _REST, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s./-]*(?P<month>[a-z]{3,9})\.?[\s./,-]*(?P<year>\d{4})",
        r"(?P<month>[a-z]{3,9})\.?\s*(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,\s*|\s+)(?P<year>\d{4})",
        r"(?P<year>\d{4})[\s./-]*(?P<month>[a-z]{3,9})\.?[\s./-]*(?P<day>\d{1,2})",
    )
)
_CTIME = re.compile(
    r"^([a-z]{3,9})\s+(\d{1,2})\s+(\d{1,2}:\d\d(?::\d\d)?)\s+(\d{4})$",
    re.IGNORECASE | re.ASCII,
)
_HALF = re.compile(r"\s*(午前|午後|[AP]\.?M\.?(?![A-Z]))\s*", re.IGNORECASE)
_HOUR = re.compile(r"(?<=[\sT])(\d{1,2})(?=[:時]|$)", re.ASCII)
_REGION = re.compile(
    r"\s*(?:\[(?P<bracket>[\w/+-]+)\]|\s(?P<bare>[A-Z][A-Za-z_]+/[A-Za-z_/]+))$",
    re.ASCII,
)
_OFFSET = re.compile(r"\d(Z|\s*[+-]\d{2}(:?\d{2})?)$", re.IGNORECASE | re.ASCII)
_STAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T\s](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?",
    re.ASCII,
)
_DAY_OR_MONTH = re.compile(
    r"\d{1,2}(?P<sign>[/.-])\d{1,2}[/.-]\d{4}(?P<rest>\D.*)?", re.ASCII
)


def rewritten(text: str) -> str:
    """Return a date in the order year, month, day; what is not understood stays as it is.

    >>> rewritten("R6.3.1"), rewritten("令和元年5月1日 午後5時")
    ('2024-3-1', '2019-5-1 17:00')
    >>> rewritten("Mar 1st, 2024"), rewritten("2024/3/1(金) 5:04 PM")
    ('2024-3-1', '2024/3/1 17:04')
    """
    plain = re.sub(r"\s*\([^)]*\)", "", normal(text))  # 2024/3/1(金)
    plain = re.sub(r"日\s*(?=[\d午])", "日 ", plain)
    plain = re.sub(
        r"^(\d{4})\.\s*(\d{1,2})\.\s*(\d{1,2})\.(?=\s|$)", r"\1-\2-\3", plain
    )
    plain = re.sub(r"^(\d{4})(\d{2})(\d{2})(?=[ T]+\d{1,2}:)", r"\1-\2-\3", plain)
    plain, zone = _without_region(plain)
    plain = by_24_hours(_month_names(_era(plain)))
    plain = re.sub(r"\s*([年月])\s*", r"\1", plain)
    plain = re.sub(r"(\d{1,2})時(?!\d)", r"\1:00", plain)
    if plain.count(",") == 1 and ", " in plain:
        plain = re.sub(r",\s*", " ", plain)
    plain = re.sub(r"\s*(UTC|GMT)(?=[+-]\d)", "", plain)
    plain = re.sub(r"([+-]\d{2}:?\d{2})\s+[A-Z]{3,4}$", r"\1", plain)
    return _in_region(plain, zone)


def _without_region(plain: str) -> tuple[str, str]:
    """Cut off the name of a time zone, in brackets or behind a space; '' where there is none."""
    match = _REGION.search(plain)
    if match is None:
        return plain, ""
    return plain[: match.start()], match["bracket"] or match["bare"]


def _in_region(plain: str, zone: str) -> str:
    """Add the offset of a named zone where none is written."""
    stamp = _STAMP.fullmatch(plain)
    if not zone or _OFFSET.search(plain):
        return plain
    region = _zone(zone)
    if region is None or stamp is None:
        return f"{plain} {zone}"  # unreadable: the zone may not be dropped
    parts = [int(part or 0) for part in stamp.groups()]
    try:
        offset = dt.datetime(*parts, tzinfo=region).strftime("%z")  # type: ignore[misc,arg-type]
    except ValueError:
        return plain
    return plain + offset[:5]


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo("UTC" if name == "Z" else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _era(plain: str) -> str:
    match = _ERA.fullmatch(plain) or _ERA_DIGITS.fullmatch(plain)
    if not match:
        return plain
    year = 1 if match["year"] == "元" else int(match["year"])
    if year == 0:
        return plain
    year += ERAS[match["era"].upper()]
    return f"{year}-{match['month']}-{match['day']}{match['rest']}"


def _month_names(plain: str) -> str:
    """Rewrite English month names; a year of two digits stays unread, as it could be the day."""
    dated = _WEEKDAY.sub("", plain, count=1) if _WEEKDAY.match(plain) else plain
    dated = _CTIME.sub(r"\1 \2, \4 \3", dated)
    for pattern in _NAMED:
        match = pattern.fullmatch(dated)
        month = MONTHS.get(match["month"].lower()) if match else None
        if match and month:
            rest = re.sub(r"^,\s*", " ", match["rest"])
            return f"{match['year']}-{month}-{match['day']}{rest}"
    return plain


def by_24_hours(plain: str) -> str:
    """Rewrite 午前/午後 and AM/PM as hours of 24; 12 AM is midnight, 12 PM noon."""
    half = _HALF.search(plain)
    if not half:
        return plain
    after = plain[half.end() :]
    joined = f"{plain[: half.start()]} {after}".strip()
    late = half[1][0] in "Pp" or half[1] == "午後"
    hour = _HOUR.search(joined)
    if hour is None or int(hour[1]) > 12:
        return joined if late else plain
    hour_of_day = int(hour[1]) % 12 + (12 if late else 0)
    minutes = joined[hour.end() :] or ":00"
    return f"{joined[: hour.start()]}{hour_of_day}{minutes}"


def day_or_month_first(text: str) -> str:
    """Return the strptime format of a date that may begin with its day or its month; '' for others.

    >>> day_or_month_first("3.4.2024"), day_or_month_first("03/04/2024 5:04")
    ('%d.%m.%Y', '%d/%m/%Y %H:%M')
    >>> day_or_month_first("2024/3/4")
    ''
    """
    match = _DAY_OR_MONTH.fullmatch(normal(text))
    if not match:
        return ""
    sign = match["sign"]
    day_first = f"%d{sign}%m{sign}%Y"
    clock = re.fullmatch(r"\s+\d{1,2}:\d{2}(:\d{2})?", match["rest"] or "")
    if clock is None:
        return day_first
    return day_first + (" %H:%M:%S" if clock[1] else " %H:%M")


def month_first(day_first: str) -> str:
    """Return the strptime format with the month before the day.

    >>> month_first("%d.%m.%Y %H:%M")
    '%m.%d.%Y %H:%M'
    """
    return day_first.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")


def proven_formats(texts: Iterable[str]) -> dict[str, str]:
    """Return the formats that dates of an unclear order prove, each with the date that proves it.

    >>> proven_formats(["3.4.2024", "13.4.2024", "24.12.2024"])
    {'%d.%m.%Y': '13.4.2024'}
    """
    proven: dict[str, str] = {}
    for text in texts:
        day_first = day_or_month_first(text)
        if not day_first:
            continue
        first, second = map(int, re.findall(r"\d+", normal(text))[:2])
        if first > MONTHS_OF_YEAR >= second:
            proven.setdefault(day_first, text)
        elif second > MONTHS_OF_YEAR >= first:
            proven.setdefault(month_first(day_first), text)
    return proven
