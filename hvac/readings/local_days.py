"""Days at the facility: stamps with a time zone become the local day, where the zone is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Ints
from hvac.errors import InputError
from hvac.readings.date_notations import DAY_SECONDS, WrittenDates
from hvac.readings.text_values import READ, flags

FIRST_DAY = 0  # 1970-01-01
LAST_DAY = 47_846  # 2100-12-31


class Clock(NamedTuple):
    """The time zone of every facility: `zones` by facility id, else `default` (None: unknown)."""

    default: str | None
    zones: Mapping[str, str]


def local_days(
    moments: WrittenDates, facility: pa.StringArray, clock: Clock
) -> tuple[Ints, Ints, int]:
    """Return day and second of the day at the facility [n], and how many stay as written.

    Raises InputError where a stamp is in UTC and its facility has no zone.
    """
    aware = moments.aware & (moments.state == READ)
    if not aware.any():
        return moments.day, moments.second, 0
    day = moments.day.copy()
    second = moments.second.copy()
    rest = aware.copy()
    for name, zone in clock.zones.items():
        rows = aware & flags(pc.equal(facility, name))
        day[rows], second[rows] = _in_zone(moments, rows, zone)
        rest &= ~rows
    if clock.default is None:
        _require_written_day(moments, rest, facility, clock)
        return day, second, int(rest.sum())
    day[rest], second[rest] = _in_zone(moments, rest, clock.default)
    return day, second, 0


def _require_written_day(
    moments: WrittenDates, rows: Bools, facility: pa.StringArray, clock: Clock
) -> None:
    """Raise InputError where stamps without a facility's zone are in UTC: no local day is known."""
    in_utc = rows & (moments.day * DAY_SECONDS + moments.second == moments.instant)
    if not in_utc.any():
        return
    name = facility[int(np.flatnonzero(in_utc)[0])].as_py()
    others = " (source.facility_time_zones does not name it)" if clock.zones else ""
    raise InputError(
        f"stamps are in UTC or count seconds since 1970; the zone of facility {name!r} is not"
        f" given{others}: set source.time_zone, such as Asia/Tokyo, so that they become days there"
    )


def _in_zone(moments: WrittenDates, rows: Bools, zone: str) -> tuple[Ints, Ints]:
    """Return local day and second of some rows; 24:00 stays with the day that ends."""
    ends_day = moments.second[rows] == DAY_SECONDS
    earliest = (FIRST_DAY - 2) * DAY_SECONDS
    latest = (LAST_DAY + 2) * DAY_SECONDS
    instant = np.clip(moments.instant[rows], earliest, latest) - ends_day
    seconds = local_seconds(instant, zone)
    return seconds // DAY_SECONDS, seconds % DAY_SECONDS + ends_day


def local_seconds(instant: Ints, zone: str) -> Ints:
    """Return seconds since 1970 as the clocks of a zone show them.

    Raises KeyError or ValueError where nobody knows that zone.
    """
    stamps = pd.DatetimeIndex(instant.astype("datetime64[s]"), tz="UTC")
    local = stamps.tz_convert(zone).tz_localize(None)
    return local.to_numpy().astype("datetime64[s]").astype(np.int64)
