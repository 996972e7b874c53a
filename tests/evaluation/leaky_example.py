"""A record without any signal: smooth random readings, onsets that know nothing of them, cut by time as featurize cuts.

Legend: B windows, U units, T days, H horizons.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows

HORIZONS = (30, 60, 90)
UNITS, DAYS, STRIDE = 30, 1000, 7
SPLITS = {
    "train": (90, 500),
    "tune": (590, 700),
    "cal": (590, 700),
    "test": (790, DAYS),
}


@cache
def parts(seed: int = 0) -> dict[str, Windows]:
    """Windows of every split; more than 90 days lie between those of two splits."""
    rng = np.random.default_rng(seed)
    shock_UT, value_UT = (
        rng.normal(size=(UNITS, DAYS + 200)),
        np.zeros((UNITS, DAYS + 200)),
    )
    for t in range(1, DAYS + 200):
        value_UT[:, t] = 0.97 * value_UT[:, t - 1] + shock_UT[:, t]
    onset_UT = rng.random((UNITS, DAYS + max(HORIZONS) + 1)) < 1 / 150
    halves = {"tune": range(0, UNITS, 2), "cal": range(1, UNITS, 2)}
    return {
        split: _cut(
            value_UT[:, 200:],
            onset_UT,
            [(u, day) for u in halves.get(split, range(UNITS)) for day in days],
        )
        for split, days in (
            (name, range(*span, STRIDE)) for name, span in SPLITS.items()
        )
    }


def _cut(value_UT: Any, onset_UT: Any, ends: list[tuple[int, int]]) -> Windows:
    """Windows named by (unit, last day); their embedding is a fixed projection of the standardised values."""
    x_BCL = np.stack([value_UT[u, day - 89 : day + 1] for u, day in ends]).astype(
        np.float32
    )[:, None]
    y_BH = np.array(
        [
            [onset_UT[u, day + 1 : day + 1 + h].any() for h in HORIZONS]
            for u, day in ends
        ]
    )
    standard_BCL = (x_BCL - x_BCL.mean(axis=-1, keepdims=True)) / x_BCL.std(
        axis=-1, keepdims=True
    )
    projection = np.random.default_rng(0).normal(size=(90, 64)) / 90**0.5
    rows = len(ends)
    columns = {
        "facility_id": ["F"] * rows,
        "equipment_id": [f"E{u:02}" for u, _ in ends],
        "point_id": [None] * rows,
        "class": ["ahu"] * rows,
        "end_date": [dt.date(2020, 1, 1) + dt.timedelta(days=day) for _, day in ends],
        "split": ["any"] * rows,
        "status": ["ok"] * rows,
    }
    return Windows(
        keys=pa.table(columns, schema=KEY_SCHEMA),
        observed_B=np.ones(rows, np.float32),
        f_BCF=statistics(x_BCL.astype(np.float64)).astype(np.float32),
        z_BCE=(standard_BCL @ projection).astype(np.float32),
        y_BH=y_BH,
        known_BH=np.ones_like(y_BH),
    )
