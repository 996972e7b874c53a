"""Scores of a facility that no model was fitted on, for the monitors, in a task of Ray's.

They come from `predictions.parquet` (cross-fitted, or of the test part) and, for later days, from the
history that `score` keeps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Ints
from hvac.days import EPOCH
from hvac.monitor.calibration import Bets, disjoint
from hvac.monitor.periods import MONDAY, WEEK
from hvac.monitor.rows import Watch
from hvac.monitor.scores import SumsByClass, log_odds, score_sums
from hvac.panel.events import inside_episode
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Unit
from hvac.panel.labels import onset_labels
from hvac.storage import AnyPath, folder_name, matching, parquet_dataset, place

COLUMNS = (
    *("facility_id", "equipment_id", "point_id", "class", "end_date"),
    *("horizon", "risk", "alarm", "split"),
)


class ScoresPlan(NamedTuple):
    """What a task needs beside its facility.

    `known_until` is the last day of `predictions.parquet`; the history counts after it.
    """

    root: str
    horizons: tuple[int, ...]
    watch: Watch
    known_until: int


class FacilityScores(NamedTuple):
    """Sums of scores by class and week, and the bets of each horizon on labels that matured."""

    sums: SumsByClass
    bets: dict[int, Bets]


def facility_scores(
    plan: ScoresPlan, facility: str, follow_up: Mapping[Unit, FollowUp]
) -> FacilityScores:
    """Read a facility's scores; bets are made on units that are in `follow_up`."""
    table = scores_of(place(plan.root), facility, plan.known_until)
    table = table.filter(pc.is_valid(table["risk"]))
    bets = {h: _bets(table, facility, h, follow_up) for h in plan.horizons}
    return FacilityScores(_sums(table, plan), bets)


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
        none = {name: pa.nulls(0) for name in COLUMNS}
        return pa.table(none)
    return pa.concat_tables(tables, promote_options="permissive")


def day_of(folder: str) -> int:
    """Return the day of a folder of the history.

    >>> day_of("end_date=1970-01-03")
    2
    """
    return (dt.date.fromisoformat(folder.partition("=")[2]) - EPOCH).days


def _sums(table: pa.Table, plan: ScoresPlan) -> SumsByClass:
    """Add up the scores of units that were scored in half of the reference's weeks."""
    weeks, reference = plan.watch
    if not len(table):
        return {}
    week_N = (_days(table) - MONDAY) // WEEK
    unit_N = np.unique(_units(table), return_inverse=True)[1]
    in_reference_N = (week_N >= weeks.start) & (week_N < weeks.start + reference)
    pairs = np.unique(
        unit_N[in_reference_N].astype(np.int64) * len(weeks)
        + (week_N[in_reference_N] - weeks.start)
    )
    weeks_U = np.bincount(pairs // len(weeks), minlength=int(unit_N.max()) + 1)
    kept_N = (weeks_U >= reference / 2)[unit_N]
    horizon_N = table["horizon"].to_numpy()
    share: dict[str, Floats] = {}
    longest = max(plan.horizons)
    for horizon in plan.horizons:
        rows = kept_N & (horizon_N == horizon)
        alarm_N = _bools(table["alarm"])[rows] & (horizon == longest)
        risk_N = table["risk"].to_numpy()[rows]
        class_N = _texts(table["class"])[rows]
        sums = score_sums(class_N, week_N[rows], alarm_N, log_odds(risk_N), weeks)
        for name, sum_P3 in sums.items():
            parts = np.array([1, 1 / len(plan.horizons), horizon == longest])
            share[name] = share.get(name, 0.0) + sum_P3 * parts
    return share


def _bets(
    table: pa.Table, facility: str, horizon: int, follow_up: Mapping[Unit, FollowUp]
) -> Bets:
    """Return the bets of one horizon: of the test part and the history, label by label."""
    fair = pc.is_in(table["split"], pa.array(["test", "history"]))
    of_horizon = pc.equal(table["horizon"], horizon)
    table = table.filter(pc.and_(fair, of_horizon))
    day_N, unit_N, risk_N = _days(table), _units(table), table["risk"].to_numpy()
    onset_N, usable_N = _labels(table, facility, horizon, follow_up, day_N)
    free_N = np.flatnonzero(usable_N[0])  # not inside an event
    chosen_N = free_N[disjoint(unit_N[free_N], day_N[free_N], horizon)]
    known_N = chosen_N[usable_N[1][chosen_N]]
    resolved_N = (day_N[known_N] + horizon).astype(np.int32)
    return Bets(risk_N[known_N].astype(np.float64), onset_N[known_N], resolved_N)


def _labels(
    table: pa.Table,
    facility: str,
    horizon: int,
    follow_up: Mapping[Unit, FollowUp],
    day_N: Ints,
) -> tuple[Bools, Bools]:
    """Return onsets, and which windows are free of events and have a known label [2, N]."""
    equipment_N = _texts(table["equipment_id"])
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


def _days(table: pa.Table) -> Ints:
    days = table["end_date"].cast(pa.date32()).cast(pa.int32())
    return np.asarray(days.to_numpy(), np.int64)


def _units(table: pa.Table) -> AnyArray:
    points = pc.fill_null(table["point_id"].cast(pa.string()), "")
    ids = (table["equipment_id"].cast(pa.string()), points)
    return _texts(pc.binary_join_element_wise(*ids, "\x1f"))


def _texts(column: pa.ChunkedArray) -> AnyArray:
    return np.array(column.to_pylist(), dtype=np.str_)


def _bools(column: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.fill_null(column, False).to_numpy(), bool)
