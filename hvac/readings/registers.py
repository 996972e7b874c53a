"""Events and the equipment register (設備台帳): the two smaller tables beside the readings."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.days import EPOCH
from hvac.readings.accepted import days_ahead
from hvac.readings.date_texts import Days
from hvac.readings.rejects import Rejects, add_counts, count_reasons
from hvac.readings.small_tables import SmallTable, TableResult, join_files
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import table_files
from hvac.readings.text_values import (
    MISSING,
    OUT_OF_RANGE,
    READ,
    as_text,
    flags,
    one_array,
)

EVENTS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("kind", pa.string()),
        ("start", pa.date32()),
        ("end", pa.date32()),
        ("point_id", pa.string()),
    ]
)
EQUIPMENT = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("class", pa.string()),
        ("install_date", pa.date32()),
        ("end_of_follow_up", pa.date32()),
    ]
)
OPEN_END = dt.date(2100, 12, 31)  # of an event that is not over
FAR_YEAR = r"(2[1-9]|[3-9]\d)\d\d"


def read_events(source: SourceConfig) -> TableResult:
    """Read the event log: EVENTS, `end` and `point_id` null where absent.

    It is empty where the source has none. Rejected are a missing id or kind, a missing or
    unreadable start, or one after tomorrow. An end that is unreadable or before the start is
    listed, and the event lasts its first day. An end after tomorrow (9999-12-31) means that the
    event is still open: it becomes `OPEN_END`. Raises InputError as `read_readings` does.
    """
    files = table_files(source.events, "source.events")
    return join_files([_events_of(file, source) for file in files], EVENTS)


def _events_of(file: str, source: SourceConfig) -> TableResult:
    required = ("facility_id", "equipment_id", "kind", "start")
    table = SmallTable(file, source, required, ("end", "point_id"))
    ids = [table.ids(name) for name in required[:3]]
    start = table.required_days("start")
    end = _ends(table, start)
    point = table.text("point_id", ids=True)
    return table.result([*ids, start.date32, end.date32, point], EVENTS.names)


def _ends(table: SmallTable, start: Days) -> Days:
    """Return the ends of events; one that cannot be is listed and becomes the start's day.

    An end that is unreadable or before its start does not leave the event open.
    """
    days, column = table.raw_days("end")
    end = _with_open_ends(days, as_text(column))
    table.note_unreadable("end", end, column)
    both = (start.state == READ) & (end.state == READ)
    backwards = both & (end.day < start.day) & ~table.rejects.rejected
    name = table.names.get("end", "end")
    table.note_kept(backwards, name, reason="end_before_start", found=table.text("end"))
    wrong = backwards | ((end.state != READ) & (end.state != MISSING))
    day = np.where(wrong, start.day, end.day).astype(np.int32)
    state = np.where(wrong, READ, end.state)
    return Days(day, state.astype(np.int8))


def _with_open_ends(days: Days, text: pa.StringArray) -> Days:
    """Turn ends after tomorrow into `OPEN_END`."""
    far = (days.state == OUT_OF_RANGE) & flags(pc.match_substring_regex(text, FAR_YEAR))
    far |= days_ahead(days)
    open_end = np.int32((OPEN_END - EPOCH).days)
    day = np.where(far, open_end, days.day).astype(np.int32)
    state = np.where(far, READ, days.state)
    return Days(day, state.astype(np.int8))


def read_equipment(source: SourceConfig) -> TableResult:
    """Read the equipment register: EQUIPMENT, then whatever else the file has, as it is.

    It is empty where the source has none. `class`, `install_date` and `end_of_follow_up` are null
    where absent. Rejected are a missing id and a second row of the same equipment. An unreadable
    date becomes null and is listed; the row is kept.
    """
    files = table_files(source.equipment, "source.equipment")
    register = join_files([_equipment_of(file, source) for file in files], EQUIPMENT)
    return _without_repeated(register, ", ".join(files))


def _equipment_of(file: str, source: SourceConfig) -> TableResult:
    table = SmallTable(file, source, EQUIPMENT.names[:2], EQUIPMENT.names[2:])
    facility = table.ids("facility_id")
    equipment = table.ids("equipment_id")
    table.reject_repeated(facility, equipment)
    dates = [table.days(name).date32 for name in ("install_date", "end_of_follow_up")]
    ours = {*table.names.values(), *EQUIPMENT.names, ""}
    others = [name for name in table.table.column_names if name not in ours]
    columns = [facility, equipment, table.class_names(), *dates]
    columns += [one_array(table.table[name]) for name in others]
    return table.result(columns, [*EQUIPMENT.names, *others])


def _without_repeated(register: TableResult, files: str) -> TableResult:
    """Keep the first row of equipment that stands in several files; list the others."""
    ids = register.table.select(EQUIPMENT.names[:2]).to_pandas()
    again = np.asarray(ids.duplicated(), dtype=bool)
    rejects = Rejects(files, np.arange(1, len(again) + 1))
    equipment = register.table["equipment_id"]
    rejects.reject(again, "equipment_id", reason="repeated_equipment", found=equipment)
    repeated = rejects.table()
    changes = {"rejected": len(repeated), "read": -len(repeated)}
    counts = add_counts([register.counts, count_reasons(repeated), changes])
    offenders = pa.concat_tables([register.rejects, repeated])
    return TableResult(register.table.filter(pa.array(~again)), offenders, counts)
