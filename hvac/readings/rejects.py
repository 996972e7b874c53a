"""What could not be read: one row per offender, with the place and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, Ints
from hvac.errors import InputError
from hvac.readings.table_file import Ragged
from hvac.readings.text_values import (
    DAY_OR_MONTH,
    INFINITE,
    MIXED_UNIT,
    OUT_OF_RANGE,
    TEXT,
    UNREADABLE,
    Column,
    as_text,
)

REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("found", pa.string()),
    ]
)
REASONS = {
    TEXT: "text_in_value",
    INFINITE: "infinite_value",
    UNREADABLE: "unreadable_date",
    OUT_OF_RANGE: "date_out_of_range",
    MIXED_UNIT: "mixed_units",
    DAY_OR_MONTH: "day_or_month_first_in_date",
}
FOUND_CHARACTERS = 200
MENDED_BY = {
    "unreadable_date": "source.date_format (such as '%d/%m/%Y')",
    "day_or_month_first_in_date": "source.date_format (such as '%d/%m/%Y')",
    "field_count": "source.delimiter and source.skip_rows",
}


class Rejects:
    """The offenders of one batch of one file (`row` int64 [n]: the file's row numbers).

    A row is rejected once, for its first reason; `note` records what was set to null in a row that
    is kept.

    >>> rejects = Rejects("a.csv", np.array([2, 3]))
    >>> mask, found = np.array([True, False]), pa.array(["x", "y"])
    >>> rejects.reject(mask, "date", reason="unreadable_date", found=found)
    >>> rejects.rejected, rejects.table().to_pylist()[0]["found"]
    (array([ True, False]), 'x')
    """

    def __init__(self, file: str, row: Ints) -> None:
        self.file = file
        self.row = row
        self.rejected = np.zeros(len(row), dtype=bool)
        self._parts: list[pa.Table] = []

    def reject(
        self, mask: Bools, column: str | Column, *, reason: str, found: Column
    ) -> None:
        """Leave out the rows of `mask` that are not rejected yet.

        `column` is one name, or an array with one per row.
        """
        fresh = mask & ~self.rejected
        self.rejected |= mask
        self.note(fresh, column, reason=reason, found=found)

    def note(
        self, mask: Bools, column: str | Column, *, reason: str, found: Column
    ) -> None:
        """Record the rows of `mask` without leaving them out."""
        index = np.flatnonzero(mask)
        if not len(index):
            return
        picked = pa.array(index)
        names = [column] * len(index)
        if not isinstance(column, str):
            names = column.take(picked).to_pylist()
        self._add(
            self.row[index], names, reason, as_text(found.take(picked)).to_pylist()
        )

    def ragged(self, ragged: Iterable[Ragged]) -> None:
        """Record rows that have another number of fields than the header."""
        rows = list(ragged)
        if rows:
            numbers, texts = zip(*rows, strict=True)
            self._add(numbers, [""] * len(rows), "field_count", texts)

    def _add(
        self,
        row: Ints | Sequence[int],
        names: list[str],
        reason: str,
        texts: Iterable[str],
    ) -> None:
        short = [text[:FOUND_CHARACTERS] for text in texts]
        count = len(short)
        columns = [[self.file] * count, row, names, [reason] * count, short]
        self._parts.append(pa.table(columns, schema=REJECTS))

    def table(self) -> pa.Table:
        """Return all offenders (REJECTS), by row."""
        if not self._parts:
            return REJECTS.empty_table()
        return pa.concat_tables(self._parts).sort_by("row")


def count_reasons(rejects: pa.Table) -> dict[str, int]:
    """Count the offenders of a rejects table by reason, sorted by reason."""
    return dict(sorted(Counter(rejects["reason"].to_pylist()).items()))


def add_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of the counts of several batches or files.

    >>> add_counts([{"rows": 2, "missing": 1}, {"rows": 3}])
    {'rows': 5, 'missing': 1}
    """
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def first_offenders(rejects: pa.Table, count: int = 5) -> str:
    """Return the first offenders as one phrase: row, column, reason and what was found."""
    phrase = "row {row} {column} {reason} {found!r}"
    return "; ".join(
        phrase.format(**row) for row in rejects.slice(0, count).to_pylist()
    )


def require_some_read(
    file: str, counts: Mapping[str, int], offenders: pa.Table
) -> None:
    """Raise InputError where rows were rejected and not one could be read."""
    rejected = counts.get("rejected", 0)
    if counts.get("read", 0) or not rejected:
        return
    problem = "every row was rejected"
    if counts.get("text_in_value") == rejected:
        columns = sorted(set(offenders["column"].to_pylist()))
        problem = f"column {', '.join(columns)} holds text only"
    raise InputError(
        f"{file}: expected readable rows, found that {problem} ({rejected} rows; first: "
        f"{first_offenders(offenders)}); {_advice(counts)}"
    )


def _advice(counts: Mapping[str, int]) -> str:
    """Name the settings that mend the most frequent reason."""
    mendable = [reason for reason in MENDED_BY if reason in counts]
    if not mendable:
        return "check source.format and source.columns"
    most_frequent = max(mendable, key=counts.__getitem__)
    return f"set {MENDED_BY[most_frequent]}, or check source.columns"
