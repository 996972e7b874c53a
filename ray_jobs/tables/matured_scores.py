"""The risks of a facility whose labels have matured, in a task of Ray's.

Fair ones only: of windows that no model was fitted on (the test part of `predictions.parquet`, and
the history that `score` keeps), as the bundles that serve gave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Floats, Ints, Strings
from hvac.casework.told_outcomes import Outcomes
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Unit
from hvac.storage import AnyPath, parquet_dataset, place
from hvac.update.matured import Matured, sure_log_odds
from ray_jobs.tables.kept_scores import (
    bool_array,
    day_numbers,
    findings_of,
    labels_of,
    scores_of,
    text_array,
    unit_keys,
)


class MaturedPlan(NamedTuple):
    """Where the scores lie, the last day of `predictions.parquet`, and which bundles' count.

    `fitted_until` is the day until which labels were known that an update of them was fitted on.
    """

    root: str
    known_until: int
    fitted_until: Mapping[str, int]
    horizons: tuple[int, ...]


def scored_until(root: AnyPath) -> int:
    """Return the last day of `predictions.parquet`, after which the history counts; -1 without."""
    file = root / "predictions.parquet"
    if not file.exists():
        return -1
    dates = parquet_dataset([file]).to_table(["end_date"])["end_date"]
    newest = pc.max(dates.cast(pa.int32())).as_py()
    return -1 if newest is None else int(newest)


class FacilityRows(NamedTuple):
    """The rows of a facility, and how many count neither way because of a visit."""

    rows: Matured
    left_out: int


def facility_matured(
    plan: MaturedPlan,
    facility: str,
    follow_up: Mapping[Unit, FollowUp],
    outcomes: Outcomes,
) -> FacilityRows:
    """Return the rows of a facility, with ids of units that are unique in the fleet.

    Args:
        plan: of the job.
        facility: whose machines.
        follow_up: of each machine.
        outcomes: what visits found, by machine.
    """
    table = _fair(scores_of(place(plan.root), facility, plan.known_until), plan)
    day_N, unit_N = day_numbers(table), unit_keys(table)
    horizon_N = np.asarray(table["horizon"].to_numpy(), np.int64)
    onset_N = np.zeros(len(table), bool)
    usable_N = np.zeros(len(table), bool)
    for horizon in plan.horizons:
        rows = np.flatnonzero(horizon_N == horizon)
        part = table.take(pa.array(rows))
        onset, (outside, known) = labels_of(
            part, facility, horizon, follow_up, day_N[rows]
        )
        onset_N[rows], usable_N[rows] = onset, outside & known
    usable_N &= day_N + horizon_N > _fitted_until(table, plan)
    visits = findings_of(
        table, day_N, horizon_N, onset_N, follow_up=follow_up, outcomes=outcomes
    )
    risk_N = table["risk"].to_numpy()
    kept = np.flatnonzero(usable_N & ~visits.left_out_N)
    matured = Matured.of(
        class_N=text_array(table["class"])[kept],
        unit_N=np.char.add(f"{facility}\x1f", unit_N[kept]),
        end_day_N=day_N[kept],
        horizon_N=horizon_N[kept],
        log_odds_N=sure_log_odds(risk_N[kept]),
        onset_N=visits.onset_N[kept],
        alarm_N=bool_array(table["alarm"])[kept],
        found_N=visits.found_N[kept],
    )
    return FacilityRows(matured, int((usable_N & visits.left_out_N).sum()))


def _fair(table: pa.Table, plan: MaturedPlan) -> pa.Table:
    """Return the rows with a risk of the serving bundles on windows that none was fitted on."""
    fair = pc.is_in(table["split"], pa.array(["test", "history"]))
    ours = pc.is_in(table["bundle_id"], pa.array(list(plan.fitted_until), pa.string()))
    return table.filter(pc.and_(pc.and_(fair, ours), pc.is_valid(table["risk"])))


def _fitted_until(table: pa.Table, plan: MaturedPlan) -> Ints:
    """Return the day until which labels were known that each row's bundle was fitted on."""
    ids = table["bundle_id"].to_pylist()
    return np.array([plan.fitted_until[bundle_id] for bundle_id in ids], np.int64)


class Margins(NamedTuple):
    """How far the risks of a facility lie above their thresholds, in log-odds, at one horizon."""

    unit_N: Strings
    end_day_N: Ints
    margin_N: Floats


def facility_margins(
    plan: MaturedPlan, facility: str, since: int, thresholds: Mapping[str, float]
) -> Margins:
    """Return the margins of the shortest horizon on days after `since`, whatever became of them.

    They are above today's thresholds of the facility, by class: those of the day may have moved.
    """
    table = _fair(scores_of(place(plan.root), facility, plan.known_until), plan)
    is_shortest = pc.equal(table["horizon"], min(plan.horizons))
    newest = pa.array(day_numbers(table) > since)
    table = table.filter(pc.and_(is_shortest, newest))
    risk_N = table["risk"].to_numpy()
    threshold_N = np.array([thresholds[name] for name in table["class"].to_pylist()])
    margin_N = sure_log_odds(risk_N) - sure_log_odds(threshold_N)
    unit_N = text_array(table["equipment_id"])  # with all its points
    return Margins(unit_N, day_numbers(table), margin_N)
