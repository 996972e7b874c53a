"""An alarm at a horizon is one at every longer horizon, wherever alarms are given."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logit

from hvac.decision.calibration import Calibrator
from hvac.decision.decision import Decision
from hvac.decision.thresholds import Threshold, alarms
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks, by_equipment
from hvac.evaluation.comparison import evaluations
from hvac.features.context import ContextSpec
from hvac.features.encoder import EncoderConfig
from hvac.features.recipe import Recipe
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest_records import latest_records
from hvac.scoring.newest_windows import Frames, Newest
from hvac.scoring.outlooks import DrivingOutlooks
from hvac.scoring.predictions import predictions_table
from hvac.scoring.worklist import ranking

HORIZONS = (30, 60, 90)
ROWS = 8
DAY = dt.date(2024, 1, 1)
numbers = st.floats(0.01, 0.99)
risks = arrays(np.float64, (ROWS, 3), elements=numbers).map(
    lambda risk_BH: np.maximum.accumulate(risk_BH, axis=1)
)
cuts = arrays(np.float64, 3, elements=numbers)


def windows(points: bool = False) -> Windows:
    """Eight windows of one day; of four machines with two points each where `points`."""
    columns = {
        "facility_id": ["F"] * ROWS,
        "equipment_id": [f"E{k // 2 if points else k}" for k in range(ROWS)],
        "point_id": [f"p{k % 2}" if points else None for k in range(ROWS)],
        "class": ["ahu"] * ROWS,
        "end_date": [DAY] * ROWS,
        "split": ["test"] * ROWS,
        "status": ["ok"] * ROWS,
    }
    labels = {
        "y_BH": np.arange(3 * ROWS).reshape(ROWS, 3) % 2 == 0,
        "known_BH": np.ones((ROWS, 3), bool),
    }
    return Windows(
        keys=pa.table(columns, schema=KEY_SCHEMA),
        observed_B=np.ones(ROWS, np.float32),
        **labels,
    )


def decided(cut_H: Any) -> Decision:
    return Decision(
        calibrators=tuple(Calibrator(method="shift") for _ in cut_H),
        thresholds=tuple(Threshold(float(cut), "f1") for cut in cut_H),
    )


def bundle_of(risk_BH: Any, cut_H: Any) -> Bundle:
    """A bundle whose model gives these risks."""
    model: Any = SimpleNamespace(
        config=SimpleNamespace(needs=(), family="hybrid"),
        score=lambda _: logit(risk_BH),
    )
    recipe = Recipe(
        class_name="ahu", points=("p",), windows=WindowConfig(horizons=HORIZONS), labels=LabelConfig(),
        context=ContextSpec(kinds=(), classes=()),
    )  # fmt: skip
    return Bundle(
        model=model,
        recipe=recipe,
        decision=decided(cut_H),
        encoder_config=EncoderConfig(),
        encoder_sha256="",
    )


def latest(made: Windows, risk_BH: Any, cut_H: Any) -> list[dict[str, Any]]:
    nothing_BC = np.zeros((ROWS, 1))
    frames = Frames((("p",),) * ROWS, nothing_BC, nothing_BC, nothing_BC, nothing_BC)
    bundle: Any = SimpleNamespace(
        horizons=HORIZONS,
        family="hybrid",
        name="ahu-0",
        decision=decided(cut_H),
        sureness=lambda *_: None,
    )
    newest = Newest(
        windows=made, frames=frames, learning_left=(None,) * ROWS, doubts=((),) * ROWS
    )
    none = DrivingOutlooks(np.empty(0, np.intp), (), {}, "last_value")
    return latest_records(newest, risk_BH, none, bundle)


def never_vanishes(alarm_BH: Any) -> bool:
    return bool(np.all(np.diff(np.asarray(alarm_BH, int), axis=1) >= 0))


@given(risks, cuts)
def test_alarms_are_the_same_everywhere_and_never_vanish_with_the_horizon(
    risk_BH: Any, cut_H: Any
) -> None:
    made, expected_BH = windows(), alarms(risk_BH, cut_H)
    assert never_vanishes(expected_BH)
    found = bundle_of(risk_BH, cut_H).predict(made)
    assert np.array_equal(found.alarm_BH, alarms(found.risk_BH, found.threshold_BH))
    assert never_vanishes(found.alarm_BH)
    table = predictions_table(
        made, risk_BH, cut_H, horizons=HORIZONS, model="m", bundle_id="b"
    )
    assert np.array_equal(
        np.reshape(table["alarm"].to_pylist(), (ROWS, 3)), expected_BH
    )
    rows = latest(made, risk_BH, cut_H)
    assert np.array_equal(
        np.reshape([row["alarm"] for row in rows], (ROWS, 3)), expected_BH
    )
    for entry in ranking(rows, last_day=DAY):
        row = int(entry["equipment_id"][1:])
        assert [entry["alarms"][h] for h in HORIZONS] == expected_BH[row].tolist()
    assert np.array_equal(
        ModelRisks(risk_BH, np.tile(cut_H, (ROWS, 1))).alarm_BH, expected_BH
    )


@given(risks, cuts)
def test_point_with_the_highest_risk_decides_and_its_alarm_holds_at_longer_horizons(
    risk_BH: Any, cut_H: Any
) -> None:
    cut_BH = (
        np.tile(cut_H, (ROWS, 1)) * np.linspace(0.5, 1, ROWS)[:, None]
    )  # points of one machine have their own
    trial = EvaluationSet(
        windows=windows(points=True), risks={"m": ModelRisks(risk_BH, cut_BH)}, reference_BH=np.full((ROWS, 3), 0.3),
        events=Onsets(np.array([]), np.array([])), horizons=HORIZONS,
    )  # fmt: skip
    judged = by_equipment(trial).risks["m"]
    assert never_vanishes(judged.alarm_BH)
    reached_BH = judged.risk_BH >= judged.threshold_BH
    assert np.array_equal(judged.alarm_BH[:, 0], reached_BH[:, 0])
    assert np.all(judged.alarm_BH >= reached_BH)
    for entry in ranking(latest(windows(points=True), risk_BH, cut_H), last_day=DAY):
        assert never_vanishes([[entry["alarms"][h] for h in HORIZONS]])


def test_evaluation_counts_an_alarm_of_a_shorter_horizon_as_one_of_the_longer_ones() -> (
    None
):
    risk_BH = np.tile([0.4, 0.45, 0.5], (ROWS, 1))
    judged = ModelRisks(risk_BH, np.tile([0.4, 0.9, 0.9], (ROWS, 1)))
    trial = EvaluationSet(
        windows=windows(), risks={"m": judged}, reference_BH=np.full((ROWS, 3), 0.3),
        events=Onsets(np.array([]), np.array([])), horizons=HORIZONS,
    )  # fmt: skip
    found = evaluations(trial, replicates=10)["m"]
    for horizon in HORIZONS:
        assert (
            found.metrics[horizon]["tp"]["value"]
            + found.metrics[horizon]["fp"]["value"]
            == ROWS
        )
        assert found.metrics[horizon]["recall"]["value"] == 1
