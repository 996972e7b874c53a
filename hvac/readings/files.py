"""One table file, Parquet or CSV, as a stream of column batches that know their row numbers."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs

from hvac.errors import InputError
from hvac.readings.encodings import BLOCK_BYTES, settle_encoding
from hvac.readings.sources import ENCODINGS, SourceConfig
from hvac.storage import open_filesystem, unreadable

READINGS = "source.readings"
DELIMITERS = (",", ";", "\t", "|")

LOOKED_AT = 5  # rows below the header


class Ragged(NamedTuple):
    """A CSV row whose number of fields is not that of the header."""

    row: int
    found: str


class FileBatch(NamedTuple):
    """`table`: the wanted columns under the file's names; `row` int64 [n]: 1-based (CSV: the header
    is row 1).
    """

    table: Any
    row: NDArray[np.int64]
    ragged: list[Ragged]


class TableFile(NamedTuple):
    """An opened table: its column names in file order; `encoding` is None for Parquet.

    `header_lines` end with the header, `skipped` of them lie above it. `notes`: what was guessed,
    for the summary."""

    path: str
    columns: list[str]
    encoding: str | None
    header_lines: int = 0
    skipped: int = 0
    delimiter: str = ","
    notes: tuple[str, ...] = ()
    setting: str = READINGS


def open_table(path: str, source: SourceConfig, *, setting: str = READINGS) -> TableFile:
    """Look at a file's kind, encoding and header; `setting` is the one that leads to it.

    Raises InputError for a file that is absent, empty, of another kind, or not in the expected
    encoding."""
    system, inner = open_filesystem(path)
    try:
        _check_size(system, inner, path, setting)
        with system.open_input_stream(inner, compression=None) as stream:
            magic = stream.read(4)
        if magic == b"PAR1":
            return _open_parquet(system, inner, path)
        if magic == b"PK\x03\x04":
            raise InputError(
                f"{path}: expected Parquet or CSV, found an Excel or zip file: save the sheet"
                " as CSV"
            )
        if source.encoding is None and magic[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise InputError(
                f"{path}: expected {', '.join(ENCODINGS)}, found UTF-16 text: set source.encoding:"
                " utf-16"
            )
        return _open_csv(path, source, setting)
    except OSError as error:
        raise unreadable(path, error) from error


def _check_size(system: Any, inner: str, path: str, setting: str) -> None:
    info = system.get_file_info(inner)
    if info.type == pafs.FileType.NotFound:
        raise InputError(f"{path}: no such file: expected a Parquet or CSV file; correct {setting}")
    if info.type == pafs.FileType.Directory:
        raise InputError(f"{path}: expected a file, found a folder: name a file in {setting}")
    if info.size == 0:
        raise InputError(
            f"{path}: the file is empty (0 bytes): expected a table with a header; export it again"
        )


def _open_parquet(system: Any, inner: str, path: str) -> TableFile:
    try:
        with pq.ParquetFile(system.open_input_file(inner)) as file:
            return TableFile(path, list(file.schema_arrow.names), None)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path}: damaged Parquet file ({str(error)[:200]}): write or copy it again"
        ) from error


def _open_csv(path: str, source: SourceConfig, setting: str) -> TableFile:
    encoding = settle_encoding(path, source.encoding)
    skipped = source.skip_rows if setting == READINGS else 0
    first = _header(path, encoding.name, skipped, "\0").names[0] if skipped == 0 else ""
    said = (
        first[4] if len(first) == 5 and first.startswith("sep=") else ""
    )  # as Excel writes it above the header
    skipped += bool(said)
    header = _parted(path, encoding.name, skipped, source.delimiter or said or ",")
    if not any(header.names):
        mend = (
            "set source.skip_rows to the rows above it"
            if setting == READINGS
            else "remove the rows above it"
        )
        raise InputError(
            f"{path}, row {skipped + 1}: expected a header with the column names, found an empty"
            f" row: {mend}"
        )
    notes = [encoding.note] if encoding.note else []
    if header.delimiter != (source.delimiter or ","):
        notes.append(
            f"separated by {sign_name(header.delimiter)}, as its header is (source.delimiter)"
        )
    return TableFile(
        path,
        header.names,
        encoding.name,
        header.lines,
        skipped,
        header.delimiter,
        tuple(notes),
        setting,
    )


def sign_name(sign: str) -> str:
    """How a sign is written in a run file."""
    return "tab" if sign == "\t" else repr(sign)


class _Header(NamedTuple):
    names: list[str]
    lines: int
    delimiter: str


def _parted(path: str, encoding: str, skipped: int, delimiter: str) -> _Header:
    """The header, read with another delimiter where that one leaves it whole."""
    header = _header(path, encoding, skipped, delimiter)
    if len(header.names) > 1:
        return header
    others = [_header(path, encoding, skipped, other) for other in DELIMITERS if other != delimiter]
    return max([header, *others], key=lambda one: len(one.names))


def _header(path: str, encoding: str, skipped: int, delimiter: str) -> _Header:
    system, inner = open_filesystem(path)
    with system.open_input_stream(inner) as stream:
        lines = io.TextIOWrapper(stream, encoding, newline="")
        for _ in range(skipped):
            lines.readline()
        if delimiter == "\0":
            return _Header([lines.readline().strip()], 1, delimiter)
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            names = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise InputError(
                f"{path}, row {skipped + 1}: expected a CSV header, found no text ({error})"
            ) from error
        height = skipped + reader.line_num
        return _Header(
            [*names, ""] if _ends_with_a_sign(reader, len(names)) else names, height, delimiter
        )


def _ends_with_a_sign(rows: Iterator[list[str]], width: int) -> bool:
    """Whether the first rows end in a delimiter that the header does not, and so have an empty last
    field.
    """
    try:
        first = list(islice(rows, LOOKED_AT))
    except (csv.Error, UnicodeError):
        return False
    return (
        width > 1
        and len(first) > 1
        and all(len(row) == width + 1 and not row[-1].strip() for row in first)
    )


def header_below(file: TableFile, wanted: str) -> int | None:
    """How many rows lie above the first row that has a cell of that name; None where none of the
    first 30 has one.
    """
    if file.encoding is None:
        return None
    system, inner = open_filesystem(file.path)
    with system.open_input_stream(inner) as stream:
        lines = io.TextIOWrapper(stream, file.encoding, newline="")
        for above, line in enumerate(islice(lines, 30)):
            cells = [cell.strip(' "\r\n') for sign in DELIMITERS for cell in line.split(sign)]
            if above > file.skipped and wanted in cells:
                return above
    return None


def iter_table(file: TableFile, wanted: list[str], *, batch_rows: int) -> Iterator[FileBatch]:
    """Stream the wanted columns in batches of at most `batch_rows`; CSV columns come as text,
    Parquet's as they are.

    Memory is bounded by the batch. Raises InputError where the file turns out to be damaged.
    """
    try:
        yield from (
            _iter_parquet(file, wanted, batch_rows)
            if file.encoding is None
            else _iter_csv(file, wanted, batch_rows)
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        if "straddling" in reason:
            reason = (
                f"a row longer than {BLOCK_BYTES >> 20} MB: most likely a quote that opens and"
                " never closes"
            )
        raise InputError(
            f"{file.path}: the table is damaged ({reason}): repair or export it again"
        ) from error
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
        number = skipped[-1] + file.skipped
        text = f"{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:120]}"
        ragged.append(Ragged(number, text))
        if "\n" in row.text and row.text.count('"') % 2:
            unclosed.append(number)
        return "skip"

    done = 0
    for table in _rebatch(_csv_reader(file, wanted, keep_ragged), batch_rows):
        row = file.skipped + _row_numbers(done, table.num_rows, skipped)
        done += table.num_rows
        yield FileBatch(table.rename_columns(wanted), row, ragged[:])
        ragged.clear()
    if unclosed:
        raise InputError(
            f"{file.path}, row {unclosed[0]}: a quote opens and never closes, and swallows the rows"
            " below"
        )
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
            delimiter=file.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=keep_ragged,
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=picked,
            column_types=dict.fromkeys(picked, pa.string()),
            strings_can_be_null=False,
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
    """File rows of the next `count` rows read, after `done` others, where the `skipped` file rows
    were left out.
    """
    index = done + np.arange(count, dtype=np.int64)
    good_before = np.array(skipped, dtype=np.int64) - 2 - np.arange(len(skipped))
    return index + 2 + np.searchsorted(good_before, index, side="right")
