"""`fusion`: weights learned on units that no block saw, so that neither noise nor memory is rewarded.

Legend: B windows, H horizons, K blocks.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.families import (
    config_of,
    cross_fit,
    fit_other_blocks,
    other_blocks,
    restore,
)
from hvac.models.family import Fitting, no_encoder
from hvac.models.fusion import Fusion, FusionConfig
from hvac.models.mixing import Labels, Mix, choose_rule, fit_mix
from tests.models.models_example import fit_family, windows

CONTEXT = {"family": "gbdt_context", "trees": 30, "min_leaf": 10}
STATISTICS = {"family": "logistic_28", "strengths": (0.1,)}
BLOCKS = {"context": CONTEXT, "statistics": STATISTICS}


def known(made: Windows) -> Windows:
    return replace(made, known_BH=np.ones_like(made.labels[1]))


def fuse(train: Windows, tune: Windows, **settings: Any) -> Fusion:
    found: Fusion = fit_family("fusion", train, tune, **{"blocks": BLOCKS, **settings})
    return found


@cache
def fitted(method: str = "stack") -> Fusion:
    return fuse(known(windows(400, seed=1)), known(windows(200, seed=2)), method=method)


def shares(model: Fusion, fresh: Windows) -> dict[str, float]:
    """How much each block moves the fused score: the spread of its part of it, mean over horizons."""
    parts = zip(model.blocks.items(), model.mix.weight_K, model.platt_KHX, strict=True)
    return {
        name: float(np.mean(weight * platt_HX[:, 0] * block.score(fresh).std(axis=0)))
        for (name, block), weight, platt_HX in parts
    }


def no_noise(made: Windows, part: str, seed: int) -> Windows:
    """One part of the windows replaced by noise."""
    noise = (
        np.random.default_rng(seed)
        .normal(size=getattr(made, part).shape)
        .astype(np.float32)
    )
    return replace(made, **{part: noise})


# What is fused


def test_score_is_the_weighted_sum_of_the_blocks_calibrated_log_odds() -> None:
    model, fresh = fitted(), windows(50, seed=3)
    expected_BH = sum(
        weight * (platt_HX[:, 0] * block.score(fresh) + platt_HX[:, 1])
        for block, weight, platt_HX in zip(
            model.blocks.values(), model.mix.weight_K, model.platt_KHX, strict=True
        )
    )
    expected_BH = model.mix.slope_H * expected_BH + model.mix.intercept_H
    np.testing.assert_allclose(model.score(fresh), expected_BH, rtol=1e-9)


def test_blocks_that_were_fitted_elsewhere_give_the_very_same_fusion() -> None:
    made = known(windows(400, seed=1))
    config = config_of(
        "fusion", blocks={**BLOCKS, "neural": {"family": "hybrid", "epochs": 1}}
    )
    whole = cross_fit(made, config, Fitting(no_encoder), folds=2)
    blocks = fit_other_blocks(made, config, Fitting(no_encoder), folds=2, names=BLOCKS)
    mixed = cross_fit(made, config, Fitting(no_encoder, blocks=blocks), folds=2)
    assert set(blocks) == set(BLOCKS) == set(other_blocks(config))
    assert all(mixed.model.blocks[name] is fit.model for name, fit in blocks.items())
    assert (list(mixed.model.blocks), mixed.notes) == (
        list(whole.model.blocks),
        whole.notes,
    )
    np.testing.assert_array_equal(mixed.score_BH, whole.score_BH)


def test_fusion_of_blocks_that_each_know_half_is_better_than_either() -> None:
    def halves(rows: int, seed: int) -> Windows:
        rng, made = np.random.default_rng(seed), windows(rows, seed=seed)
        half_B2 = rng.normal(size=(rows, 2)).astype(np.float32)
        f_BCF, k_BK = np.array(made.f_BCF), np.array(made.k_BK)
        f_BCF[:, 0, 0], k_BK[:, 0] = half_B2.T
        y_BH = half_B2.sum(axis=1)[:, None] + rng.normal(0, 0.5, (rows, 3)) > 0.7
        return known(replace(made, f_BCF=f_BCF, k_BK=k_BK, y_BH=y_BH))

    train, tune, fresh = (
        halves(rows, seed) for rows, seed in ((600, 1), (300, 2), (1000, 3))
    )
    model = fuse(train, tune)
    y_B = fresh.labels[0][:, 1]
    alone = [
        log_loss(y_B, expit(platt_HX[1, 0] * block.score(fresh)[:, 1] + platt_HX[1, 1]))
        for block, platt_HX in zip(model.blocks.values(), model.platt_KHX, strict=True)
    ]
    assert log_loss(y_B, expit(model.score(fresh)[:, 1])) < 0.9 * min(alone)


def test_parameters_are_those_of_the_blocks_and_the_fusions_own() -> None:
    model = fitted()
    own = len(BLOCKS) * (3 * 2 + 1) + 2 * 3
    assert (
        model.parameters
        == sum(block.parameters for block in model.blocks.values()) + own
    )


def test_blocks_take_the_seed_of_the_fusion() -> None:
    model = fuse(windows(100, seed=1), windows(60, seed=2), seed=5)
    assert {block.config.seed for block in model.blocks.values()} == {5}


# Weights


def labels(y_BH: Any, known_BH: Any = None) -> Labels:
    return Labels(
        y_BH, np.ones(y_BH.shape) if known_BH is None else known_BH.astype(float)
    )


def mixed(
    odds_KBH: Any, told: Labels, *, penalty: float | None = 0.0, allowed: Any = None
) -> Mix:
    allowed_K = (
        np.ones(len(odds_KBH), dtype=bool) if allowed is None else np.array(allowed)
    )
    return fit_mix(odds_KBH, told, allowed_K=allowed_K, penalty=penalty)


@pytest.mark.parametrize("seed", range(5))
def test_weights_sum_to_1_are_never_negative_and_a_block_that_points_the_wrong_way_gets_none(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    y_BH = rng.random((800, 2)) < 0.3
    signs = (1.0, -1.0, 0.0)
    odds_KBH = np.stack(
        [
            sign * np.where(y_BH, 1.5, -1.5) + rng.normal(size=y_BH.shape)
            for sign in signs
        ]
    )
    weight_K = mixed(odds_KBH, labels(y_BH, rng.random(y_BH.shape) < 0.8)).weight_K
    assert weight_K.sum() == pytest.approx(1)
    assert (weight_K >= 0).all()
    assert weight_K[0] > 0.75
    assert weight_K[1] == 0
    assert weight_K[2] < 0.25


def test_block_that_is_not_allowed_has_weight_0() -> None:
    rng = np.random.default_rng(0)
    y_BH = rng.random((300, 1)) < 0.3
    odds_KBH = np.where(y_BH, 1.5, -1.5) + rng.normal(size=(3, 300, 1))
    for penalty in (0.0, None):
        weight_K = mixed(
            odds_KBH, labels(y_BH), penalty=penalty, allowed=[True, False, True]
        ).weight_K
        assert weight_K[1] == 0
        assert weight_K.sum() == pytest.approx(1)


def test_unknown_labels_have_no_say_in_the_weights() -> None:
    rng = np.random.default_rng(0)
    y_BH, known_BH, odds_KBH = (
        rng.random((300, 3)) < 0.3,
        rng.random((300, 3)) < 0.7,
        rng.normal(size=(2, 300, 3)),
    )
    turned_BH = np.where(known_BH, y_BH, ~y_BH)
    one, other = (
        mixed(odds_KBH, labels(each, known_BH), penalty=0.01)
        for each in (y_BH, turned_BH)
    )
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_label_of_weight_2_counts_as_two_windows() -> None:
    rng = np.random.default_rng(0)
    y_BH, odds_KBH = rng.random((300, 1)) < 0.3, rng.normal(size=(2, 300, 1))
    twice_B = rng.random(300) < 0.5
    told = Labels(y_BH, np.where(twice_B, 2.0, 1.0)[:, None])
    rows = np.concatenate([np.arange(300), np.flatnonzero(twice_B)])
    one, other = mixed(odds_KBH, told), mixed(odds_KBH[:, rows], labels(y_BH[rows]))
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_fused_log_odds_have_the_rate_of_the_labels_and_the_slope_of_their_evidence() -> (
    None
):
    rng = np.random.default_rng(0)
    y_BH = rng.random((4000, 2)) < (0.1, 0.3)
    evidence_KBH = np.where(y_BH, 1.0, -1.0) + rng.normal(size=(3, *y_BH.shape))
    odds_KBH = 2 * evidence_KBH + np.log(
        [0.1 / 0.9, 0.3 / 0.7]
    )  # each block calibrated, each with evidence of its own
    mix = mixed(odds_KBH, labels(y_BH))
    assert (mix.slope_H > 2.5).all()
    np.testing.assert_allclose(
        expit(mix(odds_KBH)).mean(axis=0), y_BH.mean(axis=0), atol=1e-3
    )


def test_horizon_with_one_kind_of_label_keeps_the_log_odds_of_its_blocks() -> None:
    rng = np.random.default_rng(0)
    y_BH = np.stack([rng.random(500) < 0.3, np.zeros(500, bool)], axis=1)
    odds_KBH = np.stack(
        [np.where(y_BH, 2.0, -2.0) + rng.normal(size=y_BH.shape) for _ in range(2)]
    )
    odds_KBH[:, :, 1] = -9.0
    np.testing.assert_allclose(mixed(odds_KBH, labels(y_BH))(odds_KBH)[:, 1], -9.0)


def test_state_without_slopes_and_intercepts_of_an_earlier_version_is_restored() -> (
    None
):
    model = fitted()
    state = {
        name: array
        for name, array in model.state().items()
        if name not in ("slope_H", "intercept_H")
    }
    fresh = windows(20, seed=3)
    earlier = Fusion.restore(model.config, state, no_encoder)
    sum_BH = (model.score(fresh) - model.mix.intercept_H) / model.mix.slope_H
    np.testing.assert_allclose(earlier.score(fresh), sum_BH)


def test_weights_shrink_to_equal_ones_as_the_penalty_grows() -> None:
    rng = np.random.default_rng(0)
    y_BH = rng.random((500, 1)) < 0.3
    odds_KBH = np.stack(
        [
            np.where(y_BH, 2.0, -2.0) + rng.normal(size=y_BH.shape),
            rng.normal(size=y_BH.shape),
        ]
    )
    gaps = [
        np.abs(mixed(odds_KBH, labels(y_BH), penalty=p).weight_K - 0.5).max()
        for p in (0.0, 0.1, 1.0, 1e4)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-3


# Which mix is kept


def test_best_block_alone_is_kept_only_where_it_is_better_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    units_B = np.repeat([f"u{u:02d}" for u in range(40)], 10)
    blend_B = rng.random(400)
    noise_B = np.repeat(rng.normal(0, 0.3, 40), 10)
    noise_B -= noise_B.mean()
    assert (
        choose_rule(
            {"weights": blend_B, "best_block": blend_B - 0.001 + noise_B}, units_B
        )
        == "weights"
    )
    assert (
        choose_rule(
            {"weights": blend_B, "best_block": blend_B - 0.3 + noise_B}, units_B
        )
        == "best_block"
    )
    assert choose_rule({"weights": blend_B, "mean": blend_B - 0.001}, units_B) == "mean"


def test_fusion_falls_back_to_one_block_where_the_others_only_harm() -> None:
    """One block knows nearly everything; the other has learned another truth, so any mean of both is worse."""

    def made(rows: int, seed: int) -> Windows:
        told = no_noise(known(windows(rows, seed=seed)), "f_BCF", seed)
        k_BK = np.array(told.k_BK)
        k_BK[:, 0] += np.where(told.labels[0][:, 1], 6, -6)
        return replace(told, k_BK=k_BK, y_BH=np.tile(told.labels[0][:, 1:2], (1, 3)))

    model = fuse(made(400, 1), made(200, 2))
    assert model.mix.weight_K[0] > 0.9


def test_cross_fit_tells_what_it_chose_and_scores_units_it_did_not_see() -> None:
    train, fresh = known(windows(400, seed=1)), known(windows(2000, seed=3))
    fit = cross_fit(
        train, config_of("fusion", blocks=BLOCKS), Fitting(no_encoder), folds=3
    )
    assert set(fit.notes["weights"]) == set(BLOCKS)
    assert set(fit.notes["log_loss"]) == {"weights", "mean", "best_block"}
    chosen = fit.notes["log_loss"][fit.notes["rule"]]
    assert chosen == pytest.approx(
        min(fit.notes["log_loss"][rule] for rule in ("weights", "mean")), rel=0.05
    )
    seen, unseen = (
        log_loss(part.labels[0][:, 1], expit(score_BH[:, 1]))
        for part, score_BH in ((train, fit.score_BH), (fresh, fit.model.score(fresh)))
    )
    assert seen == pytest.approx(unseen, rel=0.2)


def test_useless_block_hardly_moves_the_score_and_a_good_one_does() -> None:
    train, tune, fresh = (
        no_noise(known(windows(rows, seed=seed)), "f_BCF", seed)
        for rows, seed in ((400, 1), (200, 2), (400, 3))
    )
    found = shares(fuse(train, tune), fresh)
    assert found["statistics"] < 0.15 * found["context"]


def test_mean_gives_every_block_the_same_weight_and_asks_for_no_other_mix() -> None:
    train = known(windows(400, seed=1))
    fit = cross_fit(
        train,
        config_of("fusion", blocks=BLOCKS, method="mean"),
        Fitting(no_encoder),
        folds=3,
    )
    assert fit.model.mix.weight_K.tolist() == [0.5, 0.5]
    assert set(fit.notes["log_loss"]) == {"mean"}


# Units that no block saw


def memorable(weeks: range, *, units: int = 40, seed: int = 0) -> Windows:
    """Statistics that name the unit, labels that are the unit's alone, and a context that half knows the label.

    Whoever knows a unit knows its labels, in training and in tune; of a new unit the statistics say nothing.
    """
    rng = np.random.default_rng(seed)
    name_UF, label_U = rng.normal(size=(units, 28)), rng.random(units) < 0.4
    unit_B = np.repeat(np.arange(units), len(weeks))
    made, rows = windows(len(unit_B), seed=seed), len(unit_B)
    keys = made.keys
    for column, names in (
        ("facility_id", ["F"] * rows),
        ("equipment_id", [f"{seed}-{unit}" for unit in unit_B]),
    ):
        keys = keys.set_column(keys.column_names.index(column), column, [names])
    k_BK = (
        np.random.default_rng((seed, weeks.start))
        .normal(size=(rows, 5))
        .astype(np.float32)
    )
    k_BK[:, 0] += 1.5 * label_U[unit_B]
    y_BH = np.tile(label_U[unit_B, None], (1, 3))
    f_BCF = name_UF[unit_B][:, None, :].astype(np.float32)
    return replace(
        made, keys=keys, f_BCF=f_BCF, k_BK=k_BK, y_BH=y_BH, known_BH=np.ones_like(y_BH)
    )


@cache
def memorised(seed: int) -> tuple[Fusion, Windows, Windows, Windows]:
    """A fusion of a block that knows every unit by heart and one of context; train, tune and windows of new units."""
    train, tune, fresh = (
        memorable(range(6), seed=seed),
        memorable(range(6, 9), seed=seed),
        memorable(range(6), seed=9),
    )
    memory = {"family": "gbdt_28", "trees": 30, "min_leaf": 5}
    return (
        fuse(train, tune, blocks={"memory": memory, "context": CONTEXT}),
        train,
        tune,
        fresh,
    )


SEEDS = (
    0,
    1,
    2,
)  # by chance one draw of 40 units may favour a block that knows nothing of new ones: the median counts


def test_block_that_memorises_units_is_not_rewarded() -> None:
    pulls = []
    for model, train, tune, fresh in map(memorised, SEEDS):
        for part in (train, tune):
            assert (
                roc_auc_score(
                    part.labels[0][:, 0], model.blocks["memory"].score(part)[:, 0]
                )
                > 0.999
            )
        found = shares(model, fresh)
        pulls.append(found["memory"] / found["context"])
        assert roc_auc_score(fresh.labels[0][:, 0], model.score(fresh)[:, 0]) > 0.75
    assert np.median(pulls) < 0.3


def test_what_a_block_knows_by_heart_is_calibrated_to_the_base_rate() -> None:
    gaps = []
    for model, train, _, _ in map(memorised, SEEDS):
        (slope, intercept), score_B = (
            model.platt_KHX[0, 0],
            model.blocks["memory"].score(train)[:, 0],
        )
        gaps.append(
            np.abs(expit(slope * score_B + intercept) - train.labels[0].mean()).max()
        )
    assert np.median(gaps) < 0.3


# Poor windows


def test_missing_context_is_fine() -> None:
    def holes(made: Windows, seed: int) -> Windows:
        k_BK = np.array(made.k_BK)
        k_BK[np.random.default_rng(seed).random(k_BK.shape) < 0.3] = np.nan
        k_BK[:, 1] = np.nan
        return replace(made, k_BK=k_BK)

    model = fuse(holes(windows(200, seed=1), 1), holes(windows(100, seed=2), 2))
    assert np.isfinite(model.score(holes(windows(100, seed=3), 3))).all()
    assert np.isfinite(model.mix.weight_K).all()


def test_one_unit_alone_has_nothing_out_of_fold_and_is_fitted_all_the_same() -> None:
    def single(made: Windows) -> Windows:
        return made.take(made.units == made.units[0])

    model = fuse(single(windows(2000, seed=1)), single(windows(1000, seed=2)))
    assert model.mix.weight_K.sum() == pytest.approx(1)
    assert np.isfinite(model.score(windows(30, seed=3))).all()


@pytest.mark.parametrize("labels", ["no", "yes", "unknown"])
def test_horizon_with_one_kind_of_label_gets_its_base_rate_and_leaves_the_others_alone(
    labels: str,
) -> None:
    def one_kind(made: Windows) -> Windows:
        y_BH, known_BH = (array.copy() for array in made.labels)
        y_BH[:, 1] = labels == "yes"
        known_BH[:, 1] &= labels != "unknown"
        return replace(made, y_BH=y_BH, known_BH=known_BH)

    train, tune, fresh = (
        windows(300, seed=1),
        windows(150, seed=2),
        known(windows(300, seed=3)),
    )
    score_BH = fuse(one_kind(train), one_kind(tune)).score(fresh)
    assert np.isfinite(score_BH).all()
    assert np.ptp(score_BH[:, 1]) == 0
    for h in (0, 2):
        assert roc_auc_score(fresh.labels[0][:, h], score_BH[:, h]) > 0.8


def test_no_known_label_at_all_still_fits() -> None:
    train = windows(100, seed=1)
    blind = replace(train, known_BH=np.zeros_like(train.labels[1]))
    assert np.ptp(fuse(blind, blind).score(windows(30, seed=3))) == 0


# Configuration and state


def test_needs_are_those_of_all_blocks() -> None:
    config = FusionConfig(
        blocks={
            "a": CONTEXT,
            "b": {"family": "lstm"},
            "c": {"family": "gbdt_92"},
            "d": CONTEXT,
        }
    )
    assert set(config.needs) == {"context", "values", "features", "embedding"}
    assert len(config.needs) == 4
    assert set(FusionConfig(blocks={"a": CONTEXT}).needs) == {"context"}


def test_fusion_whose_block_learns_from_changed_copies_reads_values() -> None:
    changed = {**STATISTICS, "augment": {"copies": 1}}
    config = FusionConfig(blocks={"a": changed, "b": CONTEXT})
    assert set(config.needs) == {"features", "context"}
    assert set(config.reads) == {"features", "context", "values"}
    train, tune, fresh = windows(200, seed=1), windows(100, seed=2), windows(50, seed=3)
    plain, more = (
        fuse(train, tune, blocks={"a": block}) for block in (STATISTICS, changed)
    )
    assert (
        np.abs(plain.blocks["a"].score(fresh) - more.blocks["a"].score(fresh)).max()
        > 1e-3
    )


def test_fusion_without_blocks_or_of_fusions_is_refused() -> None:
    with pytest.raises(ConfigError, match="blocks"):
        config_of("fusion", blocks={})
    with pytest.raises(ConfigError, match="unknown model family 'fusion'"):
        config_of("fusion", blocks={"again": {"family": "fusion"}})


def test_seed_of_a_block_is_refused_as_it_would_have_no_say() -> None:
    with pytest.raises(ConfigError, match=r"trees\.seed has no say here"):
        config_of("fusion", blocks={"trees": {"family": "gbdt_28", "seed": 5}})


def test_state_restores_blocks_under_their_names_and_the_same_scores() -> None:
    names = {
        "context": CONTEXT,
        "context.2": {**CONTEXT, "trees": 5},
        "statistics": STATISTICS,
    }
    model = fuse(windows(200, seed=1), windows(100, seed=2), blocks=names)
    again = restore(
        model.config,
        {key: np.array(array) for key, array in model.state().items()},
        no_encoder,
    )
    assert list(again.blocks) == list(names)
    fresh = windows(50, seed=3)
    np.testing.assert_array_equal(again.score(fresh), model.score(fresh))


# What is left out


LEFT_OUT = {
    "history": {"family": "et_history", "trees": 3, "min_leaf": 10},
    "recent": {"family": "logistic_recent", "strengths": (0.1,)},
    "statistics": STATISTICS,
}


def test_inputs_left_out_are_needed_by_no_block_that_can_do_without_them() -> None:
    config = FusionConfig(blocks=LEFT_OUT, without=("raw", "activity"))
    assert set(config.needs) == {"features", "context", "recent"}
    assert set(FusionConfig(blocks=LEFT_OUT).needs) == {
        "features",
        "context",
        "recent",
        "raw",
        "activity",
    }
    only = FusionConfig(
        blocks={"history": LEFT_OUT["history"]}, without=("context", "activity")
    )
    assert set(only.needs) == {"context", "activity"}


def test_model_without_some_inputs_is_fitted_saved_and_scored_without_them() -> None:
    without = {"blocks": LEFT_OUT, "without": ("raw", "activity")}
    train, tune, fresh = (
        replace(windows(rows, seed=seed), r_BCS=None, a_BCA=None, x_BCL=None)
        for rows, seed in ((200, 1), (100, 2), (50, 3))
    )
    model = fuse(train, tune, **without)
    again = restore(
        model.config,
        {key: np.array(array) for key, array in model.state().items()},
        no_encoder,
    )
    assert again.config.without == ("raw", "activity")
    assert np.ptp(model.score(fresh)[:, 2]) > 0
    np.testing.assert_array_equal(again.score(fresh), model.score(fresh))


def test_what_cannot_be_left_out_is_refused() -> None:
    for wrong in (("features",), ("raw", "raw")):
        with pytest.raises(ConfigError, match="without"):
            config_of("fusion", without=wrong)
