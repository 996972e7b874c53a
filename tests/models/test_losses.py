"""Focal loss from logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hvac.errors import ConfigError
from hvac.models.hybrid import HybridConfig
from hvac.models.losses import Weighing, focal_terms

HUGE = torch.tensor([1e4, -1e4, 1e30, -1e30, 60.0, -60.0, 0.0, 1e4, -1e4, 20.0, 17.0])
LABEL = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])


def some(rows: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(0, 3, rows)), torch.from_numpy(
        (rng.random(rows) < 0.3).astype(float)
    )


def test_gamma_0_is_binary_cross_entropy() -> None:
    logit, y = some()
    torch.testing.assert_close(
        focal_terms(logit, y, gamma=0.0).mean(),
        F.binary_cross_entropy_with_logits(logit, y),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
def test_terms_equal_the_formula_on_probabilities(
    gamma: float, alpha: float | None
) -> None:
    logit, y = some()
    p = 1 / (1 + np.exp(-logit.numpy()))
    p_t = np.where(y.numpy() > 0, p, 1 - p)
    weight = 1.0 if alpha is None else np.where(y.numpy() > 0, alpha, 1 - alpha)
    expected = -weight * (1 - p_t) ** gamma * np.log(p_t)
    np.testing.assert_allclose(
        focal_terms(logit, y, gamma=gamma, alpha=alpha).numpy(), expected, rtol=1e-6
    )


def test_value_by_hand() -> None:
    """At logit ln 3 the positive has p = 3/4: 0.25 · (1/4)^3 · ln(4/3) = 0.25 · 0.015625 · 0.287682…"""
    found = focal_terms(
        torch.tensor([math.log(3.0)]), torch.tensor([1.0]), gamma=3.0, alpha=0.25
    )
    assert float(found) == pytest.approx(0.25 / 64 * math.log(4 / 3), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_terms_and_gradients_are_finite_for_huge_logits(gamma: float) -> None:
    logit = HUGE.clone().requires_grad_()
    terms = focal_terms(logit, LABEL, gamma=gamma)
    terms.sum().backward()
    assert torch.isfinite(terms).all()
    assert logit.grad is not None
    assert torch.isfinite(logit.grad).all()


@pytest.mark.parametrize("gamma", [0.0, 3.0])
def test_terms_are_never_negative_and_fall_as_the_logit_agrees(gamma: float) -> None:
    logit = torch.linspace(-20, 20, 200)
    positive, negative = (
        focal_terms(logit, torch.full((200,), y), gamma=gamma) for y in (1.0, 0.0)
    )
    assert bool((positive >= 0).all() & (negative >= 0).all())
    assert bool((positive.diff() <= 0).all() & (negative.diff() >= 0).all())


def test_easy_windows_count_less_with_gamma() -> None:
    logit, y = torch.tensor([3.0, -3.0]), torch.ones(2)
    plain, focal = (focal_terms(logit, y, gamma=gamma) for gamma in (0.0, 3.0))
    assert focal[0] / plain[0] < 0.001 < 0.5 < focal[1] / plain[1]


def test_alpha_may_differ_by_horizon() -> None:
    logit, y = torch.zeros(2, 4), torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 2)
    both = focal_terms(logit, y, alpha=torch.tensor([[0.1], [0.7]]))
    for h, alpha in enumerate((0.1, 0.7)):
        torch.testing.assert_close(both[h], focal_terms(logit[h], y[h], alpha=alpha))


@pytest.mark.parametrize("alpha", ["balanced", "prevalence"])
def test_labels_of_one_kind_weigh_alike_so_that_the_rate_is_learned(alpha: str) -> None:
    weighing = Weighing.make(
        HybridConfig(alpha=alpha), (0, 8, 0, 2), (8, 8, 0, 8), "cpu"
    )
    assert weighing.alpha_H1 is not None
    rare = {"balanced": 0.75, "prevalence": 0.25}[alpha]
    assert weighing.alpha_H1[:, 0].tolist() == [0.5, 0.5, 0.5, rare]


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 1.0, 2.0])
def test_weight_that_silences_or_turns_a_kind_of_label_is_refused(alpha: float) -> None:
    with pytest.raises(ConfigError, match="alpha"):
        HybridConfig(alpha=alpha)
