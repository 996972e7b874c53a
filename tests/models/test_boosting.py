"""Gradient boosting kept as plain arrays: the scores of scikit-learn, to the last digits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from hvac.errors import BundleError, ConfigError
from hvac.features.table import Windows
from hvac.models.blocks import inputs, known, without_empty_columns
from hvac.models.boosting import (
    BLOCKS,
    UNSTOPPED_TREES,
    Boosting,
    BoostingConfig,
    BoostingRows,
    _fit_trees,
)
from hvac.models.family import Fitting, no_encoder
from hvac.models.folds import unit_folds
from hvac.models.trees import LEAF, TreeNodes, join_trees, restored_trees
from tests.models.models_example import fit_family, windows

TWO_LEAVES = TreeNodes(
    *map(
        np.array,
        ([3, -1, -1], [0.5, 0, 0], [0, 0, 0], [1, 0, 0], [2, 0, 0], [0.0, -1.0, 2.0]),
    )
)
ONE_LEAF = TreeNodes(*map(np.array, ([-1], [0.0], [0], [0], [0], [0.25])))
TRAIN, TUNE, FRESH = windows(400, seed=0), windows(200, seed=1), windows(200, seed=2)


@cache
def fitted(name: str) -> Boosting:
    model: Boosting = fit_family(name, TRAIN, TUNE)
    return model


def with_holes(made: Windows, seed: int = 0) -> Windows:
    """A context column that nobody knows, and one that a fifth of the windows lacks."""
    k_BK = np.array(made.k_BK)
    k_BK[:, 1] = np.nan
    k_BK[np.random.default_rng(seed).random(len(made)) < 0.2, 0] = np.nan
    return replace(made, k_BK=k_BK)


def of_scikit_learn(
    config: BoostingConfig, train: Windows, tune: Windows, h: int
) -> HistGradientBoostingClassifier:
    """The same forest, fitted and kept by scikit-learn."""
    train, tune = known(train, h), known(tune, h)
    model = HistGradientBoostingClassifier(
        learning_rate=config.learning_rate,
        max_iter=config.trees,
        max_leaf_nodes=config.leaves,
        min_samples_leaf=config.min_leaf,
        l2_regularization=config.l2,
        max_features=config.share_of_features,
        early_stopping=True,
        n_iter_no_change=config.patience,
        scoring="loss",
        random_state=config.seed,
    )
    return model.fit(
        without_empty_columns(inputs(train, config.needs)),
        train.labels[0][:, h],
        X_val=inputs(tune, config.needs),
        y_val=tune.labels[0][:, h],
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"seed": 5, "leaves": 4, "min_leaf": 5, "l2": 0.0, "share_of_features": 1.0}],
)
@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_scores_are_those_of_scikit_learn_also_where_context_is_missing(
    name: str, settings: dict[str, Any]
) -> None:
    train, tune, fresh = (
        with_holes(part, seed) for seed, part in enumerate((TRAIN, TUNE, FRESH))
    )
    model = fit_family(name, train, tune, **settings)
    score_BH, input_BN = model.score(fresh), inputs(fresh, model.config.needs)
    if "context" in model.config.needs:
        assert np.isnan(input_BN).any()
    for h in range(3):
        expected = of_scikit_learn(model.config, train, tune, h)
        np.testing.assert_allclose(
            score_BH[:, h], expected.decision_function(input_BN), rtol=0, atol=1e-6
        )


def test_values_missing_where_training_had_all_go_where_scikit_learn_sends_them() -> (
    None
):
    model, f_BCF = fitted("gbdt_28"), np.array(FRESH.f_BCF)
    rng = np.random.default_rng(0)
    f_BCF[rng.random(f_BCF.shape) < 0.2] = np.nan
    f_BCF[0], f_BCF[1] = np.inf, -np.inf
    fresh = replace(FRESH, f_BCF=f_BCF)
    for h in range(3):
        expected = of_scikit_learn(model.config, TRAIN, TUNE, h).decision_function(
            inputs(fresh, ("features",))
        )
        np.testing.assert_allclose(
            model.score(fresh)[:, h], expected, rtol=0, atol=1e-6
        )


def test_number_of_trees_is_chosen_on_tune() -> None:
    noise = replace(
        TUNE, y_BH=np.random.default_rng(0).random(TUNE.labels[0].shape) < 0.3
    )
    models = fitted("gbdt_28"), fit_family("gbdt_28", TRAIN, noise)
    signal_H, noise_H = (
        [len(forest.root_T) for forest in model.forests] for model in models
    )
    assert max(noise_H) < min(signal_H) <= 200


# Kept as arrays


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_state_restores_to_bit_equal_scores(name: str) -> None:
    model = fit_family(name, with_holes(TRAIN), TUNE, trees=20)
    again = Boosting.restore(
        model.config, {n: a.copy() for n, a in model.state().items()}, no_encoder
    )
    assert again.parameters == model.parameters > 0
    np.testing.assert_array_equal(
        again.score(with_holes(FRESH)), model.score(with_holes(FRESH))
    )


def test_every_node_of_a_tree_is_reached_from_its_root_once() -> None:
    for forest in fitted("gbdt_28").forests:
        ends_T = [*forest.root_T[1:], len(forest.split_K)]
        for root, end in zip(forest.root_T, ends_T, strict=True):
            inner = np.flatnonzero(forest.split_K[root:end] != LEAF) + root
            reached = [root, *(inner + 1), *(inner + forest.right_K[inner])]
            assert sorted(reached) == list(range(root, end))


def test_a_forest_by_hand_sums_its_leaves_on_top_of_its_base() -> None:
    """x₃ ≤ 0.5 goes left (−1), else right (+2), missing right; a second tree is one leaf of 0.25."""
    forest = join_trees([TWO_LEAVES, ONE_LEAF], base=10.0)
    k_BK = np.zeros((4, 5), dtype=np.float32)
    k_BK[:, 3] = [0.5, 0.6, np.nan, -np.inf]
    made = replace(windows(4), k_BK=k_BK)
    score_BH = Boosting(BoostingConfig(family="gbdt_context"), [forest], 5).score(made)
    np.testing.assert_array_equal(score_BH[:, 0], [9.25, 12.25, 12.25, 9.25])


def test_trees_of_an_older_bundle_are_restored() -> None:
    """A column per fact of a node, children numbered over all trees, right before left."""
    columns = {
        "feature_K": [3, -1, -1, -1], "threshold_K": [0.5, 0, 0, 0], "missing_left_K": [0, 0, 0, 0],
        "left_K": [2, 0, 0, 0], "right_K": [1, 0, 0, 0], "value_K": [0.0, 2.0, -1.0, 0.25],
    }  # fmt: skip
    own = {
        "base": np.array([10.0]),
        "root_T": np.array([0, 3]),
        **{n: np.array(c) for n, c in columns.items()},
    }
    (restored,) = restored_trees(
        {f"forest.0.{name}": array for name, array in own.items()}
    )
    expected = join_trees([TWO_LEAVES, ONE_LEAF], base=10.0)
    for mine, other in zip(restored, expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_thresholds_between_two_floats_split_float32_as_before() -> None:
    low = np.float32(0.1)
    middle = (float(low) + float(np.nextafter(low, np.float32(1)))) / 2
    tree = TWO_LEAVES._replace(
        feature_K=np.array([0, -1, -1]), threshold_K=np.array([middle, 0, 0])
    )
    rows = np.array([[low], [np.nextafter(low, np.float32(1))]], dtype=np.float64)
    assert join_trees([tree], base=0.0).total(rows).tolist() == [-1.0, 2.0]


# Folds choose the number of trees


def test_cross_fit_scores_a_unit_by_trees_that_never_saw_it_and_refits_the_chosen_number() -> (
    None
):
    config = BoostingConfig(family="gbdt_28", trees=40)
    folds = unit_folds(TRAIN, folds=3, seed=0)
    fit = Boosting.cross_fit(TRAIN, config, Fitting(no_encoder), folds)
    (rest_B, own_B), *_ = folds.parts
    trees_H = [len(forest.root_T) for forest in fit.model.forests]
    assert all(count % 10 == 0 for count in trees_H)
    for h, count in enumerate(trees_H):
        part = known(TRAIN.take(rest_B), h)
        model = HistGradientBoostingClassifier(
            learning_rate=config.learning_rate, max_iter=count, max_leaf_nodes=config.leaves,
            min_samples_leaf=config.min_leaf, l2_regularization=config.l2, max_features=config.share_of_features,
            early_stopping=False, random_state=config.seed,
        ).fit(inputs(part, config.needs), part.labels[0][:, h])  # fmt: skip
        expected_B = model.decision_function(inputs(TRAIN.take(own_B), config.needs))
        np.testing.assert_allclose(
            fit.score_BH[own_B, h], expected_B, rtol=0, atol=1e-6
        )


def test_noise_gets_no_tree_where_folds_choose() -> None:
    noise = replace(
        TRAIN, y_BH=np.random.default_rng(0).random(TRAIN.labels[0].shape) < 0.3
    )
    config = BoostingConfig(family="gbdt_28", trees=40)
    fit = Boosting.cross_fit(
        noise, config, Fitting(no_encoder), unit_folds(noise, folds=3, seed=0)
    )
    assert max(len(forest.root_T) for forest in fit.model.forests) <= 10


# What is learned


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_planted_signal_is_found(name: str) -> None:
    score_BH, (y_BH, _) = fitted(name).score(FRESH), FRESH.labels
    for h in range(3):
        assert roc_auc_score(y_BH[:, h], score_BH[:, h]) > 0.8


def test_unknown_labels_have_no_influence() -> None:
    flipped = [
        replace(part, y_BH=part.labels[0] ^ ~part.labels[1]) for part in (TRAIN, TUNE)
    ]
    np.testing.assert_array_equal(
        fit_family("gbdt_28", *flipped).score(FRESH), fitted("gbdt_28").score(FRESH)
    )


@pytest.mark.parametrize("only", [False, True])
def test_horizon_with_one_class_in_training_scores_its_base_rate(only: bool) -> None:
    y_BH = TRAIN.labels[0].copy()
    y_BH[:, 1] = only
    score_BH = fit_family(
        "gbdt_28", replace(TRAIN, y_BH=y_BH).take(np.arange(200)), TUNE
    ).score(FRESH)
    assert np.isfinite(score_BH).all()
    assert len(np.unique(score_BH[:, 1])) == 1
    assert (score_BH[:, 1] > 0).all() == only
    assert len(np.unique(score_BH[:, 2])) > 1


def test_tune_with_one_class_still_fits_a_fixed_number_of_trees() -> None:
    quiet = replace(TUNE, y_BH=np.zeros_like(TUNE.labels[0]))
    model = fit_family("gbdt_28", TRAIN, quiet)
    assert [len(forest.root_T) for forest in model.forests] == [UNSTOPPED_TREES] * 3
    assert roc_auc_score(FRESH.labels[0][:, 2], model.score(FRESH)[:, 2]) > 0.8


@pytest.mark.parametrize("name", ["gbdt_context", "gbdt_full"])
def test_context_that_is_unknown_is_a_missing_value(name: str) -> None:
    train, tune, fresh = (
        with_holes(part, seed) for seed, part in enumerate((TRAIN, TUNE, FRESH))
    )
    score_BH = fit_family(name, train, tune).score(fresh)
    assert np.isfinite(score_BH).all()
    assert roc_auc_score(FRESH.labels[0][:, 2], score_BH[:, 2]) > 0.7


# What it is given


def test_inputs_are_blocks_side_by_side_flattened_over_points() -> None:
    made = windows(4, points=2)
    assert made.f_BCF is not None
    found_BN = inputs(made, ("features", "context"))
    assert found_BN.shape == (4, 2 * 28 + 5)
    np.testing.assert_allclose(found_BN[1, :56], made.f_BCF[1].ravel())


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_family_needs_its_blocks_and_no_other(name: str) -> None:
    assert BoostingConfig(family=name).needs == BLOCKS[name]


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(BundleError, match=r"56.*28"):
        fitted("gbdt_28").score(windows(3, points=2))


def test_windows_without_a_block_are_refused_in_one_sentence() -> None:
    with pytest.raises(BundleError, match="features and context") as caught:
        fitted("gbdt_full").score(windows(3, without=("k_BK",)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trees": 0},
        {"leaves": 1},
        {"learning_rate": 0},
        {"share_of_features": 0},
        {"family": "gbdt_29"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        BoostingConfig(**wrong)


def test_column_that_is_empty_in_one_fold_is_no_obstacle() -> None:
    """scikit-learn 1.9 refuses a column without any value, which a fold may have where the whole has not."""
    rng = np.random.default_rng(0)
    input_BN = np.column_stack(
        [rng.normal(size=80), np.r_[np.full(40, np.nan), rng.normal(size=40)]]
    )
    y_B = input_BN[:, 0] > 0
    rows = BoostingRows(input_BN[:40], y_B[:40], np.ones(40))
    without = BoostingRows(input_BN[:40, :1], y_B[:40], np.ones(40))
    config = BoostingConfig(trees=5, min_leaf=2, share_of_features=1.0)
    expected = _fit_trees(without, config).total(input_BN[:, :1])
    np.testing.assert_array_equal(_fit_trees(rows, config).total(input_BN), expected)
