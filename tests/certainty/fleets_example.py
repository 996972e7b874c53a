"""Small simulated fleets with scores that are wrong in a way of their own, to test certainty against.

Every unit has a state that wanders; the hazard of an onset follows it. A model's score is the true
log-odds, bent by a slope and an intercept of the fleet, and with noise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hvac.decision.decision import Scored
from hvac.features.table import KEY_SCHEMA, Windows

HORIZONS = (30, 60, 90)
STRIDE, WEEKS = 7, 52
DAYS = STRIDE * WEEKS


class FleetFacts(NamedTuple):
    """How a fleet differs from its model: hazard per day, slope and intercept of the scores."""

    hazard: float
    slope: float
    intercept: float
    noise: float


def facts_of(rng: np.random.Generator) -> FleetFacts:
    return FleetFacts(
        hazard=float(np.exp(rng.normal(np.log(0.0025), 0.4))),
        slope=float(np.exp(rng.normal(0, 0.2))),
        intercept=float(rng.normal(0, 0.4)),
        noise=0.5,
    )


def fleet(facts: FleetFacts, units: int, rng: np.random.Generator) -> Scored:
    """A year of weekly windows of some units, with cross-fitted scores."""
    total = DAYS + HORIZONS[-1] + 1
    step_UT = rng.normal(0, 0.12, (units, total))
    state_UT = np.zeros((units, total))
    state_UT[:, 0] = rng.normal(0, 1, units)
    for t in range(1, total):
        state_UT[:, t] = 0.993 * state_UT[:, t - 1] + step_UT[:, t]
    hazard_UT = facts.hazard * np.exp(1.2 * state_UT - 0.72)
    onset_UT = rng.random((units, total)) < hazard_UT
    days = np.arange(0, DAYS, STRIDE)
    y = np.stack(
        [
            np.stack([onset_UT[:, d + 1 : d + 1 + h].any(axis=1) for d in days], axis=1)
            for h in HORIZONS
        ],
        axis=2,
    )
    now = state_UT[:, days]
    expected = facts.hazard * np.exp(1.2 * now - 0.72)[:, :, None] * np.array(HORIZONS)
    odds = np.log(np.expm1(np.minimum(expected, 20)))
    noise = rng.normal(0, facts.noise, (*now.shape, 1))
    score = facts.slope * odds + facts.intercept + noise
    return Scored(score.reshape(-1, len(HORIZONS)), _windows(y, units))


def _windows(y: Any, units: int) -> Windows:
    rows = units * WEEKS
    unit = np.repeat(np.arange(units), WEEKS)
    day = np.tile(np.arange(0, DAYS, STRIDE), units) + 19_000
    columns = {
        "facility_id": ["F1"] * rows,
        "equipment_id": [f"E{n:04}" for n in unit],
        "point_id": [None] * rows,
        "class": ["ahu"] * rows,
        "end_date": pa.array(day, pa.int32()).cast(pa.date32()),
        "split": ["cal"] * rows,
        "status": ["ok"] * rows,
    }
    keys = pa.table(
        {name: columns[name] for name in KEY_SCHEMA.names}, schema=KEY_SCHEMA
    )
    y_BH = y.reshape(rows, len(HORIZONS))
    return Windows(
        keys=keys,
        observed_B=np.ones(rows, np.float32),
        y_BH=y_BH,
        known_BH=np.ones_like(y_BH),
    )
