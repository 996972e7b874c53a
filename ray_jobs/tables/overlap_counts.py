"""Count by bucket the readings that several source files hold; the grid leaves them out
(`panel.overlap`).
"""

from __future__ import annotations

import json
from typing import TypedDict

import pyarrow as pa
import ray

from hvac.panel.daily_readings import count_overlap
from hvac.panel.joins import units_of
from hvac.panel.partitions import bucket_folder, bucket_of, part_keys
from hvac.readings.rejects import add_counts
from hvac.storage import AnyPath, content_key, matching, place, write_json
from ray_jobs.run.progress import finished
from ray_jobs.run.workspace import whole_table

COUNTED = ["facility_id", "equipment_id", "point_id", "date", "value", "second", "file"]


def count_overlaps(panel: AnyPath, overlapping: pa.Table, each: int) -> dict[str, int]:
    """Count the readings that do not count, as other files hold them too; a bucket that has not
    changed is not read.

    Args:
        panel: the folder of buckets.
        overlapping: ids of the units of which two files may have readings of the same days.
        each: into how many buckets a facility is cut.
    """
    parts = part_keys(panel)
    buckets = sorted({bucket_of(unit, each) for unit in units_of(overlapping)})
    keys = {bucket: content_key(parts[bucket]) for bucket in buckets}
    for path in matching(panel / "overlaps", "*.json"):
        if path.stem not in keys:
            path.unlink(missing_ok=True)
    todo = {
        bucket: key
        for bucket, key in keys.items()
        if _counted(panel, bucket)["key"] != key
    }
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
    counts = count_overlap(
        whole_table(bucket_folder(panel, bucket), "ingest", columns=COUNTED)
    )
    write_json(_file(panel, bucket), {"key": key, "counts": counts})


def _file(panel: AnyPath, bucket: str) -> AnyPath:
    return panel / "overlaps" / f"{bucket}.json"


def _counted(panel: AnyPath, bucket: str) -> OverlapCounts:
    file = _file(panel, bucket)
    if not file.exists():
        return {"key": "", "counts": {}}
    counted: OverlapCounts = json.loads(file.read_text(encoding="utf-8"))
    return counted
