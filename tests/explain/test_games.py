"""Shapley values of every family that has them: complete, and those of the definition.

Legend: B windows, P players, H horizons.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hvac.errors import BundleError
from hvac.explain.games import game_of, has_reasons
from hvac.models.families import FAMILIES, config_of
from tests.explain.explain_example import (
    EVERY,
    SMALL,
    background,
    coalition_value,
    explained,
    fitted,
    game,
    players,
    ready,
)
from tests.models.models_example import fit_family, windows
from tests.reference.shapley_oracle import shapley

ALL = 2**6 - 1


@pytest.mark.parametrize("name", SMALL)
def test_shapley_values_are_those_of_the_definition(name: str) -> None:
    window = ready(explained(rows=1))
    phi_PH = game(name).contributions(window, [ALL])[0]
    value = cache(coalition_value(fitted(name), players(), window, ready(background())))
    np.testing.assert_allclose(phi_PH, shapley(value, len(players())), atol=1e-6)
    assert np.abs(phi_PH).max() > 1e-3


def test_every_family_with_reasons_is_tested() -> None:
    with_reasons = {name for name in FAMILIES if has_reasons(config_of(name))}
    assert with_reasons == set(EVERY)


@pytest.mark.parametrize("points", [2, 8])
@pytest.mark.parametrize("name", EVERY)
def test_reasons_add_up_to_the_difference_from_the_background(
    name: str, points: int
) -> None:
    shown, behind = ready(explained(points)), ready(background(points))
    phi_BPH = game(name, points).contributions(shown, [ALL, ALL, 0b101])
    model = fitted(name, points)
    score_BH, score_WH = model.score(shown), model.score(behind)
    usual_BH = np.stack([score_WH.mean(0), score_WH.mean(0), score_WH[[0, 2]].mean(0)])
    np.testing.assert_allclose(phi_BPH.sum(axis=1), score_BH - usual_BH, atol=1e-6)


def test_a_window_of_the_background_alone_has_no_reasons() -> None:
    behind = ready(background())
    phi_BPH = game("fusion").contributions(behind.take(np.array([2])), [0b100])
    np.testing.assert_allclose(phi_BPH, 0, atol=1e-9)


def test_a_sampled_forest_is_close_to_the_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = ready(explained(rows=1))
    exact = game("et_full", rows=60).contributions(shown, [2**60 - 1])
    monkeypatch.setattr("hvac.explain.games.FOREST_EXACT", 0)
    sampled = game("et_full", rows=60).contributions(shown, [2**60 - 1])
    assert 0 < np.abs(exact - sampled).max() < 0.2 * np.abs(exact).max()


def test_a_family_without_a_game_says_so() -> None:
    model = fit_family("base_rate", windows(60), windows(30, seed=1))
    with pytest.raises(
        BundleError, match="there are no reasons for the family 'base_rate'"
    ):
        game_of(model, players(1), background(1))
    assert config_of("base_rate").family not in SMALL
