"""`base_rate` and `persistence`, and what blocks say of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from hvac.models.blocks import (
    LEAST_RATE,
    base_rates,
    constant_log_odds,
    log_odds,
    two_classes,
)
from hvac.models.families import BASELINES
from tests.models.models_example import fit_family, windows

TRAIN, TUNE, FRESH = windows(400, seed=0), windows(200, seed=1), windows(200, seed=2)


def test_the_listed_baselines_are_those_that_stand_beside_every_figure() -> None:
    assert set(BASELINES) == {
        *(
            "base_rate",
            "persistence",
            "logistic_28",
            "gbdt_28",
            "gbdt_92",
            "gbdt_context",
            "et_context",
            "et_28",
        ),
        "hybrid",
    }


# Base rate


def test_base_rate_is_the_log_odds_of_the_known_training_labels() -> None:
    y_BH, known_BH = TRAIN.labels
    expected_H = [y_BH[known_BH[:, h], h].mean() for h in range(3)]
    np.testing.assert_allclose(base_rates(TRAIN), expected_H)
    model = fit_family("base_rate", TRAIN, TUNE)
    np.testing.assert_allclose(model.score(FRESH), [logit(expected_H)] * len(FRESH))
    assert model.parameters == 3


def test_base_rate_is_nan_where_no_label_is_known_and_its_log_odds_are_even() -> None:
    known_BH = TRAIN.labels[1].copy()
    known_BH[:, 1] = False
    censored = replace(TRAIN, known_BH=known_BH)
    assert np.isnan(base_rates(censored)).tolist() == [False, True, False]
    assert constant_log_odds(censored, 1) == 0.0
    assert np.isfinite(fit_family("base_rate", censored, TUNE).score(FRESH)).all()


def test_base_rate_ignores_unknown_labels_and_tune() -> None:
    flipped = [
        replace(part, y_BH=part.labels[0] ^ ~part.labels[1]) for part in (TRAIN, TUNE)
    ]
    censored = replace(TUNE, known_BH=np.zeros_like(TUNE.labels[1]))
    plain = fit_family("base_rate", TRAIN, TUNE).score(FRESH)
    np.testing.assert_array_equal(fit_family("base_rate", *flipped).score(FRESH), plain)
    np.testing.assert_array_equal(
        fit_family("base_rate", TRAIN, censored).score(FRESH), plain
    )


@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_log_odds_of_certainty_stay_finite(risk: float) -> None:
    assert abs(float(log_odds(risk))) == pytest.approx(-logit(LEAST_RATE))


def test_two_classes_are_two() -> None:
    found = [
        two_classes(np.array(labels, bool))
        for labels in ([], [0], [1, 1], [0, 1], [1, 0, 0])
    ]
    assert found == [False, False, False, True, True]


# Persistence


def persistence(values: list[float]) -> np.ndarray:
    made = replace(windows(len(values)), persistence_B=np.array(values, np.float32))
    score_BH: np.ndarray = fit_family("persistence", TRAIN, TUNE).score(made)
    return score_BH


def test_persistence_orders_windows_by_their_share_of_days_out_of_limits() -> None:
    score_BH = persistence([0.0, 1 / 30, 0.1, 0.5, 29 / 30, 1.0])
    assert np.isfinite(score_BH).all()
    assert (np.diff(score_BH, axis=0) > 0).all()
    assert (score_BH == score_BH[:, :1]).all()


def test_persistence_orders_windows_by_their_events_where_there_are_no_limits() -> None:
    """design §9: no limits: events in the last 90 days; three are worse than one."""
    score_BH = persistence([0.0, 1.0, 2.0, 3.0])
    assert np.isfinite(score_BH).all()
    assert (np.diff(score_BH, axis=0) > 0).all()
