"""The seed's CSV: a row per window, its 90 values as text in one cell.

Legend: B windows, L lookback days (90), F the file's own feature columns, H horizons (30, 60, 90
days)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.date_texts import DateStyle
from hvac.readings.files import FileBatch, TableFile, iter_table, open_table
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
from hvac.readings.text_values import INFINITE, MISSING, READ, TEXT, as_text, one_array

LOOKBACK = 90
HORIZONS = (30, 60, 90)
LABELS = tuple(f"label_{days}d" for days in HORIZONS)
SEED_IDS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("point_id", pa.string()),
        ("end_date", pa.date32()),
    ]
)
_DEFAULT_IDS = {"facility_id": "seed", "point_id": "value"}


class SeedBatch(NamedTuple):
    """Windows of a seed file.

    `ids`: SEED_IDS (a file without facility gets "seed", without point "value"; `end_date` null
    where absent). `x_BL`: float64, the raw values, nan where missing. `y_BH`: 0, 1, or nan where
    the file does not say. `f_BF`, `feature_names`: the file's other columns as numbers, nan where
    they are none. `counts`: rows = read + rejected, and offenders per reason."""

    ids: Any
    x_BL: NDArray[np.float64]
    y_BH: NDArray[np.float64]
    f_BF: NDArray[np.float64]
    feature_names: tuple[str, ...]
    rejects: Any
    counts: dict[str, int]


def read_seed(path: str, source: SourceConfig, *, batch_rows: int = 50_000) -> Iterator[SeedBatch]:
    """Stream a file of the seed's format.

    Rejected: a sequence of another length than 90 (never padded or cut), text or infinity in it, a
    missing unit, an unreadable end_date, a label other than 0 or 1. Raises InputError as
    `read_readings` does, and where no column tells the unit: windows of one unit overlap, so
    without units every split leaks."""
    file = open_table(path, source)
    names = _names(file, source)
    features = tuple(name for name in file.columns if name and name not in names.values())
    wanted = list(dict.fromkeys([*names.values(), *features]))
    counts: dict[str, int] = {}
    offenders = REJECTS.empty_table()
    for raw in iter_table(file, wanted, batch_rows=batch_rows):
        batch = _check(raw, source, names=names, features=features, file=path)
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


def _check(
    raw: FileBatch,
    source: SourceConfig,
    *,
    names: dict[str, str],
    features: tuple[str, ...],
    file: str,
) -> SeedBatch:
    rejects = Rejects(file, raw.row)
    rejects.ragged(raw.ragged)
    ids = _ids(raw, source, names=names, rejects=rejects)
    x_BL = _sequences(
        one_array(raw.table[names["values_sequence"]]),
        source,
        name=names["values_sequence"],
        rejects=rejects,
    )
    y_BH = np.stack([_label(raw, source, names.get(label), rejects) for label in LABELS], axis=1)
    columns = [parse_numbers(raw.table[name], source.missing_values).value for name in features]
    f_BF = np.stack(columns, axis=1) if columns else np.zeros((len(raw.row), 0))
    keep = ~rejects.rejected
    table = rejects.table()
    rejected = int(rejects.rejected.sum()) + len(raw.ragged)
    counts = {"rows": int(keep.sum()) + rejected, "read": int(keep.sum()), "rejected": rejected}
    counts |= count_reasons(table)
    return SeedBatch(
        ids.filter(pa.array(keep)), x_BL[keep], y_BH[keep], f_BF[keep], features, table, counts
    )


def _ids(raw: FileBatch, source: SourceConfig, *, names: dict[str, str], rejects: Rejects) -> Any:
    columns = []
    for ours in ("facility_id", "equipment_id", "point_id"):
        if ours in names:
            text = as_text(raw.table[names[ours]])
            blank = pc.equal(text, "").to_numpy(zero_copy_only=False)
            rejects.reject(blank, names[ours], reason="missing_id", found=text)
        else:
            text = pa.array([_DEFAULT_IDS[ours]] * len(raw.row), pa.string())
        columns.append(text)
    return pa.table(
        [*columns, _end_dates(raw, source, names.get("end_date"), rejects, columns[0])],
        schema=SEED_IDS,
    )


def _end_dates(
    raw: FileBatch, source: SourceConfig, name: str | None, rejects: Rejects, facility: Any
) -> Any:
    if name is None:
        return pa.nulls(len(raw.row), pa.date32())
    style = DateStyle(source.date_format)
    days = read_days(
        raw.table[name], facility, source, where=f"{rejects.file}, column {name}", style=style
    )
    for state, reason in REASONS.items():
        found = one_array(raw.table[name])
        rejects.reject(
            days.state == state, name, reason=reason.replace("date", "end_date"), found=found
        )
    return pa.array(days.day, pa.int32(), mask=days.state != READ).cast(pa.date32())


def _label(
    raw: FileBatch, source: SourceConfig, name: str | None, rejects: Rejects
) -> NDArray[np.float64]:
    if name is None:
        return np.full(len(raw.row), np.nan)
    label = parse_numbers(raw.table[name], source.missing_values)
    neither = (label.state != MISSING) & ~np.isin(label.value, (0.0, 1.0))
    rejects.reject(neither, name, reason="label_not_0_or_1", found=one_array(raw.table[name]))
    return label.value


def _sequences(
    column: Any, source: SourceConfig, *, name: str, rejects: Rejects
) -> NDArray[np.float64]:
    """`x_BL`; rows whose sequence cannot be read are rejected and nan."""
    lists = (
        column
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        else _split(column)
    )
    length = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    short = length != LOOKBACK
    found = pa.array([f"{count} values, expected {LOOKBACK}" for count in length], pa.string())
    rejects.reject(short, name, reason="sequence_length", found=found)
    numbers = parse_numbers(pc.list_flatten(lists.filter(pa.array(~short))), source.missing_values)
    x_BL = np.full((len(length), LOOKBACK), np.nan)
    x_BL[~short] = numbers.value.reshape(-1, LOOKBACK)
    state_BL = np.full(x_BL.shape, READ, dtype=np.int8)
    state_BL[~short] = numbers.state.reshape(-1, LOOKBACK)
    for state, reason in ((TEXT, "text_in_sequence"), (INFINITE, "infinite_in_sequence")):
        rejects.reject((state_BL == state).any(axis=1), name, reason=reason, found=column)
    return x_BL


def _split(column: Any) -> Any:
    """`[1.0, 2.0]` or `[1. 2.]` → lists of texts; a blank cell → an empty list."""
    inner = pc.utf8_trim(as_text(column), "[]() \t\r\n")
    commas = pc.replace_substring_regex(inner, r"\s*,\s*|\s+", ",")
    parts = pc.split_pattern(commas, ",")
    return pc.if_else(pc.equal(inner, ""), pa.scalar([], pa.list_(pa.string())), parts)
