"""Read and write Parquet by local path or URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from hvac.filesystems import reached
from hvac.storage.paths import AnyPath
from hvac.storage.places import Place
from hvac.storage.writing import replacing


def write_parquet(
    table: pa.Table, path: AnyPath, *, row_group_size: int | None = None
) -> None:
    """Write a table as Parquet, whole or not at all.

    Args:
        table: the rows.
        path: of the file.
        row_group_size: rows that are read together; by default a million.
    """
    with replacing(path) as building:
        pq.write_table(
            table,
            building,
            row_group_size=row_group_size,
            use_dictionary=repeating_columns(table.schema),
        )


def repeating_columns(schema: pa.Schema) -> list[str]:
    """Return the columns of Parquet whose values repeat: all but lists of numbers with fractions.

    Those are computed, hardly one is like another, and to look for equal ones takes three times as
    long as to write them.

    >>> repeating_columns(pa.schema([("id", pa.string()), ("forecast", pa.list_(pa.float32()))]))
    ['id']
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    return [
        name
        for name, kind in leaves
        if "." not in name or not pa.types.is_floating(kind)
    ]


def _leaves(name: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Yield the columns that Parquet makes of a field, with their types."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", field.type)
    elif pa.types.is_nested(kind):
        yield from _leaves(f"{name}.list.element", kind.value_type)
    else:
        yield name, kind


def read_parquet(path: AnyPath, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file, or a folder of them, as one table.

    Raises:
        FileNotFoundError: nothing is there.
    """
    names = None if columns is None else list(columns)
    if isinstance(path, Place):
        with reached(path):
            return pq.read_table(path.inner, columns=names, filesystem=path.system)
    return pq.read_table(path, columns=names)


def parquet_dataset(where: AnyPath | Sequence[AnyPath]) -> pads.Dataset:
    """Open a folder, or files of one bucket, as a dataset to be filtered and streamed."""
    if isinstance(where, Place):
        return pads.dataset(where.inner, format="parquet", filesystem=where.system)
    if isinstance(where, Path):
        return pads.dataset(where, format="parquet")
    files = [path.inner if isinstance(path, Place) else str(path) for path in where]
    systems = [path.system for path in where if isinstance(path, Place)]
    return pads.dataset(
        files, format="parquet", filesystem=systems[0] if systems else None
    )
