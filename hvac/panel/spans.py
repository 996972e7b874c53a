"""Stretches of a unit's record: readings of years apart are told, and count for no day in between.

A single mistyped date (1970 for 2024) would otherwise stretch a record over decades, and move the
splits' borders."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from hvac.panel.grid import Unit
from hvac.readings.accepted import EPOCH

APART = 12  # months without a reading that end a stretch
NAMED = 3


def readings_by_month(readings: pa.Table) -> pa.Table:
    """Count the readings of each unit by month: `facility_id`, `equipment_id`, `month` (its first
    day), `readings`.
    """
    month = pc.cast(pc.floor_temporal(readings["date"], unit="month"), pa.date32())
    table = readings.select(list(Unit._fields)).append_column("month", month)
    found = table.group_by([*Unit._fields, "month"]).aggregate([([], "count_all")])
    return found.select([*Unit._fields, "month", "count_all"]).rename_columns(
        [*Unit._fields, "month", "readings"]
    )


def with_spans(units: pa.Table, months: pa.Table) -> tuple[pa.Table, list[str]]:
    """Give units a column `spans` (first and last day of each stretch, one after the other); and
    what is to be told.

    Args:
        units: with `facility_id`, `equipment_id`, `first_date` and `last_date`.
        months: as of `readings_by_month`; the same month may stand in several rows.
    """
    counts: dict[Unit, dict[dt.date, int]] = defaultdict(lambda: defaultdict(int))
    for row in months.to_pylist():
        counts[Unit(row["facility_id"], row["equipment_id"])][row["month"]] += row["readings"]
    spans, told = [], []
    for row in units.select([*Unit._fields, "first_date", "last_date"]).to_pylist():
        unit = Unit(row["facility_id"], row["equipment_id"])
        stretches = _stretches(sorted(counts[unit]))
        borders = [day for months in stretches for day in (months[0], _month_end(months[-1]))]
        spans.append([row["first_date"], *borders[1:-1], row["last_date"]])
        told += [_gap(unit, counts[unit], *pair) for pair in pairwise(stretches)]
    table = units.append_column("spans", pa.array(spans, pa.list_(pa.date32())))
    more = [f"and {len(told) - NAMED} more gaps of a year or more"] if len(told) > NAMED else []
    return table, [*told[:NAMED], *more]


def _stretches(months: Sequence[dt.date]) -> list[list[dt.date]]:
    """Cut sorted months where a year or more lies between two."""
    found = [[months[0]]] if months else []
    for before, month in pairwise(months):
        if _number(month) - _number(before) > APART:
            found.append([])
        found[-1].append(month)
    return found


def _number(month: dt.date) -> int:
    return 12 * month.year + month.month


def _month_end(month: dt.date) -> dt.date:
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)


def _gap(
    unit: Unit, counts: dict[dt.date, int], before: Sequence[dt.date], after: Sequence[dt.date]
) -> str:
    stretch = f"{before[0]:%Y-%m}" + (f" to {before[-1]:%Y-%m}" if len(before) > 1 else "")
    readings = sum(counts[month] for month in before)
    return (
        f"{unit.facility_id}/{unit.equipment_id}: {readings} readings of {stretch}, then none until"
        f" {after[0]:%Y-%m}: correct their dates if they are mistyped"
    )


def spans_of(dates: Sequence[dt.date]) -> list[tuple[int, int]]:
    """Return stretches as days since 1970-01-01.

    >>> spans_of([dt.date(1970, 1, 2), dt.date(1970, 1, 5)])
    [(1, 4)]
    """
    days = [(date - EPOCH).days for date in dates]
    return list(zip(days[::2], days[1::2], strict=True))
