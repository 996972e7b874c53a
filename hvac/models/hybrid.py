"""`hybrid`, the predecessor's v2.1: embedding + 28 statistics per point → 128 → 64 → a logit.

There is one classifier per horizon; the encoder is frozen. The H classifiers share nothing but the
order of the batches: their weights lie stacked in one module, so that a step costs one pass instead
of H. With `members` > 1 every horizon has as many classifiers, whose logits are averaged.
Legend: B windows, C points, F statistics, E embedding, N = C·(E + F) inputs, H horizons, M members,
G = M·H, O outputs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from hvac.arrays import Bools, Float32s, Floats
from hvac.features.table import Windows
from hvac.models.family import NEEDS, Encoding
from hvac.models.fittable import Network, Weights
from hvac.models.network import NetworkModel, Shape, TrainingConfig
from hvac.models.network_inputs import Chosen, side_by_side
from hvac.models.scaling import fit_scaler

Block = Literal["embedding", "features", "context", "mean_tokens", "untrained"]


class HybridConfig(TrainingConfig):
    """Architecture and training of v2.1; the predecessor's values are the defaults."""

    family: Literal["hybrid"] = "hybrid"
    """The family's name."""
    inputs: tuple[Block, ...] = Field(default=("embedding", "features"), min_length=1)
    """Blocks to read; `mean_tokens` and `untrained` are embeddings for ablations."""
    hidden: tuple[int, int] = (128, 64)
    """Units of the two hidden layers."""
    members: int = Field(default=1, ge=1)
    """Classifiers per horizon whose logits are averaged."""
    most_inputs: int | None = Field(default=None, ge=1)
    """Inputs kept, by correlation with the label in training; None: all."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return what the blocks are made of."""
        return tuple(
            "tokens" if name == "mean_tokens" else name for name in self.inputs
        )


class HybridClassifier(nn.Module):
    """The classifier of one horizon.

    >>> sum(p.numel() for p in HybridClassifier(92).parameters())
    20609
    """

    def __init__(
        self, inputs: int, hidden: tuple[int, int] = (128, 64), dropout: float = 0.3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width in zip((inputs, *hidden[:-1]), hidden, strict=True):
            layers += [
                nn.Linear(width_in, width),
                nn.LayerNorm(width),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def forward(self, input_BN: torch.Tensor) -> torch.Tensor:
        """Turn standardised inputs into logits [B].

        Inputs that are not finite count as the training mean.
        """
        logit_B: torch.Tensor = self.layers(
            torch.nan_to_num(input_BN, nan=0.0, posinf=0.0, neginf=0.0)
        ).squeeze(-1)
        return logit_B


class Stack(Network):
    """G = M·H classifiers of the same shape.

    Every parameter of `HybridClassifier` has a leading axis G.
    """

    def __init__(
        self,
        classifiers: list[HybridClassifier],
        dropout: float,
        *,
        horizons: int | None = None,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.horizons = horizons or len(classifiers)
        states = [classifier.state_dict() for classifier in classifiers]
        for name in states[0]:
            stacked = nn.Parameter(torch.stack([state[name] for state in states]))
            self.register_parameter(name.replace(".", "_"), stacked)

    @property
    def part_H(self) -> tuple[int, ...]:
        """Return the horizons: every horizon is a part of its own."""
        return tuple(range(self.horizons))

    def part(self, number: int) -> Weights:
        """Return the weights of all members of one horizon."""
        return {
            name: tensor[number :: self.horizons].detach().cpu().clone()
            for name, tensor in self.kept().items()
        }

    def assemble(self, parts: list[Weights]) -> None:
        """Load every horizon's members."""
        self.take(
            {
                name: torch.stack([part[name] for part in parts], dim=1).flatten(0, 1)
                for name in parts[0]
            }
        )

    def forward(self, input_BSN: torch.Tensor) -> torch.Tensor:
        """Return the logits of every classifier: [M, H, B]."""
        weight = dict(self.named_parameters())
        input_BN = torch.nan_to_num(
            input_BSN.flatten(1), nan=0.0, posinf=0.0, neginf=0.0
        )
        weight_GON = weight["layers_0_weight"]
        bias_GO = weight["layers_0_bias"]
        # one product: all share the inputs
        hidden_BO = torch.addmm(bias_GO.flatten(), input_BN, weight_GON.flatten(0, 1).T)
        hidden_GBO = hidden_BO.view(-1, *bias_GO.shape).transpose(0, 1)
        hidden_GBO = self._activated(hidden_GBO, weight, 1)
        hidden_GBO = self._activated(self._linear(hidden_GBO, weight, 4), weight, 5)
        logit_GBO = self._linear(hidden_GBO, weight, 8)
        return logit_GBO.reshape(-1, self.horizons, len(input_BN))

    @staticmethod
    def _linear(
        hidden_GBO: torch.Tensor, weight: dict[str, nn.Parameter], layer: int
    ) -> torch.Tensor:
        bias_G1O = weight[f"layers_{layer}_bias"][:, None]
        return torch.baddbmm(
            bias_G1O, hidden_GBO, weight[f"layers_{layer}_weight"].transpose(1, 2)
        )

    def _activated(
        self, hidden_GBO: torch.Tensor, weight: dict[str, nn.Parameter], layer: int
    ) -> torch.Tensor:
        """Apply layer norm, ReLU and dropout."""
        scale_G1O = weight[f"layers_{layer}_weight"][:, None]
        shift_G1O = weight[f"layers_{layer}_bias"][:, None]
        normal_GBO = F.layer_norm(hidden_GBO, hidden_GBO.shape[-1:])
        hidden_GBO = F.relu(normal_GBO * scale_G1O + shift_G1O)
        return F.dropout(hidden_GBO, self.dropout, self.training)

    def clip_gradients(self, norm: float) -> bool:
        """Scale the gradient of each classifier to a norm of at most `norm`.

        Returns False where one is not finite.
        """
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        norm_G = torch.stack(
            [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
        ).norm(dim=0)
        scale_G = (norm / (norm_G + 1e-6)).clamp(max=1.0)
        if bool((scale_G < 1).any()):
            for gradient in gradients:
                gradient.mul_(scale_G.view(-1, *[1] * (gradient.dim() - 1)))
        return bool(torch.isfinite(norm_G).all())


class Hybrid(NetworkModel[HybridConfig]):
    """Fitted classifiers of all horizons with the statistics that standardise their inputs."""

    @staticmethod
    def inputs(windows: Windows, config: HybridConfig) -> tuple[Float32s, ...]:
        """Return the blocks in the order of `inputs`, flattened over points."""
        return (side_by_side([_block(windows, name) for name in config.inputs]),)

    @classmethod
    def choose(
        cls, input_BSN: Float32s, train: Windows, config: HybridConfig
    ) -> Chosen:
        """Choose the inputs of highest correlation with the label of any horizon."""
        if config.most_inputs is None or input_BSN.shape[-1] <= config.most_inputs:
            return None
        scaled_BN = fit_scaler(input_BSN[:, 0]).transform(input_BSN[:, 0])
        strength_HN = [
            _correlation(scaled_BN, *column)
            for column in zip(train.labels[0].T, train.weights.T, strict=True)
        ]
        order = np.argsort(-np.max(strength_HN, axis=0), kind="stable")
        return np.isin(np.arange(len(order)), order[: config.most_inputs])

    @classmethod
    def build(cls, config: HybridConfig, shape: Shape, encoder: Encoding) -> Stack:
        """Make one classifier per member and horizon."""
        stack = [
            HybridClassifier(shape.columns[0], config.hidden, config.dropout)
            for _ in range(config.members * shape.horizons)
        ]
        return Stack(stack, config.dropout, horizons=shape.horizons)


def _block(windows: Windows, name: str) -> Float32s:
    if name == "mean_tokens":
        assert windows.p_BCPE is not None, "tokens are made before (`family.prepared`)"
        mean_BCE: Float32s = windows.p_BCPE.mean(axis=2)
        return mean_BCE
    block: Float32s = getattr(windows, NEEDS[name])
    return block


def _correlation(scaled_BN: Float32s, y_B: Bools, w_B: Float32s) -> Floats:
    """Return the weighted |correlation| of every standardised input with the label.

    It is 0 where there is none.
    """
    if not w_B.sum() or not 0 < np.average(y_B, weights=w_B) < 1:
        return np.zeros(scaled_BN.shape[1])
    share_B = w_B / w_B.sum()
    centred_BN = scaled_BN - share_B @ scaled_BN
    covariance_N = (share_B * (y_B - share_B @ y_B)) @ centred_BN
    variance_N = np.maximum(share_B @ centred_BN**2, 1e-9)
    return np.asarray(np.abs(covariance_N) / np.sqrt(variance_N))
