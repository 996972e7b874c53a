"""The event log once it is read: repeated, open and unknown events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hvac.readings.registers import OPEN_END
from hvac.readings.rejects import Rejects

Pair = tuple[str, str]


def with_open_ends(events: pa.Table) -> tuple[pa.Table, int]:
    """Give events that are still open the end `OPEN_END`; return the table and how many are open.

    An event without an end is open where half of its kind or more have one, and it began no longer
    before the log's last day than the longest of its kind lasted. Whether another event follows
    must not decide it: windows after the event would be left out just where none did. Where a log
    keeps no ends, an event lasts its first day.

    >>> import datetime as dt
    >>> ends = [dt.date(2024, 1, 9), None, dt.date(2024, 2, 3)]
    >>> starts = [dt.date(2024, 1, 1), dt.date(2024, 5, 1), dt.date(2024, 2, 1)]
    >>> events = pa.table({"kind": ["failure"] * 3, "start": starts, "end": ends})
    >>> table, count = with_open_ends(events)
    >>> table["end"].to_pylist()[1].year, count
    (2100, 1)
    """
    if not len(events):
        return events, 0
    start = pd.to_datetime(events["start"].to_pandas())
    end = pd.to_datetime(events["end"].to_pandas())
    kind = pd.Series(events["kind"].to_pylist())
    closed = end.where(end < pd.Timestamp(OPEN_END))
    last_day = start.max()
    if closed.notna().any():
        last_day = max(last_day, closed.max())
    longest = (closed - start).groupby(kind).transform("max")
    mostly_ended = end.notna().groupby(kind).transform("mean") >= 0.5
    recent = last_day - start <= longest
    open_ended = end.isna() & mostly_ended & recent
    is_open = pa.array(np.asarray(open_ended, dtype=bool))
    open_end = pa.scalar(OPEN_END, pa.date32())
    ends = pc.if_else(is_open, open_end, events["end"])
    count = pc.sum(pc.equal(ends, open_end)).as_py() or 0
    return events.set_column(events.column_names.index("end"), "end", ends), count


def distinct_events(events: pa.Table) -> tuple[pa.Table, int]:
    """Keep one row of each event, with its latest end; return how many rows fell away.

    >>> import datetime as dt
    >>> rows = {"facility_id": ["F"] * 2, "equipment_id": ["a"] * 2, "kind": ["failure"] * 2}
    >>> rows |= {"point_id": [None] * 2, "start": [dt.date(2024, 1, 1)] * 2}
    >>> table, again = distinct_events(pa.table({**rows, "end": [None, dt.date(2024, 1, 9)]}))
    >>> table["end"].to_pylist(), again
    ([datetime.date(2024, 1, 9)], 1)
    """
    keys = ["facility_id", "equipment_id", "kind", "start"]
    rows = events.select([*keys, "end"]).to_pandas()
    points = pd.Series(events["point_id"].to_pylist(), dtype=object)
    rows["point"] = points.fillna("")
    by_end = rows.sort_values("end", kind="stable", na_position="first")
    latest = by_end.drop_duplicates([*keys, "point"], keep="last")
    rows_kept = np.sort(latest.index.to_numpy())
    distinct = events.take(pa.array(rows_kept))
    return distinct, len(events) - len(distinct)


def unknown_equipment(
    events: pa.Table, units: Collection[Pair] | pa.Table
) -> dict[Pair, int]:
    """Count the events of equipment that `units` does not hold, the most frequent first.

    `units` holds (facility_id, equipment_id), or is a table with these two columns.

    >>> events = pa.table({"facility_id": ["F", "F"], "equipment_id": ["a", "b"]})
    >>> unknown_equipment(events, {("F", "a")})
    {('F', 'b'): 1}
    """
    known = _known(units)
    counts = Counter(pair for pair in _pairs(events) if pair not in known)
    return dict(counts.most_common())


def check_events(
    events: pa.Table, units: Collection[Pair] | pa.Table, *, file: str = "events"
) -> tuple[pa.Table, pa.Table]:
    """Return the events of known equipment, and the others as rejects (`unknown_equipment`).

    `row` of the rejects is the 1-based place in `events`; `found` is facility/equipment.

    >>> events = pa.table({"facility_id": ["F", "F"], "equipment_id": ["a", "b"]})
    >>> kept, rejects = check_events(events, {("F", "a")})
    >>> len(kept), rejects["found"].to_pylist()
    (1, ['F/b'])
    """
    known = _known(units)
    pairs = _pairs(events)
    unknown = np.array([pair not in known for pair in pairs], dtype=bool)
    names = pa.array(["/".join(pair) for pair in pairs], pa.string())
    rejects = Rejects(file, np.arange(1, len(pairs) + 1))
    rejects.reject(unknown, "equipment_id", reason="unknown_equipment", found=names)
    return events.filter(pa.array(~unknown)), rejects.table()


def _pairs(table: pa.Table) -> list[Pair]:
    facility = table["facility_id"].to_pylist()
    equipment = table["equipment_id"].to_pylist()
    return list(zip(facility, equipment, strict=True))


def _known(units: Collection[Pair] | pa.Table) -> set[Pair]:
    return set(_pairs(units) if isinstance(units, pa.Table) else units)
