"""Importance of players: what they add, and what shuffling them costs."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.evaluation.importance import PlayerImportance, importances, shuffled_rises
from tests.explain.explain_example import fitted, game, players, ready
from tests.models.models_example import windows


@pytest.fixture(scope="module")
def ranked() -> list[list[PlayerImportance]]:
    made = ready(windows(200, points=2, seed=8))
    added = game("logistic_full").contributions(made, [0b111111] * 200)
    return importances(fitted("logistic_full"), players(), made, added, replicates=200)


def test_the_point_that_carries_the_label_comes_first(
    ranked: list[list[PlayerImportance]],
) -> None:
    for of_horizon in ranked:
        assert of_horizon[0].player == "p0"
        assert of_horizon[0].added.low > of_horizon[1].added.high
        assert of_horizon[0].shuffled.low > 0


def test_intervals_hold_the_value(ranked: list[list[PlayerImportance]]) -> None:
    for player in ranked[0]:
        assert player.added.low <= player.added.value <= player.added.high
        assert player.shuffled.low <= player.shuffled.value <= player.shuffled.high


def test_shuffling_costs_nothing_where_a_model_does_not_look() -> None:
    made = ready(windows(60, points=2, seed=8))
    rise_PBH = shuffled_rises(fitted("logistic_28"), players(), made, seed=0)
    assert np.abs(rise_PBH[0]).max() > 0
    assert not rise_PBH[2:].any()


def test_windows_whose_label_is_unknown_do_not_count() -> None:
    made = ready(windows(60, points=2, seed=8))
    rise_PBH = shuffled_rises(fitted("logistic_full"), players(), made, seed=0)
    assert not rise_PBH[:, ~made.labels[1]].any()
