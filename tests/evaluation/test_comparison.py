"""Points joined into their equipment: the highest risk, its cut-off, and labels that are masked whatever they are."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import (
    EvaluationSet,
    ModelRisks,
    by_equipment,
    equipment_rates,
    part_of,
    pooled,
)
from hvac.evaluation.comparison import ages_of
from hvac.features.table import KEY_SCHEMA, Windows

# equipment, point, label, known, risk, threshold; one day, one horizon
ROWS = [
    ("A", "p", 1, 1, 0.2, 0.5),
    ("A", "q", 0, 1, 0.7, 0.6),
    ("B", "p", 0, 1, 0.3, 0.5),
    ("B", "q", 0, 1, 0.1, 0.6),
    ("C", "p", 1, 1, 0.9, 0.5),
    ("C", "q", 0, 0, 0.4, 0.6),
    ("D", "p", 0, 1, 0.4, 0.5),
    ("D", "q", 0, 0, 0.8, 0.6),
    ("E", "p", 0, 1, 0.5, 0.5),
]


def windows_of(by: str) -> Windows:
    columns = {
        "facility_id": ["F"] * len(ROWS),
        "equipment_id": [row[0] for row in ROWS],
        "point_id": [row[1] if by == "point" else None for row in ROWS],
        "class": ["ahu"] * len(ROWS),
        "end_date": [dt.date(2024, 1, 1)] * len(ROWS),
        "split": ["test"] * len(ROWS),
        "status": ["ok"] * len(ROWS),
    }
    y_BH, known_BH = (
        np.array([[row[place]] for row in ROWS], dtype=bool) for place in (2, 3)
    )
    keys = pa.table(columns, schema=KEY_SCHEMA)
    return Windows(
        keys=keys,
        observed_B=np.ones(len(ROWS), np.float32),
        y_BH=y_BH,
        known_BH=known_BH,
    )


def trial_of(by: str) -> EvaluationSet:
    risk_BH, threshold_BH = (
        np.array([[row[place]] for row in ROWS]) for place in (4, 5)
    )
    judged, events = (
        {"model": ModelRisks(risk_BH, threshold_BH)},
        Onsets(np.array([]), np.array([])),
    )
    reference_BH = np.full_like(risk_BH, 0.4)
    return EvaluationSet(
        windows=windows_of(by),
        risks=judged,
        reference_BH=reference_BH,
        events=events,
        horizons=(30,),
    )


def test_equipment_has_the_highest_risk_of_its_points_and_that_points_cut_off() -> None:
    joined = by_equipment(trial_of("point"))
    assert joined.windows.column("equipment_id").tolist() == list("ABCDE")
    assert joined.risks["model"].risk_BH[:, 0].tolist() == [0.7, 0.3, 0.9, 0.8, 0.5]
    assert joined.risks["model"].threshold_BH[:, 0].tolist() == [
        0.6,
        0.5,
        0.5,
        0.6,
        0.5,
    ]


def test_label_of_equipment_is_known_where_every_points_is_whatever_it_is() -> None:
    """C's is positive and D's is not; one of their points is unknown, so both are masked."""
    y_BH, known_BH = by_equipment(trial_of("point")).windows.labels
    assert known_BH[:, 0].tolist() == [True, True, False, False, True]
    assert (y_BH & known_BH)[:, 0].tolist() == [True, False, False, False, False]


def test_label_of_equipment_weighs_as_much_as_the_heaviest_of_its_points() -> None:
    trial = trial_of("point")
    w_BH = np.arange(1, len(ROWS) + 1, dtype=np.float32)[:, None]
    joined = by_equipment(replace(trial, windows=replace(trial.windows, w_BH=w_BH)))
    assert (joined.windows.weights > 0).tolist() == joined.windows.labels[1].tolist()
    for row, name in enumerate(joined.windows.column("equipment_id")):
        own = [w_BH[k, 0] for k, each in enumerate(ROWS) if each[0] == name]
        assert joined.windows.weights[row, 0] == (
            max(own) if joined.windows.labels[1][row, 0] else 0
        )


def test_base_rate_is_of_equipment_not_of_points() -> None:
    assert equipment_rates(windows_of("point"))[0] == pytest.approx(1 / 3)
    assert equipment_rates(windows_of("equipment"))[0] == pytest.approx(2 / 7)


def test_windows_of_equipment_stay_as_they_are() -> None:
    trial = trial_of("equipment")
    assert by_equipment(trial) is trial


def test_slices_by_age_halve_the_machines_and_keep_the_unknown_apart() -> None:
    ages = np.array([10.0, 20.0, 30.0, np.nan])
    assert ages_of(ages).tolist() == ["younger", "younger", "older", "unknown"]
    assert ages_of(np.full(2, np.nan)).tolist() == ["unknown"] * 2


def test_ages_stay_with_their_windows() -> None:
    trial = trial_of("point")
    aged = replace(trial, age_B=np.arange(len(trial.windows), dtype=float))
    first = [
        trial.windows.column("equipment_id").tolist().index(name) for name in "ABCDE"
    ]
    assert by_equipment(aged).age_B.tolist() == first  # type: ignore[union-attr]
    keep_B = np.arange(len(trial.windows)) % 2 == 1
    assert part_of(aged, keep_B).age_B.tolist() == np.flatnonzero(keep_B).tolist()  # type: ignore[union-attr]
    assert pooled([aged, aged]).age_B.shape == (2 * len(trial.windows),)  # type: ignore[union-attr]
    assert pooled([aged, trial]).age_B is None
