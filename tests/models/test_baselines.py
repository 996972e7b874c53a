"""The baselines beside every figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.baselines import BASELINES, BLOCKS, base_rates, fit_baseline, inputs
from tests.models.models_example import windows

NAMES = sorted({"base_rate", "persistence", *BLOCKS})
LEARNERS = sorted(BLOCKS)
TRAIN, TUNE, FRESH = windows(400, seed=0), windows(200, seed=1), windows(200, seed=2)


def labels(made: Windows) -> tuple[np.ndarray, np.ndarray]:
    assert made.y_BH is not None
    assert made.known_BH is not None
    return made.y_BH, made.known_BH


@pytest.fixture(scope="module")
def scored() -> dict[str, np.ndarray]:
    return {name: fit_baseline(name, TRAIN, TUNE)(FRESH) for name in NAMES}


def test_the_listed_baselines_are_those_that_stand_beside_every_figure() -> None:
    assert set(BASELINES) == {"base_rate", "persistence", "logistic_28", "gbdt_28", "gbdt_92", "gbdt_context"}
    assert set(BLOCKS) >= {"gbdt_full"}


@pytest.mark.parametrize("name", NAMES)
def test_baseline_scores_a_finite_logit_per_window_and_horizon(name: str, scored: dict[str, np.ndarray]) -> None:
    assert scored[name].shape == (len(FRESH), 3)
    assert np.isfinite(scored[name]).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_baseline_finds_a_planted_signal(name: str, scored: dict[str, np.ndarray]) -> None:
    y_BH, _ = labels(FRESH)
    for h in range(3):
        assert roc_auc_score(y_BH[:, h], scored[name][:, h]) > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_baseline_does_not_depend_on_batch_size_or_row_order(name: str) -> None:
    score = fit_baseline(name, TRAIN.take(np.arange(200)), TUNE)
    some, order = FRESH.take(np.arange(8)), np.random.default_rng(0).permutation(8)
    together_BH = score(some)
    np.testing.assert_allclose(score(some.take(order)), together_BH[order], atol=1e-9)
    np.testing.assert_allclose(np.concatenate([score(some.take(np.array([b]))) for b in range(8)]), together_BH)


@pytest.mark.parametrize("name", ["base_rate", "logistic_28", "gbdt_28"])
def test_same_seed_gives_the_same_scores(name: str, scored: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(fit_baseline(name, TRAIN, TUNE)(FRESH), scored[name])


@pytest.mark.parametrize("name", ["base_rate", "logistic_28", "gbdt_28"])
def test_unknown_labels_have_no_influence(name: str, scored: dict[str, np.ndarray]) -> None:
    flipped = [replace(part, y_BH=labels(part)[0] ^ ~labels(part)[1]) for part in (TRAIN, TUNE)]
    np.testing.assert_array_equal(fit_baseline(name, *flipped)(FRESH), scored[name])


# Base rate and persistence


def test_base_rate_is_the_log_odds_of_the_known_training_labels() -> None:
    y_BH, known_BH = labels(TRAIN)
    expected_H = [y_BH[known_BH[:, h], h].mean() for h in range(3)]
    np.testing.assert_allclose(base_rates(TRAIN), expected_H)
    np.testing.assert_allclose(fit_baseline("base_rate", TRAIN, TUNE)(FRESH), [logit(expected_H)] * len(FRESH))


def test_base_rate_is_nan_where_no_label_is_known() -> None:
    known_BH = labels(TRAIN)[1].copy()
    known_BH[:, 1] = False
    assert np.isnan(base_rates(replace(TRAIN, known_BH=known_BH))).tolist() == [False, True, False]


def persistence(values: list[float]) -> np.ndarray:
    made = replace(windows(len(values)), persistence_B=np.array(values, np.float32))
    return fit_baseline("persistence", TRAIN, TUNE)(made)


def test_persistence_orders_windows_by_their_share_of_days_out_of_limits() -> None:
    score_BH = persistence([0.0, 1 / 30, 0.1, 0.5, 29 / 30, 1.0])
    assert np.isfinite(score_BH).all()
    assert (np.diff(score_BH, axis=0) > 0).all()
    assert (score_BH == score_BH[:, :1]).all()


def test_persistence_orders_windows_by_their_events_where_there_are_no_limits() -> None:
    """DESIGN §8: no limits: events in the last 90 days; three are worse than one."""
    score_BH = persistence([0.0, 1.0, 2.0, 3.0])
    assert np.isfinite(score_BH).all()
    assert (np.diff(score_BH, axis=0) > 0).all()


# Hard cases


@pytest.mark.parametrize("name", ["logistic_28", "gbdt_28"])
@pytest.mark.parametrize("only", [False, True])
def test_horizon_with_one_class_in_training_scores_its_base_rate(name: str, only: bool) -> None:
    y_BH = labels(TRAIN)[0].copy()
    y_BH[:, 1] = only
    score_BH = fit_baseline(name, replace(TRAIN, y_BH=y_BH).take(np.arange(200)), TUNE)(FRESH)
    assert np.isfinite(score_BH).all()
    assert len(np.unique(score_BH[:, 1])) == 1
    assert (score_BH[:, 1] > 0).all() == only
    assert len(np.unique(score_BH[:, 2])) > 1


@pytest.mark.parametrize("name", ["logistic_28", "gbdt_28"])
def test_tune_with_one_class_still_fits(name: str) -> None:
    quiet = replace(TUNE, y_BH=np.zeros_like(labels(TUNE)[0]))
    score_BH = fit_baseline(name, TRAIN, quiet)(FRESH)
    assert roc_auc_score(labels(FRESH)[0][:, 2], score_BH[:, 2]) > 0.8


@pytest.mark.parametrize("name", ["base_rate", "logistic_28", "gbdt_28"])
def test_horizon_whose_labels_are_all_censored_in_tune_still_fits(name: str) -> None:
    """A record that ends soon after tune knows no 90-day negative there."""
    known_BH = labels(TUNE)[1].copy()
    known_BH[:, 2] = False
    score_BH = fit_baseline(name, TRAIN, replace(TUNE, known_BH=known_BH))(FRESH)
    assert np.isfinite(score_BH).all()


@pytest.mark.parametrize("name", ["gbdt_context", "gbdt_full"])
def test_context_that_is_unknown_is_a_missing_value(name: str) -> None:
    rng = np.random.default_rng(0)
    holes = []
    for part in (TRAIN, TUNE, FRESH):
        k_BK = np.array(part.k_BK)
        k_BK[:, 1] = np.nan
        k_BK[rng.random(len(part)) < 0.2, 0] = np.nan
        holes.append(replace(part, k_BK=k_BK))
    score_BH = fit_baseline(name, holes[0], holes[1])(holes[2])
    assert np.isfinite(score_BH).all()
    assert roc_auc_score(labels(FRESH)[0][:, 2], score_BH[:, 2]) > 0.7


def test_logistic_regression_stands_inputs_that_are_not_finite() -> None:
    f_BCF = np.array(TRAIN.f_BCF)
    f_BCF[0], f_BCF[1, 0, 3] = np.nan, np.inf
    score = fit_baseline("logistic_28", replace(TRAIN, f_BCF=f_BCF), TUNE)
    bad = np.array(FRESH.f_BCF)
    bad[:5, 0, 1] = np.nan
    assert np.isfinite(score(replace(FRESH, f_BCF=bad))).all()


def test_inputs_are_blocks_side_by_side_flattened_over_points() -> None:
    made = windows(4, points=2)
    assert made.f_BCF is not None
    found_BN = inputs(made, ("f_BCF", "k_BK"))
    assert found_BN.shape == (4, 2 * 28 + 5)
    np.testing.assert_allclose(found_BN[1, :56], made.f_BCF[1].ravel())


def test_unknown_baseline_is_refused_in_one_sentence_with_the_known_names() -> None:
    with pytest.raises(ConfigError) as caught:
        fit_baseline("gbdt_29", TRAIN, TUNE)
    assert all(name in str(caught.value) for name in ("gbdt_29", *NAMES))
    assert "\n" not in str(caught.value)
