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
IDS = ("facility_id", "equipment_id")


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
    unknown = events.filter(_unknown(events, units))
    pairs = zip(*(unknown[name].to_pylist() for name in IDS), strict=True)
    return dict(Counter(pairs).most_common())


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
    unknown = _unknown(events, units)
    names = pc.binary_join_element_wise(*(events[name] for name in IDS), "/")
    rejects = Rejects(file, np.arange(1, len(events) + 1))
    unknown_N = unknown.to_numpy(zero_copy_only=False)
    rejects.reject(unknown_N, "equipment_id", reason="unknown_equipment", found=names)
    return events.filter(pc.invert(unknown)), rejects.table()


def _unknown(events: pa.Table, units: Collection[Pair] | pa.Table) -> pa.Array:
    """Tell which events are of equipment that `units` does not hold."""
    if not isinstance(units, pa.Table):
        columns = zip(*units, strict=True) if units else ((), ())
        texts = [pa.array(texts, pa.string()) for texts in columns]
        units = pa.table(dict(zip(IDS, texts, strict=True)))
    known = pc.is_in(_joined(events), value_set=_joined(units))
    return pc.invert(known)


def _joined(table: pa.Table) -> pa.Array:
    ids = (table[name].cast(pa.string()) for name in IDS)
    return pc.binary_join_element_wise(*ids, "\x1f").combine_chunks()
