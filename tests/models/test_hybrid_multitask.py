"""`hybrid_multitask`: a hazard per interval, its likelihood, and risks that never fall with the horizon."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from hvac.features.table import Windows
from hvac.models.family import Fitting, no_encoder
from hvac.models.hybrid_multitask import (
    HybridMultitask,
    Multitask,
    MultitaskConfig,
    log_odds_of,
)
from hvac.models.losses import Weighing
from hvac.models.network import Shape
from tests.models.models_example import windows
from tests.reference.hazard_oracle import log_likelihood, risks

PLAIN = Weighing(0.0, None)
EXTREMES = torch.tensor(
    list(product((-60.0, -20.0, -1.0, 0.0, 1.0, 20.0, 60.0), repeat=3))
).T


def network(**settings: Any) -> Multitask:
    shape = Shape(points=1, horizons=3, positions=(2, 1), columns=(4, 3))
    return Multitask(MultitaskConfig(**settings), shape)


def with_tokens(rows: int, *, points: int = 2, seed: int = 0) -> Windows:
    """Windows with patch tokens; every label is known, and true at every horizon after the onset."""
    made, rng = windows(rows, points=points, seed=seed), np.random.default_rng(seed)
    p_BCPE = rng.normal(size=(rows, points, 4, 6)).astype(np.float32)
    y_BH = np.maximum.accumulate(made.labels[0], axis=1)
    return replace(
        made, p_BCPE=p_BCPE, y_BH=y_BH, known_BH=np.ones((rows, 3), dtype=bool)
    )


def outcomes(rows: int = 400, seed: int = 0) -> tuple[torch.Tensor, Any, Any]:
    """Logits of hazards, labels that stay true once they are, follow-up that ends anywhere."""
    rng = np.random.default_rng(seed)
    first_B, end_B = rng.integers(0, 6, rows), rng.integers(0, 4, rows)
    y_BH = first_B[:, None] <= np.arange(3)
    known_BH = y_BH & (first_B <= end_B)[:, None] | (np.arange(3) < end_B[:, None])
    return torch.from_numpy(rng.normal(0, 2, (3, rows))), y_BH, known_BH


def loss(
    hazard_HB: torch.Tensor, y_BH: Any, known_BH: Any, weighing: Weighing = PLAIN
) -> torch.Tensor:
    labels = (torch.from_numpy(array.T.astype(float)) for array in (y_BH, known_BH))
    found: torch.Tensor = network().loss_H(hazard_HB, *labels, weighing)
    return found


# Risks from hazards


def test_risk_is_one_minus_the_product_of_survivals() -> None:
    hazard_HB = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (3, 200)))
    expected = [risks(column) for column in hazard_HB.T.tolist()]
    found = torch.sigmoid(log_odds_of(hazard_HB)).T.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_log_odds_are_finite_and_never_fall_with_the_horizon_for_extreme_hazards(
    kind: torch.dtype,
) -> None:
    found_HB = network().read_out(EXTREMES.to(kind))
    assert torch.isfinite(found_HB).all()
    assert (found_HB.diff(dim=0) >= 0).all()


def test_higher_hazard_never_lowers_a_risk() -> None:
    steps = torch.linspace(-60, 60, 241)
    for interval in range(3):
        hazard_HB = torch.full((3, len(steps)), -2.0)
        hazard_HB[interval] = steps
        found_HB = log_odds_of(hazard_HB)
        assert (found_HB[interval:].diff(dim=1) >= -1e-4).all()
        assert (found_HB[:interval].diff(dim=1) == 0).all()


def test_gradient_of_the_read_out_is_finite_for_extreme_hazards() -> None:
    hazard_HB = EXTREMES.clone().requires_grad_()
    log_odds_of(hazard_HB).sum().backward()
    assert hazard_HB.grad is not None
    assert torch.isfinite(hazard_HB.grad).all()


# Likelihood


def test_loss_is_the_negative_log_likelihood_per_window_that_was_followed() -> None:
    hazard_HB, y_BH, known_BH = outcomes()
    rows = zip(hazard_HB.T.tolist(), y_BH.tolist(), known_BH.tolist(), strict=True)
    expected = -sum(log_likelihood(*row) for row in rows) / known_BH[:, 0].sum()
    assert {tuple(row) for row in known_BH.tolist()} >= {
        (False,) * 3,
        (True, False, False),
        (True,) * 3,
    }
    assert float(loss(hazard_HB, y_BH, known_BH).sum()) == pytest.approx(
        expected, rel=1e-9
    )


def test_label_beyond_follow_up_has_no_say() -> None:
    hazard_HB, y_BH, known_BH = outcomes()
    turned_BH = np.where(known_BH, y_BH, ~y_BH)
    assert torch.equal(
        loss(hazard_HB, y_BH, known_BH), loss(hazard_HB, turned_BH, known_BH)
    )


def test_interval_after_an_onset_has_no_say() -> None:
    y_BH, known_BH = np.array([[True, True, True]]), np.ones((1, 3), dtype=bool)
    one, other = (
        loss(torch.tensor([[0.3], [later], [later]]), y_BH, known_BH)
        for later in (-5.0, 5.0)
    )
    assert torch.equal(one, other)
    assert (one[1:] == 0).all()


def test_likelihood_is_highest_at_the_observed_rates() -> None:
    _, y_BH, known_BH = outcomes(2000)
    at_risk = known_BH & ~np.column_stack(
        [np.zeros(len(y_BH), dtype=bool), y_BH[:, :-1]]
    )
    rate_H = [
        (y_BH[:, h] & at_risk[:, h]).sum() / at_risk[:, h].sum() for h in range(3)
    ]
    best = torch.logit(torch.tensor(rate_H, dtype=torch.float64))[:, None].expand(
        3, len(y_BH)
    )
    lowest = float(loss(best, y_BH, known_BH).sum())
    for step in (-0.2, 0.2):
        assert float(loss(best + step, y_BH, known_BH).sum()) > lowest


@pytest.mark.parametrize("gamma", [0.0, 0.5, 3.0])
def test_gradient_of_the_loss_is_finite_for_extreme_hazards(gamma: float) -> None:
    for y in (False, True):
        hazard_HB = EXTREMES.clone().requires_grad_()
        y_BH, known_BH = (
            np.full(hazard_HB.T.shape, y),
            np.ones(hazard_HB.T.shape, dtype=bool),
        )
        loss(
            hazard_HB, y_BH, known_BH, Weighing(gamma, torch.full((3, 1), 0.9))
        ).sum().backward()
        assert hazard_HB.grad is not None
        assert torch.isfinite(hazard_HB.grad).all()


def test_batch_without_a_known_label_costs_nothing() -> None:
    hazard_HB, y_BH, known_BH = outcomes(10)
    assert (loss(hazard_HB, y_BH, np.zeros_like(known_BH)) == 0).all()


# The model


@cache
def fitted() -> HybridMultitask:
    config = MultitaskConfig(
        epochs=12, learning_rate=1e-2, batch_size=64, width=8, heads=2, hidden=16
    )
    return HybridMultitask.fit(
        with_tokens(400, seed=1), with_tokens(200, seed=2), config, Fitting(no_encoder)
    )


def test_scores_never_fall_with_the_horizon_before_any_calibration() -> None:
    wild = with_tokens(500, seed=4)
    wild = replace(
        wild, f_BCF=wild.f_BCF * np.float32(1e4), p_BCPE=wild.p_BCPE * np.float32(1e4)
    )
    for model in (
        HybridMultitask.start(with_tokens(60), MultitaskConfig(), no_encoder),
        fitted(),
    ):
        for made in (with_tokens(500, seed=3), wild):
            score_BH = model.score(made)
            assert np.isfinite(score_BH).all()
            assert (np.diff(score_BH, axis=1) >= 0).all()


def test_planted_signal_is_learned_at_every_horizon() -> None:
    fresh = with_tokens(400, seed=3)
    y_BH, score_BH = fresh.labels[0], fitted().score(fresh)
    for h in range(3):
        assert (
            average_precision_score(y_BH[:, h], score_BH[:, h])
            > y_BH[:, h].mean() + 0.15
        )


def test_every_patch_of_every_point_and_every_statistic_can_change_the_score() -> None:
    made = with_tokens(5)
    before_BH = fitted().score(made)
    for c, p in product(range(2), range(4)):
        p_BCPE = np.array(made.p_BCPE)
        p_BCPE[:, c, p] += 3
        assert (
            np.abs(fitted().score(replace(made, p_BCPE=p_BCPE)) - before_BH).max()
            > 1e-6
        )
    f_BCF = np.array(made.f_BCF)
    f_BCF[:, 1, 27] += 3
    assert np.abs(fitted().score(replace(made, f_BCF=f_BCF)) - before_BH).max() > 1e-6


def test_the_order_of_patches_matters() -> None:
    made = with_tokens(20)
    turned = replace(made, p_BCPE=np.asarray(made.p_BCPE)[:, :, ::-1])
    assert np.abs(fitted().score(made) - fitted().score(turned)).max() > 1e-6
