"""Shapley values from the value of every coalition, or from permutations of the players.

Coalitions are bit masks: player p takes part where bit p is set. A coalition's players have the
values of the window that is explained, the others those of a background window.

Legend: P players, S coalitions (2^P), N background windows, Q coalitions of a plan, H horizons.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import Final

import numpy as np

from hvac.arrays import Bools, Floats, Ints

# of the permutations: the same window gets the same reasons every time
SEED: Final = 18


@cache
def shapley_weights(players: int) -> Floats:
    """Return the matrix [P, S] that turns the values of all coalitions into Shapley values.

    A coalition with s of P players weighs (s − 1)! (P − s)! / P! for its members, and
    −s! (P − s − 1)! / P! for the others (Shapley 1953).

    >>> shapley_weights(1).tolist()
    [[-1.0, 1.0]]
    """
    mask_S = np.arange(2**players)
    member_PS = (mask_S >> np.arange(players)[:, None] & 1).astype(bool)
    size_S = member_PS.sum(axis=0)
    inside = [0.0] + [_weight(size - 1, players) for size in range(1, players + 1)]
    outside = [-_weight(size, players) for size in range(players)] + [0.0]
    weight_PS = np.where(member_PS, np.array(inside)[size_S], np.array(outside)[size_S])
    return np.asarray(weight_PS)


def _weight(before: int, players: int) -> float:
    """Return the chance that exactly `before` given players come before another given one."""
    return factorial(before) * factorial(players - before - 1) / factorial(players)


def from_all_coalitions(value_S: Floats) -> Floats:
    """Return Shapley values [P, …] from the values of all coalitions [S, …].

    >>> from_all_coalitions(np.array([1.0, 3.0, 2.0, 8.0])).tolist()
    [4.0, 3.0]
    """
    players = len(value_S).bit_length() - 1
    return np.asarray(np.tensordot(shapley_weights(players), value_S, axes=1))


def sum_over_subsets(part_SN: Floats) -> None:
    """Replace each coalition's value by the sum over all of its subsets, in place (zeta transform).

    >>> table = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> sum_over_subsets(table)
    >>> table.ravel().tolist()
    [1.0, 3.0, 4.0, 10.0]
    """
    players = len(part_SN).bit_length() - 1
    for p in range(players):
        pairs = part_SN.reshape(-1, 2, 2**p, *part_SN.shape[1:])
        pairs[:, 1] += pairs[:, 0]


class AllCoalitions:
    """Every coalition, for every background window: exact, for few players."""

    def __init__(self, players: int, background: int) -> None:
        self.players, self.background = players, background

    @property
    def mask_NQ(self) -> Ints:
        """Return all coalitions for each background window."""
        return np.tile(np.arange(2**self.players), (self.background, 1))

    def shapley(self, value_NQH: Floats) -> Floats:
        """Return Shapley values [P, H] of the means over background windows."""
        return from_all_coalitions(value_NQH.mean(axis=0))


class Permutations:
    """A permutation per background window, every second one the reverse of the one before.

    Each adds the players one by one, so that differences along it sum to the whole difference: the
    Shapley values are complete, whatever is sampled. Reversed (antithetic) pairs scatter less.
    """

    def __init__(self, players: int, background: int, group: int = 0) -> None:
        """Draw the permutations; the members of a group (bits) follow one another in each."""
        rng = np.random.default_rng(SEED)
        member_P = np.array([group >> p & 1 for p in range(players)], dtype=bool)
        drawn = [_drawn(member_P, rng) for _ in range((background + 1) // 2)]
        both = [order for forward in drawn for order in (forward, forward[::-1])]
        self.order_NP = np.stack(both[:background])

    @property
    def mask_NQ(self) -> Ints:
        """Return the coalitions of each background window, P + 1 of them, step after step."""
        steps_NP = np.cumsum(np.int64(1) << self.order_NP, axis=1)
        return np.pad(steps_NP, ((0, 0), (1, 0)))

    def shapley(self, value_NQH: Floats) -> Floats:
        """Return Shapley values [P, H], means over background windows."""
        step_NPH = np.diff(value_NQH, axis=1)
        place_NP = np.argsort(self.order_NP, axis=1)
        return np.asarray(
            np.take_along_axis(step_NPH, place_NP[..., None], axis=1).mean(axis=0)
        )


def _drawn(member_P: Bools, rng: np.random.Generator) -> Ints:
    """Draw an order of the players, in which the group's members stand together."""
    order_P = rng.permutation(len(member_P))
    members = order_P[member_P[order_P]]
    others = order_P[~member_P[order_P]]
    place = int(rng.integers(len(others) + 1)) if len(members) else 0
    return np.concatenate([others[:place], members, others[place:]])
