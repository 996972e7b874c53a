"""The one gate: readings of every format become one checked table; what cannot be read is listed
and counted.

Missing is not a reject (and neither zero nor off): a blank, `欠測`, `－` or nan value is counted and
not emitted. A row with an unreadable id, date, value or `known_at` is rejected. A row with
unreadable or swapped limits (lower > upper) keeps its value: only its limits become null, and that
is listed too. An infinite limit means no limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.accepted import ID_REASONS, LARGEST_VALUE, days_ahead, id_states, id_text
from hvac.readings.date_texts import DAY_SECONDS, DateStyle, Days
from hvac.readings.formats import RawBatch
from hvac.readings.notation import PLAIN, Notation, read_days, read_numbers, read_settled
from hvac.readings.number_texts import Numbers
from hvac.readings.overlap import NO_TIME
from hvac.readings.predecessor_csv import SeedBatch, read_seed
from hvac.readings.registers import (
    TableResult,
    check_events,
    read_equipment,
    read_events,
    unknown_equipment,
)
from hvac.readings.rejects import (
    REASONS,
    REJECTS,
    Rejects,
    add_counts,
    count_reasons,
    require_some_read,
)
from hvac.readings.sources import SourceConfig, WideConfig, source_files
from hvac.readings.text_values import MISSING, MIXED_UNIT, READ, TEXT, as_text

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
    + [
        ("date", pa.date32()),
        ("value", pa.float64()),
        ("lower_limit", pa.float64()),
        ("upper_limit", pa.float64()),
    ]
    + [("known_at", pa.date32()), ("second", pa.int32())]
)
CLASSES = pa.schema(
    [("facility_id", pa.string()), ("equipment_id", pa.string()), ("class", pa.string())]
)


class GateResult(NamedTuple):
    """What one batch gave.

    `readings`: CANONICAL, in file order; `second` of the day is null where no time was written.
    `rejects`: REJECTS (file, row, column, reason, found). `counts`: rows = read + missing +
    rejected; repeated_unit_days (readings beyond the first of a unit's day, within the batch); the
    number of offenders per reason; and, where there are any, repeated_readings (of the same second
    and value, within the batch: they count once), read_with_unit and read_as_word (21.5℃, 良).
    `classes`: CLASSES, the distinct classes that the readings themselves tell (the inspection
    format's 共通分類コード), empty where they tell none. `notes`: what was guessed of the file as a whole,
    such as its encoding."""

    readings: Any
    rejects: Any
    counts: dict[str, int]
    classes: Any
    notes: tuple[str, ...] = ()


def read_all(source: SourceConfig, *, batch_rows: int = 1_000_000) -> Iterator[GateResult]:
    """Stream all files of a source. Raises InputError where they hold no row at all, besides
    `read_readings`' errors.

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
        raise InputError(
            f"{named}: expected readings below the header, found 0 rows in {len(files)} file(s)"
        )


def read_readings(
    path: str, source: SourceConfig, *, batch_rows: int = 1_000_000
) -> Iterator[GateResult]:
    """Stream one readings file through the gate; memory is bounded by `batch_rows`, whatever the
    file's size.

    How numbers and dates are written is settled over the whole file first (`notation`). A file with
    a header and no rows gives one empty result. Raises InputError for what concerns the whole file:
    absent, empty, of another kind, another encoding, a missing column, a notation that cannot be
    told, and, at its end, where no row could be read."""
    counts: dict[str, int] = {}
    offenders = REJECTS.empty_table()
    settled = read_settled(path, source, batch_rows=batch_rows)
    for raw in settled.batches:
        result = gate(raw, source, file=path, notation=settled.notation)._replace(
            notes=settled.notes
        )
        counts = add_counts([counts, result.counts])
        if len(offenders) < 5:
            offenders = pa.concat_tables([offenders, result.rejects.slice(0, 5)])
        yield result
    if not counts:
        yield _empty()
    require_some_read(path, counts, offenders)


def gate(
    raw: RawBatch, source: SourceConfig, *, file: str, notation: Notation = PLAIN
) -> GateResult:
    """Check one raw batch of any format, of a file that is written as `notation` says."""
    rejects = Rejects(file, raw.row)
    rejects.ragged(raw.ragged)
    ids = {name: id_text(raw.columns[name]) for name in _IDS}
    number = read_numbers(raw, "value", source, notation)
    date = _days(raw, "date", ids, rejects.file, source, notation)
    blank = (number.state == MISSING) & (date.state == MISSING) & _all_blank(ids)
    _reject_ids(rejects, raw, ids, blank)
    _reject_days(rejects, raw, date, column="date", blank=blank)
    known = _known_at(rejects, raw, ids, source, notation)
    for state, reason in REASONS.items():
        rejects.reject(
            number.state == state, raw.file_name("value"), reason=reason, found=raw.columns["value"]
        )
    large = np.abs(np.nan_to_num(number.value)) > LARGEST_VALUE
    rejects.reject(
        large, raw.file_name("value"), reason="value_too_large", found=raw.columns["value"]
    )
    keep = (number.state == READ) & ~rejects.rejected
    limits = _limits(rejects, raw, keep, source, notation)
    full = pa.table(
        [
            *ids.values(),
            _date32(date),
            pa.array(number.value),
            *limits,
            _date32(known),
            _second(date),
        ],
        schema=CANONICAL,
    )
    readings = full.filter(pa.array(keep))
    counts = {**_counts(raw, rejects, readings), **_read_otherwise(number, date)}
    return GateResult(readings, rejects.table(), counts, _classes(raw, ids, keep))


def _empty() -> GateResult:
    counts = {"rows": 0, "read": 0, "missing": 0, "rejected": 0, "repeated_unit_days": 0}
    return GateResult(CANONICAL.empty_table(), REJECTS.empty_table(), counts, CLASSES.empty_table())


def _days(
    raw: RawBatch,
    column: str,
    ids: dict[str, Any],
    file: str,
    source: SourceConfig,
    notation: Notation,
) -> Days:
    name = raw.names.get(column, column)
    where, style = f"{file}, column {name}", notation.dates.get(name, DateStyle(source.date_format))
    return read_days(raw.columns[column], ids["facility_id"], source, where=where, style=style)


def _blank(text: Any) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(text, "").to_numpy(zero_copy_only=False))


def _all_blank(ids: dict[str, Any]) -> NDArray[np.bool_]:
    facility, equipment, point = (_blank(ids[name]) for name in _IDS)
    return facility & equipment & point


def _reject_ids(
    rejects: Rejects, raw: RawBatch, ids: dict[str, Any], blank: NDArray[np.bool_]
) -> None:
    for name in _IDS:
        states = id_states(ids[name])
        for state, reason in ID_REASONS.items():
            rejects.reject(
                (states == state) & ~blank,
                raw.file_name(name),
                reason=reason,
                found=raw.columns[name],
            )


def _reject_days(
    rejects: Rejects, raw: RawBatch, days: Days, *, column: str, blank: NDArray[np.bool_]
) -> None:
    name, found = raw.file_name(column), raw.columns[column]
    rejects.reject((days.state == MISSING) & ~blank, name, reason=f"missing_{column}", found=found)
    rejects.reject(days_ahead(days), name, reason=f"{column}_in_the_future", found=found)
    for state, reason in REASONS.items():
        rejects.reject(
            days.state == state, name, reason=reason.replace("date", column), found=found
        )


def _known_at(
    rejects: Rejects, raw: RawBatch, ids: dict[str, Any], source: SourceConfig, notation: Notation
) -> Days:
    """The day on which a reading became known; unreadable rejects the row: a guess could leak the
    future.
    """
    count = len(raw.row)
    if "known_at" not in raw.columns:
        return Days(np.zeros(count, dtype=np.int32), np.full(count, MISSING, dtype=np.int8))
    known = _days(raw, "known_at", ids, rejects.file, source, notation)
    _reject_days(rejects, raw, known, column="known_at", blank=np.ones(count, dtype=bool))
    return known


def _limits(
    rejects: Rejects,
    raw: RawBatch,
    keep: NDArray[np.bool_],
    source: SourceConfig,
    notation: Notation,
) -> list[Any]:
    pair = []
    for column in ("lower_limit", "upper_limit"):
        if column not in raw.columns:
            pair.append(np.full(len(raw.row), np.nan))
            continue
        limit = read_numbers(raw, column, source, notation)
        text = keep & ((limit.state == TEXT) | (limit.state == MIXED_UNIT))
        rejects.note(
            text, raw.file_name(column), reason="unreadable_limit", found=raw.columns[column]
        )
        pair.append(limit.value)
    swapped = keep & (pair[0] > pair[1])
    if swapped.any():
        found = pa.array([f"lower {low} > upper {high}" for low, high in zip(*pair, strict=True)])
        names = f"{raw.file_name('lower_limit')}, {raw.file_name('upper_limit')}"
        rejects.note(swapped, names, reason="limits_swapped", found=found)
    return [pa.array(limit, mask=swapped | np.isnan(limit)) for limit in pair]


def _date32(days: Days) -> Any:
    return pa.array(days.day, pa.int32(), mask=days.state != READ).cast(pa.date32())


def _second(days: Days) -> Any:
    assert days.second is not None, "parse_days tells it"
    return pa.array(days.second, pa.int32(), mask=days.second == NO_TIME)


def _read_otherwise(number: Numbers, date: Days) -> dict[str, int]:
    """How many values and days were read in another way than they plainly say."""
    counts = {
        "read_with_unit": number.with_unit,
        "read_as_word": number.as_word,
        "days_as_written": date.as_written,
    }
    return {name: count for name, count in counts.items() if count}


def _counts(raw: RawBatch, rejects: Rejects, readings: Any) -> dict[str, int]:
    rows, rejected = len(raw.row) + len(raw.ragged), int(rejects.rejected.sum()) + len(raw.ragged)
    read = len(readings)
    counts = {"rows": rows, "read": read, "missing": rows - read - rejected, "rejected": rejected}
    return {**counts, **_repeated(readings), **count_reasons(rejects.table())}


def _unit_days(readings: Any) -> NDArray[np.int64]:
    """One number for the point and day of each reading."""
    key = readings["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    for name in _IDS:
        coded = readings[name].combine_chunks().dictionary_encode()
        key = key * max(1, len(coded.dictionary)) + coded.indices.to_numpy()
    return np.asarray(key, dtype=np.int64)


def _repeated(readings: Any) -> dict[str, int]:
    """Count the readings beyond the first of a unit's day, and those that repeat a second's value:
    they count once.
    """
    key = _unit_days(readings)
    counts = {"repeated_unit_days": int(pd.Series(key).duplicated().sum())}
    second = readings["second"].fill_null(NO_TIME).to_numpy()
    same = pd.Series(key * (DAY_SECONDS + 1) + second).duplicated(keep=False).to_numpy() & (
        second != NO_TIME
    )
    if same.any():
        rows = readings.filter(pa.array(same))
        counts["repeated_readings"] = len(rows) - len(
            rows.group_by([*_IDS, "date", "second", "value"]).aggregate([])
        )
    return {name: count for name, count in counts.items() if count or name == "repeated_unit_days"}


def _classes(raw: RawBatch, ids: dict[str, Any], keep: NDArray[np.bool_]) -> Any:
    if "class" not in raw.columns:
        return CLASSES.empty_table()
    told = as_text(raw.columns["class"])
    table = pa.table([ids["facility_id"], ids["equipment_id"], told], schema=CLASSES)
    distinct = table.filter(pa.array(keep & ~_blank(told))).group_by(CLASSES.names).aggregate([])
    return distinct.select(CLASSES.names).sort_by([(name, "ascending") for name in CLASSES.names])
