"""`hybrid_multitask`, v2.2 of the predecessor's plans: attention over patch tokens, hazards.

Every patch token of every point is a token of the window. Learned queries attend to them, and the
statistics join the result in a shared trunk. The head gives a hazard per interval (0, 30], (30,
60], (60, 90]; the risk within h days is one minus the product of the survivals up to h, so risks
never fall with the horizon, by construction. A censored window takes part in the likelihood of the
intervals it was followed through.
Legend: B windows, C points, F statistics, P patches, E embedding, T = C·P tokens, D width, H
horizons.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import nn

from hvac.arrays import Float32s
from hvac.config import Share
from hvac.features.table import Windows
from hvac.models.family import Encoding
from hvac.models.fittable import Network
from hvac.models.losses import Weighing, focal_terms
from hvac.models.network import NetworkModel, Shape, TrainingConfig
from hvac.models.network_inputs import side_by_side

TINY = 1e-6


class MultitaskConfig(TrainingConfig):
    """Architecture and training of v2.2; gamma 0 without alpha is the likelihood itself."""

    family: Literal["hybrid_multitask"] = "hybrid_multitask"
    """The family's name."""
    width: int = Field(default=32, ge=4)
    """Width of tokens in the attention."""
    heads: int = Field(default=4, ge=1)
    """Attention heads."""
    queries: int = Field(default=2, ge=1)
    """Learned queries that attend to the tokens."""
    hidden: int = Field(default=64, ge=4)
    """Units of the shared trunk."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size at the start; it falls along a cosine."""
    final_learning_rate: float = Field(default=1e-4, ge=0)
    """Step size at the end."""
    gamma: float = Field(default=0.0, ge=0)
    """Focal loss: how much easy windows are weighed down; 0: not at all."""
    alpha: Literal["balanced", "prevalence", "none"] | Share = "none"
    """Weight of the positives in the loss; `none`: as the negatives."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not a multiple of heads {self.heads}; take e.g."
                f" {8 * self.heads}"
            )
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of patch tokens and statistics."""
        return ("tokens", "features")


class Multitask(Network):
    """Attention over tokens and a hazard head.

    Its forward gives hazards, `read_out` the risks they add up to.
    """

    def __init__(self, config: MultitaskConfig, shape: Shape) -> None:
        super().__init__()
        self.horizons = shape.horizons
        self.points = shape.points
        self.patches = shape.positions[0]
        width = config.width
        statistics = shape.columns[1]
        self.project = nn.Linear(shape.columns[0] // shape.points, width)
        self.place = nn.Parameter(torch.zeros(shape.points, self.patches, width))
        self.query = nn.Parameter(torch.randn(config.queries, width) / width**0.5)
        self.attention = nn.MultiheadAttention(
            width, config.heads, dropout=config.dropout, batch_first=True
        )
        self.norm = nn.LayerNorm(width)
        self.trunk = nn.Sequential(
            nn.Linear(config.queries * width + statistics, config.hidden),
            nn.LayerNorm(config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.hidden),
            nn.LayerNorm(config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.head = nn.Linear(config.hidden, shape.horizons)

    def forward(
        self, token_BPN: torch.Tensor, statistic_B1N: torch.Tensor
    ) -> torch.Tensor:
        """Return the log-odds of an onset in each interval, given none before: [H, B]."""
        rows = len(token_BPN)
        token_BPCE = token_BPN.reshape(rows, self.patches, self.points, -1)
        projected_BCPD = self.project(token_BPCE.transpose(1, 2))
        token_BTD = (projected_BCPD + self.place).flatten(1, 2)
        query_BQD = self.query.expand(rows, -1, -1)
        found_BQD, _ = self.attention(
            query_BQD, token_BTD, token_BTD, need_weights=False
        )
        normal_BN = self.norm(found_BQD).flatten(1)
        joined_BN = torch.cat([normal_BN, statistic_B1N.flatten(1)], dim=1)
        hazard_HB: torch.Tensor = self.head(self.trunk(joined_BN)).T
        return hazard_HB

    def read_out(self, output: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of an onset up to the end of each interval."""
        return log_odds_of(output)

    def loss_H(
        self,
        output: torch.Tensor,
        y_HB: torch.Tensor,
        w_HB: torch.Tensor,
        weighing: Weighing,
    ) -> torch.Tensor:
        """Return the negative log-likelihood per window, one entry per interval.

        A window counts in the intervals it was followed through.
        """
        earlier_HB = torch.cat([torch.zeros_like(y_HB[:1]), y_HB[:-1]])
        before_HB = earlier_HB.cummax(dim=0).values
        at_risk_HB = (w_HB > 0).float().cumprod(dim=0) * w_HB * (1 - before_HB)
        terms_HB = focal_terms(
            output, y_HB, gamma=weighing.gamma, alpha=weighing.alpha_H1
        )
        total_H = (terms_HB * at_risk_HB).sum(dim=1)
        loss_H: torch.Tensor = total_H / w_HB[0].sum().clamp(min=1)
        return loss_H


def log_odds_of(hazard_HB: torch.Tensor) -> torch.Tensor:
    """Turn log-odds of the hazards of intervals into those of an onset up to each end.

    >>> risk = torch.sigmoid(log_odds_of(torch.tensor([[0.0], [0.0], [0.0]])))
    >>> [round(float(value), 4) for value in risk]
    [0.5, 0.75, 0.875]
    """
    log_survival_HB = F.logsigmoid(-hazard_HB).cumsum(dim=0)
    return log1mexp(log_survival_HB) - log_survival_HB


def log1mexp(log_x: torch.Tensor) -> torch.Tensor:
    """Return log(1 − exp(log_x)) for log_x < 0, exact at both ends (Mächler 2012)."""
    log_x = log_x.clamp(max=-TINY)
    return torch.where(
        log_x > -0.6931, torch.log(-torch.expm1(log_x)), torch.log1p(-torch.exp(log_x))
    )


class HybridMultitask(NetworkModel[MultitaskConfig]):
    """A fitted v2.2 model."""

    @staticmethod
    def inputs(windows: Windows, config: MultitaskConfig) -> tuple[Float32s, ...]:
        """Return patch tokens [B, P, C·E] and statistics [B, 1, C·F]."""
        p_BCPE = windows.p_BCPE
        f_BCF = windows.f_BCF
        assert p_BCPE is not None, "tokens are made before (`family.prepared`)"
        assert f_BCF is not None, "statistics are there (`family.prepared`)"
        rows, points, patches, width = p_BCPE.shape
        token_BPCE = np.ascontiguousarray(
            p_BCPE.transpose(0, 2, 1, 3), dtype=np.float32
        )
        return token_BPCE.reshape(rows, patches, points * width), side_by_side([f_BCF])

    @classmethod
    def build(
        cls, config: MultitaskConfig, shape: Shape, encoder: Encoding
    ) -> Multitask:
        """Make the untrained network."""
        return Multitask(config, shape)
