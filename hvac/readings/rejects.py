"""What could not be read: one row per offender, with the place and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.files import Ragged
from hvac.readings.text_values import (
    DAY_OR_MONTH,
    INFINITE,
    MIXED_UNIT,
    OUT_OF_RANGE,
    TEXT,
    UNREADABLE,
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
REASONS = {TEXT: "text_in_value", INFINITE: "infinite_value", UNREADABLE: "unreadable_date"}
REASONS |= {
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
    """Collects the offenders of one batch of one file (`row` int64 [n]: the file's row numbers).

    A row is rejected once, for its first reason; `note` records what was set to null in a row that
    is kept.

    >>> rejects = Rejects("a.csv", np.array([2, 3]))
    >>> rejects.reject(np.array([True, False]), "date", reason="unreadable_date", found=pa.array(["x", "y"]))
    >>> rejects.rejected, rejects.table().to_pylist()[0]["found"]
    (array([ True, False]), 'x')
    """

    def __init__(self, file: str, row: NDArray[np.int64]) -> None:
        self.file, self.row = file, row
        self.rejected = np.zeros(len(row), dtype=bool)
        self._parts: list[Any] = []

    def reject(self, mask: NDArray[np.bool_], column: Any, *, reason: str, found: Any) -> None:
        """Leave out the rows of `mask` that are not rejected yet; `column`: one name, or one per
        row.
        """
        fresh = mask & ~self.rejected
        self.rejected |= mask
        self.note(fresh, column, reason=reason, found=found)

    def note(self, mask: NDArray[np.bool_], column: Any, *, reason: str, found: Any) -> None:
        """Record the rows of `mask` without leaving them out."""
        index = np.flatnonzero(mask)
        if len(index):
            picked = pa.array(index)
            names = (
                [column] * len(index)
                if isinstance(column, str)
                else column.take(picked).to_pylist()
            )
            texts = [text[:FOUND_CHARACTERS] for text in as_text(found.take(picked)).to_pylist()]
            self._parts.append(self._part(self.row[index], names, reason, texts))

    def ragged(self, ragged: Iterable[Ragged]) -> None:
        """Record rows that have another number of fields than the header."""
        rows = list(ragged)
        if rows:
            texts = [one.found[:FOUND_CHARACTERS] for one in rows]
            self._parts.append(
                self._part([one.row for one in rows], [""] * len(rows), "field_count", texts)
            )

    def _part(self, row: Any, names: list[str], reason: str, texts: list[str]) -> Any:
        count = len(texts)
        return pa.table([[self.file] * count, row, names, [reason] * count, texts], schema=REJECTS)

    def table(self) -> Any:
        """All offenders (REJECTS), by row."""
        return (
            pa.concat_tables(self._parts).sort_by("row") if self._parts else REJECTS.empty_table()
        )


def count_reasons(rejects: Any) -> dict[str, int]:
    """Offenders per reason of a rejects table."""
    return dict(sorted(Counter(rejects["reason"].to_pylist()).items()))


def add_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of the counts of several batches or files.

    >>> add_counts([{"rows": 2, "missing": 1}, {"rows": 3}])
    {'rows': 5, 'missing': 1}
    """
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def first_offenders(rejects: Any, count: int = 5) -> str:
    """The first offenders as one phrase: row, column, reason and what was found."""
    rows = rejects.slice(0, count).to_pylist()
    return "; ".join(
        f"row {one['row']} {one['column']} {one['reason']} {one['found']!r}" for one in rows
    )


def require_some_read(file: str, counts: Mapping[str, int], offenders: Any) -> None:
    """Raise InputError where rows were rejected and not one could be read."""
    if counts.get("read", 0) or not counts.get("rejected", 0):
        return
    columns = set(offenders["column"].to_pylist())
    wholly = "text_in_value" in counts and counts["text_in_value"] == counts["rejected"]
    what = (
        f"column {', '.join(sorted(columns))} holds text only"
        if wholly
        else "every row was rejected"
    )
    raise InputError(
        f"{file}: expected readable rows, found that {what} ({counts['rejected']} rows; first: "
        f"{first_offenders(offenders)}); {_what_mends(counts)}"
    )


def _what_mends(counts: Mapping[str, int]) -> str:
    """The settings that mend the most frequent reason."""
    often = max(
        (name for name in MENDED_BY if name in counts), key=lambda name: counts[name], default=""
    )
    return (
        f"set {MENDED_BY[often]}, or check source.columns"
        if often
        else "check source.format and source.columns"
    )
