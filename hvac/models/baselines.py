"""The baselines beside every figure: base rate, persistence, logistic regression and gradient boosting.

Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from hvac.errors import ConfigError
from hvac.features.table import Windows, flat
from hvac.models.scaling import fit_scaler

Floats = npt.NDArray[np.float64]
Score = Callable[[Windows], Floats]
STRENGTHS = (0.001, 0.01, 0.1)
RISK_FLOOR = 1e-4
BOOSTING: dict[str, Any] = {
    "learning_rate": 0.06,
    "max_iter": 200,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_features": 0.5,
    "early_stopping": True,
    "n_iter_no_change": 12,
    "scoring": "loss",
}
BLOCKS: dict[str, tuple[str, ...]] = {
    "logistic_28": ("f_BCF",),
    "gbdt_28": ("f_BCF",),
    "gbdt_92": ("f_BCF", "z_BCE"),
    "gbdt_context": ("k_BK",),
    "gbdt_full": ("f_BCF", "k_BK"),
}
BASELINES = ("base_rate", "persistence", "logistic_28", "gbdt_28", "gbdt_92", "gbdt_context")


def fit_baseline(name: str, train: Windows, tune: Windows, *, seed: int = 0) -> Score:
    """Fit one baseline per horizon on windows whose label is known; strengths and stopping are chosen on *tune*.

    Returns:
        a function from windows to logits s_BH. A horizon with one class in training scores its base rate.

    Raises:
        ConfigError: no such baseline.
    """
    if name == "persistence":
        return lambda windows: _repeat(
            np.log(np.asarray(windows.persistence_B, dtype=np.float64) + RISK_FLOOR), train.labels[0].shape[1]
        )
    if name != "base_rate" and name not in BLOCKS:
        raise ConfigError(f"unknown baseline {name!r}: expected one of base_rate, persistence, {', '.join(BLOCKS)}")
    horizons = range(train.labels[0].shape[1])
    fitted = [_fit_horizon(name, _known(train, h), _known(tune, h), h=h, seed=seed) for h in horizons]
    return lambda windows: np.stack([score(windows) for score in fitted], axis=1)


def base_rates(windows: Windows) -> Floats:
    """Share of positives among known labels, per horizon; nan where none is known."""
    y_BH, known_BH = windows.labels
    with np.errstate(invalid="ignore"):
        return np.asarray((y_BH & known_BH).sum(axis=0) / known_BH.sum(axis=0))


def inputs(windows: Windows, blocks: Sequence[str]) -> Floats:
    """Blocks side by side, flattened over points: [B, N]."""
    arrays = [getattr(windows, block) for block in blocks]
    return np.concatenate([flat(np.asarray(a, dtype=np.float64)) for a in arrays], axis=1)


def _known(windows: Windows, h: int) -> Windows:
    return windows.take(windows.labels[1][:, h])


def _logit(risk: Any) -> Floats:
    return np.asarray(logit(np.clip(risk, RISK_FLOOR, 1 - RISK_FLOOR)))


def _repeat(score_B: Floats, horizons: int) -> Floats:
    return np.repeat(score_B[:, None], horizons, axis=1)


def _fit_horizon(name: str, train: Windows, tune: Windows, *, h: int, seed: int) -> Score:
    y_B = train.labels[0][:, h]
    rate = float(_logit(y_B.mean() if len(y_B) else 0.5))
    if name == "base_rate" or len(np.unique(y_B)) < 2:
        return lambda windows: np.full(len(windows), rate)
    fit = _fit_logistic if name.startswith("logistic") else _fit_boosting
    return fit(train, tune, blocks=BLOCKS[name], h=h, seed=seed)


def _fit_logistic(train: Windows, tune: Windows, *, blocks: Sequence[str], h: int, seed: int) -> Score:
    scaler = fit_scaler(inputs(train, blocks))
    train_BN, tune_BN = (scaler.transform(inputs(part, blocks)) for part in (train, tune))
    y_B, tune_y_B = train.labels[0][:, h], tune.labels[0][:, h]
    fitted = [
        LogisticRegression(C=strength, max_iter=300, random_state=seed).fit(train_BN, y_B) for strength in STRENGTHS
    ]
    both = 0 < tune_y_B.sum() < len(tune_y_B)
    scores = [average_precision_score(tune_y_B, m.decision_function(tune_BN)) if both else 0.0 for m in fitted]
    best = fitted[int(np.argmax(scores))]
    return lambda windows: np.asarray(best.decision_function(scaler.transform(inputs(windows, blocks))))


def _fit_boosting(train: Windows, tune: Windows, *, blocks: Sequence[str], h: int, seed: int) -> Score:
    y_B, tune_y_B = train.labels[0][:, h], tune.labels[0][:, h]
    model = HistGradientBoostingClassifier(**BOOSTING, random_state=seed)
    if len(np.unique(tune_y_B)) == 2:
        model.fit(inputs(train, blocks), y_B, X_val=inputs(tune, blocks), y_val=tune_y_B)
    else:
        model.set_params(early_stopping=False, max_iter=60).fit(inputs(train, blocks), y_B)
    return lambda windows: np.asarray(model.decision_function(inputs(windows, blocks)))
