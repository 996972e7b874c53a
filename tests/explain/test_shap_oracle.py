"""Our walk over trees gives what the `shap` library gives, where every input is a player."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from hvac.explain.tree_walk import WalkedTrees
from hvac.models.boosting import _trees

shap = pytest.importorskip(
    "shap", reason="shap is not installed: pip install -e .[dev]"
)


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(0)
    input_BN = rng.normal(size=(400, 8))
    y_B = input_BN[:, 0] * input_BN[:, 1] + input_BN[:, 2] > 0.3
    model = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=8, random_state=0
    )
    return model.fit(input_BN.astype(np.float32), y_B), input_BN.astype(np.float32)


def test_contributions_are_those_of_shap(fitted: tuple[Any, np.ndarray]) -> None:
    model, input_BN = fitted
    background_WN, shown_BN = input_BN[:32], input_BN[100:110]
    explainer = shap.TreeExplainer(
        model, background_WN, feature_perturbation="interventional"
    )
    expected_BN = explainer.shap_values(shown_BN, check_additivity=False)
    walk = WalkedTrees.prepare(
        _trees(model), background_WN.astype(np.float64), np.arange(8), 8
    )
    for shown_N, expected_N in zip(
        shown_BN.astype(np.float64), expected_BN, strict=True
    ):
        np.testing.assert_allclose(
            walk.shapley(shown_N, 2**32 - 1), expected_N, atol=1e-4
        )
