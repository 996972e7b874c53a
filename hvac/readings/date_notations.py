"""The notations of dates: texts and numbers as days, seconds of the day and instants.

Each notation reads what it can of the distinct texts of a column; the next one tries the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Floats, Int8s, Ints
from hvac.errors import InputError
from hvac.readings.date_words import by_24_hours, day_or_month_first, rewritten
from hvac.readings.overlap import NO_TIME
from hvac.readings.text_values import DAY_OR_MONTH, READ, UNREADABLE, flags

DAY_SECONDS = 86_400
SERIAL_EPOCH = 25_569  # 1970-01-01 as Excel counts days
FIRST_SERIAL = 20_000
LAST_SERIAL = 80_000

TIME = r"((?:[01]?\d|2[0-3]):[0-5]?\d(?::[0-5]?\d)?|24:00(?::00)?)(?:[.,]\d+)?$"
_TIME_BEHIND_DATE = r"[T ]+" + TIME
_ZONE = r"[Zz]|UTC|GMT|JST|[+-]\d{1,2}(?::?\d{2})?"
_DATE = (
    r"^(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
    r"(?:[T\s]\s*(?P<hour>[01]?\d|2[0-4])[:時](?P<minute>[0-5]?\d)分?"
    r"(?::?(?P<second>[0-5]?\d)秒?(?:[.,]\d+)?)?"
    rf"\s*(?P<zone>{_ZONE})?)?$"
)
_DIGITS = (
    r"^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})?(\d{2})?(Z|[+-]\d{2}:?\d{2})?)?$"
)
_SHORT_OFFSETS = {"": 0, "Z": 0, "UTC": 0, "GMT": 0, "JST": 9 * 3_600}
_HOUR_CODES = ("%H", "%I", "%X", "%c", "%T")
_FIRST_HOUR = 1_970_010_100  # a number of ten digits from here on is yyyymmddHH
# A number from the first one on counts so many ticks a second.
_TICKS = ((10**18, 10**9), (10**15, 10**6), (10**12, 10**3), (10**9, 1))


class DateStyle(NamedTuple):
    """How the dates of one column are written.

    `format` is for strptime; `serials` tells whether all of them are days as Excel counts them.
    """

    format: str | None = None
    serials: bool = False


class WrittenDates(NamedTuple):
    """Dates as they are written, before the time zone of their facility is applied.

    `day` counts from 1970-01-01 and `second` from the day's start (NO_TIME where none is written),
    both as written. `instant` counts seconds since 1970 in UTC where the date is `aware` of its
    zone.
    """

    day: Ints
    instant: Ints
    aware: Bools
    state: Int8s
    second: Ints


Notation = Callable[[pa.StringArray, DateStyle], WrittenDates]
"""What reads the texts of one notation."""


def read_distinct(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read the distinct texts of a column, by one notation after the other."""
    moments = unread(len(text))
    _read_rest(
        moments,
        text,
        style,
        (_by_format, read_dates, _digits, _epochs, _serials, _words),
    )
    return moments


def _read_rest(
    moments: WrittenDates,
    text: pa.StringArray,
    style: DateStyle,
    notations: Sequence[Notation],
) -> None:
    """Let each notation overwrite what is not read yet."""
    for notation in notations:
        rows = np.flatnonzero(moments.state != READ)
        if not len(rows):
            return
        read = notation(text.take(pa.array(rows)), style)
        moments.day[rows] = read.day
        moments.instant[rows] = read.instant
        moments.aware[rows] = read.aware
        moments.state[rows] = read.state
        moments.second[rows] = read.second


def unread(count: int) -> WrittenDates:
    """Return moments of which nothing is read yet."""
    day = np.zeros(count, dtype=np.int64)
    aware = np.zeros(count, dtype=bool)
    state = np.full(count, UNREADABLE, dtype=np.int8)
    second = np.full(count, NO_TIME, dtype=np.int64)
    return WrittenDates(day, day.copy(), aware, state, second)


def read_states(valid: Bools) -> Int8s:
    """Return READ or UNREADABLE per row."""
    return np.where(valid, READ, UNREADABLE).astype(np.int8)


def _by_format(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read by the strptime format; where that has no hour, a time may follow.

    24:00 is the end of the day it is written with.
    """
    if not style.format:
        return unread(len(text))
    plain = pc.utf8_normalize(text, "NFKC")
    ends_day = flags(pc.match_substring_regex(plain, r"\b24:00(:00)?$"))
    plain = pc.replace_substring_regex(plain, r"\b24(:00(:00)?)$", r"00\1")
    aware = "%z" in style.format
    if any(code in style.format for code in _HOUR_CODES):
        parsed = _parse_timed(plain, style.format, aware=aware)
        instant = _seconds_since_1970(parsed, aware=aware)
        day, second = np.divmod(instant, DAY_SECONDS)
    else:
        plain, second = _split_time(plain)
        parsed = _parse(plain, style.format, aware=aware)
        instant = _seconds_since_1970(parsed, aware=aware)
        day = instant // DAY_SECONDS
    valid = parsed.notna().to_numpy()
    second = np.where(ends_day & valid, DAY_SECONDS, second)
    instant = instant + DAY_SECONDS * ends_day
    aware_N = np.full(len(day), aware)
    return WrittenDates(day, instant, aware_N, read_states(valid), second)


def _parse_timed(text: pa.StringArray, form: str, *, aware: bool) -> pd.Series:
    """Read texts with a time of day; Excel leaves out that of midnights."""
    parsed = _parse(text, form, aware=aware)
    date_alone = form.split()[0]
    if aware or date_alone == form:
        return parsed
    return parsed.fillna(_parse(text, date_alone, aware=False))


def _parse(text: pa.StringArray, form: str, *, aware: bool) -> pd.Series:
    """Read texts by a strptime format; NaT where it does not fit."""
    texts = pd.Series(text.to_pylist(), dtype=object)
    try:
        return pd.to_datetime(texts, format=form, errors="coerce", utc=aware)
    except ValueError as error:
        raise InputError(
            f"source.date_format {form!r} cannot be used here ({error}): correct it"
        ) from error


def _split_time(text: pa.StringArray) -> tuple[pa.StringArray, Ints]:
    """Return the texts without a time behind the date, and its second of the day."""
    dates = [by_24_hours(date) for date in text.to_pylist()]
    plain = pa.array(dates, pa.string())
    timed = pc.match_substring_regex(plain, _TIME_BEHIND_DATE)
    seconds = []
    for date in pc.if_else(timed, plain, "0:0").to_pylist():
        time = date.replace("T", " ").split()[-1]
        seconds.append(second_of(time.split(".")[0]))
    second = np.where(flags(timed), np.array(seconds, dtype=np.int64), NO_TIME)
    return pc.replace_substring_regex(plain, _TIME_BEHIND_DATE, ""), second


def _seconds_since_1970(parsed: pd.Series, *, aware: bool) -> Ints:
    naive = parsed.dt.tz_localize(None) if aware else parsed
    stamps = naive.fillna(pd.Timestamp(0)).to_numpy()
    return stamps.astype("datetime64[s]").astype(np.int64)


def second_of(time: str) -> int:
    """Return the second of the day of `5:04` or `05:04:07`."""
    hour, minute, second = [*time.split(":"), "0"][:3]
    return int(hour) * 3_600 + int(minute) * 60 + int(second)


def read_dates(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read year, month and day, then a time and a zone."""
    parts = pc.extract_regex(text, _DATE)
    year = _number(parts, "year")
    month = _number(parts, "month")
    day = _number(parts, "day")
    hour = _number(parts, "hour")
    minute = _number(parts, "minute")
    second = _number(parts, "second")
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    month_start = months.astype("datetime64[M]")
    first = month_start.astype("datetime64[D]")
    length = ((month_start + 1).astype("datetime64[D]") - first).astype(np.int64)
    seconds = hour * 3_600 + minute * 60 + second
    matched = flags(parts.is_valid())
    valid = matched & (month >= 1) & (month <= 12)
    valid &= (day >= 1) & (day <= length)
    valid &= seconds <= DAY_SECONDS  # 24:00, and nothing after it
    days = first.astype(np.int64) + day - 1
    offset, aware = _offsets(pc.struct_field(parts, ["zone"]))
    instant = days * DAY_SECONDS + seconds - offset
    hours = pc.fill_null(pc.struct_field(parts, ["hour"]), "")
    timed = matched & flags(pc.not_equal(hours, ""))
    time_of_day = np.where(timed, seconds, NO_TIME)
    return WrittenDates(days, instant, aware, read_states(valid), time_of_day)


def _number(parts: pa.StructArray, name: str) -> Ints:
    text = pc.struct_field(parts, [name])
    digits = pc.if_else(pc.equal(text, ""), "0", text)
    filled = pc.fill_null(digits, "0")
    return np.array(pc.cast(filled, pa.int64()))


def _digits(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read `20240301`, `202403010504`, `20240301050400` and `20240301T050400Z`."""
    parted = pc.replace_substring_regex(text, _DIGITS, r"\1-\2-\3 \4:\5:\6\7")
    parted = pc.replace_substring_regex(parted, r" ::$", "")
    parted = pc.replace_substring_regex(parted, r":+(Z|[+-]\d{2}:?\d{2})?$", r"\1")
    parted = pc.replace_substring_regex(
        parted, r" (\d{2})(Z|[+-]\d{2}:?\d{2})?$", r" \1:00\2"
    )
    early = pc.match_substring_regex(text, r"^1\d{9}$")  # seconds since 1970 as well
    early = pc.and_(early, pc.less(text, str(_FIRST_HOUR)))
    return read_dates(pc.if_else(early, "", parted), style)


def _epochs(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read seconds, milli-, micro- or nanoseconds since 1970: 10, 13, 16 or 19 digits."""
    digits = pc.match_substring_regex(text, r"^[1-9](\d{9}|\d{12}|\d{15}|\d{18})$")
    is_short = pc.less(pc.utf8_length(text), 19)
    fits_int64 = pc.or_(is_short, pc.less(text, "9"))
    safe = pc.and_(digits, fits_int64)
    numeric = pc.if_else(safe, text, "0")
    number = np.array(pc.cast(numeric, pa.int64()))
    at_least = [number >= least for least, _ in _TICKS]
    instant = number // np.select(at_least, [ticks for _, ticks in _TICKS], 1)
    day, second = np.divmod(instant, DAY_SECONDS)
    valid = flags(safe)
    return WrittenDates(day, instant, valid, read_states(valid), second)


def _serials(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    if not style.serials:
        return unread(len(text))
    digits = pc.match_substring_regex(text, r"^\d{5}(\.\d+)?$")
    numeric = pc.if_else(digits, text, "0")
    value = np.array(pc.cast(numeric, pa.float64()))
    return read_serials(value)


def read_serials(value: Floats) -> WrittenDates:
    """Read days as Excel counts them; the fraction is the time of day."""
    valid = (value >= FIRST_SERIAL) & (value < LAST_SERIAL)
    days = np.where(valid, value - SERIAL_EPOCH, 0)
    seconds = np.round(days * DAY_SECONDS).astype(np.int64)
    day, second = np.divmod(seconds, DAY_SECONDS)
    second = np.where(value == np.floor(value), NO_TIME, second)
    aware = np.zeros(len(day), dtype=bool)
    return WrittenDates(day, seconds, aware, read_states(valid), second)


def _words(text: pa.StringArray, style: DateStyle) -> WrittenDates:
    """Read what a person wrote: eras, month names, halves of a day."""
    texts = text.to_pylist()
    plain = pa.array([rewritten(date) for date in texts], pa.string())
    moments = read_dates(plain, style)
    _read_rest(moments, plain, style, (_digits, _epochs))
    marks = [bool(day_or_month_first(date)) for date in texts]
    ambiguous = np.array(marks, dtype=bool)
    moments.state[ambiguous & (moments.state != READ)] = DAY_OR_MONTH
    return moments


def _offsets(zone: pa.StringArray) -> tuple[Ints, Bools]:
    """Return seconds east of UTC, and whether a zone was written at all."""
    coded = pc.fill_null(zone, "").dictionary_encode()
    zones = coded.dictionary.to_pylist()
    seconds = np.array([_offset(name) for name in zones], dtype=np.int64)
    written = np.array([name != "" for name in zones], dtype=bool)
    code = coded.indices.to_numpy()
    return seconds[code], written[code]


def _offset(zone: str) -> int:
    if zone.upper() in _SHORT_OFFSETS:
        return _SHORT_OFFSETS[zone.upper()]
    digits = zone[1:].replace(":", "")
    hours = digits
    minutes = "0"
    if len(digits) > 2:
        hours = digits[:-2]
        minutes = digits[-2:]
    east = 1 if zone[0] == "+" else -1
    return east * (int(hours) * 3_600 + int(minutes) * 60)
