"""What an id, a day and a number may be: one rule for files, the HTTP API and the store.

Ids are texts of 1 to 128 characters after trimming, without control characters; a text that only
says that nothing was there (`nan`, `None`) is none. Days lie between 1970-01-01 and tomorrow
(somewhere it is already tomorrow). Numbers are finite and at most 1e15 in size.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Int8s
from hvac.days import EPOCH
from hvac.readings.date_texts import Days
from hvac.readings.text_values import READ, Column, as_text, flags, one_array

ID_CHARACTERS = 128
ID_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"
NO_IDS = ("nan", "NaN", "NAN", "None", "null", "NULL", "<NA>", "NaT")
LARGEST_VALUE = 1e15

ID_READ, NO_ID, LONG_ID, ODD_ID = range(4)
ID_REASONS = {
    NO_ID: "missing_id",
    LONG_ID: "id_too_long",
    ODD_ID: "control_character_in_id",
}


def id_text(column: Column) -> pa.StringArray:
    """Return a column of ids as a trimmed string array, '' where there is none.

    Whole numbers have no decimal point or exponent, bytes are UTF-8; what is no single value is ''.

    >>> id_text(pa.array([7.0, 1e15])).to_pylist()
    ['7', '1000000000000000']
    >>> id_text(pa.array([b"AHU-1", b"\\xff"])).to_pylist()
    ['AHU-1', '']
    """
    column = one_array(column)
    kind = column.type
    if pa.types.is_nested(kind):
        return pa.array([""] * len(column), pa.string())
    binary = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
    )
    if any(test(kind) for test in binary):
        texts = pa.array(map(_utf8, column.to_pylist()), pa.string())
        return as_text(texts)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array(map(_number_text, column.to_pylist()), pa.string())
    return as_text(column)


def _utf8(given: bytes | None) -> str | None:
    try:
        return None if given is None else given.decode()
    except UnicodeDecodeError:
        return None


def _number_text(given: float | Decimal | None) -> str:
    """Write a number without exponent and without zeros after the point; '' where there is none."""
    if given is None or not math.isfinite(given):
        return ""
    if given == int(given):
        return str(int(given))
    return format(Decimal(str(given)).normalize(), "f")


def id_states(text: pa.StringArray) -> Int8s:
    """Return for each trimmed text of a string array ID_READ, NO_ID, LONG_ID or ODD_ID [n].

    >>> id_states(pa.array(["本社/北館", "", "nan", "a\\x00b", "x" * 129])).tolist()
    [0, 1, 1, 3, 2]
    """
    empty = pc.equal(text, "")
    no_id = pc.is_in(text, pa.array(NO_IDS))
    absent = flags(pc.or_(empty, no_id))
    long = flags(pc.greater(pc.utf8_length(text), ID_CHARACTERS))
    odd = flags(pc.match_substring_regex(text, r"\p{Cc}"))
    states = np.select([absent, long, odd], [NO_ID, LONG_ID, ODD_ID], ID_READ)
    return states.astype(np.int8)


def days_ahead(days: Days) -> Bools:
    """Tell which days lie after tomorrow [n]."""
    newest = (newest_day() - EPOCH).days
    return np.asarray((days.state == READ) & (days.day > newest))


def newest_day(now: dt.datetime | None = None) -> dt.date:
    """Return the latest day that can have been: tomorrow in UTC.

    >>> newest_day(dt.datetime(2024, 3, 1, 23, tzinfo=dt.UTC))
    datetime.date(2024, 3, 2)
    """
    now = now or dt.datetime.now(dt.UTC)
    return now.astimezone(dt.UTC).date() + dt.timedelta(days=1)
