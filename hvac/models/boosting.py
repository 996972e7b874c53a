"""Gradient boosting on blocks of a window: one model per horizon (the families: `BLOCKS`).

Fitted by scikit-learn; kept as the plain arrays of its trees.

Legend: B windows, N inputs, H horizons, T trees.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field
from scipy.special import log_expit

from hvac.arrays import Bools, Floats, Ints
from hvac.features.table import Windows
from hvac.models.blocks import (
    Without,
    finite_inputs,
    log_odds,
    remaining,
    two_classes,
    without_empty_columns,
)
from hvac.models.family import CrossFit, FamilyConfig, Fitting, Folds
from hvac.models.tree_model import TreeModel, width_of
from hvac.models.trees import TreeNodes, Trees, join_trees

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

BLOCKS: dict[str, tuple[str, ...]] = {
    "gbdt_28": ("features",),
    "gbdt_92": ("features", "embedding"),
    "gbdt_context": ("context",),
    "gbdt_activity": ("activity",),
    "gbdt_history": ("context", "activity"),
    "gbdt_full": ("features", "context"),
    "gbdt_relative": ("peers", "residuals", "context"),
}
UNSTOPPED_TREES = 60
STEP = 10  # numbers of trees that are tried: multiples of it


class BoostingConfig(FamilyConfig):
    """Boosted trees; their number is chosen by log-loss on windows they have not seen."""

    family: Literal[
        "gbdt_28",
        "gbdt_92",
        "gbdt_context",
        "gbdt_activity",
        "gbdt_history",
        "gbdt_full",
        "gbdt_relative",
    ] = "gbdt_28"
    """The family's name; it tells which blocks are read (`BLOCKS`)."""
    learning_rate: float = Field(default=0.06, gt=0)
    """Shrinkage of every tree."""
    trees: int = Field(default=200, ge=1)
    """Most trees per horizon; fewer where more gain nothing."""
    leaves: int = Field(default=12, ge=2)
    """Most leaves of a tree."""
    min_leaf: int = Field(default=40, ge=1)
    """Fewest windows in a leaf."""
    l2: float = Field(default=5.0, ge=0)
    """L2 penalty on the leaves' values."""
    share_of_features: float = Field(default=0.5, gt=0, le=1)
    """Share of the inputs that a split may choose from."""
    patience: int = Field(default=12, ge=1)
    """Trees without a gain in log-loss after which boosting stops."""
    without: Without = ()
    """Blocks that are left out, for ablations."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the family's blocks."""
        return remaining(BLOCKS[self.family], self.without)


class BoostingRows(NamedTuple):
    """Inputs, labels and weights of the rows of one horizon."""

    input_BN: Floats
    y_B: Bools
    w_B: Floats

    def known(self) -> BoostingRows:
        """Return the rows that weigh something."""
        keep_B = self.w_B > 0
        return BoostingRows(self.input_BN[keep_B], self.y_B[keep_B], self.w_B[keep_B])


class Boosting(TreeModel):
    """Boosted trees of all horizons."""

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: BoostingConfig, fitting: Fitting
    ) -> Self:
        """Fit one model per horizon; a horizon with one class in training scores its base rate."""
        horizons = range(train.labels[0].shape[1])
        forests = [_fit_stopped(train, tune, config, h) for h in horizons]
        return cls(config, forests, width_of(train, config.needs))

    @classmethod
    def cross_fit(
        cls, windows: Windows, config: BoostingConfig, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        """Choose the number of trees by the folds' log-loss, score with it, and fit that many.

        The last fit is on all windows.
        """
        input_BN = finite_inputs(windows, config.needs)
        horizons = range(windows.labels[0].shape[1])
        fits = [
            _cross_fit_horizon(input_BN, windows, config, h, folds) for h in horizons
        ]
        model = cls(config, [forest for forest, _ in fits], input_BN.shape[1])
        score_BH = np.stack([score_B for _, score_B in fits], axis=1)
        return CrossFit(model, score_BH)


def _fit_stopped(
    train: Windows, tune: Windows, config: BoostingConfig, h: int
) -> Trees:
    """Fit one horizon; boosting stops where *tune* gains nothing more."""
    learned = _known_rows(train, config, h)
    tuning = _known_rows(tune, config, h)
    if two_classes(tuning.y_B):
        return _fit_trees(learned, config, until=tuning)
    trees = min(config.trees, UNSTOPPED_TREES)
    return _fit_trees(learned, config.replace(trees=trees))


def _known_rows(windows: Windows, config: BoostingConfig, h: int) -> BoostingRows:
    input_BN = finite_inputs(windows, config.needs)
    y_B = windows.labels[0][:, h]
    w_B = windows.weights[:, h].astype(np.float64)
    return BoostingRows(input_BN, y_B, w_B).known()


def _cross_fit_horizon(
    input_BN: Floats, windows: Windows, config: BoostingConfig, h: int, folds: Folds
) -> tuple[Trees, Floats]:
    y_B = windows.labels[0][:, h]
    w_B = windows.weights[:, h].astype(np.float64)
    counts = np.arange(0, config.trees + STEP, STEP)
    staged_NB = np.empty((len(counts), len(y_B)))
    for rest_B, own_B in folds.parts:
        learned_B = rest_B if rest_B.any() else own_B
        learned = BoostingRows(
            input_BN[learned_B], y_B[learned_B], w_B[learned_B]
        ).known()
        held_out = BoostingRows(input_BN[own_B], y_B[own_B], w_B[own_B]).known()
        trees = _fit_trees(learned, config, until=held_out)
        staged_NB[:, own_B] = _staged(trees, counts, input_BN[own_B])
    log_NB = np.where(y_B, log_expit(staged_NB), log_expit(-staged_NB))
    loss_N = -(w_B * log_NB).sum(axis=1)
    best = int(np.argmin(loss_N))
    final = config.replace(trees=max(int(counts[best]), 1))
    known = BoostingRows(input_BN, y_B, w_B).known()
    return _fit_trees(known, final), staged_NB[best]


def _staged(trees: Trees, counts: Ints, input_BN: Floats) -> Floats:
    """Return the scores that the first n trees give, for every n of `counts`: [N, B]."""
    steps = np.minimum(counts, len(trees.root_T))
    pairs = itertools.pairwise(steps.tolist())
    gains = [trees.between(a, b).total(input_BN) for a, b in pairs]
    none_B = np.zeros(len(input_BN))
    total_NB = np.cumsum([none_B, *gains], axis=0)
    return np.asarray(trees.base[0] + total_NB)


def _fit_trees(
    rows: BoostingRows, config: BoostingConfig, *, until: BoostingRows | None = None
) -> Trees:
    """Fit `config.trees`, or fewer where other rows show that more only harm them."""
    if not two_classes(rows.y_B):
        rate = 0.5
        if len(rows.y_B):
            rate = float(np.average(rows.y_B, weights=rows.w_B))
        return join_trees([], base=float(log_odds(rate)))
    rows = rows._replace(input_BN=without_empty_columns(rows.input_BN))
    if until is None or not two_classes(until.y_B):
        model = _classifier(config, config.trees, early_stopping=False)
        return _trees(model.fit(rows.input_BN, rows.y_B, sample_weight=rows.w_B))
    model = _classifier(
        config,
        config.trees,
        early_stopping=True,
        n_iter_no_change=config.patience,
        scoring="loss",
    )
    stopping = {
        "X_val": until.input_BN,
        "y_val": until.y_B,
        "sample_weight_val": until.w_B,
    }
    model.fit(rows.input_BN, rows.y_B, sample_weight=rows.w_B, **stopping)
    return _trees(model)


def _classifier(
    config: BoostingConfig, trees: int, **stopping: Any
) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=config.learning_rate,
        max_iter=trees,
        max_leaf_nodes=config.leaves,
        min_samples_leaf=config.min_leaf,
        l2_regularization=config.l2,
        max_features=config.share_of_features,
        random_state=config.seed,
        **stopping,
    )


def _trees(model: HistGradientBoostingClassifier) -> Trees:
    names = (
        "feature_idx",
        "num_threshold",
        "missing_go_to_left",
        "left",
        "right",
        "value",
    )
    trees = []
    for (tree,) in model._predictors:
        feature, *others = (tree.nodes[name] for name in names)
        trees.append(
            TreeNodes(
                np.where(tree.nodes["is_leaf"], -1, feature.astype(np.int64)), *others
            )
        )
    return join_trees(trees, base=float(model._baseline_prediction.ravel()[0]))
