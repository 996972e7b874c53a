"""Source files as parts of the panel: each is streamed into its buckets, with its facts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import ExitStack
from typing import NotRequired, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from hvac.errors import InputError
from hvac.features.describe_predecessor import predecessor_table
from hvac.panel.partitions import bucket_folder, by_bucket, part_keys
from hvac.panel.series_table import series_table
from hvac.panel.spans import readings_by_month
from hvac.readings.file_keys import name_within
from hvac.readings.gate import (
    CLASSES,
    GateResult,
    PredecessorBatch,
    SourceConfig,
    add_counts,
    read_predecessor,
    read_readings,
)
from hvac.storage import (
    AnyPath,
    open_filesystem,
    parquet_dataset,
    place,
    read_mark,
    replacing,
    write_json,
    write_parquet,
)

SHARES = 64  # of facilities; large fleets are joined by some of them together
READ_TOGETHER = 16_384  # rows of a share lie among so many others


def ingest_file(
    path: str, source: SourceConfig, key: str, per_facility: int, folder: str
) -> None:
    """Stream one file through the gate into its part of every bucket; keep its counts and its
    series.

    Raises:
        InputError: the file changed while it was read.
    """
    before = _version(path)
    name = name_within(path, source.readings)  # the later name's reading holds
    panel = place(folder)
    writers = dict[str, pq.ParquetWriter]()
    counts = []
    series = []
    months = []
    classes = [CLASSES.empty_table()]
    rejects = []
    notes: tuple[str, ...] = ()
    with ExitStack() as parts:  # each part appears when it is whole
        for table, result in read_batches(path, source):
            counts.append(result.counts)
            rejects.append(result.rejects)
            series.append(series_table(table))
            months.append(readings_by_month(table))
            if isinstance(result, GateResult):
                classes.append(result.classes)
                notes = result.notes
                table = table.append_column(
                    "file",
                    pa.array([name] * len(table), pa.string()).dictionary_encode(),
                )
            for bucket, rows in by_bucket(table, per_facility):
                if bucket not in writers:
                    building = parts.enter_context(
                        replacing(bucket_folder(panel, bucket) / f"part-{key}.parquet")
                    )
                    writers[bucket] = parts.enter_context(
                        pq.ParquetWriter(building, rows.schema)
                    )
                writers[bucket].write_table(rows)
    if _version(path) != before:
        raise InputError(
            f"{path} changed while it was read: run the job again when nobody writes to it"
        )
    for name, tables in (("series", series), ("months", months), ("classes", classes)):
        write_parquet(
            _by_share(pa.concat_tables(tables)),
            panel / "files" / f"{key}.{name}.parquet",
            row_group_size=READ_TOGETHER,
        )
    write_parquet(pa.concat_tables(rejects), panel / "files" / f"{key}.rejects.parquet")
    write_json(
        _facts_file(panel, key),
        {"counts": add_counts(counts), "buckets": sorted(writers), "notes": notes},
    )


def _by_share(table: pa.Table) -> pa.Table:
    """Sort rows by the share that the facility of each falls to, which becomes a column."""
    codes = table["facility_id"].combine_chunks().dictionary_encode()
    names = codes.dictionary.to_pylist()
    shares = np.array([zlib.crc32(name.encode()) % SHARES for name in names], np.int8)
    share_N = shares[codes.indices.to_numpy()]
    table = table.append_column("share", pa.array(share_N))
    return table.take(pa.array(np.argsort(share_N, kind="stable")))


def _version(path: str) -> tuple[int | None, int | None]:
    """Return size and time of change of a file."""
    system, inner = open_filesystem(path)
    info = system.get_file_info(inner)
    return info.size, info.mtime_ns


def read_batches(
    path: str, source: SourceConfig
) -> Generator[tuple[pa.Table, GateResult | PredecessorBatch], None, None]:
    """Yield each batch of a file as stored: readings, or the predecessor's ready windows."""
    if not source.ready_windows:
        yield from ((result.readings, result) for result in read_readings(path, source))
        return
    first_row = 0
    for batch in read_predecessor(path, source):
        yield predecessor_table(batch, first_row=first_row), batch
        first_row += len(batch.x_BL)


def _facts_file(panel: AnyPath, key: str) -> AnyPath:
    """Return the path of the file of counts and buckets, which is written when all else of a source
    file is.
    """
    return panel / "files" / f"{key}.json"


def drop_other_files(panel: AnyPath, keys: Container[str]) -> set[str]:
    """Remove what other files, or a killed run, left; return the keys of whole files."""
    parts = part_keys(panel)
    marks = {
        path.stem: read_mark(path).get("buckets")
        for path in (panel / "files").glob("*.json")
    }
    whole = set()
    for key, file_buckets in marks.items():
        if key not in keys or file_buckets is None:
            continue
        if all(key in parts.get(bucket, ()) for bucket in file_buckets):
            whole.add(key)
    for key in set(marks) - whole:
        _facts_file(panel, key).unlink(missing_ok=True)
    for bucket, keys_there in parts.items():
        for key in set(keys_there) - whole:
            (bucket_folder(panel, bucket) / f"part-{key}.parquet").unlink(
                missing_ok=True
            )
    for path in (panel / "files").glob("*.parquet"):
        if path.name.split(".")[0] not in whole:
            path.unlink(missing_ok=True)
    return whole


class FileFacts(TypedDict):
    """Counts, buckets and notes of a source file; files of before have no notes."""

    counts: dict[str, int]
    buckets: list[str]
    notes: NotRequired[list[str]]


def file_facts(panel: AnyPath, key: str) -> FileFacts:
    """Read the counts, buckets and notes of a source file that was ingested."""
    facts: FileFacts = json.loads(_facts_file(panel, key).read_text(encoding="utf-8"))
    return facts


def kept_tables(
    panel: AnyPath, keys: Iterable[str], name: str, shares: Sequence[int] | None = None
) -> pa.Table:
    """Join the tables of one name (series, months, classes or rejects) of several source files.

    Args:
        panel: the folder of the panel.
        keys: of the files.
        name: of the tables.
        shares: those of which rows are read; by default all.
    """
    only = None if shares is None else pads.field("share").isin(shares)
    files = [panel / "files" / f"{key}.{name}.parquet" for key in keys]
    tables = [parquet_dataset([file]).to_table(filter=only) for file in files]
    joined = pa.concat_tables(tables)
    return joined.drop_columns("share") if "share" in joined.column_names else joined
