"""The smaller tables beside the readings, read whole: events and the equipment register."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools
from hvac.errors import InputError
from hvac.readings.accepted import (
    ID_READ,
    ID_REASONS,
    LONG_ID,
    ODD_ID,
    days_ahead,
    id_states,
    id_text,
)
from hvac.readings.date_texts import Days
from hvac.readings.files import iter_table, open_table
from hvac.readings.formats import INSPECTION, find_columns
from hvac.readings.notation import read_table_days
from hvac.readings.raw_columns import match_column
from hvac.readings.rejects import (
    REASONS,
    REJECTS,
    Rejects,
    add_counts,
    count_reasons,
    require_some_read,
)
from hvac.readings.sources import SourceConfig
from hvac.readings.table_file import TableFile
from hvac.readings.text_values import MISSING, Column, as_text, one_array

# Columns of one table only: where source.columns names them, they must be there.
OWN_COLUMNS = ("end", "install_date", "end_of_follow_up")
CLASS_REASONS = {LONG_ID: "class_too_long", ODD_ID: "control_character_in_class"}


class TableResult(NamedTuple):
    """A checked table, its offenders and its counts.

    `rejects`: REJECTS. `counts`: rows = read + rejected, and offenders per reason.
    """

    table: pa.Table
    rejects: pa.Table
    counts: dict[str, int]


def join_files(parts: Sequence[TableResult], schema: pa.Schema) -> TableResult:
    """Join what the files of a table gave; an empty table of a schema where there is no file."""
    none = {"rows": 0, "read": 0, "rejected": 0}
    counts = none | add_counts(part.counts for part in parts)
    if not parts:
        return TableResult(schema.empty_table(), REJECTS.empty_table(), counts)
    tables = _with_equal_types([part.table for part in parts])
    table = pa.concat_tables(tables, promote_options="permissive")
    return TableResult(table, pa.concat_tables(part.rejects for part in parts), counts)


def _with_equal_types(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Turn columns into texts that are of several types in several files."""
    types: dict[str, set[pa.DataType]] = defaultdict(set)
    for table in tables:
        for field in table.schema:
            types[field.name].add(field.type)
    equal = []
    for table in tables:
        columns = [
            as_text(table[name]) if len(types[name]) > 1 else table[name]
            for name in table.column_names
        ]
        equal.append(pa.table(columns, names=table.column_names))
    return equal


class SmallTable:
    """One table, read whole, with its offenders.

    `names` maps our names of its columns to the table's.
    """

    def __init__(
        self,
        path: str,
        source: SourceConfig,
        required: Sequence[str],
        optional: Sequence[str],
    ) -> None:
        self.source = source
        setting = "source.events" if "kind" in required else "source.equipment"
        setting = "source.names" if "of" in required else setting
        file = open_table(path, source, setting=setting)
        facility = source.facility_id if "facility_id" in required else None
        if facility is not None:
            required = [name for name in required if name != "facility_id"]
            optional = [*optional, "facility_id"]
        self.names = _names(file, source, required, optional)
        others = [
            name for name in file.columns if name and file.columns.count(name) == 1
        ]
        columns = list(dict.fromkeys([*self.names.values(), *others]))
        empty = pa.table({name: pa.array([], pa.string()) for name in columns})
        tables = []
        row = [np.zeros(0, dtype=np.int64)]
        self.ragged = []
        for batch in iter_table(file, columns, batch_rows=1_000_000):
            tables.append(batch.table)
            row.append(batch.row)
            self.ragged += batch.ragged
        self.table = (
            pa.concat_tables(tables, promote_options="permissive") if tables else empty
        )
        if facility is not None and "facility_id" not in self.names:
            self.names["facility_id"] = "facility_id"
            everywhere = pa.array([facility] * len(self.table), pa.string())
            self.table = self.table.append_column("facility_id", everywhere)
        self.rejects = Rejects(path, np.concatenate(row))
        self.rejects.ragged(self.ragged)

    def text(self, name: str, *, ids: bool = False) -> pa.StringArray:
        """Return a text column (of ids), blanks as null; all null where there is no such column."""
        if name not in self.names:
            return pa.nulls(len(self.table), pa.string())
        column = self.table[self.names[name]]
        text = id_text(column) if ids else as_text(column)
        return pc.if_else(pc.equal(text, ""), None, text)

    def ids(self, name: str) -> pa.StringArray:
        """Return a required column of ids or kinds; what is none rejects the row."""
        column = self.table[self.names[name]]
        text = id_text(column)
        states = id_states(text)
        for state, reason in ID_REASONS.items():
            if name == "kind":
                reason = reason.replace("id", "kind")
            self.rejects.reject(
                states == state, self.names[name], reason=reason, found=column
            )
        return text

    def class_names(self) -> pa.StringArray:
        """Return the column of classes; what cannot be a name is listed and becomes null."""
        text = self.text("class", ids=True)
        is_missing = pc.is_in(text, pa.array(self.source.missing_values))
        text = pc.if_else(is_missing, None, text)
        states = id_states(pc.fill_null(text, ""))
        name = self.names.get("class", "class")
        for state, reason in CLASS_REASONS.items():
            self.note_kept(states == state, name, reason=reason, found=text)
        return pc.if_else(pa.array(states == ID_READ), text, None)

    def days(self, name: str) -> Days:
        """Return a date column; what cannot be read becomes missing and is listed."""
        days, column = self.raw_days(name)
        self.note_unreadable(name, days, column)
        return days

    def note_unreadable(self, name: str, days: Days, column: Column) -> None:
        """List the dates of kept rows that cannot be read."""
        for state, reason in REASONS.items():
            reason = reason.replace("date", name)
            self.note_kept(
                days.state == state,
                self.names.get(name, name),
                reason=reason,
                found=column,
            )

    def required_days(self, name: str) -> Days:
        """Return a date column; what cannot be read, or lies after tomorrow, rejects the row."""
        days, column = self.raw_days(name)
        masks = {f"missing_{name}": days.state == MISSING}
        masks[f"{name}_in_the_future"] = days_ahead(days)
        for state, reason in REASONS.items():
            masks[reason.replace("date", name)] = days.state == state
        for reason, mask in masks.items():
            self.rejects.reject(mask, self.names[name], reason=reason, found=column)
        return days

    def raw_days(self, name: str) -> tuple[Days, pa.Array]:
        """Return a date column as days and as it is; all missing where there is no such column."""
        count = len(self.table)
        if name not in self.names:
            missing = np.full(count, MISSING, dtype=np.int8)
            day = np.zeros(count, dtype=np.int32)
            return Days(day, missing), pa.nulls(count, pa.string())
        column = one_array(self.table[self.names[name]])
        facility = pc.fill_null(self.text("facility_id"), "")
        where = f"{self.rejects.file}, column {self.names[name]}"
        return read_table_days(column, facility, self.source, where=where), column

    def note_kept(
        self, mask: Bools, column: str, *, reason: str, found: Column
    ) -> None:
        """List rows that are not rejected."""
        self.rejects.note(
            mask & ~self.rejects.rejected, column, reason=reason, found=found
        )

    def reject_repeated(
        self, facility: pa.StringArray, equipment: pa.StringArray
    ) -> None:
        """Reject all but the first row of each equipment."""
        ids = {"facility": facility.to_pylist(), "equipment": equipment.to_pylist()}
        pairs = pd.DataFrame(ids)
        again = np.asarray(pairs.duplicated(), dtype=np.bool_)
        name = self.names["equipment_id"]
        self.rejects.reject(again, name, reason="repeated_equipment", found=equipment)

    def result(self, columns: Iterable[Column], names: Sequence[str]) -> TableResult:
        """Return the kept rows of these columns, the offenders and the counts."""
        table = pa.table(list(columns), names=names)
        kept = table.filter(pa.array(~self.rejects.rejected))
        rejected = int(self.rejects.rejected.sum()) + len(self.ragged)
        rejects = self.rejects.table()
        counts = {"rows": len(kept) + rejected, "read": len(kept), "rejected": rejected}
        counts |= count_reasons(rejects)
        require_some_read(self.rejects.file, counts, rejects)
        return TableResult(kept, rejects, counts)


def _names(
    file: TableFile,
    source: SourceConfig,
    required: Sequence[str],
    optional: Sequence[str],
) -> dict[str, str]:
    """Return the table's names by ours.

    A column goes by the name that is mapped to it, else by ours, else by the inspection format's.
    Raises InputError where a required column is missing.
    """
    names = {}
    for ours in (*required, *optional):
        for expected in (source.columns.get(ours), ours, INSPECTION.get(ours)):
            name = match_column(expected, file.columns, file.path) if expected else None
            if name is not None:
                names[ours] = name
                break
        if ours not in names and ours in OWN_COLUMNS and ours in source.columns:
            find_columns(
                file, source, required=[ours]
            )  # raises: says what is there instead
    missing = [ours for ours in required if ours not in names]
    if missing:
        plain = source.replace(columns={}, format="canonical")
        find_columns(file, plain, required=missing)
        raise InputError(f"{file.path}: columns are missing")
    return names
