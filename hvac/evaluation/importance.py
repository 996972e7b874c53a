"""How important points, history and season are to a model, over many windows and by two measures.

Legend: B windows, P players, H horizons, N inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints, Strings
from hvac.evaluation.bootstrap import (
    Interval,
    Replicated,
    UnitWeights,
    interval,
    unit_weights,
)
from hvac.explain.players import CONTEXT, Players
from hvac.features.table import Windows
from hvac.models.family import NEEDS, Model


class PlayerImportance(NamedTuple):
    """PlayerImportance of one player at one horizon, with 95 % intervals over units.

    `added` is the mean size of what it adds to the log-odds; `shuffled` how much the log-loss rises
    where its values are those of other units' windows.
    """

    player: str
    added: Interval
    shuffled: Interval


def importances(
    model: Model,
    players: Players,
    windows: Windows,
    added_BPH: Floats,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> list[list[PlayerImportance]]:
    """Return the players of every horizon, the most important first (by what they add).

    Args:
        model: gives log-odds.
        players: of the model's class.
        windows: labelled, of the test part, with all that the model looks at.
        added_BPH: their contributions.
        replicates: draws of units for the intervals.
        seed: of the draws and of the shuffling.
    """
    weights = unit_weights(windows.units, replicates=replicates, seed=seed)
    rise_PBH = shuffled_rises(model, players, windows, seed=seed)
    horizons = added_BPH.shape[2]
    ranked = []
    for h in range(horizons):
        known_B = windows.weights[:, h] > 0
        of_horizon = []
        for p, name in enumerate(players.names):
            everywhere = np.ones(len(windows), dtype=bool)
            added = _mean(np.abs(added_BPH[:, p, h]), everywhere, weights)
            shuffled = _mean(rise_PBH[p, :, h], known_B, weights)
            of_horizon.append(PlayerImportance(name, added, shuffled))
        ranked.append(sorted(of_horizon, key=lambda player: -player.added.value))
    return ranked


def shuffled_rises(
    model: Model, players: Players, windows: Windows, *, seed: int
) -> Floats:
    """Return how each window's log-loss rises where a player is another unit's: [P, B, H].

    It is 0 where the label is unknown.
    """
    other_B = _of_other_units(windows.units, seed)
    needs: Sequence[str] = model.config.needs
    loss_BH = _log_loss(model.score(windows), windows)
    rises = []
    for p in range(len(players)):
        mixed = _with_player_of(windows, other_B, players, p, needs)
        rises.append(_log_loss(model.score(mixed), windows) - loss_BH)
    return np.stack(rises)


def _of_other_units(units_B: Strings, seed: int) -> Ints:
    """Return for each window another one, of another unit where there is one."""
    rng = np.random.default_rng(seed)
    order_B = rng.permutation(len(units_B))
    for _ in range(20):
        same_B = units_B[order_B] == units_B
        if same_B.sum() < 2:
            break
        order_B[same_B] = rng.permutation(order_B[same_B])
        swap = rng.integers(0, len(units_B), int(same_B.sum()))
        for b, other in zip(np.flatnonzero(same_B), swap, strict=True):
            order_B[b], order_B[other] = order_B[other], order_B[b]
    return order_B


def _with_player_of(
    windows: Windows,
    other_B: Ints,
    players: Players,
    p: int,
    needs: Sequence[str],
) -> Windows:
    """Return the windows with one player's columns taken from other windows."""
    arrays: dict[str, Any] = {}
    for need in needs:
        array = getattr(windows, NEEDS[need])
        of_player = _places(players, windows, need) == p
        if of_player.any():
            changed = array.copy()
            changed[:, of_player] = array[other_B][:, of_player]
            arrays[NEEDS[need]] = changed
    return replace(windows, **arrays)


def _places(players: Players, windows: Windows, need: str) -> Ints:
    """Return the player of each place along a block's second axis."""
    if need == CONTEXT:
        return players.of_columns(windows, (CONTEXT,))
    return np.arange(getattr(windows, NEEDS[need]).shape[1])


def _log_loss(score_BH: AnyArray, windows: Windows) -> Floats:
    y_BH, known_BH = windows.labels
    loss_BH = np.logaddexp(0, np.where(y_BH, -score_BH, score_BH))
    return np.asarray(np.where(known_BH, loss_BH, 0.0), dtype=np.float64)


def _mean(value_B: Floats, counted_B: Bools, weights: UnitWeights) -> Interval:
    """Return the mean over counted windows with its interval over units; nan where none counts."""
    units = weights.w_RU.shape[1]
    total_U = np.bincount(weights.unit_index_B, value_B * counted_B, minlength=units)
    count_U = np.bincount(weights.unit_index_B, counted_B, minlength=units)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_R = (weights.w_RU @ total_U) / (weights.w_RU @ count_U)
        mean = float(total_U.sum() / count_U.sum())
    return interval(Replicated(mean, mean_R))
