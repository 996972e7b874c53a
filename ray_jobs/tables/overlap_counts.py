"""Count by bucket the readings that several source files hold; the grid leaves them out
(`panel.overlap`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.panel.daily_readings import count_overlap
from hvac.panel.grid import Unit
from hvac.panel.partitions import bucket_folder, bucket_of, part_keys
from hvac.readings.rejects import add_counts
from hvac.storage import AnyPath, content_key, matching, place, write_json
from ray_jobs.run.progress import finished
from ray_jobs.run.workspace import whole_table

COUNTED = ["facility_id", "equipment_id", "point_id", "date", "value", "second", "file"]
SERIES = ["facility_id", "equipment_id", "point_id"]


def overlapping_buckets(series: Mapping[str, pa.Table], each: int) -> list[str]:
    """Return the buckets of the units for which two files have readings of the same days.

    Args:
        series: for each file its series, with `date_min` and `date_max`.
        each: into how many buckets a facility is cut.
    """
    if len(series) < 2:
        return []
    spans = pd.concat([_spans(table) for table in series.values()], ignore_index=True)
    spans["series"] = spans.groupby(SERIES, sort=False).ngroup()
    spans = spans.sort_values(["series", "first"], kind="stable")
    until = spans.groupby("series", sort=False)["last"].cummax()
    before = until.groupby(spans["series"], sort=False).shift()
    units = spans.loc[spans["first"] <= before, SERIES[:2]].drop_duplicates()
    return sorted({bucket_of(Unit(*unit), each) for unit in units.itertuples(index=False)})


def _spans(series: pa.Table) -> pd.DataFrame:
    """Return first and last day of each series of a file."""
    days = {
        ours: pc.cast(series[name], pa.int32())
        for ours, name in (("first", "date_min"), ("last", "date_max"))
    }
    rows: pd.DataFrame = pa.table({**{name: series[name] for name in SERIES}, **days}).to_pandas()
    return rows.groupby(SERIES, as_index=False, sort=False).agg({"first": "min", "last": "max"})


def count_overlaps(panel: AnyPath, series: Mapping[str, pa.Table], each: int) -> dict[str, int]:
    """Count the readings that do not count, as other files hold them too; a bucket that has not
    changed is not read.
    """
    parts = part_keys(panel)
    keys = {bucket: content_key(parts[bucket]) for bucket in overlapping_buckets(series, each)}
    for path in matching(panel / "overlaps", "*.json"):
        if path.stem not in keys:
            path.unlink(missing_ok=True)
    todo = {bucket: key for bucket, key in keys.items() if _counted(panel, bucket)["key"] != key}
    if todo:
        task = ray.remote(num_cpus=1, max_retries=2)(_count_bucket)
        finished(
            "ingest",
            "overlaps",
            [task.remote(str(panel), bucket, key) for bucket, key in todo.items()],
        )
    return add_counts(_counted(panel, bucket)["counts"] for bucket in keys)


class OverlapCounts(TypedDict):
    """Counts of one bucket, and the key of what they were counted in."""

    key: str
    counts: dict[str, int]


def _count_bucket(folder: str, bucket: str, key: str) -> None:
    panel = place(folder)
    counts = count_overlap(whole_table(bucket_folder(panel, bucket), "ingest", columns=COUNTED))
    write_json(_file(panel, bucket), {"key": key, "counts": counts})


def _file(panel: AnyPath, bucket: str) -> AnyPath:
    return panel / "overlaps" / f"{bucket}.json"


def _counted(panel: AnyPath, bucket: str) -> OverlapCounts:
    file = _file(panel, bucket)
    if not file.exists():
        return {"key": "", "counts": {}}
    counted: OverlapCounts = json.loads(file.read_text(encoding="utf-8"))
    return counted
