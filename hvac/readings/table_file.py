"""What an opened table is, and what is read of it, whatever the kind of file."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from hvac.arrays import Ints

READINGS = "source.readings"


class Ragged(NamedTuple):
    """A CSV row whose number of fields is not that of the header."""

    row: int
    text: str


class FileBatch(NamedTuple):
    """Columns under the file's names.

    `row` int64 [n] counts from 1; the header of a CSV file is row 1.
    """

    table: pa.Table
    row: Ints
    ragged: list[Ragged]


class TableFile(NamedTuple):
    """An opened table: its column names in file order; `encoding` is None where it is not CSV.

    `kind` is a name of `READERS`. `header_lines` end with the header, `skipped` of them lie above
    it. `notes` tell what was guessed, for the summary. `setting` is the one that leads to the file.
    """

    path: str
    columns: list[str]
    encoding: str | None
    header_lines: int = 0
    skipped: int = 0
    delimiter: str = ","
    notes: tuple[str, ...] = ()
    setting: str = READINGS
    kind: str = "csv"
