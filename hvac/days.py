"""Days: the one epoch, and what counts as never."""

from __future__ import annotations

import datetime as dt

EPOCH = dt.date(1970, 1, 1)
"""Day 0 of every int32 day."""
DAYS_PER_YEAR = 365.25
NEVER = 2**30
"""A day after every record."""


def now_text() -> str:
    """Return this moment as records keep it: in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def date_of(day: int) -> dt.date:
    """Return the date of a day number.

    >>> date_of(19_783)
    datetime.date(2024, 3, 1)
    """
    return EPOCH + dt.timedelta(days=day)


def today() -> int:
    """Return the number of this day in UTC."""
    return (dt.datetime.now(dt.UTC).date() - EPOCH).days
