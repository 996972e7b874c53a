"""Focal loss (Lin et al. 2017), computed from logits.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from hvac.models.network import TrainingConfig

TINY = 1e-8  # below it a power under 1 has no finite gradient


def focal_terms(
    logit: torch.Tensor,
    y: torch.Tensor,
    *,
    gamma: float = 3.0,
    alpha: float | torch.Tensor | None = None,
) -> torch.Tensor:
    """Return −α_t (1 − p_t)^γ log p_t of every element.

    Args:
        logit: predicted log-odds.
        y: labels, 0 or 1.
        gamma: how much easy elements are weighed down.
        alpha: weight of the positives (1 − alpha for the negatives); None weighs both 1.
    """
    log_p_t = F.logsigmoid(torch.where(y > 0.5, logit, -logit))
    weight = (1 - log_p_t.exp()).clamp(min=TINY) ** gamma
    if alpha is not None:
        weight = weight * torch.where(y > 0.5, alpha, 1 - alpha)
    return -(weight * log_p_t)


class Weighing(NamedTuple):
    """Focal gamma, and the weight of positives per horizon (None: all labels weigh the same)."""

    gamma: float
    alpha_H1: torch.Tensor | None

    @classmethod
    def make(
        cls,
        config: TrainingConfig,
        positive_H: tuple[int, ...],
        known_H: tuple[int, ...],
        device: str,
    ) -> Weighing:
        """Take the weights from the training counts.

        `balanced` is 1 − prevalence, `prevalence` the predecessor's "auto"; a number stays as it
        is. Where labels are of one kind both count alike: a weight of 0 for all there is would
        teach nothing.
        """
        if config.alpha == "none":
            return cls(config.gamma, None)
        prevalence_H = [
            p / n if 0 < p < n else 0.5
            for p, n in zip(positive_H, known_H, strict=True)
        ]
        fixed = config.alpha if isinstance(config.alpha, float) else None
        alpha_H = [
            fixed if fixed is not None else 1 - p if config.alpha == "balanced" else p
            for p in prevalence_H
        ]
        return cls(config.gamma, torch.tensor(alpha_H, device=device)[:, None])
