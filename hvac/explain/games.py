"""The games of the families: what each player adds to a model's log-odds of a window.

All are interventional: players that do not take part have the values of a background window. Lines
and boosted trees are exact whatever the number of players. Forests (log-odds of a mean) and
networks are exact by all coalitions where players are few, and else sampled by antithetic
permutations: complete all the same. A fusion is the weighted sum of its blocks' games.

Legend: B windows, W background windows, N inputs, P players, H horizons, S coalitions, Q coalitions
of a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from hvac.arrays import Floats, Ints
from hvac.errors import BundleError
from hvac.explain.coalitions import (
    AllCoalitions,
    Permutations,
    from_all_coalitions,
    sum_over_subsets,
)
from hvac.explain.players import Players
from hvac.explain.tree_walk import WalkedTrees
from hvac.features.table import Windows
from hvac.models.blocks import inputs, log_odds
from hvac.models.boosting import Boosting, BoostingConfig
from hvac.models.extra_trees import ExtraTrees, ExtraTreesConfig
from hvac.models.family import FamilyConfig
from hvac.models.fusion import Fusion, FusionConfig
from hvac.models.hybrid import Hybrid, HybridConfig
from hvac.models.linear import Logistic, LogisticConfig

# players of which all coalitions are looked at; of more, permutations
FOREST_EXACT: Final = 10
NETWORK_EXACT: Final = 6
MOST_PLAYERS: Final = 60  # coalitions are the bits of a number
FLAT_BLOCKS: Final = (
    "embedding",
    "features",
    "context",
)  # inputs of a network with a player each


class Game(Protocol):
    """What each player adds, for one window after another."""

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return Shapley values φ_BPH of the log-odds.

        Args:
            windows: as the model scores them.
            chosen_B: which background windows count for each window, as bits.
        """


def has_reasons(config: FamilyConfig) -> bool:
    """Tell whether models of a configuration have a game.

    >>> has_reasons(FusionConfig()), has_reasons(HybridConfig(inputs=("mean_tokens",)))
    (True, False)
    """
    if isinstance(config, FusionConfig):
        return all(has_reasons(block) for block in config.blocks.values())
    if isinstance(config, HybridConfig):
        return set(config.inputs) <= set(FLAT_BLOCKS)
    return isinstance(config, (LogisticConfig, BoostingConfig, ExtraTreesConfig))


def game_of(model: Any, players: Players, background: Windows) -> Game:
    """Return the game of a fitted model.

    Raises:
        BundleError: where there are no reasons for the family.
    """
    if not has_reasons(model.config):
        raise BundleError(
            f"there are no reasons for the family '{model.config.family}'"
        )
    if isinstance(model, Fusion):
        return FusionGame(model, players, background)
    if isinstance(model, Logistic):
        return LineGame(model, players, background)
    if isinstance(model, Boosting):
        return BoostingGame(model, players, background)
    if isinstance(model, ExtraTrees):
        return ForestGame(model, players, background)
    return NetworkGame(model, players, background)


def members(chosen: int) -> list[int]:
    """Return the places of the bits that are set.

    >>> members(0b101)
    [0, 2]
    """
    return [place for place in range(chosen.bit_length()) if chosen >> place & 1]


class LineGame:
    """Logistic regression: every input adds its weight times its distance from the background."""

    def __init__(self, model: Logistic, players: Players, background: Windows) -> None:
        self.model = model
        player_N = players.of_columns(background, model.config.needs)
        self.member_NP = np.eye(len(players))[player_N]
        self.part_HWP = self._parts(background)

    def _parts(self, windows: Windows) -> Floats:
        """Return what the inputs of each player add to the log-odds: [H, B, P]."""
        input_BN = inputs(windows, self.model.config.needs)
        parts = []
        for scaler, weight_N in zip(
            self.model.scalers, self.model.weight_HN, strict=True
        ):
            added_BN = scaler.transform(input_BN).astype(np.float64) * weight_N
            parts.append(added_BN @ self.member_NP)
        return np.stack(parts)

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return the differences from the mean of the background: [B, P, H]."""
        part_HBP = self._parts(windows)
        for b, chosen in enumerate(chosen_B):
            part_HBP[:, b] -= self.part_HWP[:, members(chosen)].mean(axis=1)
        return part_HBP.transpose(1, 2, 0)


class BoostingGame:
    """Boosted trees: their sum is the log-odds, so the walk alone is exact."""

    def __init__(self, model: Boosting, players: Players, background: Windows) -> None:
        self.needs = model.config.needs
        self.walks = _walks(model, players, background)

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return what each player adds to the trees' sum: [B, P, H]."""
        input_BN = inputs(windows, self.needs)
        rows = [
            [walk.shapley(input_N, chosen) for walk in self.walks]
            for input_N, chosen in zip(input_BN, chosen_B, strict=True)
        ]
        return np.array(rows).transpose(0, 2, 1)


class ForestGame:
    """A forest: the log-odds of the mean of its trees, so every coalition's mean is needed."""

    def __init__(
        self, model: ExtraTrees, players: Players, background: Windows
    ) -> None:
        self.needs = model.config.needs
        self.input_WN = inputs(background, self.needs)
        self.walks = _walks(model, players, background)

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return what each player adds to the log-odds of the trees' mean: [B, P, H]."""
        input_BN = inputs(windows, self.needs)
        rows = [
            [self._of_one(walk, input_N, chosen) for walk in self.walks]
            for input_N, chosen in zip(input_BN, chosen_B, strict=True)
        ]
        return np.array(rows).transpose(0, 2, 1)

    def _of_one(self, walk: WalkedTrees, input_N: Floats, chosen: int) -> Floats:
        if walk.players <= FOREST_EXACT:
            part_SW = walk.coalitions(input_N, chosen)
            sum_over_subsets(part_SW)
            return from_all_coalitions(log_odds(part_SW).mean(axis=1))

        def score(input_RN: Floats) -> Floats:
            return log_odds(walk.trees.total(input_RN))[:, None]

        input_WN = self.input_WN[members(chosen)]
        plan = Permutations(walk.players, len(input_WN), walk.group)
        return asked(score, input_N, input_WN, walk.player_N, plan)[:, 0]


def _walks(
    model: Boosting | ExtraTrees, players: Players, background: Windows
) -> list[WalkedTrees]:
    needs = model.config.needs
    input_WN = inputs(background, needs)
    player_N = players.of_columns(background, needs)
    return [
        WalkedTrees.prepare(trees, input_WN, player_N, len(players), players.group)
        for trees in model.forests
    ]


class NetworkGame:
    """A network on flat inputs: it is asked about windows that are partly background."""

    def __init__(self, model: Hybrid, players: Players, background: Windows) -> None:
        self.model, self.players = model, players
        self.input_WN = self._kept(inputs(background, model.config.needs))
        player_1N = players.of_columns(background, model.config.needs)[None]
        self.player_N = self._kept(player_1N)[0]

    def _kept(self, input_BN: Any) -> Any:
        chosen_N = self.model.chosen_N
        return input_BN if chosen_N is None else input_BN[:, chosen_N]

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return what each player adds to the network's log-odds: [B, P, H]."""
        input_BN = self._kept(inputs(windows, self.model.config.needs))
        rows = []
        for input_N, chosen in zip(input_BN, chosen_B, strict=True):
            input_WN = self.input_WN[members(chosen)]
            plan = _network_plan(len(self.players), len(input_WN), self.players.group)
            rows.append(
                asked(self.model.score_rows, input_N, input_WN, self.player_N, plan)
            )
        return np.stack(rows)


@cache
def _network_plan(
    players: int, background: int, group: int
) -> Permutations | AllCoalitions:
    """Return the coalitions that a network is asked about, the same for every window."""
    if players <= NETWORK_EXACT:
        return AllCoalitions(players, background)
    return Permutations(players, background, group)


def asked(
    score: Callable[[Floats], Floats],
    input_N: Floats,
    input_WN: Floats,
    player_N: Ints,
    plan: Permutations | AllCoalitions,
) -> Floats:
    """Return Shapley values [P, H] of a function of rows of inputs, by asking it.

    Args:
        score: gives log-odds [R, H] of rows of inputs [R, N].
        input_N: the window's inputs.
        input_WN: those of the background windows.
        player_N: the player of each input.
        plan: the coalitions to ask about.
    """
    mask_WQ = plan.mask_NQ
    member_WQN = (mask_WQ[:, :, None] >> player_N & 1).astype(bool)
    mixed_WQN = np.where(member_WQN, input_N, input_WN[:, None])
    score_RH = score(mixed_WQN.reshape(-1, mixed_WQN.shape[2]))
    return plan.shapley(score_RH.reshape(*mask_WQ.shape, -1))


class FusionGame:
    """A fusion: Shapley values are linear, so its blocks' games add up by their weights."""

    def __init__(self, model: Fusion, players: Players, background: Windows) -> None:
        self.games: list[Game] = []
        factors = []
        for k, block in enumerate(model.blocks.values()):
            weight = model.mix.weight_K[k]
            if weight > 0 and (model.platt_KHX[k, :, 0] > 0).any():
                self.games.append(game_of(block, players, background))
                factors.append(model.mix.slope_H * weight * model.platt_KHX[k, :, 0])
        self.factors = factors
        self.shape = (len(players), len(model.mix.slope_H))

    def contributions(self, windows: Windows, chosen_B: Sequence[int]) -> Floats:
        """Return what each player adds to the fused log-odds: [B, P, H]."""
        total_BPH = np.zeros((len(windows), *self.shape))
        for game, factor_H in zip(self.games, self.factors, strict=True):
            total_BPH += factor_H * game.contributions(windows, chosen_B)
        return total_BPH
