"""Stretches of a unit's record: no day between readings of years apart counts.

A single mistyped date (1970 for 2024) would otherwise stretch a record over decades, and move the
splits' borders.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Positions
from hvac.days import EPOCH
from hvac.panel.grid import Unit
from hvac.panel.joins import unit_ids, units_of

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
    """Return units with a column `spans`, and a sentence on each gap of a year or more.

    `spans` holds first and last day of each stretch of a unit's record, one after the other.

    Args:
        units: with `facility_id`, `equipment_id`, `first_date` and `last_date`.
        months: as of `readings_by_month`; the same month may stand in several rows.
    """
    broken = _with_gaps(units, months)
    first, last = (
        units["first_date"].combine_chunks(),
        units["last_date"].combine_chunks(),
    )
    ends = pa.array(np.arange(len(units) + 1, dtype=np.int32) * 2)
    row_U = np.arange(len(units))
    both = pa.concat_arrays([first, last]).take(
        pa.array(np.stack([row_U, row_U + len(units)], 1).ravel())
    )
    column = pa.ListArray.from_arrays(ends, both.cast(pa.date32()))
    if not len(broken):
        return units.append_column("spans", column), []
    counts = _counts(units.take(pa.array(broken)), months)
    spans, notes = column.to_pylist(), []
    for place, unit in zip(
        broken.tolist(), units_of(units.take(pa.array(broken))), strict=True
    ):
        stretches = _stretches(sorted(counts[unit]))
        borders = []
        for before, after in pairwise(stretches):
            borders += [_month_end(before[-1]), after[0]]
            notes.append(_gap(unit, counts[unit], before, after))
        spans[place] = [spans[place][0], *borders, spans[place][-1]]
    table = units.append_column("spans", pa.array(spans, pa.list_(pa.date32())))
    return table, notes


def first_gaps(notes: Sequence[str]) -> list[str]:
    """Return the first sentences on gaps, and how many more there are."""
    more = len(notes) - NAMED
    rest = [f"and {more} more gaps of a year or more"] if more > 0 else []
    return [*notes[:NAMED], *rest]


def _with_gaps(units: pa.Table, months: pa.Table) -> Positions:
    """Return the places of the units whose record has a gap of a year or more."""
    place_N = pc.fill_null(
        pc.index_in(unit_ids(months), value_set=unit_ids(units)), -1
    ).to_numpy()
    month_N = months["month"].to_numpy().astype("datetime64[M]").astype(np.int64)
    order = np.lexsort((month_N, place_N))
    place_N, month_N = place_N[order], month_N[order]
    gap_N = (np.diff(place_N) == 0) & (np.diff(month_N) > APART) & (place_N[1:] >= 0)
    return np.unique(place_N[1:][gap_N]).astype(np.intp)


def _counts(units: pa.Table, months: pa.Table) -> dict[Unit, Counter[dt.date]]:
    """Return the readings of some units by month."""
    rows = months.filter(pc.is_in(unit_ids(months), value_set=unit_ids(units)))
    counts: dict[Unit, Counter[dt.date]] = defaultdict(Counter)
    columns = (rows["month"].to_pylist(), rows["readings"].to_pylist())
    for unit, month, readings in zip(units_of(rows), *columns, strict=True):
        counts[unit][month] += readings
    return counts


def joined_months(months: pa.Table) -> pa.Table:
    """Join rows of the same unit and month."""
    keys = [*Unit._fields, "month"]
    counts = months.group_by(keys).aggregate([("readings", "sum")])
    return counts.select([*keys, "readings_sum"]).rename_columns([*keys, "readings"])


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
    unit: Unit,
    counts: Mapping[dt.date, int],
    before: Sequence[dt.date],
    after: Sequence[dt.date],
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
