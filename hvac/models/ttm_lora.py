"""`ttm_lora`, the predecessor's v2.0: the encoder tuned through LoRA, and a head over all points.

The adapters sit where the predecessor puts them, in the encoder and in the decoder, so the head
reads the tokens of both: every adapter takes part in every step. The encoder sees every window
standardised by itself, so level and spread, which that takes away, join at the head. The base is a
copy, so the bundle's encoder is never changed; only adapters, head and scaler are saved.
Legend: B windows, C points, L days (of the window; N = B·C series have the length the encoder
reads), P patches, E embedding (the encoder's, then the decoder's), H horizons.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from hvac.arrays import Float32s
from hvac.errors import BundleError
from hvac.features.encoder import Encoder, hidden_tokens
from hvac.features.table import Windows
from hvac.models.family import Encoding
from hvac.models.fittable import Network, Weights
from hvac.models.network import NetworkModel, Shape, TrainingConfig
from hvac.models.network_inputs import side_by_side
from hvac.models.scaling import Scaler

TINY_STD = 1e-6
TUNED_LAYERS = ("encoder.patcher", "mlp.fc1", "mlp.fc2", "attn_layer")


class TtmLoraConfig(TrainingConfig):
    """Adapters and training of v2.0; the predecessor's values are the adapters' defaults."""

    family: Literal["ttm_lora"] = "ttm_lora"
    """The family's name."""
    adapt: Literal["lora", "none"] = "lora"
    """`lora` trains adapters; `none` keeps the encoder frozen under the same head."""
    rank: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    lora_alpha: int = Field(default=16, gt=0)
    """Scale of the adapters, over their rank."""
    lora_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the adapters' inputs that are dropped in training."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The adapters' step size at the start."""
    final_learning_rate: float = Field(default=1e-5, ge=0)
    """The adapters' step size at the end."""
    head_learning_rate: float = Field(default=3e-3, gt=0)
    """The head's step size at the start; it falls in proportion."""
    epochs: int = Field(default=4, ge=1)
    """Most passes over the training windows."""
    batch_size: int = Field(default=64, ge=1)
    """Windows of a step, over all workers."""
    windows_per_epoch: int | None = Field(default=3200, ge=1)
    """Windows drawn for an epoch; None: all."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the name of the raw values."""
        return ("values",)


class Adapted(Network):
    """A copy of the encoder's model with adapters, and a linear head.

    The head reads the pooled tokens of all points.
    """

    def __init__(self, config: TtmLoraConfig, shape: Shape, encoder: Encoder) -> None:
        super().__init__()
        self.horizons = shape.horizons
        self.encoder = encoder
        self.base = copy.deepcopy(encoder.model).cpu().requires_grad_(False)
        for module in self.base.modules():
            if isinstance(module, nn.Dropout):
                # the base stays what it is; its noise was for pretraining, and costs time
                module.p = 0.0
        if config.adapt == "lora":
            add_adapters(self.base, config)
        self.decodes = bool(self.base.config.use_decoder)
        width = self.base.config.d_model
        if self.decodes:
            width += self.base.config.decoder_d_model
        self.head = nn.ModuleDict(
            {
                "norm": nn.LayerNorm(shape.points * width),
                "dropout": nn.Dropout(config.dropout),
                "linear": nn.Linear(
                    shape.points * width + shape.columns[1], shape.horizons
                ),
            }
        )

    def forward(self, value_BCL: torch.Tensor, level_B1N: torch.Tensor) -> torch.Tensor:
        """Return logits [H, B] of standardised windows with their level and spread.

        They are standardised as the encoder does it.
        """
        pooled_BN = self.pooled(value_BCL).flatten(1)
        said_BN = self.head["dropout"](self.head["norm"](pooled_BN))
        logit_HB: torch.Tensor = self.head["linear"](
            torch.cat([said_BN, level_B1N.flatten(1)], dim=1)
        ).T
        return logit_HB

    def pooled(self, value_BCL: torch.Tensor) -> torch.Tensor:
        """Return one vector per point, pooled as the encoder pools: [B, C, E]."""
        token_NPE = hidden_tokens(
            self._tokens, self.base.config, value_BCL.flatten(0, 1)
        )
        pooled_NE = self.encoder.pool(token_NPE)
        return pooled_NE.reshape(*value_BCL.shape[:2], -1)

    def _tokens(
        self, series_NL1: torch.Tensor, **extra: torch.Tensor
    ) -> SimpleNamespace:
        if not self.decodes:
            output: SimpleNamespace = self.base.backbone(series_NL1, **extra)
            return output
        output = self.base(series_NL1, **extra)
        both = torch.cat(
            [output.backbone_hidden_state, output.decoder_hidden_state], dim=-1
        )
        return SimpleNamespace(last_hidden_state=both)

    def paces(self, config: TrainingConfig) -> list[tuple[list[nn.Parameter], float]]:
        """Return the adapters at the configured rate, the head at its own."""
        assert isinstance(config, TtmLoraConfig), "its own configuration"
        head = list(self.head.parameters())
        adapters = [p for p in self.base.parameters() if p.requires_grad]
        groups = [
            (adapters, 1.0),
            (head, config.head_learning_rate / config.learning_rate),
        ]
        return [(parameters, pace) for parameters, pace in groups if parameters]

    def kept(self) -> Weights:
        """Return adapters and head: the base comes from the encoder."""
        return {
            name: p.detach() for name, p in self.named_parameters() if p.requires_grad
        }

    def take(self, weights: Weights) -> None:
        """Load what `kept` gave.

        Raises:
            BundleError: if it is not of this encoder and configuration.
        """
        if {name: tensor.shape for name, tensor in weights.items()} != {
            n: t.shape for n, t in self.kept().items()
        }:
            raise BundleError(
                "the saved adapters do not fit this encoder and configuration: train the model anew"
            )
        self.load_state_dict(weights, strict=False)


def add_adapters(base: nn.Module, config: TtmLoraConfig) -> None:
    """Put LoRA beside every layer whose name ends in one of `TUNED_LAYERS`.

    Only the adapters can be trained then.
    """
    from peft import LoraConfig, inject_adapter_in_model

    adapters = LoraConfig(
        r=config.rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=[*TUNED_LAYERS],
    )
    inject_adapter_in_model(adapters, base)


class TtmLora(NetworkModel[TtmLoraConfig]):
    """A fitted v2.0 model."""

    network: Adapted

    @staticmethod
    def inputs(windows: Windows, config: TtmLoraConfig) -> tuple[Float32s, ...]:
        """Return raw values [B, C, L], and level and spread of every point [B, 1, 2·C].

        They are the mean and the logarithm of the std.
        """
        assert windows.x_BCL is not None, "prepared windows carry what the family needs"
        x_BCL = windows.x_BCL
        mean_BC = x_BCL.mean(axis=2)
        log_std_BC = np.log(x_BCL.std(axis=2) + TINY_STD)
        return x_BCL, side_by_side([mean_BC, log_std_BC])

    @staticmethod
    def scaler(input_BSN: Float32s, number: int) -> Scaler:
        """Return None for the values: each window is standardised by itself."""
        if number:
            return NetworkModel.scaler(input_BSN, number)
        zero_N = np.zeros(input_BSN.shape[-1], dtype=np.float32)
        return Scaler(zero_N - np.inf, zero_N + np.inf, zero_N, zero_N + 1)

    def _scaled(self, windows: Windows) -> tuple[Float32s, ...]:
        x_BCL, level_B1N = super()._scaled(windows)
        rows, points, _ = x_BCL.shape
        encoder = self.network.encoder
        return encoder.standardised(x_BCL).reshape(
            rows, points, encoder.context
        ), level_B1N

    @classmethod
    def build(cls, config: TtmLoraConfig, shape: Shape, encoder: Encoding) -> Adapted:
        """Make the copy with adapters that do nothing yet, and an untrained head."""
        return Adapted(config, shape, encoder())
