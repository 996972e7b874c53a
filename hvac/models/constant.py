"""The two baselines that learn nothing from readings: `base_rate` and `persistence`.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from hvac.arrays import Floats
from hvac.features.table import Windows
from hvac.models.blocks import LEAST_RATE, constant_log_odds
from hvac.models.family import Encoding, FamilyConfig, Fitting, State


class BaseRateConfig(FamilyConfig):
    """The training base rate, for every window."""

    family: Literal["base_rate"] = "base_rate"
    """The family's name."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return nothing: no part of a window is looked at."""
        return ()


class PersistenceConfig(FamilyConfig):
    """Share of recent days out of limits (no limits: events in the last 90 days)."""

    family: Literal["persistence"] = "persistence"
    """The family's name."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the name of the share of recent days that featurize keeps."""
        return ("persistence",)


class BaseRate:
    """Log-odds of the base rate of each horizon."""

    def __init__(self, config: BaseRateConfig, rate_H: Floats) -> None:
        self.config = config
        self.rate_H = rate_H

    @property
    def parameters(self) -> int:
        """Return the number of horizons: one parameter each."""
        return len(self.rate_H)

    def score(self, windows: Windows) -> Floats:
        """Return the same logits for every window: [B, H]."""
        return np.tile(self.rate_H, (len(windows), 1))

    def state(self) -> State:
        """Return the log-odds per horizon."""
        return {"rate_H": self.rate_H}

    @classmethod
    def restore(cls, config: BaseRateConfig, state: State, encoder: Encoding) -> Self:
        """Restore the model that `state` was taken from."""
        return cls(config, state["rate_H"])

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: BaseRateConfig, fitting: Fitting
    ) -> Self:
        """Count the positives among known labels, per horizon."""
        horizons = range(train.labels[0].shape[1])
        return cls(config, np.array([constant_log_odds(train, h) for h in horizons]))


class Persistence:
    """The logarithm of the share of recent days out of limits."""

    def __init__(self, config: PersistenceConfig, horizons: int) -> None:
        self.config = config
        self.horizons = horizons

    @property
    def parameters(self) -> int:
        """Return 0: there are none."""
        return 0

    def score(self, windows: Windows) -> Floats:
        """Return the same score at every horizon: [B, H]."""
        score_B = np.log(
            np.asarray(windows.persistence_B, dtype=np.float64) + LEAST_RATE
        )
        return np.repeat(score_B[:, None], self.horizons, axis=1)

    def state(self) -> State:
        """Return how many horizons there are."""
        return {"horizons": np.array([self.horizons])}

    @classmethod
    def restore(
        cls, config: PersistenceConfig, state: State, encoder: Encoding
    ) -> Self:
        """Restore the model that `state` was taken from."""
        return cls(config, int(state["horizons"][0]))

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: PersistenceConfig, fitting: Fitting
    ) -> Self:
        """Return the model; there is nothing to fit."""
        return cls(config, train.labels[0].shape[1])
