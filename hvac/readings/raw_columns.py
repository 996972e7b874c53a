"""Columns of a readings file under our names, unread, and how they are found."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from hvac.arrays import Ints
from hvac.errors import InputError, nearest
from hvac.readings.files import sign_name
from hvac.readings.headers import DELIMITERS, rows_above
from hvac.readings.id_patterns import groups_of, ids_of_path
from hvac.readings.sources import SourceConfig
from hvac.readings.table_file import READINGS, Ragged, TableFile


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


def path_ids(file: TableFile, source: SourceConfig) -> dict[str, str]:
    """Return the ids that a file's path gives; {} without `source.path_pattern`.

    Raises InputError where the path does not give all that the pattern names.
    """
    given = ids_of_path(source.path_pattern, file.path)
    if given is None or set(given) != set(groups_of(source.path_pattern)):
        raise InputError(
            f"{file.path}: the path does not match {source.path_pattern!r}: correct"
            " source.path_pattern, or leave the file out of source.readings"
        )
    return given


def constant_columns(ids: Mapping[str, str], count: int) -> dict[str, pa.Array]:
    """Return a column of one text for each id."""
    return {name: pa.array([text] * count, pa.string()) for name, text in ids.items()}


MOST_NAMED = 24


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


def missing_column(
    file: TableFile, ours: str, expected: str, known: Sequence[str], *, setting: str
) -> str:
    """Word the error for a missing column; `<name>` in the setting becomes the nearest one."""
    near = nearest(expected, known, cutoff=0.5)
    hint = f"; did you mean '{near}'?" if near else ";"
    setting = setting.replace("<name>", near or "<name in the file>")
    column = f"'{expected}'" if expected == ours else f"'{expected}' (our {ours})"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    columns = ", ".join(known[:MOST_NAMED]) + more
    one = (
        " (or set source.facility_id, where all is one facility)"
        if ours == "facility_id"
        else ""
    )
    return f"{file.path}: expected a column {column}, found columns: {columns}{hint} Name it in {setting}{one}"


def how_else(file: TableFile, expected: str) -> str:
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
    return (
        f"; or, as row {above + 1} has it, set source.skip_rows: {above}"
        if above
        else ""
    )
