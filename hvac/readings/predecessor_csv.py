"""The predecessor's CSV: a row per window, its 90 values as text in one cell.

Legend: B windows, L lookback days (90), F the file's own feature columns, H horizons (30, 60, 90
days).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Floats
from hvac.errors import InputError
from hvac.readings.date_notations import DateStyle
from hvac.readings.files import iter_table, open_table
from hvac.readings.formats import find_columns
from hvac.readings.notation import read_days
from hvac.readings.number_texts import parse_numbers
from hvac.readings.rejects import (
    REASONS,
    REJECTS,
    Rejects,
    add_counts,
    count_reasons,
    require_some_read,
)
from hvac.readings.sources import SourceConfig
from hvac.readings.table_file import FileBatch, TableFile
from hvac.readings.text_values import (
    INFINITE,
    MISSING,
    READ,
    TEXT,
    as_text,
    flags,
    one_array,
)

LOOKBACK = 90
HORIZONS = (30, 60, 90)
LABELS = tuple(f"label_{days}d" for days in HORIZONS)
PREDECESSOR_IDS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("point_id", pa.string()),
        ("end_date", pa.date32()),
    ]
)
_DEFAULT_IDS = {"facility_id": "seed", "point_id": "value"}


class PredecessorBatch(NamedTuple):
    """Windows of the predecessor's file.

    `ids`: PREDECESSOR_IDS (a file without facility gets "seed", without point "value"; `end_date`
    null where absent). `x_BL`: float64, the raw values, nan where missing. `y_BH`: 0, 1, or nan
    where the file does not say. `counts`: rows = read + rejected, and offenders per reason. The
    file's other columns are not read.
    """

    ids: Any
    x_BL: Floats
    y_BH: Floats
    rejects: Any
    counts: dict[str, int]


def read_predecessor(
    path: str, source: SourceConfig, *, batch_rows: int = 50_000
) -> Iterator[PredecessorBatch]:
    """Stream a file of the predecessor's format.

    Rejected are a sequence of another length than 90 (never padded or cut), text or infinity in it,
    a missing unit, an unreadable end_date, a label other than 0 or 1. Raises InputError as
    `read_readings` does, and where no column holds the unit: windows of one unit overlap, so
    without units every split leaks.
    """
    file = open_table(path, source)
    names = _names(file, source)
    columns = list(dict.fromkeys(names.values()))
    counts: dict[str, int] = {}
    offenders = REJECTS.empty_table()
    for raw in iter_table(file, columns, batch_rows=batch_rows):
        batch = _Windows(raw, source, names, path).check()
        counts = add_counts([counts, batch.counts])
        if len(offenders) < 5:
            offenders = pa.concat_tables([offenders, batch.rejects.slice(0, 5)])
        yield batch
    if not counts:
        raise InputError(f"{path}: expected windows below the header, found 0 rows")
    require_some_read(path, counts, offenders)


def _names(file: TableFile, source: SourceConfig) -> dict[str, str]:
    ours = ("facility_id", "equipment_id", "point_id", "end_date", *LABELS)
    names = find_columns(file, source, required=("values_sequence",), optional=ours)
    if "equipment_id" not in names:
        raise InputError(
            f"{file.path}: expected a column that tells each window's unit (equipment_id), found"
            f" columns: {', '.join(file.columns[:20])}; without units any split leaks, because"
            " overlapping windows of one unit fall on both sides: name the column in"
            " source.columns: {equipment_id: <name in the file>}"
        )
    return names


class _Windows:
    """One raw batch of windows; `names` are the file's names of our columns."""

    def __init__(
        self, raw: FileBatch, source: SourceConfig, names: dict[str, str], file: str
    ) -> None:
        self.raw = raw
        self.source = source
        self.names = names
        self.rejects = Rejects(file, raw.row)

    def check(self) -> PredecessorBatch:
        """Return the windows that can be read, the offenders and the counts."""
        self.rejects.ragged(self.raw.ragged)
        ids = self._ids()
        x_BL = self._sequences()
        y_BH = np.stack([self._label(label) for label in LABELS], axis=1)
        keep = ~self.rejects.rejected
        read = int(keep.sum())
        ragged = len(self.raw.ragged)
        rejected = len(keep) - read + ragged
        rejects = self.rejects.table()
        counts = {"rows": read + rejected, "read": read, "rejected": rejected}
        counts |= count_reasons(rejects)
        kept_ids = ids.filter(pa.array(keep))
        return PredecessorBatch(kept_ids, x_BL[keep], y_BH[keep], rejects, counts)

    def _ids(self) -> pa.Table:
        facility, equipment, point = map(self._id, PREDECESSOR_IDS.names[:3])
        columns = [facility, equipment, point, self._end_dates(facility)]
        return pa.table(columns, schema=PREDECESSOR_IDS)

    def _id(self, ours: str) -> pa.StringArray:
        if ours not in self.names:
            ids = [_DEFAULT_IDS[ours]] * len(self.raw.row)
            return pa.array(ids, pa.string())
        name = self.names[ours]
        text = as_text(self.raw.table[name])
        blank = flags(pc.equal(text, ""))
        self.rejects.reject(blank, name, reason="missing_id", found=text)
        return text

    def _end_dates(self, facility: pa.StringArray) -> pa.Array:
        name = self.names.get("end_date")
        if name is None:
            return pa.nulls(len(self.raw.row), pa.date32())
        where = f"{self.rejects.file}, column {name}"
        style = DateStyle(self.source.date_format)
        dates = self.raw.table[name]
        days = read_days(dates, facility, self.source, where=where, style=style)
        for state, reason in REASONS.items():
            reason = reason.replace("date", "end_date")
            self.rejects.reject(
                days.state == state, name, reason=reason, found=one_array(dates)
            )
        return days.date32

    def _label(self, ours: str) -> Floats:
        name = self.names.get(ours)
        if name is None:
            return np.full(len(self.raw.row), np.nan)
        texts = self.raw.table[name]
        label = parse_numbers(texts, self.source.missing_values)
        is_label = np.isin(label.value, (0.0, 1.0))
        neither = (label.state != MISSING) & ~is_label
        self.rejects.reject(
            neither, name, reason="label_not_0_or_1", found=one_array(texts)
        )
        return label.value

    def _sequences(self) -> Floats:
        """Return `x_BL`; rows whose sequence cannot be read are rejected and nan."""
        name = self.names["values_sequence"]
        column = one_array(self.raw.table[name])
        lists = column if _holds_lists(column.type) else _split(column)
        length = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(
            zero_copy_only=False
        )
        whole = length == LOOKBACK
        lengths = pa.array(
            [f"{count} values, expected {LOOKBACK}" for count in length], pa.string()
        )
        self.rejects.reject(~whole, name, reason="sequence_length", found=lengths)
        values = pc.list_flatten(lists.filter(pa.array(whole)))
        numbers = parse_numbers(values, self.source.missing_values)
        x_BL = np.full((len(length), LOOKBACK), np.nan)
        x_BL[whole] = numbers.value.reshape(-1, LOOKBACK)
        state_BL = np.full(x_BL.shape, READ, dtype=np.int8)
        state_BL[whole] = numbers.state.reshape(-1, LOOKBACK)
        for state, reason in (
            (TEXT, "text_in_sequence"),
            (INFINITE, "infinite_in_sequence"),
        ):
            offending = (state_BL == state).any(axis=1)
            self.rejects.reject(offending, name, reason=reason, found=column)
        return x_BL


def _holds_lists(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _split(column: pa.Array) -> pa.Array:
    """Turn `[1.0, 2.0]` or `[1. 2.]` into lists of texts; a blank cell becomes an empty list."""
    inner = pc.utf8_trim(as_text(column), "[]() \t\r\n")
    commas = pc.replace_substring_regex(inner, r"\s*,\s*|\s+", ",")
    parts = pc.split_pattern(commas, ",")
    none = pa.scalar([], pa.list_(pa.string()))
    return pc.if_else(pc.equal(inner, ""), none, parts)
