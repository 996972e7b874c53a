"""One reader per file format: each gives the same named columns, raw as in the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import Ints
from hvac.errors import InputError, nearest
from hvac.readings.files import READINGS, FileBatch, Ragged, TableFile, iter_table, sign_name
from hvac.readings.headers import DELIMITERS, rows_above
from hvac.readings.sources import SourceConfig, WideConfig
from hvac.readings.table_paths import hive_values
from hvac.readings.text_values import as_text, is_number, one_array

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
WIDE_SETTINGS = {
    "date": "date_column",
    "facility_id": "facility_column",
    "equipment_id": "equipment_column",
}


class RawBatch(NamedTuple):
    """Columns under our names, unread.

    `row` int64 [n] are the file's row numbers, `names` the file's names of our columns;
    `value_names` holds the value's column per row of a wide table.
    """

    columns: dict[str, pa.Array]
    row: Ints
    names: dict[str, str]
    ragged: list[Ragged]
    value_names: pa.StringArray | None = None

    def file_name(self, column: str) -> str | pa.StringArray:
        """Return the file's name of one of our columns.

        For the values of a wide table it is an array with one name per row.
        """
        if column == "value" and self.value_names is not None:
            return self.value_names
        return self.names.get(column, column)


def read_raw(file: TableFile, source: SourceConfig, *, batch_rows: int) -> Iterator[RawBatch]:
    """Stream one readings file, at most `batch_rows` readings per batch.

    Raises InputError for the predecessor's format, which holds windows instead of readings.
    """
    if source.ready_windows:
        raise InputError(
            f"{file.path}: source.format: seed holds windows, not readings: set another one"
        )
    if source.format == "wide":
        assert source.wide is not None
        return _read_wide(file, source.wide, batch_rows)
    return read_named(file, source, required=REQUIRED, optional=OPTIONAL, batch_rows=batch_rows)


def read_named(
    file: TableFile,
    source: SourceConfig,
    *,
    required: Sequence[str],
    optional: Sequence[str],
    batch_rows: int,
) -> Iterator[RawBatch]:
    """Stream the required and the optional columns.

    Folders of a partitioned table stand in for columns.
    """
    folders = hive_values(file.path)
    names = find_columns(file, source, required=required, optional=optional)
    in_file = [name for name in dict.fromkeys(names.values()) if name in file.columns]
    for batch in iter_table(file, in_file, batch_rows=batch_rows):
        columns = {ours: _column(batch, theirs, folders) for ours, theirs in names.items()}
        yield RawBatch(columns, batch.row, names, batch.ragged)


def _column(batch: FileBatch, name: str, folders: Mapping[str, str]) -> pa.Array:
    if name in batch.table.column_names:
        return one_array(batch.table[name])
    return pa.array([folders[name]] * len(batch.row), pa.string())


def find_columns(
    file: TableFile, source: SourceConfig, *, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, str]:
    """Return the file's names by ours.

    Raises InputError for a required column that is missing, and for one that is there twice.
    """
    known = [*file.columns, *(key for key in hive_values(file.path) if key not in file.columns)]
    usual = INSPECTION if source.format == "inspection" else {}
    names = {}
    for ours in (*required, *optional):
        expected = source.columns.get(ours) or usual.get(ours, ours)
        name = match_column(expected, known, file.path)
        if name is not None:
            names[ours] = name
        elif ours in required or ours in source.columns:
            setting = f"source.columns: {{{ours}: <name>}}"
            message = _missing(file, ours, expected, known, setting=setting)
            raise InputError(message + _how_else(file, expected))
    return names


def match_column(expected: str, known: Sequence[str], path: str) -> str | None:
    """Return the column of a name, or the one that differs only in width, case and spaces.

    None where there is none. Raises InputError where there are several.
    """
    same = [name for name in known if name == expected]
    if not same:
        same = [name for name in known if _fold(name) == _fold(expected)]
    if len(same) > 1:
        raise InputError(
            f"{path}: expected one column '{expected}', found {len(same)} of that name: rename the"
            " others"
        )
    return same[0] if same else None


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _missing(
    file: TableFile, ours: str, expected: str, known: Sequence[str], *, setting: str
) -> str:
    """Word the error for a missing column; `<name>` in the setting becomes the nearest one."""
    near = nearest(expected, known, cutoff=0.5)
    hint = f"; did you mean '{near}'?" if near else ";"
    setting = setting.replace("<name>", near or "<name in the file>")
    column = f"'{expected}'" if expected == ours else f"'{expected}' (our {ours})"
    return (
        f"{file.path}: expected a column {column}, found columns: {', '.join(known)}{hint} "
        f"Name it in {setting}"
    )


def _how_else(file: TableFile, expected: str) -> str:
    """Say what else may mend a missing column: another delimiter, or the rows above the header."""
    header = "".join(file.columns)
    delimiter = next((sign for sign in DELIMITERS if sign in header), None)
    if file.encoding is None:
        return ""
    if delimiter:
        sign = sign_name(delimiter)
        return f"; or, as the columns are separated by {sign}, set source.delimiter: {sign}"
    if file.setting != READINGS:
        return ""
    above = rows_above(file.path, file.encoding, file.skipped, expected)
    return f"; or, as row {above + 1} has it, set source.skip_rows: {above}" if above else ""


def _read_wide(file: TableFile, wide: WideConfig, batch_rows: int) -> Iterator[RawBatch]:
    names = _wide_names(file, wide)
    points = _wide_points(file, wide, names)
    columns = list(dict.fromkeys([*names.values(), *points]))
    for batch in iter_table(file, columns, batch_rows=max(1, batch_rows // len(points))):
        yield _melt(batch, wide, names=names, points=points)


def _wide_names(file: TableFile, wide: WideConfig) -> dict[str, str]:
    names = {}
    for ours, option in WIDE_SETTINGS.items():
        expected = getattr(wide, option)
        if expected is None:
            continue
        name = match_column(expected, file.columns, file.path)
        if name is None:
            setting = f"source.wide: {{{option}: <name in the file>}}"
            message = _missing(file, ours, expected, file.columns, setting=setting)
            raise InputError(message + _how_else(file, expected))
        names[ours] = name
    return names


def _wide_points(file: TableFile, wide: WideConfig, names: Mapping[str, str]) -> dict[str, str]:
    """Return the point id of each value column."""
    points = wide.points or {name: name for name in file.columns if _holds_values(name, names)}
    for name in points:
        if match_column(name, file.columns, file.path) != name:
            setting = "source.wide: {points: {<name in the file>: <point id>}}"
            raise InputError(_missing(file, name, name, file.columns, setting=setting))
    if not points:
        raise InputError(
            f"{file.path}: expected value columns beside {', '.join(names.values())}, found none"
        )
    return dict(points)


def _holds_values(name: str, names: Mapping[str, str]) -> bool:
    """Tell whether a column is a point: not an id or date, and not pandas' row number."""
    return bool(name) and name not in names.values() and not name.startswith("__index_level_")


def _melt(
    batch: FileBatch, wide: WideConfig, *, names: dict[str, str], points: dict[str, str]
) -> RawBatch:
    """Lay a wide batch out row by row, and within a row by the order of the points."""
    rows = len(batch.row)
    many = len(points)
    columns = {}
    repeated = pa.array(np.repeat(np.arange(rows), many))
    for ours, theirs in names.items():
        columns[ours] = one_array(batch.table[theirs]).take(repeated)
    constants = {"facility_id": wide.facility_id, "equipment_id": wide.equipment_id}
    for ours, constant in constants.items():
        if constant is not None:
            columns[ours] = pa.array([constant] * (rows * many), pa.string())
    place = pa.array(np.tile(np.arange(many), rows))
    point_ids = pa.array(list(points.values()), pa.string())
    columns["point_id"] = point_ids.take(place)
    by_column = np.arange(rows * many).reshape(many, rows)
    by_row = pa.array(by_column.T.ravel())
    values = _one_type([one_array(batch.table[name]) for name in points])
    columns["value"] = pa.concat_arrays(values).take(by_row)
    value_names = pa.array(list(points), pa.string()).take(place)
    return RawBatch(columns, np.repeat(batch.row, many), names, batch.ragged, value_names)


def _one_type(columns: list[pa.Array]) -> list[pa.Array]:
    """Return columns of one type: as they are, else as numbers, else as texts."""
    kinds = {column.type for column in columns}
    if len(kinds) == 1:
        return columns
    if all(is_number(kind) or pa.types.is_null(kind) for kind in kinds):
        return [column.cast(pa.float64(), safe=False) for column in columns]
    return [as_text(column) for column in columns]
