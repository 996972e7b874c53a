"""One table file, Parquet or CSV, as a stream of column batches that know their row numbers."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs

from hvac.errors import InputError
from hvac.panel.sources import ENCODINGS, SourceConfig
from hvac.storage import open_filesystem, unreadable

BLOCK_BYTES = 4 << 20


class Ragged(NamedTuple):
    """A CSV row whose number of fields is not that of the header."""

    row: int
    found: str


class FileBatch(NamedTuple):
    """`table`: the wanted columns under the file's names; `row` int64 [n]: 1-based (CSV: the header is row 1)."""

    table: Any
    row: NDArray[np.int64]
    ragged: list[Ragged]


class TableFile(NamedTuple):
    """An opened table: its column names in file order; `encoding` is None for Parquet."""

    path: str
    columns: list[str]
    encoding: str | None
    header_lines: int = 0


def open_table(path: str, source: SourceConfig) -> TableFile:
    """Look at a file's kind, encoding and header.

    Raises InputError for a file that is absent, empty, of another kind, or not in the expected encoding.
    """
    system, inner = open_filesystem(path)
    try:
        _check_size(system, inner, path)
        with system.open_input_stream(inner, compression=None) as stream:
            magic = stream.read(4)
        if magic == b"PAR1":
            return _open_parquet(system, inner, path)
        if magic == b"PK\x03\x04":
            raise InputError(f"{path}: expected Parquet or CSV, found an Excel or zip file: save the sheet as CSV")
        if source.encoding is None and magic[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise InputError(f"{path}: expected {', '.join(ENCODINGS)}, found UTF-16 text: set source.encoding: utf-16")
        return _open_csv(path, _encoding(path, source.encoding))
    except OSError as error:
        raise unreadable(path, error) from error


def _check_size(system: Any, inner: str, path: str) -> None:
    info = system.get_file_info(inner)
    if info.type == pafs.FileType.NotFound:
        raise InputError(f"{path}: no such file: expected a Parquet or CSV file; correct the path")
    if info.type == pafs.FileType.Directory:
        raise InputError(f"{path}: expected a file, found a folder; list its files with source_files")
    if info.size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes): expected a table with a header; export it again")


def _open_parquet(system: Any, inner: str, path: str) -> TableFile:
    try:
        with pq.ParquetFile(system.open_input_file(inner)) as file:
            return TableFile(path, list(file.schema_arrow.names), None)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: damaged Parquet file ({str(error)[:200]}): write or copy it again") from error


def _open_csv(path: str, encoding: str) -> TableFile:
    system, inner = open_filesystem(path)
    with system.open_input_stream(inner) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, encoding, newline=""))
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise InputError(f"{path}, row 1: expected a CSV header, found no text ({error})") from error
        if not any(header):
            raise InputError(f"{path}, row 1: expected a header with the column names, found an empty row")
        return TableFile(path, header, encoding, reader.line_num)


def _encoding(path: str, given: str | None) -> str:
    """The first encoding in which the whole file decodes without error."""
    tried = (given,) if given else ENCODINGS
    failures = []
    for encoding in tried:
        failure = _first_undecodable(path, encoding)
        if failure is None:
            return encoding
        failures.append(f"{encoding}: {failure}")
    if given is None:
        raise InputError(f"{path}: none of the encodings fits ({'; '.join(failures)}); name it in source.encoding")
    fits = next((other for other in ENCODINGS if _first_undecodable(path, other) is None), None)
    hint = f"it reads as {fits}: set source.encoding: {fits}" if fits else "name another in source.encoding"
    raise InputError(f"{path}: expected text in {given}, found {failures[0].partition(': ')[2]}; {hint}")


def _first_undecodable(path: str, encoding: str) -> str | None:
    system, inner = open_filesystem(path)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done, line = 0, 1
    with system.open_input_stream(inner) as stream:
        while True:
            chunk = stream.read(BLOCK_BYTES)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                start = done - (len(error.object) - len(chunk)) + error.start
                row = line + error.object[: error.start].count(b"\n")
                return f"byte 0x{error.object[error.start]:02x} at position {start} (row {row})"
            if not chunk:
                return None
            done, line = done + len(chunk), line + chunk.count(b"\n")


def iter_table(file: TableFile, wanted: list[str], *, batch_rows: int) -> Iterator[FileBatch]:
    """Stream the wanted columns in batches of at most `batch_rows`; CSV columns come as text, Parquet's as they are.

    Memory is bounded by the batch. Raises InputError where the file turns out to be damaged.
    """
    try:
        yield from (
            _iter_parquet(file, wanted, batch_rows) if file.encoding is None else _iter_csv(file, wanted, batch_rows)
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        if "straddling" in reason:
            reason = f"a row longer than {BLOCK_BYTES >> 20} MB: most likely a quote that opens and never closes"
        raise InputError(f"{file.path}: the table is damaged ({reason}): repair or export it again") from error
    except OSError as error:
        raise unreadable(file.path, error) from error


def _iter_parquet(file: TableFile, wanted: list[str], batch_rows: int) -> Iterator[FileBatch]:
    system, inner = open_filesystem(file.path)
    done = 0
    with pq.ParquetFile(system.open_input_file(inner), pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(batch_size=batch_rows, columns=wanted):
            row = done + 1 + np.arange(batch.num_rows, dtype=np.int64)
            done += batch.num_rows
            yield FileBatch(pa.table(batch), row, [])


def _iter_csv(file: TableFile, wanted: list[str], batch_rows: int) -> Iterator[FileBatch]:
    """Arrow skips rows of another length, so row numbers are counted around the skipped ones."""
    ragged: list[Ragged] = []
    skipped: list[int] = []
    unclosed: list[int] = []

    def keep_ragged(row: Any) -> str:
        skipped.append(row.number - file.header_lines + 1)
        text = f"{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:120]}"
        ragged.append(Ragged(skipped[-1], text))
        if "\n" in row.text and row.text.count('"') % 2:
            unclosed.append(skipped[-1])
        return "skip"

    done = 0
    for table in _rebatch(_csv_reader(file, wanted, keep_ragged), batch_rows):
        row = _row_numbers(done, table.num_rows, skipped)
        done += table.num_rows
        yield FileBatch(table.rename_columns(wanted), row, ragged[:])
        ragged.clear()
    if unclosed:
        raise InputError(f"{file.path}, row {unclosed[0]}: a quote opens and never closes, and swallows the rows below")
    if ragged:
        empty = pa.table({name: pa.array([], pa.string()) for name in wanted})
        yield FileBatch(empty, np.zeros(0, dtype=np.int64), ragged[:])


def _csv_reader(file: TableFile, wanted: list[str], keep_ragged: Any) -> Any:
    system, inner = open_filesystem(file.path)
    keys = [f"c{i}" for i in range(len(file.columns))]
    picked = [keys[file.columns.index(name)] for name in wanted]
    encoding = "utf8" if file.encoding in ("utf-8", "utf-8-sig", "utf8") else file.encoding
    return pacsv.open_csv(
        system.open_input_stream(inner),
        read_options=pacsv.ReadOptions(
            use_threads=False,  # with threads Arrow does not number the rows of another length
            block_size=BLOCK_BYTES,
            column_names=keys,
            skip_rows=file.header_lines,
            encoding=encoding,
        ),
        parse_options=pacsv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep_ragged
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=picked, column_types=dict.fromkeys(picked, pa.string()), strings_can_be_null=False
        ),
    )


def _rebatch(reader: Any, batch_rows: int) -> Iterator[Any]:
    held: list[Any] = []
    count = 0
    for batch in reader:
        held.append(batch)
        count += batch.num_rows
        while count >= batch_rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, batch_rows)
            held = table.slice(batch_rows).to_batches()
            count -= batch_rows
    if count:
        yield pa.Table.from_batches(held)


def _row_numbers(done: int, count: int, skipped: list[int]) -> NDArray[np.int64]:
    """File rows of the next `count` rows read, after `done` others, where the `skipped` file rows were left out."""
    index = done + np.arange(count, dtype=np.int64)
    good_before = np.array(skipped, dtype=np.int64) - 2 - np.arange(len(skipped))
    return index + 2 + np.searchsorted(good_before, index, side="right")
