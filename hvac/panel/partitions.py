"""How a panel is cut into buckets: by facility, and a facility by its equipment.

A bucket is named `<facility>.<number>`; its readings lie in
`readings/facility_id=<facility>/bucket-<number>/`, one part per source file. Its key tells what its
content depends on.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Unit
from hvac.panel.joins import units_of
from hvac.panel.registry import READ_TOGETHER, Registry
from hvac.panel.splits import Splitter
from hvac.storage import AnyPath, content_key, folder_name


def bucket_of(unit: Unit, each: int) -> str:
    """Return the bucket of an equipment where every facility is cut into `each`.

    >>> bucket_of(Unit("F001", "AHU-1"), 4), bucket_of(Unit("本社/北館", "空調1"), 1)
    ('F001.0000', '本社%2F北館.0000')
    """
    number = zlib.crc32(unit.equipment_id.encode()) % each
    return f"{folder_name(unit.facility_id)}.{number:04d}"


def bucket_folder(panel: AnyPath, bucket: str) -> AnyPath:
    """Return the folder of a bucket's readings."""
    facility, _, number = bucket.rpartition(".")
    return panel / "readings" / f"facility_id={facility}" / f"bucket-{number}"


def part_keys(panel: AnyPath) -> dict[str, list[str]]:
    """Return the keys of the source files that have a part in each bucket."""
    keys = defaultdict(list)
    for path in (panel / "readings").glob("facility_id=*/bucket-*/part-*.parquet"):
        facility = path.parent.parent.name.removeprefix("facility_id=")
        number = path.parent.name.removeprefix("bucket-")
        keys[f"{facility}.{number}"].append(path.stem.removeprefix("part-"))
    return {bucket: sorted(keys[bucket]) for bucket in sorted(keys)}


def by_bucket(readings: pa.Table, each: int) -> list[tuple[str, pa.Table]]:
    """Split rows by bucket; an equipment is always in the same one."""
    ids = (readings["facility_id"], readings["equipment_id"])
    unit = pc.binary_join_element_wise(*ids, "\x1f").combine_chunks()
    codes = unit.dictionary_encode()
    names = []
    for name in codes.dictionary.to_pylist():
        facility, equipment = name.split("\x1f", 1)
        names.append(bucket_of(Unit(facility, equipment), each))
    if not names:
        return []
    buckets, place = np.unique(np.array(names), return_inverse=True)
    bucket_B = place[codes.indices.to_numpy()]
    order = np.argsort(bucket_B, kind="stable")
    ordered = readings.take(pa.array(order))
    starts = np.searchsorted(bucket_B[order], np.arange(len(buckets)))
    ends = np.append(starts[1:], len(order))
    parts = []
    for bucket, start, end in zip(buckets, starts, ends, strict=True):
        parts.append((str(bucket), ordered.slice(start, end - start)))
    return parts


def bucket_keys(
    registry: Registry, parts: Mapping[str, Iterable[str]], each: int
) -> dict[str, str]:
    """Return the key of each bucket: of its parts, its units and their events."""
    known: dict[str, Any] = defaultdict(hashlib.sha256)
    for table in (registry.units, registry.events):
        for batch in table.to_batches(max_chunksize=READ_TOGETHER):
            some = pa.table(batch)
            for unit, text in zip(units_of(some), _row_texts(some), strict=True):
                known[bucket_of(unit, each)].update(f"{text}\n".encode())
    return {
        bucket: content_key(list(keys), known[bucket].hexdigest())
        for bucket, keys in parts.items()
    }


def _row_texts(table: pa.Table) -> list[str]:
    """Return each row as one text; lists and nulls have texts of their own."""
    columns = []
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_list(field.type):
            flat = pc.list_flatten(column).cast(pa.string()).combine_chunks()
            lists = pa.ListArray.from_arrays(_offsets(column), flat)
            column = pc.binary_join(lists, "\x1d")
        columns.append(pc.fill_null(column.cast(pa.string()), "\x1e"))
    texts: list[str] = pc.binary_join_element_wise(*columns, "\x1f").to_pylist()
    return texts


def _offsets(column: pa.ChunkedArray) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def label_keys(
    splitter: Splitter, follow_up: Mapping[Unit, FollowUp], each: int
) -> dict[str, list[object]]:
    """Return what splits and labels of each bucket take from other units.

    These are its units' parts, how far they are followed, and the chances of departing that their
    weights rest on.
    """
    keys: dict[str, list[object]] = defaultdict(list)
    for unit, followed in follow_up.items():
        split = splitter.part.get(unit), splitter.half.get(unit)
        keys[bucket_of(unit, each)].append((unit, *split, *followed.key))
    return keys
