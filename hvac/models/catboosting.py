"""`catboost_full`: CatBoost on the 28 statistics and context (an optional extra).

It is a candidate from another library. Its symmetric trees are kept as plain arrays like all
others, so that scoring needs no CatBoost. Legend: B windows, N inputs, H horizons, K nodes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.blocks import constant_log_odds, finite_inputs, known, two_classes
from hvac.models.family import FamilyConfig, Fitting
from hvac.models.tree_model import TreeModel, width_of
from hvac.models.trees import TreeNodes, Trees, join_trees


class CatBoostConfig(FamilyConfig):
    """CatBoost's settings; the defaults keep a fit at about a second."""

    family: Literal["catboost_full"] = "catboost_full"
    """The family's name."""
    trees: int = Field(default=200, ge=1)
    """Trees per horizon."""
    depth: int = Field(default=6, ge=1, le=10)
    """Levels of a symmetric tree."""
    learning_rate: float = Field(default=0.06, gt=0)
    """Shrinkage of every tree."""
    borders: int = Field(default=64, ge=1)
    """Borders per input that splits are chosen from."""
    share_of_features: float = Field(default=0.5, gt=0, le=1)
    """Share of the inputs that a level may choose from."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of statistics and context."""
        return ("features", "context")


class CatBoost(TreeModel):
    """CatBoost's trees of all horizons."""

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: CatBoostConfig, fitting: Fitting
    ) -> Self:
        """Fit one model per horizon."""
        horizons = range(train.labels[0].shape[1])
        forests = [_fit_horizon(train, config, h) for h in horizons]
        return cls(config, forests, width_of(train, config.needs))


def _fit_horizon(train: Windows, config: CatBoostConfig, h: int) -> Trees:
    train = known(train, h)
    y_B = train.labels[0][:, h]
    if not two_classes(y_B):
        return join_trees([], base=constant_log_odds(train, h))
    model = _library().CatBoostClassifier(
        iterations=config.trees,
        depth=config.depth,
        learning_rate=config.learning_rate,
        random_seed=config.seed,
        border_count=config.borders,
        rsm=config.share_of_features,
        boosting_type="Plain",
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(
        finite_inputs(train, config.needs),
        y_B.astype(int),
        sample_weight=train.weights[:, h],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json")
        return _trees(json.loads(path.read_text(encoding="utf-8")))


def _library() -> ModuleType:
    try:
        import catboost
    except ImportError:
        raise ConfigError(
            "catboost_full needs the package catboost: pip install 'hvac-foresight[catboost]', or"
            " choose another family"
        ) from None
    module: ModuleType = catboost
    return module


def _trees(stored: dict[str, Any]) -> Trees:
    """Turn CatBoost's symmetric trees into nodes.

    A level has one split; a missing value is below all borders.
    """
    scale, (bias,) = stored["scale_and_bias"]
    column = {
        f["feature_index"]: f["flat_feature_index"]
        for f in stored["features_info"]["float_features"]
    }
    return join_trees(
        [_nodes(tree, column, scale) for tree in stored["oblivious_trees"]],
        base=float(bias),
    )


def _nodes(tree: dict[str, Any], column: dict[int, int], scale: float) -> TreeNodes:
    """Lay a symmetric tree out level by level.

    The children of node n are 2n + 1 (at most the border) and 2n + 2. CatBoost numbers leaves by
    the splits that are passed, the first being the lowest bit: the last one is the root.
    """
    splits = tree.get("splits") or []
    values = np.array(tree["leaf_values"]) * scale
    inner = len(values) - 1
    level_K = np.floor(np.log2(np.arange(inner) + 1)).astype(int)
    ordered = splits[::-1]
    feature_K = np.full(inner + len(values), -1)
    number_K = np.zeros((2, inner + len(values)))
    feature_K[:inner] = [
        column[ordered[level]["float_feature_index"]] for level in level_K
    ]
    number_K[0, :inner] = [ordered[level]["border"] for level in level_K]
    number_K[1, inner:] = values
    node_K = np.arange(len(feature_K))
    return TreeNodes(
        feature_K,
        number_K[0],
        np.ones(len(node_K)),
        2 * node_K + 1,
        2 * node_K + 2,
        number_K[1],
    )
