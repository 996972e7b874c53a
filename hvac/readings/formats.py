"""One reader per file format: each gives the same named columns, raw as in the file, with row
numbers.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.files import (
    DELIMITERS,
    READINGS,
    FileBatch,
    Ragged,
    TableFile,
    header_below,
    iter_table,
    sign_name,
)
from hvac.readings.sources import SourceConfig, WideConfig, hive_values
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
WIDE_SETTINGS = {
    "date": "date_column",
    "facility_id": "facility_column",
    "equipment_id": "equipment_column",
}
OPTIONAL = ("lower_limit", "upper_limit", "known_at", "class")


class RawBatch(NamedTuple):
    """Columns under our names, unread; `names` tells the file's names, `value_names` the value's
    column per row.
    """

    columns: dict[str, Any]
    row: NDArray[np.int64]
    names: dict[str, str]
    ragged: list[Ragged]
    value_names: Any = None

    def file_name(self, column: str) -> Any:
        """The file's name of one of our columns; for the values of a wide table, an array: one name
        per row.
        """
        if column == "value" and self.value_names is not None:
            return self.value_names
        return self.names.get(column, column)


def read_raw(file: TableFile, source: SourceConfig, *, batch_rows: int) -> Iterator[RawBatch]:
    """Stream one readings file of any format but the seed's; at most `batch_rows` readings per
    batch.
    """
    if source.format == "seed":
        raise InputError(
            f"{file.path}: the seed's format holds windows, not readings: set another source.format"
        )
    if source.format == "wide":
        assert source.wide is not None
        yield from _read_wide(file, source.wide, batch_rows)
    else:
        yield from read_named(
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
    """Stream the required and the optional columns; folders of a partitioned table stand in for
    columns.
    """
    folders = hive_values(file.path)
    names = find_columns(file, source, required=required, optional=optional)
    wanted = list(dict.fromkeys(name for name in names.values() if name in file.columns))
    for batch in iter_table(file, wanted, batch_rows=batch_rows):
        columns = {ours: _column(batch, theirs, folders) for ours, theirs in names.items()}
        yield RawBatch(columns, batch.row, names, batch.ragged)


def _column(batch: FileBatch, name: str, folders: Mapping[str, str]) -> Any:
    if name in batch.table.column_names:
        return one_array(batch.table[name])
    return pa.array([folders[name]] * len(batch.row), pa.string())


def find_columns(
    file: TableFile, source: SourceConfig, *, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, str]:
    """Our names → the file's. Raises InputError for a missing or a doubled column."""
    known = [*file.columns, *(key for key in hive_values(file.path) if key not in file.columns)]
    found = {}
    for ours in (*required, *optional):
        wanted = (
            source.columns.get(ours)
            or (INSPECTION.get(ours) if source.format == "inspection" else None)
            or ours
        )
        name = match_column(wanted, known, file.path)
        if name is not None:
            found[ours] = name
        elif ours in required or ours in source.columns:
            raise InputError(_missing(file, ours, wanted, known) + _how_else(file, wanted))
    return found


def match_column(wanted: str, known: Sequence[str], path: str) -> str | None:
    """The column of that name: exactly, else but for width, case and spaces; None where there is
    none.
    """
    same = [name for name in known if name == wanted] or [
        name for name in known if _fold(name) == _fold(wanted)
    ]
    if len(same) > 1:
        raise InputError(
            f"{path}: expected one column '{wanted}', found {len(same)} of that name: rename the"
            " others"
        )
    return same[0] if same else None


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _how_else(file: TableFile, wanted: str) -> str:
    """What else may mend a missing column: another delimiter, or the rows above the header."""
    apart = next((sign for sign in DELIMITERS if any(sign in name for name in file.columns)), None)
    if apart and file.encoding:
        return (
            f"; or, as the columns are separated by {sign_name(apart)}, set source.delimiter:"
            f" {sign_name(apart)}"
        )
    above = header_below(file, wanted) if file.setting == READINGS else None
    return f"; or, as row {above + 1} has it, set source.skip_rows: {above}" if above else ""


def _missing(
    file: TableFile, ours: str, wanted: str, known: Sequence[str], *, setting: str = ""
) -> str:
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    name = near[0] if near else "<name in the file>"
    told = f"'{wanted}'" if wanted == ours else f"'{wanted}' (our {ours})"
    return (
        f"{file.path}: expected a column {told}, found columns: {', '.join(known)}{hint} "
        f"Name it in {setting or f'source.columns: {{{ours}: {name}}}'}"
    )


def _read_wide(file: TableFile, wide: WideConfig, batch_rows: int) -> Iterator[RawBatch]:
    names = _wide_names(file, wide)
    points = _wide_points(file, wide, names)
    wanted = list(dict.fromkeys([*names.values(), *points]))
    for batch in iter_table(file, wanted, batch_rows=max(1, batch_rows // len(points))):
        yield _melt(batch, wide, names=names, points=points)


def _wide_names(file: TableFile, wide: WideConfig) -> dict[str, str]:
    names = {
        "date": wide.date_column,
        "facility_id": wide.facility_column,
        "equipment_id": wide.equipment_column,
    }
    found = {}
    for ours, wanted in names.items():
        if wanted is not None:
            name = match_column(wanted, file.columns, file.path)
            if name is None:
                setting = f"source.wide: {{{WIDE_SETTINGS[ours]}: <name in the file>}}"
                raise InputError(
                    _missing(file, ours, wanted, file.columns, setting=setting)
                    + _how_else(file, wanted)
                )
            found[ours] = name
    return found


def _wide_points(file: TableFile, wide: WideConfig, names: Mapping[str, str]) -> dict[str, str]:
    """Value column → point id."""
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
    """Whether a column that nobody named is a point: not an id or date, and not pandas' row number."""
    return bool(name) and name not in names.values() and not name.startswith("__index_level_")


def _melt(
    batch: FileBatch, wide: WideConfig, *, names: dict[str, str], points: dict[str, str]
) -> RawBatch:
    """Row by row, and within a row the points in their order."""
    rows, many = len(batch.row), len(points)
    repeated = pa.array(np.repeat(np.arange(rows), many))
    columns = {
        ours: one_array(batch.table[theirs]).take(repeated) for ours, theirs in names.items()
    }
    for ours, constant in (("facility_id", wide.facility_id), ("equipment_id", wide.equipment_id)):
        if constant is not None:
            columns[ours] = pa.array([constant] * (rows * many), pa.string())
    turn = pa.array(np.tile(np.arange(many), rows))
    columns["point_id"] = pa.array(list(points.values()), pa.string()).take(turn)
    by_row = pa.array(np.arange(rows * many).reshape(many, rows).T.ravel())
    columns["value"] = pa.concat_arrays(
        _alike([one_array(batch.table[name]) for name in points])
    ).take(by_row)
    value_names = pa.array(list(points), pa.string()).take(turn)
    return RawBatch(columns, np.repeat(batch.row, many), names, batch.ragged, value_names)


def _alike(columns: list[Any]) -> list[Any]:
    if len({column.type for column in columns}) == 1:
        return columns
    if not all(is_number(column.type) or pa.types.is_null(column.type) for column in columns):
        return [as_text(column) for column in columns]
    return [column.cast(pa.float64(), safe=False) for column in columns]
