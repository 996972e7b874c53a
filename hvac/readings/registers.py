"""Events and the equipment register (設備台帳): the two smaller tables beside the readings."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.accepted import (
    EPOCH,
    ID_READ,
    ID_REASONS,
    LONG_ID,
    ODD_ID,
    days_ahead,
    id_states,
    id_text,
)
from hvac.readings.date_texts import Days
from hvac.readings.files import TableFile, iter_table, open_table
from hvac.readings.formats import INSPECTION, find_columns, match_column
from hvac.readings.notation import read_table_days
from hvac.readings.rejects import (
    REASONS,
    REJECTS,
    Rejects,
    add_counts,
    count_reasons,
    require_some_read,
)
from hvac.readings.sources import SourceConfig, table_files
from hvac.readings.text_values import MISSING, OUT_OF_RANGE, READ, as_text, one_array

EVENTS = pa.schema(
    [(name, pa.string()) for name in ("facility_id", "equipment_id", "kind")]
    + [("start", pa.date32()), ("end", pa.date32()), ("point_id", pa.string())]
)
EQUIPMENT = pa.schema(
    [(name, pa.string()) for name in ("facility_id", "equipment_id", "class")]
    + [("install_date", pa.date32()), ("end_of_follow_up", pa.date32())]
)

OPEN_END = dt.date(2100, 12, 31)  # of an event that is not over
OWN_COLUMNS = (
    "end",
    "install_date",
    "end_of_follow_up",
)  # of no other table: where they are named, they must be there
CLASS_REASONS = {LONG_ID: "class_too_long", ODD_ID: "control_character_in_class"}
FAR_YEAR = r"(2[1-9]|[3-9]\d)\d\d"


class TableResult(NamedTuple):
    """A checked table, its rejects (REJECTS) and counts (rows = read + rejected, and offenders per
    reason).
    """

    table: Any
    rejects: Any
    counts: dict[str, int]


def read_events(source: SourceConfig) -> TableResult:
    """The event log: EVENTS, `end` and `point_id` null where absent; empty where the source has
    none.

    Rejected: a missing id or kind, a missing or unreadable start, or one after tomorrow. An end
    that is unreadable or before the start is listed, and the event lasts its first day. An end
    after tomorrow (9999-12-31) says that the event is still open: it becomes `OPEN_END`. Raises
    InputError as `read_readings` does."""
    return _joined(
        [_events_of(file, source) for file in table_files(source.events, "source.events")], EVENTS
    )


def _events_of(file: str, source: SourceConfig) -> TableResult:
    sheet = _Sheet(
        file, source, ("facility_id", "equipment_id", "kind", "start"), ("end", "point_id")
    )
    ids = [sheet.ids(name) for name in ("facility_id", "equipment_id", "kind")]
    start = sheet.days("start", reject=True)
    end = _ends_after(sheet, start, sheet.days("end", reject=False, open_end=True))
    return sheet.result(
        [*ids, _date32(start), _date32(end), sheet.text("point_id", ids=True)], EVENTS.names
    )


def with_open_ends(events: pa.Table) -> tuple[pa.Table, int]:
    """Give an event that is still open the end `OPEN_END`; and how many there are.

    An event without an end is open where half of its kind or more have one, and it began no longer
    before the log's last day than the longest of its kind lasted. Whether another one follows must
    not tell: windows after the event would be left out just where none did. Where a log keeps no
    ends, an event lasts its first day.

    >>> rows = {"facility_id": ["F"] * 3, "equipment_id": ["a", "a", "b"], "kind": ["failure"] * 3,
    ...         "start": [dt.date(2024, 1, 1), dt.date(2024, 5, 1), dt.date(2024, 2, 1)],
    ...         "end": [dt.date(2024, 1, 9), None, dt.date(2024, 2, 3)]}
    >>> table, count = with_open_ends(pa.table(rows))
    >>> table["end"].to_pylist()[1].year, count
    (2100, 1)
    """
    if not len(events):
        return events, 0
    rows = pd.DataFrame(
        {name: pd.to_datetime(events[name].to_pandas()) for name in ("start", "end")}
    )
    kind, blank = pd.Series(events["kind"].to_pylist()), rows["end"].isna()
    closed = rows["end"].where(rows["end"] < pd.Timestamp(OPEN_END))
    last_day = (
        max(rows["start"].max(), closed.max()) if closed.notna().any() else rows["start"].max()
    )
    longest = (closed - rows["start"]).groupby(kind).transform("max")
    mostly = (~blank).groupby(kind).transform("mean") >= 0.5
    opened = np.asarray(blank & mostly & (last_day - rows["start"] <= longest), dtype=bool)
    end = pc.if_else(pa.array(opened), pa.scalar(OPEN_END, pa.date32()), events["end"])
    far = pc.equal(end, pa.scalar(OPEN_END, pa.date32()))
    return events.set_column(events.column_names.index("end"), "end", end), pc.sum(far).as_py() or 0


def read_equipment(source: SourceConfig) -> TableResult:
    """The equipment register: EQUIPMENT, then whatever else the file has, as it is; empty where the
    source has none.

    `class`, `install_date` and `end_of_follow_up` are null where absent. Rejected: a missing id, a
    second row of the same equipment. An unreadable date becomes null and is listed; the row is
    kept."""
    files = table_files(source.equipment, "source.equipment")
    return _once(
        _joined([_equipment_of(file, source) for file in files], EQUIPMENT), ", ".join(files)
    )


def _equipment_of(file: str, source: SourceConfig) -> TableResult:
    required, optional = EQUIPMENT.names[:2], EQUIPMENT.names[2:]
    sheet = _Sheet(file, source, tuple(required), tuple(optional))
    facility, equipment = sheet.ids("facility_id"), sheet.ids("equipment_id")
    sheet.reject_repeated(facility, equipment)
    dates = [
        _date32(sheet.days(name, reject=False)) for name in ("install_date", "end_of_follow_up")
    ]
    others = [
        name
        for name in sheet.table.column_names
        if name not in {*sheet.names.values(), *EQUIPMENT.names, ""}
    ]
    columns = [
        facility,
        equipment,
        sheet.class_names(),
        *dates,
        *(one_array(sheet.table[name]) for name in others),
    ]
    return sheet.result(columns, [*EQUIPMENT.names, *others])


def distinct_events(events: pa.Table) -> tuple[pa.Table, int]:
    """Keep an event that the log tells several times once, with its latest end; and how many rows
    fell away.

    >>> rows = {"facility_id": ["F"] * 2, "equipment_id": ["a"] * 2, "kind": ["failure"] * 2, "point_id": [None] * 2,
    ...         "start": [dt.date(2024, 1, 1)] * 2, "end": [None, dt.date(2024, 1, 9)]}
    >>> table, again = distinct_events(pa.table(rows))
    >>> table["end"].to_pylist(), again
    ([datetime.date(2024, 1, 9)], 1)
    """
    keys = ["facility_id", "equipment_id", "kind", "start"]
    rows = events.select([*keys, "end"]).to_pandas().assign(point=events["point_id"].to_pylist())
    rows["point"] = rows["point"].fillna("")
    last = rows.sort_values("end", kind="stable", na_position="first").drop_duplicates(
        [*keys, "point"], keep="last"
    )
    kept = events.take(pa.array(np.sort(last.index.to_numpy())))
    return kept, len(events) - len(kept)


def _joined(parts: Sequence[TableResult], schema: pa.Schema) -> TableResult:
    """Join what the files of a table gave."""
    tables, rejects = _alike([part.table for part in parts]), [part.rejects for part in parts]
    counts = {"rows": 0, "read": 0, "rejected": 0} | add_counts(part.counts for part in parts)
    table = (
        pa.concat_tables(tables, promote_options="permissive") if tables else schema.empty_table()
    )
    return TableResult(
        table, pa.concat_tables(rejects) if rejects else REJECTS.empty_table(), counts
    )


def _alike(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Let columns that are of several types in several files be texts."""
    types: dict[str, set[Any]] = defaultdict(set)
    for table in tables:
        for field in table.schema:
            types[field.name].add(field.type)
    mixed = {name for name, found in types.items() if len(found) > 1}
    return [
        pa.table(
            {
                name: as_text(table[name]) if name in mixed else table[name]
                for name in table.column_names
            }
        )
        for table in tables
    ]


def _once(found: TableResult, files: str) -> TableResult:
    """Keep the first row of equipment that stands in several files of the register; name the
    others.
    """
    again = np.asarray(found.table.select(EQUIPMENT.names[:2]).to_pandas().duplicated(), dtype=bool)
    rejects = Rejects(files, np.arange(1, len(again) + 1))
    rejects.reject(
        again, "equipment_id", reason="repeated_equipment", found=found.table["equipment_id"]
    )
    table = rejects.table()
    counts = add_counts(
        [found.counts, count_reasons(table), {"rejected": len(table), "read": -len(table)}]
    )
    return TableResult(
        found.table.filter(pa.array(~again)), pa.concat_tables([found.rejects, table]), counts
    )


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
    return list(
        zip(table["facility_id"].to_pylist(), table["equipment_id"].to_pylist(), strict=True)
    )


def _pairs(units: Any) -> set[tuple[str, str]]:
    return set(_pair_list(units)) if isinstance(units, pa.Table) else set(units)


def _date32(days: Days) -> Any:
    return pa.array(days.day, pa.int32(), mask=days.state != READ).cast(pa.date32())


def _ends_after(sheet: _Sheet, start: Days, end: Days) -> Days:
    """Let an end that cannot be (before its start, unreadable) be the start's day: such an event is
    not open.
    """
    backwards = (
        (start.state == READ)
        & (end.state == READ)
        & (end.day < start.day)
        & ~sheet.rejects.rejected
    )
    sheet.rejects.note(
        backwards, sheet.names.get("end", "end"), reason="end_before_start", found=sheet.text("end")
    )
    wrong = backwards | ((end.state != READ) & (end.state != MISSING))
    return Days(
        np.where(wrong, start.day, end.day).astype(np.int32),
        np.where(wrong, READ, end.state).astype(np.int8),
    )


class _Sheet:
    """One small table, read whole, with its offenders."""

    def __init__(
        self, path: str, source: SourceConfig, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        self.source = source
        file = open_table(
            path, source, setting="source.events" if "kind" in required else "source.equipment"
        )
        self.names = _names(file, source, required, optional)
        once = [name for name in file.columns if name and file.columns.count(name) == 1]
        wanted = list(dict.fromkeys([*self.names.values(), *once]))
        batches = list(iter_table(file, wanted, batch_rows=1_000_000))
        tables = [batch.table for batch in batches]
        empty = pa.table({name: pa.array([], pa.string()) for name in wanted})
        self.table = pa.concat_tables(tables, promote_options="permissive") if tables else empty
        row = (
            np.concatenate([batch.row for batch in batches])
            if batches
            else np.zeros(0, dtype=np.int64)
        )
        self.rejects = Rejects(path, row)
        self.ragged = [one for batch in batches for one in batch.ragged]
        self.rejects.ragged(self.ragged)

    def text(self, name: str, *, ids: bool = False) -> Any:
        """A text column (of ids), blanks as null; all null where the table has no such column."""
        if name not in self.names:
            return pa.nulls(len(self.table), pa.string())
        column = self.table[self.names[name]]
        text = id_text(column) if ids else as_text(column)
        return pc.if_else(pc.equal(text, ""), None, text)

    def ids(self, name: str) -> Any:
        """A required column of ids or kinds; what is none rejects the row."""
        column = self.table[self.names[name]]
        text = id_text(column)
        states = id_states(text)
        for state, reason in ID_REASONS.items():
            said = reason.replace("id", "kind") if name == "kind" else reason
            self.rejects.reject(states == state, self.names[name], reason=said, found=column)
        return text

    def class_names(self) -> Any:
        """The column of classes; what cannot be a name is listed, and there is none."""
        text = self.text("class", ids=True)
        text = pc.if_else(pc.is_in(text, pa.array(self.source.missing_values)), None, text)
        states = id_states(pc.fill_null(text, ""))
        for state, reason in CLASS_REASONS.items():
            self._note_kept(
                states == state, self.names.get("class", "class"), reason=reason, found=text
            )
        return pc.if_else(pa.array(states == ID_READ), text, None)

    def days(self, name: str, *, reject: bool, open_end: bool = False) -> Days:
        """A date column; what cannot be read rejects the row, or becomes missing and is listed.

        Where rows are rejected, a day after tomorrow is one that cannot be.
        """
        count = len(self.table)
        if name not in self.names:
            return Days(np.zeros(count, dtype=np.int32), np.full(count, MISSING, dtype=np.int8))
        column, theirs = one_array(self.table[self.names[name]]), self.names[name]
        facility = pc.fill_null(self.text("facility_id"), "")
        days = read_table_days(
            column, facility, self.source, where=f"{self.rejects.file}, column {theirs}"
        )
        act = self.rejects.reject if reject else self._note_kept
        if reject:
            act(days.state == MISSING, theirs, reason=f"missing_{name}", found=column)
            act(days_ahead(days), theirs, reason=f"{name}_in_the_future", found=column)
        if open_end:
            days = _opened(days, as_text(column))
        for state, reason in REASONS.items():
            act(days.state == state, theirs, reason=reason.replace("date", name), found=column)
        return days

    def _note_kept(self, mask: NDArray[np.bool_], column: Any, *, reason: str, found: Any) -> None:
        self.rejects.note(mask & ~self.rejects.rejected, column, reason=reason, found=found)

    def reject_repeated(self, facility: Any, equipment: Any) -> None:
        """Reject all but the first row of each equipment."""
        pairs = pd.DataFrame({"facility": facility.to_pylist(), "equipment": equipment.to_pylist()})
        again = np.asarray(pairs.duplicated(), dtype=np.bool_)
        self.rejects.reject(
            again, self.names["equipment_id"], reason="repeated_equipment", found=equipment
        )

    def result(self, columns: list[Any], names: list[str]) -> TableResult:
        """The kept rows of these columns, the offenders and the counts."""
        kept = pa.table(columns, names=names).filter(pa.array(~self.rejects.rejected))
        rejected = int(self.rejects.rejected.sum()) + len(self.ragged)
        table = self.rejects.table()
        counts = {
            "rows": len(kept) + rejected,
            "read": len(kept),
            "rejected": rejected,
            **count_reasons(table),
        }
        require_some_read(self.rejects.file, counts, table)
        return TableResult(kept, table, counts)


def _opened(days: Days, text: Any) -> Days:
    """Let an end after tomorrow be `OPEN_END`."""
    far = (days.state == OUT_OF_RANGE) & pc.match_substring_regex(text, FAR_YEAR).to_numpy(
        zero_copy_only=False
    )
    far |= days_ahead(days)
    day = np.where(far, np.int32((OPEN_END - EPOCH).days), days.day)
    return Days(day.astype(np.int32), np.where(far, READ, days.state).astype(np.int8))


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
        if ours not in found and ours in OWN_COLUMNS and ours in source.columns:
            find_columns(file, source, required=[ours])  # says what is there instead
    if any(ours not in found for ours in required):
        plain = source.replace(columns={}, format="canonical")
        find_columns(file, plain, required=[ours for ours in required if ours not in found])
        raise InputError(f"{file.path}: columns are missing")
    return found
