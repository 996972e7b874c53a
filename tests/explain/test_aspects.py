"""Aspects of a point: they add up to the point, and are Owen values where they are exact.

Legend: B windows, A aspects, P players, N inputs, W background windows, H horizons.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from hvac.explain.aspects import ASPECTS, aspect_of, aspects_of_block
from hvac.explain.explainer import Explainer
from hvac.explain.tree_walk import WalkedTrees
from hvac.features.recent import RECENT_NAMES
from hvac.features.statistics import FEATURE_NAMES
from hvac.models.blocks import inputs
from tests.explain.explain_example import (
    EVERY,
    background,
    explained,
    fitted,
    players,
    ready,
)

GROUP = 0b111000
GROUPED = (3, 4, 5)


def explainer(name: str) -> Explainer:
    return Explainer(fitted(name), players(), ready(background()))


@pytest.mark.parametrize("name", EVERY)
def test_aspects_add_up_to_their_point(name: str) -> None:
    shown = ready(explained())
    game = explainer(name)
    added_BPH = game.contributions(shown).added_BPH
    for place, point in enumerate(("p0", "p1")):
        aspect_BAH = game.aspects(shown, point, added_BPH[:, place])
        assert aspect_BAH.shape == (3, len(ASPECTS), added_BPH.shape[2])
        np.testing.assert_allclose(
            aspect_BAH.sum(axis=1), added_BPH[:, place], atol=1e-9
        )


@pytest.mark.parametrize("name", ["logistic_full", "gbdt_full", "gbdt_relative"])
def test_lines_and_boosted_trees_need_no_correction(name: str) -> None:
    shown = ready(explained())
    game = explainer(name)
    added_BH = game.contributions(shown).added_BPH[:, 0]
    right = game.aspects(shown, "p0", added_BH)
    np.testing.assert_allclose(
        game.aspects(shown, "p0", right.sum(axis=1)), right, atol=1e-12
    )
    opened = game._opened["p0"].contributions(shown, [2**6 - 1] * 3)
    np.testing.assert_allclose(
        opened[:, -len(ASPECTS) :].sum(axis=1), added_BH, atol=1e-9
    )
    np.testing.assert_allclose(opened[:, 0], 0, atol=1e-12)


def test_a_walk_with_a_group_gives_the_owen_values_of_the_definition() -> None:
    model = fitted("gbdt_full")
    needs = model.config.needs
    input_N = inputs(ready(explained(rows=1)), needs)[0].astype(np.float64)
    input_WN = inputs(ready(background()), needs).astype(np.float64)
    player_N = np.random.default_rng(3).integers(6, size=len(input_N))
    trees = model.forests[0]
    walk = WalkedTrees.prepare(trees, input_WN, player_N, 6, GROUP)

    def value(coalition: frozenset[int]) -> float:
        member_N = np.isin(player_N, list(coalition))
        return float(trees.total(np.where(member_N, input_N, input_WN)).mean())

    phi_P, orders = np.zeros(6), 0
    for order in permutations(range(6)):
        places = [order.index(p) for p in GROUPED]
        if max(places) - min(places) > 2:
            continue
        orders += 1
        for step, player in enumerate(order):
            before = frozenset(order[:step])
            phi_P[player] += value(before | {player}) - value(before)
    np.testing.assert_allclose(
        walk.shapley(input_N, 2**6 - 1), phi_P / orders, atol=1e-9
    )


def test_only_the_aspect_that_differs_from_the_background_counts() -> None:
    behind = ready(background())
    shown = behind.take(np.array([2]))
    e_BCS = np.asarray(shown.e_BCS) + np.float32(2)
    model, who = fitted("logistic_full"), players()
    game = Explainer(model, who, behind.take(np.array([2])))
    moved = replace(shown, e_BCS=e_BCS)
    added_BH = game.contributions(moved).added_BPH[:, 1]
    aspect_BAH = game.aspects(moved, "p1", added_BH)
    counting = [
        name
        for name in ASPECTS
        if np.abs(aspect_BAH[0, ASPECTS.index(name)]).max() > 1e-9
    ]
    assert counting == ["residuals"]


def test_every_column_of_a_point_has_an_aspect() -> None:
    for name in (*FEATURE_NAMES, *RECENT_NAMES):
        assert aspect_of(name) in ASPECTS
    assert len(aspects_of_block("features", 28)) == 28
    assert set(aspects_of_block("embedding", 64)) == {ASPECTS.index("pattern")}
