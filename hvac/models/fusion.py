"""`fusion`: models of single blocks, fused late by weights learned on scores of units they were not trained on.

Every block model is fitted without a fold of units and scores that fold; on these out-of-fold scores each block is
calibrated per horizon (Platt), and one weight per block, shared by all horizons and never negative, is fitted by
log-loss, with an intercept per horizon: fused scores are log-odds that hold across classes. With few units the weights
are shrunk to equal ones. A block that adds nothing out of fold gets weight 0, so that throwing in a weak block costs
little. The blocks are then fitted again on all training units.

Legend: B windows, H horizons, K blocks.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator
from scipy.special import expit

from hvac.features.table import Windows
from hvac.models.blocks import constant_log_odds, two_classes
from hvac.models.boosting import BoostingConfig
from hvac.models.family import Encoding, FamilyConfig, Fitting, Model, State
from hvac.models.hybrid import HybridConfig
from hvac.models.linear import LogisticConfig
from hvac.models.members import MEMBERS, MemberConfig

Floats = npt.NDArray[np.float64]
PLATT_PENALTY = 1e-3


def default_blocks() -> dict[str, Any]:
    """What happened and when (context and activity), statistics, statistics with context, and the neural member."""
    return {
        "history": BoostingConfig(family="gbdt_history"),
        "statistics": LogisticConfig(),
        "full": BoostingConfig(family="gbdt_full"),
        "neural": HybridConfig(members=4, epochs=12, patience=4),
    }


class FusionConfig(FamilyConfig):
    """Blocks and how they are fused; `mean` gives every block the same weight."""

    family: Literal["fusion"] = "fusion"
    blocks: dict[str, MemberConfig] = Field(default_factory=default_blocks, min_length=1)
    method: Literal["stack", "mean"] = "stack"
    folds: int = Field(default=3, ge=2)
    shrinkage: float = Field(default=0.1, ge=0)

    @field_validator("blocks")
    @classmethod
    def _have_no_seeds(cls, blocks: dict[str, Any]) -> dict[str, Any]:
        if seeded := [name for name, block in blocks.items() if block.seed]:
            raise ValueError(f"{seeded[0]}.seed has no say here: every block takes the fusion's seed")
        return blocks

    @property
    def needs(self) -> tuple[str, ...]:
        """What any of the blocks needs."""
        return tuple(sorted({need for block in self.blocks.values() for need in block.needs}))

    @property
    def reads(self) -> tuple[str, ...]:
        """What training windows must carry for any of the blocks."""
        return tuple(sorted({*super().reads, *(part for block in self.blocks.values() for part in block.reads)}))


class Fusion:
    """Fitted blocks, slope and intercept of each block and horizon, weights of blocks, intercepts of horizons."""

    def __init__(
        self, config: FusionConfig, blocks: dict[str, Model], platt_KHX: Floats, weight_K: Floats, intercept_H: Floats
    ) -> None:
        self.config, self.blocks, self.platt_KHX = config, blocks, platt_KHX
        self.weight_K, self.intercept_H = weight_K, intercept_H

    @property
    def parameters(self) -> int:
        """Those of the blocks, and the fusion's own."""
        own = self.platt_KHX.size + self.weight_K.size + self.intercept_H.size
        return sum(model.parameters for model in self.blocks.values()) + own

    def score(self, windows: Windows) -> Floats:
        """Log-odds s_BH."""
        score_KBH = np.stack([model.score(windows) for model in self.blocks.values()]).astype(np.float64)
        fused_BH = np.tensordot(self.weight_K, _calibrated(score_KBH, self.platt_KHX), axes=1) + self.intercept_H
        return np.asarray(fused_BH)

    def state(self) -> State:
        """The arrays of every block under its name, and the fusion's own."""
        own: State = {name: getattr(self, name) for name in ("platt_KHX", "weight_K", "intercept_H")}
        return own | {f"block.{n}.{key}": a for n, model in self.blocks.items() for key, a in model.state().items()}

    @classmethod
    def restore(cls, config: FusionConfig, state: State, encoder: Encoding) -> Self:
        """The model that `state` was taken from (bundles made before fusion kept its intercepts have none)."""
        blocks = {}
        for name, block in config.blocks.items():
            prefix = f"block.{name}."
            arrays = {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
            blocks[name] = MEMBERS[block.family].model.restore(block, arrays, encoder)
        intercept_H = state.get("intercept_H", np.zeros(state["platt_KHX"].shape[1]))
        return cls(config, blocks, state["platt_KHX"], state["weight_K"], intercept_H)

    @classmethod
    def fit(cls, train: Windows, tune: Windows, config: FusionConfig, fitting: Fitting) -> Self:
        """Weights from out-of-fold scores, then every block once more on all of *train*."""
        blocks = {name: block.replace(seed=config.seed) for name, block in config.blocks.items()}
        score_KBH = np.stack([_out_of_fold(train, tune, block, config, fitting) for block in blocks.values()])
        y_BH, known_BH = train.labels
        platt_KHX = np.stack([_calibrate(score_BH, train) for score_BH in score_KBH])
        weight_K, intercept_H = np.full(len(blocks), 1 / len(blocks)), np.zeros(y_BH.shape[1])
        if config.method == "stack" and len(np.unique(train.units)) > 1:  # of one unit no score is out of fold
            odds_KBH = _calibrated(score_KBH, platt_KHX)
            units = len(np.unique(train.units[(y_BH & known_BH).any(axis=1)]))
            penalty = config.shrinkage / max(units, 1)
            weight_K, intercept_H = fit_weights(odds_KBH, y_BH, known_BH, penalty=penalty)
        fitted = {name: MEMBERS[block.family].fit(train, tune, block, fitting) for name, block in blocks.items()}
        return cls(config, fitted, platt_KHX, weight_K, intercept_H)


def unit_folds(units_B: npt.NDArray[np.str_], *, folds: int, seed: int) -> dict[str, int]:
    """A fold for every unit, as even as can be, drawn by the seed."""
    units = np.unique(units_B)
    order = np.random.default_rng(seed).permutation(len(units))
    return dict(zip(units.tolist(), (order % min(folds, len(units))).tolist(), strict=True))


def _out_of_fold(train: Windows, tune: Windows, block: Any, config: FusionConfig, fitting: Fitting) -> Floats:
    """Scores s_BH of training windows by models that saw no window of their unit, in training or in stopping."""
    fold_of = unit_folds(train.units, folds=config.folds, seed=config.seed)
    fold_B, fold_V = (np.array([fold_of.get(unit, -1) for unit in part.units.tolist()]) for part in (train, tune))
    score_BH = np.empty(train.labels[0].shape)
    for fold in sorted(set(fold_of.values())):
        rest = train.take(fold_B != fold) if len(set(fold_of.values())) > 1 else train
        model = MEMBERS[block.family].fit(rest, tune.take(fold_V != fold), block, Fitting(fitting.encoder))
        score_BH[fold_B == fold] = model.score(train.take(fold_B == fold))
    return score_BH


def _calibrate(score_BH: Floats, train: Windows) -> Floats:
    """Slope (never negative) and intercept of each horizon: [H, 2]."""
    y_BH, known_BH = train.labels
    return np.array(
        [_platt(score_BH[k, h], y_BH[k, h], constant_log_odds(train, h)) for h, k in enumerate(known_BH.T)]
    )  # fmt: skip


def _platt(score_B: Floats, y_B: npt.NDArray[np.bool_], rate: float) -> tuple[float, float]:
    """Logistic regression of the label on the score (Platt 1999), a little penalised."""
    from scipy.optimize import minimize

    spread = float(score_B.std()) if len(score_B) else 0.0
    if not two_classes(y_B) or spread < 1e-9:
        return 0.0, rate
    standard_B = (score_B - score_B.mean()) / spread

    def loss(at: Floats) -> tuple[float, Floats]:
        odds_B = at[0] * standard_B + at[1]
        error_B = expit(odds_B) - y_B
        value = float((np.logaddexp(0, odds_B) - y_B * odds_B).mean() + PLATT_PENALTY * at[0] ** 2)
        return value, np.array([(error_B * standard_B).mean() + 2 * PLATT_PENALTY * at[0], error_B.mean()])

    found = minimize(loss, [0.5, rate], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]).x
    slope = found[0] / spread
    return float(slope), float(found[1] - slope * score_B.mean())


def _calibrated(score_KBH: Floats, platt_KHX: Floats) -> Floats:
    return platt_KHX[:, None, :, 0] * score_KBH + platt_KHX[:, None, :, 1]


def fit_weights(
    odds_KBH: Floats, y_BH: npt.NDArray[np.bool_], known_BH: npt.NDArray[np.bool_], *, penalty: float
) -> tuple[Floats, Floats]:
    """Weights w_K ≥ 0 of calibrated log-odds and intercepts of horizons that minimise the mean log-loss over horizons.

    A horizon with one kind of label has no say; its intercept keeps the log-odds that the blocks give on average.

    Args:
        penalty: of the squared distance to equal weights 1/K.

    >>> rng = np.random.default_rng(0)
    >>> y_BH = rng.random((2000, 1)) < 0.3
    >>> odds_KBH = np.stack([np.where(y_BH, 2.0, -2.0) + rng.normal(size=(2000, 1)), rng.normal(size=(2000, 1))])
    >>> (good, useless), _ = fit_weights(odds_KBH, y_BH, np.ones_like(y_BH), penalty=0.0)
    >>> bool(good > 1 and useless < 0.1)
    True
    """
    from scipy.optimize import minimize

    count, equal = len(odds_KBH), 1 / len(odds_KBH)
    told = [h for h, known_B in enumerate(known_BH.T) if two_classes(y_BH[known_B, h])]
    rows = [(place, odds_KBH[:, known_BH[:, h], h], y_BH[known_BH[:, h], h]) for place, h in enumerate(told, count)]

    def loss(at: Floats) -> tuple[float, Floats]:
        weight_K, gradient = at[:count], np.zeros(len(at))
        value = penalty * float(((weight_K - equal) ** 2).sum())
        gradient[:count] = 2 * penalty * (weight_K - equal)
        for place, odds_KB, y_B in rows:
            fused_B = weight_K @ odds_KB + at[place]
            error_B = (expit(fused_B) - y_B) / (len(y_B) * len(rows))
            value += float((np.logaddexp(0, fused_B) - y_B * fused_B).mean()) / len(rows)
            gradient[:count] += odds_KB @ error_B
            gradient[place] = error_B.sum()
        return value, gradient

    start = np.concatenate([np.full(count, equal), np.zeros(len(rows))])
    bounds: list[Any] = [(0, None)] * count + [(None, None)] * len(rows)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weight_K = np.asarray(found[:count])
    intercept_H = (1 - weight_K.sum()) * odds_KBH.mean(axis=(0, 1))
    intercept_H[told] = found[count:]
    return weight_K, intercept_H
