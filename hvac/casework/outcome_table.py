"""A table of outcomes (CSV) as a maintenance system exports it: its rows, and why others cannot be taken."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import pyarrow as pa

from hvac.casework.outcome_codes import Outcome, OutcomeCode, outcome_code
from hvac.cells import safe_cell
from hvac.days import EPOCH
from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.readings.date_texts import parse_days
from hvac.readings.encodings import settle_encoding
from hvac.readings.headers import delimiter_above, read_header
from hvac.readings.local_days import Clock
from hvac.readings.raw_columns import match_column
from hvac.readings.sources import MISSING
from hvac.readings.text_values import DAY_OR_MONTH, OUT_OF_RANGE, READ
from hvac.readings.text_values import MISSING as NO_DATE

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "facility_id": ("facility_id", "facility", "テナントid", "施設id", "施設"),
    "equipment_id": ("equipment_id", "equipment", "unit", "設備id", "設備", "設備番号"),
    "case_id": ("case_id", "case", "case number", "案件番号", "案件id", "案件"),
    "code": ("code", "outcome", "result", "結果", "結果コード", "実施結果"),
    "date": ("date", "実施日", "実施日時", "点検日", "日付"),
    "note": ("note", "notes", "comment", "メモ", "備考", "所見"),
    "who": ("who", "by", "実施者", "担当者", "点検者"),
}
"""What a column may be called; upper and lower case, width and blanks at the ends are one."""
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 256
FOUND_CHARACTERS: Final = 80
NOT_READ: Final = {
    NO_DATE: "a value is missing here",
    DAY_OR_MONTH: "day or month may come first: write the date as 2024-03-01",
    OUT_OF_RANGE: "the date lies outside 1970 to 2100",
}
ZONED: Final = re.compile(r"\d:\d{2}.*(?:z|[+-]\d{2}:?\d{2})\s*$", re.IGNORECASE)
UNREADABLE: Final = "the date cannot be read: write it as 2024-03-01"
ENCODING: Final = (
    "the table's encoding cannot be told: save it as CSV UTF-8, or as cp932 (Shift_JIS)"
)


class GivenOutcome(NamedTuple):
    """One row: its line in the file, and its texts by our names; those that are blank are left out."""

    line: int
    fields: dict[str, str]


class RefusedRow(NamedTuple):
    """A row that cannot be taken: where (the table's name of the column, "" for the row) and why."""

    line: int
    column: str
    found: str
    why: str


class OutcomeTable(NamedTuple):
    """A table that was read; `names` are the table's names of our columns."""

    rows: list[GivenOutcome]
    refused: list[RefusedRow]
    names: dict[str, str]


def read_outcome_table(
    content: bytes, encoding: str | None = None, *, most_rows: int | None = MOST_ROWS
) -> OutcomeTable:
    """Read a CSV table of outcomes; its dates become texts such as 2024-03-01.

    Args:
        content: UTF-8 (with a byte-order mark or without) or cp932, parted by `,`, `;`, tab or `|`.
        encoding: where it is known.
        most_rows: a longer table is refused; None: any length.

    Raises:
        InputError: it is no such table, or too long.

    >>> table = read_outcome_table("設備ID,結果,実施日\\nAHU-1,的中,令和6年3月1日\\n".encode("cp932"))
    >>> table.rows[0]
    GivenOutcome(line=2, fields={'equipment_id': 'AHU-1', 'code': '的中', 'date': '2024-03-01'})
    """
    if content[:4] in (b"PAR1", b"PK\x03\x04"):
        raise InputError("expected a CSV table, found another file: save it as CSV")
    if not content.strip():
        raise InputError("the table is empty: expected a header and rows")
    with TemporaryDirectory(prefix="hvac-outcomes-") as folder:
        path = Path(folder) / "outcomes.csv"
        path.write_bytes(content)
        return _table(str(path), encoding, most_rows)


def told_outcomes(table: OutcomeTable) -> tuple[list[Outcome], list[RefusedRow]]:
    """Return the outcomes of the rows that name machine and facility, and the rows that cannot be read.

    Raises:
        InputError: the table has no column for one of them, so that every row would be left out.

    >>> lines = ["facility,unit,result,date", "F1,AHU-1,hit,2024-03-01", "F1,AHU-1,?,2024-03-02"]
    >>> table = read_outcome_table(chr(10).join(lines).encode())
    >>> outcomes, refused = told_outcomes(table)
    >>> outcomes[0].code, refused[0].line
    ('hit', 3)
    """
    for ours in ("facility_id", "equipment_id"):
        if ours not in table.names:
            raise _no_column(ours, [*table.names.values()])
    outcomes, refused = [], list(table.refused)
    for row in table.rows:
        try:
            outcomes.append(_told(row.fields))
        except InputError as error:
            refused.append(RefusedRow(row.line, "", "", str(error)))
    return outcomes, sorted(refused)


def _told(fields: Mapping[str, str]) -> Outcome:
    """Return the outcome of a row. Raise InputError where machine, facility or code is missing."""
    needed = ("facility_id", "equipment_id", "code")
    missing = [name for name in needed if name not in fields]
    if missing:
        raise InputError(f"{' and '.join(missing)}: a value is missing here")
    unit = Unit(fields["facility_id"], fields["equipment_id"])
    day = (dt.date.fromisoformat(fields["date"]) - EPOCH).days
    who, note = fields.get("who", ""), fields.get("note", "")
    return Outcome(unit, day, _code(fields["code"]), who, note)


def _code(text: str) -> OutcomeCode:
    try:
        return outcome_code(text)
    except InputError as error:
        raise InputError(f"{text[:FOUND_CHARACTERS]!r}: {error}") from None


def _table(path: str, given: str | None, most_rows: int | None) -> OutcomeTable:
    try:
        encoding = settle_encoding(path, given).name
    except (InputError, LookupError):
        raise InputError(ENCODING) from None
    above = delimiter_above(path, encoding)
    try:
        header = read_header(path, encoding, int(bool(above)), above or ",")
    except InputError as error:
        raise InputError(str(error).replace(path, "the table")) from None
    names = _names(header.names)
    with open(path, encoding=encoding, newline="") as file:
        for _ in range(header.lines):
            next(file, "")
        reader = csv.reader(file, delimiter=header.delimiter, strict=True)
        rows, refused = _split(reader, header.names, header.lines, names, most_rows)
    return _with_dates(OutcomeTable(rows, refused, names))


def _names(known: Sequence[str]) -> dict[str, str]:
    """Return the table's names of our columns. Raise InputError where one that it needs is missing."""
    if len(known) > MOST_COLUMNS:
        raise InputError(
            f"the table has more than {MOST_COLUMNS} columns: leave some out"
        )
    names = {}
    for ours, aliases in COLUMNS.items():
        matches = (match_column(alias, known, "the table") for alias in aliases)
        name = next((match for match in matches if match is not None), None)
        if name is not None:
            names[ours] = name
    needed = ["code", "date"]
    if "case_id" not in names:
        needed.insert(0, "equipment_id")
    for ours in needed:
        if ours not in names:
            raise _no_column(ours, known)
    return names


def _no_column(ours: str, known: Sequence[str]) -> InputError:
    return InputError(
        f"the table has no column {ours} (or {', '.join(COLUMNS[ours][1:])}); found columns:"
        f" {', '.join(known[:24])[:500]}"
    )


def _split(
    reader: Iterator[list[str]],
    known: Sequence[str],
    above: int,
    names: Mapping[str, str],
    most_rows: int | None,
) -> tuple[list[GivenOutcome], list[RefusedRow]]:
    """Return the rows below the header, and those with another number of fields than it has."""
    rows: list[GivenOutcome] = []
    refused: list[RefusedRow] = []
    places = {ours: known.index(name) for ours, name in names.items()}
    line = above + 1
    try:
        for count, cells in enumerate(reader, 1):
            if most_rows is not None and count > most_rows:
                raise InputError(f"the table has more than {most_rows} rows: split it")
            plain = [_plain(cell) for cell in cells[: len(known)]]
            more = any(cell.strip() for cell in cells[len(known) :])
            fields = {o: plain[p] for o, p in places.items() if plain[p : p + 1]}
            if more or (any(plain) and len(plain) < len(known)):
                why = f"{len(cells)} fields instead of {len(known)}"
                refused.append(RefusedRow(line, "", "", why))
            elif any(plain):
                given = {name: text for name, text in fields.items() if text}
                rows.append(GivenOutcome(line, given))
            line = above + reader.line_num + 1  # type: ignore[attr-defined]  # csv's
    except csv.Error as error:
        raise InputError(f"line {line} of the table is no CSV: {error}") from None
    return rows, refused


def _plain(cell: str) -> str:
    """Return a cell without blanks at its ends, and without the mark of `safe_cell`.

    >>> _plain(" '=1+1"), _plain("'tis")
    ('=1+1', "'tis")
    """
    text = cell.strip()
    is_marked = text.startswith("'") and safe_cell(text[1:]) == text
    return text[1:] if is_marked else text


def _with_dates(table: OutcomeTable) -> OutcomeTable:
    """Return a table with dates as our API writes them; rows whose date cannot be read are refused."""
    texts = [row.fields.get("date", "") for row in table.rows]
    # nobody knows the day of a stamp in another zone; one by one they are slow to find
    zoned = [ZONED.search(text) is not None for text in texts]
    plain = ["" if away else text for text, away in zip(texts, zoned, strict=True)]
    days, states = _days(plain)
    states = [-1 if away else s for s, away in zip(states, zoned, strict=True)]
    rows, refused = [], list(table.refused)
    for row, text, day, state in zip(table.rows, texts, days, states, strict=True):
        if state == READ:
            rows.append(row._replace(fields={**row.fields, "date": str(day)}))
        else:
            why = NOT_READ.get(state, UNREADABLE)
            found = text[:FOUND_CHARACTERS]
            refused.append(RefusedRow(row.line, table.names["date"], found, why))
    return OutcomeTable(rows, sorted(refused), table.names)


def _days(texts: Sequence[str]) -> tuple[list[object], list[int]]:
    """Return days and their states; a stamp in UTC, whose day nobody knows, cannot be read."""
    column = pa.array(texts, pa.string())
    nowhere = pa.array([""] * len(texts), pa.string())
    try:
        days = parse_days(column, nowhere, clock=Clock(None, {}), missing=MISSING)
    except InputError:
        if len(texts) == 1:
            return [None], [-1]
        half = len(texts) // 2
        first, second = _days(texts[:half]), _days(texts[half:])
        return first[0] + second[0], first[1] + second[1]
    return days.date32.to_pylist(), days.state.tolist()
