"""One reader per file format: each gives the same named columns, raw as in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from hvac.errors import InputError
from hvac.readings.files import iter_table
from hvac.readings.raw_columns import (
    RawBatch,
    constant_columns,
    how_else,
    match_column,
    missing_column,
    path_ids,
)
from hvac.readings.sources import SourceConfig
from hvac.readings.table_file import FileBatch, TableFile
from hvac.readings.table_paths import hive_values
from hvac.readings.text_values import one_array
from hvac.readings.wide_tables import read_wide

INSPECTION = {
    "class": "共通分類コード",
    "facility_id": "テナントid",
    "equipment_id": "設備id",
    "point_id": "チェック項目id",
    "date": "実施日時",
    "value": "実施結果の値",
    "lower_limit": "下限値",
    "upper_limit": "上限値",
}
REQUIRED = ("facility_id", "equipment_id", "point_id", "date", "value")
OPTIONAL = ("lower_limit", "upper_limit", "known_at", "class")


def read_raw(
    file: TableFile, source: SourceConfig, *, batch_rows: int
) -> Iterator[RawBatch]:
    """Stream one readings file, at most `batch_rows` readings per batch.

    Raises InputError for the predecessor's format, which holds windows instead of readings.
    """
    if source.ready_windows:
        raise InputError(
            f"{file.path}: source.format: seed holds windows, not readings: set another one"
        )
    if source.format == "wide":
        return read_wide(file, source, batch_rows)
    return read_named(
        file, source, required=REQUIRED, optional=OPTIONAL, batch_rows=batch_rows
    )


def read_named(
    file: TableFile,
    source: SourceConfig,
    *,
    required: Sequence[str],
    optional: Sequence[str],
    batch_rows: int,
) -> Iterator[RawBatch]:
    """Stream the required and the optional columns.

    Folders of a partitioned table stand in for columns; ids that `source.path_pattern` gives hold
    instead of columns.
    """
    given = path_ids(file, source)
    if (
        source.facility_id
        and "facility_id" not in given
        and not _has_facilities(file, source)
    ):
        given["facility_id"] = source.facility_id
    folders = hive_values(file.path)
    needed = [name for name in required if name not in given]
    names = find_columns(file, source, required=needed, optional=optional)
    in_file = [name for name in dict.fromkeys(names.values()) if name in file.columns]
    for batch in iter_table(file, in_file, batch_rows=batch_rows):
        columns = {
            ours: _column(batch, theirs, folders) for ours, theirs in names.items()
        }
        columns |= constant_columns(given, len(batch.row))
        yield RawBatch(columns, batch.row, names, batch.ragged)


def _has_facilities(file: TableFile, source: SourceConfig) -> bool:
    """Tell whether a file, or its folders, have a column of facilities."""
    return "facility_id" in find_columns(
        file, source, required=(), optional=("facility_id",)
    )


def _column(batch: FileBatch, name: str, folders: Mapping[str, str]) -> pa.Array:
    if name in batch.table.column_names:
        return one_array(batch.table[name])
    return pa.array([folders[name]] * len(batch.row), pa.string())


def _of_register(ours: str, source: SourceConfig) -> bool:
    """Tell whether a column that readings lack may be the register's: its class."""
    return ours == "class" and source.equipment is not None


def find_columns(
    file: TableFile,
    source: SourceConfig,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
) -> dict[str, str]:
    """Return the file's names by ours.

    Raises InputError for a required column that is missing, and for one that is there twice.
    """
    known = [
        *file.columns,
        *(key for key in hive_values(file.path) if key not in file.columns),
    ]
    usual = INSPECTION if source.format == "inspection" else {}
    names = {}
    for ours in (*required, *optional):
        expected = source.columns.get(ours) or usual.get(ours, ours)
        name = match_column(expected, known, file.path)
        if name is not None:
            names[ours] = name
        elif ours in required or (
            ours in source.columns and not _of_register(ours, source)
        ):
            setting = f"source.columns: {{{ours}: <name>}}"
            message = missing_column(file, ours, expected, known, setting=setting)
            raise InputError(message + how_else(file, expected))
    return names
