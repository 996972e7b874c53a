"""The one gate: readings of every format become one checked table; what cannot be read is listed and counted.

Missing is not a reject (and neither zero nor off): a blank, `欠測`, `－` or nan value is counted and not emitted.
A row with an unreadable id, date, value or `known_at` is rejected. A row with unreadable or swapped limits (lower >
upper) keeps its value: only its limits become null, and that is listed too. An infinite limit means no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.panel.accepted import ID_REASONS, days_ahead, id_states, id_text
from hvac.panel.formats import RawBatch, read_raw
from hvac.panel.registers import (
    TableResult,
    check_events,
    read_equipment,
    read_events,
    unknown_equipment,
)
from hvac.panel.rejects import REASONS, REJECTS, Rejects, add_counts, count_reasons, require_some_read
from hvac.panel.seed_format import SeedBatch, read_seed
from hvac.panel.sources import SourceConfig, WideConfig, source_files
from hvac.panel.text_values import MISSING, READ, TEXT, Clock, Days, as_text, parse_days, parse_numbers

__all__ = [
    "CANONICAL",
    "CLASSES",
    "REJECTS",
    "GateResult",
    "SeedBatch",
    "SourceConfig",
    "TableResult",
    "WideConfig",
    "add_counts",
    "check_events",
    "read_all",
    "read_equipment",
    "read_events",
    "read_readings",
    "read_seed",
    "require_rows",
    "source_files",
    "unknown_equipment",
]

_IDS = ("facility_id", "equipment_id", "point_id")
CANONICAL = pa.schema(
    [(name, pa.string()) for name in _IDS]
    + [("date", pa.date32()), ("value", pa.float64()), ("lower_limit", pa.float64()), ("upper_limit", pa.float64())]
    + [("known_at", pa.date32())]
)
CLASSES = pa.schema([("facility_id", pa.string()), ("equipment_id", pa.string()), ("class", pa.string())])


class GateResult(NamedTuple):
    """What one batch gave.

    `readings`: CANONICAL, in file order. `rejects`: REJECTS (file, row, column, reason, found).
    `counts`: rows = read + missing + rejected; repeated_unit_days (readings beyond the first of a unit's day, within
    the batch); and the number of offenders per reason. `classes`: CLASSES, the distinct classes that the readings
    themselves tell (the inspection format's 共通分類コード), empty where they tell none.
    """

    readings: Any
    rejects: Any
    counts: dict[str, int]
    classes: Any


def read_all(source: SourceConfig, *, batch_rows: int = 1_000_000) -> Iterator[GateResult]:
    """Stream all files of a source. Raises InputError where they hold no row at all, besides `read_readings`' errors.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "readings.csv"
    >>> lines = ["facility_id,equipment_id,point_id,date,value", "F,007,t,2024/3/1 5:04,2", "F,007,t,2024-03-02,欠測"]
    >>> _ = file.write_text("\\n".join(lines), encoding="cp932")
    >>> result = next(read_all(SourceConfig(readings=str(file))))
    >>> result.counts
    {'rows': 2, 'read': 1, 'missing': 1, 'rejected': 0, 'repeated_unit_days': 0}
    >>> result.readings["equipment_id"].to_pylist()
    ['007']
    """
    files = source_files(source)
    rows = 0
    for path in files:
        for result in read_readings(path, source, batch_rows=batch_rows):
            rows += result.counts["rows"]
            yield result
    require_rows(rows, files)


def require_rows(rows: int, files: list[str]) -> None:
    """Raise InputError where all files together gave no row (headers only)."""
    if rows == 0:
        named = ", ".join(files[:5])
        raise InputError(f"{named}: expected readings below the header, found 0 rows in {len(files)} file(s)")


def read_readings(path: str, source: SourceConfig, *, batch_rows: int = 1_000_000) -> Iterator[GateResult]:
    """Stream one readings file through the gate; memory is bounded by `batch_rows`, whatever the file's size.

    A file with a header and no rows gives one empty result. Raises InputError for what concerns the whole file: absent,
    empty, of another kind, another encoding, a missing column, and, at its end, where not one row could be read.
    """
    counts: dict[str, int] = {}
    offenders = REJECTS.empty_table()
    for raw in read_raw(path, source, batch_rows=batch_rows):
        result = gate(raw, source, file=path)
        counts = add_counts([counts, result.counts])
        if len(offenders) < 5:
            offenders = pa.concat_tables([offenders, result.rejects.slice(0, 5)])
        yield result
    if not counts:
        yield _empty()
    require_some_read(path, counts, offenders)


def gate(raw: RawBatch, source: SourceConfig, *, file: str) -> GateResult:
    """Check one raw batch of any format."""
    rejects = Rejects(file, raw.row)
    rejects.ragged(raw.ragged)
    ids = {name: id_text(raw.columns[name]) for name in _IDS}
    number = parse_numbers(raw.columns["value"], source.missing_values)
    date = _days(raw, "date", ids, source)
    blank = (number.state == MISSING) & (date.state == MISSING) & _all_blank(ids)
    _reject_ids(rejects, raw, ids, blank)
    _reject_days(rejects, raw, date, column="date", blank=blank)
    known = _known_at(rejects, raw, ids, source)
    for state, reason in REASONS.items():
        rejects.reject(number.state == state, raw.file_name("value"), reason=reason, found=raw.columns["value"])
    keep = (number.state == READ) & ~rejects.rejected
    limits = _limits(rejects, raw, keep, source)
    full = pa.table(
        [*ids.values(), _date32(date), pa.array(number.value), *limits, _date32(known)],
        schema=CANONICAL,
    )
    readings = full.filter(pa.array(keep))
    return GateResult(readings, rejects.table(), _counts(raw, rejects, readings), _classes(raw, ids, keep))


def _empty() -> GateResult:
    counts = {"rows": 0, "read": 0, "missing": 0, "rejected": 0, "repeated_unit_days": 0}
    return GateResult(CANONICAL.empty_table(), REJECTS.empty_table(), counts, CLASSES.empty_table())


def _days(raw: RawBatch, column: str, ids: dict[str, Any], source: SourceConfig) -> Days:
    clock = Clock(source.time_zone, source.facility_time_zones)
    return parse_days(raw.columns[column], ids["facility_id"], clock=clock, missing=source.missing_values)


def _blank(text: Any) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(text, "").to_numpy(zero_copy_only=False))


def _all_blank(ids: dict[str, Any]) -> NDArray[np.bool_]:
    facility, equipment, point = (_blank(ids[name]) for name in _IDS)
    return facility & equipment & point


def _reject_ids(rejects: Rejects, raw: RawBatch, ids: dict[str, Any], blank: NDArray[np.bool_]) -> None:
    for name in _IDS:
        states = id_states(ids[name])
        for state, reason in ID_REASONS.items():
            rejects.reject((states == state) & ~blank, raw.file_name(name), reason=reason, found=raw.columns[name])


def _reject_days(rejects: Rejects, raw: RawBatch, days: Days, *, column: str, blank: NDArray[np.bool_]) -> None:
    name, found = raw.file_name(column), raw.columns[column]
    rejects.reject((days.state == MISSING) & ~blank, name, reason=f"missing_{column}", found=found)
    rejects.reject(days_ahead(days), name, reason=f"{column}_in_the_future", found=found)
    for state, reason in REASONS.items():
        rejects.reject(days.state == state, name, reason=reason.replace("date", column), found=found)


def _known_at(rejects: Rejects, raw: RawBatch, ids: dict[str, Any], source: SourceConfig) -> Days:
    """The day on which a reading became known; unreadable rejects the row: a guess could leak the future."""
    count = len(raw.row)
    if "known_at" not in raw.columns:
        return Days(np.zeros(count, dtype=np.int32), np.full(count, MISSING, dtype=np.int8))
    known = _days(raw, "known_at", ids, source)
    _reject_days(rejects, raw, known, column="known_at", blank=np.ones(count, dtype=bool))
    return known


def _limits(rejects: Rejects, raw: RawBatch, keep: NDArray[np.bool_], source: SourceConfig) -> list[Any]:
    pair = []
    for column in ("lower_limit", "upper_limit"):
        if column not in raw.columns:
            pair.append(np.full(len(raw.row), np.nan))
            continue
        limit = parse_numbers(raw.columns[column], source.missing_values)
        text = keep & (limit.state == TEXT)
        rejects.note(text, raw.file_name(column), reason="unreadable_limit", found=raw.columns[column])
        pair.append(limit.value)
    swapped = keep & (pair[0] > pair[1])
    if swapped.any():
        found = pa.array([f"lower {low} > upper {high}" for low, high in zip(*pair, strict=True)])
        names = f"{raw.file_name('lower_limit')}, {raw.file_name('upper_limit')}"
        rejects.note(swapped, names, reason="limits_swapped", found=found)
    return [pa.array(limit, mask=swapped | np.isnan(limit)) for limit in pair]


def _date32(days: Days) -> Any:
    return pa.array(days.day, pa.int32(), mask=days.state != READ).cast(pa.date32())


def _counts(raw: RawBatch, rejects: Rejects, readings: Any) -> dict[str, int]:
    rows, rejected = len(raw.row) + len(raw.ragged), int(rejects.rejected.sum()) + len(raw.ragged)
    read = len(readings)
    counts = {"rows": rows, "read": read, "missing": rows - read - rejected, "rejected": rejected}
    return {**counts, "repeated_unit_days": _repeated(readings), **count_reasons(rejects.table())}


def _repeated(readings: Any) -> int:
    key = readings["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    for name in _IDS:
        coded = readings[name].combine_chunks().dictionary_encode()
        key = key * max(1, len(coded.dictionary)) + coded.indices.to_numpy()
    return int(pd.Series(key).duplicated().sum())


def _classes(raw: RawBatch, ids: dict[str, Any], keep: NDArray[np.bool_]) -> Any:
    if "class" not in raw.columns:
        return CLASSES.empty_table()
    told = as_text(raw.columns["class"])
    table = pa.table([ids["facility_id"], ids["equipment_id"], told], schema=CLASSES)
    distinct = table.filter(pa.array(keep & ~_blank(told))).group_by(CLASSES.names).aggregate([])
    return distinct.select(CLASSES.names).sort_by([(name, "ascending") for name in CLASSES.names])
