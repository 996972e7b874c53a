"""Text, number and date columns into days and seconds of the day, whole columns at a time.

A day is the local day of the facility. `24:00` is the end of the day it is written with: that day,
second 86400. Days are counted from 1970-01-01, and a time of day that is not written is NO_TIME.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.date_words import by_24_hours, day_or_month_first, rewritten
from hvac.readings.number_texts import numeric_marks, text_marks
from hvac.readings.overlap import NO_TIME
from hvac.readings.text_values import (
    DAY_OR_MONTH,
    MISSING,
    OUT_OF_RANGE,
    READ,
    UNREADABLE,
    as_text,
    is_number,
    one_array,
)

FIRST_DAY, LAST_DAY = 0, 47_846  # 1970-01-01 … 2100-12-31
DAY_SECONDS = 86_400
SERIAL_EPOCH = 25_569  # 1970-01-01 as Excel counts days
FIRST_SERIAL, LAST_SERIAL = 20_000, 80_000

_TIME = r"((?:[01]?\d|2[0-3]):[0-5]?\d(?::[0-5]?\d)?|24:00(?::00)?)(?:[.,]\d+)?$"
_LOCAL_TIME = r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2})[T ]" + _TIME
_ZONE = r"[Zz]|UTC|GMT|JST|[+-]\d{1,2}(?::?\d{2})?"
_DATE = (
    r"^(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
    r"(?:[T\s]\s*(?P<hour>[01]?\d|2[0-4])[:時](?P<minute>[0-5]?\d)分?(?::?(?P<second>[0-5]?\d)秒?(?:[.,]\d+)?)?"
    rf"\s*(?P<zone>{_ZONE})?)?$"
)
_DIGITS = r"^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})?(\d{2})?(Z|[+-]\d{2}:?\d{2})?)?$"
_SHORT_OFFSETS = {"": 0, "Z": 0, "UTC": 0, "GMT": 0, "JST": 9 * 3_600}
_EPOCHS = (
    (10**9, 1),
    (10**12, 10**3),
    (10**15, 10**6),
    (10**18, 10**9),
)  # from this number on, so many a second
_FIRST_HOUR = 1_970_010_100  # a number of ten digits from here on is yyyymmddHH


class Days(NamedTuple):
    """`day` int32 [n], days since 1970-01-01 (0 unless READ), `state` int8 [n], `second` int32 [n]
    of the local day.

    `as_written` counts stamps with an offset whose day is the one that stands there, as no time
    zone was given."""

    day: NDArray[np.int32]
    state: NDArray[np.int8]
    second: NDArray[np.int32] | None = None
    as_written: int = 0


class Clock(NamedTuple):
    """The time zone of every facility: `zones` by facility id, else `default`; None: there is none."""

    default: str | None
    zones: Mapping[str, str]


class DateStyle(NamedTuple):
    """How the dates of one column are written: `format` for strptime; `serials`: all of it are days
    as Excel counts.
    """

    format: str | None = None
    serials: bool = False


WRITTEN = DateStyle()


class _Moments(NamedTuple):
    day: NDArray[np.int64]  # the day as written
    instant: NDArray[np.int64]  # seconds since 1970 in UTC, where aware
    aware: NDArray[np.bool_]
    state: NDArray[np.int8]
    second: NDArray[np.int64]  # of the day as written, or NO_TIME


def parse_days(
    column: Any,
    facility: Any,
    *,
    clock: Clock,
    missing: tuple[str, ...],
    style: DateStyle = WRITTEN,
) -> Days:
    """Calendar days of a column: `2024/3/1 5:04`, `20240301`, ISO 8601, `令和6年3月1日`, `1 Mar 2024`,
    epochs, serials.

    What carries a time zone, or counts seconds since 1970, becomes the local day of its facility
    (`facility`: string array of the same length). Where its facility has no zone, a stamp such as
    2024-03-01 05:04+09 keeps the day that stands there; UTC tells no local day. States: READ,
    MISSING, UNREADABLE, DAY_OR_MONTH (either may come first), OUT_OF_RANGE (outside 1970-2100).
    Raises InputError where a stamp is in UTC and its facility has no zone.

    >>> text, facility = pa.array(["2024/3/1 5:04", "2024-02-29T15:00:00Z", "2024-02-30"]), pa.array(["F", "F", "F"])
    >>> days = parse_days(text, facility, clock=Clock("Asia/Tokyo", {}), missing=())
    >>> days.day.tolist(), days.state.tolist(), days.second.tolist()
    ([19783, 19783, 0], [0, 0, 4], [18240, 0, -1])
    """
    moments = _moments(one_array(column), missing, style)
    day, second, as_written = _local(moments, facility, clock)
    outside = (moments.state == READ) & ((day < FIRST_DAY) | (day > LAST_DAY))
    state = np.where(outside, OUT_OF_RANGE, moments.state).astype(np.int8)
    read = state == READ
    read_second = np.where(read, second, NO_TIME).astype(np.int32)
    return Days(np.where(read, day, 0).astype(np.int32), state, read_second, as_written)


def _moments(column: Any, missing: tuple[str, ...], style: DateStyle) -> _Moments:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _unmarked(_timestamps(column), missing)
    if pa.types.is_date(kind):
        days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
        state = np.where(days.is_null().to_numpy(zero_copy_only=False), MISSING, READ).astype(
            np.int8
        )
        day = pc.fill_null(days, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        no_time = np.full(len(day), NO_TIME, dtype=np.int64)
        return _unmarked(
            _Moments(day, day, np.zeros(len(day), dtype=bool), state, no_time), missing
        )
    if is_number(kind):
        return _numbers(column, missing, style)
    return _texts(as_text(column), missing, style)


def _unmarked(moments: _Moments, missing: tuple[str, ...]) -> _Moments:
    """Make missing what is one of the marks, such as 1970-01-01 or 9999-12-31."""
    marks = _marked_days(missing)
    if len(marks):
        moments.state[np.isin(moments.day, marks) & (moments.second <= 0)] = MISSING
    return moments


@lru_cache(maxsize=64)
def _marked_days(missing: tuple[str, ...]) -> NDArray[np.int64]:
    found = _dates(pa.array(missing, pa.string()), WRITTEN)
    return np.asarray(found.day[found.state == READ], dtype=np.int64)


def _timestamps(column: Any) -> _Moments:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[column.type.unit]
    state = np.where(column.is_null().to_numpy(zero_copy_only=False), MISSING, READ).astype(np.int8)
    ticks = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    instant = ticks // per_second
    aware = np.full(len(instant), column.type.tz is not None)
    local = _of_column(instant, column.type.tz) if column.type.tz else instant
    return _Moments(local // DAY_SECONDS, instant, aware, state, local % DAY_SECONDS)


def _of_column(instant: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Local seconds in the zone that a column of stamps names; seconds in UTC where nobody knows
    that zone.
    """
    stamps = pd.DatetimeIndex(instant.astype("datetime64[s]"), tz="UTC")
    try:
        stamps = stamps.tz_convert(zone).tz_localize(None)
    except (KeyError, ValueError):
        return instant
    return stamps.to_numpy().astype("datetime64[s]").astype(np.int64)


def _numbers(column: Any, missing: tuple[str, ...], style: DateStyle) -> _Moments:
    """Days of a number column: serials where all of it are, else epochs and digits such as
    20240301.
    """
    value = np.array(pc.cast(column, pa.float64(), safe=False), dtype=np.float64)
    absent = np.isnan(value) | np.isin(value, numeric_marks(missing))
    if style.serials:
        moments = _of_serials(value)
    else:
        bounded = np.where(np.abs(value) < 1e18 * 9, value, 0)  # nan becomes 0
        whole = np.floor(bounded).astype(np.int64)
        moments = _texts(pc.cast(pa.array(whole), pa.string()), (), style)
    moments.state[absent] = MISSING
    return moments


def _of_serials(value: NDArray[np.float64]) -> _Moments:
    valid = (value >= FIRST_SERIAL) & (value < LAST_SERIAL)
    seconds = np.round(np.where(valid, value - SERIAL_EPOCH, 0) * DAY_SECONDS).astype(np.int64)
    day, second = np.divmod(seconds, DAY_SECONDS)
    state = np.where(valid, READ, UNREADABLE).astype(np.int8)
    timed = np.where(value == np.floor(value), NO_TIME, second)
    return _Moments(day, seconds, np.zeros(len(day), dtype=bool), state, timed)


def _texts(text: Any, missing: tuple[str, ...], style: DateStyle) -> _Moments:
    """Days of texts; a local time of day is set apart first, so that each distinct date is read
    once.
    """
    if style.format:
        coded = text.dictionary_encode()
        moments = _taken(_distinct(coded.dictionary, style), coded.indices)
        moments.state[_marked(text, missing)] = MISSING
        return moments
    timed = pc.match_substring_regex(text, _LOCAL_TIME)
    coded = pc.replace_substring_regex(text, _LOCAL_TIME, r"\1").dictionary_encode()
    moments = _taken(_distinct(coded.dictionary, style), coded.indices)
    clocks = pc.replace_substring_regex(text.filter(timed), _LOCAL_TIME, r"\2").dictionary_encode()
    seconds = np.array([_clock(one) for one in clocks.dictionary.to_pylist()], dtype=np.int64)
    if len(seconds):
        moments.second[timed.to_numpy(zero_copy_only=False)] = seconds[clocks.indices.to_numpy()]
    moments.state[_marked(text, missing)] = MISSING
    return moments


def _marked(text: Any, missing: tuple[str, ...]) -> NDArray[np.bool_]:
    marks = pa.array(sorted(text_marks(missing)), pa.string())
    return np.asarray(pc.is_in(text, marks).to_numpy(zero_copy_only=False))


def _taken(moments: _Moments, index: Any) -> _Moments:
    return _Moments(*(part[index.to_numpy()] for part in moments))


def _clock(time: str) -> int:
    """Seconds of `5:04` or `05:04:07`."""
    hour, minute, second = (int(part) for part in [*time.split(":"), "0"][:3])
    return hour * 3_600 + minute * 60 + second


def _distinct(text: Any, style: DateStyle) -> _Moments:
    """Try one notation after the other on what is not read yet."""
    found = _unread(len(text))
    for notation in (_formatted, _dates, _digits, _epochs, _serials, _written):
        left = np.flatnonzero(found.state != READ)
        if not len(left):
            break
        read = notation(text.take(pa.array(left)), style)
        pairs: Any = zip(found, read, strict=True)
        for part, better in pairs:
            part[left] = better
    return found


def _unread(count: int) -> _Moments:
    zeros = np.zeros(count, dtype=np.int64)
    state = np.full(count, UNREADABLE, dtype=np.int8)
    return _Moments(
        zeros,
        zeros.copy(),
        np.zeros(count, dtype=bool),
        state,
        np.full(count, NO_TIME, dtype=np.int64),
    )


def _formatted(text: Any, style: DateStyle) -> _Moments:
    """Read by the strptime format; where that tells no hour, a time may follow."""
    moments = _unread(len(text))
    if not style.format:
        return moments
    plain = pc.utf8_normalize(text, "NFKC")
    late = pc.match_substring_regex(plain, r"\b24:00(:00)?$").to_numpy(zero_copy_only=False)
    plain = pc.replace_substring_regex(plain, r"\b24(:00(:00)?)$", r"00\1")
    aware, timed = (
        "%z" in style.format,
        any(sign in style.format for sign in ("%H", "%I", "%X", "%c", "%T")),
    )
    if not timed:
        plain = pa.array([by_24_hours(one) for one in plain.to_pylist()], pa.string())
        tail = r"[T ]+" + _TIME
        clocks = pc.if_else(pc.match_substring_regex(plain, tail), plain, "0:0").to_pylist()
        seconds = np.array(
            [_clock(one.replace("T", " ").split()[-1].split(".")[0]) for one in clocks],
            dtype=np.int64,
        )
        written = pc.match_substring_regex(plain, tail).to_numpy(zero_copy_only=False)
        plain = pc.replace_substring_regex(plain, tail, "")
    texts = pd.Series(plain.to_pylist(), dtype=object)
    parsed = _parsed(texts, style.format, aware=aware)
    date_alone = style.format.split()[0]
    if timed and not aware and date_alone != style.format:  # Excel leaves out the time of midnights
        parsed = parsed.fillna(_parsed(texts, date_alone, aware=False))
    valid = parsed.notna().to_numpy()
    naive = parsed.dt.tz_localize(None) if aware else parsed
    instant = naive.fillna(pd.Timestamp(0)).to_numpy().astype("datetime64[s]").astype(np.int64)
    day, second = np.divmod(instant, DAY_SECONDS)
    second = second if timed else np.where(written, seconds, NO_TIME)
    second = np.where(late & valid, DAY_SECONDS, second)
    state = np.where(valid, READ, UNREADABLE).astype(np.int8)
    return _Moments(day, instant + DAY_SECONDS * late, np.full(len(day), aware), state, second)


def _parsed(texts: pd.Series, form: str, *, aware: bool) -> pd.Series:
    """Read texts by a strptime format, nothing where it does not fit."""
    try:
        return pd.to_datetime(texts, format=form, errors="coerce", utc=aware)
    except ValueError as error:
        raise InputError(
            f"source.date_format {form!r} cannot be used here ({error}): correct it"
        ) from error


def _dates(text: Any, style: DateStyle) -> _Moments:
    """Year, month and day, then a time and a zone."""
    parts = pc.extract_regex(text, _DATE)
    valid = parts.is_valid().to_numpy(zero_copy_only=False)
    year, month, day, hour, minute, second = (
        _whole(pc.struct_field(parts, [name]))
        for name in ("year", "month", "day", "hour", "minute", "second")
    )
    timed = valid & pc.not_equal(pc.fill_null(pc.struct_field(parts, ["hour"]), ""), "").to_numpy(
        zero_copy_only=False
    )
    first = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    valid = valid & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    seconds = hour * 3_600 + minute * 60 + second
    valid = valid & (seconds <= DAY_SECONDS)  # 24:00, and nothing after it
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    offset, aware = _offsets(pc.struct_field(parts, ["zone"]))
    state = np.where(valid, READ, UNREADABLE).astype(np.int8)
    return _Moments(
        days, days * DAY_SECONDS + seconds - offset, aware, state, np.where(timed, seconds, NO_TIME)
    )


def _digits(text: Any, style: DateStyle) -> _Moments:
    """Read `20240301`, `202403010504`, `20240301050400` and `20240301T050400Z`."""
    parted = pc.replace_substring_regex(text, _DIGITS, r"\1-\2-\3 \4:\5:\6\7")
    parted = pc.replace_substring_regex(parted, r" ::$", "")
    parted = pc.replace_substring_regex(parted, r":+(Z|[+-]\d{2}:?\d{2})?$", r"\1")
    parted = pc.replace_substring_regex(parted, r" (\d{2})(Z|[+-]\d{2}:?\d{2})?$", r" \1:00\2")
    early = pc.match_substring_regex(text, r"^1\d{9}$")  # seconds since 1970 as well
    early = pc.and_(early, pc.less(text, str(_FIRST_HOUR)))
    return _dates(pc.if_else(early, "", parted), style)


def _epochs(text: Any, style: DateStyle) -> _Moments:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970: 10, 13, 16 or 19 digits."""
    digits = pc.match_substring_regex(text, r"^[1-9](\d{9}|\d{12}|\d{15}|\d{18})$")
    safe = pc.and_(digits, pc.or_(pc.less(pc.utf8_length(text), 19), pc.less(text, "9")))
    number = np.array(pc.cast(pc.if_else(safe, text, "0"), pa.int64()))
    per_second = np.select(
        [number >= least for least, _ in _EPOCHS[::-1]], [rate for _, rate in _EPOCHS[::-1]], 1
    )
    instant = number // per_second
    moments = _unread(len(text))
    valid = safe.to_numpy(zero_copy_only=False)
    state = np.where(valid, READ, UNREADABLE).astype(np.int8)
    day, second = np.divmod(instant, DAY_SECONDS)
    return moments._replace(day=day, instant=instant, aware=valid, state=state, second=second)


def _serials(text: Any, style: DateStyle) -> _Moments:
    if not style.serials:
        return _unread(len(text))
    digits = pc.match_substring_regex(text, r"^\d{5}(\.\d+)?$")
    return _of_serials(np.array(pc.cast(pc.if_else(digits, text, "0"), pa.float64())))


def _written(text: Any, style: DateStyle) -> _Moments:
    """What a person wrote, once per distinct text."""
    texts = text.to_pylist()
    again = pa.array([rewritten(one) for one in texts], pa.string())
    moments = _dates(again, style)
    for notation in (_digits, _epochs):
        left = np.flatnonzero(moments.state != READ)
        pairs: Any = zip(
            moments, notation(again.take(pa.array(left, pa.int64())), style), strict=True
        )
        for part, better in pairs:
            part[left] = better
    either = np.array([bool(day_or_month_first(one)) for one in texts], dtype=bool)
    moments.state[either & (moments.state != READ)] = DAY_OR_MONTH
    return moments


def _whole(text: Any) -> NDArray[np.int64]:
    filled = pc.fill_null(pc.if_else(pc.equal(text, ""), "0", text), "0")
    return np.array(pc.cast(filled, pa.int64()))


def _offsets(zone: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds east of UTC and whether a zone was written at all."""
    coded = pc.fill_null(zone, "").dictionary_encode()
    texts = coded.dictionary.to_pylist()
    code = coded.indices.to_numpy()
    seconds = np.array([_offset(one) for one in texts], dtype=np.int64)
    return seconds[code], np.array([one != "" for one in texts], dtype=bool)[code]


def _offset(zone: str) -> int:
    if zone.upper() in _SHORT_OFFSETS:
        return _SHORT_OFFSETS[zone.upper()]
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return (1 if zone[0] == "+" else -1) * (int(hours) * 3_600 + int(minutes) * 60)


def _local(
    moments: _Moments, facility: Any, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Day and second of the day at the facility, and how many were left as they are written."""
    aware = moments.aware & (moments.state == READ)
    if not aware.any():
        return moments.day, moments.second, 0
    day, second, left = moments.day.copy(), moments.second.copy(), aware.copy()
    for name, zone in clock.zones.items():
        theirs = aware & pc.equal(facility, name).to_numpy(zero_copy_only=False)
        day[theirs], second[theirs] = _in_zone(moments, theirs, zone)
        left &= ~theirs
    if clock.default is None:
        in_utc = left & (moments.day * DAY_SECONDS + moments.second == moments.instant)
        if in_utc.any():
            _refuse_without_zone(facility, int(np.flatnonzero(in_utc)[0]), clock)
        return day, second, int(left.sum())
    day[left], second[left] = _in_zone(moments, left, clock.default)
    return day, second, 0


def _refuse_without_zone(facility: Any, row: int, clock: Clock) -> None:
    name = facility[row].as_py()
    others = " (source.facility_time_zones does not name it)" if clock.zones else ""
    raise InputError(
        f"stamps are in UTC or count seconds since 1970; the zone of facility {name!r} is not"
        f" given{others}: set source.time_zone, such as Asia/Tokyo, so that they become days there"
    )


def _in_zone(
    moments: _Moments, rows: Any, zone: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local day and second of some rows; the end of a day (24:00) stays with the day that ends."""
    instant, late = moments.instant[rows], moments.second[rows] == DAY_SECONDS
    bounded = np.clip(instant, (FIRST_DAY - 2) * DAY_SECONDS, (LAST_DAY + 2) * DAY_SECONDS) - late
    local = (
        pd.DatetimeIndex(bounded.astype("datetime64[s]"), tz="UTC")
        .tz_convert(zone)
        .tz_localize(None)
    )
    seconds = local.to_numpy().astype("datetime64[s]").astype(np.int64)
    return seconds // DAY_SECONDS, seconds % DAY_SECONDS + late
