"""Bulk bodies: an Arrow stream or a Parquet file of ready windows, checked before it is unfolded.

Whoever reads them does so in a process of its own, whose memory is bounded (`serve.bodies.unfold`):
what a body says of itself may be a lie, and pyarrow ends the process over some damaged ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hvac.days import EPOCH
from hvac.errors import HvacError, InputError
from hvac.readings.accepted import ID_CHARACTERS, ID_READ, id_states, newest_day
from serve.bodies.problems import TooMuch, WrongKind
from serve.settings import MIB, Limits

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
NEEDED = ("facility_id", "equipment_id", "end_date", "values")
TEXTS = ("facility_id", "equipment_id", "class", "point_id")
LISTS = ("values", "context", "recent", "raw", "peers", "residuals")
OPTIONAL = ("class", "point_id", *LISTS[1:])
COLUMNS = (*NEEDED, *OPTIONAL)
UNFOLDS = 8  # times its bytes that a body may unfold to
ANYHOW = 32 * MIB  # bytes that any body may unfold to
MOST_UNFOLDS = 4  # times the bytes allowed in a body
NUMBER_BYTES = 8
BATCH_ROWS = 256
# Fields of Arrow's format/Message.fbs.
LENGTH = 0
RECORD_BATCH_COMPRESSION = 3
DICTIONARY_DATA = 1


def unfolded_bytes(size: int, limits: Limits) -> int:
    """Return how many bytes a body of some size may unfold to.

    >>> unfolded_bytes(2000, Limits()) // MIB, unfolded_bytes(60 * MIB, Limits()) // MIB
    (32, 256)
    """
    return min(UNFOLDS * size + ANYHOW, MOST_UNFOLDS * limits.bulk_bytes)


def read_bulk_windows(content: bytes, kind: str, limits: Limits) -> pa.Table:
    """Read a bulk body as a table of the columns that are looked at.

    Raises:
        WrongKind: neither Arrow nor Parquet. TooMuch: too many windows, or it unfolds to too much.
        InputError: it cannot be read, or is not such a table; the sentence says which column.
    """
    check_kind(kind)
    allowed = unfolded_bytes(len(content), limits)
    try:
        table = (_read_parquet if kind == PARQUET else _read_stream)(
            content, limits, allowed
        )
        table.validate(
            full=True
        )  # offsets that point outside would crash whoever follows them
        _check_numbers(table, allowed)
        return _checked(table)
    except HvacError:
        raise
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise _too_much(allowed) from error
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        reason = (str(error).splitlines() or ["it is empty"])[0][:200]
        raise InputError(f"the body cannot be read as {kind}: {reason}") from error


def check_kind(kind: str) -> None:
    """Raise WrongKind where a body is neither Arrow nor Parquet."""
    if kind not in (ARROW, PARQUET):
        raise WrongKind(
            f"bulk bodies are {ARROW} or {PARQUET}, found {kind[:80] or 'no content type'}"
        )


def _too_much(allowed: int) -> TooMuch:
    return TooMuch(
        f"the table unfolds to more than the {allowed} bytes allowed for a body of this size"
    )


def _read_parquet(content: bytes, limits: Limits, allowed: int) -> pa.Table:
    """Look at the footer first; then read row group after row group, a few rows at a time."""
    file = pq.ParquetFile(io.BytesIO(content))
    _check_rows(file.metadata.num_rows, limits)
    names = _columns(file.schema_arrow)
    if NUMBER_BYTES * _footer_numbers(file.metadata) > allowed:
        raise _too_much(allowed)
    batches = []
    size = 0
    for batch in file.iter_batches(
        batch_size=BATCH_ROWS, columns=names, use_threads=False
    ):
        size += batch.nbytes
        if size > allowed:
            raise _too_much(allowed)
        batches.append(batch)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    return (
        pa.Table.from_batches(batches, schema=schema).select(names)
        if batches
        else schema.empty_table()
    )


def _footer_numbers(metadata: pq.FileMetaData) -> int:
    """Return how many values the footer says are in the columns that are looked at."""
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    columns = [group.column(n) for group in groups for n in range(group.num_columns)]
    return sum(
        column.num_values
        for column in columns
        if column.path_in_schema.partition(".")[0] in COLUMNS
    )


def _read_stream(content: bytes, limits: Limits, allowed: int) -> pa.Table:
    """Look at the head of every message first; then read the columns that are looked at."""
    rows = 0
    for message in pa.ipc.MessageReader.open_stream(content):
        if message.type == "schema":
            continue
        batch = _Batch(
            message.metadata.to_pybytes(), dictionary=message.type != "record batch"
        )
        if batch.is_compressed:
            raise InputError(
                "compressed Arrow batches are not read: write the stream without compression"
            )
        rows += batch.length if message.type == "record batch" else 0
        _check_rows(rows, limits)
    with pa.ipc.open_stream(content) as stream:
        schema = stream.schema
    places = [schema.get_field_index(name) for name in _columns(schema)]
    options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
    with pa.ipc.open_stream(content, options=options) as stream:
        table = stream.read_all()
    if table.nbytes > allowed:
        raise _too_much(allowed)
    return table


class _Batch:
    """The head of a record batch, read out of a message's flatbuffer; of a dictionary batch, that
    of its data.
    """

    def __init__(self, metadata: bytes, *, dictionary: bool) -> None:
        self._metadata = metadata
        header = self._table(self._field(self._offset(0), 2))
        self._batch = (
            self._table(self._field(header, DICTIONARY_DATA)) if dictionary else header
        )

    @property
    def is_compressed(self) -> bool:
        """Return whether the batch's buffers are compressed."""
        return bool(self._field(self._batch, RECORD_BATCH_COMPRESSION))

    @property
    def length(self) -> int:
        """Return the number of rows."""
        place = self._field(self._batch, LENGTH)
        rows = int(struct.unpack_from("<q", self._metadata, place)[0]) if place else 0
        if rows < 0:
            raise InputError("a record batch says that it has less than no rows")
        return rows

    def _offset(self, place: int) -> int:
        return int(struct.unpack_from("<I", self._metadata, place)[0])

    def _table(self, place: int) -> int:
        return place + self._offset(place)

    def _field(self, table: int, number: int) -> int:
        """Return the position of a field of a table, 0 where it is absent."""
        vtable = table - struct.unpack_from("<i", self._metadata, table)[0]
        place = 4 + 2 * number
        if place >= struct.unpack_from("<H", self._metadata, vtable)[0]:
            return 0
        offset = int(struct.unpack_from("<H", self._metadata, vtable + place)[0])
        return table + offset if offset else 0


def _columns(schema: pa.Schema) -> list[str]:
    """Return the columns of a body that are looked at; the others must be plain, as unfolding them
    helps nobody.
    """
    for name in COLUMNS:
        if schema.names.count(name) > 1:
            raise InputError(
                f"the table has the column {name} {schema.names.count(name)} times"
            )
    lacking = [name for name in NEEDED if name not in schema.names]
    if lacking:
        raise InputError(
            f"the table lacks the column {lacking[0]}: expected {', '.join(NEEDED)}"
        )
    for field in schema:
        if field.name in LISTS:
            _check_list(field.name, field.type)
        elif field.name not in COLUMNS and not _is_plain(field.type):
            raise InputError(
                f"the column {field.name[:80]} is not looked at and is no plain one: leave it out"
            )
    return [name for name in COLUMNS if name in schema.names]


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether values are numbers, texts, days, or lists of these."""
    inner = kind.value_type if _is_list(kind) else kind
    odd = (pa.types.is_nested, pa.types.is_dictionary, pa.types.is_run_end_encoded)
    return not any(test(inner) for test in odd) and not isinstance(
        inner, pa.BaseExtensionType
    )


def _check_numbers(table: pa.Table, allowed: int) -> None:
    """Raise TooMuch where the numbers, of 8 bytes each, would take more than allowed."""
    lists = [table[name] for name in LISTS if name in table.column_names]
    numbers = sum(pc.sum(pc.list_value_length(column)).as_py() or 0 for column in lists)
    if NUMBER_BYTES * numbers > allowed:
        raise _too_much(allowed)


def _check_rows(rows: int, limits: Limits) -> None:
    if rows > limits.windows:
        raise TooMuch(
            f"{rows} windows in one request; at most {limits.windows} are allowed"
        )


def _checked(table: pa.Table) -> pa.Table:
    """Return the columns in their types, ids trimmed."""
    if not table.num_rows:
        raise InputError("the table has no row")
    for name in NEEDED:
        if table[name].null_count:
            raise InputError(
                f"{name} must not be null (found {table[name].null_count} nulls)"
            )
    for name in TEXTS:
        if name in table.column_names:
            table = _with_ids(table, name)
    table = _cast(table, "end_date", pa.date32(), "a date")
    _check_days(table["end_date"].cast(pa.int32()))
    return table


def _with_ids(table: pa.Table, name: str) -> pa.Table:
    """Trim and check ids by the rule of every other route (`hvac.readings.accepted`)."""
    _check_lengths(name, table[name])
    table = _cast(table, name, pa.string(), "a text")
    trimmed = pc.utf8_trim_whitespace(table[name])
    for chunk in trimmed.chunks:
        states = id_states(pc.drop_null(pc.unique(chunk)))
        if (states != ID_READ).any():
            raise InputError(
                f"{name}: expected 1 to {ID_CHARACTERS} characters, none of them a control"
                " character"
            )
    return table.set_column(table.column_names.index(name), name, trimmed)


def _check_lengths(name: str, column: pa.ChunkedArray) -> None:
    """Refuse texts that are too long before they are unfolded: many rows may share one of a
    dictionary.
    """
    for texts in _texts(column):
        longest = pc.max(pc.binary_length(texts)).as_py()
        if (longest or 0) > 8 * ID_CHARACTERS:
            raise InputError(
                f"{name}: expected 1 to {ID_CHARACTERS} characters, found a text of {longest} bytes"
            )


def _texts(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in column.chunks:
        texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        if (
            pa.types.is_string(texts.type)
            or pa.types.is_large_string(texts.type)
            or _is_binary(texts.type)
        ):
            yield texts
        elif pa.types.is_nested(texts.type) or pa.types.is_string_view(texts.type):
            raise InputError(
                f"expected a text in every row, found {str(texts.type)[:80]}"
            )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _check_days(column: pa.ChunkedArray) -> None:
    days = pc.min_max(column).as_py()
    newest = newest_day()
    if days["min"] < 0 or days["max"] > (newest - EPOCH).days:
        raise InputError(f"end_date: expected days from {EPOCH} to {newest}")


def _cast(table: pa.Table, name: str, kind: pa.DataType, words: str) -> pa.Table:
    try:
        place = table.column_names.index(name)
        return table.set_column(place, name, table[name].cast(kind))
    except pa.ArrowException as error:
        raise InputError(
            f"{name}: expected {words}, found {table[name].type}"
        ) from error


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )


def _check_list(name: str, kind: pa.DataType) -> None:
    if not _is_list(kind) or not (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    ):
        raise InputError(
            f"{name}: expected a list of numbers per row, found {str(kind)[:200]}"
        )
