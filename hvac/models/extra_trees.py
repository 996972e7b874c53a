"""Extremely randomised trees (Geurts, Ernst and Wehenkel 2006): one forest per horizon.

Averages of many deep, random trees make few assumptions and hardly overfit, where boosting follows
single machines: the plain model that is hardest to beat where few units have events. Fitted by
scikit-learn; kept as plain arrays.
Legend: B windows, N inputs, H horizons, T trees.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from hvac.arrays import Floats
from hvac.features.table import Windows
from hvac.models.blocks import (
    Without,
    constant_log_odds,
    finite_inputs,
    known,
    log_odds,
    remaining,
    two_classes,
    unit_windows,
)
from hvac.models.family import FamilyConfig, Fitting
from hvac.models.tree_model import TreeModel, width_of
from hvac.models.trees import TreeNodes, Trees, join_trees

FOREST_BLOCKS: dict[str, tuple[str, ...]] = {
    "et_28": ("features",),
    "et_context": ("context",),
    "et_history": ("context", "activity"),
    "et_recent": ("recent", "raw", "context"),
    "et_relative": ("peers", "residuals", "context"),
    "et_full": ("recent", "raw", "peers", "residuals", "context"),
}


class ExtraTreesConfig(FamilyConfig):
    """Trees of a forest, and how large their leaves are at least."""

    family: Literal[
        "et_28", "et_context", "et_history", "et_recent", "et_relative", "et_full"
    ] = "et_28"
    """The family's name; it tells which blocks are read."""
    trees: int = Field(default=100, ge=1)
    """Trees of each horizon's forest."""
    min_leaf: int = Field(default=8, ge=1)
    """Fewest windows in a leaf."""
    unit_share: float = Field(default=0.1, ge=0)
    """A leaf also holds at least this share of the mean number of windows of a unit."""
    balanced: bool = False
    """Whether positives and negatives weigh the same in training."""
    without: Without = ()
    """Blocks that are left out, for ablations."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the family's blocks."""
        return remaining(FOREST_BLOCKS[self.family], self.without)


class ExtraTrees(TreeModel):
    """Forests of all horizons; a leaf holds its tree's share of the probability."""

    def score(self, windows: Windows) -> Floats:
        """Return logits s_BH: the log-odds of the mean of the trees' probabilities."""
        return log_odds(super().score(windows))

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: ExtraTreesConfig, fitting: Fitting
    ) -> Self:
        """Fit one forest per horizon; a horizon with one class in training scores its base rate."""
        horizons = range(train.labels[0].shape[1])
        forests = [_fit_horizon(train, config, h) for h in horizons]
        return cls(config, forests, width_of(train, config.needs))


def _fit_horizon(train: Windows, config: ExtraTreesConfig, h: int) -> Trees:
    from scipy.special import expit
    from sklearn.ensemble import ExtraTreesClassifier

    least = max(config.min_leaf, round(config.unit_share * unit_windows(train)))
    train = known(train, h)
    y_B = train.labels[0][:, h]
    if not two_classes(y_B):
        return join_trees([], base=float(expit(constant_log_odds(train, h))))
    model = ExtraTreesClassifier(
        config.trees,
        min_samples_leaf=least,
        class_weight="balanced" if config.balanced else None,
        random_state=config.seed,
        n_jobs=1,
    )
    input_BN = finite_inputs(train, config.needs)
    model.fit(input_BN, y_B, sample_weight=train.weights[:, h])
    trees = [_nodes(tree.tree_, config.trees) for tree in model.estimators_]
    return join_trees(trees, base=0.0)


def _nodes(tree: Any, trees: int) -> TreeNodes:
    """Return one tree's nodes; its leaves hold their share of the forest's probability."""
    feature_K = np.where(tree.children_left < 0, -1, tree.feature)
    total_K = tree.value[:, 0].sum(axis=1)
    value_K = tree.value[:, 0, 1] / total_K / trees
    return TreeNodes(
        feature_K,
        tree.threshold,
        tree.missing_go_to_left,
        tree.children_left,
        tree.children_right,
        value_K,
    )
