"""What the training loop asks of a network, and how networks become a model family.

Legend: B windows, S positions (days, patches; 1 for a flat input), N columns, H horizons, M
ensemble members.
"""

from __future__ import annotations

from typing import Generic, Literal, NamedTuple, Self, TypeVar

import numpy as np
import torch
from pydantic import Field

from hvac.arrays import AnyFloats, Float32s, Floats
from hvac.config import Share
from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.family import (
    CrossFit,
    Encoding,
    FamilyConfig,
    Fitting,
    Folds,
    State,
    augmented,
)
from hvac.models.fit_rows import Rows, count
from hvac.models.fittable import Network
from hvac.models.fitting import FitState, fit_network
from hvac.models.network_inputs import Chosen, chosen_columns, network_parts, points_of
from hvac.models.scaling import Scaler, fit_scaler

SCORE_BATCH = 4096
SMALL = 4096  # sizes of a network that any may have


class TrainingConfig(FamilyConfig):
    """How a network is trained; the values of the predecessor's v2.1 are the defaults."""

    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of hidden units that are dropped in training."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Step size at the start; it falls along a cosine."""
    final_learning_rate: float = Field(default=5e-5, ge=0)
    """Step size at the end."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of the weights."""
    epochs: int = Field(default=20, ge=1)
    """Most passes over the training windows."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs without a better tune PR-AUC after which training stops; None: never."""
    batch_size: int = Field(default=128, ge=1)
    """Windows of a step, over all workers."""
    windows_per_epoch: int | None = Field(default=None, ge=1)
    """Windows drawn for an epoch; None: all."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    gamma: float = Field(default=3.0, ge=0)
    """Focal loss: how much easy windows are weighed down; 0: not at all."""
    alpha: Literal["balanced", "prevalence", "none"] | Share = "balanced"
    """Weight of the positives: `balanced` 1 − prevalence, `prevalence`, `none`, a number."""


class Shape(NamedTuple):
    """Sizes a network is built for: points, horizons, and positions and columns of every input."""

    points: int
    horizons: int
    positions: tuple[int, ...]
    columns: tuple[int, ...]


def _checked_shape(state: State) -> list[int]:
    """Return the sizes that a state was taken from.

    Raises:
        BundleError: if they would only take memory.
    """
    sizes = [int(size) for size in state["shape"].tolist()]
    numbers = sum(
        array.size for name, array in state.items() if name.startswith("network.")
    )
    if len(sizes) < 2 or min(sizes) < 0 or max(sizes) > max(numbers, SMALL):
        raise BundleError(
            f"its network is damaged: sizes {sizes[:8]} do not belong to {numbers} weights"
        )
    return sizes


Settings = TypeVar("Settings", bound=TrainingConfig)


class NetworkModel(Generic[Settings]):
    """A family whose scores come from one network on standardised inputs."""

    def __init__(
        self,
        config: Settings,
        scalers: tuple[Scaler, ...],
        shape: Shape,
        network: Network,
        chosen: Chosen = None,
    ) -> None:
        self.config = config
        self.scalers = scalers
        self.shape = shape
        self.chosen_N = chosen
        self.network = network.eval()

    @staticmethod
    def inputs(windows: Windows, config: Settings) -> tuple[Float32s, ...]:
        """Return the family's inputs, each [B, S, N].

        Columns N are standardised over windows and positions S.
        """
        raise NotImplementedError

    @classmethod
    def choose(cls, input_BSN: Float32s, train: Windows, config: Settings) -> Chosen:
        """Tell which columns of the first input are kept, by the training windows; None: all."""
        return None

    @staticmethod
    def scaler(input_BSN: Float32s, number: int) -> Scaler:
        """Fit how one of the inputs is standardised."""
        return fit_scaler(input_BSN.reshape(-1, input_BSN.shape[-1]))

    @classmethod
    def build(cls, config: Settings, shape: Shape, encoder: Encoding) -> Network:
        """Make an untrained network."""
        raise NotImplementedError

    @property
    def parameters(self) -> int:
        """Count the trainable parameters."""
        return sum(p.numel() for p in self.network.trainable())

    def rows(self, windows: Windows) -> Rows:
        """Return standardised inputs and labels of labelled windows."""
        return Rows(self._scaled(windows), windows.labels[0], windows.weights)

    def score(self, windows: Windows) -> Floats:
        """Return logits s_BH.

        Raises:
            BundleError: if the windows do not have the width the network was trained on.
        """
        return self._score_scaled(self._scaled(windows))

    def score_rows(self, input_RN: AnyFloats) -> Floats:
        """Return logits [R, H] of rows of the inputs that are kept, for a network of flat inputs."""
        return self._score_scaled((self.scalers[0].transform(input_RN)[:, None],))

    def _score_scaled(self, inputs: tuple[Float32s, ...]) -> Floats:
        device = next(self.network.parameters()).device
        parts = [np.empty((0, self.shape.horizons))]
        with torch.inference_mode():
            for start in range(0, len(inputs[0]), SCORE_BATCH):
                batch = tuple(
                    torch.from_numpy(part[start : start + SCORE_BATCH]).to(device)
                    for part in inputs
                )
                read_HB = self.network.read_out(self.network(*batch))
                parts.append(read_HB.double().cpu().numpy().T)
        return np.concatenate(parts)

    def _scaled(self, windows: Windows) -> tuple[Float32s, ...]:
        raw = chosen_columns(self.inputs(windows, self.config), self.chosen_N)
        for inputs, expected in zip(raw, self.shape.columns, strict=True):
            if inputs.shape[-1] != expected:
                raise BundleError(
                    f"windows have {inputs.shape[-1]} inputs, the model expects {expected}"
                )
        return tuple(
            scaler.transform(input_BSN)
            for scaler, input_BSN in zip(self.scalers, raw, strict=True)
        )

    def state(self) -> State:
        """Return all arrays, by name (for safetensors)."""
        arrays: State = {
            "shape": np.array([*self.shape[:2], *self.shape.positions], dtype=np.int64)
        }
        if self.chosen_N is not None:
            arrays["chosen_N"] = self.chosen_N
        for i, scaler in enumerate(self.scalers):
            arrays |= {
                f"scaler.{i}.{name}": array for name, array in scaler._asdict().items()
            }
        return arrays | {
            f"network.{n}": t.detach().cpu().numpy()
            for n, t in self.network.kept().items()
        }

    @classmethod
    def restore(cls, config: Settings, state: State, encoder: Encoding) -> Self:
        """Restore the model that `state` was taken from."""
        scalers: list[Scaler] = []
        while f"scaler.{len(scalers)}.mean_N" in state:
            scalers.append(
                Scaler(
                    *(state[f"scaler.{len(scalers)}.{name}"] for name in Scaler._fields)
                )
            )
        points, horizons, *positions = _checked_shape(state)
        shape = Shape(
            points,
            horizons,
            tuple(positions),
            tuple(len(scaler.mean_N) for scaler in scalers),
        )
        network = cls.build(config, shape, encoder)
        prefix = "network."
        network.take(
            {
                n.removeprefix(prefix): torch.from_numpy(a)
                for n, a in state.items()
                if n.startswith(prefix)
            }
        )
        return cls(config, tuple(scalers), shape, network, state.get("chosen_N"))

    @classmethod
    def start(cls, train: Windows, config: Settings, encoder: Encoding) -> Self:
        """Make the untrained model.

        Inputs are scaled by training statistics; weights are drawn by the seed.
        """
        raw = cls.inputs(train, config)
        chosen_N = cls.choose(raw[0], train, config)
        raw = chosen_columns(raw, chosen_N)
        scalers = tuple(
            cls.scaler(input_BSN, number) for number, input_BSN in enumerate(raw)
        )
        y_BH, _ = train.labels
        positions = tuple(input_BSN.shape[1] for input_BSN in raw)
        columns = tuple(input_BSN.shape[2] for input_BSN in raw)
        shape = Shape(points_of(train), y_BH.shape[1], positions, columns)
        torch.manual_seed(config.seed)
        return cls(config, scalers, shape, cls.build(config, shape, encoder), chosen_N)

    def finish(self, state: FitState) -> Self:
        """Return this model with the best epoch of a fit."""
        self.network.assemble(state.best)
        return self

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: Settings, fitting: Fitting
    ) -> Self:
        """Fit in this process."""
        model = cls.start(train, config, fitting.encoder)
        state = fit_network(
            model.network,
            model.rows(train),
            model.rows(tune),
            config,
            counts=count(train),
            workers=fitting.workers,
            state=fitting.state,
            report=fitting.report,
        )
        return model.finish(state)

    @classmethod
    def cross_fit(
        cls, windows: Windows, config: Settings, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        """Fit without each fold to score it, then on everything.

        Each fit learns on *train* and stops on *tune*. Fits that `fitting.states` holds are taken
        from there.
        """
        score_BH = np.empty(windows.labels[0].shape)
        for number, (_, own_B) in enumerate(folds.parts):
            fitted = cls._fit_part(windows, config, fitting, folds, number)
            score_BH[own_B] = fitted.score(windows.take(own_B))
        return CrossFit(cls._fit_part(windows, config, fitting, folds, None), score_BH)

    @classmethod
    def _fit_part(
        cls,
        windows: Windows,
        config: Settings,
        fitting: Fitting,
        folds: Folds,
        fold: int | None,
    ) -> Self:
        train, tune = network_parts(windows, folds, fold)
        train = augmented(train, config, fitting.encoder)
        state = fitting.states.get(fit_name(fitting.name, fold))
        if state is not None:
            return cls.start(train, config, fitting.encoder).finish(state)
        return cls.fit(train, tune, config, fitting)


def fit_name(name: str, fold: int | None) -> str:
    """Name one of a network's fits.

    >>> fit_name("neural", 0), fit_name("", None)
    ('neural#0', '#all')
    """
    return f"{name}#{'all' if fold is None else fold}"
