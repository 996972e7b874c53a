"""CatBoost kept as plain arrays: its own scores, without it."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from hvac.errors import BundleError, ConfigError
from hvac.features.table import Windows
from hvac.models.blocks import finite_inputs, inputs, known
from hvac.models.catboosting import CatBoost
from hvac.models.family import no_encoder
from tests.models.models_example import fit_family, windows

catboost = pytest.importorskip("catboost")
SETTINGS = {"trees": 30, "depth": 4, "learning_rate": 0.1}


def with_holes(rows: int, seed: int) -> Windows:
    """A context column that nobody knows, and one that a fifth of the windows lacks."""
    made = windows(rows, seed=seed)
    k_BK = np.array(made.k_BK)
    k_BK[:, 1] = np.nan
    k_BK[np.random.default_rng(seed).random(rows) < 0.2, 0] = np.nan
    return replace(made, k_BK=k_BK)


TRAIN, FRESH = with_holes(300, 1), with_holes(100, 2)


@cache
def fitted() -> CatBoost:
    model: CatBoost = fit_family(
        "catboost_full", TRAIN, TRAIN.take(np.arange(0)), **SETTINGS
    )
    return model


@pytest.mark.parametrize("h", range(3))
def test_scores_are_catboosts_own_also_where_context_is_missing(h: int) -> None:
    part = known(TRAIN, h)
    own = catboost.CatBoostClassifier(
        iterations=30, depth=4, learning_rate=0.1, random_seed=0, border_count=64, rsm=0.5, boosting_type="Plain",
        thread_count=1, verbose=False, allow_writing_files=False,
    )  # fmt: skip
    own.fit(
        finite_inputs(part, ("features", "context")),
        part.labels[0][:, h],
        sample_weight=part.weights[:, h],
    )
    input_BN = inputs(FRESH, ("features", "context"))
    assert np.isnan(input_BN).any()
    expected_B = own.predict(input_BN, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(
        fitted().score(FRESH)[:, h], expected_B, rtol=0, atol=1e-5
    )
    assert np.ptp(expected_B) > 1


def test_state_restores_to_bit_equal_scores() -> None:
    model = fitted()
    again = CatBoost.restore(
        model.config, {n: np.array(a) for n, a in model.state().items()}, no_encoder
    )
    assert again.parameters == model.parameters > 0
    np.testing.assert_array_equal(again.score(FRESH), model.score(FRESH))


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(BundleError, match=r"61.*33"):
        fitted().score(windows(3, points=2))


def test_without_the_package_it_cannot_be_fitted_but_still_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model: Any = fitted()
    monkeypatch.setitem(sys.modules, "catboost", None)
    assert np.isfinite(model.score(FRESH)).all()
    with pytest.raises(ConfigError, match=r"pip install 'hvac-foresight\[catboost\]'"):
        fit_family("catboost_full", TRAIN, TRAIN, **SETTINGS)
