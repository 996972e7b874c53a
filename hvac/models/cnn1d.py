"""`cnn1d`, the predecessor's 1D-CNN: two convolutions, a maximum over time, a logit per horizon.

Conv 32×3 – ReLU – max pool 2 – Conv 64×3 – ReLU – maximum over time – 64 – ReLU – H. The maximum
over time finds a shape wherever in the window it lies. For one point and one output these are the
predecessor's 10,561 parameters.
Legend: B windows, C points, L lookback steps, H horizons.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from hvac.arrays import Float32s
from hvac.config import Share
from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.family import Encoding
from hvac.models.fittable import Network
from hvac.models.network import NetworkModel, Shape, TrainingConfig

KERNEL = 3
POOL = 2
SHORTEST = (
    KERNEL - 1 + POOL * KERNEL
)  # steps that leave one position for the second convolution


class Cnn1dConfig(TrainingConfig):
    """Architecture and training of the predecessor's 1D-CNN.

    It is trained by Adam (no weight decay) on the plain binary cross-entropy, as there.
    """

    family: Literal["cnn1d"] = "cnn1d"
    """The family's name."""
    filters: tuple[int, int] = (32, 64)
    """Filters of the two convolutions."""
    hidden: int = Field(default=64, ge=1)
    """Units of the hidden layer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of hidden units that are dropped in training; 0: none."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size at the start; it falls along a cosine."""
    final_learning_rate: float = Field(default=1e-4, ge=0)
    """Step size at the end."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decay of the weights; 0 makes it Adam."""
    patience: int | None = Field(default=5, ge=1)
    """Epochs without a better tune PR-AUC after which training stops; None: never."""
    gamma: float = Field(default=0.0, ge=0)
    """Focal loss: how much easy windows are weighed down; 0: not at all."""
    alpha: Literal["balanced", "prevalence", "none"] | Share = "none"
    """Weight of the positives in the loss; `none`: as the negatives."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the name of the raw values."""
        return ("values",)


class Convolutions(Network):
    """The network of the predecessor; its forward gives logits [H, B].

    Raises ConfigError where windows are too short for its convolutions.
    """

    def __init__(self, config: Cnn1dConfig, shape: Shape) -> None:
        super().__init__()
        if shape.positions[0] < SHORTEST:
            raise ConfigError(
                f"cnn1d needs windows of at least {SHORTEST} steps, found {shape.positions[0]}"
            )
        self.horizons = shape.horizons
        first, second = config.filters
        self.shapes = nn.Sequential(
            nn.Conv1d(shape.columns[0], first, KERNEL),
            nn.ReLU(),
            nn.MaxPool1d(POOL),
            nn.Conv1d(first, second, KERNEL),
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.Linear(second, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, shape.horizons),
        )

    def forward(self, value_BLC: torch.Tensor) -> torch.Tensor:
        """Turn standardised values [B, L, C] into logits [H, B]."""
        found_BN = self.shapes(value_BLC.transpose(1, 2)).amax(dim=-1)
        logit_HB: torch.Tensor = self.head(found_BN).T
        return logit_HB


class Cnn1d(NetworkModel[Cnn1dConfig]):
    """A fitted 1D-CNN."""

    @staticmethod
    def inputs(windows: Windows, config: Cnn1dConfig) -> tuple[Float32s, ...]:
        """Return the values [B, L, C]; each point is scaled by its training statistics."""
        assert windows.x_BCL is not None, "prepared windows carry what the family needs"
        return (
            np.ascontiguousarray(windows.x_BCL.transpose(0, 2, 1), dtype=np.float32),
        )

    @classmethod
    def build(
        cls, config: Cnn1dConfig, shape: Shape, encoder: Encoding
    ) -> Convolutions:
        """Make the untrained network."""
        return Convolutions(config, shape)
