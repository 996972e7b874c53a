"""`logistic_28`: scikit-learn's logistic regression, kept as scaler and coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from hvac.errors import BundleError, ConfigError
from hvac.models.blocks import constant_log_odds, inputs, known
from hvac.models.family import no_encoder
from hvac.models.linear import Logistic, LogisticConfig
from hvac.models.scaling import fit_scaler
from tests.models.models_example import fit_family, windows

TRAIN, TUNE, FRESH = windows(400, seed=0), windows(200, seed=1), windows(200, seed=2)


def fit(train: Any = TRAIN, tune: Any = TUNE, **settings: Any) -> Logistic:
    model: Logistic = fit_family("logistic_28", train, tune, **settings)
    return model


def test_scores_are_those_of_the_strength_of_scikit_learn_that_is_best_on_tune() -> (
    None
):
    model, config, strengths = fit(), LogisticConfig(), []
    for h in range(3):
        train, tune = known(TRAIN, h), known(TUNE, h)
        scaler = fit_scaler(inputs(train, ("features",)))
        train_BN, tune_BN, fresh_BN = (
            scaler.transform(inputs(part, ("features",)))
            for part in (train, tune, FRESH)
        )
        fits = {
            strength: LogisticRegression(C=strength, max_iter=config.iterations).fit(
                train_BN, train.labels[0][:, h]
            )
            for strength in config.strengths
        }
        found = {
            strength: average_precision_score(
                tune.labels[0][:, h], each.decision_function(tune_BN)
            )
            for strength, each in fits.items()
        }
        strengths.append(max(found, key=lambda strength: found[strength]))
        expected_B = fits[strengths[-1]].decision_function(fresh_BN)
        np.testing.assert_allclose(model.score(FRESH)[:, h], expected_B, atol=1e-6)
    assert model.parameters == 3 * (28 + 1)


def test_planted_signal_is_found() -> None:
    score_BH, (y_BH, _) = fit().score(FRESH), FRESH.labels
    for h in range(3):
        assert roc_auc_score(y_BH[:, h], score_BH[:, h]) > 0.8


def test_state_restores_to_bit_equal_scores() -> None:
    model = fit()
    again = Logistic.restore(
        model.config, {name: a.copy() for name, a in model.state().items()}, no_encoder
    )
    np.testing.assert_array_equal(again.score(FRESH), model.score(FRESH))


def test_unknown_labels_have_no_influence() -> None:
    flipped = [
        replace(part, y_BH=part.labels[0] ^ ~part.labels[1]) for part in (TRAIN, TUNE)
    ]
    np.testing.assert_array_equal(fit(*flipped).score(FRESH), fit().score(FRESH))


@pytest.mark.parametrize("only", [False, True])
def test_horizon_with_one_class_in_training_scores_its_base_rate(only: bool) -> None:
    y_BH = TRAIN.labels[0].copy()
    y_BH[:, 1] = only
    score_BH = fit(replace(TRAIN, y_BH=y_BH).take(np.arange(200))).score(FRESH)
    assert np.isfinite(score_BH).all()
    assert len(np.unique(score_BH[:, 1])) == 1
    assert (score_BH[:, 1] > 0).all() == only
    assert len(np.unique(score_BH[:, 2])) > 1


def test_horizon_whose_labels_are_all_censored_in_training_scores_even_odds() -> None:
    known_BH = TRAIN.labels[1].copy()
    known_BH[:, 2] = False
    censored = replace(TRAIN, known_BH=known_BH)
    assert constant_log_odds(censored, 2) == 0.0
    score_BH = fit(censored).score(FRESH)
    np.testing.assert_array_equal(score_BH[:, 2], 0.0)
    np.testing.assert_allclose(
        score_BH[:, :2], fit().score(FRESH)[:, :2], rtol=0, atol=1e-5
    )  # its solver stops there


def test_tune_with_one_class_still_fits() -> None:
    quiet = replace(TUNE, y_BH=np.zeros_like(TUNE.labels[0]))
    assert (
        roc_auc_score(FRESH.labels[0][:, 2], fit(TRAIN, quiet).score(FRESH)[:, 2]) > 0.8
    )


def test_inputs_that_are_not_finite_are_withstood() -> None:
    f_BCF = np.array(TRAIN.f_BCF)
    f_BCF[0], f_BCF[1, 0, 3] = np.nan, np.inf
    model = fit(replace(TRAIN, f_BCF=f_BCF))
    bad = np.array(FRESH.f_BCF)
    bad[:5, 0, 1] = np.nan
    assert np.isfinite(model.score(replace(FRESH, f_BCF=bad))).all()


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(BundleError, match=r"56.*28"):
        fit().score(windows(3, points=2))


@pytest.mark.parametrize(
    "wrong", [{"strengths": ()}, {"strengths": (0.1, -1.0)}, {"iterations": 0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LogisticConfig(**wrong)
