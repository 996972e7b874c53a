"""Bulk bodies: an Arrow stream or a Parquet file of ready windows, checked before it is unfolded."""

from __future__ import annotations

import datetime as dt
import io
import re
import struct

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hvac.errors import HvacError, InputError
from hvac.panel.registry import EPOCH
from serve.problems import TooMuch, WrongKind
from serve.settings import Limits

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
NEEDED = ("facility_id", "equipment_id", "end_date", "values")
TEXTS = ("facility_id", "equipment_id", "class", "point_id")
LISTS = ("values", "context", "recent", "raw", "peers", "residuals")
OPTIONAL = ("class", "point_id", *LISTS[1:])
ID = re.compile(r"[^\x00-\x1f\x7f/]{1,128}")
UNFOLDS, BATCH_ROWS = 4, 256  # a Parquet file may unfold to so many times the bytes allowed in a body
RECORD_BATCH = 3


def read_windows(content: bytes, kind: str, limits: Limits) -> pa.Table:
    """A bulk body as a table.

    Raises:
        WrongKind: neither Arrow nor Parquet. TooMuch: too many windows, or it unfolds to too much.
        InputError: it cannot be read, or is not such a table; the sentence says which column.
    """
    if kind not in (ARROW, PARQUET):
        raise WrongKind(f"bulk bodies are {ARROW} or {PARQUET}, found {kind[:80] or 'no content type'}")
    try:
        table = (_read_parquet if kind == PARQUET else _read_stream)(content, limits)
        table.validate(full=True)  # offsets that point outside would crash whoever follows them
        return _checked(table)
    except HvacError:
        raise
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        told = (str(error).splitlines() or ["it is empty"])[0][:200]
        raise InputError(f"the body cannot be read as {kind}: {told}") from error


def _read_parquet(content: bytes, limits: Limits) -> pa.Table:
    """Row group after row group, a few rows at a time, so that what unfolds too far is noticed on the way.

    The footer's columns are not looked at beforehand: pyarrow lets a C++ exception about a damaged one end the process.
    """
    file = pq.ParquetFile(io.BytesIO(content))
    _check_rows(file.metadata.num_rows, limits)
    batches, size = [], 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        size += batch.nbytes
        if size > UNFOLDS * limits.bulk_bytes:
            raise TooMuch(f"the table unfolds to more than the {UNFOLDS * limits.bulk_bytes} bytes allowed")
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=file.schema_arrow)


def _read_stream(content: bytes, limits: Limits) -> pa.Table:
    for message in pa.ipc.MessageReader.open_stream(content):
        if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            raise InputError("compressed Arrow batches are not read: write the stream without compression")
    with pa.ipc.open_stream(content) as stream:
        table = stream.read_all()
    _check_rows(table.num_rows, limits)
    return table


def _is_compressed(metadata: bytes) -> bool:
    """Whether a record batch's flatbuffer (Arrow's format/Message.fbs) has a `compression`: RecordBatch's field 3."""

    def field(table: int, number: int) -> int:
        """Position of a field of a table, 0 where it is absent."""
        vtable = table - struct.unpack_from("<i", metadata, table)[0]
        place = 4 + 2 * number
        if place >= struct.unpack_from("<H", metadata, vtable)[0]:
            return 0
        offset = int(struct.unpack_from("<H", metadata, vtable + place)[0])
        return table + offset if offset else 0

    message = int(struct.unpack_from("<I", metadata, 0)[0])
    header = field(message, 2)
    batch = header + int(struct.unpack_from("<I", metadata, header)[0])
    return bool(field(batch, RECORD_BATCH))


def _check_rows(rows: int, limits: Limits) -> None:
    if rows > limits.windows:
        raise TooMuch(f"{rows} windows in one request; at most {limits.windows} are allowed")


def _checked(table: pa.Table) -> pa.Table:
    """The columns that are looked at, in their types."""
    for name in (*NEEDED, *OPTIONAL):
        if table.column_names.count(name) > 1:
            raise InputError(f"the table has the column {name} {table.column_names.count(name)} times")
    lacking = [name for name in NEEDED if name not in table.column_names]
    if lacking:
        raise InputError(f"the table lacks the column {lacking[0]}: expected {', '.join(NEEDED)}")
    if not table.num_rows:
        raise InputError("the table has no row")
    table = table.select([name for name in (*NEEDED, *OPTIONAL) if name in table.column_names])
    for name in NEEDED:
        if table[name].null_count:
            raise InputError(f"{name} must not be null (found {table[name].null_count} nulls)")
    for name in TEXTS:
        if name in table.column_names:
            table = _cast(table, name, pa.string(), "a text")
            _check_ids(name, table[name])
    for name in LISTS:
        if name in table.column_names:
            _check_list(name, table[name].type)
    table = _cast(table, "end_date", pa.date32(), "a date")
    _check_days(table["end_date"].cast(pa.int32()))
    return table


def _check_ids(name: str, column: pa.ChunkedArray) -> None:
    """The rules of every other route."""
    for value in pc.unique(column).to_pylist():
        if value is not None and not ID.fullmatch(value):
            raise InputError(f"{name}: expected 1 to 128 characters, none of them a control character or a slash")


def _check_days(column: pa.ChunkedArray) -> None:
    newest = (dt.datetime.now(dt.UTC).date() - EPOCH).days + 1
    found = pc.min_max(column).as_py()
    if found["min"] < 0 or found["max"] > newest:
        raise InputError(f"end_date: expected days from 1970-01-01 to {EPOCH + dt.timedelta(days=newest)}")


def _cast(table: pa.Table, name: str, kind: pa.DataType, words: str) -> pa.Table:
    try:
        return table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    except pa.ArrowException as error:
        raise InputError(f"{name}: expected {words}, found {table[name].type}") from error


def _check_list(name: str, kind: pa.DataType) -> None:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise InputError(f"{name}: expected a list of numbers per row, found {kind}")
