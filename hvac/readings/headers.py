"""The header of a CSV file: its column names, its delimiter, and the rows above it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from hvac.errors import InputError
from hvac.storage import open_filesystem

DELIMITERS = (",", ";", "\t", "|")
ROWS_BELOW = 5  # below the header, that tell whether rows end in a delimiter
MOST_ROWS_ABOVE = 30


class Header(NamedTuple):
    """The column names of a CSV file; `lines` of it end with the header."""

    names: list[str]
    lines: int
    delimiter: str


@contextmanager
def _lines(path: str, encoding: str) -> Iterator[io.TextIOWrapper]:
    system, inner = open_filesystem(path)
    with system.open_input_stream(inner) as stream:
        yield io.TextIOWrapper(stream, encoding, newline="")


def delimiter_above(path: str, encoding: str) -> str:
    """Return the delimiter that Excel writes above the header (`sep=;`); '' where it does not."""
    with _lines(path, encoding) as lines:
        first = lines.readline().strip()
    return first[4] if len(first) == 5 and first.startswith("sep=") else ""


def read_header(path: str, encoding: str, skipped: int, delimiter: str) -> Header:
    """Read the header below some rows.

    A delimiter that leaves the header whole is replaced by the one that parts it most.
    """
    header = _split(path, encoding, skipped, delimiter)
    if len(header.names) > 1:
        return header
    headers = [header]
    for other in DELIMITERS:
        if other != delimiter:
            headers.append(_split(path, encoding, skipped, other))
    return max(headers, key=lambda header: len(header.names))


def _split(path: str, encoding: str, skipped: int, delimiter: str) -> Header:
    with _lines(path, encoding) as lines:
        for _ in range(skipped):
            lines.readline()
        rows = csv.reader(lines, delimiter=delimiter)
        try:
            names = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise InputError(
                f"{path}, row {skipped + 1}: expected a CSV header, found no text ({error})"
            ) from error
        height = skipped + rows.line_num
        if _end_in_delimiter(rows, len(names)):
            names.append("")
        return Header(names, height, delimiter)


def _end_in_delimiter(rows: Iterator[list[str]], width: int) -> bool:
    """Tell whether the first rows have one field more than the header, an empty last one."""
    try:
        first = list(islice(rows, ROWS_BELOW))
    except (csv.Error, UnicodeError):
        return False
    if width < 2 or len(first) < 2:
        return False
    return all(len(row) == width + 1 and not row[-1].strip() for row in first)


def rows_above(path: str, encoding: str, skipped: int, name: str) -> int | None:
    """Count the rows above the first row that has a cell of that name, beyond `skipped` rows.

    None where none of the first 30 rows has one.
    """
    with _lines(path, encoding) as lines:
        for above, line in enumerate(islice(lines, MOST_ROWS_ABOVE)):
            if above > skipped and any(
                name in _cells(line, sign) for sign in DELIMITERS
            ):
                return above
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip(' "\r\n') for cell in line.split(delimiter)]
