"""Readings of any format → canonical Parquet in buckets of equipment, units, events, rejects and counts.

    python -m ray_jobs.ingest --config FILE [key.sub=value …]

Every file is one Ray task: it streams through the gate and writes its part of every bucket, so that no shuffle of all
readings is needed and memory does not grow with the input.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import ray

from hvac.features.describe_seed import seed_table
from hvac.panel.readings import (
    CLASSES,
    GateResult,
    SeedBatch,
    SourceConfig,
    add_counts,
    read_readings,
    read_seed,
    require_rows,
    source_files,
)
from hvac.panel.registry import Registry, build_registry
from hvac.panel.simulate import simulate_facilities, write_canonical
from hvac.panel.sources import file_stamp
from hvac.storage import matching, open_filesystem, place, read_parquet, remove_tree, replacing, write_parquet, writing
from ray_jobs.command import main
from ray_jobs.run_config import RunConfig
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of

BYTES_PER_BUCKET = 4 * 2**20
MIN_BUCKETS = 8


def run(config: RunConfig) -> Result:
    """Ingest the source of a run, unless the same files were ingested before."""
    workspace = workspace_of(config)
    source = _simulated(config, workspace) if config.simulate else config.source
    assert source is not None, "a run has a source or simulates one"
    files = source_files(source)
    stamps = [file_stamp(path) for path in [*files, source.events, source.equipment] if path]
    key = content_key(source.model_dump(mode="json"), stamps, config.windows.min_point_share, config.featurize.buckets)
    return run_step(workspace, "ingest", key, lambda: _ingest(config, source, files, workspace))


def _simulated(config: RunConfig, workspace: Workspace) -> SourceConfig:
    """Write the simulated fleet as canonical tables, and point at them."""
    folder, fleet = workspace.root / "source", config.simulate
    assert fleet is not None, "only simulated runs come here"

    def work() -> Result:
        remove_tree(folder)
        write_canonical(simulate_facilities(fleet), folder)
        return {"folder": str(folder)}

    run_step(workspace, "simulate", content_key(fleet.model_dump(mode="json")), work)
    events, equipment = (str(folder / f"{name}.parquet") for name in ("events", "equipment"))
    return SourceConfig(readings=str(folder / "readings"), events=events, equipment=equipment)


def _ingest(config: RunConfig, source: SourceConfig, files: list[str], workspace: Workspace) -> Result:
    remove_tree(workspace.panel)
    buckets = config.featurize.buckets or max(MIN_BUCKETS, -(-sum(map(_size, files)) // BYTES_PER_BUCKET))
    task = ray.remote(num_cpus=1, max_retries=2)(ingest_file)
    parts = ray.get([task.remote(path, source, i, buckets, str(workspace.panel)) for i, path in enumerate(files)])
    counts = add_counts(part["counts"] for part in parts)
    require_rows(counts["rows"], files)
    registry = build_registry(
        pa.concat_tables([part["series"] for part in parts]),
        pa.concat_tables([part["classes"] for part in parts]),
        source,
        by_class=config.windows.classes == "each",
        min_point_share=config.windows.min_point_share,
    )
    registry.save(workspace.panel)
    rejected = _write_rejects(workspace, registry)
    return {**registry.summary(), **_readings_summary(counts), "rejected": rejected, "buckets": buckets}


def _readings_summary(counts: dict[str, int]) -> Result:
    named = {"rows": "rows_read", "read": "readings", "missing": "missing", "repeated_unit_days": "repeated_unit_days"}
    return {ours: counts.get(theirs, 0) for theirs, ours in named.items()}


def _size(path: str) -> int:
    system, inner = open_filesystem(path)
    return int(system.get_file_info(inner).size or 0)


def ingest_file(path: str, source: SourceConfig, number: int, buckets: int, folder: str) -> dict[str, Any]:
    """Stream one file through the gate into its part of every bucket; return counts and which series it holds."""
    writers: dict[int, pq.ParquetWriter] = {}
    panel, part = place(folder), f"part-{number:05d}.parquet"
    counts, series, classes, rejects = [], [], [CLASSES.empty_table()], []
    with ExitStack() as parts:  # each part appears when it is whole
        for table, result in _read(path, source):
            counts.append(result.counts)
            rejects.append(result.rejects)
            series.append(_series(table))
            if isinstance(result, GateResult):
                classes.append(result.classes)
            for bucket, rows in _by_bucket(table, buckets):
                if bucket not in writers:
                    building = parts.enter_context(replacing(panel / "readings" / f"bucket-{bucket:05d}" / part))
                    writers[bucket] = parts.enter_context(pq.ParquetWriter(building, rows.schema))
                writers[bucket].write_table(rows)
    write_parquet(pa.concat_tables(rejects), panel / "rejects" / part)
    return {"counts": add_counts(counts), "series": pa.concat_tables(series), "classes": pa.concat_tables(classes)}


def _read(path: str, source: SourceConfig) -> Iterator[tuple[pa.Table, GateResult | SeedBatch]]:
    """What is stored of each batch of a file: readings, or the seed's ready windows."""
    if source.format != "seed":
        yield from ((result.readings, result) for result in read_readings(path, source))
        return
    first_row = 0
    for batch in read_seed(path, source):
        yield seed_table(batch, first_row=first_row), batch
        first_row += len(batch.x_BL)


def _series(readings: pa.Table) -> pa.Table:
    """Days and number of readings (or ready windows) of every series."""
    keys = ["facility_id", "equipment_id", "point_id"]
    limits = [pc.is_valid(readings[name]) for name in ("lower_limit", "upper_limit") if name in readings.column_names]
    limited = pc.or_(*limits) if limits else pa.array(np.zeros(len(readings), dtype=bool))
    table = readings.append_column("limited", pc.cast(limited, pa.int64()))
    return table.group_by(keys).aggregate([("date", "min"), ("date", "max"), ("date", "count"), ("limited", "sum")])


def _by_bucket(readings: pa.Table, buckets: int) -> list[tuple[int, pa.Table]]:
    """Rows of each bucket; an equipment is always in the same one."""
    unit = pc.binary_join_element_wise(readings["facility_id"], readings["equipment_id"], "\x1f").combine_chunks()
    codes = unit.dictionary_encode()
    place = np.array([zlib.crc32(name.encode()) % buckets for name in codes.dictionary.to_pylist()], dtype=np.int64)
    if not len(place):
        return []
    bucket_B = place[codes.indices.to_numpy()]
    order = np.argsort(bucket_B, kind="stable")
    found, starts = np.unique(bucket_B[order], return_index=True)
    ordered = readings.take(pa.array(order))
    ends = np.append(starts[1:], len(order))
    return [(int(b), ordered.slice(s, e - s)) for b, s, e in zip(found, starts, ends, strict=True)]


def _write_rejects(workspace: Workspace, registry: Registry) -> dict[str, int]:
    """All rejected rows in one CSV that Excel opens, and how many there are for each reason."""
    parts = [read_parquet(part) for part in matching(workspace.panel / "rejects", "*.parquet")]
    rejects = pa.concat_tables([*parts, registry.rejects])
    with writing(workspace.root / "rejects.csv") as file:
        file.write(b"\xef\xbb\xbf")
        pacsv.write_csv(rejects, file)
    return dict(Counter(rejects["reason"].to_pylist()))


if __name__ == "__main__":
    main(run, __doc__)
