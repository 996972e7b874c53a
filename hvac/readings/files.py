"""One table file, Parquet or CSV, as a stream of column batches that know their row numbers."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from hvac.arrays import Ints
from hvac.errors import InputError
from hvac.readings.encodings import BLOCK_BYTES, settle_encoding
from hvac.readings.headers import delimiter_above, read_header
from hvac.readings.sources import ENCODINGS, SourceConfig
from hvac.readings.table_file import READINGS, FileBatch, Ragged, TableFile
from hvac.storage import open_filesystem, unreadable


def open_table(
    path: str, source: SourceConfig, *, setting: str = READINGS
) -> TableFile:
    """Look at a file's kind, encoding and header; `setting` is the one that leads to it.

    Raises InputError for a file that is absent, empty, of another kind, or not in the expected
    encoding.
    """
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
        if source.encoding is None and magic[:2] in (
            codecs.BOM_UTF16_LE,
            codecs.BOM_UTF16_BE,
        ):
            raise InputError(
                f"{path}: expected {', '.join(ENCODINGS)}, found UTF-16 text: set source.encoding:"
                " utf-16"
            )
        return _open_csv(path, source, setting)
    except OSError as error:
        raise unreadable(path, error) from error


def _check_size(system: pafs.FileSystem, inner: str, path: str, setting: str) -> None:
    info = system.get_file_info(inner)
    if info.type == pafs.FileType.NotFound:
        raise InputError(
            f"{path}: no such file: expected a Parquet or CSV file; correct {setting}"
        )
    if info.type == pafs.FileType.Directory:
        raise InputError(
            f"{path}: expected a file, found a folder: name a file in {setting}"
        )
    if info.size == 0:
        raise InputError(
            f"{path}: the file is empty (0 bytes): expected a table with a header; export it again"
        )


def _open_parquet(system: pafs.FileSystem, inner: str, path: str) -> TableFile:
    try:
        with pq.ParquetFile(system.open_input_file(inner)) as file:
            return TableFile(path, list(file.schema_arrow.names), None, kind="parquet")
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path}: damaged Parquet file ({str(error)[:200]}): write or copy it again"
        ) from error


def _open_csv(path: str, source: SourceConfig, setting: str) -> TableFile:
    encoding = settle_encoding(path, source.encoding)
    notes = [encoding.note] if encoding.note else []
    skipped = source.skip_rows if setting == READINGS else 0
    by_excel = delimiter_above(path, encoding.name) if skipped == 0 else ""
    if by_excel:
        skipped += 1
    header = read_header(
        path, encoding.name, skipped, source.delimiter or by_excel or ","
    )
    if not any(header.names):
        raise _empty_header(path, skipped, setting)
    if header.delimiter != (source.delimiter or ","):
        sign = sign_name(header.delimiter)
        notes.append(f"separated by {sign}, as its header is (source.delimiter)")
    return TableFile(
        path=path,
        columns=header.names,
        encoding=encoding.name,
        header_lines=header.lines,
        skipped=skipped,
        delimiter=header.delimiter,
        notes=tuple(notes),
        setting=setting,
    )


def _empty_header(path: str, skipped: int, setting: str) -> InputError:
    advice = "remove the rows above it"
    if setting == READINGS:
        advice = "set source.skip_rows to the rows above it"
    return InputError(
        f"{path}, row {skipped + 1}: expected a header with the column names, found an empty"
        f" row: {advice}"
    )


def sign_name(sign: str) -> str:
    """Return a sign as it is written in a run file."""
    return "tab" if sign == "\t" else repr(sign)


def iter_table(
    file: TableFile, names: list[str], *, batch_rows: int
) -> Iterator[FileBatch]:
    """Stream the named columns in batches of at most `batch_rows`.

    CSV columns come as text, Parquet's as they are. Memory is bounded by the batch. Raises
    InputError where the file turns out to be damaged.
    """
    try:
        yield from READERS[file.kind](file, names, batch_rows)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise InputError(
            f"{file.path}: the table is damaged ({_damage(error)}): repair or export it again"
        ) from error
    except OSError as error:
        raise unreadable(file.path, error) from error


def _damage(error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    if "straddling" not in reason:
        return reason
    return f"a row longer than {BLOCK_BYTES >> 20} MB: most likely a quote that opens and never closes"


def _iter_parquet(
    file: TableFile, names: list[str], batch_rows: int
) -> Iterator[FileBatch]:
    system, inner = open_filesystem(file.path)
    done = 0
    with pq.ParquetFile(system.open_input_file(inner), pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(batch_size=batch_rows, columns=names):
            row = done + 1 + np.arange(batch.num_rows, dtype=np.int64)
            done += batch.num_rows
            yield FileBatch(pa.table(batch), row, [])


class _RaggedRows:
    """The rows of another length that Arrow meets, and where it met them."""

    def __init__(self, file: TableFile) -> None:
        self.file = file
        self.skipped: list[int] = []  # their rows, counted from the header
        self.unclosed: list[int] = []  # rows whose quote opens and never closes
        self._new: list[Ragged] = []

    def __call__(self, row: pacsv.InvalidRow) -> str:
        """Keep a row that Arrow reports, and have Arrow skip it."""
        self.skipped.append(row.number - self.file.header_lines + 1)
        number = self.skipped[-1] + self.file.skipped
        fields = f"{row.actual_columns} fields instead of {row.expected_columns}"
        self._new.append(Ragged(number, f"{fields}: {row.text[:120]}"))
        if "\n" in row.text and row.text.count('"') % 2:
            self.unclosed.append(number)
        return "skip"

    def take(self) -> list[Ragged]:
        """Return the rows since the last call."""
        new = self._new
        self._new = []
        return new


def _iter_csv(
    file: TableFile, names: list[str], batch_rows: int
) -> Iterator[FileBatch]:
    """Stream a CSV file; row numbers are counted around the rows that Arrow skips."""
    ragged = _RaggedRows(file)
    done = 0
    for table in _rebatch(_csv_reader(file, names, ragged), batch_rows):
        row = file.skipped + _row_numbers(done, table.num_rows, ragged.skipped)
        done += table.num_rows
        yield FileBatch(table.rename_columns(names), row, ragged.take())
    if ragged.unclosed:
        raise InputError(
            f"{file.path}, row {ragged.unclosed[0]}: a quote opens and never closes, and swallows"
            " the rows below"
        )
    if rest := ragged.take():
        empty = pa.table({name: pa.array([], pa.string()) for name in names})
        yield FileBatch(empty, np.zeros(0, dtype=np.int64), rest)


def _csv_reader(
    file: TableFile, names: list[str], on_ragged: Callable[[pacsv.InvalidRow], str]
) -> pacsv.CSVStreamingReader:
    system, inner = open_filesystem(file.path)
    keys = [f"c{i}" for i in range(len(file.columns))]
    picked = [keys[file.columns.index(name)] for name in names]
    encoding = (
        "utf8" if file.encoding in ("utf-8", "utf-8-sig", "utf8") else file.encoding
    )
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
            invalid_row_handler=on_ragged,
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=picked,
            column_types=dict.fromkeys(picked, pa.string()),
            strings_can_be_null=False,
        ),
    )


def _rebatch(reader: Iterable[pa.RecordBatch], batch_rows: int) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        waiting.append(batch)
        count += batch.num_rows
        while count >= batch_rows:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, batch_rows)
            waiting = table.slice(batch_rows).to_batches()
            count -= batch_rows
    if count:
        yield pa.Table.from_batches(waiting)


def _row_numbers(done: int, count: int, skipped: list[int]) -> Ints:
    """Return the file rows of the next `count` rows read, after `done` others.

    The `skipped` file rows were left out.
    """
    index = done + np.arange(count, dtype=np.int64)
    good_before = np.array(skipped, dtype=np.int64) - 2 - np.arange(len(skipped))
    return index + 2 + np.searchsorted(good_before, index, side="right")


READERS: dict[str, Callable[[TableFile, list[str], int], Iterator[FileBatch]]] = {
    "parquet": _iter_parquet,
    "csv": _iter_csv,
}
