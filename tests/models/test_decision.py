"""Scores into decisions: calibrated on known labels, never falling with the horizon, written as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hvac.errors import SplitError
from hvac.features.table import Windows
from hvac.models.calibration import Calibrator
from hvac.models.decision import Decision, DecisionConfig
from tests.models.models_example import decided, decision, windows

CAL = windows(400, seed=5)
COST = {"policy": "cost", "miss_cost": 5, "false_alarm_cost": 1}
POLICIES = [{"policy": "f1"}, COST, {"policy": "budget"}]


def scores(cal: Windows = CAL, seed: int = 0) -> np.ndarray:
    """Logits that know something, each horizon on a scale of its own."""
    assert cal.f_BCF is not None
    noise_BH = np.random.default_rng(seed).normal(size=(len(cal), 3))
    return (cal.f_BCF[:, 0, :1] + noise_BH) * np.array([1.0, 4.0, 0.3]) + np.array([0.0, 2.0, -3.0])


@pytest.mark.parametrize("method", ["auto", "isotonic", "platt", "shift"])
def test_risk_never_falls_with_the_horizon(method: str) -> None:
    made = decision(scores(), CAL, calibration=method)
    risk_BH = made.risk(np.random.default_rng(1).normal(0, 6, (2000, 3)))
    assert (np.diff(risk_BH, axis=1) >= 0).all()
    assert ((risk_BH > 0) & (risk_BH < 1)).all()


@pytest.mark.parametrize("method", ["auto", "isotonic", "platt", "shift"])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p["policy"])
def test_thresholds_lie_above_0_and_at_most_at_1(method: str, policy: dict[str, Any]) -> None:
    made = decision(scores(), CAL, calibration=method, threshold=policy)
    assert made.threshold_H.shape == (3,)
    assert ((made.threshold_H > 0) & (made.threshold_H <= 1)).all()


@pytest.mark.parametrize("all_of", [False, True])
def test_one_class_only_still_gives_risks_and_thresholds(all_of: bool) -> None:
    made = decision(scores(), replace(CAL, y_BH=np.full((400, 3), all_of)))
    assert np.isfinite(made.risk(scores())).all()
    assert ((made.threshold_H > 0) & (made.threshold_H <= 1)).all()


@pytest.mark.parametrize("method", ["isotonic", "platt", "shift"])
def test_decision_survives_json(method: str) -> None:
    made = decision(scores(), CAL, calibration=method)
    again = Decision.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    np.testing.assert_array_equal(again.risk(scores(seed=1)), made.risk(scores(seed=1)))
    np.testing.assert_array_equal(again.threshold_H, made.threshold_H)


def test_unknown_labels_have_no_influence() -> None:
    assert CAL.y_BH is not None
    assert CAL.known_BH is not None
    flipped = replace(CAL, y_BH=CAL.y_BH ^ ~CAL.known_BH)
    assert decision(scores(), flipped) == decision(scores(), CAL)


def test_scores_of_windows_without_known_label_do_not_move_that_horizon() -> None:
    assert CAL.known_BH is not None
    noise_BH = np.where(CAL.known_BH, 0.0, 50.0)
    for h, calibrator in enumerate(decision(scores() + noise_BH, CAL).calibrators):
        assert calibrator == decision(scores(), CAL).calibrators[h]


def test_risks_are_near_the_share_of_positives() -> None:
    assert CAL.y_BH is not None
    assert CAL.known_BH is not None
    risk_BH = decision(scores(), CAL, calibration="platt").risk(scores())
    for h in range(3):
        known = CAL.known_BH[:, h]
        assert risk_BH[known, h].mean() == pytest.approx(CAL.y_BH[known, h].mean(), abs=0.05)


def test_given_calibrators_are_kept_and_thresholds_are_chosen_on_their_risks() -> None:
    given = tuple(Calibrator(method="shift", intercept=b) for b in (-1.0, 0.0, 1.0))
    made = decided(scores(), CAL, config=DecisionConfig(), calibrators=given)
    assert made.calibrators == given
    risk_BH = made.risk(scores())
    for h in range(3):
        assert made.threshold_H[h] in risk_BH[:, h]


def test_threshold_is_chosen_on_the_risk_after_the_running_maximum() -> None:
    """With the 30-day risk always above, all horizons share it: their thresholds are 30-day risks."""
    given = tuple(Calibrator(method="shift", intercept=b) for b in (9.0, -9.0, -9.0))
    made = decided(np.clip(scores(), -4, 4), CAL, config=DecisionConfig(), calibrators=given)
    assert np.isin(made.threshold_H, made.risk(np.clip(scores(), -4, 4))[:, 0]).all()


def test_horizon_without_a_known_label_is_refused() -> None:
    assert CAL.known_BH is not None
    known_BH = CAL.known_BH.copy()
    known_BH[:, 2] = False
    with pytest.raises(SplitError):
        decision(scores(), replace(CAL, known_BH=known_BH))


def test_decision_does_not_depend_on_row_order() -> None:
    order = np.random.default_rng(3).permutation(len(CAL))
    one, two = (
        decision(scores(), CAL, calibration="isotonic"),
        decision(scores()[order], CAL.take(order), calibration="isotonic"),
    )
    np.testing.assert_allclose(two.risk(scores(seed=1)), one.risk(scores(seed=1)), atol=1e-6)
    np.testing.assert_allclose(two.threshold_H, one.threshold_H, atol=1e-6)
