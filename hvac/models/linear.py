"""Logistic regression on standardised blocks of a window, one per horizon.

The families are in `LINEAR_BLOCKS`. Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveFloat
from scipy.special import log_expit

from hvac.arrays import Floats
from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.blocks import (
    Without,
    constant_log_odds,
    inputs,
    known,
    remaining,
    two_classes,
)
from hvac.models.family import CrossFit, Encoding, FamilyConfig, Fitting, Folds, State
from hvac.models.scaling import Scaler, fit_scaler
from hvac.models.tune_score import tune_pr_auc

LINEAR_BLOCKS: dict[str, tuple[str, ...]] = {
    "logistic_28": ("features",),
    "logistic_recent": ("recent", "raw", "context"),
    "logistic_full": ("recent", "raw", "peers", "residuals", "context"),
}


class LogisticConfig(FamilyConfig):
    """Strengths that are tried; the best on windows not trained on is kept, per horizon."""

    family: Literal["logistic_28", "logistic_recent", "logistic_full"] = "logistic_28"
    """The family's name; it tells which blocks are read."""
    strengths: tuple[PositiveFloat, ...] = Field(
        default=(0.001, 0.01, 0.1), min_length=1
    )
    """Inverses of the L2 penalty that are tried."""
    iterations: int = Field(default=300, ge=1)
    """Most iterations of a fit."""
    without: Without = ()
    """Blocks that are left out, for ablations."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the family's blocks."""
        return remaining(LINEAR_BLOCKS[self.family], self.without)


class Line(NamedTuple):
    """The fit of one horizon."""

    scaler: Scaler
    weight_N: Floats
    bias: float

    def score(self, input_BN: Floats) -> Floats:
        """Return logits of rows of inputs."""
        terms_BN = self.scaler.transform(input_BN) * self.weight_N
        return np.asarray(terms_BN.sum(axis=1) + self.bias)


class Logistic:
    """Scaler and coefficients of every horizon."""

    def __init__(
        self,
        config: LogisticConfig,
        scalers: list[Scaler],
        weight_HN: Floats,
        bias_H: Floats,
    ) -> None:
        self.config = config
        self.scalers = scalers
        self.weight_HN = weight_HN
        self.bias_H = bias_H

    @property
    def parameters(self) -> int:
        """Count the coefficients and intercepts."""
        return self.weight_HN.size + self.bias_H.size

    def score(self, windows: Windows) -> Floats:
        """Return logits s_BH."""
        input_BN = inputs(windows, self.config.needs)
        if input_BN.shape[1] != self.weight_HN.shape[1]:
            raise BundleError(
                f"windows have {input_BN.shape[1]} inputs, the model expects"
                f" {self.weight_HN.shape[1]}"
            )
        lines = zip(self.scalers, self.weight_HN, self.bias_H, strict=True)
        return np.stack([Line(*line).score(input_BN) for line in lines], axis=1)

    def state(self) -> State:
        """Return all arrays, by name."""
        arrays: State = {"weight_HN": self.weight_HN, "bias_H": self.bias_H}
        for h, scaler in enumerate(self.scalers):
            arrays |= {
                f"scaler.{h}.{name}": array for name, array in scaler._asdict().items()
            }
        return arrays

    @classmethod
    def restore(cls, config: LogisticConfig, state: State, encoder: Encoding) -> Self:
        """Restore the model that `state` was taken from."""
        horizons = range(len(state["bias_H"]))
        scalers = [
            Scaler(*(state[f"scaler.{h}.{name}"] for name in Scaler._fields))
            for h in horizons
        ]
        return cls(config, scalers, state["weight_HN"], state["bias_H"])

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: LogisticConfig, fitting: Fitting
    ) -> Self:
        """Fit every strength on *train*, and keep the best on *tune*.

        A horizon with one kind of label in training scores its base rate.
        """
        return cls._of(
            [
                _fit_horizon(train, tune, config, h)
                for h in range(train.labels[0].shape[1])
            ],
            config,
        )

    @classmethod
    def cross_fit(
        cls, windows: Windows, config: LogisticConfig, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        """Choose the strength by the folds' log-loss, and score the folds with it.

        The last fit, with that strength, is on all windows.
        """
        horizons = range(windows.labels[0].shape[1])
        fits = [_cross_fit_horizon(windows, config, h, folds) for h in horizons]
        return CrossFit(
            cls._of([line for line, _ in fits], config),
            np.stack([score_B for _, score_B in fits], axis=1),
        )

    @classmethod
    def _of(cls, lines: list[Line], config: LogisticConfig) -> Self:
        scalers, weights, biases = zip(*lines, strict=True)
        return cls(config, list(scalers), np.stack(weights), np.array(biases))


def _fit_horizon(train: Windows, tune: Windows, config: LogisticConfig, h: int) -> Line:
    """Fit every strength and keep the best on *tune* by PR-AUC."""
    lines = _fit_strengths(train, config, h)
    tune = known(tune, h)
    tune_y_B = tune.labels[0][:, h]
    w_B = tune.weights[:, h]
    if len(lines) == 1 or not two_classes(tune_y_B):
        return lines[0]
    tune_BN = inputs(tune, config.needs)
    scores = [tune_pr_auc(line.score(tune_BN), tune_y_B, w_B) for line in lines]
    return lines[int(np.argmax(scores))]


def _cross_fit_horizon(
    windows: Windows, config: LogisticConfig, h: int, folds: Folds
) -> tuple[Line, Floats]:
    """Choose the strength by the folds' log-loss.

    Returns:
        The line of all windows, and the folds' scores.
    """
    y_B = windows.labels[0][:, h]
    w_B = windows.weights[:, h].astype(np.float64)
    input_BN = inputs(windows, config.needs)
    score_SB = np.zeros((len(config.strengths), len(windows)))
    for rest_B, own_B in folds.parts:
        lines = _fit_strengths(
            windows.take(rest_B if rest_B.any() else own_B), config, h
        )
        score_SB[:, own_B] = [
            line.score(input_BN[own_B]) for line in lines
        ]  # one flat line fills all strengths
    log_SB = np.where(y_B, log_expit(score_SB), log_expit(-score_SB))
    loss_S = -(w_B * log_SB).sum(axis=1)
    best = int(np.argmin(loss_S))
    return (
        _fit_strengths(windows, config.replace(strengths=(config.strengths[best],)), h)[
            0
        ],
        score_SB[best],
    )


def _fit_strengths(train: Windows, config: LogisticConfig, h: int) -> list[Line]:
    """Fit a line per strength; where one kind of label is known, a flat one at the base rate."""
    from sklearn.linear_model import LogisticRegression

    part = known(train, h)
    y_B = part.labels[0][:, h]
    w_B = part.weights[:, h]
    if not two_classes(y_B):
        scaler = fit_scaler(inputs(train, config.needs))
        zero_N = np.zeros(len(scaler.mean_N))
        return [Line(scaler, zero_N, constant_log_odds(train, h))]
    input_BN = inputs(part, config.needs)
    scaler = fit_scaler(input_BN)
    train_BN = scaler.transform(input_BN)
    fitted = [
        LogisticRegression(
            C=strength, max_iter=config.iterations, random_state=config.seed
        ).fit(train_BN, y_B, sample_weight=w_B)
        for strength in config.strengths
    ]
    return [
        Line(scaler, model.coef_[0], float(model.intercept_[0])) for model in fitted
    ]
