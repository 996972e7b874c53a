"""Scores into decisions: calibrated on known labels, never falling with the horizon, written as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.decision.calibration import Calibrator
from hvac.decision.decision import Decision, Scored
from hvac.decision.fit_decisions import (
    CUT_MACHINES,
    FEW_UNITS,
    DecisionConfig,
    fit_decisions,
    on_grid,
)
from hvac.errors import SplitError
from hvac.features.table import Windows
from tests.models.models_example import HORIZONS, decided, decision, fleet_of, windows

CAL = windows(400, seed=5)
COST = {"policy": "cost", "miss_cost": 5, "false_alarm_cost": 1}
POLICIES = [{"policy": "f1"}, COST, {"policy": "budget"}]


def scores(cal: Windows = CAL, seed: int = 0) -> np.ndarray:
    """Logits that know something, each horizon on a scale of its own."""
    assert cal.f_BCF is not None
    noise_BH = np.random.default_rng(seed).normal(size=(len(cal), 3))
    return (cal.f_BCF[:, 0, :1] + noise_BH) * np.array([1.0, 4.0, 0.3]) + np.array(
        [0.0, 2.0, -3.0]
    )


@pytest.mark.parametrize("method", ["auto", "isotonic", "platt", "shift"])
def test_risk_never_falls_with_the_horizon(method: str) -> None:
    made = decision(scores(), CAL, calibration=method)
    risk_BH = made.risk(np.random.default_rng(1).normal(0, 6, (2000, 3)))
    assert (np.diff(risk_BH, axis=1) >= 0).all()
    assert ((risk_BH > 0) & (risk_BH < 1)).all()


@pytest.mark.parametrize("method", ["auto", "isotonic", "platt", "shift"])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p["policy"])
def test_thresholds_lie_above_0_and_at_most_at_1(
    method: str, policy: dict[str, Any]
) -> None:
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
        assert risk_BH[known, h].mean() == pytest.approx(
            CAL.y_BH[known, h].mean(), abs=0.05
        )


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
    made = decided(
        np.clip(scores(), -4, 4), CAL, config=DecisionConfig(), calibrators=given
    )
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
    np.testing.assert_allclose(
        two.risk(scores(seed=1)), one.risk(scores(seed=1)), atol=1e-6
    )
    np.testing.assert_allclose(two.threshold_H, one.threshold_H, atol=1e-6)


# By facility

BY_FACILITY = {"by_facility": True}


def test_facility_with_more_events_gets_a_higher_risk_for_the_same_score() -> None:
    score_BH, cal = fleet_of({"busy": (30, 1.0), "calm": (30, -1.0)})
    made, same_BH = decision(score_BH, cal, **BY_FACILITY), np.zeros((1, 3))
    busy, calm = (
        made.risk(same_BH, np.array([name], dtype=object)) for name in ("busy", "calm")
    )
    assert (busy > 1.2 * calm).all()
    assert ((calm < made.risk(same_BH)) & (made.risk(same_BH) < busy)).all()


def test_each_window_is_judged_by_its_own_facility_as_if_it_stood_alone() -> None:
    score_BH, cal = fleet_of({"busy": (30, 1.0), "calm": (30, -1.0)})
    made, facility_B = decision(score_BH, cal, **BY_FACILITY), cal.column("facility_id")
    risk_BH, threshold_BH = (
        made.risk(score_BH, facility_B),
        made.threshold_BH(facility_B),
    )
    assert (np.diff(risk_BH, axis=1) >= 0).all()
    for name, own in made.facilities.items():
        inside_B = facility_B == name
        np.testing.assert_array_equal(risk_BH[inside_B], own.risk(score_BH[inside_B]))
        np.testing.assert_array_equal(
            threshold_BH[inside_B], np.tile(own.threshold_H, (inside_B.sum(), 1))
        )


def test_facility_with_too_few_events_has_exactly_the_decision_of_its_class() -> None:
    score_BH, cal = fleet_of({"busy": (40, 0.5), "none": (12, -30.0), "tiny": (3, 0.0)})
    made = decision(score_BH, cal, **BY_FACILITY)
    assert set(made.facilities) == {"busy"}
    assert made.own("busy") == ([True] * 3, [True] * 3)
    assert made.own("none") == ([False] * 3, [False] * 3)
    for name in ("none", "tiny", "never seen", None):
        facility_B = np.array([name] * len(score_BH), dtype=object)
        np.testing.assert_array_equal(
            made.risk(score_BH, facility_B), made.risk(score_BH)
        )
        np.testing.assert_array_equal(
            made.threshold_BH(facility_B), np.tile(made.threshold_H, (len(score_BH), 1))
        )


def test_class_itself_decides_the_same_whether_or_not_its_facilities_depart() -> None:
    score_BH, cal = fleet_of({"busy": (30, 1.0), "calm": (30, -1.0)})
    assert replace(decision(score_BH, cal, **BY_FACILITY), facilities={}) == decision(
        score_BH, cal
    )


def test_facility_with_fewer_machines_than_a_threshold_needs_keeps_those_of_its_class() -> (
    None
):
    score_BH, cal = fleet_of({"small": (CUT_MACHINES - 1, 1.0), "rest": (60, 0.0)})
    made = decision(score_BH, cal, **BY_FACILITY)
    assert made.own("small") == ([True] * 3, [False] * 3)
    assert made.facilities["small"].thresholds == made.thresholds


def test_facility_without_known_labels_of_one_horizon_is_no_error() -> None:
    score_BH, cal = fleet_of({"busy": (40, 0.5), "rest": (40, 0.0)})
    assert cal.known_BH is not None
    known_BH = cal.known_BH.copy()
    known_BH[cal.column("facility_id") == "busy", 2] = False
    made = decision(score_BH, replace(cal, known_BH=known_BH), **BY_FACILITY)
    assert made.own("busy") == ([True, True, False], [True, True, False])


def test_given_calibrators_are_kept_for_facilities_too() -> None:
    score_BH, cal = fleet_of({"busy": (30, 1.0), "calm": (30, -1.0)})
    given = tuple(Calibrator(method="shift") for _ in range(3))
    assert not decided(
        score_BH, cal, config=DecisionConfig(**BY_FACILITY), calibrators=given
    ).facilities


def test_decisions_of_facilities_survive_json_and_older_json_has_none() -> None:
    score_BH, cal = fleet_of({"busy": (30, 1.0), "静岡": (30, -1.0)})
    made = decision(score_BH, cal, **BY_FACILITY)
    assert set(made.facilities) == {"busy", "静岡"}
    assert Decision.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert "facilities" not in decision(score_BH, cal).to_json()
    assert not Decision.from_json(decision(score_BH, cal).to_json()).facilities


# Evidence for thresholds


def failing(units: int, of: int, *, above: float = 0.0, facility: str = "F") -> Scored:
    """Units of one class of which some have events, told by their scores; all windows calibrate."""
    score_BH, cal = fleet_of({facility: (of, 0.0)})
    fails_B = np.repeat(np.arange(of) < units, 8)
    known_BH, y_BH = (
        np.ones((len(cal), 3), dtype=bool),
        np.tile(fails_B[:, None], (1, 3)),
    )
    return Scored(
        score_BH + above + 2 * y_BH, replace(cal, y_BH=y_BH, known_BH=known_BH)
    )


def decide(classes: dict[str, Scored], **more: Any) -> dict[str, Decision]:
    return fit_decisions(classes, horizons=HORIZONS, config=DecisionConfig(**more))


def test_class_whose_units_with_events_are_enough_has_thresholds_of_its_own() -> None:
    alone = decide({"many": failing(FEW_UNITS, 40)})["many"]
    beside = decide(
        {
            "many": failing(FEW_UNITS, 40),
            "other": failing(FEW_UNITS, 60, above=1.0, facility="G"),
        },
        calibration="platt",
    )
    assert all((each.policy, each.note) == ("f1", "") for each in alone.thresholds)
    assert (
        beside["many"].thresholds
        == decide({"many": failing(FEW_UNITS, 40)}, calibration="platt")[
            "many"
        ].thresholds
    )
    assert beside["many"].thresholds != beside["other"].thresholds


def test_class_with_few_such_units_takes_the_thresholds_of_all_classes_together_and_says_so() -> (
    None
):
    found = decide(
        {
            "few": failing(FEW_UNITS - 1, 40),
            "more": failing(FEW_UNITS, 60, above=1.0, facility="G"),
        }
    )
    few, more = found["few"].thresholds, found["more"].thresholds
    assert all(each.policy == "f1" for each in few)
    assert all(
        f"{FEW_UNITS - 1} units" in each.note and "all classes together" in each.note
        for each in few
    )
    assert all(each.note == "" for each in more)
    again = decide(
        {
            "few": failing(0, 40),
            "twice": failing(FEW_UNITS, 60, above=1.0, facility="G"),
        }
    )["few"].thresholds
    assert all("0 units" in each.note for each in again)


def test_all_classes_with_few_such_units_alarm_by_the_budget_and_say_so() -> None:
    found = decide({"few": failing(4, 40), "less": failing(3, 30, facility="G")})
    for each in found.values():
        assert all(threshold.policy == "budget" for threshold in each.thresholds)
        assert all(
            "7 units with an event are too few for 'f1'" in threshold.note
            for threshold in each.thresholds
        )
    asked = decide(
        {"few": failing(4, 40), "less": failing(3, 30, facility="G")},
        threshold={"policy": "budget"},
    )
    for name, each in asked.items():
        assert [t.value for t in each.thresholds] == [
            t.value for t in found[name].thresholds
        ]
        assert all("too few" not in threshold.note for threshold in each.thresholds)


def test_evidence_is_counted_in_units_by_horizon_and_survives_json() -> None:
    scored = failing(12, 40)
    known_BH = scored.windows.labels[1].copy()
    known_BH[:8, 0] = False  # all windows of the first unit
    found = decide(
        {"ahu": scored._replace(windows=replace(scored.windows, known_BH=known_BH))}
    )["ahu"]
    assert (found.units, found.units_with_event) == (40, (11, 12, 12))
    again = Decision.from_json(json.loads(json.dumps(found.to_json())))
    assert (again.units, again.units_with_event) == (40, (11, 12, 12))
    assert again == found
    older = {
        key: value
        for key, value in found.to_json().items()
        if not key.startswith("units")
    }
    assert (
        Decision.from_json(older).units,
        Decision.from_json(older).units_with_event,
    ) == (0, ())


def test_training_windows_off_the_grid_that_is_evaluated_do_not_calibrate() -> None:
    made = windows(40, seed=1)
    split = ["train"] * 20 + ["tune", "cal"] * 10
    made = replace(
        made, keys=made.keys.set_column(5, "split", pa.array(split, pa.string()))
    )
    day_B = made.end_day_B
    assert on_grid(made, 1).all()
    found_B = on_grid(made, 5)
    np.testing.assert_array_equal(found_B[:20], day_B[:20] % 5 == 0)
    assert found_B[20:].all()
