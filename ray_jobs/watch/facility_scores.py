"""Scores of a facility that no model was fitted on, for the monitors, in a task of Ray's.

They come from `predictions.parquet` (cross-fitted, or of the test part) and, for later days, from the
history that `score` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Floats
from hvac.casework.told_outcomes import Outcomes
from hvac.monitor.alert_rows import Watch
from hvac.monitor.bets import Bets, disjoint
from hvac.monitor.periods import MONDAY, WEEK
from hvac.monitor.score_sums import SumsByClass, bounded_log_odds, score_sums
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Unit
from hvac.storage import place
from ray_jobs.tables.kept_scores import (
    bool_array,
    day_numbers,
    findings_of,
    labels_of,
    scores_of,
    text_array,
    unit_keys,
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
    plan: ScoresPlan,
    facility: str,
    follow_up: Mapping[Unit, FollowUp],
    outcomes: Outcomes,
) -> FacilityScores:
    """Read a facility's scores; bets are made on units that are in `follow_up`.

    What visits found is laid over the labels.
    """
    table = scores_of(place(plan.root), facility, plan.known_until)
    table = table.filter(pc.is_valid(table["risk"]))
    bets = {h: _bets(table, facility, h, follow_up, outcomes) for h in plan.horizons}
    return FacilityScores(_sums(table, plan), bets)


def _sums(table: pa.Table, plan: ScoresPlan) -> SumsByClass:
    """Add up the scores of units that were scored in half of the reference's weeks."""
    weeks, reference = plan.watch
    if not len(table):
        return {}
    week_N = (day_numbers(table) - MONDAY) // WEEK
    unit_N = np.unique(unit_keys(table), return_inverse=True)[1]
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
        alarm_N = bool_array(table["alarm"])[rows] & (horizon == longest)
        risk_N = table["risk"].to_numpy()[rows]
        class_N = text_array(table["class"])[rows]
        sums = score_sums(
            class_N, week_N[rows], alarm_N, bounded_log_odds(risk_N), weeks
        )
        for name, sum_P3 in sums.items():
            parts = np.array([1, 1 / len(plan.horizons), horizon == longest])
            share[name] = share.get(name, 0.0) + sum_P3 * parts
    return share


def _bets(
    table: pa.Table,
    facility: str,
    horizon: int,
    follow_up: Mapping[Unit, FollowUp],
    outcomes: Outcomes,
) -> Bets:
    """Return the bets of one horizon: of the test part and the history, label by label."""
    fair = pc.is_in(table["split"], pa.array(["test", "history"]))
    of_horizon = pc.equal(table["horizon"], horizon)
    table = table.filter(pc.and_(fair, of_horizon))
    day_N, unit_N, risk_N = (
        day_numbers(table),
        unit_keys(table),
        table["risk"].to_numpy(),
    )
    onset_N, usable_N = labels_of(table, facility, horizon, follow_up, day_N)
    horizon_N = np.full(len(table), horizon)
    visits = findings_of(
        table, day_N, horizon_N, onset_N, follow_up=follow_up, outcomes=outcomes
    )
    free_N = np.flatnonzero(usable_N[0])  # not inside an event
    chosen_N = free_N[disjoint(unit_N[free_N], day_N[free_N], horizon)]
    known_N = chosen_N[(usable_N[1] & ~visits.left_out_N)[chosen_N]]
    resolved_N = (day_N[known_N] + horizon).astype(np.int32)
    return Bets(risk_N[known_N].astype(np.float64), visits.onset_N[known_N], resolved_N)
