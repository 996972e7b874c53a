"""Scores of a facility as they were given, and what became of them.

They come from `predictions.parquet` (cross-fitted, or of the test part) and, for later days, from the
history that `score` keeps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from hvac.arrays import AnyArray, Bools, DayNumbers, Ints
from hvac.casework.told_outcomes import Outcomes
from hvac.days import EPOCH
from hvac.panel.events import inside_episode
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Unit
from hvac.panel.labels import onset_labels
from hvac.scoring.predictions import SCHEMA
from hvac.storage import AnyPath, folder_name, matching, parquet_dataset
from hvac.update.found_on_visits import FoundLabels, beyond_log, with_findings

COLUMNS = (
    *("facility_id", "equipment_id", "point_id", "class", "end_date"),
    *("horizon", "risk", "threshold", "alarm", "bundle_id", "split"),
)


def scores_of(root: AnyPath, facility: str, known_until: int) -> pa.Table:
    """Return the rows of a facility; those of the history say so in `split`."""
    tables = []
    predictions = root / "predictions.parquet"
    if predictions.exists():
        only = pads.field("facility_id") == facility
        part = parquet_dataset([predictions]).to_table(list(COLUMNS), filter=only)
        tables.append(part)
    folder = root / "scores" / "history" / f"facility_id={folder_name(facility)}"
    files = [
        file
        for file in matching(folder, "end_date=*/part-*.parquet")
        if day_of(file.parent.name) > known_until
    ]
    if files:
        past = parquet_dataset(files).to_table(list(COLUMNS[:-1]))
        history = pa.array(["history"] * len(past), pa.string())
        tables.append(past.append_column("split", history))
    if not tables:
        return SCHEMA.empty_table().select(list(COLUMNS))
    return pa.concat_tables(tables, promote_options="permissive")


def day_of(folder: str) -> int:
    """Return the day of a folder of the history.

    >>> day_of("end_date=1970-01-03")
    2
    """
    return (dt.date.fromisoformat(folder.partition("=")[2]) - EPOCH).days


def labels_of(
    table: pa.Table,
    facility: str,
    horizon: int,
    follow_up: Mapping[Unit, FollowUp],
    day_N: Ints,
) -> tuple[Bools, Bools]:
    """Return onsets, and which windows are free of events and have a known label [2, N]."""
    equipment_N = text_array(table["equipment_id"])
    points = table["point_id"].to_pylist()
    onset_N = np.zeros(len(table), bool)
    usable_2N = np.zeros((2, len(table)), bool)
    by_series: dict[tuple[str, str | None], list[int]] = {}
    for n, key in enumerate(zip(equipment_N.tolist(), points, strict=True)):
        by_series.setdefault(key, []).append(n)
    for (equipment, point), rows in by_series.items():
        followed = follow_up.get(Unit(facility, equipment))
        if followed is None:
            continue
        targets = followed.targets.of_point(point)
        end_day: DayNumbers = day_N[rows].astype(np.int32)
        y, known, _ = onset_labels(
            end_day, targets.start_N, horizons=(horizon,), follow_up=followed
        )
        onset_N[rows] = y[:, 0]
        usable_2N[:, rows] = ~inside_episode(end_day, targets), known[:, 0]
    return onset_N, usable_2N


def findings_of(
    table: pa.Table,
    day_N: Ints,
    horizon_N: Ints,
    onset_N: Bools,
    *,
    follow_up: Mapping[Unit, FollowUp],
    outcomes: Outcomes,
) -> FoundLabels:
    """Lay what visits found over the labels of a facility's rows, machine by machine."""
    labels_of_rows = FoundLabels(
        onset_N.copy(), np.zeros(len(table), bool), np.zeros(len(table), bool)
    )
    if not outcomes:
        return labels_of_rows
    equipment_N, alarm_N = text_array(table["equipment_id"]), bool_array(table["alarm"])
    for unit, of_unit in outcomes.items():
        followed = follow_up.get(unit)
        if followed is None:
            continue
        rows = np.flatnonzero(equipment_N == unit.equipment_id)
        labels = with_findings(
            end_day_N=day_N[rows],
            horizon_N=horizon_N[rows],
            alarm_N=alarm_N[rows],
            onset_N=onset_N[rows],
            outcomes=beyond_log(of_unit, followed.targets.start_N),
        )
        for whole_N, part_N in zip(labels_of_rows, labels, strict=True):
            whole_N[rows] = part_N
    return labels_of_rows


def day_numbers(table: pa.Table) -> Ints:
    """Return the last days of the windows, since 1970-01-01."""
    days = table["end_date"].cast(pa.date32()).cast(pa.int32())
    return np.asarray(days.to_numpy(), np.int64)


def unit_keys(table: pa.Table) -> AnyArray:
    """Return a text that names each row's unit (or point) within its facility."""
    points = pc.fill_null(table["point_id"].cast(pa.string()), "")
    ids = (table["equipment_id"].cast(pa.string()), points)
    return text_array(pc.binary_join_element_wise(*ids, "\x1f"))


def text_array(column: pa.ChunkedArray) -> AnyArray:
    """Return a column of texts as an array."""
    return np.array(column.to_pylist(), dtype=np.str_)


def bool_array(column: pa.ChunkedArray) -> Bools:
    """Return a column of booleans as an array; unknown is false."""
    return np.asarray(pc.fill_null(column, False).to_numpy(), bool)
