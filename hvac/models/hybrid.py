"""`hybrid`, the seed's v2.1: frozen embedding + 28 statistics per point → 128 → 64 → a logit, one per horizon.

Legend: B windows, C points, F statistics, E embedding, N = C·(E + F) inputs, H horizons.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn

from hvac.config import Config
from hvac.errors import BundleError
from hvac.features.table import Windows, flat
from hvac.models.scaling import Scaler

Floats = npt.NDArray[np.float32]
State = dict[str, npt.NDArray[Any]]


class HybridConfig(Config):
    """Architecture and training of the v2.1 classifier (the seed's values are the defaults)."""

    inputs: tuple[Literal["embedding", "features"], ...] = ("embedding", "features")
    hidden: tuple[int, int] = (128, 64)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    final_learning_rate: float = Field(default=5e-5, gt=0)
    weight_decay: float = 0.01
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=1)
    clip: float = 1.0
    gamma: float = Field(default=3.0, ge=0)
    alpha: Literal["balanced", "prevalence"] | float = "balanced"
    seed: int = 0


class HybridClassifier(nn.Module):
    """The classifier of one horizon.

    >>> sum(p.numel() for p in HybridClassifier(92).parameters())
    20609
    """

    def __init__(self, inputs: int, hidden: tuple[int, int] = (128, 64), dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width in zip((inputs, *hidden[:-1]), hidden, strict=True):
            layers += [nn.Linear(width_in, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def forward(self, input_BN: torch.Tensor) -> torch.Tensor:
        """Standardised inputs → logits [B]; inputs that are not finite count as the training mean."""
        logit_B: torch.Tensor = self.layers(torch.nan_to_num(input_BN, nan=0.0, posinf=0.0, neginf=0.0)).squeeze(-1)
        return logit_B


class Hybrid:
    """Fitted classifiers of all horizons with the statistics that standardise their inputs."""

    family = "hybrid"

    def __init__(self, config: HybridConfig, scaler: Scaler, classifiers: list[HybridClassifier]) -> None:
        self.config, self.scaler = config, scaler
        self.classifiers = [classifier.eval().requires_grad_(False) for classifier in classifiers]

    def score(self, windows: Windows) -> Floats:
        """Logits s_BH. Raises BundleError where the windows do not have the width the classifiers were trained on."""
        input_BN = hybrid_inputs(windows, self.config)
        if input_BN.shape[1] != len(self.scaler.mean_N):
            raise BundleError(f"windows have {input_BN.shape[1]} inputs, the model expects {len(self.scaler.mean_N)}")
        scaled_BN = torch.from_numpy(self.scaler.transform(input_BN))
        with torch.inference_mode():
            return torch.stack([classifier(scaled_BN) for classifier in self.classifiers], dim=1).numpy()

    def state(self) -> State:
        """All arrays, by name (for safetensors)."""
        arrays: State = {f"scaler.{name}": array for name, array in self.scaler._asdict().items()}
        for h, classifier in enumerate(self.classifiers):
            arrays |= {
                f"classifier.{h}.{name}": t.detach().cpu().numpy() for name, t in classifier.state_dict().items()
            }
        return arrays

    @classmethod
    def restore(cls, config: HybridConfig, state: State) -> Hybrid:
        """The model that `state` was taken from."""
        scaler = Scaler(*(state[f"scaler.{name}"] for name in Scaler._fields))
        classifiers: list[HybridClassifier] = []
        while any(name.startswith(f"classifier.{len(classifiers)}.") for name in state):
            prefix = f"classifier.{len(classifiers)}."
            classifier = HybridClassifier(len(scaler.mean_N), config.hidden, config.dropout)
            tensors = {n.removeprefix(prefix): torch.from_numpy(a) for n, a in state.items() if n.startswith(prefix)}
            classifier.load_state_dict(tensors)
            classifiers.append(classifier)
        return cls(config, scaler, classifiers)


def hybrid_inputs(windows: Windows, config: HybridConfig) -> Floats:
    """Embedding then statistics, flattened over points: [B, N]."""
    blocks = {"embedding": windows.z_BCE, "features": windows.f_BCF}
    chosen = [blocks[name] for name in config.inputs]
    if any(block is None for block in chosen):
        raise BundleError(f"hybrid needs {' and '.join(config.inputs)}; the windows do not have all of them")
    return np.concatenate([flat(np.asarray(b, dtype=np.float32)) for b in chosen], axis=1)
