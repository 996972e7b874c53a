"""One row per point of a unit: the days and the number of its readings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

KEYS = ["facility_id", "equipment_id", "point_id"]
JOINED = {
    "date_min": "min",
    "date_max": "max",
    "date_count": "sum",
    "limited_sum": "sum",
}


def series_table(readings: pa.Table) -> pa.Table:
    """Count the readings of every point, and those with a limit.

    Returns ids, `date_min`, `date_max`, `date_count`, `limited_sum`.
    """
    limited = pc.cast(_has_limit(readings), pa.int64())
    table = readings.append_column("limited", limited)
    counts = [("date", "min"), ("date", "max"), ("date", "count"), ("limited", "sum")]
    return table.group_by(KEYS).aggregate(counts)


def _has_limit(readings: pa.Table) -> pa.Array:
    present = [
        pc.is_valid(readings[name])
        for name in ("lower_limit", "upper_limit")
        if name in readings.column_names
    ]
    if present:
        return pc.or_(*present)
    return pa.array(np.zeros(len(readings), dtype=bool))


def absent_days(series: pa.Table) -> int:
    """Count the days without a reading between each point's first and last, over all points.

    >>> import datetime as dt
    >>> row = {"date_min": [dt.date(2026, 1, 1)], "date_max": [dt.date(2026, 1, 10)]}
    >>> absent_days(pa.table({**row, "date_count": [4]}))
    6
    """
    first, last = (
        series[name].cast(pa.int32()).to_numpy() for name in ("date_min", "date_max")
    )
    count = series["date_count"].to_numpy()
    return int(np.maximum(last.astype(np.int64) - first + 1 - count, 0).sum())


def joined_series(series: pa.Table) -> pa.Table:
    """Join the rows of all files: one row per point of a unit."""
    table = series.group_by(KEYS).aggregate(list(JOINED.items()))
    columns = [f"{name}_{how}" for name, how in JOINED.items()]
    chosen = table.select([*KEYS, *columns])
    return chosen.rename_columns([*KEYS, *JOINED])
