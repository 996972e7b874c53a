"""Small bulk bodies that unfold to gigabytes, each by another way of Arrow or Parquet."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serve.bodies.bulk import ARROW, PARQUET

TODAY = dt.datetime.now(dt.UTC).date()


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)
    ) as writer:
        writer.write_table(table)
    return sink.getvalue()


def windows(rows: int = 1, **more: Any) -> pa.Table:
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 90)), 90).cast(
        pa.list_(pa.float64())
    )
    columns = {"facility_id": ["F1"] * rows, "equipment_id": ["E1"] * rows, "class": ["ahu"] * rows,
               "end_date": [TODAY] * rows, "values": values}  # fmt: skip
    return pa.table({**columns, **more})


def long_list(numbers: int = 120_000_000) -> bytes:
    """Parquet: windows of millions of nulls each, which run-length encoding folds to nothing."""
    step = 20_000_000
    sink = io.BytesIO()
    schema = windows().schema
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for _ in range(numbers // step):
            values = pa.ListArray.from_arrays(
                pa.array([0, step], pa.int32()), pa.nulls(step, pa.float64())
            )
            writer.write_table(windows(values=values))
    return sink.getvalue()


def one_group(numbers: int = 30_000_000) -> bytes:
    """Parquet: a single row group whose only window is very long."""
    values = pa.ListArray.from_arrays(
        pa.array([0, numbers], pa.int32()), pa.nulls(numbers, pa.float64())
    )
    sink = io.BytesIO()
    pq.write_table(windows(values=values), sink, compression="zstd")
    return sink.getvalue()


def shared_text(rows: int = 20_000, length: int = 250_000) -> bytes:
    """Arrow: every row has the same long text of a dictionary."""
    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int8)), pa.array(["x" * length])
    )
    return stream(windows(rows, values=pa.array([[0.0]] * rows), equipment_id=texts))


def compressed_dictionary(length: int = 200_000_000) -> bytes:
    """Arrow: a compressed dictionary of a column that nobody looks at."""
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0], pa.int8()), pa.array(["x" * length], pa.large_string())
    )
    return stream(windows(other=texts), compression="zstd")


def nested_column(length: int = 60_000_000) -> bytes:
    """Arrow: a compressed column of structures that nobody looks at."""
    other = pa.ListArray.from_arrays(
        pa.array([0, length], pa.int32()),
        pa.nulls(length, pa.struct([("a", pa.int8())])),
    )
    return stream(windows(other=other), compression="zstd")


UNFOLDING = {
    "parquet of many long lists": (long_list, PARQUET),
    "parquet of one long list": (one_group, PARQUET),
    "arrow of one shared text": (shared_text, ARROW),
    "arrow of a compressed dictionary": (compressed_dictionary, ARROW),
    "arrow of a nested column": (nested_column, ARROW),
}
