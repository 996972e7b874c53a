"""Gradient boosting on blocks of a window: one model per horizon (the families: `BLOCKS`).

Fitted by scikit-learn; kept as the plain arrays of its trees, so that a bundle holds no pickle and scoring needs no
scikit-learn.

Legend: B windows, N inputs, H horizons, T trees, K nodes of all trees.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hvac.compiled import compiled
from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.blocks import constant_log_odds, inputs, known, two_classes
from hvac.models.family import Encoding, FamilyConfig, Fitting, State

Floats = npt.NDArray[np.float64]
BLOCKS: dict[str, tuple[str, ...]] = {
    "gbdt_28": ("features",),
    "gbdt_92": ("features", "embedding"),
    "gbdt_context": ("context",),
    "gbdt_activity": ("activity",),
    "gbdt_history": ("context", "activity"),
    "gbdt_full": ("features", "context"),
}
UNSTOPPED_TREES = 60


class BoostingConfig(FamilyConfig):
    """Trees and their shrinkage; the number of trees is chosen on *tune* by log-loss."""

    family: Literal["gbdt_28", "gbdt_92", "gbdt_context", "gbdt_activity", "gbdt_history", "gbdt_full"] = "gbdt_28"
    learning_rate: float = Field(default=0.06, gt=0)
    trees: int = Field(default=200, ge=1)
    leaves: int = Field(default=12, ge=2)
    min_leaf: int = Field(default=40, ge=1)
    l2: float = Field(default=5.0, ge=0)
    share_of_features: float = Field(default=0.5, gt=0, le=1)
    patience: int = Field(default=12, ge=1)

    @property
    def needs(self) -> tuple[str, ...]:
        """The family's blocks."""
        return BLOCKS[self.family]


class Forest(NamedTuple):
    """Trees of one horizon, node after node; `root_T` says where each begins. A leaf has feature −1."""

    base: npt.NDArray[np.float64]
    root_T: npt.NDArray[np.int64]
    feature_K: npt.NDArray[np.int32]
    threshold_K: npt.NDArray[np.float64]
    missing_left_K: npt.NDArray[np.uint8]
    left_K: npt.NDArray[np.int32]
    right_K: npt.NDArray[np.int32]
    value_K: npt.NDArray[np.float64]


class Boosting:
    """Forests of all horizons."""

    def __init__(self, config: BoostingConfig, forests: list[Forest], width: int) -> None:
        self.config, self.forests, self.width = config, forests, width

    @property
    def parameters(self) -> int:
        """A threshold per split and a value per leaf."""
        return sum(len(forest.value_K) for forest in self.forests)

    def score(self, windows: Windows) -> Floats:
        """Logits s_BH."""
        input_BN = np.ascontiguousarray(inputs(windows, self.config.needs))
        if input_BN.shape[1] != self.width:
            raise BundleError(f"windows have {input_BN.shape[1]} inputs, the model expects {self.width}")
        score_BH = np.empty((len(input_BN), len(self.forests)))
        for h, forest in enumerate(self.forests):
            score_BH[:, h] = _sum_trees(input_BN, *forest)
        return score_BH

    def state(self) -> State:
        """All arrays, by name."""
        arrays: State = {"width": np.array([self.width])}
        for h, forest in enumerate(self.forests):
            arrays |= {f"forest.{h}.{name}": array for name, array in forest._asdict().items()}
        return arrays

    @classmethod
    def restore(cls, config: BoostingConfig, state: State, encoder: Encoding) -> Self:
        """The model that `state` was taken from."""
        forests: list[Forest] = []
        while f"forest.{len(forests)}.base" in state:
            forests.append(Forest(*(state[f"forest.{len(forests)}.{name}"] for name in Forest._fields)))
        return cls(config, forests, int(state["width"][0]))

    @classmethod
    def fit(cls, train: Windows, tune: Windows, config: BoostingConfig, fitting: Fitting) -> Self:
        """Fit one forest per horizon; a horizon with one class in training scores its base rate."""
        width = inputs(train.take(np.arange(0)), config.needs).shape[1]
        return cls(config, [_fit_horizon(train, tune, config, h) for h in range(train.labels[0].shape[1])], width)


def _fit_horizon(train: Windows, tune: Windows, config: BoostingConfig, h: int) -> Forest:
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, tune = known(train, h), known(tune, h)
    y_B, tune_y_B = train.labels[0][:, h], tune.labels[0][:, h]
    if not two_classes(y_B):
        return _forest([], constant_log_odds(train, h))
    model = HistGradientBoostingClassifier(
        learning_rate=config.learning_rate, max_iter=config.trees, max_leaf_nodes=config.leaves,
        min_samples_leaf=config.min_leaf, l2_regularization=config.l2, max_features=config.share_of_features,
        early_stopping=True, n_iter_no_change=config.patience, scoring="loss", random_state=config.seed,
    )  # fmt: skip
    if two_classes(tune_y_B):
        model.fit(inputs(train, config.needs), y_B, X_val=inputs(tune, config.needs), y_val=tune_y_B)
    else:
        model.set_params(early_stopping=False, max_iter=min(config.trees, UNSTOPPED_TREES))
        model.fit(inputs(train, config.needs), y_B)
    return _forest([tree.nodes for (tree,) in model._predictors], float(model._baseline_prediction.ravel()[0]))


def _forest(trees: list[Any], base: float) -> Forest:
    sizes = [len(nodes) for nodes in trees]
    root_T = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if trees else np.empty(0, np.int64)
    start_K = np.repeat(root_T, sizes)

    def column(name: str, kind: Any) -> npt.NDArray[Any]:
        return np.concatenate([nodes[name] for nodes in trees]).astype(kind) if trees else np.empty(0, kind)

    leaf_K = column("is_leaf", bool)
    return Forest(
        base=np.array([base]),
        root_T=root_T,
        feature_K=np.where(leaf_K, -1, column("feature_idx", np.int32)).astype(np.int32),
        threshold_K=column("num_threshold", np.float64),
        missing_left_K=column("missing_go_to_left", np.uint8),
        left_K=(column("left", np.int64) + start_K).astype(np.int32),
        right_K=(column("right", np.int64) + start_K).astype(np.int32),
        value_K=column("value", np.float64),
    )


@compiled
def _sum_trees(
    input_BN: Any, base: Any, root_T: Any, feature_K: Any, threshold_K: Any, missing_left_K: Any, left_K: Any,
    right_K: Any, value_K: Any,
) -> Any:  # fmt: skip
    out_B = np.full(len(input_BN), base[0])
    for b in range(len(input_BN)):
        for root in root_T:
            node = root
            while feature_K[node] >= 0:
                value = input_BN[b, feature_K[node]]
                to_left = missing_left_K[node] != 0 if np.isnan(value) else value <= threshold_K[node]
                node = left_K[node] if to_left else right_K[node]
            out_B[b] += value_K[node]
    return out_B
