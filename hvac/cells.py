"""CSV for people: no cell is taken for a formula by a spreadsheet.

Files that are read again keep what they have.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

import pyarrow as pa
import pyarrow.csv as pacsv

from hvac.json_values import Json
from hvac.storage import AnyPath, write_text, writing

SIGNS = "=+-@−"
MARK = "\ufeff"  # of byte order: Excel in Japan then reads a file as UTF-8
CellValue = Json | dt.date
"""What a cell of CSV may hold."""
Cell = TypeVar("Cell")
BLANK = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # categories of what is not seen before a sign


def safe_cell(value: Cell) -> Cell | str:
    """Return a value, with an apostrophe before it where it is a text that begins like a formula.

    Full-width signs count as well, and blanks before a sign do not help: spreadsheets take both
    off.

    >>> safe_cell("=1+1"), safe_cell("\\u00a0\\t＝1"), safe_cell("AHU-1"), safe_cell(-1.5)
    ("'=1+1", "'\\xa0\\t＝1", 'AHU-1', -1.5)
    """
    if not isinstance(value, str) or value[:1].isalnum():
        return value
    first = next(
        (letter for letter in value if unicodedata.category(letter) not in BLANK), ""
    )
    return (
        f"'{value}"
        if first and unicodedata.normalize("NFKC", first)[:1] in SIGNS
        else value
    )


def csv_for_people(rows: Iterable[Iterable[CellValue]]) -> str:
    """Return rows of safe cells as CSV, with a byte-order mark: Excel then reads it as UTF-8.

    >>> csv_for_people([("id", "risk"), ("=1", 0.5)])
    "\\ufeffid,risk\\r\\n'=1,0.5\\r\\n"
    """
    file = io.StringIO(newline="")
    file.write(MARK)
    writer = csv.writer(file)
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
    return file.getvalue()


def write_csv_for_people(rows: Iterable[Iterable[CellValue]], path: AnyPath) -> None:
    """Write rows as a file of `csv_for_people`."""
    write_text(path, csv_for_people(rows), newline="")


def safe_table(table: pa.Table) -> pa.Table:
    """Return a table whose texts are safe cells.

    >>> safe_table(pa.table({"id": ["@a", None], "n": [-1, 2]})).to_pydict()
    {'id': ["'@a", None], 'n': [-1, 2]}
    """
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            safe = [safe_cell(text) for text in table[place].to_pylist()]
            texts = pa.array(safe, field.type)
            table = table.set_column(place, field, texts)
    return table


def write_table_csv(table: pa.Table, path: AnyPath, *, marked: bool = False) -> None:
    """Write a table as CSV of safe cells; `marked`: with a byte-order mark, for Excel."""
    with writing(path) as file:
        if marked:
            file.write(MARK.encode())
        pacsv.write_csv(safe_table(table), file)
