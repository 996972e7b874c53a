"""A comparison small enough for a test: a fleet with onsets, and models whose risks are the labels with noise.

Legend: B windows, H horizons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks
from hvac.evaluation.leaderboard import ComparedModel, Cost, leaderboard
from hvac.features.table import KEY_SCHEMA, Windows

HORIZONS = (30, 60, 90)
EPOCH = dt.date(1970, 1, 1)
REPLICATES = 100
ABOUT = {
    "run": "small",
    "name": "families",
    "created": "2026-02-15 19:08",
    "seeds": [0, 1],
    "replicates": REPLICATES,
    "table": "c0ffee",
    "command": "python -m ray_jobs.pipeline --config runs/small/compare/families/champion.yaml",
}


@cache
def fleet(seed: int, onsets: int = 60) -> tuple[Windows, Onsets]:
    """40 units judged every week for half a year."""
    rng = np.random.default_rng(seed)
    units, weeks = [f"E{i:02}" for i in range(40)], 26
    unit_B, day_B = np.repeat(units, weeks), np.tile(np.arange(weeks) * 7, len(units))
    events = Onsets(
        np.array([f"F\x1f{u}" for u in rng.choice(units, onsets)]),
        rng.integers(1, 260, onsets),
    )
    named_B = np.array([f"F\x1f{u}" for u in unit_B])
    ahead_BE = np.where(
        named_B[:, None] == events.unit_E, events.onset_day_E - day_B[:, None], -1
    )
    y_BH = np.stack(
        [((ahead_BE > 0) & (ahead_BE <= h)).any(axis=1) for h in HORIZONS], axis=1
    )
    rows = len(unit_B)
    columns = {
        "facility_id": ["F"] * rows,
        "equipment_id": unit_B.tolist(),
        "point_id": [None] * rows,
        "class": ["ahu"] * rows,
        "end_date": [EPOCH + dt.timedelta(days=int(day)) for day in day_B],
        "split": ["test"] * rows,
        "status": ["ok"] * rows,
    }
    keys = pa.table(columns, schema=KEY_SCHEMA)
    known_BH = rng.random(y_BH.shape) > 0.05
    return Windows(
        keys=keys, observed_B=np.ones(rows, np.float32), y_BH=y_BH, known_BH=known_BH
    ), events


def trial(noise: Mapping[str, float], *, seed: int, onsets: int = 60) -> EvaluationSet:
    """Models by name of their runs, with the noise in their risks."""
    windows, events = fleet(seed, onsets)
    y_BH, _ = windows.labels
    judged = {}
    for place, (run, amount) in enumerate(noise.items()):
        drawn_BH = np.random.default_rng((seed, place)).normal(size=y_BH.shape)
        risk_BH = np.clip(0.3 + 0.3 * y_BH + amount * drawn_BH, 0.01, 0.99)
        judged[run] = ModelRisks(risk_BH, np.full(risk_BH.shape, 0.5))
    reference_BH = np.tile(y_BH.mean(axis=0), (len(y_BH), 1))
    return EvaluationSet(
        windows=windows,
        risks=judged,
        reference_BH=reference_BH,
        events=events,
        horizons=HORIZONS,
    )


def contender(
    name: str,
    runs: tuple[str, ...],
    *,
    family: str | None = None,
    microseconds: float = 1.5,
) -> ComparedModel:
    return ComparedModel(name, family or name, runs, Cost(1000, 12.5, microseconds))


def board(
    validation: Mapping[str, float],
    test: Mapping[str, float],
    *,
    default: str = "hybrid",
    onsets: int = 60,
) -> dict[str, Any]:
    """The leaderboard of models with one seed each, by their noise on validation and on test."""
    contenders = [
        contender(name, (name,), microseconds=float(place))
        for place, name in enumerate(validation)
    ]
    made = leaderboard(
        trial(test, seed=2, onsets=onsets),
        trial(validation, seed=1, onsets=onsets),
        contenders,
        default=default,
        replicates=REPLICATES,
    )
    return {"name": "families", "table": "c0ffee", **made}
