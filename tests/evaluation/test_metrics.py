import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
)

from hvac.evaluation import metrics
from tests.reference.ranking_oracle import lift_at, recall_at

SCORES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 3)),
    min_size=2,
    max_size=40,
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def both_classes(y_B, w_B):
    return w_B[y_B == 1].sum() > 0 and w_B[y_B == 0].sum() > 0


@settings(max_examples=150)
@given(rows=SCORES)
def test_ranking_equals_scikit_learn_with_ties_and_weights(rows):
    score_B, y_B, w_B = rows
    if not both_classes(y_B, w_B):
        return
    assert metrics.roc_auc(score_B, y_B, w_B) == pytest.approx(
        roc_auc_score(y_B, score_B, sample_weight=w_B), abs=1e-12
    )
    expected = average_precision_score(y_B, score_B, sample_weight=w_B)
    assert metrics.pr_auc(score_B, y_B, w_B) == pytest.approx(expected, abs=1e-12)


def test_ranking_equals_scikit_learn_on_many_rows_with_fractional_weights():
    rng = np.random.default_rng(0)
    score_B, y_B, w_B = (
        rng.normal(size=5000).round(2),
        rng.integers(0, 2, 5000),
        rng.random(5000),
    )
    assert metrics.roc_auc(score_B, y_B, w_B) == pytest.approx(
        roc_auc_score(y_B, score_B, sample_weight=w_B), abs=1e-12
    )
    expected = average_precision_score(y_B, score_B, sample_weight=w_B)
    assert metrics.pr_auc(score_B, y_B, w_B) == pytest.approx(expected, abs=1e-12)


def every_metric(risk_B, y_B, w_B=None):
    counts = metrics.confusion(risk_B >= 0.5, y_B, w_B)
    return [
        metrics.roc_auc(risk_B, y_B, w_B),
        metrics.pr_auc(risk_B, y_B, w_B),
        recall_at(risk_B, y_B, w_B, share=0.1),
        lift_at(risk_B, y_B, w_B, share=0.3),
        metrics.brier(risk_B, y_B, w_B),
        metrics.brier_skill(risk_B, y_B, w_B, reference=0.2),
        metrics.ece(risk_B, y_B, w_B, bins=4),
        *(
            float(each(counts))
            for each in (
                metrics.f1,
                metrics.precision,
                metrics.recall,
                metrics.accuracy,
            )
        ),
    ]


@settings(max_examples=80)
@given(rows=SCORES)
def test_a_weight_of_two_is_the_row_twice(rows):
    score_B, y_B, w_B = rows
    risk_B = score_B / 6
    repeated = every_metric(np.repeat(risk_B, w_B), np.repeat(y_B, w_B))
    assert every_metric(risk_B, y_B, w_B) == pytest.approx(
        repeated, abs=1e-12, nan_ok=True
    )


@settings(max_examples=50)
@given(rows=SCORES, seed=st.integers(0, 100))
def test_row_order_changes_nothing(rows, seed):
    order = np.random.default_rng(seed).permutation(len(rows[0]))
    one = every_metric(rows[0] / 6, rows[1], rows[2])
    two = every_metric(*(column[order] for column in (rows[0] / 6, rows[1], rows[2])))
    assert one == pytest.approx(two, abs=1e-12, nan_ok=True)


def test_perfect_scores_reach_the_best_values():
    y_B = np.r_[np.ones(10), np.zeros(90)]
    assert metrics.roc_auc(y_B, y_B) == metrics.pr_auc(y_B, y_B) == 1
    assert recall_at(y_B, y_B, share=0.1) == pytest.approx(1)
    assert recall_at(y_B, y_B, share=0.05) == pytest.approx(0.5)
    assert lift_at(y_B, y_B, share=0.1) == pytest.approx(10)
    assert metrics.brier(y_B, y_B) == metrics.ece(y_B, y_B) == 0
    assert metrics.brier_skill(y_B, y_B, reference=0.1) == 1


def test_a_constant_score_is_chance():
    y_B = np.r_[np.ones(10), np.zeros(90)]
    constant_B = np.full(100, 0.1)
    assert metrics.roc_auc(constant_B, y_B) == 0.5
    assert metrics.pr_auc(constant_B, y_B) == pytest.approx(0.1)
    assert lift_at(constant_B, y_B, share=0.05) == pytest.approx(1)
    assert metrics.ece(constant_B, y_B) == pytest.approx(0, abs=1e-12)
    assert metrics.brier_skill(constant_B, y_B, reference=0.1) == pytest.approx(0)


def test_one_class_is_nan_and_no_rows_are_nan():
    zeros, ones, risk_B = np.zeros(4), np.ones(4), np.linspace(0.1, 0.9, 4)
    assert math.isnan(metrics.roc_auc(risk_B, zeros))
    assert math.isnan(metrics.roc_auc(risk_B, ones))
    assert math.isnan(metrics.pr_auc(risk_B, zeros))
    assert metrics.pr_auc(risk_B, ones) == 1
    assert math.isnan(lift_at(risk_B, zeros, share=0.1))
    assert math.isnan(metrics.brier_skill(risk_B, zeros, reference=0.0))
    assert all(math.isnan(value) for value in every_metric(np.empty(0), np.empty(0)))
    assert all(math.isnan(value) for value in every_metric(risk_B, ones, zeros))


def test_a_top_share_that_ends_inside_a_tie_takes_its_part():
    assert recall_at(
        np.array([0.9, 0.5, 0.5, 0.1]), np.array([0, 1, 0, 1]), share=0.5
    ) == pytest.approx(0.25)


def test_brier_and_confusion_equal_scikit_learn():
    rng = np.random.default_rng(1)
    risk_B, y_B, w_B = rng.random(200), rng.integers(0, 2, 200), rng.integers(0, 4, 200)
    assert metrics.brier(risk_B, y_B, w_B) == pytest.approx(
        brier_score_loss(y_B, risk_B, sample_weight=w_B)
    )
    expected = confusion_matrix(y_B, risk_B >= 0.5, sample_weight=w_B).ravel()
    assert list(metrics.confusion(risk_B >= 0.5, y_B, w_B)) == expected.tolist()


def test_threshold_metrics_are_nan_where_undefined():
    nothing = metrics.Confusion(tn=5, fp=0, fn=0, tp=0)
    assert np.isnan(
        [metrics.f1(nothing), metrics.precision(nothing), metrics.recall(nothing)]
    ).all()
    assert metrics.accuracy(nothing) == 1


def test_ece_equals_the_equal_mass_bins_by_hand():
    rng = np.random.default_rng(2)
    risk_B = rng.random(1000)
    y_B = rng.random(1000) < risk_B**2
    order = np.argsort(risk_B)
    by_hand = np.mean(
        [abs((risk_B - y_B)[part].mean()) for part in np.array_split(order, 10)]
    )
    assert metrics.ece(risk_B, y_B) == pytest.approx(by_hand)
    curve = metrics.reliability_curve(risk_B, y_B)
    assert curve.count_K.tolist() == [100] * 10
    assert (
        curve.count_K * abs(curve.risk_K - curve.rate_K)
    ).sum() / 1000 == pytest.approx(by_hand)


def test_reliability_intervals_hold_the_rate_and_ties_share_a_bin():
    curve = metrics.reliability_curve(
        np.repeat([0.1, 0.2, 0.9], 30), np.repeat([0, 1, 1], 30)
    )
    assert curve.count_K.tolist() == [30, 30, 30]
    assert np.all((curve.low_K <= curve.rate_K) & (curve.rate_K <= curve.high_K))
    assert len(metrics.reliability_curve(np.empty(0), np.empty(0)).rate_K) == 0


def test_window_of_weight_two_counts_as_two_windows_in_curves():
    rng = np.random.default_rng(4)
    risk_B = rng.random(400).round(2)
    y_B, w_B = (rng.random(400) < risk_B).astype(int), rng.integers(1, 4, 400)
    twice = np.repeat(np.arange(400), w_B)
    weighted, plain = (
        metrics.precision_recall_curve(risk_B, y_B, w_B), metrics.precision_recall_curve(risk_B[twice], y_B[twice]),
    )  # fmt: skip
    for name in weighted._fields:
        np.testing.assert_allclose(getattr(weighted, name), getattr(plain, name))
    weighted, plain = (
        metrics.reliability_curve(risk_B, y_B, w_B),
        metrics.reliability_curve(risk_B[twice], y_B[twice]),
    )
    np.testing.assert_allclose(
        [weighted.risk_K, weighted.rate_K], [plain.risk_K, plain.rate_K]
    )
    assert weighted.count_K.sum() == 400
    assert np.all(
        weighted.high_K - weighted.low_K > plain.high_K - plain.low_K
    )  # fewer windows than their weights say


def test_precision_recall_curve_is_thin_and_reaches_full_recall():
    rng = np.random.default_rng(3)
    score_B = rng.random(5000)
    curve = metrics.precision_recall_curve(score_B, rng.random(5000) < score_B)
    assert len(curve.recall_K) <= 200
    assert np.all(np.diff(curve.recall_K) > 0)
    assert curve.recall_K[-1] == 1
    assert len(metrics.precision_recall_curve(score_B, np.zeros(5000)).recall_K) == 0
