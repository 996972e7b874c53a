"""`logistic_28`: logistic regression on the standardised statistics, one per horizon.

Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat

from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.blocks import constant_log_odds, inputs, known, two_classes
from hvac.models.family import Encoding, FamilyConfig, Fitting, State
from hvac.models.scaling import Scaler, fit_scaler

Floats = npt.NDArray[np.float64]


class LogisticConfig(FamilyConfig):
    """Strengths tried (inverse of the L2 penalty); the best on *tune* by PR-AUC is kept, per horizon."""

    family: Literal["logistic_28"] = "logistic_28"
    strengths: tuple[PositiveFloat, ...] = Field(default=(0.001, 0.01, 0.1), min_length=1)
    iterations: int = Field(default=300, ge=1)

    @property
    def needs(self) -> tuple[str, ...]:
        """The statistics."""
        return ("features",)


class Logistic:
    """Scaler and coefficients of every horizon."""

    def __init__(self, config: LogisticConfig, scalers: list[Scaler], weight_HN: Floats, bias_H: Floats) -> None:
        self.config, self.scalers, self.weight_HN, self.bias_H = config, scalers, weight_HN, bias_H

    @property
    def parameters(self) -> int:
        """Coefficients and intercepts."""
        return self.weight_HN.size + self.bias_H.size

    def score(self, windows: Windows) -> Floats:
        """Logits s_BH."""
        input_BN = inputs(windows, self.config.needs)
        if input_BN.shape[1] != self.weight_HN.shape[1]:
            raise BundleError(f"windows have {input_BN.shape[1]} inputs, the model expects {self.weight_HN.shape[1]}")
        columns = zip(self.scalers, self.weight_HN, self.bias_H, strict=True)
        scores = [(scaler.transform(input_BN) * weight_N).sum(axis=1) + bias for scaler, weight_N, bias in columns]
        return np.stack(scores, axis=1)

    def state(self) -> State:
        """All arrays, by name."""
        arrays: State = {"weight_HN": self.weight_HN, "bias_H": self.bias_H}
        for h, scaler in enumerate(self.scalers):
            arrays |= {f"scaler.{h}.{name}": array for name, array in scaler._asdict().items()}
        return arrays

    @classmethod
    def restore(cls, config: LogisticConfig, state: State, encoder: Encoding) -> Self:
        """The model that `state` was taken from."""
        horizons = range(len(state["bias_H"]))
        scalers = [Scaler(*(state[f"scaler.{h}.{name}"] for name in Scaler._fields)) for h in horizons]
        return cls(config, scalers, state["weight_HN"], state["bias_H"])

    @classmethod
    def fit(cls, train: Windows, tune: Windows, config: LogisticConfig, fitting: Fitting) -> Self:
        """Fit every strength on *train*; a horizon with one class in training scores its base rate."""
        fits = [_fit_horizon(train, tune, config, h) for h in range(train.labels[0].shape[1])]
        scalers, weights, biases = zip(*fits, strict=True)
        return cls(config, list(scalers), np.stack(weights), np.array(biases))


def _fit_horizon(train: Windows, tune: Windows, config: LogisticConfig, h: int) -> tuple[Scaler, Floats, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    if not two_classes(known(train, h).labels[0][:, h]):
        scaler = fit_scaler(inputs(train, config.needs))
        return scaler, np.zeros(len(scaler.mean_N)), constant_log_odds(train, h)
    train, tune = known(train, h), known(tune, h)
    y_B, tune_y_B = train.labels[0][:, h], tune.labels[0][:, h]
    scaler = fit_scaler(inputs(train, config.needs))
    train_BN, tune_BN = (scaler.transform(inputs(part, config.needs)) for part in (train, tune))
    fitted = [
        LogisticRegression(C=strength, max_iter=config.iterations, random_state=config.seed).fit(train_BN, y_B)
        for strength in config.strengths
    ]
    both = two_classes(tune_y_B)
    scores = [average_precision_score(tune_y_B, m.decision_function(tune_BN)) if both else 0.0 for m in fitted]
    best = fitted[int(np.argmax(scores))]
    return scaler, best.coef_[0], float(best.intercept_[0])
