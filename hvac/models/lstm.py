"""`lstm`, the predecessor's v1.0: two LSTM layers read the raw days of all points.

The last state gives a logit per horizon. The recurrence is bound by arithmetic (about 100 million
operations to learn from one window of 90 steps), so a step reads the mean of `days_per_step` days;
1 reads every day, as the predecessor does, in three times the default's time.
Legend: B windows, C points, L lookback days, S steps, K layers, D hidden units, H horizons.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from hvac.arrays import Float32s
from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.family import Encoding
from hvac.models.fittable import Network
from hvac.models.network import NetworkModel, Shape, TrainingConfig


class LstmConfig(TrainingConfig):
    """Architecture and training of v1.0."""

    family: Literal["lstm"] = "lstm"
    """The family's name."""
    hidden: int = Field(default=128, ge=1)
    """Hidden units of a layer."""
    layers: int = Field(default=2, ge=1)
    """LSTM layers, one on another."""
    days_per_step: int = Field(default=3, ge=1)
    """Days whose mean one step reads; 1: every day by itself."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Step size at the start; it falls along a cosine."""
    final_learning_rate: float = Field(default=1e-4, ge=0)
    """Step size at the end."""
    epochs: int = Field(default=8, ge=1)
    """Most passes over the training windows."""
    windows_per_epoch: int | None = Field(default=3200, ge=1)
    """Windows drawn for an epoch; None: all."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the name of the raw values."""
        return ("values",)


class Recurrent(Network):
    """LSTM layers, LayerNorm on the last state, a linear head per horizon."""

    def __init__(self, config: LstmConfig, shape: Shape) -> None:
        super().__init__()
        self.horizons = shape.horizons
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            shape.columns[0],
            config.hidden,
            config.layers,
            batch_first=True,
            dropout=between,
        )
        self.norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, shape.horizons)

    def forward(self, value_BSC: torch.Tensor) -> torch.Tensor:
        """Turn steps [B, S, C] into logits [H, B]."""
        _, (last_KBD, _) = self.lstm(value_BSC)
        last_BD = self.dropout(self.norm(last_KBD[-1]))
        logit_HB: torch.Tensor = self.head(last_BD).T
        return logit_HB


class Lstm(NetworkModel[LstmConfig]):
    """A fitted v1.0 model."""

    @staticmethod
    def inputs(windows: Windows, config: LstmConfig) -> tuple[Float32s, ...]:
        """Return the values [B, S, C], oldest step first.

        Days at the start that fill no whole step are left out.

        Raises:
            ConfigError: if a step is longer than the windows.
        """
        assert windows.x_BCL is not None, "prepared windows carry what the family needs"
        size = config.days_per_step
        rows, points, days = windows.x_BCL.shape
        if size > days:
            raise ConfigError(
                f"lstm.days_per_step is {size}, and windows have {days} days: choose fewer days per"
                " step"
            )
        whole_BCL = windows.x_BCL[..., days % size :]
        grouped_BCSD = whole_BCL.reshape(rows, points, days // size, size)
        step_BCS = grouped_BCSD.mean(axis=-1)
        input_BSC = step_BCS.transpose(0, 2, 1)
        return (np.ascontiguousarray(input_BSC, dtype=np.float32),)

    @classmethod
    def build(cls, config: LstmConfig, shape: Shape, encoder: Encoding) -> Recurrent:
        """Make the untrained network."""
        return Recurrent(config, shape)
