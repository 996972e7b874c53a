import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from hvac.decision.calibration import RISK_FLOOR, Calibrator, running_maximum
from hvac.decision.calibrator_fit import fit_calibrator
from hvac.errors import BundleError, SplitError

LOGITS = st.floats(-30, 30)


def fleet(rows=4000, groups=400, seed=0, slope=0.5):
    rng = np.random.default_rng(seed)
    score_B = rng.normal(-2, 2, rows)
    y_B = rng.random(rows) < expit(slope * score_B - 1)
    return score_B, y_B.astype(float), rng.integers(0, groups, rows)


@settings(max_examples=60)
@given(
    score_B=arrays(float, 40, elements=LOGITS),
    y_B=arrays(np.int8, 40, elements=st.integers(0, 1)),
    seen_B=arrays(float, 60, elements=LOGITS),
    method=st.sampled_from(["auto", "isotonic", "platt", "shift"]),
)
def test_risk_never_falls_with_the_score_and_stays_off_the_walls(
    score_B, y_B, seen_B, method
):
    calibrator = fit_calibrator(score_B, y_B, groups_B=np.arange(40), method=method)
    risk_B = calibrator.transform(np.sort(seen_B))
    assert np.all(np.isfinite(risk_B))
    assert np.all(np.diff(risk_B) >= -1e-15)
    assert risk_B.min() >= RISK_FLOOR
    assert risk_B.max() <= 1 - RISK_FLOOR


@settings(max_examples=30)
@given(order=st.permutations(range(40)))
def test_fit_does_not_depend_on_row_order(order):
    score_B, y_B, groups_B = (column[:40] for column in fleet(rows=40))
    score_B = np.round(score_B)
    for method in ("isotonic", "platt", "shift"):
        one = fit_calibrator(score_B, y_B, groups_B=groups_B, method=method)
        two = fit_calibrator(
            score_B[order], y_B[order], groups_B=groups_B[order], method=method
        )
        assert one.transform(score_B) == pytest.approx(two.transform(score_B), abs=1e-6)


def test_auto_takes_isotonic_with_100_positive_groups_and_platt_below():
    score_B, y_B, groups_B = fleet()
    assert fit_calibrator(score_B, y_B, groups_B=groups_B).method == "isotonic"
    assert fit_calibrator(score_B, y_B, groups_B=groups_B % 99).method == "platt"


@pytest.mark.parametrize(("method", "within"), [("isotonic", 0.06), ("platt", 0.02)])
def test_risk_is_near_the_true_probability_on_fresh_rows(method, within):
    score_B, y_B, groups_B = fleet(rows=20_000)
    risk_B = fit_calibrator(score_B, y_B, groups_B=groups_B, method=method).transform(
        np.linspace(-5, 2, 30)
    )
    assert risk_B == pytest.approx(expit(0.5 * np.linspace(-5, 2, 30) - 1), abs=within)


def test_platt_equals_weighted_logistic_regression_on_smoothed_targets():
    score_B, y_B, groups_B = fleet(rows=500)
    ones = y_B.sum()
    target_B = np.where(y_B > 0, (ones + 1) / (ones + 2), 1 / (500 - ones + 2))
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(
        np.r_[score_B, score_B][:, None],
        np.r_[np.ones(500), np.zeros(500)],
        np.r_[target_B, 1 - target_B],
    )
    calibrator = fit_calibrator(score_B, y_B, groups_B=groups_B, method="platt")
    assert calibrator.slope == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert calibrator.intercept == pytest.approx(reference.intercept_[0], rel=1e-3)


@pytest.mark.parametrize("ones", [0, 1, 4, 200])
def test_shift_meets_laplace_mean_when_positives_are_few_or_all(ones):
    score_B = np.random.default_rng(1).normal(3, 2, 200)
    y_B = (np.arange(200) < ones).astype(float)
    calibrator = fit_calibrator(score_B, y_B, groups_B=np.arange(200))
    assert calibrator.method == "shift"
    assert calibrator.slope == 1
    assert calibrator.transform(score_B).mean() == pytest.approx(
        (ones + 1) / 202, abs=1e-5
    )


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@pytest.mark.parametrize("direction", [-1.0, 0.0])
def test_a_ranking_that_is_wrong_or_flat_is_shifted_and_never_turned_round(
    method, direction
):
    y_B = (np.arange(100) >= 50).astype(float)
    calibrator = fit_calibrator(
        direction * np.arange(100), y_B, groups_B=np.arange(100), method=method
    )
    assert calibrator.method == "shift"


def test_isotonic_ranks_inside_flat_stretches_and_beyond_the_ends():
    score_B, y_B, groups_B = fleet()
    calibrator = fit_calibrator(score_B, y_B, groups_B=groups_B, method="isotonic")
    assert np.all(np.diff(calibrator.transform(np.linspace(-9, 9, 500))) > 0)


def test_isotonic_end_blocks_are_neither_zero_nor_one():
    y_B = (np.arange(40) >= 20).astype(float)
    calibrator = fit_calibrator(
        np.arange(40.0), y_B, groups_B=np.arange(40), method="isotonic"
    )
    assert calibrator.risk_K == pytest.approx((1 / 22, 21 / 22))


def test_json_round_trip_is_exact_for_every_method():
    score_B, y_B, groups_B = fleet(rows=500)
    for method in ("isotonic", "platt", "shift"):
        calibrator = fit_calibrator(score_B, y_B, groups_B=groups_B, method=method)
        assert (
            Calibrator.from_json(json.loads(json.dumps(calibrator.to_json())))
            == calibrator
        )


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"method": "magic"},
        {"slope": "x"},
        {"slope": -1.0},
        {"method": "isotonic", "score_K": [1.0, 0.0], "risk_K": [0.1, 0.2]},
        {"method": "isotonic", "score_K": [1.0], "risk_K": [0.1]},
    ],
)
def test_a_damaged_calibrator_is_refused(broken):
    with pytest.raises(BundleError, match="calibrator"):
        Calibrator.from_json(
            Calibrator(method="shift").to_json() | broken if broken else {}
        )


def test_no_rows_is_an_error_and_a_nan_score_stays_nan():
    with pytest.raises(SplitError, match="found none"):
        fit_calibrator(np.empty(0), np.empty(0), groups_B=np.empty(0))
    for calibrator in (
        Calibrator(method="shift"),
        Calibrator(method="isotonic", score_K=(0, 1), risk_K=(0.1, 0.2)),
    ):
        assert np.isnan(calibrator.transform(np.array([np.nan, 0.0]))).tolist() == [
            True,
            False,
        ]


def test_running_maximum_orders_horizons_and_leaves_ordered_ones_alone():
    risk_BH = np.array([[0.3, 0.2, 0.4], [0.1, 0.2, 0.3]])
    assert running_maximum(risk_BH).tolist() == [[0.3, 0.3, 0.4], [0.1, 0.2, 0.3]]
