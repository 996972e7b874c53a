"""Readings of any format → canonical Parquet in buckets of equipment, units, events, rejects and
counts.

    python -m ray_jobs.ingest --config FILE [key.sub=value …]

Every file is one Ray task: it streams through the gate and writes its part of every bucket, so that
no shuffle of all readings is needed and memory does not grow with the input. Files that were read
before are not read again: a new day's file adds its parts to the buckets of its equipment, a file
that changed or went takes its parts with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.cells import write_table_csv
from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.panel.joins import units_of
from hvac.panel.names import save_names
from hvac.panel.partitions import bucket_keys, part_keys
from hvac.panel.registering import build_registry
from hvac.panel.registry import Registry
from hvac.panel.shared_files import (
    may_share,
    notes_on_shared,
    require_apart,
    shared_machines,
)
from hvac.readings.accepted import id_text
from hvac.readings.file_keys import file_keys, small_table_keys
from hvac.readings.file_notes import NAMED_FILES, notes_on_passed_over, notes_on_rejects
from hvac.readings.files import open_table
from hvac.readings.formats import read_raw
from hvac.readings.gate import (
    SourceConfig,
    add_counts,
    require_rows,
    source_files,
)
from hvac.readings.names_table import read_names
from hvac.readings.notation_notes import SENTENCES, notes_on_counts, notes_on_files
from hvac.readings.text_values import Column
from hvac.simulate.fleet import simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.storage import (
    AnyPath,
    content_key,
    open_filesystem,
    read_mark,
    remove_tree,
    write_json,
)
from ray_jobs.run.command import main
from ray_jobs.run.progress import finished
from ray_jobs.run.records import IngestRecord, SimulateRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.file_parts import (
    drop_other_files,
    file_facts,
    ingest_file,
    kept_tables,
    read_batches,
)
from ray_jobs.tables.file_stamps import file_stamps
from ray_jobs.tables.joined_files import joined_files
from ray_jobs.tables.overlap_counts import count_overlaps

log = logging.getLogger(__name__)
BYTES_PER_BUCKET = 4 * 2**20
MIN_BUCKETS = 8
LOOKED_AT = 8
FIRST_ROWS = 100_000
LAYOUT = "layout.json"
PATHS = (
    "readings",
    "events",
    "equipment",
    "names",
    "building_model",
)  # no part of any key: only what lies there
UNITS = 6  # raised when the same files give other tables (6: rows of files by share)


def run(config: RunConfig) -> IngestRecord:
    """Ingest the source of a run, unless the same files were ingested before."""
    workspace = workspace_of(config)
    source = _simulated(config, workspace) if config.simulate else config.source
    assert source is not None, "a run has a source or simulates one"
    files = source_files(source)
    stamps = file_stamps(files, workspace.panel)
    others = [
        small_table_keys(getattr(source, name), f"source.{name}")
        for name in ("events", "equipment", "building_model")
    ]
    names = read_names(
        source
    )  # no part of the key: to call a thing otherwise trains nothing anew
    key = content_key(
        source.model_dump(mode="json", exclude=set(PATHS)),
        list(file_keys(stamps, source).values()),
        others,
        config.windows.min_point_share,
        config.windows.classes,
        config.featurize.buckets,
        UNITS,
    )
    record = run_step(
        workspace, IngestRecord, key, lambda: _ingest(config, source, stamps, workspace)
    )
    save_names(names, workspace.panel)
    return record


def _simulated(config: RunConfig, workspace: Workspace) -> SourceConfig:
    """Write the simulated fleet as canonical tables, and point at them."""
    folder = workspace.root / "source"
    fleet = config.simulate
    assert fleet is not None, "only simulated runs come here"

    def work() -> SimulateRecord:
        remove_tree(folder)
        write_canonical(simulate_facilities(fleet.dated()), folder)
        return SimulateRecord(folder=folder.name)

    run_step(
        workspace, SimulateRecord, content_key(fleet.model_dump(mode="json")), work
    )
    events, equipment = (
        str(folder / f"{name}.parquet") for name in ("events", "equipment")
    )
    names = folder / "names.csv"
    return SourceConfig(
        readings=str(folder / "readings"),
        events=events,
        equipment=equipment,
        names=str(names) if names.exists() else None,
    )


def _ingest(
    config: RunConfig,
    source: SourceConfig,
    stamps: dict[str, str],
    workspace: Workspace,
) -> IngestRecord:
    panel = workspace.panel
    if not (panel / LAYOUT).exists():
        remove_tree(panel)  # of an earlier version, or begun and left
    per_facility = _buckets_each(config, source, list(stamps), panel)
    rules = [
        source.model_dump(mode="json", exclude=set(PATHS)),
        small_table_keys(source.building_model, "source.building_model"),
    ]
    keys = {
        content_key(rules, per_facility, file_key, UNITS): path
        for path, file_key in file_keys(stamps, source).items()
    }
    there = drop_other_files(panel, keys)
    todo = {key: path for key, path in keys.items() if key not in there}
    if len(todo) < len(keys):
        log.info(
            "ingest: %d of %d files are there already", len(keys) - len(todo), len(keys)
        )
    task = ray.remote(num_cpus=1, max_retries=2)(ingest_file)
    refs = [
        task.remote(path, source, key, per_facility, str(panel))
        for key, path in todo.items()
    ]
    finished("ingest", "files", refs)
    counts = add_counts(file_facts(panel, key)["counts"] for key in keys)
    require_rows(counts["rows"], list(stamps))
    if not counts["read"]:
        raise InputError(
            f"{', '.join(list(stamps)[:NAMED_FILES])}: {counts['rows']} rows were read, and none"
            " holds a value: correct source.columns or source.missing_values"
        )
    joined = joined_files(panel, keys)
    registry = build_registry(
        joined.recorded,
        source,
        by_class=config.windows.classes == "each",
        min_point_share=config.windows.min_point_share,
    )
    registry.save(panel)
    shared: dict[Unit, list[str]] = {}
    if not source.ready_windows:
        counts |= count_overlaps(panel, joined.overlapping, per_facility)
        shared = _shared(source, panel, keys)
        require_apart(shared, counts, readings=counts["read"])
    rejected = _write_rejects(workspace, kept_tables(panel, keys, "rejects"), registry)
    buckets = bucket_keys(registry, part_keys(panel), per_facility)
    facts = {**registry.summary(), **_readings_summary(counts), "rejected": rejected}
    facts["absent_days"] = joined.absent_days
    warnings = [
        *_file_warnings(source, panel, keys),
        *notes_on_files(source, _notes(panel, keys)),
        *registry.notes,
        *notes_on_shared(shared),
    ]
    warnings += notes_on_counts(counts)
    for sentence in warnings:
        log.warning("%s", sentence)
    return IngestRecord(
        **facts,
        warnings=warnings,
        buckets=buckets,
        buckets_each=per_facility,
        files_read=len(todo),
    )


def _shared(
    source: SourceConfig, panel: AnyPath, keys: Mapping[str, str]
) -> dict[Unit, list[str]]:
    """Return the machines that several files hold, where the files do not name them themselves."""
    if not may_share(source):
        return {}
    units = {
        path: set(units_of(kept_tables(panel, [key], "series")))
        for key, path in keys.items()
    }
    return shared_machines(source, units)


def _file_warnings(
    source: SourceConfig, panel: AnyPath, keys: Mapping[str, str]
) -> list[str]:
    """Return sentences on files that were not read, and on those of which much could not be."""
    sentences = notes_on_passed_over(source)
    for key, path in keys.items():
        sentences += notes_on_rejects(path, file_facts(panel, key)["counts"])
    return sentences


def _buckets_each(
    config: RunConfig, source: SourceConfig, files: list[str], panel: AnyPath
) -> int:
    """Return into how many buckets a facility is cut: as before, as configured, else by size and
    number of facilities.
    """
    layout = panel / LAYOUT
    configured = config.featurize.buckets
    if layout.exists():
        before = read_mark(layout).get("buckets_each")
        if isinstance(before, int) and configured in (None, before):
            return before
    per_facility = configured or _fitting(
        sum(map(_size, files)), _facilities(source, files)
    )
    write_json(layout, {"buckets_each": per_facility})
    return per_facility


def _fitting(size: int, facilities: int) -> int:
    return max(
        -(-size // (BYTES_PER_BUCKET * facilities)), -(-MIN_BUCKETS // facilities), 1
    )


def _facilities(source: SourceConfig, files: list[str]) -> int:
    """Estimate the number of facilities from the first rows of a few files."""
    looked = files[:: -(-len(files) // LOOKED_AT)]
    seen = []
    for path in looked:
        with closing(_first_ids(path, source)) as batches:
            seen.append(
                {
                    name
                    for ids in islice(batches, 1)
                    for name in pc.unique(ids).to_pylist()
                }
            )
    union = set().union(*seen)
    apart = sum(map(len, seen)) == len(union)  # every file has its own facilities
    return max(len(union) * (len(files) // len(looked) if apart else 1), 1)


def _first_ids(path: str, source: SourceConfig) -> Generator[Column, None, None]:
    """Yield the facility ids of each batch of a file, before its notation is settled."""
    if source.ready_windows:
        yield from (table["facility_id"] for table, _ in read_batches(path, source))
        return
    raws = read_raw(open_table(path, source), source, batch_rows=FIRST_ROWS)
    yield from (id_text(raw.columns["facility_id"]) for raw in raws)


def _notes(panel: AnyPath, keys: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what was guessed of each source file."""
    return {path: file_facts(panel, key).get("notes", []) for key, path in keys.items()}


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


def _write_rejects(
    workspace: Workspace, of_files: pa.Table, registry: Registry
) -> dict[str, int]:
    """Write all rejected rows into one CSV that Excel opens; return how many there are for each
    reason.
    """
    rejects = pa.concat_tables([of_files, registry.rejects])
    write_table_csv(rejects, workspace.root / "rejects.csv", marked=True)
    return dict(Counter(rejects["reason"].to_pylist()))


if __name__ == "__main__":
    main(run, __doc__)
