"""Readings of any format → canonical Parquet in buckets of equipment, units, events, rejects and
counts.

    python -m ray_jobs.ingest --config FILE [key.sub=value …]

Every file is one Ray task: it streams through the gate and writes its part of every bucket, so that
no shuffle of all readings is needed and memory does not grow with the input. Files that were read
before are not read again: a new day's file adds its parts to the buckets of its equipment, a file
that changed or went takes its parts with it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Container, Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import ray

from hvac.cells import safe_table
from hvac.errors import InputError
from hvac.features.describe_predecessor import predecessor_table
from hvac.panel.partitions import bucket_folder, bucket_keys, by_bucket, part_keys
from hvac.panel.registering import build_registry
from hvac.panel.registry import Registry
from hvac.panel.series_table import joined_series, series_table
from hvac.panel.spans import readings_by_month
from hvac.readings.accepted import id_text
from hvac.readings.files import open_table
from hvac.readings.formats import read_raw
from hvac.readings.gate import (
    CLASSES,
    GateResult,
    PredecessorBatch,
    SourceConfig,
    add_counts,
    read_predecessor,
    read_readings,
    require_rows,
    source_files,
)
from hvac.readings.notation_notes import SENTENCES, notes_on_counts, notes_on_files
from hvac.readings.table_paths import SUFFIXES, file_stamp, passed_over, table_files
from hvac.simulate.fleet import simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.storage import (
    AnyPath,
    content_key,
    open_filesystem,
    place,
    read_mark,
    read_parquet,
    remove_tree,
    replacing,
    write_json,
    write_parquet,
    writing,
)
from ray_jobs.run.command import main
from ray_jobs.run.progress import finished
from ray_jobs.run.records import IngestRecord, SimulateRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.overlap_counts import count_overlaps

log = logging.getLogger(__name__)
BYTES_PER_BUCKET = 4 * 2**20
MIN_BUCKETS = 8
LOOKED_AT = 8
FIRST_ROWS = 100_000
LAYOUT = "layout.json"
UNITS = 5  # raised when the same files give other tables (5: which events are still open)
MUCH = 0.1  # of the rows of a file rejected: worth a sentence of its own
NAMED_FILES = 5


def run(config: RunConfig) -> IngestRecord:
    """Ingest the source of a run, unless the same files were ingested before."""
    workspace = workspace_of(config)
    source = _simulated(config, workspace) if config.simulate else config.source
    assert source is not None, "a run has a source or simulates one"
    files = source_files(source)
    stamps = {path: file_stamp(path) for path in files}
    others = [
        file_stamp(path)
        for name, given in (("events", source.events), ("equipment", source.equipment))
        for path in table_files(given, f"source.{name}")
    ]
    settings = source.model_dump(mode="json")
    key = content_key(
        settings,
        stamps,
        others,
        config.windows.min_point_share,
        config.windows.classes,
        config.featurize.buckets,
        UNITS,
    )
    return run_step(
        workspace, IngestRecord, key, lambda: _ingest(config, source, stamps, workspace)
    )


def _simulated(config: RunConfig, workspace: Workspace) -> SourceConfig:
    """Write the simulated fleet as canonical tables, and point at them."""
    folder, fleet = workspace.root / "source", config.simulate
    assert fleet is not None, "only simulated runs come here"

    def work() -> SimulateRecord:
        remove_tree(folder)
        write_canonical(simulate_facilities(fleet), folder)
        return SimulateRecord(folder=str(folder))

    run_step(workspace, SimulateRecord, content_key(fleet.model_dump(mode="json")), work)
    events, equipment = (str(folder / f"{name}.parquet") for name in ("events", "equipment"))
    return SourceConfig(readings=str(folder / "readings"), events=events, equipment=equipment)


def _ingest(
    config: RunConfig, source: SourceConfig, stamps: dict[str, str], workspace: Workspace
) -> IngestRecord:
    panel = workspace.panel
    if not (panel / LAYOUT).exists():
        remove_tree(panel)  # of an earlier version, or begun and left
    per_facility = _buckets_each(config, source, list(stamps), panel)
    rules = source.model_dump(mode="json", exclude={"readings", "events", "equipment"})
    keys = {
        content_key(rules, per_facility, path, stamp, UNITS): path for path, stamp in stamps.items()
    }
    there = _drop_others(panel, keys)
    todo = {key: path for key, path in keys.items() if key not in there}
    if len(todo) < len(keys):
        log.info("ingest: %d of %d files are there already", len(keys) - len(todo), len(keys))
    task = ray.remote(num_cpus=1, max_retries=2)(ingest_file)
    refs = [task.remote(path, source, key, per_facility, str(panel)) for key, path in todo.items()]
    finished("ingest", "files", refs)
    counts = add_counts(_read_json(_facts(panel, key))["counts"] for key in keys)
    require_rows(counts["rows"], list(stamps))
    if not counts["read"]:
        raise InputError(
            f"{', '.join(list(stamps)[:NAMED_FILES])}: {counts['rows']} rows were read, and none"
            " holds a value: correct source.columns or source.missing_values"
        )
    registry = build_registry(
        joined_series(_tables(panel, keys, "series")),
        _tables(panel, keys, "classes"),
        source,
        by_class=config.windows.classes == "each",
        min_point_share=config.windows.min_point_share,
        months=_tables(panel, keys, "months"),
    )
    registry.save(panel)
    if source.format != "seed":
        counts |= count_overlaps(
            panel, {key: _tables(panel, [key], "series") for key in keys}, per_facility
        )
    rejected = _write_rejects(workspace, _tables(panel, keys, "rejects"), registry)
    buckets = bucket_keys(registry, part_keys(panel), per_facility)
    facts = {**registry.summary(), **_readings_summary(counts), "rejected": rejected}
    warnings = [
        *_file_warnings(source, panel, keys),
        *notes_on_files(source, _notes(panel, keys)),
        *registry.notes,
    ]
    warnings += notes_on_counts(counts)
    for sentence in warnings:
        log.warning("%s", sentence)
    return IngestRecord(
        **facts, warnings=warnings, buckets=buckets, buckets_each=per_facility, files_read=len(todo)
    )


def _file_warnings(source: SourceConfig, panel: AnyPath, keys: Mapping[str, str]) -> list[str]:
    """Return sentences on files that were not read, and on those of which much could not be."""
    others = passed_over(source.readings)
    sentences = []
    if others:
        more = len(others) - NAMED_FILES
        names = ", ".join(others[:NAMED_FILES]) + (f" and {more} more" if more > 0 else "")
        sentences.append(
            f"{len(others)} files were passed over, as their endings are not {', '.join(SUFFIXES)}:"
            f" {names}"
        )
    for key, path in keys.items():
        counts = _read_json(_facts(panel, key))["counts"]
        if ahead := counts.get("date_in_the_future"):
            sentences.append(
                f"{path}: {ahead} readings are dated after tomorrow and were rejected: see"
                " rejects.csv"
            )
        if counts.get("rejected", 0) >= MUCH * max(counts["rows"], 1):
            sentences.append(
                f"{path}: {counts['rejected']} of {counts['rows']} rows could not be read: see"
                " rejects.csv"
            )
    return sentences


def _buckets_each(config: RunConfig, source: SourceConfig, files: list[str], panel: AnyPath) -> int:
    """Return into how many buckets a facility is cut: as before, as configured, else by size and
    number of facilities.
    """
    layout, configured = panel / LAYOUT, config.featurize.buckets
    if layout.exists():
        before = read_mark(layout).get("buckets_each")
        if isinstance(before, int) and configured in (None, before):
            return before
    per_facility = configured or _fitting(sum(map(_size, files)), _facilities(source, files))
    write_json(layout, {"buckets_each": per_facility})
    return per_facility


def _fitting(size: int, facilities: int) -> int:
    return max(-(-size // (BYTES_PER_BUCKET * facilities)), -(-MIN_BUCKETS // facilities), 1)


def _facilities(source: SourceConfig, files: list[str]) -> int:
    """Estimate the number of facilities from the first rows of a few files."""
    looked = files[:: -(-len(files) // LOOKED_AT)]
    seen = []
    for path in looked:
        with closing(_first_ids(path, source)) as batches:
            seen.append({name for ids in islice(batches, 1) for name in pc.unique(ids).to_pylist()})
    union = set().union(*seen)
    apart = sum(map(len, seen)) == len(union)  # every file has its own facilities
    return max(len(union) * (len(files) // len(looked) if apart else 1), 1)


def _first_ids(path: str, source: SourceConfig) -> Generator[Any, None, None]:
    """Yield the facility ids of each batch of a file, before its notation is settled."""
    if source.format == "seed":
        yield from (table["facility_id"] for table, _ in _read(path, source))
        return
    raws = read_raw(open_table(path, source), source, batch_rows=FIRST_ROWS)
    yield from (id_text(raw.columns["facility_id"]) for raw in raws)


def _facts(panel: AnyPath, key: str) -> AnyPath:
    """Return the path of the file of counts and buckets, which is written when all else of a source
    file is.
    """
    return panel / "files" / f"{key}.json"


def _drop_others(panel: AnyPath, keys: Container[str]) -> set[str]:
    """Remove what other files, or a killed run, left; return the keys of whole files."""
    parts = part_keys(panel)
    marks = {path.stem: read_mark(path).get("buckets") for path in (panel / "files").glob("*.json")}
    whole = {
        key
        for key, file_buckets in marks.items()
        if key in keys
        and file_buckets is not None
        and all(key in parts.get(b, ()) for b in file_buckets)
    }
    for key in set(marks) - whole:
        _facts(panel, key).unlink(missing_ok=True)
    for bucket, keys_there in parts.items():
        for key in set(keys_there) - whole:
            (bucket_folder(panel, bucket) / f"part-{key}.parquet").unlink(missing_ok=True)
    for path in (panel / "files").glob("*.parquet"):
        if path.name.split(".")[0] not in whole:
            path.unlink(missing_ok=True)
    return whole


def _read_json(path: AnyPath) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _tables(panel: AnyPath, keys: Iterable[str], name: str) -> pa.Table:
    return pa.concat_tables(
        [read_parquet(panel / "files" / f"{key}.{name}.parquet") for key in keys]
    )


def _notes(panel: AnyPath, keys: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what was guessed of each source file."""
    return {path: _read_json(_facts(panel, key)).get("notes", []) for key, path in keys.items()}


def _readings_summary(counts: dict[str, int]) -> dict[str, int]:
    named = {
        "rows": "rows_read",
        "read": "readings",
        "missing": "missing",
        "repeated_unit_days": "repeated_unit_days",
    }
    notes = {name: counts[name] for name in SENTENCES if counts.get(name)}
    return {**{ours: counts.get(theirs, 0) for theirs, ours in named.items()}, **notes}


def _size(path: str) -> int:
    system, inner = open_filesystem(path)
    return int(system.get_file_info(inner).size or 0)


def _version(path: str) -> tuple[int | None, int | None]:
    """Return size and time of change of a file."""
    system, inner = open_filesystem(path)
    info = system.get_file_info(inner)
    return info.size, info.mtime_ns


def ingest_file(path: str, source: SourceConfig, key: str, per_facility: int, folder: str) -> None:
    """Stream one file through the gate into its part of every bucket; keep its counts and its
    series.

    Raises:
        InputError: the file changed while it was read.
    """
    before = _version(path)
    panel, writers = place(folder), dict[str, pq.ParquetWriter]()
    counts, series, months, classes, rejects = [], [], [], [CLASSES.empty_table()], []
    notes: tuple[str, ...] = ()
    with ExitStack() as parts:  # each part appears when it is whole
        for table, result in _read(path, source):
            counts.append(result.counts)
            rejects.append(result.rejects)
            series.append(series_table(table))
            months.append(readings_by_month(table))
            if isinstance(result, GateResult):
                classes.append(result.classes)
                notes = result.notes
                table = table.append_column(
                    "file", pa.array([path] * len(table), pa.string()).dictionary_encode()
                )
            for bucket, rows in by_bucket(table, per_facility):
                if bucket not in writers:
                    building = parts.enter_context(
                        replacing(bucket_folder(panel, bucket) / f"part-{key}.parquet")
                    )
                    writers[bucket] = parts.enter_context(pq.ParquetWriter(building, rows.schema))
                writers[bucket].write_table(rows)
    if _version(path) != before:
        raise InputError(
            f"{path} changed while it was read: run the job again when nobody writes to it"
        )
    for name, tables in (
        ("series", series),
        ("months", months),
        ("classes", classes),
        ("rejects", rejects),
    ):
        write_parquet(pa.concat_tables(tables), panel / "files" / f"{key}.{name}.parquet")
    write_json(
        _facts(panel, key),
        {"counts": add_counts(counts), "buckets": sorted(writers), "notes": notes},
    )


def _read(
    path: str, source: SourceConfig
) -> Generator[tuple[pa.Table, GateResult | PredecessorBatch], None, None]:
    """Yield each batch of a file as stored: readings, or the predecessor's ready windows."""
    if source.format != "seed":
        yield from ((result.readings, result) for result in read_readings(path, source))
        return
    first_row = 0
    for batch in read_predecessor(path, source):
        yield predecessor_table(batch, first_row=first_row), batch
        first_row += len(batch.x_BL)


def _write_rejects(workspace: Workspace, of_files: pa.Table, registry: Registry) -> dict[str, int]:
    """Write all rejected rows into one CSV that Excel opens; return how many there are for each
    reason.
    """
    rejects = pa.concat_tables([of_files, registry.rejects])
    with writing(workspace.root / "rejects.csv") as file:
        file.write(b"\xef\xbb\xbf")
        pacsv.write_csv(safe_table(rejects), file)
    return dict(Counter(rejects["reason"].to_pylist()))


if __name__ == "__main__":
    main(run, __doc__)
