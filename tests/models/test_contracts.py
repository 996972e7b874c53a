"""What every model family owes its users, whatever it is: the same contracts for each name in the registry.

Legend: B windows, C points, H horizons.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models import network
from hvac.models.families import FAMILIES, config_of, restore
from hvac.models.family import NEEDS, prepared
from hvac.scoring.bundle import Bundle
from tests.models.models_example import (
    HORIZONS,
    SUMMARIES,
    bundled,
    fit_family,
    keys,
    packaged_encoder,
    recipe,
    windows,
)

QUICK: dict[str, Any] = {"epochs": 1, "trees": 5, "min_leaf": 10, "folds": 2}
TINY: dict[str, dict[str, Any]] = {
    "lstm": {"hidden": 8, "days_per_step": 3},
    "fusion": {
        "blocks": {
            "context": {"family": "gbdt_context", "trees": 5, "min_leaf": 10},
            "statistics": {"family": "logistic_28", "strengths": (0.1,)},
            "neural": {"family": "hybrid", "epochs": 1},
        }
    },
}
HOLDS_A_NETWORK = {"fusion"}
CASES = [
    pytest.param(name, points, id=f"{name}-C{points}")
    for name, family in FAMILIES.items()
    for points in (1, 2)
    if family.most_points is None or points <= family.most_points
]
NEEDY = [name for name in FAMILIES if config_of(name).needs]
every_family = pytest.mark.parametrize("name", list(FAMILIES))
every_case = pytest.mark.parametrize(("name", "points"), CASES)


def settings(name: str) -> dict[str, Any]:
    """Settings under which a family is fitted in a moment."""
    known = FAMILIES[name].config.model_fields
    return {key: value for key, value in QUICK.items() if key in known} | TINY.get(
        name, {}
    )


def tolerance(name: str) -> float:
    return 1e-5 if FAMILIES[name].network or name in HOLDS_A_NETWORK else 1e-9


@cache
def complete(rows: int, points: int, seed: int) -> Windows:
    """Windows with all a family may need: embedding and tokens made from their values, context with holes."""
    made = windows(rows, points=points, seed=seed, without=("z_BCE",))
    rng, k_BK = np.random.default_rng(seed), np.array(made.k_BK)
    k_BK[rng.random(k_BK.shape) < 0.1] = np.nan
    u_BCE = rng.normal(size=(rows, points, packaged_encoder().dim)).astype(np.float32)
    return prepared(replace(made, k_BK=k_BK, u_BCE=u_BCE), NEEDS, packaged_encoder)


def arrays(made: Windows) -> dict[str, Any]:
    return {f.name: getattr(made, f.name) for f in fields(Windows) if f.name != "keys"}


def digest(*parts: Windows) -> str:
    found = hashlib.sha256()
    for part in parts:
        for array in arrays(part).values():
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def fit(
    name: str,
    points: int = 1,
    *,
    train: Windows | None = None,
    tune: Windows | None = None,
) -> Any:
    train = complete(120, points, 1) if train is None else train
    tune = complete(80, points, 2) if tune is None else tune
    return fit_family(name, train, tune, **settings(name))


class Made(NamedTuple):
    """A family fitted on small windows, and whether that changed them."""

    model: Any
    changed: bool


@cache
def fitted(name: str, points: int) -> Made:
    before = digest(complete(120, points, 1), complete(80, points, 2))
    model = fit(name, points)
    return Made(
        model, digest(complete(120, points, 1), complete(80, points, 2)) != before
    )


@cache
def bundle_of(name: str, points: int) -> Bundle:
    made = bundled(
        fitted(name, points).model, recipe("ab"[:points]), complete(100, points, 3)
    )
    made.__dict__["encoder"] = packaged_encoder()
    return made


@cache
def wild() -> Windows:
    """10,000 windows unlike any seen: every scale, heavy tails, constant values, a third of the context unknown."""
    rng, rows = np.random.default_rng(0), 10_000

    def any_scale(*shape: int) -> Any:
        tail = rng.standard_t(1.5, (rows, *shape)) * 10 ** rng.uniform(
            -6, 6, (rows, *[1] * len(shape))
        )
        return np.clip(tail, -1e12, 1e12).astype(np.float32)

    encoder = packaged_encoder()
    x_BCL, k_BK = any_scale(1, 90), any_scale(5)
    x_BCL[:500] = x_BCL[:500, :, :1]
    k_BK[rng.random(k_BK.shape) < 0.3] = np.nan
    return Windows(
        keys=keys(rows),
        observed_B=np.ones(rows, dtype=np.float32),
        persistence_B=np.abs(any_scale()),
        x_BCL=x_BCL,
        f_BCF=any_scale(1, 28),
        z_BCE=any_scale(1, encoder.dim),
        u_BCE=any_scale(1, encoder.dim),
        p_BCPE=any_scale(1, encoder.patches, encoder.dim),
        k_BK=k_BK,
        **{part: any_scale(1, 9) for part in SUMMARIES},
    )


# Scores


@every_case
def test_score_is_a_finite_logit_per_window_and_horizon(name: str, points: int) -> None:
    model = fitted(name, points).model
    for rows in (0, 1, 40):
        score_BH = model.score(complete(40, points, 4).take(np.arange(rows)))
        assert score_BH.shape == (rows, len(HORIZONS))
        assert np.isfinite(score_BH).all()
    assert isinstance(model.parameters, int)


@every_case
def test_score_of_a_window_depends_on_no_other(
    name: str, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, fresh = fitted(name, points).model, complete(40, points, 4)
    score_BH, order = model.score(fresh), np.random.default_rng(0).permutation(40)
    atol = tolerance(name)
    np.testing.assert_allclose(
        model.score(fresh.take(order)), score_BH[order], rtol=0, atol=atol
    )
    alone_BH = np.concatenate(
        [model.score(fresh.take(np.array([b]))) for b in range(40)]
    )
    np.testing.assert_allclose(alone_BH, score_BH, rtol=0, atol=atol)
    monkeypatch.setattr(network, "SCORE_BATCH", 7)
    np.testing.assert_allclose(model.score(fresh), score_BH, rtol=0, atol=atol)


@every_family
def test_score_differs_between_windows_unless_the_family_looks_at_none_of_them(
    name: str,
) -> None:
    score_BH = fitted(name, 1).model.score(complete(40, 1, 4))
    assert (len(np.unique(score_BH[:, 2])) > 1) == (name in NEEDY)


@every_case
def test_score_needs_no_label_and_no_part_of_a_window_that_the_family_does_not_name(
    name: str, points: int
) -> None:
    model, fresh = fitted(name, points).model, complete(40, points, 4)
    named = {NEEDS[need] for need in model.config.needs}
    bare = replace(
        fresh,
        **{part: None for part in arrays(fresh) if part not in named | {"observed_B"}},
    )
    np.testing.assert_array_equal(model.score(bare), model.score(fresh))


@every_case
def test_neither_fitting_nor_scoring_changes_the_windows(
    name: str, points: int
) -> None:
    model, changed = fitted(name, points)
    before = digest(complete(40, points, 4))
    model.score(complete(40, points, 4))
    assert not changed
    assert digest(complete(40, points, 4)) == before


# Fitting


@every_family
def test_same_seed_gives_the_same_model_whatever_was_drawn_before(name: str) -> None:
    one = fitted(name, 1).model.state()
    torch.manual_seed(99)
    np.random.seed(99)
    two = fit(name).state()
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)


@every_family
@pytest.mark.parametrize("labels", ["no", "yes", "unknown"])
def test_horizon_whose_training_labels_are_all_alike_gives_finite_scores(
    name: str, labels: str
) -> None:
    train = complete(120, 1, 1)
    y_BH, known_BH = (array.copy() for array in train.labels)
    y_BH[:, 1] = labels == "yes"
    known_BH[:, 1] &= labels != "unknown"
    model = fit(name, train=replace(train, y_BH=y_BH, known_BH=known_BH))
    assert np.isfinite(model.score(complete(40, 1, 4))).all()


@every_family
def test_labels_that_are_unknown_are_not_learned_from(name: str) -> None:
    train, tune = complete(120, 1, 1), complete(80, 1, 2)
    turned = [
        replace(part, y_BH=np.where(part.labels[1], part.labels[0], ~part.labels[0]))
        for part in (train, tune)
    ]
    assert (~train.labels[1]).any()
    fresh = complete(40, 1, 4)
    score_BH = fit(name, train=turned[0], tune=turned[1]).score(fresh)
    np.testing.assert_array_equal(score_BH, fitted(name, 1).model.score(fresh))


@every_family
def test_another_seed_gives_another_model_where_the_family_says_so(name: str) -> None:
    train, tune, fresh = complete(120, 1, 1), complete(80, 1, 2), complete(40, 1, 4)
    other = fit_family(name, train, tune, seed=5, **settings(name)).score(fresh)
    differs = bool((other != fitted(name, 1).model.score(fresh)).any())
    assert differs == FAMILIES[name].seeded, "give its Family seeded=False, or True"


@every_family
def test_tune_without_windows_or_without_known_labels_still_fits(name: str) -> None:
    tune = complete(80, 1, 2)
    for poor in (
        tune.take(np.array([], int)),
        replace(tune, known_BH=np.zeros_like(tune.labels[1])),
    ):
        assert np.isfinite(fit(name, tune=poor).score(complete(40, 1, 4))).all()


# Kept


@every_case
def test_state_restores_to_the_same_scores(name: str, points: int) -> None:
    model, fresh = fitted(name, points).model, complete(40, points, 4)
    state = {key: np.array(array) for key, array in model.state().items()}
    assert {array.dtype.kind for array in state.values()} <= set("biuf")
    again = restore(model.config, state, packaged_encoder)
    assert again.parameters == model.parameters
    np.testing.assert_array_equal(again.score(fresh), model.score(fresh))


@every_case
def test_saved_bundle_predicts_what_it_predicted(
    name: str, points: int, tmp_path: Path
) -> None:
    made, fresh = bundle_of(name, points), complete(40, points, 4)
    again = Bundle.load(made.save(tmp_path))
    assert again.family == name
    assert again.model.config == made.model.config
    assert again.id == made.id
    for mine, theirs in zip(again.predict(fresh), made.predict(fresh), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Predictions


@every_case
def test_embedding_and_tokens_are_made_from_values_where_they_are_not_there(
    name: str, points: int
) -> None:
    made, fresh = bundle_of(name, points), complete(40, points, 4)
    bare = replace(fresh, z_BCE=None, p_BCPE=None)
    np.testing.assert_allclose(
        made.predict(bare).risk_BH, made.predict(fresh).risk_BH, rtol=0, atol=1e-5
    )
    assert made.predict(bare.take(np.array([], int))).alarm_BH.shape == (
        0,
        len(HORIZONS),
    )


@every_family
def test_risks_of_10_000_wild_windows_are_probabilities_that_never_fall_with_the_horizon(
    name: str,
) -> None:
    found = bundle_of(name, 1).predict(wild())
    assert found.risk_BH.shape == (10_000, len(HORIZONS))
    broken_B = ~((found.risk_BH >= 0) & (found.risk_BH <= 1)).all(axis=1)
    broken_B |= ~(np.diff(found.risk_BH, axis=1) >= 0).all(axis=1)
    assert int(broken_B.sum()) == 0


@pytest.mark.parametrize("name", NEEDY)
def test_windows_that_lack_what_the_family_needs_are_refused_in_one_sentence(
    name: str,
) -> None:
    made, fresh = bundle_of(name, 1), complete(40, 1, 4)
    for need in made.model.config.needs:
        with pytest.raises(BundleError, match=need) as caught:
            made.predict(replace(fresh, **{NEEDS[need]: None, "x_BCL": None}))
        assert "\n" not in str(caught.value)


@every_family
def test_windows_of_another_number_of_points_are_refused_with_both_numbers(
    name: str,
) -> None:
    with pytest.raises(BundleError, match=r"1 points.*2"):
        bundle_of(name, 1).predict(complete(40, 2, 4))
