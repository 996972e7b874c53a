"""Events and the equipment register (設備台帳): the two smaller tables beside the readings."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.panel.date_texts import Days
from hvac.panel.files import TableFile, iter_table, open_table
from hvac.panel.formats import INSPECTION, find_columns, match_column
from hvac.panel.notation import read_table_days
from hvac.panel.rejects import REASONS, REJECTS, Rejects, count_reasons, require_some_read
from hvac.panel.sources import SourceConfig
from hvac.panel.text_values import MISSING, READ, as_text, flat

EVENTS = pa.schema(
    [(name, pa.string()) for name in ("facility_id", "equipment_id", "kind")]
    + [("start", pa.date32()), ("end", pa.date32()), ("point_id", pa.string())]
)
EQUIPMENT = pa.schema(
    [(name, pa.string()) for name in ("facility_id", "equipment_id", "class")]
    + [("install_date", pa.date32()), ("end_of_follow_up", pa.date32())]
)


class TableResult(NamedTuple):
    """A checked table, its rejects (REJECTS) and counts (rows = read + rejected, and offenders per reason)."""

    table: Any
    rejects: Any
    counts: dict[str, int]


def read_events(source: SourceConfig) -> TableResult:
    """The event log: EVENTS, `end` and `point_id` null where absent; empty where the source has none.

    Rejected: a missing id or kind, a missing or unreadable start. An end that is unreadable or before the start
    becomes null and is listed; the event is kept. Raises InputError as `read_readings` does.
    """
    if source.events is None:
        return TableResult(EVENTS.empty_table(), REJECTS.empty_table(), {"rows": 0, "read": 0, "rejected": 0})
    sheet = _Sheet(source.events, source, ("facility_id", "equipment_id", "kind", "start"), ("end", "point_id"))
    ids = [sheet.ids(name) for name in ("facility_id", "equipment_id", "kind")]
    start = sheet.days("start", reject=True)
    end = _ends_after(sheet, start, sheet.days("end", reject=False))
    return sheet.result([*ids, _date32(start), _date32(end), sheet.text("point_id")], EVENTS.names)


def read_equipment(source: SourceConfig) -> TableResult:
    """The equipment register: EQUIPMENT, then whatever else the file has, as it is; empty where the source has none.

    `class`, `install_date` and `end_of_follow_up` are null where absent. Rejected: a missing id, a second row of the
    same equipment. An unreadable date becomes null and is listed; the row is kept.
    """
    if source.equipment is None:
        return TableResult(EQUIPMENT.empty_table(), REJECTS.empty_table(), {"rows": 0, "read": 0, "rejected": 0})
    required, optional = EQUIPMENT.names[:2], EQUIPMENT.names[2:]
    sheet = _Sheet(source.equipment, source, tuple(required), tuple(optional))
    facility, equipment = sheet.ids("facility_id"), sheet.ids("equipment_id")
    sheet.reject_repeated(facility, equipment)
    dates = [_date32(sheet.days(name, reject=False)) for name in ("install_date", "end_of_follow_up")]
    others = [name for name in sheet.table.column_names if name not in {*sheet.names.values(), *EQUIPMENT.names, ""}]
    columns = [facility, equipment, sheet.text("class"), *dates, *(flat(sheet.table[name]) for name in others)]
    return sheet.result(columns, [*EQUIPMENT.names, *others])


def unknown_equipment(events: Any, units: Any) -> dict[tuple[str, str], int]:
    """Events per (facility, equipment) that `units` does not know, most frequent first.

    `units`: a set of (facility_id, equipment_id), or a table with these two columns.

    >>> events = pa.table({"facility_id": ["F", "F"], "equipment_id": ["a", "b"]})
    >>> unknown_equipment(events, {("F", "a")})
    {('F', 'b'): 1}
    """
    known = _pairs(units)
    return dict(Counter(pair for pair in _pair_list(events) if pair not in known).most_common())


def check_events(events: Any, units: Any, *, file: str = "events") -> tuple[Any, Any]:
    """(events of known equipment, rejects with the reason `unknown_equipment`).

    `row` of the rejects is the 1-based place in `events`; `found` is facility/equipment.

    >>> events = pa.table({"facility_id": ["F", "F"], "equipment_id": ["a", "b"]})
    >>> kept, rejects = check_events(events, {("F", "a")})
    >>> len(kept), rejects["found"].to_pylist()
    (1, ['F/b'])
    """
    known = _pairs(units)
    pairs = _pair_list(events)
    stranger = np.array([pair not in known for pair in pairs], dtype=bool)
    rejects = Rejects(file, np.arange(1, len(pairs) + 1))
    found = pa.array([f"{facility}/{equipment}" for facility, equipment in pairs], pa.string())
    rejects.reject(stranger, "equipment_id", reason="unknown_equipment", found=found)
    return events.filter(pa.array(~stranger)), rejects.table()


def _pair_list(table: Any) -> list[tuple[str, str]]:
    return list(zip(table["facility_id"].to_pylist(), table["equipment_id"].to_pylist(), strict=True))


def _pairs(units: Any) -> set[tuple[str, str]]:
    return set(_pair_list(units)) if isinstance(units, pa.Table) else set(units)


def _date32(days: Days) -> Any:
    return pa.array(days.day, pa.int32(), mask=days.state != READ).cast(pa.date32())


def _ends_after(sheet: _Sheet, start: Days, end: Days) -> Days:
    backwards = (start.state == READ) & (end.state == READ) & (end.day < start.day) & ~sheet.rejects.rejected
    sheet.rejects.note(backwards, sheet.names.get("end", "end"), reason="end_before_start", found=sheet.text("end"))
    return Days(end.day, np.where(backwards, MISSING, end.state).astype(np.int8))


class _Sheet:
    """One small table, read whole, with its offenders."""

    def __init__(self, path: str, source: SourceConfig, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        self.source = source
        file = open_table(path, source)
        self.names = _names(file, source, required, optional)
        wanted = list(dict.fromkeys(name for name in file.columns if name))
        batches = list(iter_table(file, wanted, batch_rows=1_000_000))
        tables = [batch.table for batch in batches]
        empty = pa.table({name: pa.array([], pa.string()) for name in wanted})
        self.table = pa.concat_tables(tables, promote_options="permissive") if tables else empty
        row = np.concatenate([batch.row for batch in batches]) if batches else np.zeros(0, dtype=np.int64)
        self.rejects = Rejects(path, row)
        self.ragged = [one for batch in batches for one in batch.ragged]
        self.rejects.ragged(self.ragged)

    def text(self, name: str) -> Any:
        """A text column, blanks as null; all null where the table has no such column."""
        if name not in self.names:
            return pa.nulls(len(self.table), pa.string())
        text = as_text(self.table[self.names[name]])
        return pc.if_else(pc.equal(text, ""), None, text)

    def ids(self, name: str) -> Any:
        """A required text column; a blank rejects the row."""
        text = self.text(name)
        reason = "missing_kind" if name == "kind" else "missing_id"
        self.rejects.reject(_nulls(text), self.names[name], reason=reason, found=text)
        return text

    def days(self, name: str, *, reject: bool) -> Days:
        """A date column; what cannot be read rejects the row, or becomes missing and is listed."""
        count = len(self.table)
        if name not in self.names:
            return Days(np.zeros(count, dtype=np.int32), np.full(count, MISSING, dtype=np.int8))
        column, theirs = flat(self.table[self.names[name]]), self.names[name]
        facility = pc.fill_null(self.text("facility_id"), "")
        days = read_table_days(column, facility, self.source, where=f"{self.rejects.file}, column {theirs}")
        act = self.rejects.reject if reject else self._note_kept
        if reject:
            act(days.state == MISSING, theirs, reason=f"missing_{name}", found=column)
        for state, reason in REASONS.items():
            act(days.state == state, theirs, reason=reason.replace("date", name), found=column)
        return days

    def _note_kept(self, mask: NDArray[np.bool_], column: Any, *, reason: str, found: Any) -> None:
        self.rejects.note(mask & ~self.rejects.rejected, column, reason=reason, found=found)

    def reject_repeated(self, facility: Any, equipment: Any) -> None:
        """Reject all but the first row of each equipment."""
        pairs = pd.DataFrame({"facility": facility.to_pylist(), "equipment": equipment.to_pylist()})
        again = np.asarray(pairs.duplicated(), dtype=np.bool_)
        self.rejects.reject(again, self.names["equipment_id"], reason="repeated_equipment", found=equipment)

    def result(self, columns: list[Any], names: list[str]) -> TableResult:
        """The kept rows of these columns, the offenders and the counts."""
        kept = pa.table(columns, names=names).filter(pa.array(~self.rejects.rejected))
        rejected = int(self.rejects.rejected.sum()) + len(self.ragged)
        table = self.rejects.table()
        counts = {"rows": len(kept) + rejected, "read": len(kept), "rejected": rejected, **count_reasons(table)}
        require_some_read(self.rejects.file, counts, table)
        return TableResult(kept, table, counts)


def _nulls(column: Any) -> NDArray[np.bool_]:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def _names(
    file: TableFile, source: SourceConfig, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, str]:
    """Our names → the table's: the mapped name, else ours, else the inspection format's."""
    found = {}
    for ours in (*required, *optional):
        for wanted in (source.columns.get(ours), ours, INSPECTION.get(ours)):
            name = match_column(wanted, file.columns, file.path) if wanted else None
            if name is not None:
                found[ours] = name
                break
    if any(ours not in found for ours in required):
        plain = source.replace(columns={}, format="canonical")
        find_columns(file, plain, required=[ours for ours in required if ours not in found])
        raise InputError(f"{file.path}: columns are missing")
    return found
