"""Text, number and date columns into numbers and days, whole columns at a time.

Each parser returns its values beside a state per row: READ, MISSING or one of the reasons why it cannot be read.
Rows that follow the plain notation are read by Arrow; only what is left over, once per distinct text, is looked at
in Python.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

READ, MISSING, TEXT, INFINITE, UNREADABLE, OUT_OF_RANGE = range(6)
FIRST_DAY, LAST_DAY = 0, 47_846  # 1970-01-01 … 2100-12-31

_PLAIN = r"^[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,2})?$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_INFINITE = re.compile(r"[+-]?(inf(inity)?|∞)", re.IGNORECASE)
_MINUS = str.maketrans({"−": "-", "‐": "-", "–": "-", "ー": "-"})
_LOCAL_TIME = r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2})[T ](?:[01]?\d|2[0-3]):[0-5]?\d(?::[0-5]?\d)?$"
_DATE = (
    r"^(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
    r"(?:[T\s]\s*(?P<hour>[01]?\d|2[0-3])[:時](?P<minute>[0-5]?\d)分?(?::?(?P<second>[0-5]?\d)秒?(?:[.,]\d+)?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}:?\d{2})?)?$"
)


class Numbers(NamedTuple):
    """`value` float64 [n] (nan unless READ) and `state` int8 [n]."""

    value: NDArray[np.float64]
    state: NDArray[np.int8]


class Days(NamedTuple):
    """`day` int32 [n], days since 1970-01-01 (0 unless READ) and `state` int8 [n]."""

    day: NDArray[np.int32]
    state: NDArray[np.int8]


class Clock(NamedTuple):
    """The time zone of every facility: `zones` by facility id, else `default`."""

    default: str
    zones: Mapping[str, str]


class _Moments(NamedTuple):
    day: NDArray[np.int64]  # the day as written
    second: NDArray[np.int64]  # seconds since 1970 in UTC, where aware
    aware: NDArray[np.bool_]
    state: NDArray[np.int8]


def as_text(column: Any) -> Any:
    """Any Arrow column as one string array without nulls (null becomes ''), spaces at the ends cut off.

    >>> as_text(pa.array([" 007", None])).to_pylist(), as_text(pa.array([7.0, 8.0])).to_pylist()
    (['007', ''], ['7', '8'])
    """
    column = flat(column)
    if pa.types.is_null(column.type):
        return pa.array([""] * len(column), pa.string())
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return pa.array([str(item) for item in column.to_pylist()], pa.string())
    return pc.utf8_trim_whitespace(pc.fill_null(pc.cast(column, pa.string()), ""))


def flat(column: Any) -> Any:
    """One contiguous, dictionary-free array of a column."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def parse_numbers(column: Any, missing: tuple[str, ...]) -> Numbers:
    """Numbers of a column: full-width digits, thousands commas and spaces are understood.

    States: READ, MISSING (null, nan, one of `missing`), INFINITE, TEXT (anything else).

    >>> parse_numbers(pa.array(["１２．５", "1,234.5", "欠測", "abc"]), ("欠測",))
    Numbers(value=array([  12.5, 1234.5,    nan,    nan]), state=array([0, 0, 1, 2], dtype=int8))
    """
    column = flat(column)
    kind = column.type
    if (
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    ):
        exact = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return _numbers(np.array(exact, dtype=np.float64))
    return _text_numbers(as_text(column), missing)


def _numbers(value: NDArray[np.float64]) -> Numbers:
    state = np.where(np.isnan(value), MISSING, np.where(np.isinf(value), INFINITE, READ)).astype(np.int8)
    return Numbers(np.where(state == READ, value, np.nan), state)


def _text_numbers(text: Any, missing: tuple[str, ...]) -> Numbers:
    plain = pc.match_substring_regex(text, _PLAIN)
    value, state = _numbers(np.array(pc.cast(pc.if_else(plain, text, None), pa.float64()), dtype=np.float64))
    odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    if len(odd):
        coded = text.take(pa.array(odd)).dictionary_encode()
        marks = frozenset(missing) | {_normal(mark) for mark in missing}
        read = [_odd_number(one, marks) for one in coded.dictionary.to_pylist()]
        code = coded.indices.to_numpy()
        value[odd] = np.array([one[0] for one in read])[code]
        state[odd] = np.array([one[1] for one in read], dtype=np.int8)[code]
    return Numbers(value, state)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_MINUS).strip()


def _odd_number(text: str, missing: frozenset[str]) -> tuple[float, int]:
    plain = _normal(text)
    if text == "" or text in missing or plain in missing:
        return np.nan, MISSING
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    if _NUMBER.fullmatch(plain):
        value = float(plain)
        return (np.nan, INFINITE) if np.isinf(value) else (value, READ)
    return np.nan, INFINITE if _INFINITE.fullmatch(plain) else TEXT


def parse_days(column: Any, facility: Any, *, clock: Clock, missing: tuple[str, ...]) -> Days:
    """Calendar days of a column: `2024/3/1 5:04`, `2024-03-01`, `2024年3月1日`, `20240301`, ISO with or without a zone.

    What carries a time zone becomes the local day of its facility (`facility`: string array of the same length).
    States: READ, MISSING, UNREADABLE, OUT_OF_RANGE (outside 1970–2100).

    >>> text, facility = pa.array(["2024/3/1 5:04", "2024-02-29T15:00:00Z", "2024-02-30"]), pa.array(["F", "F", "F"])
    >>> parse_days(text, facility, clock=Clock("Asia/Tokyo", {}), missing=())
    Days(day=array([19783, 19783,     0], dtype=int32), state=array([0, 0, 4], dtype=int8))
    """
    moments = _moments(flat(column), missing)
    day = _local(moments, facility, clock)
    outside = (moments.state == READ) & ((day < FIRST_DAY) | (day > LAST_DAY))
    state = np.where(outside, OUT_OF_RANGE, moments.state).astype(np.int8)
    return Days(np.where(state == READ, day, 0).astype(np.int32), state)


def _moments(column: Any, missing: tuple[str, ...]) -> _Moments:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_date(kind):
        days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
        state = np.where(days.is_null().to_numpy(zero_copy_only=False), MISSING, READ).astype(np.int8)
        day = pc.fill_null(days, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        return _Moments(day, day, np.zeros(len(day), dtype=bool), state)
    return _text_moments(as_text(column), missing)


def _timestamps(column: Any) -> _Moments:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[column.type.unit]
    state = np.where(column.is_null().to_numpy(zero_copy_only=False), MISSING, READ).astype(np.int8)
    ticks = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    second = ticks // per_second
    aware = np.full(len(second), column.type.tz is not None)
    return _Moments(second // 86_400, second, aware, state)


def _text_moments(text: Any, missing: tuple[str, ...]) -> _Moments:
    coded = pc.replace_substring_regex(text, _LOCAL_TIME, r"\1").dictionary_encode()  # the time of day tells nothing
    unique = _text_dates(coded.dictionary, missing)
    code = coded.indices.to_numpy()
    return _Moments(*(part[code] for part in unique))


def _text_dates(text: Any, missing: tuple[str, ...]) -> _Moments:
    found = _match_dates(text)
    odd = np.flatnonzero(found.state != READ)
    if len(odd):
        marks = frozenset(missing) | {""}
        texts = text.take(pa.array(odd)).to_pylist()
        again = _match_dates(pa.array([_odd_date(one) for one in texts], pa.string()))
        absent = np.array([one in marks for one in texts])
        again.state[absent] = MISSING
        pairs: Any = zip(found, again, strict=True)
        for part, better in pairs:
            part[odd] = better
    return found


def _odd_date(text: str) -> str:
    plain = re.sub(r"\s*\([^)]*\)", "", _normal(text))  # 2024/3/1(金)
    if re.fullmatch(r"\d{8}", plain):
        return f"{plain[:4]}-{plain[4:6]}-{plain[6:]}"
    return re.sub(r"\s*([年月])\s*", r"\1", plain)


def _match_dates(text: Any) -> _Moments:
    parts = pc.extract_regex(text, _DATE)
    valid = parts.is_valid().to_numpy(zero_copy_only=False)
    year, month, day, hour, minute, second = (
        _whole(pc.struct_field(parts, [name])) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    first = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    valid = valid & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    offset, aware = _offsets(pc.struct_field(parts, ["zone"]))
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset
    return _Moments(days, seconds, aware, np.where(valid, READ, UNREADABLE).astype(np.int8))


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
    if zone in ("", "Z", "z"):
        return 0
    digits = zone[1:].replace(":", "")
    return (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 3_600 + int(digits[2:]) * 60)


def _local(moments: _Moments, facility: Any, clock: Clock) -> NDArray[np.int64]:
    if not moments.aware.any():
        return moments.day
    bounded = np.clip(moments.second, (FIRST_DAY - 2) * 86_400, (LAST_DAY + 2) * 86_400)
    day = np.where(moments.aware, _day_in(bounded, clock.default), moments.day)
    for name, zone in clock.zones.items():
        theirs = moments.aware & pc.equal(facility, name).to_numpy(zero_copy_only=False)
        day[theirs] = _day_in(bounded[theirs], zone)
    return day


def _day_in(second: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    local = pd.DatetimeIndex(second.astype("datetime64[s]"), tz="UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy().astype("datetime64[D]").astype(np.int64)
