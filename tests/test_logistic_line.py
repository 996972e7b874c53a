"""The log-loss of a line, and its slope."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.metrics import log_loss

from hvac.logistic_line import line_loss


def test_loss_is_scikit_learns_and_the_gradient_its_slope() -> None:
    rng = np.random.default_rng(0)
    score_B = rng.normal(size=50)
    y_B = (rng.random(50) < 0.4).astype(float)
    weight_B = rng.random(50)
    weight_B /= weight_B.sum()
    line_2 = np.array([1.3, -0.4])
    loss, gradient_2 = line_loss(line_2, score_B, y_B, weight_B)
    risk_B = 1 / (1 + np.exp(-(1.3 * score_B - 0.4)))
    assert loss == pytest.approx(log_loss(y_B, risk_B, sample_weight=weight_B))
    slope_2 = approx_fprime(line_2, lambda at: line_loss(at, score_B, y_B, weight_B)[0])
    np.testing.assert_allclose(gradient_2, slope_2, atol=1e-6)


def test_huge_scores_give_finite_losses() -> None:
    score_B = np.array([-1e6, 1e6])
    loss, gradient_2 = line_loss(
        np.array([1.0, 0.0]), score_B, np.array([1.0, 0.0]), np.ones(2)
    )
    assert np.isfinite([loss, *gradient_2]).all()
