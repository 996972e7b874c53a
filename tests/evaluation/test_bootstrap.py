import math

import numpy as np
import pytest
from scipy.stats import binom

from hvac.evaluation import metrics
from hvac.evaluation.bootstrap import (
    Replicated,
    exact_interval,
    interval,
    paired_difference,
    unit_sums,
    unit_weights,
)
from hvac.evaluation.ranks import calibration_error, rank_metrics, sort_scores
from tests.reference.ranking_oracle import recall_at, replicate


def clustered(seed=0, units=40, windows=10):
    rng = np.random.default_rng(seed)
    units_B = np.repeat(np.arange(units), windows)
    level_B = np.repeat(rng.normal(size=units), windows)
    risk_B = (1 / (1 + np.exp(-level_B - rng.normal(size=len(units_B))))).round(2)
    return (
        units_B,
        risk_B,
        (rng.random(len(units_B)) < 0.3 * (1 + np.tanh(level_B))).astype(int),
    )


def test_weights_are_counts_of_units_and_repeat_with_the_seed():
    drawn = unit_weights(np.array(["b", "a", "c", "b"]), replicates=50, seed=3)
    assert drawn.unit_index_B.tolist() == [1, 0, 2, 1]
    assert drawn.w_RU.shape == (50, 3)
    assert np.all(drawn.w_RU.sum(axis=1) == 3)
    assert np.array_equal(
        drawn.w_RU, unit_weights(np.array(["a", "b", "c"]), replicates=50, seed=3).w_RU
    )
    assert not np.array_equal(
        drawn.w_RU, unit_weights(np.array(["a", "b", "c"]), replicates=50, seed=4).w_RU
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_compiled_replicates_equal_metric_after_metric(weighted):
    units_B, risk_B, y_B = clustered()
    weights = unit_weights(units_B, replicates=40)
    own_B = (
        1 + 4 * np.random.default_rng(5).random(len(y_B))
        if weighted
        else np.ones(len(y_B))
    )
    rows = sort_scores(
        risk_B, y_B, unit_B=weights.unit_index_B, weight_B=own_B if weighted else None
    )
    fast = rank_metrics(rows, weights.w_RU, shares=(0.01, 0.1))
    slow = {
        "roc": replicate(
            lambda w_B: metrics.roc_auc(risk_B, y_B, w_B * own_B), weights
        ).value_R,
        "pr": replicate(
            lambda w_B: metrics.pr_auc(risk_B, y_B, w_B * own_B), weights
        ).value_R,
        "recall": replicate(
            lambda w_B: recall_at(risk_B, y_B, w_B * own_B, share=0.1), weights
        ).value_R,
        "ece": replicate(
            lambda w_B: metrics.ece(risk_B, y_B, w_B * own_B), weights
        ).value_R,
    }
    assert fast.roc_auc_R == pytest.approx(slow["roc"], abs=1e-12)
    assert fast.pr_auc_R == pytest.approx(slow["pr"], abs=1e-12)
    assert fast.recall_RS[:, 1] == pytest.approx(slow["recall"], abs=1e-12)
    assert calibration_error(rows, weights.w_RU) == pytest.approx(
        slow["ece"], abs=1e-12
    )


def test_unit_sums_times_weights_are_weighted_sums():
    units_B, risk_B, _ = clustered()
    weights = unit_weights(units_B, replicates=20)
    fast_R = (
        weights.w_RU @ unit_sums(risk_B[:, None], weights.unit_index_B, units=40)[:, 0]
    )
    assert fast_R == pytest.approx(
        replicate(lambda w_B: float(w_B @ risk_B), weights).value_R
    )


def test_interval_of_a_mean_covers_the_truth_about_95_times_in_100():
    covered = 0
    for seed in range(200):
        level_U = np.random.default_rng(seed).normal(size=60)
        weights = unit_weights(np.arange(60), replicates=400, seed=seed)
        found = interval(Replicated(level_U.mean(), weights.w_RU @ level_U / 60))
        covered += found.low <= 0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_undefined_replicates_are_left_out_and_many_undo_the_interval():
    few = interval(Replicated(0.5, np.r_[np.full(4, np.nan), np.linspace(0, 1, 96)]))
    assert few.undefined == 4
    assert 0 < few.low < few.high < 1
    many = interval(Replicated(0.5, np.r_[np.full(6, np.nan), np.linspace(0, 1, 94)]))
    assert math.isnan(many.low)
    assert math.isnan(many.high)
    assert many.note == "undefined in 6 of 100 replicates"
    assert math.isnan(interval(Replicated(np.nan, np.ones(10))).low)


def test_paired_difference_sees_what_two_wide_intervals_hide():
    noise_R = np.random.default_rng(0).normal(size=500)
    a, b = Replicated(0.6, 0.6 + noise_R), Replicated(0.5, 0.5 + noise_R)
    assert paired_difference(a, b).verdict == "better"
    assert paired_difference(b, a).verdict == "worse"
    assert paired_difference(a, b, higher_is_better=False).verdict == "worse"
    assert paired_difference(a, a).verdict == "no clear difference"
    assert (
        paired_difference(a, Replicated(np.nan, np.full(500, np.nan))).verdict
        == "no clear difference"
    )


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 200)])
def test_exact_interval_leaves_2_5_percent_in_each_tail(k, n):
    low, high = exact_interval(k, n)
    assert low == 0 if k == 0 else binom.sf(k - 1, n, low) == pytest.approx(0.025)
    assert high == 1 if k == n else binom.cdf(k, n, high) == pytest.approx(0.025)


def test_exact_interval_of_nothing_is_nan():
    assert all(math.isnan(end) for end in exact_interval(0, 0))


def test_no_units_give_empty_weights():
    assert unit_weights(np.empty(0), replicates=5).w_RU.shape == (5, 0)
