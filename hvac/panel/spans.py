"""Stretches of a unit's record: no day between readings of years apart counts.

A single mistyped date (1970 for 2024) would otherwise stretch a record over decades, and move the
splits' borders.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from hvac.days import EPOCH
from hvac.panel.grid import Unit
from hvac.panel.joins import units_of

APART = 12  # months without a reading that end a stretch
NAMED = 3


def readings_by_month(readings: pa.Table) -> pa.Table:
    """Count the readings of each unit by month.

    The columns are `facility_id`, `equipment_id`, `month` (its first day) and `readings`.
    """
    month = pc.floor_temporal(readings["date"], unit="month")
    month = pc.cast(month, pa.date32())
    table = readings.select(list(Unit._fields)).append_column("month", month)
    keys = [*Unit._fields, "month"]
    counts = table.group_by(keys).aggregate([([], "count_all")])
    return counts.select([*keys, "count_all"]).rename_columns([*keys, "readings"])


def with_spans(units: pa.Table, months: pa.Table) -> tuple[pa.Table, list[str]]:
    """Return units with a column `spans`, and sentences on gaps of a year or more.

    `spans` holds first and last day of each stretch of a unit's record, one after the other.

    Args:
        units: with `facility_id`, `equipment_id`, `first_date` and `last_date`.
        months: as of `readings_by_month`; the same month may stand in several rows.
    """
    counts: dict[Unit, Counter[dt.date]] = defaultdict(Counter)
    columns = (months["month"].to_pylist(), months["readings"].to_pylist())
    for unit, month, readings in zip(units_of(months), *columns, strict=True):
        counts[unit][month] += readings
    spans = []
    notes = []
    dates = (units["first_date"].to_pylist(), units["last_date"].to_pylist())
    for unit, first, last in zip(units_of(units), *dates, strict=True):
        stretches = _stretches(sorted(counts[unit]))
        borders = []
        for before, after in pairwise(stretches):
            borders += [_month_end(before[-1]), after[0]]
            notes.append(_gap(unit, counts[unit], before, after))
        spans.append([first, *borders, last])
    table = units.append_column("spans", pa.array(spans, pa.list_(pa.date32())))
    more = len(notes) - NAMED
    if more > 0:
        notes[NAMED:] = [f"and {more} more gaps of a year or more"]
    return table, notes


def _stretches(months: Sequence[dt.date]) -> list[list[dt.date]]:
    """Cut sorted months where a year or more lies between two."""
    stretches = [[months[0]]] if months else []
    for before, month in pairwise(months):
        if _number(month) - _number(before) > APART:
            stretches.append([])
        stretches[-1].append(month)
    return stretches


def _number(month: dt.date) -> int:
    return 12 * month.year + month.month


def _month_end(month: dt.date) -> dt.date:
    next_month = month.replace(day=28) + dt.timedelta(days=4)
    return next_month.replace(day=1) - dt.timedelta(days=1)


def _gap(
    unit: Unit, counts: Mapping[dt.date, int], before: Sequence[dt.date], after: Sequence[dt.date]
) -> str:
    stretch = f"{before[0]:%Y-%m}"
    if len(before) > 1:
        stretch += f" to {before[-1]:%Y-%m}"
    readings = sum(counts[month] for month in before)
    return (
        f"{unit.facility_id}/{unit.equipment_id}: {readings} readings of {stretch}, then none until"
        f" {after[0]:%Y-%m}: correct their dates if they are mistyped"
    )


def spans_of(dates: Sequence[dt.date]) -> list[tuple[int, int]]:
    """Return stretches as pairs of days since 1970-01-01.

    >>> spans_of([dt.date(1970, 1, 2), dt.date(1970, 1, 5)])
    [(1, 4)]
    """
    days = [(date - EPOCH).days for date in dates]
    return list(zip(days[::2], days[1::2], strict=True))
